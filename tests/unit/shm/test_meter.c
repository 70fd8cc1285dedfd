#include "shm/meter.h"

#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/clock.h"
#include "shm/memory.h"

static struct meter *meter;
static int64_t now;

static int open_meter(void **state)
{
	struct error err;

	(void)state;
	now = SECONDS(1000);
	assert_int_equal(meter_new(3, &meter, &err), OK);
	return 0;
}

static int close_meter(void **state)
{
	(void)state;
	meter_free(meter);
	return 0;
}

static unsigned take_all(uint64_t hash, struct meter_rate rate)
{
	unsigned count = 0;
	int64_t wait;

	while (count < 100000 && meter_take(meter, hash, rate, now, &wait))
		count++;
	return count;
}

static void a_burst_then_the_rate(void **state)
{
	struct meter_rate rate = meter_rate(10, 5);
	int64_t wait = 0;
	int i;

	(void)state;
	assert_int_equal(take_all(7, rate), 50);
	assert_false(meter_take(meter, 7, rate, now, &wait));
	assert_int_equal(wait, MILLISECONDS(100));
	for (i = 0; i < 20; i++) {
		now += MILLISECONDS(100);
		assert_int_equal(take_all(7, rate), 1);
	}
	/* Refused ones cost nothing; rest brings the burst back, and no more. */
	now += SECONDS(2);
	assert_int_equal(take_all(7, rate), 20);
	now += SECONDS(3600);
	assert_int_equal(take_all(7, rate), 50);
}

static void keys_do_not_meet(void **state)
{
	struct meter_rate rate = meter_rate(1, 1);
	unsigned key, let_in = 0;
	int64_t wait;

	(void)state;
	for (key = 0; key < 10000; key++)
		let_in += meter_take(meter, meter_hash(meter, &key, sizeof key), rate, now, &wait);
	assert_int_equal(let_in, 10000);
	for (key = 0, let_in = 0; key < 10000; key++)
		let_in += meter_take(meter, meter_hash(meter, &key, sizeof key), rate, now, &wait);
	assert_true(let_in < 10);
}

static void no_limit_is_no_limit(void **state)
{
	(void)state;
	assert_int_equal(take_all(9, meter_rate(0, 10)), 100000);
}

static void another_rate_holds_at_once_and_keeps_nobody_longer_than_itself(void **state)
{
	int64_t wait;

	(void)state;
	assert_int_equal(take_all(7, meter_rate(1, 100)), 100);
	/* 100 s ahead of rest by the old rate; by the new one a second is the most. */
	assert_false(meter_take(meter, 7, meter_rate(10, 1), now, &wait));
	assert_true(wait <= MILLISECONDS(100));
}

static void the_clock_wraps_without_harm(void **state)
{
	struct meter_rate rate = meter_rate(10, 5);

	(void)state;
	now = (INT64_C(1) << 44) - SECONDS(1);
	assert_int_equal(take_all(7, rate), 50);
	now += SECONDS(2);
	assert_int_equal(take_all(7, rate), 20);
	/* As long ago as half of it, which looks like the time to come. */
	now += (INT64_C(1) << 43) + SECONDS(3);
	assert_int_equal(take_all(7, rate), 50);
}

/* 65536 sets by the lower 16 bits: these ten share one. */
static void in_a_full_set_the_one_nearest_to_rest_gives_way(void **state)
{
	struct meter_rate slow = meter_rate(1, 100), rate = meter_rate(1, 1);
	uint64_t busy = UINT64_C(1) << 44 | 5, key;
	int64_t wait;

	(void)state;
	assert_int_equal(take_all(busy, slow), 100);
	for (key = 2; key < 100; key++)
		assert_true(meter_take(meter, key << 44 | 5, rate, now, &wait));
	assert_false(meter_take(meter, busy, slow, now, &wait));
}

static void a_mark_holds_until_its_time(void **state)
{
	(void)state;
	assert_false(meter_is_marked(meter, 77, now));
	meter_mark(meter, 77, now, now + SECONDS(60));
	assert_true(meter_is_marked(meter, 77, now));
	assert_false(meter_is_marked(meter, 78, now));
	meter_mark(meter, 77, now, now + SECONDS(90));
	now += SECONDS(89);
	assert_true(meter_is_marked(meter, 77, now));
	now += SECONDS(2);
	assert_false(meter_is_marked(meter, 77, now));
}

static void counts_are_summed_over_slots_and_a_new_worker_clears_its_own(void **state)
{
	unsigned i;

	(void)state;
	for (i = 0; i < 3; i++)
		meter_claim(meter, i);
	for (i = 0; i < 30; i++)
		assert_true(meter_add(meter, i % 3, 5));
	assert_int_equal(meter_count(meter, 5), 30);
	assert_int_equal(meter_count(meter, 6), 0);
	meter_remove(meter, 1, 5);
	assert_int_equal(meter_count(meter, 5), 29);
	meter_claim(meter, 2);
	assert_int_equal(meter_count(meter, 5), 19);
	/* What is not counted can be taken back without harm. */
	meter_remove(meter, 2, 5);
	assert_int_equal(meter_count(meter, 5), 19);
	for (i = 0; i < 10; i++)
		meter_remove(meter, 0, 5);
	assert_int_equal(meter_count(meter, 5), 9);
	/* One that died. */
	meter_leave(meter, 1);
	assert_int_equal(meter_count(meter, 5), 0);
	assert_true(meter_add(meter, 0, 5));
	assert_int_equal(meter_count(meter, 5), 1);
}

static void a_full_set_counts_no_more_and_frees_its_places(void **state)
{
	uint64_t key;

	(void)state;
	for (key = 1; key <= 8; key++)
		assert_true(meter_add(meter, 0, key << 24));
	assert_false(meter_add(meter, 0, UINT64_C(9) << 24));
	assert_true(meter_add(meter, 0, UINT64_C(8) << 24));
	meter_remove(meter, 0, UINT64_C(3) << 24);
	assert_true(meter_add(meter, 0, UINT64_C(9) << 24));
}

static void the_descriptor_carries_all_of_it(void **state)
{
	struct meter *other = NULL;
	struct memory wrong;
	struct error err;
	int64_t wait;

	(void)state;
	assert_int_equal(meter_open(meter_fd(meter), &other, &err), OK);
	assert_int_equal(meter_slots(other), 3);
	assert_true(meter_hash(other, "a", 1) == meter_hash(meter, "a", 1));
	(void)take_all(7, meter_rate(1, 1));
	assert_false(meter_take(other, 7, meter_rate(1, 1), now, &wait));
	meter_free(other);
	assert_int_equal(memory_make(&wrong, "wrong", 6 << 20, MEMORY_MANY_WRITERS, &err), OK);
	assert_int_equal(meter_open(wrong.fd, &other, &err), REFUSED);
	assert_non_null(strstr(err.text, "no whole number of slots"));
	memory_release(&wrong);
}

enum { TAKERS = 4, TAKES = 20000 };

static void *take_many(void *let_in)
{
	struct meter_rate rate = meter_rate(1000, 10);
	int64_t wait;
	int i;

	for (i = 0; i < TAKES; i++)
		*(unsigned *)let_in += meter_take(meter, 7, rate, now, &wait);
	return NULL;
}

static void workers_share_one_clock(void **state)
{
	pthread_t threads[TAKERS];
	unsigned let_in[TAKERS] = {0}, sum = 0;
	int i;

	(void)state;
	for (i = 0; i < TAKERS; i++)
		assert_int_equal(pthread_create(&threads[i], NULL, take_many, &let_in[i]), 0);
	for (i = 0; i < TAKERS; i++) {
		pthread_join(threads[i], NULL);
		sum += let_in[i];
	}
	/* Who loses four swaps in a row passes uncounted: few, and never fewer than the rate says. */
	assert_in_range(sum, 10000, 12000);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_meter, close_meter)
	const struct CMUnitTest tests[] = {
		TEST(a_burst_then_the_rate),
		TEST(keys_do_not_meet),
		TEST(no_limit_is_no_limit),
		TEST(another_rate_holds_at_once_and_keeps_nobody_longer_than_itself),
		TEST(the_clock_wraps_without_harm),
		TEST(in_a_full_set_the_one_nearest_to_rest_gives_way),
		TEST(a_mark_holds_until_its_time),
		TEST(counts_are_summed_over_slots_and_a_new_worker_clears_its_own),
		TEST(a_full_set_counts_no_more_and_frees_its_places),
		TEST(the_descriptor_carries_all_of_it),
		TEST(workers_share_one_clock),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
