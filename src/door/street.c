#include "door/street.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "door/door.h"
#include "http/connection.h"
#include "http/exchange.h"
#include "http/http_host.h"
#include "http/page.h"
#include "stream/plain_stream.h"
#include "wire/host_name.h"
#include "wire/http_head.h"
#include "wire/target.h"

#define CHALLENGES "/.well-known/acme-challenge/"

enum {
	TOKEN_MOST = 128,     /* RFC 8555 section 8.1: base64url of at least 128 bits */
	ANSWER_MOST = 4096,   /* a key authorization is about 90 bytes */
	STREET_CONNECTIONS = 1024,
	STREET_SLABS = 512,
	STREET_IDLE = 10,
};

struct street {
	struct http_host host;
	const struct door *door;
	uint16_t https_port;
	int challenges;
};

static struct street *street_of(const struct exchange *exchange)
{
	return connection_host(exchange->connection)->arg;
}

static void say(struct exchange *exchange, unsigned status, struct span text)
{
	exchange_close_after(exchange);
	page_answer(exchange, status, SPAN("text/plain; charset=utf-8"), text);
}

/* -- ACME -- */

static bool is_token(struct span token)
{
	size_t i;

	for (i = 0; i < token.size; i++) {
		char byte = token.at[i];

		if (!((byte >= 'a' && byte <= 'z') || (byte >= 'A' && byte <= 'Z') || (byte >= '0' && byte <= '9') ||
		      byte == '-' || byte == '_'))
			return false;
	}
	return token.size > 0 && token.size <= TOKEN_MOST;
}

static void show_challenge(struct street *street, struct exchange *exchange, struct span token)
{
	char name[sizeof CHALLENGES + TOKEN_MOST];
	char peer[ADDRESS_TEXT_SIZE];
	struct buffer answer;
	struct error err = {"not a token"};
	enum status status = REFUSED;

	buffer_init(&answer, ANSWER_MOST);
	if (street->challenges < 0)
		(void)error_refuse(&err, "no acme-folder is configured");
	else if (is_token(token)) {
		snprintf(name, sizeof name, "%s%.*s", &CHALLENGES[1], SPAN_PRINT(token));
		status = file_load_beneath(street->challenges, name, &answer, &err);
	}
	address_ip_text(connection_peer(exchange->connection), peer);
	log_begin(LOG_INFO, "acme-challenge");
	log_text("from", span_of(peer));
	log_text("token", token.size > TOKEN_MOST ? SPAN("(too long)") : token);
	log_text("said", status == OK ? SPAN("the answer") : span_of(err.text));
	log_end();
	if (status == OK)
		say(exchange, 200, buffer_span(&answer));
	else
		say(exchange, 404, SPAN("There is no such answer here.\n"));
	buffer_release(&answer);
}

/* -- everything else -- */

static void redirect(struct street *street, struct exchange *exchange, const struct host_name *host)
{
	const struct target *target = exchange->target;
	bool is_v6 = host->kind == HOST_IPV6, is_safe;
	struct page_field location = {.name = SPAN("Location")};
	struct page page = {.type = SPAN("text/plain; charset=utf-8"),
			    .body = SPAN("This is found by https.\n"),
			    .lasts = true,
			    .fields = &location,
			    .field_count = 1};
	struct buffer url;

	buffer_init(&url, 32768);
	buffer_add_text(&url, is_v6 ? "https://[" : "https://");
	buffer_add(&url, host_span(host));
	buffer_add_text(&url, is_v6 ? "]" : "");
	if (street->https_port != 443)
		buffer_printf(&url, ":%u", street->https_port);
	buffer_add(&url, target->path);
	if (target->has_query) {
		buffer_add_char(&url, '?');
		buffer_add(&url, target->query);
	}
	location.value = buffer_span(&url);
	/* Only of these is it sure that coming again by GET is the same (RFC 9110 section 15.4.2). */
	is_safe = exchange->request->method == METHOD_GET || exchange->is_head;
	page.status = is_safe ? 301 : 308;
	exchange_close_after(exchange);
	page_send(exchange, &page);
	buffer_release(&url);
}

static void on_exchange(struct exchange *exchange)
{
	struct street *street = street_of(exchange);
	struct span rest = exchange->target->path;
	struct host_name host;

	if (span_starts(rest, CHALLENGES) &&
	    (exchange->is_head || exchange->request->method == METHOD_GET)) {
		span_skip(&rest, sizeof CHALLENGES - 1);
		show_challenge(street, exchange, rest);
		return;
	}
	if (host_fold(exchange->request->host, &host, NULL) != OK || exchange->target->path.at[0] != '/' ||
	    !routes_find(door_routes(street->door), host_span(&host))) {
		say(exchange, 404, SPAN("There is nothing here by that name.\n"));
		return;
	}
	redirect(street, exchange, &host);
}

static void on_bad_request(struct exchange *exchange, enum bad_request why)
{
	say(exchange, bad_request_status(why), span_of(bad_request_text(why)));
}

enum status street_new(const struct street_setup *setup, struct street **out, struct error *err)
{
	struct street *street = calloc(1, sizeof *street);
	enum status status;

	if (!street)
		return error_fail(err, "no memory for port 80");
	street->door = setup->door;
	street->https_port = setup->https_port;
	street->challenges = setup->challenges;
	street->host = (struct http_host){.loop = setup->loop,
					  .limits = setup->limits,
					  .visit_size = sizeof(struct exchange),
					  .arg = street,
					  .on_exchange = on_exchange,
					  .on_bad_request = on_bad_request};
	/* Whatever happens here takes little from those who come by TLS. */
	if (street->host.limits.connections > STREET_CONNECTIONS)
		street->host.limits.connections = STREET_CONNECTIONS;
	street->host.limits.memory_slabs = STREET_SLABS;
	if (street->host.limits.idle_time > SECONDS(STREET_IDLE))
		street->host.limits.idle_time = SECONDS(STREET_IDLE);
	status = http_host_init(&street->host, err);
	if (status != OK) {
		free(street);
		return status;
	}
	*out = street;
	return OK;
}

void street_accept(struct street *street, int fd, const struct address *peer)
{
	struct connection_birth birth = {.peer = *peer, .listener = street};
	struct connection *connection;
	struct error err;

	if (plain_stream_new(fd, &birth.stream, &err) != OK)
		close(fd);
	/* Too many: a stranger's, on port 80; not worth a line. */
	else
		(void)!connection_new(&street->host, &birth, &connection, &err);
}

struct http_host *street_host(struct street *street)
{
	return &street->host;
}

void street_free(struct street *street)
{
	if (!street)
		return;
	http_host_release(&street->host);
	free(street);
}
