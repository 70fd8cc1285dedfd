/* http_house - a host, a clock and a script stream, for tests of connections without a kernel. */
#ifndef HTTP_HTTP_HOUSE_H
#define HTTP_HTTP_HOUSE_H

#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <setjmp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "event/loop.h"
#include "http/connection.h"
#include "http/exchange.h"
#include "http/http_host.h"
#include "http/page.h"
#include "http/service.h"
#include "http/transport.h"
#include "support/script_stream.h"
#include "wire/http_head.h"
#include "wire/target.h"

static struct clock_time house_time = {.wall = SECONDS(1795000000), .mono = SECONDS(1000)};

static inline struct clock_time house_clock(void)
{
	return house_time;
}

struct house {
	struct http_host host;
	struct connection *connection;
	struct stream *stream;
	const struct service *service;
	struct buffer body; /* what `keeper` got; reset by each exchange */
	struct exchange *held; /* the exchange of `holder`, until released */
	unsigned exchanges, left, opened, cancelled, released, closed, bad, revoked, tunnels, rooms;
	enum ending left_why, closed_why, revoked_why;
	enum bad_request bad_why;
	uint16_t left_status;
	char error[512];
};
static struct house house;

static inline void house_advance(int64_t time)
{
	house_time.mono += time;
	house_time.wall += time;
}

static inline void house_turn(void)
{
	int i;

	for (i = 0; i < 4; i++)
		(void)loop_turn(house.host.loop, 0);
}

static inline void on_exchange(struct exchange *exchange)
{
	house.exchanges++;
	exchange_hand_over(exchange, house.service, NULL);
}

static inline void on_left(struct exchange *exchange)
{
	house.left++;
	house.left_why = exchange->ending;
	house.left_status = exchange->status;
}

static inline void on_closed(struct connection *connection, enum ending why, const struct error *err)
{
	(void)connection;
	house.closed++;
	house.closed_why = why;
	snprintf(house.error, sizeof house.error, "%s", err->text);
	house.connection = NULL;
}

static inline void on_tunnel(struct exchange *exchange)
{
	house.tunnels++;
	assert_true(exchange->request->method_name.size > 0);
}

static inline void house_open(const struct service *service)
{
	struct error err;

	clock_set_source(house_clock);
	memset(&house, 0, sizeof house);
	buffer_init(&house.body, 1 << 26);
	http_limits_default(&house.host.limits);
	house.service = service;
	house.host.visit_size = sizeof(struct exchange) + 64;
	house.host.guest_size = 48;
	house.host.on_exchange = on_exchange;
	house.host.on_left = on_left;
	house.host.on_closed = on_closed;
	house.host.on_tunnel = on_tunnel;
	assert_int_equal(loop_new(&house.host.loop, &err), OK);
	assert_int_equal(http_host_init(&house.host, &err), OK);
}

static inline void house_connect(void)
{
	struct connection_birth birth = {.stream = script_stream_new()};
	struct error err;

	house.cancelled = 0;
	house.stream = birth.stream;
	assert_int_equal(connection_new(&house.host, &birth, &house.connection, &err), OK);
	house_turn();
}

/* The connection must have gone, or goes now. */
static inline void house_leave(void)
{
	if (house.connection)
		connection_abort(house.connection, ENDED_STOPPING);
	house_turn();
	assert_int_equal(http_host_connections(&house.host), 0);
	assert_int_equal(house.closed, 1);
	assert_int_equal(house.opened, house.released);
	script_stream_free(house.stream);
	house.closed = 0;
}

static inline void house_close(void)
{
	assert_int_equal(house.host.heads.taken + house.host.spills.taken + house.host.bulk.taken +
				 house.host.answers.taken + house.host.visits.taken,
			 0);
	http_host_release(&house.host);
	loop_free(house.host.loop);
	buffer_release(&house.body);
	clock_set_source(NULL);
}

static inline void house_say(const char *text)
{
	script_give_text(house.stream, text);
	script_ready(house.stream);
	house_turn();
}

static inline const char *house_heard(void)
{
	return script_written(house.stream).at;
}

/* -- keeper: takes the whole request, then tells it back -- */

static inline void keeper_tell(struct exchange *exchange)
{
	const struct head *request = exchange->request;
	struct buffer text;

	buffer_init(&text, 1 << 26);
	buffer_printf(&text, "%.*s %.*s [", SPAN_PRINT(request->method_name),
		      SPAN_PRINT(exchange->target->path));
	buffer_add(&text, buffer_span(&house.body));
	buffer_printf(&text, "] <%.*s>\n", SPAN_PRINT(exchange->up_trailers));
	page_answer(exchange, 200, SPAN("text/plain"), buffer_span(&text));
	buffer_release(&text);
}

static inline void keeper_take(struct exchange *exchange)
{
	struct span bytes;

	while ((bytes = body_peek(&exchange->up)).size > 0) {
		buffer_add(&house.body, bytes);
		body_consume(&exchange->up, bytes.size);
	}
	if (body_is_over(&exchange->up))
		keeper_tell(exchange);
}

static inline void keeper_open(struct exchange *exchange)
{
	house.opened++;
	buffer_clear(&house.body);
	exchange_want_body(exchange);
	keeper_take(exchange);
}

static inline void count_cancel(struct exchange *exchange)
{
	house.cancelled++;
	assert_int_equal(house.cancelled, 1);
	(void)exchange;
}

static inline void count_release(struct exchange *exchange)
{
	house.released++;
	if (house.held == exchange)
		house.held = NULL;
}

static inline void count_room(struct exchange *exchange)
{
	(void)exchange;
	house.rooms++;
}

__attribute__((unused)) static const struct service keeper = {
	.name = "keeper",
	.open = keeper_open,
	.on_up = keeper_take,
	.cancel = count_cancel,
	.release = count_release,
};

/* -- holder: does nothing by itself; the test drives `house.held` -- */

static inline void holder_open(struct exchange *exchange)
{
	house.opened++;
	house.held = exchange;
}

static inline void holder_up(struct exchange *exchange)
{
	(void)exchange;
}

static inline bool holder_revoke(struct exchange *exchange, enum ending why)
{
	house.revoked++;
	house.revoked_why = why;
	body_show(&exchange->down, SPAN("LAST WORD"), true);
	return true;
}

__attribute__((unused)) static const struct service holder = {
	.name = "holder",
	.open = holder_open,
	.on_up = holder_up,
	.on_room = count_room,
	.cancel = count_cancel,
	.revoke = holder_revoke,
	.release = count_release,
};

/* An answer head of that status; framing by length, or chunked when length is below 0. */
static inline void house_answer(struct exchange *exchange, uint16_t code, int64_t length)
{
	struct head answer;

	exchange_answer_init(&answer, code);
	answer.framing = length >= 0 ? BODY_LENGTH : BODY_CHUNKED;
	answer.has_length = length >= 0;
	answer.length = length >= 0 ? (uint64_t)length : 0;
	exchange_answer(exchange, &answer, false);
}

static inline unsigned house_count(const char *text, const char *what)
{
	unsigned count = 0;

	for (; (text = strstr(text, what)) != NULL; text += strlen(what))
		count++;
	return count;
}

#endif
