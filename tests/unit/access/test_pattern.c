#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "access/pattern.h"

static struct pattern *make(const char *text, bool any_case)
{
	struct pattern *pattern = NULL;
	struct error err = {""};

	if (pattern_new(span_of(text), any_case, &pattern, &err) != OK)
		fail_msg("%s: %s", text, err.text);
	return pattern;
}

static bool matches(const char *text, const char *path)
{
	struct pattern *pattern = make(text, false);
	bool found = pattern_matches(pattern, span_of(path), false);

	pattern_free(pattern);
	return found;
}

static void each_sign_means_what_people_are_used_to(void **state)
{
	static const struct {
		const char *pattern, *yes, *no;
	} rows[] = {
		{"^/api/v[0-9]+/hooks", "/api/v12/hooks/x", "/api/v/hooks"},
		{"^/api/v[0-9]+/hooks", "/api/v1/hooks", "/x/api/v1/hooks"},
		{"^/a$", "/a", "/ab"},
		{"/b", "/a/b/c", "/a/c"},
		{"\\.(png|css)$", "/x/y.png", "/x/y.png/z"},
		{"^/(a|bc|)d", "/bcd", "/bd"},
		{"^/(a|bc|)d", "/d", "/abcd"},
		{"^/a?b", "/b", "/aab"},
		{"^/a*b", "/aaab", "/aacb"},
		{"^/a+?b", "/aab", "/b"},
		{"^/a{2}/", "/aa/", "/aaa/"},
		{"^/a{2,}/", "/aaaa/", "/a/"},
		{"^/a{1,3}/", "/aaa/", "/aaaa/"},
		{"^/a{0,2}/", "//", "/aaa/"},
		{"^/(ab){2}$", "/abab", "/ababab"},
		{"^/(?:ab|c)+$", "/abccab", "/aba"},
		{"^/[^/]+$", "/abc", "/a/c"},
		{"^/[]a-c-]$", "/]", "/d"},
		{"^/[a-]$", "/-", "/b"},
		{"^/[\\d/]$", "/7", "/a"},
		{"^/\\w\\W\\d\\D\\S$", "/a-1bc", "/ab1bc"},
		{"^/.\\.$", "/x.", "/xy"},
		{"^/a\\+b$", "/a+b", "/aab"},
		{"^/$|^/x", "/", "/y"},
		{"(^/a|b$)", "/xb", "/xbc"},
		{"^/files/[a-z0-9]{26}/public$", "/files/abcdefghijklmnopqrstuvwxyz/public",
		 "/files/abcdefghijklmnopqrstuvwxy/public"},
		{"^/()()a{3}", "/aaa", "/aa"},
		{"^^/a$$", "/a", "/aa"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (!matches(rows[i].pattern, rows[i].yes))
			fail_msg("%s does not match %s", rows[i].pattern, rows[i].yes);
		if (matches(rows[i].pattern, rows[i].no))
			fail_msg("%s matches %s", rows[i].pattern, rows[i].no);
	}
}

static void any_case_is_for_letters_in_and_out_of_classes(void **state)
{
	struct pattern *pattern = make("^/Ad[m-o][^x]N", true);

	(void)state;
	assert_true(pattern_matches(pattern, SPAN("/aDMin"), false));
	assert_true(pattern_matches(pattern, SPAN("/ADNIN"), false));
	assert_false(pattern_matches(pattern, SPAN("/adpin"), false));
	assert_false(pattern_matches(pattern, SPAN("/admXn"), false));
	pattern_free(pattern);
}

static void a_slash_can_be_thought_behind_the_path(void **state)
{
	struct pattern *pattern = make("^/a/$", false);

	(void)state;
	assert_false(pattern_matches(pattern, SPAN("/a"), false));
	assert_true(pattern_matches(pattern, SPAN("/a"), true));
	assert_false(pattern_matches(pattern, SPAN("/a/"), true));
	pattern_free(pattern);
}

static void what_is_not_known_is_named(void **state)
{
	static const struct {
		const char *pattern, *text;
	} rows[] = {
		{"", "a regular expression has 1 to 512 characters"},
		{"^/a(b", "\"^/a(b\", character 6: the ( is not closed; write \\( for a parenthesis"},
		{"^/a)b", "\"^/a)b\", character 4: this ) closes nothing; write \\) for a parenthesis"},
		{"^/[ab", "\"^/[ab\", character 6: the [ is not closed; write \\[ for a bracket"},
		{"^/[z-a]", "\"^/[z-a]\", character 7: a range goes from a lower to a higher character, as a-z"},
		{"^/(a)\\1", "\"^/(a)\\1\", character 7: references back to a group are not known; write out what may stand there"},
		{"^/(?=a)", "\"^/(?=a)\", character 5: (? is only known as (?: here: no names, no looking ahead; for any case write ~*"},
		{"^/(?i)a", "\"^/(?i)a\", character 5: (? is only known as (?: here: no names, no looking ahead; for any case write ~*"},
		{"^/\\bx", "\"^/\\bx\", character 4: this \\ is not known; there are \\d \\w \\s \\D \\W \\S and \\ before signs"},
		{"^/x\\", "\"^/x\\\", character 5: nothing behind the \\"},
		{"^/[[:alpha:]]", "\"^/[[:alpha:]]\", character 4: classes by name are not known; write [a-z], or \\[ for a bracket"},
		{"*a", "\"*a\", character 1: nothing stands there that could be repeated; write \\ before a sign that means itself"},
		{"^/a**", "\"^/a**\", character 5: a repetition of a repetition; put the first into ( )"},
		{"^/a++", "\"^/a++\", character 5: possessive repetition is not known"},
		{"^/a{3,2}", "\"^/a{3,2}\", character 8: a count is {2}, {2,} or {2,4}, up to 255; write \\{ for a brace"},
		{"^/a{256}", "\"^/a{256}\", character 8: a count is {2}, {2,} or {2,4}, up to 255; write \\{ for a brace"},
		{"^/a{0}", "\"^/a{0}\", character 7: nothing at all is repeated no times"},
		{"^api", "\"^api\" matches no path: paths begin with /"},
		{"^$", "\"^$\" matches no path: paths begin with /"},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		struct pattern *pattern = NULL;
		struct error err = {""};

		assert_int_equal(pattern_new(span_of(rows[i].pattern), false, &pattern, &err), REFUSED);
		assert_string_equal(err.text, rows[i].text);
		assert_null(pattern);
	}
}

static void refuses_for(const char *text, const char *why)
{
	struct pattern *pattern = NULL;
	struct error err = {""};

	assert_int_equal(pattern_new(span_of(text), true, &pattern, &err), REFUSED);
	assert_non_null(strstr(err.text, why));
	assert_null(pattern);
}

static void what_would_need_a_large_table_is_refused_and_not_made(void **state)
{
	(void)state;
	refuses_for("^/.*a.{12}b", "needs a table of more than 1024 states");
	refuses_for("^/((((a{99}){99}){99}){99})", "too long with its repetitions");
	refuses_for("^/((((((((((((a))))))))))))", "groups within groups are too deep");
	refuses_for("((((((((((){255}){255}){255}){255}){255}){255}){255}){255}){255}", "too");
}

/* What takes a backtracking matcher longer than the world will last. */
static void no_path_takes_longer_than_its_length(void **state)
{
	struct pattern *pattern = make("^(/a*)*(/a|/a)*$|^/(a|aa)+$|^/(([a-z])+.)+[A-Z]([a-z])+$", false);
	char path[8192];

	(void)state;
	memset(path, 'a', sizeof path);
	path[0] = '/';
	path[sizeof path - 1] = '!';
	assert_false(pattern_matches(pattern, span_make(path, sizeof path), false));
	path[sizeof path - 1] = 'a';
	assert_true(pattern_matches(pattern, span_make(path, sizeof path), false));
	pattern_free(pattern);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_sign_means_what_people_are_used_to),
		cmocka_unit_test(any_case_is_for_letters_in_and_out_of_classes),
		cmocka_unit_test(a_slash_can_be_thought_behind_the_path),
		cmocka_unit_test(what_is_not_known_is_named),
		cmocka_unit_test(what_would_need_a_large_table_is_refused_and_not_made),
		cmocka_unit_test(no_path_takes_longer_than_its_length),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
