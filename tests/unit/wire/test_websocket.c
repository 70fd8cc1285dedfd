#include "wire/websocket.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct error err;

static void the_accept_is_that_of_the_rfc(void **state)
{
	char accept[WEBSOCKET_ACCEPT_SIZE + 1];

	(void)state;
	websocket_accept(SPAN("dGhlIHNhbXBsZSBub25jZQ=="), accept);
	assert_string_equal(accept, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
}

static void a_key_is_16_bytes_in_base64(void **state)
{
	(void)state;
	assert_true(websocket_is_key(SPAN("dGhlIHNhbXBsZSBub25jZQ==")));
	assert_true(websocket_is_key(SPAN("AAAAAAAAAAAA+/AAAAAAAA==")));
	assert_false(websocket_is_key(SPAN("")));
	assert_false(websocket_is_key(SPAN("dGhlIHNhbXBsZSBub25jZQ=")));
	assert_false(websocket_is_key(SPAN("dGhlIHNhbXBsZSBub25jZQ=a")));
	assert_false(websocket_is_key(SPAN("dGhlIHNhbXBsZSBub25j Q==")));
	assert_false(websocket_is_key(SPAN("dGhlIHNhbXBsZSBub25jZQ==\n")));
}

static void a_frame_head_is_read_back(void **state)
{
	static const uint64_t lengths[] = {0, 1, 125, 126, 127, 65535, 65536, INT64_MAX};
	size_t i, k;

	(void)state;
	for (i = 0; i < sizeof lengths / sizeof *lengths * 2; i++) {
		struct websocket_frame frame = {true, i % 2, 4, WEBSOCKET_BINARY, {1, 2, 3, 4}, lengths[i / 2]};
		struct websocket_frame back;
		uint8_t bytes[WEBSOCKET_HEAD_MAX];
		size_t size = websocket_frame_write(&frame, bytes), used;

		for (k = 0; k < size; k++)
			assert_int_equal(websocket_frame_parse(span_make(bytes, k), INT64_MAX, &back, &used,
							       &err), AGAIN);
		assert_int_equal(websocket_frame_parse(span_make(bytes, size), INT64_MAX, &back, &used, &err), OK);
		assert_int_equal(used, size);
		assert_true(back.length == frame.length && back.fin && back.reserved == 4);
		assert_int_equal(back.opcode, WEBSOCKET_BINARY);
		assert_int_equal(back.masked, frame.masked);
		if (frame.masked)
			assert_memory_equal(back.key, frame.key, 4);
	}
}

static void bad_frame_heads_are_refused(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		const char *why;
	} cases[] = {
		{"\x83\x00", 2, "a WebSocket frame has the reserved opcode 3"},
		{"\x8f\x00", 2, "a WebSocket frame has the reserved opcode 15"},
		{"\x09\x00", 2, "a WebSocket control frame is long or in fragments"},
		{"\x88\x7e\x00\x7e", 4, "a WebSocket control frame is long or in fragments"},
		{"\x82\x7e\x00\x7d", 4, "a WebSocket frame's length is not in its shortest form"},
		{"\x82\x7f\x00\x00\x00\x00\x00\x00\xff\xff", 10, "a WebSocket frame's length is not in its shortest form"},
		{"\x82\x7f\x80\x00\x00\x00\x00\x00\x00\x00", 10, "a WebSocket frame's length is not in its shortest form"},
		{"\x82\x7e\x04\x01", 4, "a WebSocket frame is larger than 1024 bytes"},
	};
	struct websocket_frame frame;
	size_t i, used;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(websocket_frame_parse(span_make(cases[i].bytes, cases[i].size), 1024, &frame,
						       &used, &err), REFUSED);
		assert_string_equal(err.text, cases[i].why);
	}
}

static void masking_twice_is_nothing_and_offset_counts(void **state)
{
	static const uint8_t key[4] = {0x37, 0xfa, 0x21, 0x3d};
	char text[40] = "Hello, this is longer than one word.";
	char copy[40], parts[40];
	size_t cut;

	(void)state;
	memcpy(copy, text, sizeof text);
	websocket_mask(copy, 36, key, 0);
	assert_memory_equal(copy, "\x7f\x9f\x4d\x51\x58", 5); /* RFC 6455 section 5.7 */
	for (cut = 0; cut <= 36; cut++) {
		memcpy(parts, text, sizeof text);
		websocket_mask(parts, cut, key, 0);
		websocket_mask(parts + cut, 36 - cut, key, cut);
		assert_memory_equal(parts, copy, 36);
	}
	websocket_mask(copy, 36, key, 0);
	assert_memory_equal(copy, text, 36);
}

static void a_close_says_code_and_reason(void **state)
{
	uint8_t frame[WEBSOCKET_CLOSE_MAX];
	char longer[200];

	(void)state;
	assert_int_equal(websocket_close_frame(WEBSOCKET_POLICY, SPAN("revoked"), frame), 11);
	assert_memory_equal(frame, "\x88\x09\x03\xf0revoked", 11);
	memset(longer, 'a', sizeof longer);
	assert_int_equal(websocket_close_frame(1000, span_make(longer, 200), frame), WEBSOCKET_CLOSE_MAX);
	assert_int_equal(frame[1], 125);
	/* A character of two bytes is not cut in the middle. */
	memcpy(longer + 122, "\xc3\xa9", 2);
	assert_int_equal(websocket_close_frame(1000, span_make(longer, 200), frame), WEBSOCKET_CLOSE_MAX - 1);
}

/* A text in two fragments with a ping between them, a close: server to client. */
static const char stream[] = "\x01\x03" "abc" "\x89\x02" "hi" "\x80\x00" "\x82\x7e\x00\x80"
			     "................................................................"
			     "................................................................"
			     "\x88\x02\x03\xe8";
static const size_t boundaries[] = {0, 5, 9, 11, 143, 147};

static bool is_boundary(size_t at)
{
	size_t i;

	for (i = 0; i < sizeof boundaries / sizeof *boundaries; i++)
		if (boundaries[i] == at)
			return true;
	return false;
}

static void boundaries_are_known_at_every_byte(void **state)
{
	struct websocket_follower follower;
	size_t at, step;

	(void)state;
	for (step = 1; step < sizeof stream; step++) {
		websocket_follow_init(&follower, false);
		for (at = 0; at < sizeof stream - 1;) {
			size_t size = sizeof stream - 1 - at < step ? sizeof stream - 1 - at : step;

			assert_int_equal(websocket_follow(&follower, span_make(stream + at, size), &err), OK);
			at += size;
			assert_int_equal(websocket_is_at_boundary(&follower), is_boundary(at));
			if (at == 9)
				assert_true(follower.fragmented);
		}
		assert_true(follower.closing);
	}
}

static void following_stops_at_the_first_boundary(void **state)
{
	struct websocket_follower follower;
	size_t used, at;

	(void)state;
	websocket_follow_init(&follower, false);
	assert_int_equal(websocket_follow_to_boundary(&follower, span_make(stream, 20), &used, &err), OK);
	assert_int_equal(used, 0);
	for (at = 12; at < 143; at++) {
		websocket_follow_init(&follower, false);
		assert_int_equal(websocket_follow(&follower, span_make(stream, at), &err), OK);
		assert_int_equal(websocket_follow_to_boundary(&follower, span_make(stream + at, 1), &used, &err),
				 at == 142 ? OK : AGAIN);
		assert_int_equal(used, 1);
		if (at < 142)
			assert_int_equal(websocket_follow_to_boundary(&follower, span_make(stream + at + 1, 147 - at - 1),
								      &used, &err), OK);
		if (at < 142)
			assert_int_equal(used, 143 - at - 1);
		assert_true(websocket_is_at_boundary(&follower));
	}
}

static void what_is_no_websocket_loses_the_boundary_for_good(void **state)
{
	static const struct {
		const char *bytes;
		size_t size;
		bool from_client;
		const char *why;
	} cases[] = {
		{"HTTP/1.1 200 OK", 15, false, "a WebSocket control frame is long or in fragments"},
		{"\x81\x80\x00\x00\x00\x00", 6, false, "a WebSocket server's frame is masked"},
		{"\x81\x00", 2, true, "a WebSocket client's frame is not masked"},
		{"\x80\x00", 2, false, "a WebSocket fragment stands out of order"},
		{"\x01\x00\x81\x00", 4, false, "a WebSocket fragment stands out of order"},
		{"\x88\x00\x81\x00", 4, false, "a WebSocket frame follows the Close"},
	};
	struct websocket_follower follower;
	size_t i, used;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		websocket_follow_init(&follower, cases[i].from_client);
		assert_int_equal(websocket_follow(&follower, span_make(cases[i].bytes, cases[i].size), &err), REFUSED);
		assert_string_equal(err.text, cases[i].why);
		assert_false(websocket_is_at_boundary(&follower));
		assert_int_equal(websocket_follow(&follower, SPAN("\x81"), &err), REFUSED);
		assert_int_equal(websocket_follow_to_boundary(&follower, SPAN("\x81"), &used, &err), REFUSED);
	}
}

static void client_frames_are_followed_through_their_masks(void **state)
{
	struct websocket_follower follower;

	(void)state;
	websocket_follow_init(&follower, true);
	assert_int_equal(websocket_follow(&follower, SPAN("\x81\x85\x37\xfa\x21\x3d\x7f\x9f\x4d\x51\x58"), &err), OK);
	assert_true(websocket_is_at_boundary(&follower));
	assert_int_equal(websocket_follow(&follower, SPAN("\x81\xff\x00\x00\x00\x00\x01\x00\x00\x00kkkkx"), &err), OK);
	assert_true(follower.left == 0xffffff);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_accept_is_that_of_the_rfc),
		cmocka_unit_test(a_key_is_16_bytes_in_base64),
		cmocka_unit_test(a_frame_head_is_read_back),
		cmocka_unit_test(bad_frame_heads_are_refused),
		cmocka_unit_test(masking_twice_is_nothing_and_offset_counts),
		cmocka_unit_test(a_close_says_code_and_reason),
		cmocka_unit_test(boundaries_are_known_at_every_byte),
		cmocka_unit_test(following_stops_at_the_first_boundary),
		cmocka_unit_test(what_is_no_websocket_loses_the_boundary_for_good),
		cmocka_unit_test(client_frames_are_followed_through_their_masks),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
