#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "command/config_edit.h"

static const char two_sites[] = "# site \"b.test\" {\n"
				"listen = {\"0.0.0.0:443\"}\n"
				"site \"a.test\" {\n"
				"    certificate = \"/a/{old}.pem\"   # certificate = \"x\"\n"
				"}\n"
				"site \"B.test\" {  // the second\n"
				"    location \"/{x\" {\n"
				"        certificate = \"not this\"\n"
				"    }\n"
				"    certificate-note = \"nor this\"\n"
				"\tcertificate= \"/b/old.pem\"\n"
				"    key = \"/b/old.key\"\n"
				"}\n";

static void only_this_key_of_this_site_changes(void **state)
{
	struct buffer out;

	(void)state;
	buffer_init(&out, 4096);
	assert_true(config_edit_site(span_of(two_sites), SPAN("b.test"), "certificate", "/new \"one\".pem", &out));
	assert_string_equal(buffer_text(&out), "# site \"b.test\" {\n"
					       "listen = {\"0.0.0.0:443\"}\n"
					       "site \"a.test\" {\n"
					       "    certificate = \"/a/{old}.pem\"   # certificate = \"x\"\n"
					       "}\n"
					       "site \"B.test\" {  // the second\n"
					       "    location \"/{x\" {\n"
					       "        certificate = \"not this\"\n"
					       "    }\n"
					       "    certificate-note = \"nor this\"\n"
					       "\tcertificate= \"/new \\\"one\\\".pem\"\n"
					       "    key = \"/b/old.key\"\n"
					       "}\n");
	buffer_release(&out);
}

static void what_is_not_found_or_cannot_be_written_is_said(void **state)
{
	struct buffer out;

	(void)state;
	buffer_init(&out, 4096);
	assert_false(config_edit_site(span_of(two_sites), SPAN("c.test"), "certificate", "/new.pem", &out));
	assert_false(config_edit_site(span_of(two_sites), SPAN("a.test"), "key", "/new.key", &out));
	assert_false(config_edit_site(span_of(two_sites), SPAN("a.test"), "certificate", "/new\n.pem", &out));
	assert_false(config_edit_site(SPAN("site \"a.test\" { certificate = \"x\" }\n"), SPAN("a.test"), "certificate", "/n", &out));
	buffer_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(only_this_key_of_this_site_changes),
		cmocka_unit_test(what_is_not_found_or_cannot_be_written_is_said),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
