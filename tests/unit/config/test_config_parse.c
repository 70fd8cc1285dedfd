#include "config/config_parse.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <cmocka.h>

#include "config/config_files.h"
#include "config/sample_rows.h"

static struct sample sample;
static struct error err;

static enum status parse(const char *text)
{
	struct config_files *files;
	enum status status;

	memset(&sample, 0, sizeof sample);
	err.text[0] = 0;
	assert_int_equal(config_files_from_map(sample_files, &files, &err), OK);
	status = config_parse(&sample_rows, "door.conf", span_of(text), files, &sample, &err);
	config_files_free(files);
	return status;
}

static void assert_refused(const char *text, const char *complaint)
{
	if (parse(text) == OK)
		fail_msg("was read: %s", text);
	if (strcmp(err.text, complaint) != 0)
		fail_msg("for: %s\nsaid: %s\nnot:  %s", text, err.text, complaint);
	sample_release(&sample);
}

#define SITE_OF(name) "site \"" name "\" { upstream = \"u\" }\n"
#define SITE SITE_OF("a")

static void a_whole_config_is_read(void **state)
{
	(void)state;
	assert_int_equal(parse("\xef\xbb\xbf# a comment\r\n"
			       "listen = {\"127.0.0.1:443\", # with a comment inside\n"
			       "  \"[::1]:443\",}\n"
			       "state = /srv/x // another\n"
			       "contact = 'it\\'s \"me\" ${HOME}'\n"
			       "idle-timeout = 12m\n head-size = 4K workers=3\n"
			       "quiet = yes /* and\n a third */\n"
			       "site \"chat.example.com\" {\n"
			       "  upstream = \"http://127.0.0.1:3000\"\n"
			       "  who = staff\n"
			       "  no-certificate = drop\n"
			       "  key = /key.pem\n"
			       "  allow-file = \"/unreadable\"\n"
			       "  location \"/api\" { no-certificate = allow }\n"
			       "  location \"/b\" { }\n"
			       "}\n"
			       "site b.example.com { upstream = \"\\\\\\\"\\$\" }"),
			 OK);
	assert_int_equal(sample.listen.count, 2);
	assert_int_equal(address_port(&sample.listen.at[1]), 443);
	assert_string_equal(sample.state, "/srv/x");
	assert_string_equal(sample.contact, "it's \"me\" ${HOME}");
	assert_int_equal(sample.idle, SECONDS(720));
	assert_int_equal(sample.head, 4096);
	assert_int_equal(sample.workers, 3);
	assert_true(sample.quiet);
	assert_int_equal(sample.site_count, 2);
	assert_string_equal(sample.sites[0].name, "chat.example.com");
	assert_string_equal(sample.sites[0].upstream, "http://127.0.0.1:3000");
	assert_int_equal(sample.sites[0].who.count, 1);
	assert_string_equal(sample.sites[0].who.at[0], "staff");
	assert_int_equal(sample.sites[0].mode, SAMPLE_DROP);
	assert_true(span_is(sample.sites[0].key.bytes, "KEY"));
	assert_null(sample.sites[0].allow.bytes.at);
	assert_string_equal(sample.sites[0].allow.trouble,
			    "cannot open /unreadable: No such file or directory");
	assert_int_equal(sample.sites[0].location_count, 2);
	assert_int_equal(sample.sites[0].locations[0].mode, SAMPLE_ALLOW);
	assert_int_equal(sample.sites[0].locations[1].mode, SAMPLE_EXPLAIN);
	assert_string_equal(sample.sites[1].upstream, "\\\"$");
	sample_release(&sample);
}

static void what_is_not_said_has_its_default(void **state)
{
	(void)state;
	assert_int_equal(parse(SITE), OK);
	assert_int_equal(sample.listen.count, 2);
	assert_string_equal(sample.state, "/var/lib/chatelaine");
	assert_null(sample.contact);
	assert_int_equal(sample.idle, SECONDS(75));
	assert_int_equal(sample.head, 16384);
	assert_string_equal(sample.sites[0].who.at[0], "everyone");
	sample_release(&sample);
	memset(&sample, 0, sizeof sample);
	assert_int_equal(config_defaults(&sample_rows, "", &sample, &err), OK);
	assert_int_equal(sample.workers, 2);
	sample_release(&sample);
}

static void a_name_that_nobody_knows_meets_the_nearest_one(void **state)
{
	(void)state;
	assert_refused("\nlisten = x\n\nlsiten = 5\n", "door.conf:4: unknown key \"lsiten\" (did you mean \"listen\"?)");
	assert_refused("idletimeout = 5s", "door.conf:1: unknown key \"idletimeout\" (did you mean \"idle-timeout\"?)");
	assert_refused("colour = red", "door.conf:1: unknown key \"colour\"");
	assert_refused("upstream = x", "door.conf:1: unknown key \"upstream\" (it belongs inside site \"...\" { })");
	assert_refused("site \"a\" {\nlisten = x }", "door.conf:2: unknown key \"listen\" (it belongs outside of all sections; is a } missing above?)");
	assert_refused("site \"a\" {\nsite \"b\" { } }", "door.conf:2: unknown key \"site\" (it belongs outside of all sections; is a } missing above?)");
	assert_refused("include = x", "door.conf:1: unknown key \"include\"");
	assert_refused("root = x", "door.conf:1: unknown key \"root\"");
}

static void a_value_that_does_not_fit_is_told_what_does(void **state)
{
	(void)state;
	assert_refused("# one\nidle-timeout = 75q", "door.conf:2: idle-timeout: \"75q\" is no duration; write a number and ms, s, m, h or d, like 75s or 12h");
	assert_refused("idle-timeout = 75", "door.conf:1: idle-timeout: \"75\" is no duration; write a number and ms, s, m, h or d, like 75s or 12h");
	assert_refused("idle-timeout = 2h", "door.conf:1: idle-timeout: \"2h\": it is out of range; 1s to 1h are allowed");
	assert_refused("idle-timeout = 99999999999999999d", "door.conf:1: idle-timeout: \"99999999999999999d\" is no duration; write a number and ms, s, m, h or d, like 75s or 12h");
	assert_refused("idle-timeout = -5s", "door.conf:1: idle-timeout: \"-5s\" is no duration; write a number and ms, s, m, h or d, like 75s or 12h");
	assert_refused("head-size = 1G", "door.conf:1: head-size: \"1G\": it is out of range; 1K to 1M are allowed");
	assert_refused("head-size = 1k", "door.conf:1: head-size: \"1k\" is no size; write a number of bytes, perhaps with K, M or G, like 16K");
	assert_refused("workers = 0", "door.conf:1: workers: \"0\": it is out of range; 1 to 64 are allowed");
	assert_refused("workers = 3.5", "door.conf:1: workers: \"3.5\" is no number; write a whole number");
	assert_refused("quiet = maybe", "door.conf:1: quiet: \"maybe\" is no yes or no; write yes or no");
	assert_refused("state = relative", "door.conf:1: state: \"relative\" is no path; write a path from / on, without \"..\" and without a slash at its end");
	assert_refused("state = /a/../b", "door.conf:1: state: \"/a/../b\" is no path; write a path from / on, without \"..\" and without a slash at its end");
	assert_refused("contact = \"\"", "door.conf:1: contact: \"\": it is empty");
	assert_refused("listen = {\"1.2.3.4:5\",\n\"example.com:443\"}", "door.conf:2: listen: \"example.com:443\": expected an IP address before the port, like 127.0.0.1 or [::1]");
	assert_refused("site \"a\" {\n upstream = u no-certificate = shout }", "door.conf:2: site \"a\": no-certificate: \"shout\": it must be explain, drop or allow");
	assert_refused("site \"a\" { upstream=u\n who = \"a b\" }", "door.conf:2: site \"a\": who: \"a b\" is no name; write 1 to 64 letters, digits, dots, dashes and underscores");
	assert_refused("site \"a\" { upstream=u key = /unreadable }", "door.conf:1: site \"a\": key: \"/unreadable\": cannot open /unreadable: No such file or directory");
	assert_refused("site \"a\" { upstream=u\n location \"/x\" {\n no-certificate = 1 } }", "door.conf:3: site \"a\": location \"/x\": no-certificate: \"1\": it must be explain, drop or allow");
}

static void what_is_missing_is_shown(void **state)
{
	(void)state;
	assert_refused("", "door.conf: no site is there: site \"chat.example.com\" { }");
	assert_refused("site \"a\" {\n\n}", "door.conf:3: site \"a\": upstream is missing: upstream = \"http://127.0.0.1:3000\"");
	assert_refused("site \"\" { upstream = u }", "door.conf:1: site \"\": it needs a name");
	assert_refused("site \"a\" { upstream = u\n allow-file = /allow.txt\n}", "door.conf:3: site \"a\": an allow-file needs a key");
}

static void what_is_there_twice_is_refused(void **state)
{
	(void)state;
	assert_refused(SITE "workers = 1\nworkers = 2", "door.conf:3: workers is given twice");
	assert_refused("listen = {\"1.2.3.4:5\"}\nlisten = {\"1.2.3.4:6\"}", "door.conf:2: listen is given twice");
	assert_refused(SITE SITE, "door.conf:2: site \"a\" is there twice");
	assert_refused("site \"a\" { upstream = u\nlocation x { }\nlocation x { } }", "door.conf:3: location \"x\" is there twice");
	/* But two sites each have their own. */
	assert_int_equal(parse(SITE "site \"b\" { upstream = \"u\" }"), OK);
	sample_release(&sample);
}

static void brackets_and_quotes_are_closed(void **state)
{
	(void)state;
	assert_refused("\n\nsite \"a\" {\n upstream = u\n\n", "door.conf:3: site: the { of this section is never closed");
	assert_refused(SITE "}", "door.conf:2: this } closes nothing");
	assert_refused("listen = {\n\"a\",\n", "door.conf:1: listen: the { that opens this list is never closed");
	assert_refused("listen = { \"a\" \"b\" }", "door.conf:1: listen: in a list stand values with a comma between them, then }");
	assert_refused("listen = { }", "door.conf:1: listen: the list is empty; give a value or leave the key out");
	assert_refused("\ncontact = \"abc\nworkers = 1", "door.conf:2: \"abc: the quote that opens here is not closed on its line");
	assert_refused("contact = \"abc", "door.conf:1: the quote that opens here is never closed");
	assert_refused("contact = 'abc", "door.conf:1: the quote that opens here is never closed");
	assert_refused("a /* b", "door.conf:1: the comment that begins here never ends");
	assert_refused("site { upstream = u }", "door.conf:1: site: a title must stand before the {");
	assert_refused("site \"a\" upstream = u", "door.conf:1: site: a { must stand behind the section's title, or a = before a value");
	assert_refused("workers", "door.conf:1: workers: a = must stand behind the key");
	assert_refused("workers =", "door.conf:1: workers: a value must stand behind the =");
	assert_refused("workers = }", "door.conf:1: workers: a value must stand behind the =");
	assert_refused("= 5", "door.conf:1: =: a key was expected: small letters, digits and dashes");
	assert_refused("\"workers\" = 5", "door.conf:1: \"workers\": a key was expected: small letters, digits and dashes");
	assert_refused("site|a = 5", "door.conf:1: site|a: this needs quotes around it");
	assert_refused("workers += 5", "door.conf:1: +: this needs quotes around it");
	assert_refused("a b { c d { e f { g h { i j { } } } } }", "door.conf:1: i: too many sections in one another");
}

static void a_kind_in_the_place_of_another_is_explained(void **state)
{
	(void)state;
	assert_refused("site = a", "door.conf:1: site is a section: site \"...\" { }");
	assert_refused("workers \"a\" { }", "door.conf:1: workers takes a value: workers = ...");
	assert_refused("workers = {\"1\"}", "door.conf:1: one value is expected here, not a list");
}

static void nothing_is_taken_from_the_environment(void **state)
{
	(void)state;
	setenv("CONFIG_TEST", "leak", 1);
	assert_refused("contact = \"${CONFIG_TEST}\"", "door.conf:1: \": ${...} is not looked up in the environment; write the value, or \\${ for the signs");
	assert_refused("contact = ${CONFIG_TEST}", "door.conf:1: $: this needs quotes around it");
	assert_int_equal(parse(SITE "contact = \"\\${CONFIG_TEST} $5\""), OK);
	assert_string_equal(sample.contact, "${CONFIG_TEST} $5");
	sample_release(&sample);
}

static void bytes_that_are_no_text_are_refused(void **state)
{
	struct config_files *files;
	static char large[CONFIG_TEXT_MOST + 1];

	(void)state;
	assert_refused("contact = \"a\x01\"", "door.conf:1: \"a: a control character stands between these quotes");
	assert_refused("contact = \"a\\n\"", "door.conf:1: \"a: a backslash in double quotes stands before \", \\ or $ only");
	assert_refused("contact = \xff", "door.conf:1: \xff: this needs quotes around it");
	assert_refused("contact = a*b", "door.conf:1: a*b: this needs quotes around it");
	assert_refused("contact = (x)", "door.conf:1: (x): this needs quotes around it");
	assert_refused("\x01", "door.conf:1: this byte: this needs quotes around it");
	assert_int_equal(config_files_from_map(sample_files, &files, &err), OK);
	memset(&sample, 0, sizeof sample);
	assert_int_equal(config_parse(&sample_rows, "door.conf", span_make("a\0b", 3), files, &sample, &err),
			 REFUSED);
	assert_string_equal(err.text, "door.conf: holds a zero byte: it is no text");
	memset(large, ' ', sizeof large);
	assert_int_equal(config_parse(&sample_rows, "door.conf", span_make(large, sizeof large), files,
				      &sample, &err), REFUSED);
	assert_string_equal(err.text, "door.conf: larger than 1048576 bytes");
	assert_int_equal(config_parse(&sample_rows, "door.conf", span_make(large, sizeof large - 1), files,
				      &sample, NULL), REFUSED);
	config_files_free(files);
	sample_release(&sample);
}

/* After an error libconfuse's lexer must stand at its beginning again. */
static void one_bad_config_spoils_no_next_one(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		assert_refused("site \"a\" {\nlisten = x }", "door.conf:2: unknown key \"listen\" (it belongs outside of all sections; is a } missing above?)");
		assert_int_equal(parse(SITE), OK);
		sample_release(&sample);
	}
}

static void a_quoted_text_is_read_back(void **state)
{
	static const char hard[] = "a \"b\" \\ ${HOME} $x # { } = 'c' \xc3\xa4";
	struct buffer text;

	(void)state;
	buffer_init(&text, 1000);
	buffer_add_text(&text, SITE "contact = ");
	assert_true(config_quote(&text, span_of(hard)));
	assert_int_equal(parse(buffer_text(&text)), OK);
	assert_string_equal(sample.contact, hard);
	sample_release(&sample);
	assert_false(config_quote(&text, SPAN("a\nb")));
	buffer_release(&text);
}

static void the_reference_without_its_comment_signs_is_a_config_of_the_defaults(void **state)
{
	struct buffer reference, plain;
	struct span rest, line;

	(void)state;
	buffer_init(&reference, 65536);
	buffer_init(&plain, 65536);
	config_write_reference(&sample_rows, &reference);
	assert_non_null(strstr(buffer_text(&reference), "# Where to listen.\n"
							"#listen = {\"0.0.0.0:443\", \"[::]:443\"}\n"));
	assert_non_null(strstr(buffer_text(&reference), "#idle-timeout = 75s\n"));
	for (rest = buffer_span(&reference); span_cut(&rest, '\n', &line);) {
		line = span_trim(line);
		if (line.size > 1 && line.at[0] == '#' && line.at[1] != ' ')
			span_skip(&line, 1);
		buffer_add(&plain, line);
		buffer_add_char(&plain, '\n');
	}
	if (parse(buffer_text(&plain)) != OK)
		fail_msg("%s", err.text);
	assert_int_equal(sample.site_count, 1);
	assert_string_equal(sample.sites[0].name, "chat.example.com");
	assert_int_equal(sample.sites[0].location_count, 1);
	assert_int_equal(sample.idle, SECONDS(75));
	sample_release(&sample);
	buffer_release(&reference);
	buffer_release(&plain);
}

static void a_long_list_is_read_and_an_endless_one_is_not(void **state)
{
	struct buffer text;
	int i;

	(void)state;
	buffer_init(&text, CONFIG_TEXT_MOST);
	buffer_add_text(&text, "site \"a\" { upstream = u who = {");
	for (i = 0; i < VALUE_LIST_MOST; i++)
		buffer_printf(&text, "g%d,", i);
	buffer_add_text(&text, "}}");
	assert_int_equal(parse(buffer_text(&text)), OK);
	assert_int_equal(sample.sites[0].who.count, VALUE_LIST_MOST);
	sample_release(&sample);
	buffer_consume(&text, 0);
	text.size -= 2;
	buffer_add_text(&text, "more}}");
	assert_int_equal(parse(buffer_text(&text)), REFUSED);
	assert_string_equal(err.text, "door.conf:1: site \"a\": who: \"more\": more than 4096 of them");
	sample_release(&sample);
	buffer_release(&text);
}

static void assert_all(const char *text, const char *const complaints[])
{
	struct config_files *files;
	struct buffer all;
	struct span rest, line;
	size_t i;

	memset(&sample, 0, sizeof sample);
	buffer_init(&all, 65536);
	assert_int_equal(config_files_from_map(sample_files, &files, &err), OK);
	assert_int_equal(config_parse_all(&sample_rows, "door.conf", span_of(text), files, &sample, &all, &err), REFUSED);
	rest = buffer_span(&all);
	for (i = 0; complaints[i]; i++) {
		assert_true(span_cut(&rest, '\n', &line));
		if (!span_starts(line, complaints[i]))
			fail_msg("said: %.*s\nnot:  %s", SPAN_PRINT(line), complaints[i]);
		if (i == 0)
			assert_true(span_equals(line, span_of(err.text)));
	}
	assert_false(span_cut(&rest, '\n', &line) && line.size);
	config_files_free(files);
	sample_release(&sample);
	buffer_release(&all);
}

static void every_mistake_is_told_to_who_wants_them(void **state)
{
	(void)state;
	assert_all("listen = {\"a:1\",\n \"127.0.0.1:99999\"}\nidle-timeout = x\nstat = /x\n" SITE SITE_OF("b"),
		   (const char *const[]){"door.conf:4: unknown key \"stat\" (did you mean \"state\"?)",
					 "door.conf:1: listen: \"a:1\"", "door.conf:2: listen: \"127.0.0.1:99999\"",
					 "door.conf:3: idle-timeout", NULL});
	/* An unknown section with all in it, in one line with its neighbours. */
	assert_all("listen = \"127.0.0.1:1\" foreign \"x\" { a = \"}\" b \"y\" { } } state = /x bad = {\"1\", \"{\"} \n" SITE,
		   (const char *const[]){"door.conf:1: unknown key \"foreign\"", "door.conf:1: unknown key \"bad\"", NULL});
	assert_all("listen = \"127.0.0.1:1\"\nstate = /x\nstate = /y\nstate = /z\n" SITE,
		   (const char *const[]){"door.conf:3: state is given twice", "door.conf:4: state is given twice", NULL});
	assert_all("listen = \"127.0.0.1:1\"\nstate = /x\nsite \"a\" { upstream = u\nfoo = 1 }\nsite \"b\" { foo = 2 }\n",
		   (const char *const[]){"door.conf:4: unknown key \"foo\"", "door.conf:5: unknown key \"foo\"",
					 "door.conf:5: site \"b\": upstream is missing", NULL});
}

static void so_many_mistakes_are_enough(void **state)
{
	struct config_files *files;
	struct buffer text, all;
	unsigned i, lines = 0;

	(void)state;
	buffer_init(&text, 1 << 20);
	buffer_init(&all, 1 << 20);
	for (i = 0; i < 3 * CONFIG_COMPLAINTS_MOST; i++)
		buffer_printf(&text, "wrong-%u = 1\n", i);
	memset(&sample, 0, sizeof sample);
	assert_int_equal(config_files_from_map(sample_files, &files, &err), OK);
	assert_int_equal(config_parse_all(&sample_rows, "x", buffer_span(&text), files, &sample, &all, &err), REFUSED);
	for (i = 0; i < all.size; i++)
		lines += all.at[i] == '\n';
	assert_int_equal(lines, CONFIG_COMPLAINTS_MOST);
	config_files_free(files);
	sample_release(&sample);
	buffer_release(&text);
	buffer_release(&all);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_whole_config_is_read),
		cmocka_unit_test(what_is_not_said_has_its_default),
		cmocka_unit_test(a_name_that_nobody_knows_meets_the_nearest_one),
		cmocka_unit_test(a_value_that_does_not_fit_is_told_what_does),
		cmocka_unit_test(what_is_missing_is_shown),
		cmocka_unit_test(what_is_there_twice_is_refused),
		cmocka_unit_test(brackets_and_quotes_are_closed),
		cmocka_unit_test(a_kind_in_the_place_of_another_is_explained),
		cmocka_unit_test(nothing_is_taken_from_the_environment),
		cmocka_unit_test(bytes_that_are_no_text_are_refused),
		cmocka_unit_test(one_bad_config_spoils_no_next_one),
		cmocka_unit_test(a_quoted_text_is_read_back),
		cmocka_unit_test(the_reference_without_its_comment_signs_is_a_config_of_the_defaults),
		cmocka_unit_test(a_long_list_is_read_and_an_endless_one_is_not),
		cmocka_unit_test(every_mistake_is_told_to_who_wants_them),
		cmocka_unit_test(so_many_mistakes_are_enough),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
