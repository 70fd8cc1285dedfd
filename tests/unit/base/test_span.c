#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/span.h"

static void cutting_gives_every_part_between_separators(void **state)
{
	struct span rest = SPAN("a,,b"), part;

	(void)state;
	assert_true(span_cut(&rest, ',', &part));
	assert_true(span_is(part, "a"));
	assert_true(span_cut(&rest, ',', &part));
	assert_int_equal(part.size, 0);
	assert_true(span_cut(&rest, ',', &part));
	assert_true(span_is(part, "b"));
	assert_false(span_cut(&rest, ',', &part));
	assert_false(span_cut(&rest, ',', &part));
}

static void cutting_nothing_gives_nothing(void **state)
{
	struct span rest = SPAN(""), part;

	(void)state;
	assert_false(span_cut(&rest, ',', &part));
	rest = (struct span){NULL, 0};
	assert_false(span_cut(&rest, ',', &part));
}

static void a_separator_at_the_end_ends_the_last_part(void **state)
{
	struct span rest = SPAN("a\n"), part;

	(void)state;
	assert_true(span_cut(&rest, '\n', &part));
	assert_true(span_is(part, "a"));
	assert_false(span_cut(&rest, '\n', &part));
}

static void numbers_are_digits_and_nothing_else(void **state)
{
	static const char *const bad[] = {"", "-1", "+1", " 1", "1 ", "0x1", "1a", "18446744073709551616",
					  "99999999999999999999999"};
	uint64_t out = 7;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++)
		assert_false(span_to_u64(span_of(bad[i]), UINT64_MAX, &out));
	assert_int_equal(out, 7);
	assert_true(span_to_u64(SPAN("18446744073709551615"), UINT64_MAX, &out));
	assert_true(out == UINT64_MAX);
	assert_true(span_to_u64(SPAN("0010"), 10, &out));
	assert_int_equal(out, 10);
	assert_false(span_to_u64(SPAN("11"), 10, &out));
}

static void case_is_folded_for_ascii_alone(void **state)
{
	(void)state;
	assert_true(span_is_nocase(SPAN("HoST"), "host"));
	assert_false(span_is_nocase(SPAN("hos"), "host"));
	assert_false(span_is_nocase(SPAN("\xc4"), "\xe4"));
	assert_false(span_is_nocase(SPAN("@"), "`"));
	assert_false(span_is_nocase(SPAN("["), "{"));
}

static void trimming_takes_spaces_and_tabs_at_both_ends(void **state)
{
	(void)state;
	assert_true(span_is(span_trim(SPAN(" \t a b\t ")), "a b"));
	assert_int_equal(span_trim(SPAN(" \t ")).size, 0);
	assert_true(span_is(span_trim(SPAN("\ra")), "\ra"));
}

static void beginnings_and_ends_may_be_the_whole(void **state)
{
	(void)state;
	assert_true(span_starts(SPAN("unix:"), "unix:"));
	assert_false(span_starts(SPAN("uni"), "unix:"));
	assert_true(span_ends(SPAN("a.pem"), ".pem"));
	assert_false(span_ends(SPAN("pem"), ".pem"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(cutting_gives_every_part_between_separators),
		cmocka_unit_test(cutting_nothing_gives_nothing),
		cmocka_unit_test(a_separator_at_the_end_ends_the_last_part),
		cmocka_unit_test(numbers_are_digits_and_nothing_else),
		cmocka_unit_test(case_is_folded_for_ascii_alone),
		cmocka_unit_test(trimming_takes_spaces_and_tabs_at_both_ends),
		cmocka_unit_test(beginnings_and_ends_may_be_the_whole),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
