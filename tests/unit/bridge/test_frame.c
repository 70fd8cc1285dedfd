#include "bridge/frame.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

static void a_frame_is_read_as_it_was_written(void **state)
{
	struct frame_head head;
	struct buffer out;
	struct error err;
	json_t *words = json_pack("{s:s}", "name", "Zo\xc3\xab"), *back;
	struct span bytes;

	(void)state;
	buffer_init(&out, 1000);
	assert_int_equal(frame_write(&out, 0x1234567, true, true, words, &err), OK);
	bytes = buffer_span(&out);
	assert_int_equal(frame_read_head(bytes, &head, &err), OK);
	assert_int_equal(head.ticket, 0x1234567);
	assert_true(head.is_answer && head.has_descriptor);
	assert_int_equal(head.size, out.size - FRAME_HEAD_SIZE);
	span_skip(&bytes, FRAME_HEAD_SIZE);
	assert_int_equal(frame_read_words(bytes, &back, &err), OK);
	assert_true(json_equal(words, back));
	json_decref(words);
	json_decref(back);
	buffer_release(&out);
}

static void a_length_out_of_bounds_is_refused_before_anything_is_kept(void **state)
{
	static const uint32_t sizes[] = {0, 1, FRAME_WORDS_MOST + 1, 0x7fffffff};
	size_t i;

	(void)state;
	for (i = 0; i < 4; i++) {
		uint32_t bytes[2] = {sizes[i], 1};
		struct frame_head head;
		struct error err;
		char expected[64];

		snprintf(expected, sizeof expected, "sent a frame of %u bytes", sizes[i]);
		assert_int_equal(frame_read_head(span_make(bytes, 8), &head, &err), REFUSED);
		assert_string_equal(err.text, expected);
	}
}

static void assert_refused(const char *text, const char *why)
{
	struct error err;
	json_t *words = NULL;

	if (frame_read_words(span_of(text), &words, &err) != REFUSED)
		fail_msg("read: %s", text);
	assert_null(words);
	if (!strstr(err.text, why))
		fail_msg("%s: %s", text, err.text);
}

static void json_is_read_strictly(void **state)
{
	char deep[64];
	struct error err;
	json_t *words;

	(void)state;
	assert_refused("[1]", "no object");
	assert_refused("{\"a\":1,\"a\":2}", "bad JSON: duplicate");
	assert_refused("{\"a\":1} x", "bad JSON");
	assert_refused("{\"a\":\"\\u0000\"}", "bad JSON");
	assert_refused("{\"a\":\"\xff\"}", "bad JSON");
	assert_refused("{\"a\":1e999}", "bad JSON");
	assert_refused("{\"a\"", "bad JSON");
	assert_refused("17", "bad JSON");
	memset(deep, 0, sizeof deep);
	memcpy(deep, "{\"a\":", 5);
	memset(deep + 5, '[', 16);
	memset(deep + 21, ']', 16);
	deep[37] = '}';
	assert_refused(deep, "more than 16 deep");
	memcpy(deep + 20, "1", 1);
	deep[5 + 15] = '1';
	deep[21 + 15] = '}';
	deep[37] = 0;
	assert_int_equal(frame_read_words(span_of(deep), &words, &err), OK);
	json_decref(words);
	/* Brackets in texts are no depth. */
	assert_int_equal(frame_read_words(SPAN("{\"a\":\"[[[[[[[[[[[[[[[[[[[[[[\\\"[\"}"), &words, &err), OK);
	json_decref(words);
}

static void words_that_are_too_many_are_not_sent(void **state)
{
	static char large[FRAME_WORDS_MOST];
	struct buffer out;
	struct error err;
	json_t *words;

	(void)state;
	memset(large, 'x', sizeof large - 1);
	words = json_pack("{s:s}", "a", large);
	buffer_init(&out, 1 << 20);
	assert_int_equal(frame_write(&out, 1, false, false, words, &err), REFUSED);
	assert_string_equal(err.text, "the message has more than 262144 bytes");
	assert_int_equal(out.size, 0);
	json_decref(words);
	buffer_release(&out);
}

static void an_answer_is_understood_in_each_status(void **state)
{
	struct error why = {"no such person: \"bob\""}, err;
	const json_t *words;
	json_t *frame;

	(void)state;
	frame = frame_answer(REFUSED, NULL, &why);
	assert_int_equal(frame_read_answer(frame, &words, &err), REFUSED);
	assert_string_equal(err.text, "no such person: \"bob\"");
	json_decref(frame);
	frame = frame_answer(FAILED, NULL, NULL);
	assert_int_equal(frame_read_answer(frame, &words, &err), FAILED);
	json_decref(frame);
	frame = frame_answer(AGAIN, NULL, &why);
	assert_int_equal(frame_read_answer(frame, &words, &err), AGAIN);
	json_decref(frame);
	frame = frame_answer(OK, NULL, NULL);
	assert_int_equal(frame_read_answer(frame, &words, &err), OK);
	assert_non_null(words);
	json_decref(frame);
	frame = json_object();
	assert_int_equal(frame_read_answer(frame, &words, &err), FAILED);
	json_decref(frame);
	/* Cut inside a character: not UTF-8 any more, still an answer. */
	memcpy(why.text, "Zo\xc3", 4);
	frame = frame_answer(REFUSED, NULL, &why);
	assert_int_equal(frame_read_answer(frame, &words, &err), REFUSED);
	json_decref(frame);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_frame_is_read_as_it_was_written),
		cmocka_unit_test(a_length_out_of_bounds_is_refused_before_anything_is_kept),
		cmocka_unit_test(json_is_read_strictly),
		cmocka_unit_test(words_that_are_too_many_are_not_sent),
		cmocka_unit_test(an_answer_is_understood_in_each_status),
	};

	frame_init();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
