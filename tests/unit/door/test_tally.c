#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "door/client_kind.h"
#include "door/tally.h"

static unsigned firsts;

static void on_first(void *arg)
{
	(void)arg;
	firsts++;
}

static struct tally *make(void)
{
	struct tally *tally = NULL;
	struct error err;

	firsts = 0;
	assert_int_equal(tally_new(on_first, NULL, &tally, &err), OK);
	return tally;
}

static struct tally_event event(const char *path, const char *client)
{
	return (struct tally_event){.site = SPAN("chat.example.com"), .path = span_of(path), .client = span_of(client),
				    .code = "C01", .client_kind = 2, .now = 1000};
}

static struct tally_row rows[2 * TALLY_ROWS];

static size_t take_all(struct tally *tally)
{
	tally_begin(tally);
	return tally_take(tally, rows, 2 * TALLY_ROWS);
}

static const struct tally_row *row_of(size_t count, const char *path, const char *source)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (strcmp(rows[i].path, path) == 0 && strcmp(rows[i].source, source) == 0)
			return &rows[i];
	return NULL;
}

static void the_same_adds_one_and_anything_else_is_a_row(void **state)
{
	const uint8_t device[16] = {7};
	struct tally *tally = make();
	struct tally_event one = event("/api/v1/users", "10.0.0.5"), other;
	size_t count;

	(void)state;
	tally_add(tally, &one);
	one.now = 1010;
	tally_add(tally, &one);
	other = one, other.path = SPAN("/api/v2"), tally_add(tally, &other);
	other = one, other.client = SPAN("10.0.0.6"), tally_add(tally, &other);
	other = one, other.code = "C08", other.device = device, tally_add(tally, &other);
	other = one, other.location = "/api", tally_add(tally, &other);
	other = one, other.client_kind = 3, tally_add(tally, &other);
	other = one, other.site = SPAN("b.example.com"), tally_add(tally, &other);
	count = take_all(tally);
	assert_int_equal(count, 7);
	for (size_t i = 0; i < count; i++) {
		assert_int_equal(rows[i].has_device, strcmp(rows[i].code, "C08") == 0);
		if (rows[i].has_device)
			assert_memory_equal(rows[i].device, device, 16);
		if (rows[i].count == 2) {
			assert_string_equal(rows[i].site, "chat.example.com");
			assert_string_equal(rows[i].path, "/api/v1");
			assert_string_equal(rows[i].location, "");
			assert_int_equal(rows[i].first, 1000);
			assert_int_equal(rows[i].last, 1010);
		}
	}
	tally_free(tally);
}

static void what_arrived_is_not_told_again_and_what_did_not_is(void **state)
{
	struct tally *tally = make();
	struct tally_event one = event("/x", "10.0.0.5");

	(void)state;
	tally_add(tally, &one);
	tally_add(tally, &one);
	assert_int_equal(firsts, 1);
	assert_int_equal(take_all(tally), 1);
	tally_add(tally, &one); /* while it is told */
	tally_told(tally, false);
	assert_true(tally_end(tally));
	assert_int_equal(take_all(tally), 1);
	assert_int_equal(rows[0].count, 3);
	tally_add(tally, &one);
	tally_told(tally, true);
	assert_true(tally_end(tally));
	assert_int_equal(take_all(tally), 1);
	assert_int_equal(rows[0].count, 1);
	tally_told(tally, true);
	assert_false(tally_end(tally));
	assert_int_equal(take_all(tally), 0);
	assert_int_equal(firsts, 1);
	tally_add(tally, &one);
	assert_int_equal(firsts, 2);
	tally_free(tally);
}

static void rows_come_in_portions(void **state)
{
	struct tally *tally = make();
	char path[32];
	unsigned i;
	size_t count = 0;

	(void)state;
	for (i = 0; i < 20; i++) {
		struct tally_event one;

		snprintf(path, sizeof path, "/p%u", i);
		one = event(path, "10.0.0.5");
		tally_add(tally, &one);
	}
	tally_begin(tally);
	for (size_t got; (got = tally_take(tally, rows, 7)) > 0; count += got)
		tally_told(tally, true);
	assert_int_equal(count, 20);
	assert_false(tally_end(tally));
	tally_free(tally);
}

static void ten_thousand_paths_of_one_address_are_a_few_rows(void **state)
{
	struct tally *tally = make();
	char path[32];
	uint64_t total = 0;
	size_t count;
	unsigned i;

	(void)state;
	for (i = 0; i < 10000; i++) {
		struct tally_event one;

		snprintf(path, sizeof path, "/p%u/q%u", i, i);
		one = event(path, "10.0.0.5");
		one.client_kind = i % 40;
		tally_add(tally, &one);
	}
	struct tally_event honest = event("/chat", "10.0.0.6");

	tally_add(tally, &honest);
	count = take_all(tally);
	assert_int_equal(count, TALLY_PATHS_A_SOURCE + 2);
	for (i = 0; i < count; i++)
		total += rows[i].count;
	assert_int_equal(total, 10001);
	assert_int_equal(row_of(count, "*", "10.0.0.5")->count, 10000 - TALLY_PATHS_A_SOURCE);
	assert_non_null(row_of(count, "/chat", "10.0.0.6"));
	assert_int_equal(tally_take_uncounted(tally), 0);
	tally_free(tally);
}

static void any_number_of_addresses_is_counted_and_the_table_stays_its_size(void **state)
{
	struct tally *tally = make();
	char client[32], path[32];
	uint64_t total = 0;
	size_t count;
	unsigned i;

	(void)state;
	for (i = 0; i < 50000; i++) {
		struct tally_event one;

		snprintf(client, sizeof client, "10.%u.%u.%u", i >> 16, i >> 8 & 255, i & 255);
		snprintf(path, sizeof path, "/p%u", i % 3);
		one = event(path, client);
		tally_add(tally, &one);
	}
	count = take_all(tally);
	assert_int_equal(count <= TALLY_ROWS, 1);
	for (i = 0; i < count; i++)
		total += rows[i].count;
	total += tally_take_uncounted(tally);
	assert_int_equal(total, 50000);
	tally_told(tally, true);
	assert_false(tally_end(tally));
	struct tally_event late = event("/chat", "10.0.0.6");

	tally_add(tally, &late);
	assert_int_equal(take_all(tally), 1);
	assert_int_equal(tally_take_uncounted(tally), 0);
	tally_free(tally);
}

static void a_path_is_its_beginning_without_ids(void **state)
{
	static const struct {
		const char *path, *expected;
	} cases[] = {
		{"/", "/"}, {"*", "/"}, {"", "/"}, {"/health", "/health"}, {"/api/v1/", "/api/v1"},
		{"/api/v1/users/7", "/api/v1"}, {"//a///b/c", "/a/b"}, {"/users/12345/x", "/users/*"},
		{"/hooks/5f3a9c1d7e2b4a6f8c0d/secret", "/hooks/*"},
		{"/r/aBcDeFgHiJkLmNoPq", "/r/*"}, {"/channel/general-discussion-here", "/channel/general-discussion-here"},
		{"/0123456789abcdef0123456789abcdef01234567/x", "/*/x"},
		{"/a\x1b[31mred/\x80\xff", "/a?[31mred/??"}, {"/%1B%5B31m", "/%1B%5B31m"},
	};
	char out[TALLY_PATH_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		tally_path(span_of(cases[i].path), out);
		assert_string_equal(out, cases[i].expected);
	}
}

static void an_ipv6_address_is_its_56_bits(void **state)
{
	static const char *const cases[][2] = {
		{"10.0.0.5", "10.0.0.5"},
		{"2001:db8:0:12ff:1:2:3:4", "2001:db8:0:1200::/56"},
		{"2001:db8:0:1200::", "2001:db8:0:1200::/56"},
		{"::1", "::/56"},
		{"ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "ffff:ffff:ffff:ff00::/56"},
		{"unix", "unix"},
	};
	char out[TALLY_SOURCE_SIZE];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		tally_source(span_of(cases[i][0]), out);
		assert_string_equal(out, cases[i][1]);
	}
}

static void a_program_is_told_by_what_it_says(void **state)
{
	static const struct {
		const char *text, *name;
		enum client_sort sort;
	} cases[] = {
		{"", "nothing said", CLIENT_SILENT},
		{"curl/7.88.1", "curl", CLIENT_PROGRAM},
		{"RC Mobile; ios 17.1; v4.42.0 (100)", "Rocket.Chat app (phone)", CLIENT_APP},
		{"Mattermost Mobile/2.9.0+497 (Android; 13; Pixel)", "Mattermost app (phone)", CLIENT_APP},
		{"Mozilla/5.0 (X11; Linux x86_64) AppleWebKit/537.36 (KHTML, like Gecko) Mattermost/5.5.1 Chrome/116.0 "
		 "Electron/26.2 Safari/537.36", "Mattermost app (desktop)", CLIENT_APP},
		{"Mozilla/5.0 (X11; Linux x86_64; rv:109.0) Gecko/20100101 Firefox/115.0", "Firefox", CLIENT_BROWSER},
		{"Mozilla/5.0 (Windows NT 10.0; Win64; x64) AppleWebKit/537.36 (KHTML, like Gecko) Chrome/120.0 "
		 "Safari/537.36 Edg/120.0", "Edge", CLIENT_BROWSER},
		{"Mozilla/5.0 (Macintosh) AppleWebKit/605.1.15 (KHTML, like Gecko) Version/17.0 Safari/605.1.15", "Safari",
		 CLIENT_BROWSER},
		{"kube-probe/1.27", "Kubernetes probe", CLIENT_MONITOR},
		{"check_http/v2.3.3 (monitoring-plugins 2.3.3)", "Nagios check_http", CLIENT_MONITOR},
		{"\x1b]0;owned\x07", "another program", CLIENT_OTHER},
	};
	char longest[4096];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		const struct client_kind *kind = client_kind_at(client_kind_find(span_of(cases[i].text)));

		assert_string_equal(kind->name, cases[i].name);
		assert_int_equal(kind->sort, cases[i].sort);
		assert_ptr_equal(client_kind_named(span_of(kind->name))->name, kind->name);
	}
	memset(longest, 'x', sizeof longest);
	assert_int_equal(client_kind_find(span_make(longest, sizeof longest)), CLIENT_KIND_OTHER);
	assert_int_equal(client_kind_at(100000)->sort, CLIENT_OTHER);
	assert_int_equal(client_kind_named(SPAN("no such"))->sort, CLIENT_OTHER);
	for (i = 0; client_kind_at((unsigned)i)->sort != CLIENT_OTHER || i == CLIENT_KIND_OTHER; i++) {
		assert_true(i < 256); /* a byte of a key */
		assert_true(strlen(client_kind_at((unsigned)i)->name) <= CLIENT_NAME_MOST);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_same_adds_one_and_anything_else_is_a_row),
		cmocka_unit_test(what_arrived_is_not_told_again_and_what_did_not_is),
		cmocka_unit_test(rows_come_in_portions),
		cmocka_unit_test(ten_thousand_paths_of_one_address_are_a_few_rows),
		cmocka_unit_test(any_number_of_addresses_is_counted_and_the_table_stays_its_size),
		cmocka_unit_test(a_path_is_its_beginning_without_ids),
		cmocka_unit_test(an_ipv6_address_is_its_56_bits),
		cmocka_unit_test(a_program_is_told_by_what_it_says),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
