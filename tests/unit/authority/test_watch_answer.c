/* What gateways tell of those who would have been refused, and what a command hears of it. */
#include "authority/authority_handle.h"
#include "base/clock.h"
#include "bridge/ask.h"
#include "house_fixture.h"
#include "registry/watched_record.h"

#define ROW "'site': 'a.example', 'location': '/api', 'path': '/api/v1', 'address': '10.0.0.5', 'client': 'curl', 'code': 'C01'"

static enum status tell(struct authority *authority, json_t *words, struct error *err)
{
	struct question question = {.name = "watched", .words = words, .fd = -1};
	json_t *out = NULL;
	enum status status = question_dispatch_local(&authority->table, ROLE_GATEWAY, question, &out, NULL, err);

	json_decref(out);
	return status;
}

static json_t *parsed(const char *words)
{
	char text[4096];
	json_t *out;
	size_t i;

	snprintf(text, sizeof text, "%s", words);
	for (i = 0; text[i]; i++)
		if (text[i] == '\'')
			text[i] = '"';
	out = json_loads(text, 0, NULL);
	assert_non_null(out);
	return out;
}

static void told(struct authority *authority, const char *words)
{
	struct error err;

	FINE(tell(authority, parsed(words), &err));
}

static json_t *row_at(const json_t *answer, size_t at)
{
	return json_array_get(json_object_get(answer, "rows"), at);
}

static void rows_add_up_over_gateways_and_restarts(void **unused)
{
	struct authority *authority = open_authority();
	int64_t now = clock_seconds();
	char words[512];
	json_t *answer;

	(void)unused;
	snprintf(words, sizeof words, "{'rows': [{" ROW ", 'times': 3, 'first': %lld, 'last': %lld}]}", (long long)now - 9,
		 (long long)now - 5);
	told(authority, words);
	told(authority, "{'rows': [{" ROW ", 'times': 4, 'first': 5, 'last': 5}], 'uncounted': 11}");
	authority_free(authority);
	authority = open_authority();
	answer = asked(authority, "watch", "{'site': 'a.example'}");
	assert_int_equal(json_array_size(json_object_get(answer, "rows")), 1);
	assert_int_equal(json_integer_value(json_object_get(row_at(answer, 0), "times")), 7);
	assert_int_equal(json_integer_value(json_object_get(row_at(answer, 0), "first")), now - 9);
	assert_int_equal(json_integer_value(json_object_get(row_at(answer, 0), "last")), now - 5);
	assert_true(json_is_null(json_object_get(row_at(answer, 0), "device")));
	json_decref(answer);
	answer = asked(authority, "watch", "{}");
	assert_int_equal(json_array_size(json_object_get(answer, "rows")), 2);
	json_decref(answer);
	snprintf(words, sizeof words, "{'since': %lld, 'site': 'a.example'}", (long long)now - 4);
	answer = asked(authority, "watch", words);
	assert_int_equal(json_array_size(json_object_get(answer, "rows")), 0);
	json_decref(answer);
	answer = asked(authority, "watch-reset", "{'site': 'a.example'}");
	assert_int_equal(json_integer_value(json_object_get(answer, "forgotten")), 1);
	json_decref(answer);
	answer = asked(authority, "watch", "{}");
	assert_int_equal(json_array_size(json_object_get(answer, "rows")), 1);
	assert_int_equal(json_integer_value(json_object_get(row_at(answer, 0), "times")), 11);
	json_decref(answer);
	authority_free(authority);
}

static void a_gateway_that_lies_is_refused_or_harmless(void **unused)
{
	static const char *const bad[] = {
		"{}", "{'rows': 7}", "{'rows': [7]}", "{'rows': [{" ROW "}]}",
		"{'rows': [{" ROW ", 'times': 0, 'first': 1, 'last': 1}]}",
		"{'rows': [{" ROW ", 'times': 1000000001, 'first': 1, 'last': 1}]}",
		"{'rows': [{" ROW ", 'times': 1, 'first': -1, 'last': 1}]}",
		"{'rows': [{" ROW ", 'times': 1, 'first': 1, 'last': 1, 'device': 'xyz'}]}",
		"{'rows': [{'site': 'a\\u001b[31m', 'times': 1, 'first': 1, 'last': 1}]}",
		"{'rows': [{'path': '/\\u202eab', 'times': 1, 'first': 1, 'last': 1}]}",
		"{'rows': [{'code': 'C01C01C01', 'times': 1, 'first': 1, 'last': 1}]}",
		"{'rows': [], 'uncounted': -1}",
	};
	struct authority *authority = open_authority();
	int64_t now = clock_seconds();
	json_t *answer, *many, *words;
	struct error err;
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(tell(authority, parsed(bad[i]), &err), REFUSED);
	many = json_array();
	for (i = 0; i < 129; i++)
		json_array_append_new(many, parsed("{" ROW ", 'times': 1, 'first': 1, 'last': 1}"));
	words = json_pack("{s:o}", "rows", many);
	assert_int_equal(tell(authority, words, &err), REFUSED);
	/* A row from the future is of now, or nothing would ever make it give way. */
	told(authority, "{'rows': [{" ROW ", 'times': 1, 'first': 9000000000000, 'last': 9000000000000}]}");
	answer = asked(authority, "watch", "{}");
	assert_int_equal(json_array_size(json_object_get(answer, "rows")), 1);
	assert_true(json_integer_value(json_object_get(row_at(answer, 0), "last")) <= now + 60);
	json_decref(answer);
	assert_non_null(refused(authority, "watched", "{'rows': []}"));
	authority_free(authority);
}

static int64_t count_rows(struct authority *authority, const char *site)
{
	struct watched_record *rows = calloc(WATCHED_MOST + 1, sizeof *rows);
	struct error err;
	size_t count;

	FINE(watched_record_list(authority->registry, site, 0, NULL, rows, WATCHED_MOST + 1, &count, &err));
	free(rows);
	return (int64_t)count;
}

static void the_least_recent_give_way_and_an_address_has_its_limit(void **unused)
{
	struct authority *authority = open_authority();
	struct watched_record row = {.site = "a.example", .code = "C01", .times = 1};
	struct error err;
	int i;

	(void)unused;
	FINE(registry_begin(authority->registry, &err));
	for (i = 0; i < WATCHED_MOST + 500; i++) {
		snprintf(row.path, sizeof row.path, "/p%d", i);
		snprintf(row.source, sizeof row.source, "10.0.%d.%d", i / 250, i % 250);
		row.first = row.last = 1000 + i;
		FINE(watched_record_add(authority->registry, &row, &err));
	}
	FINE(watched_record_trim(authority->registry, &err));
	assert_int_equal(count_rows(authority, ""), WATCHED_MOST);
	FINE(watched_record_list(authority->registry, "", 0, NULL, &row, 1, &(size_t){0}, &err));
	assert_true(row.last >= 1500);
	for (i = 0; i < 1000; i++) {
		row = (struct watched_record){.site = "b.example", .source = "10.9.9.9", .code = "C01", .times = 1,
					      .first = 50000, .last = 50000};
		snprintf(row.path, sizeof row.path, "/p%d", i);
		FINE(watched_record_add(authority->registry, &row, &err));
	}
	FINE(watched_record_trim(authority->registry, &err));
	assert_int_equal(count_rows(authority, "b.example"), WATCHED_OF_SOURCE_MOST + 1);
	assert_int_equal(count_rows(authority, ""), WATCHED_MOST);
	FINE(registry_commit(authority->registry, &err));
	authority_free(authority);
}

static void all_pages_together_are_every_row_once(void **unused)
{
	struct authority *authority = open_authority();
	struct watched_record row = {.site = "a.example", .code = "C01", .times = 1, .first = 1, .last = 1};
	json_t *answer;
	struct error err;
	char words[256];
	size_t total = 0;
	int i;

	(void)unused;
	FINE(registry_begin(authority->registry, &err));
	for (i = 0; i < 450; i++) {
		snprintf(row.source, sizeof row.source, "10.0.%d.%d", i / 250, i % 250);
		FINE(watched_record_add(authority->registry, &row, &err));
	}
	FINE(registry_commit(authority->registry, &err));
	snprintf(words, sizeof words, "{}");
	for (;;) {
		answer = asked(authority, "watch", words);
		total += json_array_size(json_object_get(answer, "rows"));
		if (!json_object_get(answer, "next"))
			break;
		snprintf(words, sizeof words, "{'after': '%s'}", text_of(answer, "next"));
		json_decref(answer);
	}
	json_decref(answer);
	assert_int_equal(total, 450);
	authority_free(authority);
}

static void attendance_knows_who_was_never_there(void **unused)
{
	struct authority *authority = open_authority();
	json_t *device, *answer, *people;
	struct error err;
	struct question question = {.name = "seen", .fd = -1};
	char hex[33];
	json_t *out = NULL;

	(void)unused;
	json_decref(asked(authority, "person-add", "{'name': 'Ann', 'email': 'ann@example.com', 'groups': ['staff']}"));
	json_decref(asked(authority, "person-add", "{'name': 'Bob', 'email': 'bob@example.com'}"));
	json_decref(asked(authority, "person-add", "{'name': 'Cyd', 'email': 'cyd@example.com'}"));
	json_decref(asked(authority, "person-add", "{'name': 'Dan', 'email': 'dan@example.com'}"));
	json_decref(asked(authority, "person-remove", "{'person': 'dan'}"));
	json_decref(asked(authority, "device-add", "{'person': 'cyd', 'label': 'phone', 'kind': 'phone', 'form': 'p12'}"));
	device = asked(authority, "device-add", "{'person': 'ann', 'label': 'phone', 'kind': 'phone', 'form': 'p12'}");
	snprintf(hex, sizeof hex, "%.32s", text_of(device, "device"));
	question.words = json_pack("{s:[s]}", "devices", hex);
	FINE(question_dispatch_local(&authority->table, ROLE_GATEWAY, question, &out, NULL, &err));
	json_decref(out);
	answer = asked(authority, "attendance", "{}");
	people = json_object_get(answer, "people");
	assert_int_equal(json_array_size(people), 3);
	assert_string_equal(text_of(json_array_get(people, 0), "name"), "Ann");
	assert_true(json_is_integer(json_object_get(json_array_get(people, 0), "seen")));
	assert_int_equal(json_integer_value(json_object_get(json_array_get(people, 1), "devices")), 0);
	assert_true(json_is_null(json_object_get(json_array_get(people, 1), "seen")));
	assert_int_equal(json_integer_value(json_object_get(json_array_get(people, 2), "devices")), 1);
	assert_true(json_is_null(json_object_get(json_array_get(people, 2), "seen")));
	json_decref(answer);
	/* Who is named in a row is said by name. */
	{
		char words[512];

		snprintf(words, sizeof words, "{'rows': [{" ROW ", 'times': 1, 'first': 1, 'last': 1, 'device': '%s'}]}", hex);
		told(authority, words);
	}
	answer = asked(authority, "watch", "{}");
	assert_string_equal(text_of(row_at(answer, 0), "name"), "Ann/phone");
	assert_string_equal(text_of(row_at(answer, 0), "device"), text_of(device, "device"));
	json_decref(answer);
	json_decref(device);
	authority_free(authority);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_house, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(rows_add_up_over_gateways_and_restarts),
		TEST(a_gateway_that_lies_is_refused_or_harmless),
		TEST(the_least_recent_give_way_and_an_address_has_its_limit),
		TEST(all_pages_together_are_every_row_once),
		TEST(attendance_knows_who_was_never_there),
	};

	return cmocka_run_group_tests(tests, NULL, remove_kept_house);
}
