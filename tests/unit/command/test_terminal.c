#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "command/terminal.h"

static void nothing_but_text_reaches_a_terminal(void **state)
{
	static const struct {
		const char *text, *shown;
	} rows[] = {
		{"alice/laptop", "alice/laptop"},
		{"Ren\xc3\xa9 \xf0\x9f\x94\x91", "Ren\xc3\xa9 \xf0\x9f\x94\x91"},
		{"\x1b]0;owned\x07", "\\x1b]0;owned\\x07"},
		{"a\r\nb\tc\x7f", "a\\x0d\\x0ab\\x09c\\x7f"},
		{"\xc2\x9b" "2J", "\\xc2\\x9b2J"},
		{"\xe2\x80\xae" "dlrow", "\\xe2\\x80\\xaedlrow"},
		{"\xff\xc3", "\\xff\\xc3"},
		{"", ""},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct buffer out;

		buffer_init(&out, 256);
		terminal_escape(&out, span_of(rows[i].text));
		assert_string_equal(buffer_text(&out), rows[i].shown);
		buffer_release(&out);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nothing_but_text_reaches_a_terminal),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
