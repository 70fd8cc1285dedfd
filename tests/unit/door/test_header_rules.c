#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "door/header_rules.h"
#include "wire/http_head.h"

static char *set_tenant[] = {(char *)"X-Tenant: blue", (char *)"X-Tenant:green ", (char *)"Link:  </a>; rel=preload"};
static char *remove_two[] = {(char *)"Accept-Language", (char *)"X_Trace.Id"};

static struct header_rules *make(const struct header_options *given, const struct header_options *site)
{
	struct header_rules *rules = NULL;
	struct error err = {""};

	if (header_rules_new(given, site, &rules, &err) != OK)
		fail_msg("%s", err.text);
	return rules;
}

static bool keeps(const struct header_rules *rules, const char *name)
{
	struct field field = {.name = span_of(name)};

	return header_rules_keeps(rules, &field);
}

static void what_is_set_takes_the_place_of_all_of_its_name(void **state)
{
	const struct header_options given = {.request_set = {set_tenant, 3}, .request_remove = {remove_two, 2}};
	struct header_rules *rules = make(&given, NULL);

	(void)state;
	assert_true(span_is(header_rules_lines(rules), "X-Tenant: blue\r\nX-Tenant: green\r\nLink: </a>; rel=preload\r\n"));
	assert_false(keeps(rules, "x-tenant"));
	assert_false(keeps(rules, "X_TENANT"));
	assert_false(keeps(rules, "accept-language"));
	assert_false(keeps(rules, "X-Trace-Id"));
	assert_true(keeps(rules, "X-Tenants"));
	assert_true(keeps(rules, "Accept"));
	header_rules_free(rules);
}

static void an_answer_is_changed_in_place(void **state)
{
	const struct header_options given = {.response_set = {set_tenant, 2}, .response_remove = {remove_two, 2}};
	struct header_rules *rules = make(&given, NULL);
	struct head answer, early;
	size_t i;

	(void)state;
	head_init(&answer);
	answer.field_count = 4;
	answer.fields[0] = (struct field){.name = SPAN("Server"), .value = SPAN("a")};
	answer.fields[1] = (struct field){.name = SPAN("ACCEPT_LANGUAGE"), .value = SPAN("b")};
	answer.fields[2] = (struct field){.name = SPAN("x-tenant"), .value = SPAN("c")};
	answer.fields[3] = (struct field){.name = SPAN("Date"), .value = SPAN("d")};
	/* A trailer, and an early head, are thinned out alike; neither brings what is set. */
	assert_true(header_rules_returns(rules, &answer.fields[0]));
	assert_false(header_rules_returns(rules, &answer.fields[1]));
	assert_false(header_rules_returns(rules, &answer.fields[2]));
	early = answer;
	header_rules_thin_out(rules, &early);
	assert_int_equal(early.field_count, 2);
	assert_true(span_is(early.fields[1].value, "d"));
	assert_true(header_rules_answer(rules, &answer));
	assert_int_equal(answer.field_count, 4);
	assert_true(span_is(answer.fields[1].value, "d"));
	assert_true(span_is(answer.fields[2].value, "blue"));
	assert_true(span_is(answer.fields[3].value, "green"));
	for (i = 0; i < HEAD_FIELDS_MAX; i++)
		answer.fields[i] = (struct field){.name = SPAN("X-Many"), .value = SPAN("1")};
	answer.field_count = HEAD_FIELDS_MAX - 1;
	assert_false(header_rules_answer(rules, &answer));
	assert_int_equal(answer.field_count, HEAD_FIELDS_MAX - 1);
	header_rules_free(rules);
}

static void a_list_that_is_not_given_is_the_sites(void **state)
{
	const struct header_options site = {.request_set = {set_tenant, 1}, .response_remove = {remove_two, 1}};
	const struct header_options nothing = {.request_set = {NULL, 0}}, own = {.request_set = {set_tenant + 1, 1}};
	struct header_rules *rules = make(&nothing, &site);
	struct head answer;

	(void)state;
	assert_true(span_is(header_rules_lines(rules), "X-Tenant: blue\r\n"));
	header_rules_free(rules);
	rules = make(&own, &site);
	assert_true(span_is(header_rules_lines(rules), "X-Tenant: green\r\n"));
	head_init(&answer);
	answer.field_count = 1;
	answer.fields[0] = (struct field){.name = SPAN("accept-language"), .value = SPAN("b")};
	assert_true(header_rules_answer(rules, &answer));
	assert_int_equal(answer.field_count, 0);
	header_rules_free(rules);
	assert_null(make(&nothing, NULL));
}

static void what_is_ours_can_neither_be_set_nor_taken_away(void **state)
{
	static const char *const ours[] = {"Host", "Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "TE",
					   "Trailer", "Keep-Alive", "Expect", "X-Chatelaine-Person", "x_chatelaine_x",
					   "X-SSL-Client-Verify", "Ssl-Client", "Client-Cert", "X-Forwarded-Client-Cert",
					   "X-Forwarded-For", "X-Real-IP", "Forwarded", "Remote-User", "Sec-WebSocket-Key",
					   "content_length", "HTTP2-Settings", "X.Forwarded.For", "a b", "", "a:"};
	static const char *const of_answers[] = {"Content-Length", "Transfer-Encoding", "Connection", "Upgrade", "Keep-Alive",
						 "Sec-WebSocket-Accept", "Trailer"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof ours / sizeof *ours; i++) {
		char line[64], *set[1] = {line}, *removed[1] = {(char *)(uintptr_t)ours[i]};
		const struct header_options by_set = {.request_set = {set, 1}}, by_remove = {.request_remove = {removed, 1}};
		struct header_rules *rules = NULL;
		struct error err = {""};

		snprintf(line, sizeof line, "%s: x", ours[i]);
		if (ours[i][0] && ours[i][strlen(ours[i]) - 1] != ':')
			assert_int_equal(header_rules_new(&by_set, NULL, &rules, &err), REFUSED);
		assert_int_equal(header_rules_new(&by_remove, NULL, &rules, &err), REFUSED);
		assert_null(rules);
	}
	for (i = 0; i < sizeof of_answers / sizeof *of_answers; i++) {
		char *removed[1] = {(char *)(uintptr_t)of_answers[i]};
		const struct header_options options = {.response_remove = {removed, 1}};
		struct header_rules *rules = NULL;
		struct error err = {""};

		assert_int_equal(header_rules_new(&options, NULL, &rules, &err), REFUSED);
	}
}

static void a_line_without_colon_value_or_with_a_break_is_refused(void **state)
{
	static const char *const bad[] = {"X-A", "X-A:", "X-A: ", ": x", "X-A: b\r\nX-B: c", "X-A: b\n", "X-A: \x7f", "X A: b"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		char *set[1] = {(char *)(uintptr_t)bad[i]};
		const struct header_options options = {.response_set = {set, 1}};
		struct header_rules *rules = NULL;
		struct error err = {""};

		assert_int_equal(header_rules_new(&options, NULL, &rules, &err), REFUSED);
		assert_true(strncmp(err.text, "response-headers-set: ", 22) == 0);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_set_takes_the_place_of_all_of_its_name),
		cmocka_unit_test(an_answer_is_changed_in_place),
		cmocka_unit_test(a_list_that_is_not_given_is_the_sites),
		cmocka_unit_test(what_is_ours_can_neither_be_set_nor_taken_away),
		cmocka_unit_test(a_line_without_colon_value_or_with_a_break_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
