#include "shm/session_store.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <cmocka.h>

enum { RECORDS_AT = 64, RECORD = 152 };

static struct session_store *store, *other;
static const struct clock_time now = {.wall = SECONDS(1000000), .mono = SECONDS(5000)};
/* The shared bytes, as a gateway gone bad could write them. */
static uint8_t *raw;
static size_t raw_size;

static int set_up(void **state)
{
	struct error err;

	(void)state;
	if (session_store_new(128, &store, &err) != OK ||
	    session_store_open(session_store_fd(store), &other, &err) != OK)
		return -1;
	raw_size = RECORDS_AT + (size_t)session_store_sets(store) * 8 * RECORD;
	raw = mmap(NULL, raw_size, PROT_READ | PROT_WRITE, MAP_SHARED, session_store_fd(store), 0);
	return raw == MAP_FAILED ? -1 : 0;
}

static int tear_down(void **state)
{
	(void)state;
	munmap(raw, raw_size);
	session_store_free(other);
	session_store_free(store);
	return 0;
}

/* Every byte of a session follows from one number, so that a mixture of two is seen. */
static struct session session_of(uint32_t number)
{
	struct session session = {.secret_length = 48,
				  .cipher = (uint16_t)number,
				  .group = (uint16_t)number,
				  .site = number,
				  .epoch = number,
				  .age_add = number,
				  .full_at = number,
				  .expiry = 1000100};
	size_t i;

	for (i = 0; i < 8; i++)
		memcpy(session.id + 4 * i, &number, 4);
	for (i = 0; i < 12; i++)
		memcpy(session.secret + 4 * i, &number, 4);
	for (i = 0; i < 8; i++)
		memcpy(session.fingerprint + 4 * i, &number, 4);
	return session;
}

static bool is_whole(const struct session *session, uint32_t number)
{
	struct session expected = session_of(number);

	expected.expiry = session->expiry;
	return memcmp(&expected, session, sizeof expected) == 0;
}

static bool contains(const uint8_t *needle, size_t size)
{
	return memmem(raw, raw_size, needle, size) != NULL;
}

static void what_one_gateway_puts_another_finds_and_finds_again(void **state)
{
	struct session session = session_of(7), found;

	(void)state;
	assert_true(session_store_put(store, &session, &now));
	assert_true(session_store_find(other, session.id, &now, &found));
	assert_true(is_whole(&found, 7));
	assert_int_equal(found.expiry, 1000100);
	assert_true(session_store_find(other, session.id, &now, &found));
	session.id[31] ^= 1;
	assert_false(session_store_find(other, session.id, &now, &found));
}

static void a_short_secret_keeps_its_length(void **state)
{
	struct session session = session_of(7), found;

	(void)state;
	session.secret_length = 32;
	memset(session.secret + 32, 0, 16);
	assert_true(session_store_put(store, &session, &now));
	assert_true(session_store_find(store, session.id, &now, &found));
	assert_memory_equal(&session, &found, sizeof session);
	session.secret_length = 49;
	assert_false(session_store_put(store, &session, &now));
	session.secret_length = 0;
	assert_false(session_store_put(store, &session, &now));
}

static void what_has_expired_is_wiped_when_it_is_met(void **state)
{
	struct session session = session_of(7), found;
	struct clock_time later = now;

	(void)state;
	assert_true(session_store_put(store, &session, &now));
	later.wall = SECONDS(1000099);
	assert_true(session_store_find(store, session.id, &later, &found));
	assert_true(contains(session.secret, 48));
	later.wall = SECONDS(1000100);
	assert_false(session_store_find(store, session.id, &later, &found));
	assert_false(contains(session.secret, 48));
	assert_false(session_store_put(store, &session, &later));
}

static void sweeping_wipes_what_nobody_asks_for(void **state)
{
	struct session session;
	struct clock_time later = {.wall = SECONDS(1000200), .mono = SECONDS(5200)};
	uint32_t number;

	(void)state;
	for (number = 1; number <= 30; number++) {
		session = session_of(number);
		assert_true(session_store_put(store, &session, &now));
	}
	session_store_sweep(store, session_store_sets(store), &now);
	assert_true(contains(session.secret, 48));
	session_store_sweep(store, session_store_sets(store) / 2, &later);
	session_store_sweep(store, session_store_sets(store) / 2, &later);
	for (number = 1; number <= 30; number++) {
		session = session_of(number);
		assert_false(contains(session.secret, 48));
	}
}

static void a_removed_session_is_gone_with_its_secret(void **state)
{
	struct session session = session_of(7), found;

	(void)state;
	assert_true(session_store_put(store, &session, &now));
	session_store_remove(other, session.id, &now);
	assert_false(session_store_find(store, session.id, &now, &found));
	assert_false(contains(session.secret, 48));
}

static void the_same_id_again_replaces_the_first(void **state)
{
	struct session session = session_of(7), found;

	(void)state;
	assert_true(session_store_put(store, &session, &now));
	session.epoch = 99;
	assert_true(session_store_put(store, &session, &now));
	assert_true(session_store_find(store, session.id, &now, &found));
	assert_int_equal(found.epoch, 99);
}

static void a_full_set_loses_its_oldest(void **state)
{
	uint32_t number, kept = 0, count = session_store_sets(store) * 8 * 4;
	struct session session, found;

	(void)state;
	for (number = 1; number <= count; number++) {
		session = session_of(number);
		session.expiry = 1000000 + number; /* the later, the younger */
		assert_true(session_store_put(store, &session, &now));
		assert_true(session_store_find(store, session.id, &now, &found));
	}
	for (number = 1; number <= count; number++) {
		session = session_of(number);
		kept += session_store_find(store, session.id, &now, &found);
	}
	assert_in_range(kept, 1, session_store_sets(store) * 8);
	session = session_of(1);
	assert_false(session_store_find(store, session.id, &now, &found));
	session = session_of(count);
	assert_true(session_store_find(store, session.id, &now, &found));
}

static uint8_t *record_of(const struct session *session)
{
	return (uint8_t *)memmem(raw, raw_size, session->secret, 48) - 53;
}

static void any_flipped_byte_is_a_miss(void **state)
{
	struct session session = session_of(7), found;
	uint8_t *record;
	int i;

	(void)state;
	assert_true(session_store_put(store, &session, &now));
	record = record_of(&session);
	assert_memory_equal(record + 20, session.id, 32);
	for (i = 4; i < RECORD; i++) {
		record[i] ^= 0x10;
		if (session_store_find(store, session.id, &now, &found))
			fail_msg("with byte %d flipped it was believed", i);
		record[i] ^= 0x10;
	}
	assert_true(session_store_find(store, session.id, &now, &found));
}

static void a_record_under_the_pen_is_a_miss_and_taken_only_after_a_second(void **state)
{
	struct session session = session_of(7), found;
	struct clock_time later = now;
	uint32_t odd = (uint32_t)(now.mono / 100000 & 0x7fff) << 1 | 1;
	uint8_t *record;

	(void)state;
	assert_true(session_store_put(store, &session, &now));
	record = record_of(&session);
	memcpy(record, &odd, 4); /* its writer begins, and dies */
	assert_false(session_store_find(store, session.id, &now, &found));
	assert_false(session_store_put(store, &session, &now));
	later.mono = now.mono + MILLISECONDS(900);
	assert_false(session_store_put(store, &session, &later));
	later.mono = now.mono - MILLISECONDS(300); /* whose turn began a little earlier */
	assert_false(session_store_put(store, &session, &later));
	later.mono = now.mono + MILLISECONDS(1200);
	assert_true(session_store_put(store, &session, &later));
	assert_true(session_store_find(store, session.id, &later, &found));
}

static void a_damaged_head_is_refused(void **state)
{
	struct session_store *third;
	struct error err;

	(void)state;
	raw[8] ^= 1;
	assert_int_equal(session_store_open(session_store_fd(store), &third, &err), REFUSED);
	assert_string_equal(err.text, "session store: its head is damaged");
	raw[8] ^= 1;
	assert_int_equal(session_store_open(0, &third, &err), REFUSED);
}

/* Two writers and two readers over sixteen ids of the same few records. */
enum { IDS = 16, ROUNDS = 20000 };
static _Atomic bool torn;
static _Atomic unsigned finds;

static void *write_and_read(void *arg)
{
	struct session_store *mine = arg;
	uint32_t round, number;

	for (round = 1; round <= ROUNDS; round++) {
		struct session session = session_of(round % IDS + 1), found;

		number = round * 7 % IDS + 1;
		/* Same id, other contents: what a torn read would mix. */
		session.site = session.epoch = session.age_add = mine == store ? 1 : 2;
		memset(session.secret, mine == store ? 1 : 2, 48);
		memset(session.fingerprint, mine == store ? 1 : 2, 32);
		(void)session_store_put(mine, &session, &now);
		session = session_of(number);
		if (!session_store_find(mine, session.id, &now, &found))
			continue;
		atomic_fetch_add(&finds, 1);
		if (found.site != found.epoch || found.site != found.age_add ||
		    found.secret[0] != found.site || found.secret[47] != found.site ||
		    found.fingerprint[0] != found.site || found.fingerprint[31] != found.site ||
		    memcmp(found.id, session.id, 32) != 0)
			atomic_store(&torn, true);
	}
	return NULL;
}

static void two_writers_at_once_give_whole_sessions_or_none(void **state)
{
	pthread_t threads[2];

	(void)state;
	atomic_store(&torn, false);
	atomic_store(&finds, 0);
	assert_int_equal(pthread_create(&threads[0], NULL, write_and_read, store), 0);
	assert_int_equal(pthread_create(&threads[1], NULL, write_and_read, other), 0);
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	assert_false(atomic_load(&torn));
	assert_true(atomic_load(&finds) > 1000);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_one_gateway_puts_another_finds_and_finds_again),
		TEST(a_short_secret_keeps_its_length),
		TEST(what_has_expired_is_wiped_when_it_is_met),
		TEST(sweeping_wipes_what_nobody_asks_for),
		TEST(a_removed_session_is_gone_with_its_secret),
		TEST(the_same_id_again_replaces_the_first),
		TEST(a_full_set_loses_its_oldest),
		TEST(any_flipped_byte_is_a_miss),
		TEST(a_record_under_the_pen_is_a_miss_and_taken_only_after_a_second),
		TEST(a_damaged_head_is_refused),
		TEST(two_writers_at_once_give_whole_sessions_or_none),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
