#include "serve/metrics_gate.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/network.h"
#include "door/metrics.h"
#include "event/loop.h"
#include "http/connection.h"
#include "http/exchange.h"
#include "http/http_host.h"
#include "http/page.h"
#include "http/service.h"
#include "stream/plain_stream.h"
#include "wire/http_head.h"
#include "wire/target.h"

enum { CONNECTIONS_MOST = 64 };

/* One text, held by the gate and by each answer that is on its way. */
struct text {
	unsigned holders;
	struct buffer bytes;
};

struct metrics_gate {
	struct http_host host;
	const struct scoreboard *board;
	const struct roster *roster;
	struct text *text; /* NULL: none yet */
	int64_t made;      /* mono */
};

static void let_go(struct text *text)
{
	if (!text || --text->holders)
		return;
	buffer_release(&text->bytes);
	free(text);
}

static struct text *present_text(struct metrics_gate *gate)
{
	const struct clock_time *now = loop_now(gate->host.loop);
	struct text *made;
	struct error err;

	if (gate->text && now->mono - gate->made < SECONDS(1))
		return gate->text;
	made = calloc(1, sizeof *made);
	if (!made)
		return NULL;
	made->holders = 1;
	buffer_init(&made->bytes, METRICS_MOST);
	if (metrics_write(gate->board, gate->roster, now->wall, &made->bytes, &err) != OK) {
		log_say(LOG_ERROR, "metrics", "%s", err.text);
		let_go(made);
		return NULL;
	}
	let_go(gate->text);
	gate->text = made;
	gate->made = now->mono;
	return made;
}

static void open_text(struct exchange *exchange)
{
	const struct text *text = exchange->service_state;
	struct head answer;

	exchange_answer_init(&answer, 200);
	answer.framing = BODY_LENGTH;
	answer.has_length = true;
	answer.length = text->bytes.size;
	answer.fields[answer.field_count++] =
		(struct field){.name = SPAN("Content-Type"), .value = SPAN(METRICS_TYPE), .known = FIELD_CONTENT_TYPE};
	exchange_answer(exchange, &answer, exchange->is_head);
	if (!exchange->is_head)
		body_show(&exchange->down, buffer_span(&text->bytes), true);
}

static void release_text(struct exchange *exchange)
{
	let_go(exchange->service_state);
	exchange->service_state = NULL;
}

static const struct service text_service = {.name = "metrics", .open = open_text, .release = release_text};

static void refuse(struct exchange *exchange, unsigned status, struct span sentence)
{
	struct page_field allow = {SPAN("Allow"), SPAN("GET, HEAD")};
	struct page page = {.status = status, .type = SPAN("text/plain; charset=utf-8"), .body = sentence, .lasts = true};

	if (status == 405) {
		page.fields = &allow;
		page.field_count = 1;
	}
	page_send(exchange, &page);
}

static void on_exchange(struct exchange *exchange)
{
	struct metrics_gate *gate = connection_host(exchange->connection)->arg;
	struct text *text;

	if (!span_is(exchange->target->path, "/metrics")) {
		refuse(exchange, 404, SPAN("Only /metrics is here.\n"));
		return;
	}
	if (exchange->request->method != METHOD_GET && exchange->request->method != METHOD_HEAD) {
		refuse(exchange, 405, SPAN("Metrics are read by GET.\n"));
		return;
	}
	text = present_text(gate);
	if (!text) {
		refuse(exchange, 503, SPAN("No memory for the metrics.\n"));
		return;
	}
	text->holders++;
	exchange_hand_over(exchange, &text_service, text);
}

enum status metrics_gate_admits(const struct address *address, struct error *err)
{
	static const char *const ranges[] = {"127.0.0.0/8", "10.0.0.0/8",     "172.16.0.0/12", "192.168.0.0/16",
					     "100.64.0.0/10", "169.254.0.0/16", "::1",           "fc00::/7", "fe80::/10"};
	char where[ADDRESS_TEXT_SIZE];
	struct network network;
	size_t i;

	for (i = 0; i < sizeof ranges / sizeof *ranges; i++)
		if (network_parse(span_of(ranges[i]), &network, NULL) == OK && network_has(&network, address))
			return OK;
	address_text(address, where);
	return error_refuse(err, "listen-metrics = \"%s\" would tell everyone who reaches it which sites are here and how "
			    "busy they are; use 127.0.0.1:%u or a private address, or say metrics-for-all = yes", where,
			    address_port(address));
}

enum status metrics_gate_new(struct loop *loop, const struct scoreboard *board, struct metrics_gate **out,
			     struct error *err)
{
	struct metrics_gate *gate = calloc(1, sizeof *gate);
	enum status status;

	if (!gate)
		return error_fail(err, "no memory for the metrics");
	gate->board = board;
	gate->host = (struct http_host){.loop = loop, .visit_size = sizeof(struct exchange), .arg = gate,
					.on_exchange = on_exchange};
	http_limits_default(&gate->host.limits);
	gate->host.limits.connections = CONNECTIONS_MOST;
	gate->host.limits.memory_slabs = 2 * CONNECTIONS_MOST;
	gate->host.limits.bulk_bytes = gate->host.limits.spill_bytes;
	status = http_host_init(&gate->host, err);
	if (status != OK) {
		free(gate);
		return status;
	}
	*out = gate;
	return OK;
}

void metrics_gate_accept(struct metrics_gate *gate, int fd, const struct address *peer)
{
	struct connection_birth birth = {.peer = *peer};
	struct connection *connection;
	struct error err;

	if (plain_stream_new(fd, &birth.stream, &err) != OK) {
		close(fd);
		return;
	}
	if (connection_new(&gate->host, &birth, &connection, &err) != OK)
		log_say(LOG_WARNING, "accept", "metrics: %s", err.text);
}

void metrics_gate_use_roster(struct metrics_gate *gate, const struct roster *roster)
{
	if (gate)
		gate->roster = roster;
}

size_t metrics_gate_connections(const struct metrics_gate *gate)
{
	return http_host_connections(&gate->host);
}

void metrics_gate_end(struct metrics_gate *gate)
{
	if (gate)
		http_host_end(&gate->host, ENDED_STOPPING);
}

void metrics_gate_free(struct metrics_gate *gate)
{
	if (!gate)
		return;
	http_host_release(&gate->host);
	let_go(gate->text);
	free(gate);
}
