#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <cmocka.h>
#include <jansson.h>

#include "base/line_ring.h"
#include "base/log.h"
#include "door/access_log.h"

static const struct access_line usual = {
	.wall = 1795230810123456,
	.id = {"0123456789abcdef", 16},
	.from = {"127.0.0.1", 9},
	.protocol = {"h1", 2},
	.site = {"chat.example.com", 16},
	.device = {"00112233445566778899aabbccddeeff", 32},
	.person = {"alice", 5},
	.method = {"GET", 3},
	.path = {"/api/v1/info", 12},
	.status = 200,
	.us = 812,
	.connect_us = 0,
	.first_byte_us = 700,
	.up = 0,
	.down = 1024,
};

static const char *written(const struct access_line *line, enum access_format format, bool with_role)
{
	static char text[ACCESS_LINE + 1];
	size_t size = access_line_write(line, format, with_role, text);

	assert_true(size <= ACCESS_LINE);
	text[size] = 0;
	assert_ptr_equal(memchr(text, '\n', size), text + size - 1);
	return text;
}

static void a_line_is_logfmt(void **state)
{
	(void)state;
	assert_string_equal(written(&usual, ACCESS_LOGFMT, false),
			    "at=2026-11-21T03:13:30.123Z id=0123456789abcdef from=127.0.0.1 protocol=h1 "
			    "site=chat.example.com device=00112233445566778899aabbccddeeff person=alice method=GET "
			    "path=/api/v1/info status=200 us=812 connect_us=0 first_byte_us=700 up=0 down=1024\n");
}

static void among_other_lines_it_says_whose_it_is(void **state)
{
	(void)state;
	log_init("gateway.2", LOG_INFO);
	assert_non_null(strstr(written(&usual, ACCESS_LOGFMT, true),
			       "at=2026-11-21T03:13:30.123Z level=info role=gateway.2 event=exchange id="));
}

static void a_line_is_json(void **state)
{
	(void)state;
	assert_string_equal(written(&usual, ACCESS_JSON, false),
			    "{\"at\":\"2026-11-21T03:13:30.123Z\",\"id\":\"0123456789abcdef\",\"from\":\"127.0.0.1\","
			    "\"protocol\":\"h1\",\"site\":\"chat.example.com\","
			    "\"device\":\"00112233445566778899aabbccddeeff\",\"person\":\"alice\",\"method\":\"GET\","
			    "\"path\":\"/api/v1/info\",\"status\":200,\"us\":812,\"connect_us\":0,\"first_byte_us\":700,"
			    "\"up\":0,\"down\":1024}\n");
}

static void what_is_not_there_is_left_out_or_a_dash(void **state)
{
	struct access_line line = {.us = -1, .connect_us = -1, .first_byte_us = -1, .status = 400, .why = {"C20", 3}};

	(void)state;
	assert_string_equal(written(&line, ACCESS_LOGFMT, false),
			    "at=1970-01-01T00:00:00.000Z site=- device=- method=- path=- status=400 why=C20 up=0 down=0\n");
}

static void strangers_bytes_forge_nothing(void **state)
{
	struct access_line line = usual;

	(void)state;
	line.path = SPAN("/\" status=200\nat=now \\ \x1b[2J\x7f\xc3\xa9\xff");
	assert_non_null(strstr(written(&line, ACCESS_LOGFMT, false),
			       " path=\"/\\\" status=200\\x0aat=now \\\\ \\x1b[2J\\x7f\\xc3\\xa9\\xff\" status=200 us="));
	line.path = SPAN("/\"}\n{\"\\ \x1b[2J\x7f\xc3\xa9\xff\xe2\x80\xae");
	assert_non_null(strstr(written(&line, ACCESS_JSON, false),
			       "\"path\":\"/\\\"}\\u000a{\\\"\\\\ \\u001b[2J\\u007f\xc3\xa9\\ufffd\\u202e\",\"status\":200"));
	line.path = SPAN("a=b");
	assert_non_null(strstr(written(&line, ACCESS_LOGFMT, false), " path=\"a=b\" status=200"));
}

/* Each value as long as it likes and of bytes that grow most when escaped, cut at each length. */
static void the_longest_line_has_its_end(void **state)
{
	static const char *const fills[] = {"\x01", "\"", "\xff", "x", "\xf0\x9f\x94\x91", "\xc2\x9b"};
	static char long_text[8192];
	struct span all;
	unsigned fill, cut;

	(void)state;
	for (fill = 0; fill < sizeof fills / sizeof *fills; fill++) {
		size_t unit = strlen(fills[fill]), i;

		for (i = 0; i + unit <= sizeof long_text; i += unit)
			memcpy(long_text + i, fills[fill], unit);
		for (cut = 0; cut < 8; cut++) {
			struct access_line line = {.wall = INT64_MAX / 2, .status = UINT32_MAX, .us = INT64_MAX,
						   .connect_us = INT64_MAX, .first_byte_us = INT64_MAX, .up = UINT64_MAX,
						   .down = UINT64_MAX};
			json_error_t trouble;
			json_t *parsed;

			all = span_make(long_text + cut, sizeof long_text - 8);
			line.id = line.from = line.protocol = line.site = line.device = line.person = line.method = all;
			line.path = line.query = line.agent = line.why = line.watched = line.end = all;
			(void)written(&line, ACCESS_LOGFMT, true);
			parsed = json_loads(written(&line, ACCESS_JSON, true), 0, &trouble);
			assert_non_null(parsed);
			assert_non_null(json_object_get(parsed, "agent"));
			json_decref(parsed);
		}
	}
}

static void lines_go_where_they_are_wanted(void **state)
{
	static const struct access_options rows[] = {{.target = ACCESS_FILE}, {.target = ACCESS_OFF}, {.target = ACCESS_MAIN}};

	(void)state;
	log_gather(true);
	access_log_use(&rows[0]);
	access_log_write(&usual);
	assert_true(line_ring_waiting(access_log_ring()) > 0);
	assert_int_equal(line_ring_waiting(log_ring()), 0);
	line_ring_taken(access_log_ring(), line_ring_waiting(access_log_ring()));
	access_log_use(&rows[1]);
	access_log_write(&usual);
	assert_int_equal(line_ring_waiting(access_log_ring()), 0);
	assert_int_equal(line_ring_waiting(log_ring()), 0);
	access_log_use(&rows[2]);
	access_log_write(&usual);
	assert_int_equal(line_ring_waiting(access_log_ring()), 0);
	assert_true(line_ring_waiting(log_ring()) > 0);
	line_ring_taken(log_ring(), line_ring_waiting(log_ring()));
}

static void a_full_ring_counts_what_it_drops(void **state)
{
	static const struct access_options file = {.target = ACCESS_FILE};
	unsigned i, kept = 0;
	struct span bytes;

	(void)state;
	access_log_use(&file);
	for (i = 0; i < 3000; i++)
		access_log_write(&usual);
	while ((bytes = line_ring_take(access_log_ring(), 4096)).size > 0) {
		struct span rest = bytes, line;

		while (span_cut(&rest, '\n', &line))
			kept++;
		line_ring_taken(access_log_ring(), bytes.size);
	}
	assert_true(kept > 500);
	assert_int_equal(access_log_ring()->dropped, 3000 - kept);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_line_is_logfmt),
		cmocka_unit_test(among_other_lines_it_says_whose_it_is),
		cmocka_unit_test(a_line_is_json),
		cmocka_unit_test(what_is_not_there_is_left_out_or_a_dash),
		cmocka_unit_test(strangers_bytes_forge_nothing),
		cmocka_unit_test(the_longest_line_has_its_end),
		cmocka_unit_test(lines_go_where_they_are_wanted),
		cmocka_unit_test(a_full_ring_counts_what_it_drops),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
