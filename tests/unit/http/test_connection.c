#include "http/http_house.h"

#include "http/connection_parts.h"

static const char get[] = "GET /a HTTP/1.1\r\nHost: x\r\n\r\n";

static void open_tunnel(void)
{
	struct head answer;

	house_say("GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
		  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
	exchange_answer_init(&answer, 101);
	exchange_upgrade(house.held, &answer);
	house_turn();
}

static void a_head_has_a_total_deadline(void **state)
{
	int i;

	(void)state;
	house_open(&keeper);
	house_connect();
	for (i = 0; i < 14; i++) {
		house_say(i == 0 ? "GET / HTTP/1.1\r\nX: " : "a");
		house_advance(SECONDS(1));
		house_turn();
	}
	assert_string_equal(house_heard(), "");
	house_advance(SECONDS(2));
	house_turn();
	assert_int_equal(strncmp(house_heard(), "HTTP/1.1 408 Request Timeout\r\n", 30), 0);
	assert_non_null(strstr(house_heard(), "Connection: close\r\n"));
	house_leave();
	house_close();
}

static void an_idle_connection_is_closed_in_silence(void **state)
{
	(void)state;
	house_open(&keeper);
	house_connect();
	house_say(get);
	script_forget_written(house.stream);
	house_advance(SECONDS(74));
	house_turn();
	assert_non_null(house.connection);
	house_advance(SECONDS(2));
	house_turn();
	assert_null(house.connection);
	assert_string_equal(house_heard(), "");
	assert_int_equal(house.closed_why, ENDED_DONE);
	house_leave();
	house_close();
}

static void an_end_without_close_notify_is_no_failure(void **state)
{
	(void)state;
	house_open(&keeper);
	house_connect();
	house_say(get);
	script_cut(house.stream);
	script_ready(house.stream);
	house_turn();
	assert_null(house.connection);
	assert_string_equal(house.error, "");
	house_leave();

	house_connect();
	house_say(get);
	script_gone(house.stream);
	script_ready(house.stream);
	house_turn();
	assert_null(house.connection);
	assert_string_not_equal(house.error, "");
	house_leave();
	house_close();
}

static void an_end_without_close_notify_in_the_handshake_is_one(void **state)
{
	struct connection_birth birth = {.stream = script_stream_new()};
	struct error err;

	(void)state;
	house_open(&keeper);
	house.stream = birth.stream;
	script_secure(house.stream, REFUSED);
	assert_int_equal(connection_new(&house.host, &birth, &house.connection, &err), OK);
	house.stream->failure = STREAM_CUT;
	script_ready(house.stream);
	house_turn();
	assert_null(house.connection);
	assert_string_not_equal(house.error, "");
	house_leave();
	house_close();
}

static void requests_move_the_idle_deadline_without_a_timer(void **state)
{
	int i;

	(void)state;
	house_open(&keeper);
	house_connect();
	for (i = 0; i < 20; i++) {
		house_advance(SECONDS(60));
		house_say(get);
	}
	assert_int_equal(house.left, 20);
	house_leave();
	house_close();
}

static void a_handshake_has_ten_seconds(void **state)
{
	(void)state;
	house_open(&keeper);
	{
		struct connection_birth birth = {.stream = script_stream_new()};
		struct error err;

		house.stream = birth.stream;
		script_secure(birth.stream, AGAIN);
		assert_int_equal(connection_new(&house.host, &birth, &house.connection, &err), OK);
	}
	house_turn();
	house_advance(SECONDS(9));
	house_turn();
	assert_int_equal(house.closed, 0);
	house_advance(SECONDS(2));
	house_turn();
	assert_int_equal(house.closed, 1);
	assert_int_equal(house.closed_why, ENDED_LATE);
	house_leave();
	house_close();
}

static void a_body_that_stands_still_is_late(void **state)
{
	int i;

	(void)state;
	house_open(&holder);
	house_connect();
	house_say("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nx");
	/* A byte now and then is no progress. */
	for (i = 0; i < 80 && house.connection && house.held; i++) {
		house_say("x");
		house_advance(SECONDS(1));
		house_turn();
	}
	assert_in_range(i, 74, 77);
	assert_non_null(strstr(house_heard(), "HTTP/1.1 408 "));
	assert_int_equal(house.cancelled, 1);
	house_leave();
	house_close();
}

static void a_service_that_thinks_is_no_fault_of_the_client(void **state)
{
	(void)state;
	house_open(&holder);
	house_connect();
	house_say(get);
	house_advance(SECONDS(3600));
	house_turn();
	assert_non_null(house.held);
	house_leave();
	house_close();
}

static void a_client_that_does_not_read_is_late(void **state)
{
	(void)state;
	house_open(&holder);
	house_connect();
	script_take(house.stream, 10);
	house_say(get);
	house_answer(house.held, 200, 5);
	body_show(&house.held->down, SPAN("hello"), true);
	body_settle(&house.held->down);
	house_turn();
	house_advance(SECONDS(76));
	house_turn();
	assert_true(script_record(house.stream)->reset);
	assert_int_equal(house.left_why, ENDED_LATE);
	assert_int_equal(house.cancelled, 0);
	house_leave();
	house_close();
}

static void the_end_is_kept_whatever_goes_on(void **state)
{
	(void)state;
	house_open(&holder);
	house_connect();
	open_tunnel();
	connection_set_end(house.connection, house_time.mono + SECONDS(100));
	house_advance(SECONDS(99));
	house_turn();
	assert_int_equal(house.revoked, 0);
	house_advance(SECONDS(1) + MILLISECONDS(20));
	house_turn();
	assert_int_equal(house.revoked, 1);
	assert_int_equal(house.revoked_why, ENDED_EXPIRED);
	assert_int_equal(house.closed_why, ENDED_EXPIRED);
	assert_true(span_ends(script_written(house.stream), "LAST WORD"));
	house_leave();
	house_close();
}

static void an_end_that_has_passed_ends_at_once(void **state)
{
	(void)state;
	house_open(&holder);
	house_connect();
	house_say(get);
	connection_set_end(house.connection, house_time.mono - 1);
	house_advance(MILLISECONDS(20));
	house_turn();
	assert_int_equal(house.cancelled, 1);
	assert_int_equal(house.closed_why, ENDED_EXPIRED);
	house_leave();
	house_close();
}

static void revoked_nothing_more_is_read_or_answered(void **state)
{
	(void)state;
	house_open(&holder);
	house_connect();
	house_say("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nx");
	house_answer(house.held, 200, 100);
	body_show(&house.held->down, SPAN("before"), false);
	body_settle(&house.held->down);
	script_forget_written(house.stream);
	script_give_text(house.stream, "secret upload");
	connection_end(house.connection, ENDED_REVOKED);
	assert_true(connection_is_ending(house.connection));
	script_ready(house.stream);
	body_show(&house.held->down, SPAN("after"), false);
	assert_string_equal(house_heard(), "");
	assert_int_equal(body_waiting(&house.held->up), 1);
	house_turn();
	assert_int_equal(house.cancelled, 1);
	assert_int_equal(house.left_why, ENDED_REVOKED);
	assert_int_equal(house.closed_why, ENDED_REVOKED);
	assert_string_equal(house_heard(), "");
	assert_true(script_record(house.stream)->finished);
	house_leave();
	house_close();
}

static void a_tunnel_says_its_last_word(void **state)
{
	(void)state;
	house_open(&holder);
	house_connect();
	open_tunnel();
	connection_end(house.connection, ENDED_REVOKED);
	connection_end(house.connection, ENDED_EXPIRED);
	house_turn();
	assert_int_equal(house.revoked, 1);
	assert_int_equal(house.cancelled, 0);
	assert_true(span_ends(script_written(house.stream), "LAST WORD"));
	assert_int_equal(house.closed_why, ENDED_REVOKED);
	house_leave();
	house_close();
}

static void a_last_word_that_nobody_takes_is_cut_after_200_ms(void **state)
{
	(void)state;
	house_open(&holder);
	house_connect();
	open_tunnel();
	script_take(house.stream, 4);
	connection_end(house.connection, ENDED_REVOKED);
	house_turn();
	assert_int_equal(house.closed, 0);
	house_advance(MILLISECONDS(150));
	house_turn();
	assert_int_equal(house.closed, 0);
	house_advance(MILLISECONDS(70));
	house_turn();
	assert_int_equal(house.closed, 1);
	assert_true(script_record(house.stream)->reset);
	house_leave();
	house_close();
}

static void a_close_that_the_peer_ignores_ends_in_a_second(void **state)
{
	(void)state;
	house_open(&keeper);
	house_connect();
	script_finish(house.stream, AGAIN);
	house_say("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	assert_int_equal(house.closed, 1);
	assert_int_equal(http_host_connections(&house.host), 1);
	house_advance(MILLISECONDS(1100));
	house_turn();
	assert_int_equal(http_host_connections(&house.host), 0);
	house_leave();
	house_close();
}

static void ending_what_is_closing_leaves_it_200_ms(void **state)
{
	(void)state;
	house_open(&keeper);
	house_connect();
	script_take(house.stream, 10);
	script_finish(house.stream, AGAIN);
	house_say("GET / HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n");
	script_take_all(house.stream);
	script_ready(house.stream);
	house_turn();
	assert_int_equal(house.closed, 1);
	house.host.limits.linger_time = SECONDS(60);
	http_host_end(&house.host, ENDED_STOPPING);
	house_advance(MILLISECONDS(150));
	/* Said again and again while a process stops: that gains no time. */
	http_host_end(&house.host, ENDED_STOPPING);
	house_turn();
	assert_false(script_record(house.stream)->freed);
	house_advance(MILLISECONDS(100));
	house_turn();
	assert_true(script_record(house.stream)->freed);
	house_leave();
	house_close();
}

static void draining_finishes_what_is_under_way(void **state)
{
	(void)state;
	house_open(&holder);
	house_connect();
	house_say(get);
	http_host_drain(&house.host);
	house_turn();
	assert_non_null(house.held);
	house_answer(house.held, 200, 2);
	body_show(&house.held->down, SPAN("ok"), true);
	house_turn();
	assert_non_null(strstr(house_heard(), "Connection: close\r\n"));
	assert_null(house.connection);
	house_leave();

	/* One that is idle goes at once, one that has not spoken yet may speak once. */
	house.service = &keeper;
	house_connect();
	house_say(get);
	http_host_drain(&house.host);
	house_turn();
	assert_null(house.connection);
	house_leave();
	house_connect();
	http_host_drain(&house.host);
	house_turn();
	assert_non_null(house.connection);
	house_say(get);
	assert_non_null(strstr(house_heard(), "Connection: close\r\n"));
	assert_null(house.connection);
	house_leave();
	house_close();
}

static void refuse_the_connection(struct connection *connection)
{
	connection_end(connection, ENDED_REVOKED);
}

static void the_door_may_end_it_as_soon_as_it_is_secure(void **state)
{
	(void)state;
	house_open(&keeper);
	house.host.on_secured = refuse_the_connection;
	house_connect();
	house_say(get);
	assert_int_equal(house.exchanges, 0);
	assert_string_equal(house_heard(), "");
	assert_int_equal(house.closed_why, ENDED_REVOKED);
	house_leave();
	house_close();
}

static void end_inside(struct exchange *exchange)
{
	house.opened++;
	connection_end(exchange->connection, ENDED_REVOKED);
	house_answer(exchange, 200, 2);
	body_show(&exchange->down, SPAN("no"), true);
}

static const struct service ender = {.name = "ender", .open = end_inside, .release = count_release};

static void the_door_may_end_it_inside_an_exchange(void **state)
{
	(void)state;
	house_open(&ender);
	house_connect();
	house_say(get);
	assert_string_equal(house_heard(), "");
	assert_int_equal(house.left_why, ENDED_REVOKED);
	house_leave();
	house_close();
}

static void the_guest_is_zeroed_and_finds_its_connection(void **state)
{
	static const char zeros[48];
	void *guest;

	(void)state;
	house_open(&keeper);
	house_connect();
	guest = connection_guest(house.connection);
	assert_int_equal((uintptr_t)guest % 16, 0);
	assert_memory_equal(guest, zeros, sizeof zeros);
	assert_ptr_equal(connection_of_guest(guest), house.connection);
	memset(guest, 7, sizeof zeros);
	house_leave();
	house_close();
}

static void too_many_connections_are_refused(void **state)
{
	struct connection_birth birth = {0};
	struct connection *second = NULL;
	struct error err;

	(void)state;
	house_open(&keeper);
	house.host.connections.ceiling = 1;
	house_connect();
	birth.stream = script_stream_new();
	assert_int_equal(connection_new(&house.host, &birth, &second, &err), REFUSED);
	assert_string_equal(err.text, "1 connections are open, which is the most, and none is idle");
	assert_null(second);
	script_stream_free(birth.stream);
	house_leave();
	house_close();
}

static void without_memory_for_a_head_the_connection_ends(void **state)
{
	(void)state;
	house_open(&keeper);
	house.host.heads.ceiling = 0;
	house_connect();
	house_say(get);
	assert_int_equal(house.closed_why, ENDED_OURS);
	house_leave();
	house.host.heads.ceiling = 8;
	house.host.answers.ceiling = 0;
	house_connect();
	house_say(get);
	assert_int_equal(house.closed_why, ENDED_OURS);
	house_leave();
	house_close();
}

static void without_memory_for_a_body_the_connection_ends(void **state)
{
	(void)state;
	house_open(&holder);
	house.host.spills.ceiling = 0;
	house_connect();
	house_say("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n");
	assert_non_null(house.held);
	house_say("half");
	assert_int_equal(house.closed_why, ENDED_OURS);
	assert_int_equal(house.cancelled, 1);
	house_leave();
	house_close();
}

static void expect_plain(const char *request, const char *part, const char *not_part)
{
	struct buffer out;

	buffer_init(&out, 65536);
	plain_answer(house.connection, span_of(request), &out);
	assert_int_equal(strncmp(buffer_text(&out), "HTTP/1.1 400 Bad Request\r\n", 26), 0);
	if (part && !strstr(buffer_text(&out), part))
		fail_msg("no %s in %s", part, buffer_text(&out));
	if (not_part)
		assert_null(strstr(buffer_text(&out), not_part));
	buffer_release(&out);
}

static void plain_http_is_told_the_https_address(void **state)
{
	(void)state;
	house_open(&keeper);
	house_connect();
	expect_plain("GET /x?y=1 HTTP/1.1\r\nHost: Chat.Example.com:8443\r\n\r\n",
		     "href=\"https://chat.example.com:8443/x?y=1\"", NULL);
	expect_plain("GET /x HTTP/1.1\r\nHost: [::1]:443\r\n\r\n", "href=\"https://[::1]/x\"", NULL);
	expect_plain("GET /x HTTP/1.1\r\nHost: a\"><script>\r\n\r\n", "speaks only https", "<a href");
	expect_plain("GET /\"<b> HTTP/1.1\r\nHost: a\r\n\r\n", "speaks only https", "<b>");
	expect_plain("GET /x HTT", "speaks only https", "<a href");
	expect_plain("\x01\x02\x03", "speaks only https", "<a href");
	expect_plain("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n", "Connection: close\r\n\r\n", "<html");
	house_leave();
	house_close();
}

/* -- behind a balancer -- */

static void connect_proxied(void)
{
	struct connection_birth birth = {.stream = script_stream_new(), .is_proxied = true};
	struct error err;

	house.stream = birth.stream;
	assert_true(address_parse_ip(SPAN("10.0.0.5"), &birth.peer));
	assert_int_equal(connection_new(&house.host, &birth, &house.connection, &err), OK);
	house_turn();
}

static void expect_peer(const char *ip)
{
	char text[ADDRESS_TEXT_SIZE];

	address_ip_text(connection_peer(house.connection), text);
	assert_string_equal(text, ip);
}

static void a_balancer_says_whose_connection_it_is(void **state)
{
	static const char line[] = "PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n";
	char bytes[sizeof line + sizeof get];
	size_t piece, size = sizeof line - 1 + sizeof get - 1;

	(void)state;
	memcpy(bytes, line, sizeof line - 1);
	memcpy(bytes + sizeof line - 1, get, sizeof get);
	house_open(&keeper);
	for (piece = 1; piece <= size; piece++) {
		size_t edges = 2 * (size / piece) + 2;

		connect_proxied();
		script_give_split(house.stream, bytes, size, piece);
		while (edges--) {
			script_ready(house.stream);
			house_turn();
		}
		expect_peer("192.0.2.7");
		assert_int_equal(house_count(house_heard(), "HTTP/1.1 200 OK"), 1);
		house_leave();
	}
	connect_proxied();
	script_give_text(house.stream, "PROXY UNKNOWN\r\n");
	script_give_text(house.stream, get);
	script_ready(house.stream);
	house_turn();
	expect_peer("10.0.0.5");
	assert_int_equal(house_count(house_heard(), "HTTP/1.1 200 OK"), 1);
	house_leave();
	house_close();
}

static void a_balancer_that_does_not_say_so_is_refused(void **state)
{
	(void)state;
	house_open(&keeper);
	connect_proxied();
	house_say(get);
	assert_null(house.connection);
	assert_string_equal(house_heard(), "");
	assert_string_equal(house.error, "proxy-from names this address, but what it sent is refused: no PROXY header");
	house_leave();

	connect_proxied();
	script_give_text(house.stream, "PROXY TCP4");
	script_end(house.stream);
	script_ready(house.stream);
	house_turn();
	assert_null(house.connection);
	house_leave();
	house_close();
}

static void the_header_counts_in_the_handshakes_time(void **state)
{
	int i;

	(void)state;
	house_open(&keeper);
	connect_proxied();
	for (i = 0; i < 9; i++) {
		house_say(i == 0 ? "PROXY UNKNOWN" : " ");
		house_advance(SECONDS(1));
		house_turn();
	}
	assert_non_null(house.connection);
	house_advance(SECONDS(2));
	house_turn();
	assert_null(house.connection);
	assert_int_equal(house.closed_why, ENDED_LATE);
	house_leave();
	house_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_head_has_a_total_deadline),
		cmocka_unit_test(an_idle_connection_is_closed_in_silence),
		cmocka_unit_test(an_end_without_close_notify_is_no_failure),
		cmocka_unit_test(an_end_without_close_notify_in_the_handshake_is_one),
		cmocka_unit_test(requests_move_the_idle_deadline_without_a_timer),
		cmocka_unit_test(a_handshake_has_ten_seconds),
		cmocka_unit_test(a_body_that_stands_still_is_late),
		cmocka_unit_test(a_service_that_thinks_is_no_fault_of_the_client),
		cmocka_unit_test(a_client_that_does_not_read_is_late),
		cmocka_unit_test(the_end_is_kept_whatever_goes_on),
		cmocka_unit_test(an_end_that_has_passed_ends_at_once),
		cmocka_unit_test(revoked_nothing_more_is_read_or_answered),
		cmocka_unit_test(a_tunnel_says_its_last_word),
		cmocka_unit_test(a_last_word_that_nobody_takes_is_cut_after_200_ms),
		cmocka_unit_test(a_close_that_the_peer_ignores_ends_in_a_second),
		cmocka_unit_test(ending_what_is_closing_leaves_it_200_ms),
		cmocka_unit_test(draining_finishes_what_is_under_way),
		cmocka_unit_test(the_door_may_end_it_as_soon_as_it_is_secure),
		cmocka_unit_test(the_door_may_end_it_inside_an_exchange),
		cmocka_unit_test(the_guest_is_zeroed_and_finds_its_connection),
		cmocka_unit_test(too_many_connections_are_refused),
		cmocka_unit_test(without_memory_for_a_head_the_connection_ends),
		cmocka_unit_test(without_memory_for_a_body_the_connection_ends),
		cmocka_unit_test(plain_http_is_told_the_https_address),
		cmocka_unit_test(a_balancer_says_whose_connection_it_is),
		cmocka_unit_test(a_balancer_that_does_not_say_so_is_refused),
		cmocka_unit_test(the_header_counts_in_the_handshakes_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
