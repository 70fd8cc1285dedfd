#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "door/metrics.h"
#include "shm/score_sum.h"

static void no_text_ends_a_label(void **state)
{
	struct buffer out;

	(void)state;
	buffer_init(&out, 4096);
	metrics_escape(&out, SPAN("a\"b\\c\nd\re\x1b[31m\xc3\xa9\xff\xe2\x80\xae"));
	assert_string_equal(buffer_text(&out), "a\\\"b\\\\c\\nd?e?[31m\xc3\xa9??");
	buffer_release(&out);
}

static void two_workers_are_one_figure(void **state)
{
	struct scoreboard *board;
	struct buffer out;
	struct error err;
	unsigned slot;

	(void)state;
	assert_int_equal(scoreboard_new(3, &board, &err), OK);
	for (slot = 1; slot < 3; slot++) {
		struct score_page *page = scoreboard_page(board, slot);
		/* Not in the same order: a sum goes by name. */
		struct score_site *first = score_site_of(page, slot == 1 ? SPAN("b.test") : SPAN("a.test"));
		struct score_site *second = score_site_of(page, slot == 1 ? SPAN("a.test") : SPAN("b.test"));

		score_claim(page, slot, 4711, 1);
		score_site_status(slot == 1 ? first : second, 200);
		score_site_set(slot == 1 ? first : second, SITE_CERTIFICATE_ENDS, 2000000000 - slot);
		score_site_set(slot == 1 ? first : second, SITE_UPSTREAMS_DOWN, slot);
		score_site_time(slot == 1 ? first : second, SITE_TIME_CONNECT, slot == 1 ? 65 : 2000000);
	}
	buffer_init(&out, METRICS_MOST);
	assert_int_equal(metrics_write(board, NULL, 0, &out, &err), OK);
	assert_non_null(strstr(buffer_text(&out), "chatelaine_requests_total{site=\"b.test\",status=\"2xx\"} 2\n"));
	assert_non_null(strstr(buffer_text(&out), "chatelaine_requests_total{site=\"a.test\",status=\"2xx\"} 0\n"));
	assert_non_null(strstr(buffer_text(&out), "chatelaine_certificate_not_after_seconds{site=\"b.test\"} 1999999998\n"));
	assert_non_null(strstr(buffer_text(&out), "chatelaine_upstream_servers_down{site=\"b.test\"} 2\n"));
	assert_non_null(strstr(buffer_text(&out),
			       "chatelaine_upstream_connect_seconds_bucket{site=\"b.test\",le=\"0.000064\"} 0\n"
			       "chatelaine_upstream_connect_seconds_bucket{site=\"b.test\",le=\"0.000128\"} 1\n"));
	assert_non_null(strstr(buffer_text(&out),
			       "chatelaine_upstream_connect_seconds_bucket{site=\"b.test\",le=\"+Inf\"} 2\n"
			       "chatelaine_upstream_connect_seconds_sum{site=\"b.test\"} 2.000065\n"
			       "chatelaine_upstream_connect_seconds_count{site=\"b.test\"} 2\n"));
	assert_non_null(strstr(buffer_text(&out), "chatelaine_workers 2\n"));
	buffer_release(&out);
	scoreboard_free(board);
}

/* The whole board full of what a worker that was taken over may write there. */
static void garbage_on_the_board_stays_within_its_lines(void **state)
{
	struct scoreboard *board;
	struct buffer out;
	struct error err;
	struct span rest, line;
	unsigned slot;

	(void)state;
	assert_int_equal(scoreboard_new(3, &board, &err), OK);
	for (slot = 0; slot < 3; slot++)
		memset(scoreboard_page(board, slot), slot == 1 ? '\n' : 0xff, 4096 + SCORE_SITES * 1024);
	buffer_init(&out, METRICS_MOST);
	assert_int_equal(metrics_write(board, NULL, INT64_MAX, &out, &err), OK);
	rest = buffer_span(&out);
	while (span_cut(&rest, '\n', &line))
		assert_true(span_starts(line, "# HELP chatelaine_") || span_starts(line, "# TYPE chatelaine_") ||
			    span_starts(line, "chatelaine_"));
	buffer_release(&out);
	scoreboard_free(board);
}

/* So many sites as there can be, each name as long and as bad as it can be. */
static void all_that_can_be_told_finds_room(void **state)
{
	struct scoreboard *board;
	struct buffer out;
	struct error err;
	char name[256];
	unsigned slot, i, time;

	(void)state;
	assert_int_equal(scoreboard_new(3, &board, &err), OK);
	memset(name, '"', sizeof name);
	for (slot = 0; slot < 3; slot++) {
		for (i = 0; i < SCORE_SITES - 1; i++) {
			struct score_site *site;

			snprintf(name, 6, "%u%03u", slot, i);
			name[4] = '"';
			site = score_site_of(scoreboard_page(board, slot), span_make(name, 255));
			for (time = 0; time < SITE_TIMES; time++)
				score_site_time(site, (enum site_time)time, 1);
		}
	}
	buffer_init(&out, METRICS_MOST);
	assert_int_equal(metrics_write(board, NULL, 0, &out, &err), OK);
	buffer_release(&out);
	scoreboard_free(board);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(no_text_ends_a_label),
		cmocka_unit_test(two_workers_are_one_figure),
		cmocka_unit_test(garbage_on_the_board_stays_within_its_lines),
		cmocka_unit_test(all_that_can_be_told_finds_room),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
