/* transport_h2 over a script stream: what a client may say, what it may not, and how much of it. */
#include "http/h2_peer.h"

#include "http/h2_parts.h"

/* -- services -- */

static struct exchange *held[64];
static unsigned held_count;

static void many_open(struct exchange *exchange)
{
	house.opened++;
	held[held_count++] = exchange;
}

static void many_release(struct exchange *exchange)
{
	unsigned i;

	house.released++;
	for (i = 0; i < held_count; i++)
		if (held[i] == exchange)
			held[i] = NULL;
}

static void many_cancel(struct exchange *exchange)
{
	(void)exchange;
	house.cancelled++;
}

static bool many_revoke(struct exchange *exchange, enum ending why)
{
	(void)why;
	house.revoked++;
	body_show(&exchange->down, SPAN("LAST WORD"), true);
	return true;
}

/* Holds every exchange that comes. */
static const struct service many = {
	.name = "many",
	.open = many_open,
	.on_up = holder_up,
	.on_room = count_room,
	.cancel = many_cancel,
	.revoke = many_revoke,
	.release = many_release,
};

static int open_house(void **state)
{
	(void)state;
	held_count = 0;
	memset(held, 0, sizeof held);
	house_open(&keeper);
	return 0;
}

static int close_house(void **state)
{
	(void)state;
	/* A test that failed leaves its connection; cmocka says why. */
	if (house.connection)
		return 0;
	assert_int_equal(house.host.streams.taken + house.host.windows.taken + house.host.rests.taken +
				 house.host.wide.taken + house.host.wide_streams,
			 0);
	house_close();
	return 0;
}

static struct span filled(char *at, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		at[i] = (char)('a' + i % 26);
	return span_make(at, size);
}

/* -- requests -- */

static void a_request_is_answered(void **state)
{
	int32_t id;

	(void)state;
	peer_connect();
	id = peer_get("/a/../b%7e");
	peer_talk();
	assert_int_equal(peer_stream(id)->status, 200);
	assert_string_equal(peer.body, "GET /b~ [] <>\n");
	assert_non_null(strstr(peer_stream(id)->fields, "content-length: 14\n"));
	assert_non_null(strstr(peer_stream(id)->fields, "date: "));
	assert_int_equal(peer_stream(id)->closed, 1);
	assert_int_equal(peer_stream(id)->code, 0);
	assert_int_equal(house.left, 1);
	assert_int_equal(house.left_why, ENDED_DONE);
	peer_leave();
}

static void a_body_arrives_whole_at_every_split(void **state)
{
	size_t piece;

	(void)state;
	for (piece = 1; piece < 200; piece += piece < 40 ? 1 : 13) {
		int32_t id;

		peer_connect();
		id = peer_post("/up", SPAN("first, second and last"));
		peer_talk_in(piece);
		assert_int_equal(peer_stream(id)->status, 200);
		assert_memory_equal(peer.body, "POST /up [first, second and last] <>", 35);
		peer_leave();
	}
}

static void answers_leave_whole_however_little_is_taken(void **state)
{
	static char upload[3000];
	size_t step;

	(void)state;
	for (step = 1; step < 300; step += 7) {
		struct span written;
		size_t before;
		int32_t id;
		int i;

		peer_connect();
		id = peer_post("/up", filled(upload, sizeof upload));
		script_take(house.stream, 0);
		peer_talk();
		for (i = 0; i < 6000; i++) {
			before = script_written(house.stream).size;
			script_take(house.stream, step);
			script_ready(house.stream);
			house_turn();
			written = script_written(house.stream);
			if (written.size == before)
				break;
		}
		script_take_all(house.stream);
		peer_talk();
		assert_int_equal(peer_stream(id)->status, 200);
		assert_int_equal(peer_stream(id)->body_size, sizeof upload + 15);
		peer_leave();
	}
}

static void trailers_pass_and_those_that_may_not_do_not(void **state)
{
	static const char *const names[] = {"x-sum", "content-length", "x-second"};
	nghttp2_nv trailers[3];
	int32_t id;
	size_t i;

	(void)state;
	peer_connect();
	peer.upload = SPAN("body");
	id = PEER_ASK(true, PEER_HEAD("POST", "/up"));
	peer_talk();
	for (i = 0; i < 3; i++)
		trailers[i] = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)names[i],
					   .value = (uint8_t *)(uintptr_t) "7",
					   .namelen = strlen(names[i]),
					   .valuelen = 1};
	trailers[1] = trailers[2];
	assert_int_equal(nghttp2_submit_trailer(peer.session, id, trailers, 2), 0);
	peer_talk();
	assert_int_equal(peer_stream(id)->status, 200);
	assert_memory_equal(peer.body, "POST /up [body] <x-sum:7\r\nx-second:7\r\n>\n", 39);
	peer_leave();
}

static void a_request_whose_body_nobody_wants_is_answered_and_stopped(void **state)
{
	static char upload[600000];
	int32_t id, next;

	(void)state;
	house.service = &holder;
	peer_connect();
	id = peer_post("/up", filled(upload, sizeof upload));
	peer_talk();
	assert_non_null(house.held);
	page_answer(house.held, 413, SPAN("text/plain"), SPAN("too much"));
	peer_talk();
	assert_int_equal(peer_stream(id)->status, 413);
	assert_int_equal(peer_stream(id)->body_size, 8);
	/* A moment to read it in, then no more. */
	assert_int_equal(peer_stream(id)->closed, 0);
	assert_true(peer.upload.size > 100000);
	house_advance(house.host.limits.linger_time + SECONDS(1));
	house_turn();
	peer_talk();
	assert_int_equal(peer_stream(id)->closed, 1);
	assert_int_equal(peer_stream(id)->code, NGHTTP2_NO_ERROR);
	house.service = &keeper;
	next = peer_get("/next");
	peer_talk();
	assert_int_equal(peer_stream(next)->status, 200);
	peer_leave();
}

static void interim_answers_and_heads_without_bodies(void **state)
{
	struct head early;
	int32_t id;

	(void)state;
	house.service = &holder;
	peer_connect();
	id = PEER_ASK(false, PEER_HEAD("HEAD", "/h"));
	peer_talk();
	exchange_answer_init(&early, 103);
	exchange_interim(house.held, &early);
	house_answer(house.held, 200, 1000);
	body_show(&house.held->down, SPAN("no body behind HEAD"), true);
	peer_talk();
	assert_int_equal(peer_stream(id)->interims, 1);
	assert_int_equal(peer_stream(id)->status, 200);
	assert_non_null(strstr(peer_stream(id)->fields, "content-length: 1000\n"));
	assert_int_equal(peer_stream(id)->body_size, 0);
	assert_int_equal(peer_stream(id)->closed, 1);
	peer_leave();
}

static void an_answer_shorter_than_its_length_is_reset(void **state)
{
	int32_t id;

	(void)state;
	house.service = &holder;
	peer_connect();
	id = peer_get("/");
	peer_talk();
	house_answer(house.held, 200, 10);
	body_show(&house.held->down, SPAN("short"), true);
	peer_talk();
	assert_int_equal(peer_stream(id)->status, 200);
	assert_int_equal(peer_stream(id)->code, NGHTTP2_INTERNAL_ERROR);
	assert_int_equal(house.left_why, ENDED_FAR_SIDE);
	peer_leave();
}

static void a_failed_answer_resets_its_stream_alone(void **state)
{
	int32_t first, second;

	(void)state;
	house.service = &many;
	peer_connect();
	first = peer_get("/1");
	second = peer_get("/2");
	peer_talk();
	house_answer(held[0], 200, -1);
	body_show(&held[0]->down, SPAN("part"), false);
	body_settle(&held[0]->down);
	house_turn();
	body_fail(&held[0]->down, ENDED_FAR_SIDE);
	peer_talk();
	assert_int_equal(peer_stream(first)->code, NGHTTP2_INTERNAL_ERROR);
	assert_int_equal(house.left, 1);
	page_answer(held[1], 200, SPAN("text/plain"), SPAN("fine"));
	peer_talk();
	assert_int_equal(peer_stream(second)->status, 200);
	peer_leave();
}

/* -- heads that are not -- */

struct bad_head {
	const char *words[24];
	int status; /* 0: reset */
};

static const struct bad_head bad_heads[] = {
	{{":method", "GET", ":scheme", "http", ":authority", "door.test", NULL}, 0},
	{{":method", "GET", ":scheme", "http", ":path", "/", NULL}, 0},
	{{":method", "GET", ":path", "/", ":authority", "door.test", NULL}, 0},
	{{PEER_HEAD("GET", ""), NULL}, 0},
	{{PEER_HEAD("GET", "relative"), NULL}, 0},
	{{PEER_HEAD("GET", "*"), NULL}, 0},
	{{PEER_HEAD("GET", "/"), ":path", "/2", NULL}, 0},
	{{PEER_HEAD("GET", "/"), ":odd", "x", NULL}, 0},
	{{PEER_HEAD("GET", "/"), "x", "1", ":method", "POST", NULL}, 0},
	{{PEER_HEAD("GET", "/"), "X-Upper", "1", NULL}, 0},
	{{PEER_HEAD("GET", "/"), "bad name", "1", NULL}, 0},
	{{PEER_HEAD("GET", "/"), "x", "a\r\nEvil: 1", NULL}, 0},
	{{PEER_HEAD("GET", "/"), "x", "a\nb", NULL}, 0},
	{{PEER_HEAD("GET", "/"), "x", " leading", NULL}, 0},
	{{PEER_HEAD("GET", "/"), "x", "trailing\t", NULL}, 0},
	{{PEER_HEAD("GET", "/"), "connection", "close", NULL}, 0},
	{{PEER_HEAD("GET", "/"), "keep-alive", "1", NULL}, 0},
	{{PEER_HEAD("GET", "/"), "proxy-connection", "x", NULL}, 0},
	{{PEER_HEAD("GET", "/"), "transfer-encoding", "chunked", NULL}, 0},
	{{PEER_HEAD("GET", "/"), "upgrade", "websocket", NULL}, 0},
	{{PEER_HEAD("GET", "/"), "te", "gzip", NULL}, 0},
	{{PEER_HEAD("GET", "/ HTTP/1.1\r\nX: y"), NULL}, 0},
	{{PEER_HEAD("GET", "/a b"), NULL}, 0},
	{{PEER_HEAD("GET /x HTTP/1.1", "/"), NULL}, 0},
	{{PEER_HEAD("GET", "/"), "content-length", "5", NULL}, 0},
	{{PEER_HEAD("POST", "/"), "content-length", "1", "content-length", "1", NULL}, 0},
	{{PEER_HEAD("GET", "/"), ":protocol", "websocket", NULL}, 0},
	{{PEER_HEAD("GET", "/"), "host", "other.test", NULL}, 400},
	{{PEER_HEAD("GET", "/#part"), NULL}, 400},
	{{PEER_HEAD("GET", "/%00"), NULL}, 400},
	{{PEER_HEAD("GET", "/../.."), NULL}, 400},
	{{PEER_HEAD("GET", "/"), "transfer_encoding", "chunked", NULL}, 400},
	{{PEER_HEAD("GET", "/"), "content_length", "5", NULL}, 400},
	{{":method", "GET", ":scheme", "ftp", ":authority", "door.test", ":path", "/", NULL}, 400},
	{{":method", "GET", ":scheme", "http", ":authority", "u@door.test", ":path", "/", NULL}, 400},
	{{":method", "GET", ":scheme", "http", ":authority", "", ":path", "/", NULL}, 0},
	{{PEER_HEAD("POST", "/"), "content-length", "00", NULL}, 400},
	{{PEER_HEAD("POST", "/"), "expect", "much", NULL}, 417},
	{{PEER_HEAD("TRACE", "/"), NULL}, 501},
	{{PEER_HEAD("get", "/"), NULL}, 501},
	{{":method", "CONNECT", ":authority", "door.test:22", NULL}, 501},
	{{PEER_HEAD("CONNECT", "/"), ":protocol", "connect-udp", NULL}, 501},
};

static enum bad_request told;
static void tell(struct exchange *exchange, enum bad_request why)
{
	told = why;
	house.bad++;
	page_answer(exchange, bad_request_status(why), SPAN("text/plain"), SPAN("bad"));
}

static void a_head_that_may_not_be_is_refused_and_nobody_else_suffers(void **state)
{
	size_t i;

	(void)state;
	house.host.on_bad_request = tell;
	for (i = 0; i < sizeof bad_heads / sizeof *bad_heads; i++) {
		int32_t id, next;

		peer_connect();
		house.exchanges = 0;
		id = peer_ask_with(false, bad_heads[i].words);
		peer_talk();
		if (peer_stream(id)->status != bad_heads[i].status)
			print_error("case %zu: %d\n", i, peer_stream(id)->status);
		assert_int_equal(peer_stream(id)->status, bad_heads[i].status);
		if (bad_heads[i].status == 0)
			assert_int_equal(peer_stream(id)->code, NGHTTP2_PROTOCOL_ERROR);
		assert_int_equal(house.exchanges, 0);
		next = peer_get("/next");
		peer_talk();
		assert_int_equal(peer_stream(next)->status, 200);
		peer_leave();
	}
}

static void values_that_hold_nul_are_refused(void **state)
{
	nghttp2_nv fields[5] = {{.name = (uint8_t *)":method", .value = (uint8_t *)"GET", .namelen = 7, .valuelen = 3},
				{.name = (uint8_t *)":scheme", .value = (uint8_t *)"http", .namelen = 7, .valuelen = 4},
				{.name = (uint8_t *)":authority", .value = (uint8_t *)"a.b", .namelen = 10, .valuelen = 3},
				{.name = (uint8_t *)":path", .value = (uint8_t *)"/", .namelen = 5, .valuelen = 1},
				{.name = (uint8_t *)"x", .value = (uint8_t *)"a\0b", .namelen = 1, .valuelen = 3}};
	int32_t id;

	(void)state;
	peer_connect();
	id = nghttp2_submit_request(peer.session, NULL, fields, 5, NULL, NULL);
	peer_talk();
	assert_int_equal(peer_stream(id)->code, NGHTTP2_PROTOCOL_ERROR);
	assert_int_equal(house.exchanges, 0);
	peer_leave();
}

static void a_head_that_is_too_large_gets_431(void **state)
{
	static char value[12000];
	const char *many_fields[2 * 130 + 10] = {PEER_HEAD("GET", "/")};
	int32_t id;
	size_t i;

	(void)state;
	house.host.on_bad_request = tell;
	memset(value, 'x', sizeof value - 1);
	value[0] = '/';
	peer_connect();
	id = PEER_ASK(false, PEER_HEAD("GET", "/"), "a", value, "b", value);
	peer_talk();
	assert_int_equal(peer_stream(id)->status, 431);
	id = PEER_ASK(false, PEER_HEAD("GET", value));
	peer_talk();
	assert_int_equal(peer_stream(id)->status, 414);
	for (i = 0; i < 120; i++) {
		many_fields[8 + 2 * i] = "x-y";
		many_fields[9 + 2 * i] = "z";
	}
	id = peer_ask_with(false, many_fields);
	peer_talk();
	assert_int_equal(peer_stream(id)->status, 431);
	id = peer_get("/next");
	peer_talk();
	assert_int_equal(peer_stream(id)->status, 200);
	assert_int_equal(house.exchanges, 1);
	peer_leave();
}

static char cookie_seen[300];
static void note_cookie(struct exchange *exchange)
{
	struct span cookie = head_value(exchange->request, FIELD_COOKIE);

	house.opened++;
	snprintf(cookie_seen, sizeof cookie_seen, "%.*s|%u", SPAN_PRINT(cookie), exchange->request->field_count);
	page_answer(exchange, 200, SPAN("text/plain"), SPAN("ok"));
}

static void crumbs_become_one_cookie_wherever_they_stand(void **state)
{
	static const struct service noter = {.name = "noter", .open = note_cookie, .release = count_release};

	(void)state;
	house.service = &noter;
	peer_connect();
	(void)PEER_ASK(false, PEER_HEAD("GET", "/"), "cookie", "a=1", "cookie", "b=2");
	peer_talk();
	assert_string_equal(cookie_seen, "a=1; b=2|2");
	(void)PEER_ASK(false, PEER_HEAD("GET", "/"), "cookie", "a=1", "x", "1", "cookie", "b=2", "y", "2", "z", "3",
		       "cookie", "c=3", "cookie", "d=4");
	peer_talk();
	assert_string_equal(cookie_seen, "a=1; b=2; c=3; d=4|5");
	(void)PEER_ASK(false, PEER_HEAD("GET", "/"), "cookie", "a=1", "x", "1");
	peer_talk();
	assert_string_equal(cookie_seen, "a=1|3");
	peer_leave();
}

/* -- flow control -- */

static void a_slow_service_holds_one_window_and_no_more(void **state)
{
	static char upload[400000];
	int32_t id, beside;
	struct span bytes;
	size_t total = 0;

	(void)state;
	house.service = &holder;
	peer_connect();
	id = peer_post("/up", filled(upload, sizeof upload));
	peer_talk();
	assert_int_equal(sizeof upload - peer.upload.size, 65535);
	assert_int_equal(body_waiting(&house.held->up), 65535);
	house.service = &keeper;
	beside = peer_get("/beside");
	peer_talk();
	assert_int_equal(peer_stream(beside)->status, 200);
	while (!body_is_over(&house.held->up)) {
		size_t before = total;

		while ((bytes = body_peek(&house.held->up)).size > 0) {
			size_t size = bytes.size > 1000 ? 1000 : bytes.size;

			assert_memory_equal(bytes.at, upload + total, size);
			body_consume(&house.held->up, size);
			total += size;
		}
		peer_talk();
		assert_true(total > before || body_is_over(&house.held->up));
		assert_true(body_waiting(&house.held->up) <= 65535);
	}
	assert_int_equal(total, sizeof upload);
	page_answer(house.held, 200, SPAN("text/plain"), SPAN("ok"));
	peer_talk();
	assert_int_equal(peer_stream(id)->status, 200);
	peer_leave();
}

static void the_connections_credit_stops_when_a_megabyte_is_held(void **state)
{
	static char upload[65535];
	unsigned i, sent = 0;

	(void)state;
	house.service = &many;
	peer_connect();
	for (i = 0; i < 60; i++) {
		int32_t id;

		filled(upload, sizeof upload);
		id = peer_post("/up", span_make(upload, sizeof upload));
		peer_talk();
		(void)id;
		if (peer.upload.size > 0)
			break;
		sent++;
	}
	/* A megabyte in spills, and what the connection's window still allowed. */
	assert_in_range(sent, 16, 2 * 17);
	assert_in_range(house.host.windows.taken, 16, 2 * 17 + 1);
	peer_leave();
}

/* Takes what comes unless told not to, and answers at the end. */
static struct {
	bool holds;
	unsigned notices;
	size_t taken;
	const char *expected;
} taker_said;

static void taker_take(struct exchange *exchange)
{
	struct span bytes;

	while (!taker_said.holds && (bytes = body_peek(&exchange->up)).size > 0) {
		if (taker_said.expected)
			assert_memory_equal(bytes.at, taker_said.expected + taker_said.taken, bytes.size);
		taker_said.taken += bytes.size;
		body_consume(&exchange->up, bytes.size);
	}
	if (body_is_over(&exchange->up) && !exchange_is_answered(exchange))
		page_answer(exchange, 200, SPAN("text/plain"), SPAN("ok"));
}

static void taker_up(struct exchange *exchange)
{
	taker_said.notices++;
	taker_take(exchange);
}

static void taker_open(struct exchange *exchange)
{
	house.opened++;
	held[held_count++] = exchange;
	taker_take(exchange);
}

static const struct service taker = {
	.name = "taker",
	.open = taker_open,
	.on_up = taker_up,
	.cancel = many_cancel,
	.release = many_release,
};

static int open_taker(void **state)
{
	memset(&taker_said, 0, sizeof taker_said);
	open_house(state);
	house.service = &taker;
	return 0;
}

static int32_t begin_upload(const char *length)
{
	peer.upload = SPAN("");
	peer.upload_ends = false;
	return length ? PEER_ASK(true, PEER_HEAD("POST", "/up"), "content-length", length)
		      : PEER_ASK(true, PEER_HEAD("POST", "/up"));
}

static void upload_more(int32_t id, struct span bytes)
{
	peer.upload = bytes;
	nghttp2_session_resume_data(peer.session, id);
	peer_talk();
}

/* What the client may send at once. */
static int32_t window_of(int32_t id)
{
	return nghttp2_session_get_stream_remote_window_size(peer.session, id);
}

static char large[3000000];

static void a_large_upload_that_is_taken_gets_a_wide_window(void **state)
{
	int32_t id;

	(void)state;
	filled(large, sizeof large);
	taker_said.expected = large;
	peer_connect();
	id = begin_upload("3000000");
	upload_more(id, span_make(large, H2_WIDE_AFTER - 1));
	assert_in_range(window_of(id), 1, H2_SPILL);
	upload_more(id, span_make(large + H2_WIDE_AFTER - 1, 1));
	assert_in_range(window_of(id), H2_WIDE - H2_WIDE_AFTER, H2_WIDE);
	assert_int_equal(house.host.wide_streams, 1);
	upload_more(id, span_make(large + H2_WIDE_AFTER, sizeof large - H2_WIDE_AFTER - 1));
	/* It comes back in large steps, and no memory was needed. */
	assert_in_range(window_of(id), H2_WIDE - H2_WIDE_STEP - H2_SPILL, H2_WIDE);
	assert_true(peer.window_updates <= 2 * sizeof large / H2_WIDE_STEP);
	assert_int_equal(house.host.wide.taken + house.host.wide.kept, 0);
	peer.upload_ends = true;
	upload_more(id, span_make(large + sizeof large - 1, 1));
	assert_int_equal(peer_stream(id)->status, 200);
	assert_int_equal(taker_said.taken, sizeof large);
	assert_int_equal(house.host.wide_streams, 0);
	peer_leave();
}

static void an_upload_of_unknown_length_gets_it_after_a_megabyte(void **state)
{
	int32_t id;

	(void)state;
	peer_connect();
	id = begin_upload(NULL);
	upload_more(id, span_make(large, H2_WIDE - 1));
	assert_in_range(window_of(id), 1, H2_SPILL);
	upload_more(id, span_make(large, 1));
	assert_in_range(window_of(id), H2_WIDE - H2_SPILL, H2_WIDE);
	peer_leave();
	assert_int_equal(house.host.wide_streams, 0);
}

static void the_other_uploads_keep_their_window(void **state)
{
	int32_t little, lagging;

	(void)state;
	peer_connect();
	little = begin_upload("98304");
	upload_more(little, span_make(large, H2_WIDE_AFTER));
	assert_in_range(window_of(little), 1, H2_SPILL);
	lagging = begin_upload("3000000");
	taker_said.holds = true;
	upload_more(lagging, span_make(large, sizeof large));
	assert_int_equal(window_of(lagging), 0);
	assert_int_equal(body_waiting(&held[1]->up), 65535);
	assert_int_equal(house.host.wide_streams, 0);
	peer_leave();
}

static void wide_windows_are_counted_by_connection_and_worker(void **state)
{
	int32_t ids[H2_WIDE_MOST + 2];
	unsigned i;

	(void)state;
	peer_connect();
	for (i = 0; i < H2_WIDE_MOST + 2; i++) {
		ids[i] = begin_upload("3000000");
		upload_more(ids[i], span_make(large, 40000));
		assert_int_equal(window_of(ids[i]) > H2_SPILL, i < H2_WIDE_MOST);
	}
	assert_int_equal(house.host.wide_streams, H2_WIDE_MOST);
	/* One goes, another one gets what it had. */
	(void)nghttp2_submit_rst_stream(peer.session, NGHTTP2_FLAG_NONE, ids[1], NGHTTP2_CANCEL);
	peer_talk();
	assert_int_equal(house.host.wide_streams, H2_WIDE_MOST - 1);
	upload_more(ids[H2_WIDE_MOST], span_make(large, 1));
	assert_true(window_of(ids[H2_WIDE_MOST]) > H2_SPILL);
	house.host.wide.ceiling = H2_WIDE_MOST;
	(void)nghttp2_submit_rst_stream(peer.session, NGHTTP2_FLAG_NONE, ids[0], NGHTTP2_CANCEL);
	peer_talk();
	house.host.wide.ceiling = H2_WIDE_MOST - 1;
	upload_more(ids[H2_WIDE_MOST + 1], span_make(large, 40000));
	assert_in_range(window_of(ids[H2_WIDE_MOST + 1]), 1, H2_SPILL);
	peer_leave();
	assert_int_equal(house.host.wide_streams, 0);
}

static void stalled_wide_uploads_hold_their_windows_and_the_others_pass(void **state)
{
	int32_t ids[H2_WIDE_MOST], beside;
	unsigned i;

	(void)state;
	filled(large, sizeof large);
	peer_connect();
	for (i = 0; i < H2_WIDE_MOST; i++) {
		ids[i] = begin_upload("3000000");
		upload_more(ids[i], span_make(large, 40000));
	}
	taker_said.holds = true;
	for (i = 0; i < H2_WIDE_MOST; i++) {
		upload_more(ids[i], span_make(large + 40000, sizeof large - 40000));
		assert_int_equal(window_of(ids[i]), 0);
		assert_in_range(body_waiting(&held[i]->up), H2_WIDE / 2, H2_WIDE);
	}
	assert_int_equal(house.host.wide.taken, H2_WIDE_MOST);
	/* The connection's window is nearly all there. */
	assert_true(nghttp2_session_get_remote_window_size(peer.session) >= H2_CONNECTION_WINDOW / 2);
	taker_said.holds = false;
	beside = peer_post("/beside", span_make(large, 1000000));
	peer_talk();
	assert_int_equal(peer_stream(beside)->status, 200);
	/* And the first goes on where it was, when its service does. */
	taker_said.expected = large;
	taker_said.taken = 40000;
	peer.upload = span_make(large + 40000 + body_waiting(&held[0]->up),
				sizeof large - 40000 - body_waiting(&held[0]->up));
	peer.upload_ends = true;
	taker_take(held[0]);
	peer_talk();
	assert_int_equal(peer_stream(ids[0])->status, 200);
	assert_int_equal(taker_said.taken, sizeof large);
	assert_int_equal(house.host.wide.taken, H2_WIDE_MOST - 1);
	peer_leave();
	assert_int_equal(house.host.wide.taken + house.host.wide_streams, 0);
}

static void put_data(struct buffer *out, int32_t id, const char *text)
{
	peer_frame_into(out, NGHTTP2_DATA, NGHTTP2_FLAG_NONE, (uint32_t)id, span_of(text));
}

static void hear(struct buffer *bytes)
{
	script_give(house.stream, buffer_span(bytes).at, buffer_span(bytes).size);
	script_ready(house.stream);
	house_turn();
	buffer_clear(bytes);
}

static void frames_that_come_together_are_one_piece(void **state)
{
	struct buffer bytes;
	int32_t one, other;

	(void)state;
	buffer_init(&bytes, 1 << 26);
	peer_connect();
	one = begin_upload(NULL);
	other = begin_upload(NULL);
	peer_talk();
	taker_said.expected = "first second, with padding third";
	put_data(&bytes, one, "first ");
	put_data(&bytes, one, "second, ");
	peer_frame_into(&bytes, NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, (uint32_t)one, SPAN("\3with \0\0\0"));
	put_data(&bytes, one, "");
	put_data(&bytes, one, "padding ");
	hear(&bytes);
	assert_int_equal(taker_said.notices, 1);
	put_data(&bytes, one, "third");
	hear(&bytes);
	assert_int_equal(taker_said.notices, 2);
	assert_int_equal(taker_said.taken, 32);
	/* What lies between two frames parts them, and nothing is mixed up. */
	taker_said.expected = "ABC";
	taker_said.taken = 0;
	put_data(&bytes, one, "A");
	put_data(&bytes, other, "B");
	put_data(&bytes, one, "C");
	hear(&bytes);
	assert_int_equal(taker_said.notices, 5);
	assert_int_equal(held[0]->bytes_up, 34);
	assert_int_equal(held[1]->bytes_up, 1);
	/* An end is told with the bytes before it, a reset after them. */
	taker_said.expected = "DEF";
	taker_said.taken = 0;
	put_data(&bytes, one, "D");
	peer_frame_into(&bytes, NGHTTP2_DATA, NGHTTP2_FLAG_END_STREAM, (uint32_t)one, SPAN("E"));
	put_data(&bytes, other, "F");
	peer_frame_into(&bytes, NGHTTP2_RST_STREAM, 0, (uint32_t)other, SPAN("\0\0\0\10"));
	hear(&bytes);
	assert_int_equal(taker_said.notices, 7);
	assert_int_equal(taker_said.taken, 3);
	assert_int_equal(house.left, 2);
	buffer_release(&bytes);
	peer_leave();
}

static void a_slow_reader_holds_one_answer_and_the_others_pass(void **state)
{
	static char part[16384];
	int32_t slow, quick;
	unsigned shown = 0;
	nghttp2_settings_entry window = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 5000};

	(void)state;
	house.service = &holder;
	peer_connect_with(&window, 1);
	slow = peer_get("/slow");
	peer_talk();
	assert_non_null(house.held);
	/* The client's nghttp2 gives credit back by itself, unless it does not hear. */
	house_answer(house.held, 200, -1);
	filled(part, sizeof part);
	while (body_room(&house.held->down) >= sizeof part && shown < 100) {
		body_show(&house.held->down, span_make(part, sizeof part), false);
		body_settle(&house.held->down);
		house_turn();
		shown++;
	}
	assert_int_equal(shown, 1);
	assert_int_equal(body_waiting(&house.held->down), sizeof part - 5000);
	house.service = &keeper;
	quick = peer_get("/quick");
	{
		/* Spoken, but what the transport writes is not heard: no WINDOW_UPDATE. */
		struct buffer bytes;

		buffer_init(&bytes, 1 << 20);
		peer_collect(&bytes);
		script_give(house.stream, buffer_span(&bytes).at, buffer_span(&bytes).size);
		buffer_release(&bytes);
		script_ready(house.stream);
		house_turn();
	}
	assert_int_equal(house.left, 1);
	assert_int_equal(body_waiting(&house.held->down), sizeof part - 5000);
	body_show(&house.held->down, SPAN(""), true);
	peer_talk();
	assert_int_equal(peer_stream(quick)->status, 200);
	assert_int_equal(peer_stream(slow)->body_size, sizeof part);
	assert_int_equal(peer_stream(slow)->closed, 1);
	peer_leave();
}

static void a_client_that_takes_nothing_grows_nothing(void **state)
{
	(void)state;
	peer_connect();
	script_take(house.stream, 0);
	house.host.limits.h2_frames = 1000000;
	house.host.limits.h2_resets = 1000000;
	peer_flood(1, NGHTTP2_PING, 0, 0, SPAN("12345678"));
	peer_flood(5000, NGHTTP2_PING, 0, 0, SPAN("12345678"));
	peer_flood(5000, NGHTTP2_PING, 0, 0, SPAN("12345678"));
	house_turn();
	assert_int_equal(house.host.rests.taken, 0);
	assert_true(house.closed == 1 || !script_record(house.stream)->drained);
	peer_leave();
}

/* -- ends -- */

static void a_stream_reset_in_the_read_that_brought_it_never_reaches_the_door(void **state)
{
	struct buffer bytes;
	int i;

	(void)state;
	peer_connect();
	buffer_init(&bytes, 1 << 20);
	for (i = 0; i < 50; i++) {
		int32_t id = peer_get("/cancelled");

		peer_collect(&bytes);
		peer_frame_into(&bytes, NGHTTP2_RST_STREAM, 0, (uint32_t)id, span_make("\0\0\0\x08", 4));
	}
	script_give(house.stream, buffer_span(&bytes).at, buffer_span(&bytes).size);
	buffer_release(&bytes);
	script_ready(house.stream);
	house_turn();
	assert_int_equal(house.exchanges, 0);
	assert_int_equal(house.left, 50);
	assert_int_equal(house.left_why, ENDED_CLIENT_GONE);
	peer_leave();
}

static void a_cancelled_stream_cancels_its_service_in_the_same_turn(void **state)
{
	int32_t id;

	(void)state;
	house.service = &holder;
	peer_connect();
	id = peer_get("/");
	peer_talk();
	assert_non_null(house.held);
	nghttp2_submit_rst_stream(peer.session, 0, id, NGHTTP2_CANCEL);
	peer_talk();
	assert_null(house.held);
	assert_int_equal(house.cancelled, 1);
	assert_int_equal(house.left_why, ENDED_CLIENT_GONE);
	peer_leave();
}

static void a_service_may_answer_and_fail_inside_its_notices(void **state)
{
	static const struct service hasty = {.name = "hasty", .open = many_open, .release = many_release};
	int32_t id;
	int round;

	(void)state;
	for (round = 0; round < 2; round++) {
		house.service = round ? &hasty : &many;
		held_count = 0;
		peer_connect();
		id = peer_post("/up", SPAN("some bytes"));
		peer_talk();
		assert_non_null(held[0]);
		if (round) {
			body_fail(&held[0]->down, ENDED_OURS);
		} else {
			house_answer(held[0], 200, -1);
			body_fail(&held[0]->down, ENDED_FAR_SIDE);
		}
		peer_talk();
		assert_int_equal(peer_stream(id)->code, NGHTTP2_INTERNAL_ERROR);
		peer_leave();
	}
}

static void the_connections_loss_ends_every_exchange(void **state)
{
	int i;

	(void)state;
	house.service = &many;
	peer_connect();
	for (i = 0; i < 20; i++)
		(void)peer_get("/");
	peer_talk();
	assert_int_equal(house.opened, 20);
	script_gone(house.stream);
	script_ready(house.stream);
	house_turn();
	assert_int_equal(house.left, 20);
	assert_int_equal(house.cancelled, 20);
	assert_int_equal(house.closed, 1);
	assert_int_equal(house.left_why, ENDED_CLIENT_GONE);
	peer_leave();
}

static void a_drain_says_goaway_twice_and_finishes(void **state)
{
	int32_t first, second;

	(void)state;
	house.service = &many;
	peer_connect();
	first = peer_get("/1");
	peer_talk();
	connection_drain(house.connection);
	house_turn();
	assert_int_equal(peer.goaways, 0);
	second = peer_get("/2");
	{
		/* On its way before the client heard. */
		struct buffer bytes;

		buffer_init(&bytes, 1 << 20);
		peer_collect(&bytes);
		script_give(house.stream, buffer_span(&bytes).at, buffer_span(&bytes).size);
		buffer_release(&bytes);
		script_ready(house.stream);
		house_turn();
	}
	peer_talk();
	assert_int_equal(peer.goaways, 2);
	assert_int_equal(peer.goaway_code, NGHTTP2_NO_ERROR);
	assert_int_equal(peer.goaway_last, second);
	page_answer(held[0], 200, SPAN("text/plain"), SPAN("one"));
	page_answer(held[1], 200, SPAN("text/plain"), SPAN("two"));
	peer_talk();
	assert_int_equal(peer_stream(first)->status, 200);
	assert_int_equal(peer_stream(second)->status, 200);
	assert_int_equal(house.closed, 1);
	peer_leave();
}

static void an_idle_connection_drains_at_once_and_a_silent_one_within_a_second(void **state)
{
	(void)state;
	peer_connect();
	(void)peer_get("/");
	peer_talk();
	connection_drain(house.connection);
	peer_talk();
	assert_int_equal(house.closed, 1);
	peer_leave();

	peer_connect();
	(void)peer_get("/");
	peer_talk();
	connection_drain(house.connection);
	house_turn();
	assert_int_equal(house.closed, 0);
	house_advance(SECONDS(2));
	house_turn();
	assert_int_equal(house.closed, 1);
	peer_leave();
}

static void an_idle_connection_ends_with_goaway(void **state)
{
	(void)state;
	peer_connect();
	(void)peer_get("/");
	peer_talk();
	house_advance(house.host.limits.idle_time - SECONDS(1));
	house_turn();
	peer_flood(1, NGHTTP2_PING, 0, 0, SPAN("12345678"));
	assert_int_equal(house.closed, 0);
	house_advance(SECONDS(2));
	house_turn();
	assert_int_equal(house.closed, 1);
	peer_hear();
	assert_int_equal(peer.goaways, 1);
	assert_int_equal(peer.goaway_code, NGHTTP2_NO_ERROR);
	peer_leave();
}

static void a_revocation_resets_all_and_lets_a_tunnel_say_its_word(void **state)
{
	struct head answer;
	int32_t plain, tunnel;

	(void)state;
	house.service = &many;
	peer_connect();
	plain = peer_get("/");
	tunnel = PEER_ASK(true, PEER_HEAD("CONNECT", "/ws"), ":protocol", "websocket", "sec-websocket-version", "13");
	peer_talk();
	assert_int_equal(house.opened, 2);
	exchange_answer_init(&answer, 101);
	exchange_upgrade(held[1], &answer);
	peer_talk();
	assert_int_equal(peer_stream(tunnel)->status, 200);
	connection_end(house.connection, ENDED_REVOKED);
	peer_talk();
	assert_int_equal(peer_stream(plain)->code, NGHTTP2_CANCEL);
	assert_int_equal(peer_stream(tunnel)->body_size, 9);
	assert_int_equal(peer.goaways, 1);
	assert_int_equal(house.revoked, 1);
	assert_int_equal(house.closed, 1);
	assert_int_equal(house.closed_why, ENDED_REVOKED);
	peer_leave();
}

static void one_exchange_may_be_ended_alone(void **state)
{
	int32_t first, second;

	(void)state;
	house.service = &many;
	peer_connect();
	first = peer_get("/1");
	second = peer_get("/2");
	peer_talk();
	assert_true(exchange_end(held[0], ENDED_REVOKED));
	peer_talk();
	assert_int_equal(peer_stream(first)->code, NGHTTP2_CANCEL);
	assert_int_equal(house.left_why, ENDED_REVOKED);
	page_answer(held[1], 200, SPAN("text/plain"), SPAN("two"));
	peer_talk();
	assert_int_equal(peer_stream(second)->status, 200);
	peer_leave();
}

/* -- WebSocket -- */

static void a_tunnel_carries_bytes_both_ways_and_its_ends(void **state)
{
	struct head answer;
	struct span bytes;
	int32_t id;

	(void)state;
	house.service = &holder;
	peer_connect();
	peer.upload = SPAN("early");
	id = PEER_ASK(true, PEER_HEAD("CONNECT", "/ws?x=1"), ":protocol", "websocket", "sec-websocket-version", "13");
	peer_talk();
	assert_non_null(house.held);
	assert_true(house.held->request->is_websocket);
	assert_true(span_is(house.held->request->method_name, "GET"));
	assert_int_equal(head_value(house.held->request, FIELD_SEC_WEBSOCKET_KEY).size, 24);
	exchange_answer_init(&answer, 101);
	exchange_upgrade(house.held, &answer);
	peer_talk();
	assert_int_equal(peer_stream(id)->status, 200);
	assert_null(strstr(peer_stream(id)->fields, "content-length"));
	bytes = body_peek(&house.held->up);
	assert_true(span_is(bytes, "early"));
	body_consume(&house.held->up, bytes.size);
	peer.upload = SPAN("more");
	nghttp2_session_resume_data(peer.session, id);
	peer_talk();
	assert_true(span_is(body_peek(&house.held->up), "more"));
	body_consume(&house.held->up, 4);
	body_show(&house.held->down, SPAN("from the far side"), false);
	body_settle(&house.held->down);
	peer_talk();
	assert_int_equal(peer_stream(id)->body_size, 17);
	peer.upload_ends = true;
	nghttp2_session_resume_data(peer.session, id);
	peer_talk();
	assert_true(body_is_over(&house.held->up));
	body_show(&house.held->down, SPAN(""), true);
	peer_talk();
	assert_int_equal(peer_stream(id)->closed, 1);
	assert_int_equal(peer_stream(id)->code, 0);
	assert_int_equal(house.left_why, ENDED_DONE);
	peer_leave();
}

static void a_tunnels_cut_is_a_reset_both_ways(void **state)
{
	struct head answer;
	int32_t id;
	int round;

	(void)state;
	house.service = &holder;
	for (round = 0; round < 2; round++) {
		peer_connect();
		id = PEER_ASK(true, PEER_HEAD("CONNECT", "/ws"), ":protocol", "websocket", "sec-websocket-version",
			      "13");
		peer_talk();
		exchange_answer_init(&answer, 101);
		exchange_upgrade(house.held, &answer);
		peer_talk();
		if (round)
			nghttp2_submit_rst_stream(peer.session, 0, id, NGHTTP2_CANCEL);
		else
			body_fail(&house.held->down, ENDED_FAR_SIDE);
		peer_talk();
		assert_null(house.held);
		assert_int_equal(peer_stream(id)->code, NGHTTP2_CANCEL);
		assert_int_equal(house.left_why, round ? ENDED_CLIENT_GONE : ENDED_FAR_SIDE);
		peer_leave();
	}
}

static void half_a_websocket_request_is_refused(void **state)
{
	int32_t id;

	(void)state;
	peer_connect();
	id = PEER_ASK(true, PEER_HEAD("CONNECT", "/ws"), ":protocol", "websocket");
	peer_talk();
	assert_int_equal(peer_stream(id)->status, 400);
	id = PEER_ASK(true, PEER_HEAD("CONNECT", "/ws"), ":protocol", "websocket", "sec-websocket-version", "13",
		      "sec-websocket-key", "dGhlIHNhbXBsZSBub25jZQ==");
	peer_talk();
	assert_int_equal(peer_stream(id)->status, 400);
	assert_int_equal(house.exchanges, 0);
	peer_leave();
}

/* -- ceilings -- */

struct flood {
	uint8_t type, flags;
	uint32_t id;
	const char *payload;
	size_t size;
};

/* Of the last GOAWAY among what was written; the peer's nghttp2 may have taken offence at the answers. */
static uint32_t goaway_code(void)
{
	struct span left = script_written(house.stream);
	uint32_t code = UINT32_MAX;

	while (left.size >= 9) {
		const uint8_t *at = (const uint8_t *)left.at;
		size_t size = 9 + ((size_t)at[0] << 16 | (size_t)at[1] << 8 | at[2]);

		if (size > left.size)
			break;
		if (at[3] == NGHTTP2_GOAWAY)
			code = (uint32_t)(at[13] << 24 | at[14] << 16 | at[15] << 8 | at[16]);
		span_skip(&left, size);
	}
	return code;
}

static const struct flood floods[] = {
	{NGHTTP2_PING, 0, 0, "12345678", 8},
	{NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, "12345678", 8},
	{NGHTTP2_SETTINGS, 0, 0, "", 0},
	{NGHTTP2_SETTINGS, 0, 0, "\0\3\0\0\0\1", 6},
	{NGHTTP2_PRIORITY, 0, 1, "\0\0\0\0\1", 5},
	{NGHTTP2_PRIORITY, 0, 101, "\0\0\0\0\1", 5},
	{NGHTTP2_WINDOW_UPDATE, 0, 0, "\0\0\0\1", 4},
	{NGHTTP2_WINDOW_UPDATE, 0, 1, "\0\0\0\1", 4},
	{NGHTTP2_RST_STREAM, 0, 1, "\0\0\0\x08", 4},
	{NGHTTP2_DATA, 0, 3, "", 0},
	{NGHTTP2_DATA, NGHTTP2_FLAG_PADDED, 3, "\2\0\0", 3},
	{0x10, 0, 0, "\0\0\0\1u=0", 7},
	{0xfa, 0, 0, "grease", 6},
};

static void a_flood_ends_the_connection_with_enhance_your_calm(void **state)
{
	size_t i;

	(void)state;
	house.service = &many;
	for (i = 0; i < sizeof floods / sizeof *floods; i++) {
		struct flood flood = floods[i];
		unsigned round;

		held_count = 0;
		peer_connect();
		(void)peer_get("/closed");
		peer_talk();
		page_answer(held[0], 200, SPAN("text/plain"), SPAN("done"));
		(void)PEER_ASK(true, PEER_HEAD("POST", "/open"));
		peer_talk();
		for (round = 0; round < 5000 && house.closed == 0; round += 100)
			peer_flood(100, flood.type, flood.flags, flood.id, span_make(flood.payload, flood.size));
		if (house.closed != 1)
			print_error("flood %zu\n", i);
		assert_int_equal(house.closed, 1);
		assert_true(round <= 1300);
		if (goaway_code() != NGHTTP2_ENHANCE_YOUR_CALM)
			print_error("flood %zu: %u\n", i, goaway_code());
		assert_int_equal(goaway_code(), NGHTTP2_ENHANCE_YOUR_CALM);
		assert_non_null(strstr(house.error, "HTTP/2"));
		peer_leave();
	}
}

static void as_many_over_some_seconds_are_no_flood(void **state)
{
	unsigned round;

	(void)state;
	peer_connect();
	for (round = 0; round < 20; round++) {
		peer_flood(500, NGHTTP2_PING, NGHTTP2_FLAG_ACK, 0, SPAN("12345678"));
		house_advance(SECONDS(1));
		house_turn();
	}
	assert_int_equal(house.closed, 0);
	peer_leave();
}

static void a_rapid_reset_ends_the_connection_and_few_reach_the_door(void **state)
{
	unsigned round;

	(void)state;
	house.service = &many;
	peer_connect();
	for (round = 0; round < 1000 && house.closed == 0; round++) {
		int32_t id = peer_get("/");
		struct buffer bytes;

		held_count = 0;
		buffer_init(&bytes, 1 << 20);
		peer_collect(&bytes);
		nghttp2_submit_rst_stream(peer.session, 0, id, NGHTTP2_CANCEL);
		peer_collect(&bytes);
		script_give(house.stream, buffer_span(&bytes).at, buffer_span(&bytes).size);
		buffer_release(&bytes);
		script_ready(house.stream);
		house_turn();
		peer_hear();
	}
	assert_int_equal(round, house.host.limits.h2_resets + 1);
	assert_int_equal(house.exchanges, 0);
	assert_int_equal(peer.goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
	peer_leave();
}

static void resets_that_we_are_made_to_send_count_too(void **state)
{
	unsigned round;

	(void)state;
	house.service = &many;
	peer_connect();
	for (round = 0; round < 1000 && house.closed == 0; round++) {
		held_count = 0;
		(void)PEER_ASK(false, PEER_HEAD("GET", "/"), "connection", "close");
		peer_talk();
	}
	assert_true(round <= house.host.limits.h2_resets + 1);
	assert_int_equal(peer.goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
	peer_leave();
}

/* By a body that is not what its head announced: nghttp2 resets, and tells nobody. */
static void bodies_against_their_length_count_as_resets_too(void **state)
{
	static const char *const lengths[] = {"1", "9"};
	unsigned round, i;

	(void)state;
	house.service = &many;
	for (i = 0; i < 2; i++) {
		peer_connect();
		for (round = 0; round < 240 && house.closed == 0; round++) {
			held_count = 0;
			peer.upload = SPAN("four");
			peer.upload_ends = true;
			(void)PEER_ASK(true, PEER_HEAD("POST", "/"), "content-length", lengths[i]);
			peer_talk();
		}
		assert_true(round <= house.host.limits.h2_resets + 1);
		assert_int_equal(peer.goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
		peer_leave();
	}
}

static void trailers_that_are_too_much_count_as_resets_too(void **state)
{
	static uint8_t value[5000];
	unsigned round;

	(void)state;
	memset(value, 'x', sizeof value);
	house.service = &many;
	peer_connect();
	for (round = 0; round < 240 && house.closed == 0; round++) {
		nghttp2_nv trailer = {(uint8_t *)(uintptr_t) "x-a", value, 3, sizeof value, NGHTTP2_NV_FLAG_NONE};
		int32_t id;

		held_count = 0;
		peer.upload = SPAN("four");
		peer.upload_ends = false;
		id = PEER_ASK(true, PEER_HEAD("POST", "/"));
		peer_talk();
		assert_int_equal(nghttp2_submit_trailer(peer.session, id, &trailer, 1), 0);
		peer_talk();
	}
	assert_true(round <= house.host.limits.h2_resets + 1);
	assert_int_equal(peer.goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
	peer_leave();
}

static void continuations_have_an_end(void **state)
{
	struct buffer bytes;
	int i;

	(void)state;
	peer_connect();
	buffer_init(&bytes, 1 << 20);
	peer_frame_into(&bytes, NGHTTP2_HEADERS, NGHTTP2_FLAG_END_STREAM, 1, SPAN(""));
	for (i = 0; i < 50; i++)
		peer_frame_into(&bytes, NGHTTP2_CONTINUATION, 0, 1, SPAN("\x00\x01x\x01y"));
	script_give(house.stream, buffer_span(&bytes).at, buffer_span(&bytes).size);
	buffer_release(&bytes);
	script_ready(house.stream);
	house_turn();
	peer_hear();
	assert_int_equal(peer.goaway_code, NGHTTP2_ENHANCE_YOUR_CALM);
	assert_int_equal(house.closed, 1);
	assert_int_equal(house.exchanges, 0);
	peer_leave();
}

static void more_streams_than_allowed_are_refused(void **state)
{
	unsigned i;

	(void)state;
	house.service = &many;
	house.host.limits.h2_streams = 5;
	peer_connect_silently();
	peer_start(NULL, 0);
	for (i = 0; i < 9; i++)
		(void)peer_get("/");
	peer_talk();
	assert_int_equal(house.opened, 5);
	peer_leave();
}

static void a_head_that_never_ends_is_not_waited_for(void **state)
{
	(void)state;
	peer_connect();
	peer_flood(1, NGHTTP2_HEADERS, 0, 1, SPAN("\x82"));
	house_advance(house.host.limits.head_time + house.host.limits.idle_time / 4);
	house_turn();
	assert_int_equal(house.closed, 1);
	peer_leave();
}

static void a_body_that_does_not_come_is_408_and_a_shut_window_ends_it(void **state)
{
	nghttp2_settings_entry shut = {NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, 0};
	int32_t id;
	int i;

	(void)state;
	house.service = &holder;
	peer_connect();
	id = PEER_ASK(true, PEER_HEAD("POST", "/up"));
	peer_talk();
	for (i = 0; i < 20; i++) {
		house_advance(house.host.limits.idle_time / 8);
		house_turn();
	}
	peer_talk();
	assert_int_equal(peer_stream(id)->status, 408);
	peer_leave();

	peer_connect_with(&shut, 1);
	id = peer_get("/");
	peer_talk();
	page_answer(house.held, 200, SPAN("text/plain"), SPAN("never taken"));
	for (i = 0; i < 20; i++) {
		peer_talk();
		house_advance(house.host.limits.idle_time / 8);
		house_turn();
	}
	peer_talk();
	assert_int_equal(peer_stream(id)->status, 200);
	assert_int_equal(peer_stream(id)->code, NGHTTP2_ENHANCE_YOUR_CALM);
	assert_int_equal(house.left_why, ENDED_LATE);
	peer_leave();
}

static void what_is_no_http2_ends_the_connection(void **state)
{
	static const char *const nonsense[] = {"GET / HTTP/1.1\r\nHost: a\r\n\r\n", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\nGARBAGE-FRAME!!",
					       "PRI * HTTP/1.0\r\n\r\nSM\r\n\r\n"};
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		peer_connect_silently();
		peer_start(NULL, 0);
		house_say(nonsense[i]);
		house_turn();
		assert_int_equal(house.closed, 1);
		assert_int_equal(house.exchanges, 0);
		peer_leave();
	}
}

static void a_session_survives_any_byte_being_another(void **state)
{
	static char upload[300];
	struct buffer whole;
	size_t i, size;
	char *copy;

	(void)state;
	peer_connect_silently();
	peer_start(NULL, 0);
	buffer_init(&whole, 1 << 20);
	(void)peer_post("/up", filled(upload, sizeof upload));
	(void)peer_get("/second");
	peer_collect(&whole);
	peer_leave();
	size = buffer_span(&whole).size;
	copy = malloc(size);
	for (i = 0; i < size; i++) {
		memcpy(copy, buffer_span(&whole).at, size);
		copy[i] = (char)(copy[i] ^ (1 << i % 8));
		house.left = house.exchanges = 0;
		peer_connect_silently();
		peer_start(NULL, 0);
		script_give(house.stream, copy, size);
		script_end(house.stream);
		script_ready(house.stream);
		house_turn();
		assert_true(house.exchanges <= house.left);
		peer_leave();
	}
	free(copy);
	buffer_release(&whole);
}

/* -- one form -- */

static char told_by[2][4096];
static int told_index;
static void tell_request(struct exchange *exchange)
{
	const struct head *request = exchange->request;
	struct buffer text;
	size_t i;

	house.opened++;
	buffer_init(&text, 8192);
	buffer_printf(&text, "%.*s %.*s?%.*s host=%.*s framing=%d length=%llu\n", SPAN_PRINT(request->method_name),
		      SPAN_PRINT(exchange->target->path), SPAN_PRINT(exchange->target->query),
		      SPAN_PRINT(request->host), request->framing, (unsigned long long)request->length);
	for (i = 0; i < request->field_count; i++)
		buffer_printf(&text, "%.*s: %.*s [%d %d]\n", SPAN_PRINT(request->fields[i].name),
			      SPAN_PRINT(request->fields[i].value), request->fields[i].known, request->fields[i].flags);
	snprintf(told_by[told_index], sizeof told_by[0], "%.*s", SPAN_PRINT(buffer_span(&text)));
	buffer_release(&text);
	page_answer(exchange, 200, SPAN("text/plain"), SPAN("ok"));
}

static void by_http1_and_http2_a_request_is_the_same(void **state)
{
	static const struct service teller = {.name = "teller", .open = tell_request, .release = count_release};

	(void)state;
	house.service = &teller;
	told_index = 0;
	house_connect();
	house_say("POST /a/./b%41?q=1 HTTP/1.1\r\nhost: door.test\r\naccept: a/b\r\nx-ssl-client-verify: SUCCESS\r\n"
		  "cookie: a=1; b=2\r\nte: trailers\r\ncontent-length: 0\r\nx_forwarded-for: 1\r\n\r\n");
	house_leave();
	told_index = 1;
	peer_connect();
	(void)PEER_ASK(false, PEER_HEAD("POST", "/a/./b%41?q=1"), "accept", "a/b", "x-ssl-client-verify", "SUCCESS",
		       "cookie", "a=1", "cookie", "b=2", "te", "trailers", "content-length", "0", "x_forwarded-for", "1");
	peer_talk();
	peer_leave();
	assert_string_equal(told_by[0], told_by[1]);
	assert_true(strlen(told_by[0]) > 100);
}

static void an_idle_connection_holds_no_buffers(void **state)
{
	(void)state;
	peer_connect();
	(void)peer_get("/");
	(void)peer_post("/up", SPAN("body"));
	peer_talk();
	assert_int_equal(house.host.heads.taken + house.host.spills.taken + house.host.bulk.taken +
				 house.host.answers.taken + house.host.visits.taken + house.host.streams.taken +
				 house.host.windows.taken + house.host.rests.taken,
			 0);
	peer_leave();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
#define CLAIM(name) cmocka_unit_test_setup_teardown(name, open_house, close_house)
#define TAKER(name) cmocka_unit_test_setup_teardown(name, open_taker, close_house)
		CLAIM(a_request_is_answered),
		CLAIM(a_body_arrives_whole_at_every_split),
		CLAIM(answers_leave_whole_however_little_is_taken),
		CLAIM(trailers_pass_and_those_that_may_not_do_not),
		CLAIM(a_request_whose_body_nobody_wants_is_answered_and_stopped),
		CLAIM(interim_answers_and_heads_without_bodies),
		CLAIM(an_answer_shorter_than_its_length_is_reset),
		CLAIM(a_failed_answer_resets_its_stream_alone),
		CLAIM(a_head_that_may_not_be_is_refused_and_nobody_else_suffers),
		CLAIM(values_that_hold_nul_are_refused),
		CLAIM(a_head_that_is_too_large_gets_431),
		CLAIM(crumbs_become_one_cookie_wherever_they_stand),
		CLAIM(a_slow_service_holds_one_window_and_no_more),
		CLAIM(the_connections_credit_stops_when_a_megabyte_is_held),
		TAKER(a_large_upload_that_is_taken_gets_a_wide_window),
		TAKER(an_upload_of_unknown_length_gets_it_after_a_megabyte),
		TAKER(the_other_uploads_keep_their_window),
		TAKER(wide_windows_are_counted_by_connection_and_worker),
		TAKER(stalled_wide_uploads_hold_their_windows_and_the_others_pass),
		TAKER(frames_that_come_together_are_one_piece),
		CLAIM(a_slow_reader_holds_one_answer_and_the_others_pass),
		CLAIM(a_client_that_takes_nothing_grows_nothing),
		CLAIM(a_stream_reset_in_the_read_that_brought_it_never_reaches_the_door),
		CLAIM(a_cancelled_stream_cancels_its_service_in_the_same_turn),
		CLAIM(a_service_may_answer_and_fail_inside_its_notices),
		CLAIM(the_connections_loss_ends_every_exchange),
		CLAIM(a_drain_says_goaway_twice_and_finishes),
		CLAIM(an_idle_connection_drains_at_once_and_a_silent_one_within_a_second),
		CLAIM(an_idle_connection_ends_with_goaway),
		CLAIM(a_revocation_resets_all_and_lets_a_tunnel_say_its_word),
		CLAIM(one_exchange_may_be_ended_alone),
		CLAIM(a_tunnel_carries_bytes_both_ways_and_its_ends),
		CLAIM(a_tunnels_cut_is_a_reset_both_ways),
		CLAIM(half_a_websocket_request_is_refused),
		CLAIM(a_flood_ends_the_connection_with_enhance_your_calm),
		CLAIM(as_many_over_some_seconds_are_no_flood),
		CLAIM(a_rapid_reset_ends_the_connection_and_few_reach_the_door),
		CLAIM(resets_that_we_are_made_to_send_count_too),
		CLAIM(bodies_against_their_length_count_as_resets_too),
		CLAIM(trailers_that_are_too_much_count_as_resets_too),
		CLAIM(continuations_have_an_end),
		CLAIM(more_streams_than_allowed_are_refused),
		CLAIM(a_head_that_never_ends_is_not_waited_for),
		CLAIM(a_body_that_does_not_come_is_408_and_a_shut_window_ends_it),
		CLAIM(what_is_no_http2_ends_the_connection),
		CLAIM(a_session_survives_any_byte_being_another),
		CLAIM(by_http1_and_http2_a_request_is_the_same),
		CLAIM(an_idle_connection_holds_no_buffers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
