#include "shm/scoreboard.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
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
	score_duration(page, 64);
	score_duration(page, 65);
	score_duration(page, 128);
	score_duration(page, 129);
	score_duration(page, 1000000000);
	assert_int_equal(score_read(&page->durations.buckets[0]), 2);
	assert_int_equal(score_read(&page->durations.buckets[1]), 2);
	assert_int_equal(score_read(&page->durations.buckets[2]), 1);
	assert_int_equal(score_read(&page->durations.buckets[SCORE_BUCKETS - 1]), 1);
	assert_int_equal(score_read(&page->durations.sum), 64 + 65 + 128 + 129 + 1000000000);
	assert_int_equal(score_bucket(INT64_MIN), 0);
	assert_int_equal(score_bucket(INT64_MAX), SCORE_BUCKETS - 1);
	score_status(page, 200);
	score_status(page, 299);
	score_status(page, 99);
	score_status(page, 600);
	assert_int_equal(score_read(&page->statuses[2]), 2);
	assert_int_equal(score_read(&page->statuses[0]), 2);
	scoreboard_free(board);
}

/* What a reader claims of a bucket is true of each value in it, at both of its ends. */
static void a_bucket_holds_what_its_end_says(void **state)
{
	unsigned bucket;

	(void)state;
	for (bucket = 0; bucket + 1 < SCORE_BUCKETS; bucket++) {
		assert_int_equal(score_bucket((int64_t)score_bucket_end(bucket)), bucket);
		assert_int_equal(score_bucket((int64_t)score_bucket_end(bucket) + 1), bucket + 1);
	}
}

static void a_site_is_counted_by_its_name(void **state)
{
	struct scoreboard *board;
	struct score_page *page;
	struct score_site *chat, *wiki;
	struct error err;

	(void)state;
	assert_int_equal(scoreboard_new(2, &board, &err), OK);
	page = scoreboard_page(board, 1);
	chat = score_site_of(page, SPAN("chat.example.com"));
	wiki = score_site_of(page, SPAN("wiki.example.com"));
	assert_ptr_not_equal(chat, wiki);
	score_site_add(chat, SITE_BYTES_UP, 7);
	score_site_add(chat, SITE_LIVE_TUNNELS, 2);
	score_site_status(chat, 204);
	score_site_time(chat, SITE_TIME_CONNECT, 100);
	score_site_time(chat, SITE_TIME_FIRST_BYTE, -5);
	/* The next worker in this slot, with the sites in another order. */
	score_claim(page, 1, 4712, 100);
	assert_ptr_equal(score_site_of(page, SPAN("wiki.example.com")), wiki);
	assert_ptr_equal(score_site_of(page, SPAN("chat.example.com")), chat);
	assert_int_equal(score_read(&chat->scores[SITE_BYTES_UP]), 7);
	assert_int_equal(score_read(&chat->scores[SITE_LIVE_TUNNELS]), 0);
	assert_int_equal(score_read(&chat->statuses[2]), 1);
	assert_int_equal(score_read(&chat->times[SITE_TIME_CONNECT].buckets[1]), 1);
	assert_int_equal(score_read(&chat->times[SITE_TIME_FIRST_BYTE].sum), 0);
	assert_true(span_is(score_site_name(chat), "chat.example.com"));
	scoreboard_free(board);
}

static void more_sites_than_there_is_room_for_are_one(void **state)
{
	struct scoreboard *board;
	struct score_page *page;
	struct score_site *last, *long_one;
	char name[300];
	struct error err;
	int i;

	(void)state;
	assert_int_equal(scoreboard_new(1, &board, &err), OK);
	page = scoreboard_page(board, 0);
	memset(name, 'x', sizeof name);
	long_one = score_site_of(page, span_make(name, sizeof name));
	for (i = 0; i < 300; i++) {
		snprintf(name, sizeof name, "site%d.example.com", i);
		last = score_site_of(page, span_of(name));
	}
	assert_ptr_equal(last, score_site_at(page, SCORE_SITES - 1));
	assert_ptr_equal(last, long_one);
	assert_true(span_is(score_site_name(last), "other"));
	assert_true(span_is(score_site_name(score_site_of(page, SPAN("site7.example.com"))), "site7.example.com"));
	scoreboard_free(board);
}

/* A name that a part wrote without its end. */
static void a_name_ends_where_it_must(void **state)
{
	struct scoreboard *board;
	struct score_site *site;
	struct error err;

	(void)state;
	assert_int_equal(scoreboard_new(1, &board, &err), OK);
	site = score_site_of(scoreboard_page(board, 0), SPAN("a"));
	memset(site->name, 'y', sizeof site->name);
	assert_int_equal(score_site_name(site).size, SCORE_NAME_SIZE - 1);
	scoreboard_free(board);
}

static void the_house_has_words_of_its_own(void **state)
{
	struct scoreboard *board, *reader;
	struct error err;

	(void)state;
	assert_int_equal(scoreboard_new(1, &board, &err), OK);
	assert_int_equal(scoreboard_open(scoreboard_fd(board), &reader, &err), OK);
	score_house_set(board, HOUSE_STARTED, 12);
	score_house_add(board, HOUSE_GENERATION, 1);
	score_house_add(board, HOUSE_GENERATION, 1);
	assert_int_equal(score_house_get(reader, HOUSE_STARTED), 12);
	assert_int_equal(score_house_get(reader, HOUSE_GENERATION), 2);
	assert_int_equal(scoreboard_sum(reader, SCORE_REQUESTS), 0);
	scoreboard_free(reader);
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
	assert_null(score_site_of(NULL, SPAN("a")));
	score_site_status(NULL, 200);
	score_site_time(NULL, SITE_TIME_TOTAL, 1);
	score_site_add(NULL, SITE_REFUSED, 1);
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
		cmocka_unit_test(a_bucket_holds_what_its_end_says),
		cmocka_unit_test(a_site_is_counted_by_its_name),
		cmocka_unit_test(more_sites_than_there_is_room_for_are_one),
		cmocka_unit_test(a_name_ends_where_it_must),
		cmocka_unit_test(the_house_has_words_of_its_own),
		cmocka_unit_test(without_a_page_nothing_is_counted),
		cmocka_unit_test(a_board_has_a_reasonable_size),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
