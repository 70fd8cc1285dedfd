#include "http/http_house.h"

#include "http/connection_parts.h"

static const char get[] = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

enum { CLIENTS_MOST = 64 };

static struct client {
	struct stream *stream;
	struct connection *connection; /* meaningful until its stream is freed */
} clients[CLIENTS_MOST];
static unsigned shaken[CLIENTS_MOST], shaken_count;
static bool next_is_known, next_is_familiar;

static const struct service waiter = {.name = "waiter", .open = holder_open, .on_up = holder_up, .release = count_release};

static void on_secured(struct connection *connection)
{
	unsigned i;

	for (i = 0; i < CLIENTS_MOST; i++)
		if (clients[i].stream && connection_stream(connection) == clients[i].stream)
			shaken[shaken_count++] = i;
	connection_settle(connection, next_is_known);
}

static bool on_peer(struct connection *connection)
{
	if (next_is_familiar)
		connection_set_familiar(connection);
	return true;
}

static void closed(struct connection *connection, enum ending why, const struct error *err)
{
	(void)connection;
	(void)why;
	(void)err;
}

static void open_crowd(size_t most, size_t strangers)
{
	house_open(&keeper);
	memset(clients, 0, sizeof clients);
	shaken_count = 0;
	next_is_known = next_is_familiar = false;
	house.host.limits.connections = most;
	house.host.limits.strangers = strangers;
	house.host.on_secured = on_secured;
	house.host.on_peer = on_peer;
	house.host.on_closed = closed;
}

static enum status arrive(unsigned at, bool is_tls)
{
	struct connection_birth birth = {.stream = script_stream_new(), .is_tls = is_tls};
	struct error err;

	clients[at].stream = birth.stream;
	return connection_new(&house.host, &birth, &clients[at].connection, &err);
}

/* Its stream starts by an edge. */
static void come(unsigned at, bool is_known)
{
	next_is_known = is_known;
	assert_int_equal(arrive(at, false), OK);
	script_ready(clients[at].stream);
	house_turn();
	house_advance(SECONDS(1) / 10);
	house_turn();
}

static bool is_here(unsigned at)
{
	return !script_record(clients[at].stream)->freed;
}

static void close_crowd(void)
{
	unsigned i;

	http_host_end(&house.host, ENDED_STOPPING);
	house_turn();
	house_advance(SECONDS(100));
	house_turn();
	for (i = 0; i < CLIENTS_MOST; i++)
		if (clients[i].stream)
			script_stream_free(clients[i].stream);
	assert_int_equal(house.host.crowd.settled_strangers, 0);
	assert_int_equal(house.host.crowd.waiting_strangers, 0);
	house_close();
}

static void near_the_ceiling_the_oldest_idle_stranger_goes_then_the_oldest_idle_one(void **state)
{
	(void)state;
	open_crowd(4, SIZE_MAX);
	come(0, true);
	come(1, false);
	come(2, true);
	come(3, false);
	come(4, true);
	assert_true(is_here(0) && !is_here(1) && is_here(2) && is_here(3) && is_here(4));
	come(5, true);
	assert_false(is_here(3));
	come(6, true);
	assert_true(!is_here(0) && is_here(2) && is_here(4) && is_here(5) && is_here(6));
	/* A request makes it the youngest of the idle. */
	script_give_text(clients[2].stream, get);
	script_ready(clients[2].stream);
	house_turn();
	come(7, true);
	assert_true(is_here(2) && !is_here(4));
	close_crowd();
}

static void who_has_a_request_under_way_is_closed_for_nobody(void **state)
{
	(void)state;
	open_crowd(2, SIZE_MAX);
	house.service = &waiter;
	come(0, false);
	come(1, false);
	script_give_text(clients[0].stream, get);
	script_ready(clients[0].stream);
	house_turn();
	come(2, true);
	assert_true(is_here(0) && !is_here(1) && is_here(2));
	script_give_text(clients[2].stream, get);
	script_ready(clients[2].stream);
	house_turn();
	assert_int_equal(arrive(3, false), REFUSED);
	assert_true(is_here(0) && is_here(2));
	close_crowd();
}

static void strangers_make_room_for_each_other_below_their_part(void **state)
{
	unsigned i;

	(void)state;
	open_crowd(10, 3);
	come(0, true);
	for (i = 1; i <= 8; i++)
		come(i, false);
	assert_true(is_here(0) && !is_here(5) && is_here(6) && is_here(7) && is_here(8));
	assert_int_equal(house.host.crowd.settled_strangers, 3);
	/* One that becomes known leaves its place to another. */
	connection_settle(clients[6].connection, true);
	come(9, false);
	assert_true(is_here(6) && is_here(7) && is_here(8) && is_here(9));
	close_crowd();
}

static void when_all_strangers_are_busy_the_one_that_comes_goes(void **state)
{
	unsigned i;

	(void)state;
	open_crowd(10, 2);
	house.service = &waiter;
	for (i = 0; i < 2; i++) {
		come(i, false);
		script_give_text(clients[i].stream, get);
		script_ready(clients[i].stream);
		house_turn();
	}
	come(2, false);
	assert_true(is_here(0) && is_here(1) && !is_here(2));
	come(3, true);
	assert_true(is_here(3));
	close_crowd();
}

static void handshakes_have_some_steps_a_turn_and_familiar_addresses_go_first(void **state)
{
	unsigned i;

	(void)state;
	open_crowd(100, SIZE_MAX);
	for (i = 0; i < 20; i++)
		assert_int_equal(arrive(i, true), OK);
	next_is_familiar = true;
	for (i = 20; i < 24; i++)
		assert_int_equal(arrive(i, true), OK);
	for (i = 0; i < 24; i++)
		script_ready(clients[i].stream);
	assert_int_equal(house.host.crowd.waiting_strangers, 20);
	(void)loop_turn(house.host.loop, 0);
	assert_int_equal(shaken_count, CROWD_STEPS_A_TURN);
	for (i = 0; i < 4; i++)
		assert_int_equal(shaken[i], 20 + i);
	for (i = 4; i < CROWD_STEPS_A_TURN; i++)
		assert_int_equal(shaken[i], i - 4);
	assert_int_equal(house.host.crowd.waiting_strangers, 16);
	(void)loop_turn(house.host.loop, 0);
	(void)loop_turn(house.host.loop, 0);
	assert_int_equal(shaken_count, 24);
	assert_int_equal(house.host.crowd.waiting_strangers, 0);
	close_crowd();
}

static void one_that_goes_while_it_waits_leaves_the_line(void **state)
{
	unsigned i;

	(void)state;
	open_crowd(100, SIZE_MAX);
	for (i = 0; i < 12; i++) {
		assert_int_equal(arrive(i, true), OK);
		script_ready(clients[i].stream);
	}
	for (i = 0; i < 12; i += 2)
		connection_end(clients[i].connection, ENDED_STOPPING);
	assert_int_equal(house.host.crowd.waiting_strangers, 6);
	house_turn();
	assert_int_equal(shaken_count, 6);
	close_crowd();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(near_the_ceiling_the_oldest_idle_stranger_goes_then_the_oldest_idle_one),
		cmocka_unit_test(who_has_a_request_under_way_is_closed_for_nobody),
		cmocka_unit_test(strangers_make_room_for_each_other_below_their_part),
		cmocka_unit_test(when_all_strangers_are_busy_the_one_that_comes_goes),
		cmocka_unit_test(handshakes_have_some_steps_a_turn_and_familiar_addresses_go_first),
		cmocka_unit_test(one_that_goes_while_it_waits_leaves_the_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
