#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>
#include <jansson.h>

#include "door/refusal.h"

static bool says(const char *text, const char *part)
{
	return strstr(text, part) != NULL;
}

static void every_refusal_has_a_code_of_its_own_and_says_what_to_do(void **state)
{
	int i, j;

	(void)state;
	assert_null(refusal_row(REFUSAL_NONE));
	assert_null(refusal_row(REFUSAL_COUNT));
	for (i = 1; i < REFUSAL_COUNT; i++) {
		const struct refusal_row *row = refusal_row((enum refusal)i);
		const char *const texts[] = {row->title, row->sentence, row->next, row->admin};

		assert_int_equal(strlen(row->code), 3);
		assert_int_equal(row->code[0], 'C');
		assert_in_range(row->status, 400, 505);
		for (j = 0; j < 4; j++) {
			assert_non_null(texts[j]);
			assert_true(strlen(texts[j]) > 3);
			assert_false(strpbrk(texts[j], "<>&\"\r\n"));
		}
		assert_int_equal(row->sentence[strlen(row->sentence) - 1], '.');
		assert_int_equal(row->next[strlen(row->next) - 1], '.');
		assert_int_equal(refusal_find(span_of(row->code)), i);
		for (j = 1; j < i; j++)
			assert_string_not_equal(row->code, refusal_row((enum refusal)j)->code);
	}
	assert_int_equal(refusal_find(SPAN("c08")), REFUSAL_NOT_ALLOWED);
	assert_int_equal(refusal_find(SPAN("C99")), REFUSAL_NONE);
	assert_int_equal(refusal_find(SPAN("")), REFUSAL_NONE);
}

static void no_certificate_says_the_sentence_that_tools_look_for_and_speaks_of_expiry(void **state)
{
	const struct refusal_row *row = refusal_row(REFUSAL_NO_CERTIFICATE);

	(void)state;
	assert_true(says(row->sentence, "No required SSL certificate was sent"));
	assert_true(says(row->next, "expired"));
	assert_int_equal(row->status, 403);
}

static void each_reason_of_identity_has_its_row(void **state)
{
	int who;

	(void)state;
	assert_int_equal(refusal_of_who(WHO_KNOWN), REFUSAL_NONE);
	for (who = WHO_KNOWN + 1; who <= WHO_ROSTER_TOO_OLD; who++)
		assert_int_not_equal(refusal_of_who((enum who)who), REFUSAL_NONE);
	assert_int_equal(refusal_of_who((enum who)99), REFUSAL_UNKNOWN);
}

static void the_parsers_statuses_have_rows_with_that_status(void **state)
{
	static const unsigned statuses[] = {400, 408, 413, 414, 417, 431, 501, 505};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof statuses / sizeof statuses[0]; i++)
		assert_int_equal(refusal_row(refusal_of_status(statuses[i]))->status, statuses[i]);
	assert_int_equal(refusal_of_status(418), REFUSAL_BAD_REQUEST);
}

static const struct refusal_page page = {
	.why = REFUSAL_NOT_ALLOWED, .status = 403, .contact = {"\"it\" <it@example.com>", 21}, .request = {"00ff", 4}};

static void html_is_escaped_and_names_code_request_and_contact(void **state)
{
	struct buffer out;

	(void)state;
	buffer_init(&out, 65536);
	refusal_write_html(&out, &page);
	assert_true(buffer_is_whole(&out));
	assert_true(says(buffer_text(&out), "<title>Not allowed here</title>"));
	assert_true(says(buffer_text(&out), "C08"));
	assert_true(says(buffer_text(&out), "00ff"));
	assert_true(says(buffer_text(&out), "&lt;it@example.com&gt;"));
	assert_false(says(buffer_text(&out), "<it@example.com>"));
	assert_false(says(buffer_text(&out), "{{"));
	buffer_release(&out);
}

static void json_is_json_and_says_the_same(void **state)
{
	struct buffer out;
	json_t *json;
	int i;

	(void)state;
	buffer_init(&out, 65536);
	for (i = 1; i < REFUSAL_COUNT; i++) {
		struct refusal_page each = page;

		each.why = (enum refusal)i;
		each.status = 0;
		each.contact = SPAN("a\\\"b\x01\x7f@x");
		buffer_clear(&out);
		refusal_write_json(&out, &each);
		json = json_loads(buffer_text(&out), JSON_REJECT_DUPLICATES, NULL);
		assert_non_null(json);
		assert_string_equal(json_string_value(json_object_get(json, "code")), refusal_row(each.why)->code);
		assert_int_equal(json_integer_value(json_object_get(json, "status")), refusal_row(each.why)->status);
		assert_string_equal(json_string_value(json_object_get(json, "error")), refusal_row(each.why)->sentence);
		assert_string_equal(json_string_value(json_object_get(json, "contact")), "a\\\"b\x01\x7f@x");
		assert_string_equal(json_string_value(json_object_get(json, "request")), "00ff");
		json_decref(json);
	}
	buffer_release(&out);
}

static void accept_chooses_between_page_and_json(void **state)
{
	(void)state;
	assert_true(refusal_wants_json(SPAN("application/json"), false));
	assert_true(refusal_wants_json(SPAN("application/json, text/plain, */*"), false));
	assert_true(refusal_wants_json(SPAN("Application/Problem+JSON;q=0.9"), false));
	assert_false(refusal_wants_json(SPAN("text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"), false));
	assert_false(refusal_wants_json(SPAN("text/html, application/json"), false));
	assert_false(refusal_wants_json(SPAN("*/*"), false));
	assert_false(refusal_wants_json(SPAN(""), false));
	assert_false(refusal_wants_json(SPAN(",,;,"), false));
	/* By weight, then by order; a wildcard is whatever was not named. */
	assert_true(refusal_wants_json(SPAN("text/html;q=0.5, application/json;q=0.9"), false));
	assert_true(refusal_wants_json(SPAN("text/html; q=0.899 , application/json ; q=0.9"), false));
	assert_true(refusal_wants_json(SPAN("application/json, text/html"), false));
	assert_true(refusal_wants_json(SPAN("text/html;q=0, application/json;q=0.001"), false));
	assert_true(refusal_wants_json(SPAN("*/*;q=0.8, application/json"), false));
	assert_true(refusal_wants_json(SPAN("*/*, application/vnd.api+json"), false));
	assert_true(refusal_wants_json(SPAN("application/json;version=2;Q=1.000"), false));
	assert_false(refusal_wants_json(SPAN("application/json;q=0.9, text/html"), false));
	assert_false(refusal_wants_json(SPAN("application/json;q=0"), false));
	assert_false(refusal_wants_json(SPAN("application/json;q=0.000, */*;q=0"), false));
	assert_false(refusal_wants_json(SPAN("application/json;q=0.1, */*"), false));
	assert_false(refusal_wants_json(SPAN("text/html;q=0.5, application/json;q=0.5"), false));
	assert_false(refusal_wants_json(SPAN("image/png, application/jsonx, json"), false));
	/* Where programs ask, who names neither is a program. */
	assert_true(refusal_wants_json(SPAN("*/*"), true));
	assert_true(refusal_wants_json(SPAN(""), true));
	assert_false(refusal_wants_json(SPAN("text/html,*/*;q=0.8"), true));
}

static void explain_tells_people_and_keepers(void **state)
{
	struct buffer out;

	(void)state;
	buffer_init(&out, 65536);
	assert_true(refusal_explain(SPAN("c01"), &out));
	assert_true(says(buffer_text(&out), "C01  A certificate is needed (HTTP status 403)"));
	assert_true(says(buffer_text(&out), "For you: The client sent no certificate."));
	buffer_clear(&out);
	assert_false(refusal_explain(SPAN("C00"), &out));
	assert_int_equal(out.size, 0);
	buffer_release(&out);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_refusal_has_a_code_of_its_own_and_says_what_to_do),
		cmocka_unit_test(no_certificate_says_the_sentence_that_tools_look_for_and_speaks_of_expiry),
		cmocka_unit_test(each_reason_of_identity_has_its_row),
		cmocka_unit_test(the_parsers_statuses_have_rows_with_that_status),
		cmocka_unit_test(html_is_escaped_and_names_code_request_and_contact),
		cmocka_unit_test(json_is_json_and_says_the_same),
		cmocka_unit_test(accept_chooses_between_page_and_json),
		cmocka_unit_test(explain_tells_people_and_keepers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
