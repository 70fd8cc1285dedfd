#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <time.h>

#include <cmocka.h>

#include "base/moment.h"

static void days_and_times_are_read_to_the_second(void **state)
{
	static const struct {
		const char *text;
		int64_t seconds;
		bool is_local;
	} good[] = {
		{"2026-12-24", 1798070400, true},
		{"2026-12-24T08:00", 1798099200, true},
		{"2026-12-24 08:00:30", 1798099230, true},
		{"2026-12-24T08:00Z", 1798099200, false},
		{"2026-12-24T08:00:30Z", 1798099230, false},
		{"2026-12-24T08:00+01:00", 1798095600, false},
		{"2026-12-24T08:00-05:30", 1798119000, false},
		{"2000-02-29", 951782400, true},
		{"2000-03-01", 951868800, true},
		{"2024-02-29T23:59:59Z", 1709251199, false},
		{"9999-12-31T23:59:59Z", 253402300799, false},
	};
	struct moment moment;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof good / sizeof *good; i++) {
		assert_true(moment_parse(span_of(good[i].text), &moment));
		assert_int_equal(moment.seconds, good[i].seconds);
		assert_int_equal(moment.is_local, good[i].is_local);
	}
}

static void what_is_no_day_of_the_calendar_is_refused(void **state)
{
	static const char *const bad[] = {
		"", "2026", "2026-12", "2026-12-", "2026-13-01", "2026-00-01", "2026-02-29", "2100-02-29", "2026-04-31",
		"2026-12-00", "2026-12-24T", "2026-12-24T8:00", "2026-12-24T24:00", "2026-12-24T08:60", "2026-12-24T08",
		"2026-12-24T08:00:60", "2026-12-24T08:00Zx", "2026-12-24T08:00+1", "2026-12-24T08:00+15:00", "2026-12-24Z",
		"1999-12-31", "26-12-24", "2026-12-24T08:00 ", " 2026-12-24", "24.12.2026", "+026-12-24", "2026-1-24",
		"2026-12-24T-8:00", "tomorrow",
	};
	struct moment moment;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		if (moment_parse(span_of(bad[i]), &moment))
			fail_msg("\"%s\" was taken for a day", bad[i]);
}

static void a_local_day_begins_when_the_machines_clock_says_so(void **state)
{
	char text[MOMENT_TEXT_SIZE];
	struct moment day;

	(void)state;
	setenv("TZ", "XYZ-7", 1); /* of the process: asked by nobody */
	moment_set_zone("CET-1CEST,M3.5.0,M10.5.0/3");
	assert_true(moment_parse(SPAN("2026-12-24"), &day));
	assert_int_equal(moment_settle(day.seconds), 1798070400 - 3600);
	moment_text(1798070400 - 3600, text);
	assert_string_equal(text, "2026-12-24 00:00 CET");
	assert_true(moment_parse(SPAN("2026-07-01T12:00:05"), &day));
	moment_text(moment_settle(day.seconds), text);
	assert_string_equal(text, "2026-07-01 12:00:05 CEST");
	assert_string_equal(getenv("TZ"), "XYZ-7");
	moment_set_zone("UTC0");
	assert_int_equal(moment_settle(1798070400), 1798070400);
	moment_set_zone(NULL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(days_and_times_are_read_to_the_second),
		cmocka_unit_test(what_is_no_day_of_the_calendar_is_refused),
		cmocka_unit_test(a_local_day_begins_when_the_machines_clock_says_so),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
