#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <cmocka.h>

#include "base/line_ring.h"
#include "base/log.h"
#include "support/set_clock.h"

static int set_up(void **state)
{
	(void)state;
	set_clock_begin();
	log_init("gateway.2", LOG_INFO);
	log_gather(true);
	while (line_ring_waiting(log_ring()))
		line_ring_taken(log_ring(), line_ring_take(log_ring(), SIZE_MAX).size);
	return 0;
}

/* All that waits, as one text. */
static const char *drained(void)
{
	static char text[LOG_RING_SIZE + 1];
	size_t size = 0;

	while (line_ring_waiting(log_ring())) {
		struct span run = line_ring_take(log_ring(), SIZE_MAX);

		memcpy(text + size, run.at, run.size);
		size += run.size;
		line_ring_taken(log_ring(), run.size);
	}
	text[size] = 0;
	return text;
}

static void a_line_is_logfmt(void **state)
{
	(void)state;
	log_begin(LOG_WARNING, "exchange");
	log_text("device", SPAN("ab12"));
	log_text("why", SPAN("not \"here\"\n"));
	log_text("empty", SPAN(""));
	log_text("equal", SPAN("a=b"));
	log_number("status", 403);
	log_end();
	assert_string_equal(drained(),
			    "at=2026-11-21T03:13:30Z level=warning role=gateway.2 event=exchange "
			    "device=ab12 why=\"not \\\"here\\\"\\x0a\" empty=\"\" equal=\"a=b\" status=403\n");
}

static void a_line_below_the_level_is_no_line(void **state)
{
	(void)state;
	log_say(LOG_DEBUG, "noise", "%d", 1);
	assert_int_equal(line_ring_waiting(log_ring()), 0);
}

static void nothing_that_is_logged_makes_a_second_line(void **state)
{
	char bytes[256];
	int i;

	(void)state;
	for (i = 0; i < 256; i++)
		bytes[i] = (char)i;
	log_begin(LOG_INFO, "bytes");
	log_text("all", span_make(bytes, sizeof bytes));
	log_end();
	assert_ptr_equal(strchr(drained(), '\n')[1] ? NULL : "", "");
}

static void lines_wrap_around_the_ring_whole(void **state)
{
	char expected[32];
	unsigned i;

	(void)state;
	for (i = 0; i < 5000; i++) {
		const char *line;

		log_begin(LOG_INFO, "x");
		log_number("n", i);
		log_end();
		line = drained();
		snprintf(expected, sizeof expected, " event=x n=%u\n", i);
		assert_non_null(strstr(line, expected));
		assert_true(strncmp(line, "at=", 3) == 0);
	}
}

static void a_full_ring_drops_lines_and_says_how_many(void **state)
{
	unsigned i, written = 0;
	const char *line, *text;

	(void)state;
	for (i = 0; i < 2000; i++) {
		log_begin(LOG_INFO, "flood");
		log_number("n", i);
		log_end();
	}
	for (text = drained(), line = text; (line = strchr(line, '\n')); line++)
		written++;
	assert_in_range(written, 500, 1999);
	log_begin(LOG_INFO, "after");
	log_end();
	{
		char expected[40];

		snprintf(expected, sizeof expected, " event=after dropped=%u\n", 2000 - written);
		assert_non_null(strstr(drained(), expected));
	}
}

static void a_line_that_is_too_long_is_cut_and_still_a_line(void **state)
{
	char long_text[512];
	const char *line;
	int i;

	(void)state;
	memset(long_text, 'y', sizeof long_text);
	log_begin(LOG_INFO, "long");
	for (i = 0; i < 20; i++)
		log_text("key", span_make(long_text, sizeof long_text));
	log_end();
	line = drained();
	assert_int_equal(strlen(line), 4096);
	assert_int_equal(line[4095], '\n');
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(a_line_is_logfmt, set_up),
		cmocka_unit_test_setup(a_line_below_the_level_is_no_line, set_up),
		cmocka_unit_test_setup(nothing_that_is_logged_makes_a_second_line, set_up),
		cmocka_unit_test_setup(lines_wrap_around_the_ring_whole, set_up),
		cmocka_unit_test_setup(a_full_ring_drops_lines_and_says_how_many, set_up),
		cmocka_unit_test_setup(a_line_that_is_too_long_is_cut_and_still_a_line, set_up),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
