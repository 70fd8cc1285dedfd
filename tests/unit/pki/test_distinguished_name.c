#include "pki/distinguished_name.h"

#include <openssl/x509.h>

#include "test_house.h"

#include "base/random.h"

static struct distinguished_name name_of(const char *common_name, const char *email)
{
	struct distinguished_name name = {0};
	struct error err;

	assert_ok(distinguished_name_add(&name, NAME_COUNTRY, SPAN("DE"), &err), err);
	assert_ok(distinguished_name_add(&name, NAME_COMMON, span_of(common_name), &err), err);
	if (email)
		assert_ok(distinguished_name_add(&name, NAME_EMAIL, span_of(email), &err), err);
	return name;
}

static void reads_as(const char *common_name, const char *want)
{
	struct distinguished_name name = name_of(common_name, NULL);
	struct buffer out;

	buffer_init(&out, 4096);
	distinguished_name_write(&name, &out);
	assert_string_equal(buffer_text(&out), want);
	buffer_release(&out);
}

static void names_are_escaped_as_rfc_4514_says(void **state)
{
	(void)state;
	reads_as("Alice - laptop - 2027", "CN=Alice - laptop - 2027,C=DE");
	reads_as("O=CN=dev1,C=X", "CN=O=CN=dev1\\,C=X,C=DE");
	reads_as("#a", "CN=\\#a,C=DE");
	reads_as(" a b ", "CN=\\ a b\\ ,C=DE");
	reads_as("a+\"\\<>;", "CN=a\\+\\\"\\\\\\<\\>\\;,C=DE");
	reads_as("J\xc3\xb6rg", "CN=J\\C3\\B6rg,C=DE");
}

static void ours_is_the_text_that_openssl_and_nginx_write(void **state)
{
	static const char *const pieces[] = {" ",
					     "#",
					     ",",
					     "+",
					     "\"",
					     "\\",
					     "<",
					     ">",
					     ";",
					     "=",
					     "/",
					     "a",
					     "Z",
					     "0",
					     ".",
					     "-",
					     "\xc3\xa4",
					     "\xe6\xbc\xa2",
					     "\xf0\x9f\x94\x91"};
	struct error err;
	int i, k;

	(void)state;
	for (i = 0; i < 3000; i++) {
		struct distinguished_name name;
		struct buffer value, ours, theirs;
		X509_NAME *built = NULL;

		buffer_init(&value, 256);
		buffer_init(&ours, 4096);
		buffer_init(&theirs, 4096);
		for (k = 1 + (int)random_below(9); k > 0; k--)
			buffer_add_text(&value,
					pieces[random_below(sizeof pieces / sizeof *pieces)]);
		/* OpenSSL forgets to escape this one, because it is the last as well as the first.
		 */
		if (span_is(buffer_span(&value), "#"))
			buffer_add_char(&value, '#');
		name = name_of(buffer_text(&value), "a@example.com");
		distinguished_name_write(&name, &ours);
		assert_ok(distinguished_name_build(&name, &built, &err), err);
		assert_ok(distinguished_name_print(built, &theirs, &err), err);
		assert_string_equal(buffer_text(&ours), buffer_text(&theirs));
		X509_NAME_free(built);
		buffer_release(&value);
		buffer_release(&ours);
		buffer_release(&theirs);
	}
}

static void the_slash_form_is_what_mattermost_parses(void **state)
{
	struct distinguished_name name = name_of("J\xc3\xb6rg", "joerg@example.com");
	struct buffer out;
	struct error err;

	(void)state;
	buffer_init(&out, 4096);
	assert_ok(distinguished_name_write_slash(&name, &out, &err), err);
	assert_string_equal(buffer_text(&out),
			    "/C=DE/CN=J\\xC3\\xB6rg/emailAddress=joerg@example.com");
	buffer_release(&out);
}

static void a_written_escape_is_not_the_byte_that_it_names(void **state)
{
	struct distinguished_name name = name_of("J\\xC3\\xB6rg", NULL);
	struct buffer out;
	struct error err;

	(void)state;
	buffer_init(&out, 4096);
	assert_ok(distinguished_name_write_slash(&name, &out, &err), err);
	assert_string_equal(buffer_text(&out), "/C=DE/CN=J\\x5CxC3\\x5CxB6rg");
	buffer_release(&out);
}

static void a_slash_or_equals_sign_cannot_pass_for_another_part(void **state)
{
	static const char *const bad[] = {"a/emailAddress=boss@example.com", "a/b", "a=b"};
	struct buffer out;
	struct error err;
	size_t i;

	(void)state;
	for (i = 0; i < 3; i++) {
		struct distinguished_name name = name_of(bad[i], NULL);
		char text[200];

		buffer_init(&out, 4096);
		assert_int_equal(distinguished_name_write_slash(&name, &out, &err), REFUSED);
		snprintf(
			text, sizeof text,
			"common name \"%s\" cannot stand in a name of the form /C=../CN=..: it has "
			"a / or = in it",
			bad[i]);
		assert_string_equal(err.text, text);
		buffer_release(&out);
	}
}

static void refused_with(enum name_attribute attribute, const char *value, const char *text)
{
	struct distinguished_name name = {0};
	struct error err;

	assert_int_equal(distinguished_name_add(&name, attribute, span_of(value), &err), REFUSED);
	assert_string_equal(err.text, text);
	assert_int_equal(name.count, 0);
}

static void bad_values_are_refused_with_what_is_wrong(void **state)
{
	(void)state;
	refused_with(NAME_COMMON, "", "common name: it is empty");
	refused_with(NAME_COMMON, "a\nb", "common name: it has a control character (U+000A) in it");
	refused_with(NAME_COMMON,
		     "a\xe2\x80\xae"
		     "b",
		     "common name: it has a control character (U+202E) in it");
	refused_with(NAME_COMMON, "a\xff", "common name: it is not UTF-8");
	refused_with(NAME_COMMON, "\xc0\xaf", "common name: it is not UTF-8");
	refused_with(NAME_COMMON, "\xed\xa0\x80", "common name: it is not UTF-8");
	refused_with(NAME_COMMON, "\xe2\x80", "common name: it is not UTF-8");
	refused_with(NAME_COMMON,
		     "12345678901234567890123456789012345678901234567890123456789012345",
		     "common name: it has 65 characters; at most 64 are taken");
	refused_with(NAME_COUNTRY, "de", "country: \"de\" is not two capital letters");
	refused_with(NAME_COUNTRY, "D", "country: \"D\" is not two capital letters");
	refused_with(NAME_EMAIL, "a b@c",
		     "e-mail address: \"a b@c\" has spaces or other than ASCII "
		     "in it");
	refused_with(NAME_EMAIL, "@c",
		     "e-mail address: \"@c\" has no name before or no domain behind "
		     "an @");
}

static void long_texts_are_cut_between_characters(void **state)
{
	(void)state;
	assert_true(span_is(distinguished_name_cut(SPAN("abc"), 5), "abc"));
	assert_true(span_is(distinguished_name_cut(SPAN("ab c"), 3), "ab"));
	assert_true(span_is(distinguished_name_cut(SPAN("\xc3\xa4\xc3\xb6\xc3\xbc"), 2),
			    "\xc3\xa4\xc3\xb6"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(names_are_escaped_as_rfc_4514_says),
		cmocka_unit_test(ours_is_the_text_that_openssl_and_nginx_write),
		cmocka_unit_test(the_slash_form_is_what_mattermost_parses),
		cmocka_unit_test(a_written_escape_is_not_the_byte_that_it_names),
		cmocka_unit_test(a_slash_or_equals_sign_cannot_pass_for_another_part),
		cmocka_unit_test(bad_values_are_refused_with_what_is_wrong),
		cmocka_unit_test(long_texts_are_cut_between_characters),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
