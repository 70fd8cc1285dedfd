#include "shm/scoreboard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

static void counters_outlive_the_worker_and_gauges_do_not(void **state)
{
	struct scoreboard *board, *reader;
	struct score_page *page;
	struct error err;

	(void)state;
	assert_int_equal(scoreboard_new(3, &board, &err), OK);
	assert_int_equal(scoreboard_open(scoreboard_fd(board), &reader, &err), OK);
	assert_int_equal(scoreboard_slots(reader), 3);
	page = scoreboard_page(board, 1);
	score_claim(page, 4, 4711, 99);
	score_add(page, SCORE_REQUESTS, 10);
	score_add(page, SCORE_LIVE_CONNECTIONS, 3);
	score_sub(page, SCORE_LIVE_CONNECTIONS, 1);
	score_add(scoreboard_page(board, 2), SCORE_REQUESTS, 5);
	score_refusal(page, 8);
	score_refusal(page, 8000);
	assert_int_equal(scoreboard_sum(reader, SCORE_REQUESTS), 15);
	assert_int_equal(scoreboard_sum(reader, SCORE_LIVE_CONNECTIONS), 2);
	assert_int_equal(scoreboard_sum_refusals(reader, 8), 1);
	assert_int_equal(scoreboard_sum_refusals(reader, SCORE_REFUSALS - 1), 1);
	assert_int_equal(score_read(&scoreboard_page(reader, 1)->pid), 4711);
	score_leave(page);
	score_claim(page, 4, 4712, 100);
	assert_int_equal(scoreboard_sum(reader, SCORE_REQUESTS), 15);
	assert_int_equal(scoreboard_sum(reader, SCORE_LIVE_CONNECTIONS), 0);
	scoreboard_free(reader);
	scoreboard_free(board);
}

static void durations_and_statuses_fall_into_their_buckets(void **state)
{
	struct scoreboard *board;
	struct score_page *page;
	struct error err;

	(void)state;
	assert_int_equal(scoreboard_new(1, &board, &err), OK);
	page = scoreboard_page(board, 0);
	score_duration(page, -1);
	score_duration(page, 63);
	score_duration(page, 64);
	score_duration(page, 127);
	score_duration(page, 128);
	score_duration(page, INT64_MAX);
	assert_int_equal(score_read(&page->durations[0]), 2);
	assert_int_equal(score_read(&page->durations[1]), 2);
	assert_int_equal(score_read(&page->durations[2]), 1);
	assert_int_equal(score_read(&page->durations[SCORE_BUCKETS - 1]), 1);
	score_status(page, 200);
	score_status(page, 299);
	score_status(page, 99);
	score_status(page, 600);
	assert_int_equal(score_read(&page->statuses[2]), 2);
	assert_int_equal(score_read(&page->statuses[0]), 2);
	scoreboard_free(board);
}

static void without_a_page_nothing_is_counted(void **state)
{
	(void)state;
	score_add(NULL, SCORE_REQUESTS, 1);
	score_sub(NULL, SCORE_LIVE_CONNECTIONS, 1);
	score_refusal(NULL, 1);
	score_duration(NULL, 1);
	score_status(NULL, 200);
}

static void a_board_has_a_reasonable_size(void **state)
{
	struct scoreboard *board;
	struct error err;

	(void)state;
	assert_int_equal(scoreboard_new(0, &board, &err), REFUSED);
	assert_int_equal(scoreboard_new(257, &board, &err), REFUSED);
	assert_string_equal(err.text, "a scoreboard has 1 to 256 slots, not 257");
	assert_int_equal(scoreboard_open(0, &board, &err), REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(counters_outlive_the_worker_and_gauges_do_not),
		cmocka_unit_test(durations_and_statuses_fall_into_their_buckets),
		cmocka_unit_test(without_a_page_nothing_is_counted),
		cmocka_unit_test(a_board_has_a_reasonable_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
