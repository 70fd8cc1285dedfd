/* door_house - a door on a script stream, with a roster of its own, a clock that stands still, and a
 * service that tells what an upstream would have got. */
#ifndef DOOR_DOOR_HOUSE_H
#define DOOR_DOOR_HOUSE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/line_ring.h"
#include "base/log.h"
#include "door/dialect.h"
#include "door/door.h"
#include "door/visit.h"
#include "event/loop.h"
#include "http/connection.h"
#include "http/exchange.h"
#include "http/http_host.h"
#include "http/page.h"
#include "http/service.h"
#include "shm/roster.h"
#include "shm/scoreboard.h"
#include "stream/tls_stream.h"
#include "support/script_stream.h"
#include "support/set_clock.h"
#include "wire/http_head.h"
#include "wire/target.h"

enum { HOUSE_SITES = 4 };

struct door_house {
	struct http_host host;
	struct door *door;
	struct roster *roster;
	struct scoreboard *board;
	struct score_page *score;
	struct site_options sites[HOUSE_SITES];
	struct door_options options;
	struct route_service services[2];
	struct tls_peer peer; /* who the next handshake is with */
	struct span der;      /* and what it shows */
	const struct foreign_path *foreign; /* and what a foreign CA says of it */
	struct connection *connection;
	struct stream *stream;
	struct exchange *held;
	struct buffer log;
	unsigned opened, released, cancelled;
	size_t closed;
	unsigned closed_calls;
};
static struct door_house house;

static bool house_peer(struct connection *connection, struct tls_peer *out)
{
	(void)connection;
	*out = house.peer;
	return true;
}

/* -- a service that tells what would go upstream -- */

static void tell(struct exchange *exchange)
{
	const struct head *request = exchange->request;
	struct buffer text;
	size_t i;

	buffer_init(&text, 1 << 18);
	for (i = 0; i < request->field_count; i++) {
		const struct field *field = &request->fields[i];

		if (dialect_keeps(field))
			buffer_printf(&text, "%.*s: %.*s\r\n", SPAN_PRINT(field->name), SPAN_PRINT(field->value));
	}
	buffer_add(&text, visit_lines(exchange));
	buffer_add_text(&text, "trailers\r\n");
	buffer_add(&text, exchange->up_trailers);
	page_answer(exchange, 200, SPAN("text/plain"), buffer_span(&text));
	buffer_release(&text);
}

static void teller_up(struct exchange *exchange)
{
	struct span bytes;

	while ((bytes = body_peek(&exchange->up)).size > 0)
		body_consume(&exchange->up, bytes.size);
	if (body_is_over(&exchange->up))
		tell(exchange);
}

static void teller_open(struct exchange *exchange)
{
	house.opened++;
	exchange_want_body(exchange);
	teller_up(exchange);
}

static void count_release(struct exchange *exchange)
{
	house.released++;
	if (house.held == exchange)
		house.held = NULL;
}

static void count_cancel(struct exchange *exchange)
{
	(void)exchange;
	house.cancelled++;
}

__attribute__((unused)) static const struct service teller = {
	.name = "teller", .open = teller_open, .on_up = teller_up, .cancel = count_cancel, .release = count_release};

/* -- a service that keeps the exchange; a WebSocket becomes a tunnel -- */

static void holder_open(struct exchange *exchange)
{
	struct head answer;

	house.opened++;
	house.held = exchange;
	if (!exchange->request->is_websocket)
		return;
	exchange_answer_init(&answer, 101);
	exchange_upgrade(exchange, &answer);
}

static void holder_up(struct exchange *exchange)
{
	(void)exchange;
}

__attribute__((unused)) static const struct service holder = {
	.name = "holder", .open = holder_open, .on_up = holder_up, .cancel = count_cancel, .release = count_release};

/* -- the house -- */

static void house_turn(void)
{
	int i;

	for (i = 0; i < 4; i++) {
		(void)loop_turn(house.host.loop, 0);
		for (struct span bytes; (bytes = line_ring_take(log_ring(), SIZE_MAX)).size > 0;) {
			buffer_add(&house.log, bytes);
			line_ring_taken(log_ring(), bytes.size);
		}
	}
}

__attribute__((unused)) static void house_advance(int64_t time)
{
	set_clock_advance(time);
	house_turn();
}

/* Sites are filled by the test before house_open. */
static void house_begin(void)
{
	memset(&house, 0, sizeof house);
	set_clock_begin();
	house.options = (struct door_options){.contact = (char *)"it@example.com",
					      .domain = (char *)"example.com",
					      .sites = house.sites,
					      .site_count = 1};
	house.sites[0].name = (char *)"chat.example.com";
	house.services[0] = (struct route_service){NULL, "/", &teller, NULL};
	house.services[1] = (struct route_service){NULL, "/hold/", &holder, NULL};
	buffer_init(&house.log, 1 << 20);
}

static void house_open(void)
{
	struct door_setup setup;
	struct error err = {""};

	assert_int_equal(loop_new(&house.host.loop, &err), OK);
	assert_int_equal(roster_new(64, &house.roster, &err), OK);
	assert_int_equal(scoreboard_new(1, &house.board, &err), OK);
	house.score = scoreboard_page(house.board, 0);
	score_claim(house.score, 1, 1, 0);
	setup = (struct door_setup){.loop = house.host.loop,
				    .roster = house.roster,
				    .score = house.score,
				    .options = &house.options,
				    .services = house.services,
				    .service_count = 2,
				    .peer = house_peer};
	log_gather(true);
	if (door_new(&setup, &house.door, &err) != OK)
		fail_msg("%s", err.text);
	door_fill_host(house.door, &house.host);
	http_limits_default(&house.host.limits);
	assert_int_equal(http_host_init(&house.host, &err), OK);
}

static void house_put(uint8_t number, const char *person, const char *groups, enum roster_state state)
{
	struct roster_row row = {.not_before = 1000, .not_after = 1795230810 + 3600, .state = state, .groups = span_of(groups)};
	struct error err = {""};

	memset(row.fingerprint, number, sizeof row.fingerprint);
	memset(row.device, number, sizeof row.device);
	row.card = (struct card){.device = SPAN("id.d.example.com"), .person = span_of(person), .email = SPAN("a@example.com"),
				 .label = SPAN("phone"), .subject = SPAN("CN=x"),
				 .subject_slash = SPAN("/CN=x/emailAddress=a@example.com"), .issuer = SPAN("CN=y"),
				 .serial = SPAN("01")};
	if (roster_put(house.roster, &row, &err) != OK)
		fail_msg("%s", err.text);
}

/* Number 0: no certificate. */
static void house_connect(uint8_t number, const char *server_name)
{
	struct connection_birth birth = {.stream = script_stream_new(), .is_tls = true};
	struct error err;

	assert_int_equal(address_parse(SPAN("192.0.2.7:50000"), &birth.peer, &err), OK);
	house.peer = (struct tls_peer){
		.has_certificate = number > 0, .server_name = span_of(server_name), .der = house.der, .foreign = house.foreign};
	memset(house.peer.fingerprint, number, sizeof house.peer.fingerprint);
	house.stream = birth.stream;
	assert_int_equal(connection_new(&house.host, &birth, &house.connection, &err), OK);
	house_turn();
	script_ready(house.stream);
	house_turn();
}

static const char *house_say(const char *text)
{
	script_forget_written(house.stream);
	script_give_text(house.stream, text);
	script_ready(house.stream);
	house_turn();
	return script_written(house.stream).at;
}

static bool house_is_gone(void)
{
	return script_record(house.stream)->freed;
}

static void house_leave(void)
{
	if (!house_is_gone()) {
		script_end(house.stream);
		script_ready(house.stream);
	}
	house_advance(SECONDS(2));
	http_host_end(&house.host, ENDED_STOPPING);
	house_advance(SECONDS(2));
	assert_true(house_is_gone());
	script_stream_free(house.stream);
	house.stream = NULL;
}

static void house_close(void)
{
	assert_int_equal(http_host_connections(&house.host), 0);
	assert_int_equal(house.opened, house.released);
	assert_int_equal(score_read(&house.score->scores[SCORE_LIVE_CONNECTIONS]), 0);
	assert_int_equal(score_read(&house.score->scores[SCORE_LIVE_EXCHANGES]), 0);
	assert_int_equal(score_read(&house.score->scores[SCORE_LIVE_TUNNELS]), 0);
	http_host_release(&house.host);
	door_free(house.door);
	loop_free(house.host.loop);
	roster_free(house.roster);
	scoreboard_free(house.board);
	buffer_release(&house.log);
	log_gather(false);
	clock_set_source(NULL);
}

static bool says(const char *text, const char *part)
{
	return text && strstr(text, part) != NULL;
}

static bool logged(const char *part)
{
	return says(buffer_text(&house.log), part);
}

#define assert_says(text, part)                                                                    \
	do {                                                                                       \
		if (!says(text, part))                                                             \
			fail_msg("\"%s\" is not in:\n%s", part, text ? text : "(nothing)");        \
	} while (0)

#endif
