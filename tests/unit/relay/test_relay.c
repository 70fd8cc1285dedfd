#include "relay/relay_stage.h"

#include "stream/socket.h"

static unsigned idle(void)
{
	return pool_figures(stage.relay->pools[0]).idle;
}

static void a_request_is_written_anew_with_the_doors_lines_last(void **state)
{
	(void)state;
	const char *seen = ask("GET /a/../b?c=d HTTP/1.1\r\nHost: chat.example.com\r\nAccept: */*\r\n"
			       "x_chatelaine.person: mallory\r\nX-Forwarded-For: 6.6.6.6\r\n"
			       "Connection: X-Secret\r\nX-Secret: 1\r\n\r\n");

	assert_string_equal(seen, "GET /b?c=d HTTP/1.1\r\nHost: chat.example.com\r\nAccept: */*\r\n"
				  "X-Chatelaine-Person: alice\r\nX-Forwarded-For: 192.0.2.1\r\n\r\n");
}

static void an_answer_comes_back_and_the_connection_is_kept(void **state)
{
	(void)state;
	const char *seen;
	int i;

	for (i = 0; i < 3; i++) {
		(void)ask(GET);
		seen = answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\nX-A: 1\r\n"
			      "Keep-Alive: timeout=20\r\n\r\nhello");
		assert_has(seen, "HTTP/1.1 200 OK\r\n");
		assert_has(seen, "X-A: 1\r\n");
		assert_has(seen, "\r\n\r\nhello");
		assert_lacks(seen, "Keep-Alive");
		assert_int_equal(idle(), 1);
		assert_nothing_held();
	}
	assert_int_equal(stage_accept(), -1);
	assert_int_equal(pool_figures(stage.relay->pools[0]).made, 1);
}

static void an_upstream_that_says_how_long_it_keeps_is_left_a_second_earlier(void **state)
{
	(void)state;
	(void)ask(GET);
	(void)answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\nKeep-Alive: timeout=5, max=9\r\n\r\n");
	assert_int_equal(idle(), 1);
	stage_pass(MILLISECONDS(3900));
	assert_int_equal(idle(), 1);
	stage_pass(MILLISECONDS(200));
	assert_int_equal(idle(), 0);
	assert_true(is_ended(stage.upstream));
}

static void answers_without_body_end_with_their_head(void **state)
{
	(void)state;
	const char *seen;

	(void)ask("HEAD / HTTP/1.1\r\nHost: a\r\n\r\n");
	seen = answer("HTTP/1.1 200 OK\r\nContent-Length: 1000\r\n\r\n");
	assert_has(seen, "Content-Length: 1000\r\n");
	assert_true(strcmp(seen + strlen(seen) - 4, "\r\n\r\n") == 0);
	assert_int_equal(idle(), 1);
	(void)ask(GET);
	seen = answer("HTTP/1.1 204 No Content\r\n\r\n");
	assert_has(seen, "204");
	assert_lacks(seen, "Content-Length");
	(void)ask(GET);
	seen = answer("HTTP/1.1 304 Not Modified\r\nContent-Length: 77\r\nETag: \"x\"\r\n\r\n");
	assert_has(seen, "304 Not Modified");
	assert_has(seen, "ETag: \"x\"");
	(void)ask(GET);
	seen = answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	assert_has(seen, "Content-Length: 0\r\n");
	assert_int_equal(idle(), 1);
	assert_nothing_held();
}

static void chunks_pass_both_ways_with_their_trailers(void **state)
{
	(void)state;
	const char *seen = ask("POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
			       "5;x=y\r\nhello\r\n0\r\nX-Sum: 1\r\n\r\n");

	assert_has(seen, "Transfer-Encoding: chunked\r\n");
	assert_has(seen, "\r\n\r\n5\r\nhello\r\n0\r\nX-Sum:");
	seen = answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
		      "3\r\nabc\r\n2\r\nde\r\n0\r\nX-Sum: 2\r\n\r\n");
	assert_has(seen, "\r\n\r\n5\r\nabcde\r\n0\r\nX-Sum: 2\r\n\r\n");
	assert_int_equal(idle(), 1);
}

static void head_and_body_of_a_request_leave_in_one_send(void **state)
{
	(void)state;
	const char *seen;

	put_text(stage.client, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
	stage.upstream = stage_accept();
	seen = take(stage.upstream);
	assert_has(seen, "\r\n\r\nabc");
}

static void a_client_that_waits_for_100_gets_it_once_the_upstream_is_there(void **state)
{
	(void)state;
	const char *seen;

	put_text(stage.client, "PUT / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\nExpect: 100-continue\r\n\r\n");
	stage.upstream = stage_accept();
	assert_string_equal(take(stage.client), "HTTP/1.1 100 Continue\r\n\r\n");
	put_text(stage.client, "abc");
	seen = take(stage.upstream);
	assert_lacks(seen, "Expect");
	assert_has(seen, "\r\n\r\nabc");
	assert_has(answer("HTTP/1.1 201 Created\r\nContent-Length: 0\r\n\r\n"), "201 Created");
}

static void early_hints_pass_and_other_1xx_do_not(void **state)
{
	(void)state;
	const char *seen;

	(void)ask(GET);
	seen = answer("HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 102 Processing\r\n\r\n"
		      "HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	assert_has(seen, "HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\nHTTP/1.1 200 OK\r\n");
	assert_lacks(seen, "102");
}

static void endless_1xx_are_no_answer(void **state)
{
	(void)state;
	int i;

	(void)ask(GET);
	for (i = 0; i < 20 && !stage.refusals; i++)
		put_text(stage.upstream, "HTTP/1.1 102 Processing\r\n\r\n");
	assert_int_equal(stage.refused, REFUSAL_UPSTREAM_BROKEN);
	assert_has(take(stage.client), "502");
}

/* -- what goes wrong -- */

static void an_upstream_that_refuses_is_502(void **state)
{
	(void)state;
	shut(&stage.listening);
	put_text(stage.client, GET);
	assert_int_equal(stage.refused, REFUSAL_UPSTREAM_DOWN);
	assert_has(take(stage.client), "HTTP/1.1 502");
	assert_nothing_held();
}

static void an_upstream_that_hangs_is_504(void **state)
{
	(void)state;
	(void)ask(GET);
	stage_pass(SECONDS(59));
	assert_int_equal(stage.refusals, 0);
	stage_pass(SECONDS(2));
	assert_int_equal(stage.refused, REFUSAL_UPSTREAM_SLOW);
	assert_has(take(stage.client), "HTTP/1.1 504");
	assert_true(is_ended(stage.upstream));
	assert_nothing_held();
}

static void a_head_one_byte_a_second_has_one_deadline(void **state)
{
	(void)state;
	int i;

	(void)ask(GET);
	for (i = 0; i < 70 && !stage.refusals; i++) {
		put_bytes(stage.upstream, &"HTTP/1.1 200 OK\r\nX-A: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"[i], 1);
		stage_pass(SECONDS(1));
	}
	assert_in_range(i, 59, 62);
	assert_int_equal(stage.refused, REFUSAL_UPSTREAM_SLOW);
	assert_nothing_held();
}

static void an_answer_in_single_bytes_is_the_same_answer(void **state)
{
	(void)state;
	static const char text[] = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
				   "3\r\nabc\r\n0\r\nX-T: 1\r\n\r\n";
	char seen[1000] = "";
	size_t i;

	(void)ask(GET);
	for (i = 0; i < sizeof text - 1; i++) {
		put_bytes(stage.upstream, text + i, 1);
		strncat(seen, take(stage.client), sizeof seen - strlen(seen) - 1);
	}
	assert_has(seen, "HTTP/1.1 200 OK\r\n");
	assert_has(seen, "1\r\na\r\n1\r\nb\r\n1\r\nc\r\n0\r\nX-T: 1\r\n\r\n");
	assert_int_equal(idle(), 1);
	assert_nothing_held();
}

static void a_reset_in_the_head_is_502(void **state)
{
	(void)state;
	(void)ask(GET);
	put_text(stage.upstream, "HTTP/1.1 200 OK\r\nContent-");
	shut_hard(&stage.upstream);
	stage_turn();
	assert_int_equal(stage.refused, REFUSAL_UPSTREAM_BROKEN);
	assert_has(take(stage.client), "HTTP/1.1 502");
	assert_nothing_held();
}

static void a_reset_in_the_body_cuts_the_client(void **state)
{
	(void)state;
	size_t size;
	bool is_end;

	(void)ask(GET);
	assert_has(answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf"), "half");
	shut_hard(&stage.upstream);
	stage_turn();
	(void)take_text(stage.client, &size, &is_end);
	assert_int_equal(size, 0);
	assert_true(is_end);
	assert_int_equal(stage.refusals, 0);
	assert_int_equal(relay_figures(stage.relay).broken, 1);
	assert_nothing_held();
}

static void a_chunked_answer_without_its_end_is_cut_too(void **state)
{
	(void)state;
	const char *seen;

	(void)ask(GET);
	(void)answer("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n");
	shut(&stage.upstream);
	stage_turn();
	seen = take(stage.client);
	assert_lacks(seen, "0\r\n\r\n");
	assert_true(stage.is_closed || is_ended(stage.client));
}

static void an_answer_until_close_is_whole_when_it_closes(void **state)
{
	(void)state;
	(void)ask(GET);
	put_text(stage.upstream, "HTTP/1.0 200 OK\r\n\r\nold times");
	shut(&stage.upstream);
	stage_turn();
	assert_has(take(stage.client), "9\r\nold times\r\n0\r\n\r\n");
	assert_int_equal(idle(), 0);
}

static void garbage_is_502(void **state)
{
	(void)state;
	static const char *const texts[] = {
		"SSH-2.0-OpenSSH_9.2\r\n\r\n",
		"HTTP/1.1 200 OK\nContent-Length: 2\n\nok",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nok",
		"HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n",
		"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX-A : b\r\n\r\n",
	};
	size_t i;

	for (i = 0; i < sizeof texts / sizeof *texts; i++) {
		shut(&stage.upstream);
		(void)ask(GET);
		assert_has(answer(texts[i]), "HTTP/1.1 502");
		assert_int_equal(stage.refusals, i + 1);
		assert_nothing_held();
	}
}

static void a_head_without_end_is_502(void **state)
{
	(void)state;
	char line[1024];
	int i;

	(void)ask(GET);
	put_text(stage.upstream, "HTTP/1.1 200 OK\r\n");
	memset(line, 'a', sizeof line);
	memcpy(line, "X: ", 3);
	memcpy(line + sizeof line - 2, "\r\n", 2);
	for (i = 0; i < 40 && !stage.refusals; i++)
		put_bytes(stage.upstream, line, sizeof line);
	assert_int_equal(stage.refused, REFUSAL_UPSTREAM_BROKEN);
	assert_nothing_held();
}

static void a_byte_behind_the_answer_ends_the_connection(void **state)
{
	(void)state;
	const char *seen;

	(void)ask(GET);
	seen = answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nokHTTP/1.1 200 OK\r\n"
		      "Content-Length: 4\r\n\r\nevil");
	assert_has(seen, "\r\n\r\nok");
	assert_lacks(seen, "evil");
	assert_int_equal(idle(), 0);
	assert_true(is_ended(stage.upstream));
}

static void a_byte_on_an_idle_connection_ends_it(void **state)
{
	(void)state;
	(void)ask(GET);
	(void)answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	assert_int_equal(idle(), 1);
	put_text(stage.upstream, "HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\nevil");
	assert_int_equal(idle(), 0);
	shut(&stage.upstream);
	(void)ask(GET);
	assert_has(answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), "\r\n\r\nok");
}

/* The connection dies in the turn that the request comes in: the request's edge is seen first. */
static void die_with_a_request(const char *request)
{
	(void)ask(GET);
	(void)answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	assert_int_equal(idle(), 1);
	assert_int_equal(write(stage.client, request, strlen(request)), (ssize_t)strlen(request));
	shut(&stage.upstream);
	stage_turn();
}

static void a_stale_connection_costs_a_get_nothing(void **state)
{
	(void)state;
	die_with_a_request(GET);
	stage.upstream = stage_accept();
	assert_true(stage.upstream >= 0);
	assert_has(take(stage.upstream), "GET /a?b=c");
	assert_has(answer("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"), "\r\n\r\nyes");
	assert_int_equal(stage.refusals, 0);
}

static void a_get_is_tried_twice_and_not_more(void **state)
{
	(void)state;
	int fd;

	die_with_a_request(GET);
	fd = stage_accept();
	assert_true(fd >= 0);
	shut(&fd);
	stage_turn();
	assert_int_equal(stage_accept(), -1);
	assert_int_equal(stage.refused, REFUSAL_UPSTREAM_BROKEN);
}

static void a_get_that_was_heard_is_not_repeated(void **state)
{
	(void)state;
	(void)ask(GET);
	(void)answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	(void)ask(GET);
	put_text(stage.upstream, "H");
	shut(&stage.upstream);
	stage_turn();
	assert_int_equal(stage_accept(), -1);
	assert_has(take(stage.client), "502");
}

static void a_post_is_never_sent_twice(void **state)
{
	(void)state;
	(void)ask(GET);
	(void)answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	(void)ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
	shut(&stage.upstream);
	stage_turn();
	assert_int_equal(stage_accept(), -1);
	assert_int_equal(stage.refused, REFUSAL_UPSTREAM_BROKEN);
	assert_has(take(stage.client), "502");
}

static void a_get_with_a_body_is_never_sent_twice(void **state)
{
	(void)state;
	(void)ask(GET);
	(void)answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok");
	(void)ask("GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
	shut(&stage.upstream);
	stage_turn();
	assert_int_equal(stage_accept(), -1);
	assert_has(take(stage.client), "502");
}

static void a_post_does_not_go_to_a_connection_that_is_dead_already(void **state)
{
	(void)state;
	die_with_a_request("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
	stage.upstream = stage_accept();
	assert_true(stage.upstream >= 0);
	assert_has(take(stage.upstream), "\r\n\r\nabc");
	assert_has(answer("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes"), "\r\n\r\nyes");
}

static void a_client_that_goes_stops_the_upstream(void **state)
{
	(void)state;
	(void)ask(GET);
	shut(&stage.client);
	stage_turn();
	assert_true(is_ended(stage.upstream));
	assert_nothing_held();
}

static void an_answer_may_come_before_the_request_is_whole(void **state)
{
	(void)state;
	const char *seen;

	(void)ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf");
	seen = answer("HTTP/1.1 413 Content Too Large\r\nContent-Length: 3\r\n\r\nno!");
	assert_has(seen, "413");
	assert_has(seen, "no!");
	assert_int_equal(idle(), 0);
	assert_true(is_ended(stage.upstream));
	/* What comes of the request after that nobody wants. */
	put_bytes(stage.client, "0123456789012345678901234567890123456789012345678901234567890123456789"
				"01234567890123456789012345", 96);
	assert_nothing_held();
}

static void an_answer_is_heard_though_the_upstream_takes_no_more(void **state)
{
	(void)state;
	(void)ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 100\r\n\r\nhalf");
	assert_int_equal(write(stage.upstream, "HTTP/1.1 413 No\r\nContent-Length: 3\r\n\r\nno!", 41), 41);
	shut_hard(&stage.upstream);
	put_text(stage.client, "the other half");
	assert_has(take(stage.client), "413 No");
}

static void the_other_upstream_is_asked_when_one_refuses(void **state)
{
	(void)state;
	char dead[64], alive[64];
	char *upstreams[] = {dead, alive, NULL};
	const struct relay_options options = {.upstreams = upstreams, .limits = upstream_limits_default()};
	uint16_t port;
	int fd = stage_listen(1, &port);

	shut(&fd);
	relay_retire(stage.relay);
	snprintf(dead, sizeof dead, "http://127.0.0.1:%u", port);
	snprintf(alive, sizeof alive, "http://127.0.0.1:%u", stage.port);
	assert_int_equal(relay_new(stage.worker, &options, &stage.relay, NULL), OK);
	assert_has(ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc"), "abc");
	assert_has(answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "200");
	assert_int_equal(stage.refusals, 0);
}

/* -- back-pressure -- */

static void a_slow_client_stops_the_upstream_in_constant_memory(void **state)
{
	(void)state;
	static char block[65536];
	size_t sent = 0, got = 0, size, total = 40 << 20;
	char head[128];
	bool is_end;

	(void)ask(GET);
	snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", total);
	put_text(stage.upstream, head);
	while (sent < total) {
		ssize_t took = write(stage.upstream, block, sizeof block < total - sent
								     ? sizeof block : total - sent);

		stage_turn();
		if (took > 0)
			sent += (size_t)took;
		else if (sent < total)
			break;
	}
	/* The client has read nothing: what is under way lies in the kernel and in one slab. */
	assert_true(sent < total);
	assert_true(stage.worker->bulk.taken + stage.host.spills.taken <= 1);
	while (sent < total) {
		ssize_t took = write(stage.upstream, block, sizeof block < total - sent
								     ? sizeof block : total - sent);

		if (took > 0)
			sent += (size_t)took;
		stage_turn();
		(void)take_text(stage.client, &size, &is_end);
		got += size;
		assert_false(is_end);
		assert_true(stage.worker->bulk.taken + stage.host.spills.taken <= 1);
	}
	for (size = 1; size > 0 && got < total; got += size)
		(void)take_text(stage.client, &size, NULL);
	assert_true(got > total && got < total + 1000);
	assert_int_equal(idle(), 1);
	assert_nothing_held();
}

/* All large slabs may lie with clients that do not take the end of their answers. */
static void a_large_answer_is_whole_though_others_hold_the_large_slabs(void **state)
{
	static char block[65536];
	size_t total = 8 << 20, sent = 0, got = 0, size;
	char head[128];
	void *other;

	(void)state;
	stage.worker->bulk.ceiling = 1;
	other = slab_take(&stage.worker->bulk);
	assert_non_null(other);
	(void)ask(GET);
	snprintf(head, sizeof head, "HTTP/1.1 200 OK\r\nContent-Length: %zu\r\n\r\n", total);
	put_text(stage.upstream, head);
	while (sent < total) {
		ssize_t took = write(stage.upstream, block, sizeof block < total - sent
								     ? sizeof block : total - sent);

		stage_turn();
		if (took > 0) {
			sent += (size_t)took;
		} else {
			(void)take_text(stage.client, &size, NULL);
			got += size;
		}
	}
	for (size = 1; size > 0 && got <= total; got += size)
		(void)take_text(stage.client, &size, NULL);
	slab_give(&stage.worker->bulk, other);
	assert_true(got > total);
	assert_false(stage.is_closed);
	assert_nothing_held();
}

static void a_slow_upstream_stops_the_client_in_constant_memory(void **state)
{
	(void)state;
	static char block[65536];
	size_t sent = 0, got, size, total = 40 << 20;
	char head[128];
	int stuck = 0;

	snprintf(head, sizeof head, "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: %zu\r\n\r\n", total);
	got = strlen(ask(head));
	got = 0;
	while (stuck < 3) {
		ssize_t took = write(stage.client, block, sizeof block);

		stage_turn();
		stuck = took > 0 ? 0 : stuck + 1;
		sent += took > 0 ? (size_t)took : 0;
	}
	assert_true(sent < total);
	assert_true(stage.host.spills.taken + stage.host.bulk.taken <= 1);
	while (got < total) {
		ssize_t took = sent < total ? write(stage.client, block, sizeof block < total - sent
									  ? sizeof block : total - sent) : 0;

		if (took > 0)
			sent += (size_t)took;
		stage_turn();
		(void)take_text(stage.upstream, &size, NULL);
		got += size;
		assert_true(stage.host.spills.taken + stage.host.bulk.taken <= 1);
	}
	assert_int_equal(got, total);
	assert_has(answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "200 OK");
	assert_int_equal(idle(), 1);
}

static void a_quiet_body_is_cut_unless_the_client_is_the_quiet_one(void **state)
{
	(void)state;
	(void)ask(GET);
	(void)answer("HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nhalf");
	stage_pass(SECONDS(599));
	assert_int_equal(relay_figures(stage.relay).broken, 0);
	stage_pass(SECONDS(2));
	assert_int_equal(relay_figures(stage.relay).broken, 1);
	assert_true(is_ended(stage.client));
}

static void an_upload_that_the_client_lets_wait_is_not_the_upstreams_fault(void **state)
{
	(void)state;
	(void)ask("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 8\r\n\r\nhalf");
	stage_pass(SECONDS(300));
	assert_int_equal(stage.refusals, 0);
	put_text(stage.client, "half");
	assert_string_equal(take(stage.upstream), "half");
	assert_has(answer("HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n"), "200");
}

/* ARCHITECTURE 5: recv and send on either side, and none of them in vain. */
static void a_kept_alive_request_costs_four_system_calls(void **state)
{
	(void)state;
	struct socket_counts before, after;
	char text[2048];
	int i;

	memset(text, 'x', sizeof text);
	i = snprintf(text, sizeof text, "HTTP/1.1 200 OK\r\nContent-Length: 1024\r\n\r\n");
	text[i] = 'x';
	text[i + 1024] = 0;
	(void)ask(GET);
	(void)answer(text);
	before = *socket_count();
	for (i = 0; i < 100; i++) {
		(void)ask(GET);
		(void)answer(text);
	}
	after = *socket_count();
	assert_int_equal(after.receives - before.receives, 200);
	assert_int_equal(after.sends - before.sends, 200);
	assert_int_equal(after.receives_empty - before.receives_empty, 0);
	assert_int_equal(after.sends_empty - before.sends_empty, 0);
}

static void pieces_of_any_size_make_the_same_exchange(void **state)
{
	static const char request[] = "POST /x HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n"
				      "5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n";
	static const char reply[] = "HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello again";
	size_t receive, send;
	const char *seen;
	int i;

	for (receive = 1; receive < 9; receive += 2) {
		for (send = 1; send < 40; send += 6) {
			(void)stage_end(state);
			(void)stage_begin(state);
			socket_squeeze(receive, send);
			put_text(stage.client, request);
			for (i = 0; i < 30; i++)
				stage_turn();
			stage.upstream = stage_accept();
			for (i = 0; i < 30; i++)
				stage_turn();
			seen = take(stage.upstream);
			assert_has(seen, "POST /x HTTP/1.1\r\n");
			assert_has(seen, "\r\n0\r\n\r\n");
			put_text(stage.upstream, reply);
			for (i = 0; i < 30; i++)
				stage_turn();
			assert_has(take(stage.client), "\r\n\r\nhello again");
			assert_nothing_held();
			socket_squeeze(0, 0);
		}
	}
}

static void a_retired_relay_ends_with_its_last_exchange(void **state)
{
	(void)state;
	struct upstream_limits limits = upstream_limits_default();

	(void)ask(GET);
	stage_limits(&limits);
	assert_int_equal(stage.worker->relays, 2);
	assert_has(answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), "\r\n\r\nok");
	assert_int_equal(stage.worker->relays, 1);
	assert_true(is_ended(stage.upstream));
}

/* The last one to wait for a retired relay's connection ends the relay from inside its pool. */
static void a_retired_relay_outlives_the_refusal_of_who_waits_for_it(void **state)
{
	struct upstream_limits limits = upstream_limits_default();
	struct address address;
	int fillers[8], i;

	(void)state;
	/* A listening socket whose queue is full answers nothing. */
	shut(&stage.listening);
	stage.listening = stage_listen(0, &stage.port);
	assert_true(address_parse_ip(SPAN("127.0.0.1"), &address));
	address_set_port(&address, stage.port);
	for (i = 0; i < 8; i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(fillers[i], &address.any, address.size);
	}
	stage_limits(&limits);
	put_text(stage.client, GET);
	assert_int_equal(stage.worker->passages.taken, 1);
	stage_limits(&limits);
	assert_int_equal(stage.worker->relays, 2);
	stage_pass(SECONDS(6));
	assert_int_equal(stage.refused, REFUSAL_UPSTREAM_DOWN);
	assert_int_equal(stage.worker->relays, 1);
	assert_nothing_held();
	for (i = 0; i < 8; i++)
		close(fillers[i]);
}

static void bad_upstreams_are_named(void **state)
{
	(void)state;
	char https[] = "https://10.0.0.1", word[] = "http://127.0.0.1:99999";
	char *tls[] = {https, NULL}, *port[] = {word, NULL}, *none[] = {NULL};
	struct relay_options options = {.upstreams = tls, .limits = upstream_limits_default()};
	struct relay *relay = NULL;
	struct error err;

	assert_int_equal(relay_new(stage.worker, &options, &relay, &err), REFUSED);
	assert_string_equal(err.text, "https://10.0.0.1:443: no certificates are named by which it is to be believed");
	options.upstreams = port;
	assert_int_equal(relay_new(stage.worker, &options, &relay, &err), REFUSED);
	assert_has(err.text, "99999");
	options.upstreams = none;
	assert_int_equal(relay_new(stage.worker, &options, &relay, &err), REFUSED);
	assert_string_equal(err.text, "a site needs an upstream");
	assert_null(relay);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_begin, stage_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_request_is_written_anew_with_the_doors_lines_last),
		TEST(an_answer_comes_back_and_the_connection_is_kept),
		TEST(an_upstream_that_says_how_long_it_keeps_is_left_a_second_earlier),
		TEST(answers_without_body_end_with_their_head),
		TEST(chunks_pass_both_ways_with_their_trailers),
		TEST(head_and_body_of_a_request_leave_in_one_send),
		TEST(a_client_that_waits_for_100_gets_it_once_the_upstream_is_there),
		TEST(early_hints_pass_and_other_1xx_do_not),
		TEST(endless_1xx_are_no_answer),
		TEST(an_upstream_that_refuses_is_502),
		TEST(an_upstream_that_hangs_is_504),
		TEST(a_head_one_byte_a_second_has_one_deadline),
		TEST(an_answer_in_single_bytes_is_the_same_answer),
		TEST(a_reset_in_the_head_is_502),
		TEST(a_reset_in_the_body_cuts_the_client),
		TEST(a_chunked_answer_without_its_end_is_cut_too),
		TEST(an_answer_until_close_is_whole_when_it_closes),
		TEST(garbage_is_502),
		TEST(a_head_without_end_is_502),
		TEST(a_byte_behind_the_answer_ends_the_connection),
		TEST(a_byte_on_an_idle_connection_ends_it),
		TEST(a_stale_connection_costs_a_get_nothing),
		TEST(a_get_is_tried_twice_and_not_more),
		TEST(a_get_that_was_heard_is_not_repeated),
		TEST(a_post_is_never_sent_twice),
		TEST(a_get_with_a_body_is_never_sent_twice),
		TEST(a_post_does_not_go_to_a_connection_that_is_dead_already),
		TEST(a_client_that_goes_stops_the_upstream),
		TEST(an_answer_may_come_before_the_request_is_whole),
		TEST(an_answer_is_heard_though_the_upstream_takes_no_more),
		TEST(the_other_upstream_is_asked_when_one_refuses),
		TEST(a_slow_client_stops_the_upstream_in_constant_memory),
		TEST(a_large_answer_is_whole_though_others_hold_the_large_slabs),
		TEST(a_slow_upstream_stops_the_client_in_constant_memory),
		TEST(a_quiet_body_is_cut_unless_the_client_is_the_quiet_one),
		TEST(an_upload_that_the_client_lets_wait_is_not_the_upstreams_fault),
		TEST(a_kept_alive_request_costs_four_system_calls),
		TEST(pieces_of_any_size_make_the_same_exchange),
		TEST(a_retired_relay_ends_with_its_last_exchange),
		TEST(a_retired_relay_outlives_the_refusal_of_who_waits_for_it),
		TEST(bad_upstreams_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
