#include "authority/entry_check.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>
#include <cmocka.h>

static void plain_text_is_well_formed_utf_8_that_one_can_see(void **state)
{
	static const char *const good[] = {"", "Alice", "J\xc3\xb6rg", "\xe5\xb1\xb1\xe7\x94\xb0", "\xf0\x9f\x94\x91", "a b"};
	static const char *const bad[] = {
		"\xff", "\xc0\xaf", "\xc3", "\xe0\x80\x80", "\xed\xa0\x80", "\xf4\x90\x80\x80", "\xf8\x88\x80\x80\x80",
		"a\nb", "a\tb", "\x7f", "\xc2\x85", "\xe2\x80\xae", "\xe2\x80\x8b", "\xef\xbb\xbf", "\x1b[31m", "\xc2\xad",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof good / sizeof *good; i++)
		assert_true(entry_is_plain_text(span_of(good[i])));
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_false(entry_is_plain_text(span_of(bad[i])));
	assert_false(entry_is_plain_text(span_make("a\0b", 3)));
}

static void a_name_is_trimmed_and_what_is_too_long_is_refused(void **state)
{
	struct error err;
	char out[6];

	(void)state;
	assert_int_equal(entry_check_name(SPAN("  Bob "), "name", out, sizeof out, &err), OK);
	assert_string_equal(out, "Bob");
	assert_int_equal(entry_check_name(SPAN("Robert"), "name", out, sizeof out, &err), REFUSED);
	assert_string_equal(err.text, "the name \"Robert\" is too long: at most 5 bytes");
	assert_int_equal(entry_check_name(SPAN("a/b"), "label", out, sizeof out, &err), REFUSED);
	assert_string_equal(err.text, "the label \"a/b\" may not have \"/\" in it");
	/* What a terminal cannot stand is not quoted. */
	assert_int_equal(entry_check_name(SPAN("a\x1b"), "name", out, sizeof out, &err), REFUSED);
	assert_string_equal(err.text, "the name is not plain text: UTF-8 without control characters is");
}

static void an_email_is_ascii_with_a_host(void **state)
{
	static const char *const good[] = {"a@b", "alice.b+c@mail.example.com", "o'neil@x-y.de"};
	static const char *const bad[] = {"", "a", "@b.de", "a@", "a@b@c", ".a@b.de", "a.@b.de", "a@-b.de", "a@b-.de",
					  "a@b.de.", "a@b..de", "j\xc3\xb6rg@b.de", "a@b\xc3\xb6.de", "a\"b@c.de",
					  "a=b@c.de", "a/b@c.de", "a\nb@c.de", "a@b.de\r\nX: y"};
	char out[PERSON_EMAIL_SIZE], huge[400];
	struct error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof good / sizeof *good; i++)
		assert_int_equal(entry_check_email(span_of(good[i]), out, &err), OK);
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(entry_check_email(span_of(bad[i]), out, &err), REFUSED);
	memset(huge, 'a', sizeof huge);
	huge[5] = '@';
	assert_int_equal(entry_check_email(span_make(huge, sizeof huge), out, &err), REFUSED);
}

static void groups_are_sorted_and_come_as_list_or_text(void **state)
{
	char out[PERSON_GROUPS_SIZE];
	struct error err;
	json_t *list = json_pack("[s, s, s, s]", "staff", "ops", " ops ", "a,b");

	(void)state;
	assert_int_equal(entry_check_groups(list, out, &err), OK);
	assert_string_equal(out, "a,b,ops,staff");
	json_decref(list);
	list = json_string("z, y,,x");
	assert_int_equal(entry_check_groups(list, out, &err), OK);
	assert_string_equal(out, "x,y,z");
	json_decref(list);
	assert_int_equal(entry_check_groups(NULL, out, &err), OK);
	assert_string_equal(out, "");
	list = json_pack("[i]", 5);
	assert_int_equal(entry_check_groups(list, out, &err), REFUSED);
	json_decref(list);
}

static void too_many_groups_are_refused(void **state)
{
	char out[PERSON_GROUPS_SIZE];
	json_t *list = json_array();
	struct error err;
	int i;

	(void)state;
	for (i = 0; i < 65; i++)
		json_array_append_new(list, json_sprintf("g%d", i));
	assert_int_equal(entry_check_groups(list, out, &err), REFUSED);
	assert_string_equal(err.text, "at most 64 groups a person");
	json_decref(list);
}

static void a_site_is_folded(void **state)
{
	struct error err;
	char out[201];
	bool is_ip;

	(void)state;
	assert_int_equal(entry_check_site(SPAN("Chat.Example.COM."), out, sizeof out, &is_ip, &err), OK);
	assert_string_equal(out, "chat.example.com");
	assert_false(is_ip);
	assert_int_equal(entry_check_site(SPAN("[2001:DB8::1]"), out, sizeof out, &is_ip, &err), OK);
	assert_string_equal(out, "2001:db8::1");
	assert_true(is_ip);
	assert_int_equal(entry_check_site(SPAN("../etc"), out, sizeof out, &is_ip, &err), REFUSED);
	assert_int_equal(entry_check_site(SPAN(".."), out, sizeof out, &is_ip, &err), REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(plain_text_is_well_formed_utf_8_that_one_can_see),
		cmocka_unit_test(a_name_is_trimmed_and_what_is_too_long_is_refused),
		cmocka_unit_test(an_email_is_ascii_with_a_host),
		cmocka_unit_test(groups_are_sorted_and_come_as_list_or_text),
		cmocka_unit_test(too_many_groups_are_refused),
		cmocka_unit_test(a_site_is_folded),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
