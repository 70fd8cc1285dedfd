#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/roff.h"

static void text_is_printed_as_it_stands(void **state)
{
	struct buffer out;

	(void)state;
	buffer_init(&out, 1024);
	roff_add(&out, span_of(".TH is \\fB\n'quoted --state\nplain."));
	assert_string_equal(buffer_text(&out), "\\&.TH is \\efB\n\\&'quoted \\-\\-state\nplain.");
	buffer_release(&out);
}

static void markup_around_it_keeps_its_meaning(void **state)
{
	struct buffer out;

	(void)state;
	buffer_init(&out, 1024);
	roff_add_between(&out, ".B ", "no-certificate", "\n");
	assert_string_equal(buffer_text(&out), ".B no\\-certificate\n");
	buffer_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(text_is_printed_as_it_stands),
		cmocka_unit_test(markup_around_it_keeps_its_meaning),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
