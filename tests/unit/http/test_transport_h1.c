#include "http/http_house.h"

static const char *const requests[] = {
	"GET /a HTTP/1.1\r\nHost: x\r\n\r\n",
	"POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 11\r\n\r\nhello world",
	"POST /c HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
	"5\r\nhello\r\n1;ext=1\r\n \r\n5\r\nworld\r\n0\r\n\r\n",
	"POST /d HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
	"5\r\nhello\r\n0\r\nX-Sum: 12\r\nX-SSL-Client-Verify: SUCCESS\r\nX-B:\r\n\r\n",
	"HEAD /e HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /f HTTP/1.0\r\n\r\n",
	"GET /g HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
	"GET /h HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
	"GET /a/../%69 HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /j HTTP/1.1\r\nHost: x\r\n\r\nGET /k HTTP/1.1\r\nHost: x\r\n\r\n",
	"POST /l HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\n\r\n"
	"POST /m HTTP/1.1\r\nHost: x\r\nContent-Length: 3\r\n\r\nabcHEAD /n HTTP/1.1\r\nHost: x\r\n\r\n",
	"GET /o HTTP/1.1\r\n\r\n",
	"GET /p HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n",
	"HEAD /q HTTP/1.1\r\nHost : x\r\n\r\n",
	"GET /r HTTP/3.0\r\nHost: x\r\n\r\n",
	"CONNECT a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n",
	"POST /s HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhelloX\r\n",
	"GET /%00 HTTP/1.1\r\nHost: x\r\n\r\n",
};

static char *answer_of(const char *request, size_t size, size_t split, size_t piece)
{
	char *heard;

	house_connect();
	if (piece) {
		script_give_split(house.stream, request, size, piece);
	} else if (split > 0 && split < size) {
		script_give(house.stream, request, split);
		script_again(house.stream);
		script_give(house.stream, request + split, size - split);
	} else {
		script_give(house.stream, request, size);
	}
	do {
		script_ready(house.stream);
		house_turn();
	} while (house.connection && !script_record(house.stream)->drained);
	heard = strdup(house_heard());
	house_leave();
	return heard;
}

static void each_request_is_the_same_at_every_split(void **state)
{
	size_t i, split;

	(void)state;
	house_open(&keeper);
	for (i = 0; i < sizeof requests / sizeof *requests; i++) {
		size_t size = strlen(requests[i]);
		char *whole = answer_of(requests[i], size, 0, 0);

		assert_true(strlen(whole) > 0);
		for (split = 1; split < size; split++) {
			char *parts = answer_of(requests[i], size, split, 0);

			assert_string_equal(parts, whole);
			free(parts);
		}
		for (split = 1; split < 4; split++) {
			char *parts = answer_of(requests[i], size, 0, split);

			assert_string_equal(parts, whole);
			free(parts);
		}
		free(whole);
	}
	house_close();
}

static void expect(const char *request, const char *start, const char *part)
{
	char *heard = answer_of(request, strlen(request), 0, 0);

	if (strncmp(heard, start, strlen(start)) != 0 || (part && !strstr(heard, part)))
		fail_msg("for %s\nheard %s\nwithout %s %s", request, heard, start, part ? part : "");
	free(heard);
}

static void answers_are_what_the_request_asks_for(void **state)
{
	(void)state;
	house_open(&keeper);
	expect(requests[0], "HTTP/1.1 200 OK\r\n", "\r\nContent-Length: 13\r\n");
	expect(requests[0], "HTTP/1.1 200 OK\r\n", "\r\nDate: Wed, 18 Nov 2026 ");
	expect(requests[1], "HTTP/1.1 200 OK\r\n", "\r\n\r\nPOST /b [hello world] <>\n");
	expect(requests[2], "HTTP/1.1 200 OK\r\n", "\r\n\r\nPOST /c [hello world] <>\n");
	expect(requests[3], "HTTP/1.1 200 OK\r\n", "\r\n\r\nPOST /d [hello] <X-Sum:12\r\nX-B:\r\n>\n");
	expect(requests[5], "HTTP/1.1 200 OK\r\n", "Connection: close\r\n");
	expect(requests[6], "HTTP/1.1 200 OK\r\n", "Connection: keep-alive\r\n");
	expect(requests[7], "HTTP/1.1 200 OK\r\n", "Connection: close\r\n");
	expect(requests[8], "HTTP/1.1 200 OK\r\n", "\r\n\r\nGET /i [] <>\n");
	expect(requests[11], "HTTP/1.1 400 Bad Request\r\n", "Connection: close\r\n");
	expect(requests[12], "HTTP/1.1 400 Bad Request\r\n", "Connection: close\r\n");
	expect(requests[14], "HTTP/1.1 505 HTTP Version Not Supported\r\n", "Connection: close\r\n");
	expect(requests[15], "HTTP/1.1 501 Not Implemented\r\n", "Connection: close\r\n");
	expect(requests[16], "HTTP/1.1 400 Bad Request\r\n", "not what its head announced");
	expect(requests[17], "HTTP/1.1 400 Bad Request\r\n", "Connection: close\r\n");
	house_close();
}

static void head_gets_the_length_and_no_body(void **state)
{
	char *heard;

	(void)state;
	house_open(&keeper);
	heard = answer_of(requests[4], strlen(requests[4]), 0, 0);
	assert_non_null(strstr(heard, "\r\nContent-Length: 14\r\n"));
	assert_string_equal(heard + strlen(heard) - 4, "\r\n\r\n");
	free(heard);
	/* Unreadable, but a HEAD nevertheless. */
	heard = answer_of(requests[13], strlen(requests[13]), 0, 0);
	assert_non_null(strstr(heard, "HTTP/1.1 400 "));
	assert_string_equal(heard + strlen(heard) - 4, "\r\n\r\n");
	free(heard);
	house_close();
}

static void ten_pipelined_requests_get_ten_answers_in_order(void **state)
{
	struct buffer text;
	unsigned i;

	(void)state;
	house_open(&keeper);
	buffer_init(&text, 65536);
	for (i = 0; i < 40; i++)
		buffer_printf(&text, "GET /%02u HTTP/1.1\r\nHost: x\r\n\r\n", i);
	house_connect();
	script_give(house.stream, buffer_text(&text), text.size);
	script_ready(house.stream);
	(void)loop_turn(house.host.loop, 0);
	/* No more than the allowance in one call, and the rest without a further edge. */
	assert_in_range(house.exchanges, 10, 17);
	house_turn();
	assert_int_equal(house.exchanges, 40);
	assert_int_equal(house_count(house_heard(), "HTTP/1.1 200 OK"), 40);
	for (i = 0; i < 40; i++) {
		const char *at = house_heard();
		char mark[16];

		snprintf(mark, sizeof mark, "GET /%02u [", i);
		assert_non_null(strstr(at, mark));
	}
	assert_true(strstr(house_heard(), "GET /38 [") < strstr(house_heard(), "GET /39 ["));
	buffer_release(&text);
	house_leave();
	house_close();
}

static void a_head_of_any_size_is_answered(void **state)
{
	char *long_head = calloc(1, 40000);

	(void)state;
	house_open(&keeper);
	snprintf(long_head, 40000, "GET / HTTP/1.1\r\nHost: x\r\nX: %020000d\r\n\r\n", 1);
	expect(long_head, "HTTP/1.1 431 ", NULL);
	snprintf(long_head, 40000, "GET /%012000d HTTP/1.1\r\nHost: x\r\n\r\n", 1);
	expect(long_head, "HTTP/1.1 414 ", NULL);
	snprintf(long_head, 40000, "GET / HTTP/1.1\r\nHost: x\r\nX: %016300d\r\n\r\n", 1);
	expect(long_head, "HTTP/1.1 200 ", NULL);
	free(long_head);
	house_close();
}

static void head_and_first_bytes_leave_in_one_write(void **state)
{
	(void)state;
	house_open(&keeper);
	house_connect();
	house_say(requests[0]);
	assert_int_equal(script_record(house.stream)->writes, 1);
	house_say(requests[0]);
	assert_int_equal(script_record(house.stream)->writes, 2);
	assert_int_equal(house.host.heads.taken, 0);
	house_leave();
	house_close();
}

static void a_slow_reader_stops_the_producer_at_one_slab(void **state)
{
	static char chunk[16384];
	size_t shown = 0;
	int i;

	(void)state;
	memset(chunk, 'x', sizeof chunk);
	house_open(&holder);
	house_connect();
	script_take(house.stream, 1000);
	house_say(requests[0]);
	house_answer(house.held, 200, 1 << 20);
	for (i = 0; i < 10; i++) {
		size_t room = body_room(&house.held->down);

		if (room == 0)
			break;
		body_show(&house.held->down, span_make(chunk, room), false);
		body_settle(&house.held->down);
		shown += room;
		house_turn();
	}
	assert_in_range(body_waiting(&house.held->down), 1, 16384);
	assert_in_range(shown, 16384, 2 * 16384);
	assert_int_equal(house.host.spills.taken, 1);
	assert_int_equal(house.rooms, 0);
	script_take(house.stream, 5000);
	script_ready(house.stream);
	house_turn();
	assert_true(house.rooms >= 1);
	assert_true(body_room(&house.held->down) >= 5000);
	script_take_all(house.stream);
	script_ready(house.stream);
	house_turn();
	assert_int_equal(body_waiting(&house.held->down), 0);
	assert_int_equal(house.host.spills.taken, 0);
	assert_int_equal(house.left, 0);
	house_leave();
	assert_int_equal(house.cancelled, 1);
	house_close();
}

static void a_service_that_does_not_take_stops_the_client_at_one_slab(void **state)
{
	static char bytes[300000];
	struct span got;

	(void)state;
	memset(bytes, 'y', sizeof bytes);
	house_open(&holder);
	house_connect();
	script_give_text(house.stream, "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 60000\r\n\r\n");
	script_give(house.stream, bytes, sizeof bytes);
	script_ready(house.stream);
	house_turn();
	assert_int_equal(body_waiting(&house.held->up), 16384);
	assert_int_equal(house.host.spills.taken, 1);
	while ((got = body_peek(&house.held->up)).size > 0) {
		body_consume(&house.held->up, got.size);
		house_turn();
		assert_true(body_waiting(&house.held->up) <= 16384);
	}
	assert_true(body_is_over(&house.held->up));
	assert_int_equal(house.held->bytes_up, 60000);
	house_leave();
	house_close();
}

static void chunks_wait_where_they_were_read(void **state)
{
	static char bytes[300000];
	struct span got;
	size_t total = 0;

	(void)state;
	memset(bytes, 'y', sizeof bytes);
	house_open(&holder);
	house_connect();
	script_give_text(house.stream,
			 "POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n493E0\r\n");
	script_give(house.stream, bytes, sizeof bytes);
	script_give_text(house.stream, "\r\n0\r\n\r\nGET /next HTTP/1.1\r\nHost: x\r\n\r\n");
	script_ready(house.stream);
	house_turn();
	assert_int_equal(house.host.spills.taken, 0);
	while ((got = body_peek(&house.held->up)).size > 0) {
		assert_true(got.size <= 16384);
		total += got.size;
		body_consume(&house.held->up, got.size);
		house_turn();
	}
	assert_int_equal(total, sizeof bytes);
	assert_true(body_is_over(&house.held->up));
	house.service = &keeper;
	house_answer(house.held, 204, -1);
	body_show(&house.held->down, SPAN(""), true);
	house_turn();
	assert_non_null(strstr(house_heard(), "GET /next ["));
	assert_null(strstr(house_heard(), "204 No Content\r\nContent-Length"));
	house_leave();
	house_close();
}

/* What comes behind a complete request must find room behind its head, which the service still needs:
 * overwritten, it would be another request by the time it goes upstream. */
static void what_follows_a_chunked_request_leaves_its_head_alone(void **state)
{
	static const char head[] = "POST /public HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n";
	static const char body[] = "3\r\nabc\r\n0\r\n\r\n";
	static const char next[] = "GET /the/next/one/is/longer HTTP/1.1\r\nHost: forged.example.com\r\n\r\n";
	int early;

	(void)state;
	house_open(&holder);
	for (early = 0; early < 2; early++) {
		house_connect();
		script_give_text(house.stream, head);
		if (!early)
			script_again(house.stream);
		house_say(body);
		house_say(next);
		assert_int_equal(house.exchanges, 1 + 2 * early);
		assert_true(span_is(house.held->request->method_name, "POST"));
		assert_true(span_is(house.held->request->host, "x"));
		assert_true(span_is(house.held->target->path, "/public"));
		assert_true(span_is(body_peek(&house.held->up), "abc"));
		body_consume(&house.held->up, 3);
		house_answer(house.held, 200, 0);
		body_show(&house.held->down, SPAN(""), true);
		house_turn();
		assert_int_equal(house.exchanges, 2 + 2 * early);
		assert_true(span_is(house.held->target->path, "/the/next/one/is/longer"));
		assert_true(span_is(house.held->request->host, "forged.example.com"));
		house_leave();
	}
	house_close();
}

static void continue_is_said_when_the_body_is_wanted(void **state)
{
	static const char head[] = "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 5\r\n"
				   "Expect: 100-continue\r\n\r\n";

	(void)state;
	house_open(&holder);
	house_connect();
	house_say(head);
	assert_string_equal(house_heard(), "");
	exchange_want_body(house.held);
	exchange_want_body(house.held);
	house_turn();
	assert_string_equal(house_heard(), "HTTP/1.1 100 Continue\r\n\r\n");
	house_say("hello");
	assert_true(span_is(body_peek(&house.held->up), "hello"));
	house_leave();
	house.cancelled = 0;

	/* An answer without the body: nothing is said, and the connection is not used again. */
	house_connect();
	house_say(head);
	house_answer(house.held, 403, 0);
	body_show(&house.held->down, SPAN(""), true);
	house_turn();
	assert_null(strstr(house_heard(), "100 Continue"));
	assert_non_null(strstr(house_heard(), "HTTP/1.1 403 Forbidden\r\n"));
	assert_non_null(strstr(house_heard(), "Connection: close\r\n"));
	house_leave();
	assert_int_equal(house.cancelled, 0);

	/* A client that did not wait hears nothing either. */
	house.service = &keeper;
	house_connect();
	script_give_text(house.stream, head);
	script_give_text(house.stream, "hello");
	script_again(house.stream);
	script_ready(house.stream);
	house_turn();
	assert_non_null(strstr(house_heard(), "[hello]"));
	house_leave();
	house_close();
}

static void an_early_answer_leaves_the_connection_in_order(void **state)
{
	static char bytes[100000];

	(void)state;
	house_open(&holder);
	house_connect();
	house_say("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 100000\r\n\r\nxx");
	house_answer(house.held, 413, 2);
	body_show(&house.held->down, SPAN("no"), true);
	house_turn();
	assert_non_null(house.held);
	script_give(house.stream, bytes, 99998);
	script_ready(house.stream);
	house_turn();
	assert_null(house.held);
	house.service = &keeper;
	house_say(requests[0]);
	assert_non_null(strstr(house_heard(), "GET /a ["));
	house_leave();

	/* What is too much to throw away ends the connection. */
	house.service = &holder;
	house_connect();
	house_say("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 10000000\r\n\r\nxx");
	house_answer(house.held, 413, 2);
	body_show(&house.held->down, SPAN("no"), true);
	house_turn();
	assert_non_null(strstr(house_heard(), "Connection: close\r\n"));
	assert_true(script_record(house.stream)->finished);
	house_leave();
	house_close();
}

static void endless_chunks_behind_an_answer_are_not_read_for_ever(void **state)
{
	static char bytes[16384];
	int i;

	(void)state;
	memset(bytes, 'a', sizeof bytes);
	house_open(&holder);
	house_connect();
	house_say("POST /b HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nfffffff\r\n");
	house_answer(house.held, 413, 2);
	body_show(&house.held->down, SPAN("no"), true);
	for (i = 0; i < 40 && house.connection; i++) {
		script_give(house.stream, bytes, sizeof bytes);
		script_ready(house.stream);
		house_turn();
	}
	assert_null(house.connection);
	assert_in_range(i, 16, 18);
	house_leave();
	house_close();
}

static void a_client_that_goes_cancels_the_service_once(void **state)
{
	(void)state;
	house_open(&holder);
	house_connect();
	house_say("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf");
	assert_non_null(house.held);
	script_end(house.stream);
	script_ready(house.stream);
	house_turn();
	assert_int_equal(house.cancelled, 1);
	assert_int_equal(house.released, 1);
	assert_int_equal(house.left, 1);
	assert_int_equal(house.left_why, ENDED_CLIENT_GONE);
	house_leave();
	house.cancelled = house.released = house.opened = 0;

	house_connect();
	house_say(requests[0]);
	script_gone(house.stream);
	script_ready(house.stream);
	house_turn();
	assert_int_equal(house.cancelled, 1);
	assert_int_equal(house.released, 1);
	assert_int_equal(house.closed_why, ENDED_CLIENT_GONE);
	house_leave();
	house_close();
}

static void a_client_that_only_stops_speaking_gets_its_answer(void **state)
{
	(void)state;
	struct head answer;

	house_open(&holder);
	house_connect();
	house_say(requests[0]);
	assert_non_null(house.held);
	script_goodbye(house.stream);
	script_ready(house.stream);
	house_turn();
	assert_int_equal(house.cancelled, 0);
	exchange_answer_init(&answer, 200);
	exchange_answer(house.held, &answer, false);
	body_show(&house.held->down, SPAN("here"), true);
	house_turn();
	assert_non_null(strstr(house_heard(), "here"));
	assert_int_equal(house.left_why, ENDED_DONE);
	house_leave();

	/* The same, but then it goes: nobody waits any more. */
	house.cancelled = house.released = house.opened = 0;
	house_connect();
	house_say(requests[0]);
	script_goodbye(house.stream);
	script_ready(house.stream);
	house_turn();
	assert_int_equal(house.cancelled, 0);
	script_end(house.stream);
	script_ready(house.stream);
	house_turn();
	assert_int_equal(house.cancelled, 1);
	assert_int_equal(house.left_why, ENDED_CLIENT_GONE);
	house_leave();

	/* Half a request is none. */
	house.cancelled = house.released = house.opened = 0;
	house_connect();
	house_say("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\nhalf");
	script_goodbye(house.stream);
	script_ready(house.stream);
	house_turn();
	assert_int_equal(house.cancelled, 1);
	house_leave();
	house_close();
}

static void an_answer_cut_short_is_never_passed_off_as_whole(void **state)
{
	(void)state;
	house_open(&holder);
	house_connect();
	house_say(requests[0]);
	house_answer(house.held, 200, -1);
	body_show(&house.held->down, SPAN("part"), false);
	body_fail(&house.held->down, ENDED_FAR_SIDE);
	house_turn();
	assert_non_null(strstr(house_heard(), "4\r\npart\r\n"));
	assert_null(strstr(house_heard(), "0\r\n\r\n"));
	assert_true(script_record(house.stream)->reset);
	assert_int_equal(house.left_why, ENDED_FAR_SIDE);
	assert_int_equal(house.cancelled, 0);
	house_leave();

	house_connect();
	house_say(requests[0]);
	house_answer(house.held, 200, 10);
	body_show(&house.held->down, SPAN("part"), true);
	house_turn();
	assert_true(script_record(house.stream)->reset);
	house_leave();
	house_close();
}

static void bytes_beyond_the_length_are_not_sent(void **state)
{
	(void)state;
	house_open(&holder);
	house_connect();
	house_say(requests[0]);
	house_answer(house.held, 200, 4);
	body_show(&house.held->down, SPAN("partHTTP/1.1 200 OK\r\n\r\n"), true);
	house_turn();
	assert_int_equal(house_count(house_heard(), "HTTP/1.1"), 1);
	assert_int_equal(house.left, 1);
	house_leave();
	house_close();
}

static void every_partial_write_gives_the_same_bytes(void **state)
{
	struct field trailer = {.name = SPAN("X-End"), .value = SPAN("1")};
	char *whole = NULL;
	size_t take;

	(void)state;
	house_open(&holder);
	for (take = 100000; take > 0; take = take > 400 ? 400 : take - 1) {
		house_connect();
		script_take(house.stream, take);
		house_say(requests[0]);
		house_answer(house.held, 200, -1);
		body_show(&house.held->down, SPAN("hello "), false);
		body_settle(&house.held->down);
		exchange_trailers(house.held, &trailer, 1);
		body_show(&house.held->down, SPAN("world"), true);
		body_settle(&house.held->down);
		house_turn();
		script_take(house.stream, 3);
		script_ready(house.stream);
		house_turn();
		script_take_all(house.stream);
		script_ready(house.stream);
		house_turn();
		if (!whole)
			whole = strdup(strstr(house_heard(), "\r\n\r\n"));
		assert_null(house.held);
		assert_non_null(strstr(house_heard(), "X-End: 1\r\n\r\n"));
		if (take > 400)
			assert_string_equal(whole, "\r\n\r\n6\r\nhello \r\n5\r\nworld\r\n0\r\nX-End: 1\r\n\r\n");
		house_leave();
	}
	free(whole);
	house_close();
}

static void interim_answers_are_passed_on(void **state)
{
	struct head hints;

	(void)state;
	house_open(&holder);
	house_connect();
	house_say(requests[0]);
	exchange_answer_init(&hints, 103);
	hints.field_count = 1;
	hints.fields[0] = (struct field){.name = SPAN("Link"), .value = SPAN("</a>")};
	exchange_interim(house.held, &hints);
	house_turn();
	assert_string_equal(house_heard(), "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
	house_answer(house.held, 200, 2);
	body_show(&house.held->down, SPAN("ok"), true);
	house_turn();
	assert_non_null(strstr(house_heard(), "</a>\r\n\r\nHTTP/1.1 200 OK\r\n"));
	house_leave();
	house_close();
}

static void a_tunnel_is_raw_both_ways(void **state)
{
	struct head answer;

	(void)state;
	house_open(&holder);
	house_connect();
	house_say("GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
		  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\nEARLY");
	assert_true(house.held->request->is_websocket);
	exchange_answer_init(&answer, 101);
	exchange_upgrade(house.held, &answer);
	house_turn();
	assert_int_equal(house.tunnels, 1);
	assert_int_equal(house.host.heads.taken, 0);
	assert_int_equal(house.held->request->field_count, 0);
	assert_non_null(strstr(house_heard(), "HTTP/1.1 101 Switching Protocols\r\n"));
	assert_non_null(strstr(house_heard(), "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"));
	assert_true(span_is(body_peek(&house.held->up), "EARLY"));
	body_consume(&house.held->up, 5);
	house_say("0\r\n\r\n");
	assert_true(span_is(body_peek(&house.held->up), "0\r\n\r\n"));
	body_consume(&house.held->up, 5);
	body_show(&house.held->down, SPAN("raw"), false);
	house_turn();
	assert_true(span_ends(script_written(house.stream), "\r\n\r\nraw"));
	/* Silence is not lateness. */
	house_advance(SECONDS(100000));
	house_turn();
	assert_non_null(house.held);
	script_end(house.stream);
	script_ready(house.stream);
	house_turn();
	assert_true(body_is_over(&house.held->up));
	body_show(&house.held->down, SPAN("bye"), true);
	house_turn();
	assert_true(span_ends(script_written(house.stream), "rawbye"));
	assert_int_equal(house.left_why, ENDED_DONE);
	assert_int_equal(house.cancelled, 0);
	house_leave();
	house_close();
}

/* Its client may be silent, but not keep what is left for ever by not taking it. */
static void a_tunnel_that_has_ended_waits_for_nobody(void **state)
{
	struct head answer;

	(void)state;
	house_open(&holder);
	house_connect();
	house_say("GET /ws HTTP/1.1\r\nHost: x\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
		  "Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n");
	exchange_answer_init(&answer, 101);
	exchange_upgrade(house.held, &answer);
	house_turn();
	script_take(house.stream, 2);
	body_show(&house.held->down, SPAN("raw"), false);
	body_settle(&house.held->down);
	house_advance(SECONDS(100000));
	house_turn();
	assert_non_null(house.held);
	body_show(&house.held->down, SPAN("bye"), true);
	exchange_flush(house.held);
	house_advance(SECONDS(70));
	house_turn();
	assert_non_null(house.held);
	house_advance(SECONDS(10));
	house_turn();
	assert_int_equal(house.closed, 1);
	assert_int_equal(house.closed_why, ENDED_LATE);
	house_leave();
	house_close();
}

static void a_hundred_megabytes_do_not_stall_at_one_read_a_turn(void **state)
{
	static char piece[1 << 20];
	unsigned turns = 0, i;

	(void)state;
	house_open(&keeper);
	house.host.limits.allowance = 1;
	house_connect();
	script_give_text(house.stream, "POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 104857600\r\n\r\n");
	for (i = 0; i < 100; i++)
		script_give(house.stream, piece, sizeof piece);
	script_ready(house.stream);
	house.body.ceiling = 0; /* counts, does not keep */
	while (!strstr(house_heard(), "POST /b") && turns++ < 2000)
		(void)loop_turn(house.host.loop, 0);
	assert_in_range(turns, 100, 1900);
	assert_null(house.held);
	house_leave();
	house_close();
}

static void a_body_thrown_away_leaves_the_turn_to_others(void **state)
{
	static char piece[1 << 20];
	unsigned i;

	(void)state;
	house_open(&holder);
	house.host.limits.drain_bytes = 1 << 30;
	house_connect();
	house_say("POST /b HTTP/1.1\r\nHost: x\r\nContent-Length: 52428800\r\n\r\n");
	house_answer(house.held, 200, 0);
	body_show(&house.held->down, SPAN(""), true);
	for (i = 0; i < 50; i++)
		script_give(house.stream, piece, sizeof piece);
	script_ready(house.stream);
	(void)loop_turn(house.host.loop, 0);
	assert_non_null(house.held);
	assert_true(house.held->bytes_up < 4 * house.host.limits.allowance);
	for (i = 0; i < 1000 && house.held; i++)
		(void)loop_turn(house.host.loop, 0);
	assert_null(house.held);
	house_leave();
	house_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_request_is_the_same_at_every_split),
		cmocka_unit_test(answers_are_what_the_request_asks_for),
		cmocka_unit_test(head_gets_the_length_and_no_body),
		cmocka_unit_test(ten_pipelined_requests_get_ten_answers_in_order),
		cmocka_unit_test(a_head_of_any_size_is_answered),
		cmocka_unit_test(head_and_first_bytes_leave_in_one_write),
		cmocka_unit_test(a_slow_reader_stops_the_producer_at_one_slab),
		cmocka_unit_test(a_service_that_does_not_take_stops_the_client_at_one_slab),
		cmocka_unit_test(chunks_wait_where_they_were_read),
		cmocka_unit_test(what_follows_a_chunked_request_leaves_its_head_alone),
		cmocka_unit_test(continue_is_said_when_the_body_is_wanted),
		cmocka_unit_test(an_early_answer_leaves_the_connection_in_order),
		cmocka_unit_test(endless_chunks_behind_an_answer_are_not_read_for_ever),
		cmocka_unit_test(a_client_that_goes_cancels_the_service_once),
		cmocka_unit_test(a_client_that_only_stops_speaking_gets_its_answer),
		cmocka_unit_test(an_answer_cut_short_is_never_passed_off_as_whole),
		cmocka_unit_test(bytes_beyond_the_length_are_not_sent),
		cmocka_unit_test(every_partial_write_gives_the_same_bytes),
		cmocka_unit_test(interim_answers_are_passed_on),
		cmocka_unit_test(a_tunnel_is_raw_both_ways),
		cmocka_unit_test(a_tunnel_that_has_ended_waits_for_nobody),
		cmocka_unit_test(a_hundred_megabytes_do_not_stall_at_one_read_a_turn),
		cmocka_unit_test(a_body_thrown_away_leaves_the_turn_to_others),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
