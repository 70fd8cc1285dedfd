#include "wire/target.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

static struct error err;
static char room[512], other_room[512];

static void assert_span(struct span span, const char *text)
{
	if (!span_is(span, text))
		print_error("\"%.*s\" is not \"%s\"\n", SPAN_PRINT(span), text);
	assert_true(span_is(span, text));
}

static void a_path_has_one_normal_form(void **state)
{
	static const struct {
		const char *text, *path;
		uint8_t doubts;
	} cases[] = {
		{"/", "/", 0},
		{"/a/b", "/a/b", 0},
		{"/a%2Db%7e%41", "/a-b~A", 0},
		{"/caf%c3%a9", "/caf%C3%A9", 0},
		{"/a/./b", "/a/b", 0},
		{"/a/../b", "/b", 0},
		{"/a/b/..", "/a/", 0},
		{"/a/b/.", "/a/b/", 0},
		{"/a/..", "/", 0},
		{"/.", "/", 0},
		{"/./", "/", 0},
		{"/a/%2e%2E/b", "/b", 0},
		{"/a/.%2e/b", "/b", 0},
		{"/.well-known/x", "/.well-known/x", 0},
		{"/...", "/...", 0},
		{"/a..b/..c", "/a..b/..c", 0},
		{"/a%20b", "/a%20b", 0},
		{"/100%25", "/100%25", 0},
		{"/100%25.txt", "/100%25.txt", 0},
		{"/a//b", "/a//b", TARGET_EMPTY_SEGMENT},
		{"//a", "//a", TARGET_EMPTY_SEGMENT},
		{"/a//../b", "/a/b", TARGET_EMPTY_SEGMENT},
		{"/a%2fb", "/a%2Fb", TARGET_ENCODED_SLASH},
		{"/a\\b", "/a\\b", TARGET_BACKSLASH},
		{"/a%5cb", "/a%5Cb", TARGET_BACKSLASH},
		{"/a%252fb", "/a%252fb", TARGET_DOUBLE_ENCODED},
		{"/a%25%32%66b", "/a%252fb", TARGET_DOUBLE_ENCODED},
		{"/a%25252fb", "/a%25252fb", TARGET_DOUBLE_ENCODED},
		{"/a%0d%0ab", "/a%0D%0Ab", TARGET_ENCODED_CONTROL},
		{"/a%7f", "/a%7F", TARGET_ENCODED_CONTROL},
		{"/a;b=c/d", "/a;b=c/d", TARGET_PARAMETER},
		{"/a%3bb", "/a%3Bb", TARGET_PARAMETER},
		{"/a%3fb", "/a%3Fb", TARGET_ENCODED_DELIMITER},
		{"/a%23b", "/a%23b", TARGET_ENCODED_DELIMITER},
		{"/%40a", "/%40a", TARGET_ENCODED_DELIMITER},
		{"/a%2bb%7B%22", "/a%2Bb%7B%22", TARGET_ENCODED_DELIMITER},
		{"/@a+b{", "/@a+b{", 0},
		{"/a%c0%afb", "/a%C0%AFb", TARGET_OVERLONG},
		{"/a%e0%80%afb", "/a%E0%80%AFb", TARGET_OVERLONG},
		{"/a%f0%80%80%afb", "/a%F0%80%80%AFb", TARGET_OVERLONG},
		{"/%e2%82%ac", "/%E2%82%AC", 0},
	};
	struct target target, again;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(target_parse(span_of(cases[i].text), room, sizeof room, &target, &err), OK);
		assert_span(target.path, cases[i].path);
		assert_int_equal(target.doubts, cases[i].doubts);
		assert_int_equal(target_is_ambiguous(&target), cases[i].doubts != 0);
		assert_int_equal(target_parse(target.path, other_room, sizeof other_room, &again, &err), OK);
		assert_span(again.path, cases[i].path);
	}
}

static void a_path_that_means_harm_is_refused(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"/..", "the path climbs above its root"},
		{"/../etc/passwd", "the path climbs above its root"},
		{"/a/../../b", "the path climbs above its root"},
		{"/%2e%2e/b", "the path climbs above its root"},
		{"/..;/admin", "the path hides dots behind a parameter"},
		{"/a/..;x=y/admin", "the path hides dots behind a parameter"},
		{"/a/.;/admin", "the path hides dots behind a parameter"},
		{"/a/..%3b/admin", "the path hides dots behind a parameter"},
		{"/a%00b", "the path holds %00"},
		{"/a%", "the path holds a % without two digits"},
		{"/a%2", "the path holds a % without two digits"},
		{"/a%2gb", "the path holds a % without two digits"},
		{"/a%u002f", "the path holds a % without two digits"},
		{"/a%%32f", "the path holds a % without two digits"},
		{"/a#b", "the path holds a character that it may not"},
		{"/a b", "the path holds a character that it may not"},
		{"/a\xe9", "the path holds a character that it may not"},
		{"/a\nb", "the path holds a character that it may not"},
		{"/a?b#c", "the query holds a character that it may not"},
		{"/a?b\x01", "the query holds a character that it may not"},
		{"", "the path does not start with a slash"},
		{"a", "the path does not start with a slash"},
		{"?a", "the path does not start with a slash"},
		{"*x", "the path does not start with a slash"},
	};
	struct target target;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(target_parse(span_of(cases[i].text), room, sizeof room, &target, &err), REFUSED);
		assert_string_equal(err.text, cases[i].why);
	}
}

static void a_query_stays_as_it_came(void **state)
{
	struct target target;

	(void)state;
	assert_int_equal(target_parse(SPAN("/a/../b?c=%2e%2E&d=/../;?x%zz"), room, sizeof room, &target, &err), OK);
	assert_span(target.path, "/b");
	assert_true(target.has_query);
	assert_span(target.query, "c=%2e%2E&d=/../;?x%zz");
	assert_int_equal(target.doubts, 0);
	assert_int_equal(target_parse(SPAN("/a?"), room, sizeof room, &target, &err), OK);
	assert_true(target.has_query);
	assert_span(target.query, "");
	assert_int_equal(target_parse(SPAN("/a"), room, sizeof room, &target, &err), OK);
	assert_false(target.has_query);
	assert_int_equal(target_parse(SPAN("*"), room, sizeof room, &target, &err), OK);
	assert_span(target.path, "*");
}

static void the_other_reading_is_the_most_liberal_one(void **state)
{
	static const struct {
		const char *text, *other; /* NULL: refused */
	} cases[] = {
		{"/a/b", "/a/b"},
		{"/", "/"},
		{"//admin", "/admin"},
		{"/admin//", "/admin/"},
		{"/%2fadmin%2fx", "/admin/x"},
		{"/%252fadmin", "/admin"},
		{"/%25252525252fadmin", "/admin"},
		{"/a%20b", "/a b"},
		{"/%c0%afadmin", "/admin"},
		{"/%e0%80%afadmin", "/admin"},
		{"/%f0%80%80%afadmin", "/admin"},
		{"/%f8%80%80%80%afadmin", "/admin"},
		{"/%fc%80%80%80%80%afadmin", "/admin"},
		{"/%25c0%25afadmin", "/admin"},
		{"/%c1%a1dmin", "/admin"},
		{"/%c0%a52fadmin", "/admin"}, /* "%2f" whose % is long */
		{"/a/%c0%ae%c0%ae/admin", NULL},
		{"/a/..%c0%afadmin", NULL},
		{"/a/..%e0%80%afadmin", NULL},
		{"/%25u002fadmin", "/admin"},
		{"/a/%25u002e%25U002E/admin", NULL},
		{"/%c0%80", NULL},
		{"/caf%c0", "/caf\xc0"}, /* Latin-1 */
		{"/%c3%a9;x", "/\xc3\xa9"},
		{"/%e2%82%ac;x", "/\xe2\x82\xac"},
		{"/%c2%80;x", "/\xc2\x80"},
		{"/admin;x=y/z", "/admin/z"},
		{"/admin%3bx", "/admin"},
		{"/;x/admin", "/admin"},
		{"/\\admin\\x", "/admin/x"},
		{"/admin%5cx", "/admin/x"},
		{"/admin%3fx", "/admin"},
		{"/admin%23x", "/admin"},
		{"/%40admin%3ax", "/@admin:x"},
		{"/admin%2f.", "/admin/"},
		{"/a%2f.%2fb", "/a/b"},
		{"/public/..%2fadmin", NULL},
		{"/public%2f..%2fadmin", NULL},
		{"/public/..\\admin", NULL},
		{"/public/..%5cadmin", NULL},
		{"/public/%252e%252e/admin", NULL},
		{"/public/%252e%252e%252fadmin", NULL},
		{"/public/%25%32%65%25%32%65/admin", NULL},
		{"/public/..%2500/admin", NULL},
		{"/public/..%253b/admin", NULL},
	};
	struct target target;
	struct span other;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		enum status status;

		assert_int_equal(target_parse(span_of(cases[i].text), room, sizeof room, &target, &err), OK);
		status = target_other_reading(&target, other_room, sizeof other_room, &other, &err);
		if ((status == OK) != (cases[i].other != NULL))
			print_error("%s: %.*s\n", cases[i].text, SPAN_PRINT(other));
		assert_int_equal(status, cases[i].other ? OK : REFUSED);
		if (cases[i].other)
			assert_span(other, cases[i].other);
	}
}

static void a_prefix_ends_at_a_segment(void **state)
{
	(void)state;
	assert_true(path_is_under(SPAN("/api"), SPAN("/api")));
	assert_true(path_is_under(SPAN("/api/"), SPAN("/api")));
	assert_true(path_is_under(SPAN("/api/x"), SPAN("/api")));
	assert_true(path_is_under(SPAN("/api/x"), SPAN("/api/")));
	assert_true(path_is_under(SPAN("/api"), SPAN("/api/")));
	assert_true(path_is_under(SPAN("/anything"), SPAN("/")));
	assert_true(path_is_under(SPAN("/"), SPAN("/")));
	assert_false(path_is_under(SPAN("/apix"), SPAN("/api")));
	assert_false(path_is_under(SPAN("/ap"), SPAN("/api")));
	assert_false(path_is_under(SPAN("/API"), SPAN("/api")));
	assert_false(path_is_under(SPAN("*"), SPAN("/")));
}

static void a_pattern_matches_the_whole_path(void **state)
{
	(void)state;
	assert_true(path_matches(SPAN("/api/v4/websocket"), "/api/v#/websocket"));
	assert_true(path_matches(SPAN("/api/v12/users/websocket"), "/api/v#/users/websocket"));
	assert_false(path_matches(SPAN("/api/v/websocket"), "/api/v#/websocket"));
	assert_false(path_matches(SPAN("/api/v4x/websocket"), "/api/v#/websocket"));
	assert_false(path_matches(SPAN("/api/v4/websocket/x"), "/api/v#/websocket"));
	assert_false(path_matches(SPAN("/api/v4/websocke"), "/api/v#/websocket"));
	assert_true(path_matches(SPAN("/hooks/abc/def"), "/hooks/*/*"));
	assert_true(path_matches(SPAN("/hooks//"), "/hooks/*/*"));
	assert_false(path_matches(SPAN("/hooks/a/b/c"), "/hooks/*/*"));
	assert_false(path_matches(SPAN("/hooks/a"), "/hooks/*/*"));
	assert_true(path_matches(SPAN("/x/aXbXc.js"), "/x/*Xc.js"));
	assert_true(path_matches(SPAN("/x/file12.png"), "/x/*#.png"));
	assert_false(path_matches(SPAN("/x/y/file.png"), "/x/*.png"));
	assert_false(path_matches(SPAN("#"), "#"));
	assert_true(path_matches(SPAN(""), ""));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_path_has_one_normal_form),
		cmocka_unit_test(a_path_that_means_harm_is_refused),
		cmocka_unit_test(a_query_stays_as_it_came),
		cmocka_unit_test(the_other_reading_is_the_most_liberal_one),
		cmocka_unit_test(a_prefix_ends_at_a_segment),
		cmocka_unit_test(a_pattern_matches_the_whole_path),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
