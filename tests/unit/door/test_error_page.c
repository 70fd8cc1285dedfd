#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "door/error_page.h"

static struct error_page_options options_of(const char *one, const char *other)
{
	struct error_page_options options = {.count = other ? 2 : 1};

	options.at[0].status = 403;
	options.at[0].file = (struct value_file){.path = (char *)"/etc/403.html", .bytes = span_of(one)};
	options.at[1].file = (struct value_file){.path = (char *)"/etc/other.html", .bytes = span_of(other)};
	return options;
}

static void a_template_is_filled_and_what_is_filled_in_is_escaped(void **state)
{
	struct error_page_options options = options_of("<style>p{color:red} a { b }</style>{code} {id} {contact} {status}{{what}}{", "other {status}");
	struct refusal_page page = {.why = REFUSAL_NOT_ALLOWED, .status = 403, .contact = SPAN("<b>\"&'"), .request = SPAN("00ff")};
	struct error_pages *pages = NULL;
	struct error err = {""};
	struct buffer out;

	(void)state;
	assert_int_equal(error_pages_new(&options, &pages, &err), OK);
	buffer_init(&out, 4096);
	assert_true(error_pages_write(pages, &page, &out));
	assert_string_equal(buffer_text(&out), "<style>p{color:red} a { b }</style>C08 00ff &lt;b&gt;&quot;&amp;&#39; 403{Your "
					       "certificate is fine, but it does not give access to this page.}{");
	buffer_clear(&out);
	page.status = 401;
	assert_true(error_pages_write(pages, &page, &out));
	assert_string_equal(buffer_text(&out), "other 401");
	error_pages_free(pages);
	options.count = 1;
	assert_int_equal(error_pages_new(&options, &pages, &err), OK);
	assert_false(error_pages_write(pages, &page, &out));
	assert_false(error_pages_write(NULL, &page, &out));
	error_pages_free(pages);
	buffer_release(&out);
}

static void a_broken_template_is_named_with_its_line(void **state)
{
	static const struct {
		const char *text, *says;
	} rows[] = {
		{"", "error-page /etc/403.html: it is empty"},
		{"a\n\n{nothing}", "error-page /etc/403.html: line 3: there is no {nothing}; there are {code} {id} {contact} {what} {next} {title} {status}"},
		{"a\n\xff", "error-page /etc/403.html: line 2: not UTF-8 text"},
		{"\xc0\xaf", "error-page /etc/403.html: line 1: not UTF-8 text"},
		{"\xed\xa0\x80", "error-page /etc/403.html: line 1: not UTF-8 text"},
		{"\xe2\x82", "error-page /etc/403.html: line 1: not UTF-8 text"},
		{"a\x1b", "error-page /etc/403.html: line 1: not UTF-8 text"},
	};
	struct error_pages *pages = NULL;
	struct error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct error_page_options options = options_of(rows[i].text, NULL);

		assert_int_equal(error_pages_new(&options, &pages, &err), REFUSED);
		assert_string_equal(err.text, rows[i].says);
	}
	assert_int_equal(error_page_check(SPAN("\xc3\xa4\t\xe2\x82\xac\r\n\xf0\x9f\x94\x91 {code}"), &err), OK);
	assert_int_equal(error_page_check(SPAN("a\0b"), &err), REFUSED);
	assert_null(pages);
}

static void two_pages_for_one_status_are_one_too_many(void **state)
{
	struct error_page_options options = options_of("a", "b");
	struct error_pages *pages = NULL;
	struct error err;

	(void)state;
	options.at[1].status = 403;
	assert_int_equal(error_pages_new(&options, &pages, &err), REFUSED);
	assert_string_equal(err.text, "error-page: /etc/403.html and /etc/other.html are for the same status");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_template_is_filled_and_what_is_filled_in_is_escaped),
		cmocka_unit_test(a_broken_template_is_named_with_its_line),
		cmocka_unit_test(two_pages_for_one_status_are_one_too_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
