#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/utf8.h"

static void characters_are_taken_whole(void **state)
{
	static const struct {
		const char *text;
		unsigned size;
		uint32_t character;
	} rows[] = {
		{"a", 1, 'a'}, {"\x7f", 1, 0x7f}, {"\xc3\xa9!", 2, 0xe9}, {"\xe2\x82\xac", 3, 0x20ac},
		{"\xf0\x9f\x94\x91", 4, 0x1f511}, {"\xf4\x8f\xbf\xbf", 4, 0x10ffff},
	};
	size_t i;
	uint32_t character;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		assert_int_equal(utf8_take(span_of(rows[i].text), &character), rows[i].size);
		assert_int_equal(character, rows[i].character);
	}
}

static void what_is_no_utf8_is_not_taken(void **state)
{
	/* Alone, cut, overlong, surrogates, too large. */
	static const char *const rows[] = {"\x80", "\xff", "\xfe", "\xc3", "\xc3(", "\xe2\x82", "\xf0\x9f\x94", "\xc0\x80",
					   "\xc1\xbf", "\xe0\x80\x80", "\xf0\x80\x80\x80", "\xed\xa0\x80", "\xed\xbf\xbf",
					   "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80"};
	size_t i;
	uint32_t character;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof *rows; i++)
		assert_int_equal(utf8_take(span_of(rows[i]), &character), 0);
}

static void what_moves_a_terminal_is_known(void **state)
{
	static const uint32_t bad[] = {0, 7, 0x1b, 0x7f, 0x80, 0x9b, 0x9f, 0x200e, 0x202e, 0x2066, 0x2028, 0xfeff};
	static const uint32_t good[] = {' ', '~', 0xa0, 0xe9, 0x20ac, 0x1f511};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_true(utf8_is_control(bad[i]));
	for (i = 0; i < sizeof good / sizeof *good; i++)
		assert_false(utf8_is_control(good[i]));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(characters_are_taken_whole),
		cmocka_unit_test(what_is_no_utf8_is_not_taken),
		cmocka_unit_test(what_moves_a_terminal_is_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
