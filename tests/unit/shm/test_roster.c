#include "shm/roster.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "shm/roster_layout.h"

static struct roster *writer, *reader;

static int set_up(void **state)
{
	struct error err;

	(void)state;
	if (roster_new(100, &writer, &err) != OK)
		return -1;
	return roster_open(roster_fd(writer), &reader, &err) == OK ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	roster_free(reader);
	roster_free(writer);
	return 0;
}

static struct roster_row row_of(uint32_t number)
{
	struct roster_row row = {.not_before = 1000,
				 .not_after = 2000,
				 .state = ROSTER_ACTIVE,
				 .groups = SPAN("staff, admins,staff"),
				 .card = {.device = SPAN("ab12.d.example.com"),
					  .person = SPAN("Alice"),
					  .email = SPAN("alice@example.com"),
					  .label = SPAN("phone"),
					  .subject = SPAN("CN=Alice - phone - 2027"),
					  .slash_trouble = SPAN("a value holds a slash"),
					  .serial = SPAN("0A1B"),
					  .kind = KIND_PHONE,
					  .is_admin = true}};
	uint64_t spread = number * 0x9e3779b97f4a7c15u;

	memcpy(row.fingerprint, &spread, 8);
	memcpy(row.fingerprint + 8, &number, 4);
	memcpy(row.device, &number, 4);
	return row;
}

static struct standing find(const struct roster *roster, uint32_t number)
{
	struct roster_row row = row_of(number);
	struct standing standing = {.entry = NULL};

	assert_true(roster_find(roster, row.fingerprint, &standing));
	return standing;
}

static void put(struct roster *roster, const struct roster_row *row)
{
	struct error err;

	assert_int_equal(roster_put(roster, row, &err), OK);
}

static void what_is_put_is_found_with_its_card(void **state)
{
	struct roster_row row = row_of(1);
	struct standing standing;
	struct card card;

	(void)state;
	assert_false(roster_find(reader, row.fingerprint, &standing));
	put(writer, &row);
	standing = find(reader, 1);
	assert_int_equal(standing.state, ROSTER_ACTIVE);
	assert_int_equal(standing.not_before, 1000);
	assert_int_equal(standing.not_after, 2000);
	assert_memory_equal(standing.device, row.device, 16);
	assert_true(span_is(roster_groups(reader, standing.group_set), "admins,staff"));
	assert_true(roster_set_has(reader, standing.group_set, SPAN("staff")));
	assert_false(roster_set_has(reader, standing.group_set, SPAN("sta")));
	assert_true(roster_card(reader, &standing, &card));
	assert_true(span_is(card.person, "Alice"));
	assert_true(span_is(card.email, "alice@example.com"));
	assert_true(span_is(card.subject, "CN=Alice - phone - 2027"));
	assert_int_equal(card.subject_slash.size, 0);
	assert_true(span_is(card.slash_trouble, "a value holds a slash"));
	assert_int_equal(card.kind, KIND_PHONE);
	assert_true(card.is_admin);
	assert_int_equal(card.not_after, 2000);
	assert_int_equal(roster_count(reader), 1);
}

static void dates_and_state_are_judged_together(void **state)
{
	struct roster_row row = row_of(1);
	struct standing standing;

	(void)state;
	put(writer, &row);
	standing = find(reader, 1);
	assert_int_equal(roster_judge(&standing, 999), ROSTER_NOT_YET);
	assert_int_equal(roster_judge(&standing, 1000), ROSTER_ACTIVE);
	assert_int_equal(roster_judge(&standing, 2000), ROSTER_ACTIVE);
	assert_int_equal(roster_judge(&standing, 2001), ROSTER_EXPIRED);
	assert_true(roster_set_state(writer, row.fingerprint, ROSTER_REVOKED));
	assert_int_equal(roster_reread(reader, &standing), STANDING_CHANGED);
	assert_int_equal(roster_judge(&standing, 2001), ROSTER_REVOKED);
}

static void a_change_is_seen_by_who_looks_again(void **state)
{
	struct roster_row row = row_of(1);
	struct standing standing;
	struct card card;

	(void)state;
	put(writer, &row);
	standing = find(reader, 1);
	assert_int_equal(roster_reread(reader, &standing), STANDING_SAME);
	put(writer, &row); /* the same once more */
	assert_int_equal(roster_reread(reader, &standing), STANDING_SAME);
	row.card.label = SPAN("old phone");
	put(writer, &row);
	assert_int_equal(roster_reread(reader, &standing), STANDING_CHANGED);
	assert_true(roster_card(reader, &standing, &card));
	assert_true(span_is(card.label, "old phone"));
	row.groups = SPAN("");
	row.state = ROSTER_SUSPENDED;
	put(writer, &row);
	assert_int_equal(roster_reread(reader, &standing), STANDING_CHANGED);
	assert_int_equal(standing.state, ROSTER_SUSPENDED);
	assert_int_equal(roster_groups(reader, standing.group_set).size, 0);
	assert_int_equal(roster_count(reader), 1);
}

static void a_handover_is_noticed_and_looked_up_again(void **state)
{
	struct roster_row row = row_of(1);
	struct roster *next_writer, *next;
	struct standing kept, gone;
	struct error err;
	struct card card;

	(void)state;
	put(writer, &row);
	row = row_of(2);
	put(writer, &row);
	kept = find(reader, 1);
	gone = find(reader, 2);
	assert_int_equal(roster_new(5000, &next_writer, &err), OK);
	row = row_of(1);
	row.card.label = SPAN("from the new one");
	put(next_writer, &row);
	assert_int_equal(roster_open(roster_fd(next_writer), &next, &err), OK);
	assert_true(roster_generation(next) != roster_generation(reader));
	roster_free(reader); /* before anyone has looked again */
	reader = NULL;
	assert_int_equal(roster_reread(next, &kept), STANDING_CHANGED);
	assert_int_equal(roster_reread(next, &kept), STANDING_SAME);
	assert_true(roster_card(next, &kept, &card));
	assert_true(span_is(card.label, "from the new one"));
	assert_false(roster_card(next, &gone, &card));
	assert_int_equal(roster_reread(next, &gone), STANDING_GONE);
	assert_int_equal(roster_judge(&gone, 1500), ROSTER_REVOKED);
	roster_free(next);
	roster_free(next_writer);
}

static void it_fills_to_its_limit_and_every_entry_is_found(void **state)
{
	uint32_t count = 0, i;
	struct roster_row row;
	struct error err;
	bool was_full = false;

	(void)state;
	for (;;) {
		row = row_of(count);
		if (roster_put(writer, &row, &err) == AGAIN)
			break;
		count++;
		was_full = was_full || roster_is_full(writer);
		if (count == 100)
			assert_false(was_full);
	}
	assert_true(was_full);
	assert_in_range(count, 600, 1024);
	for (i = 0; i < count; i++)
		assert_int_equal(find(reader, i).state, ROSTER_ACTIVE);
	/* Full or not: a revocation always finds room. */
	for (i = 0; i < count; i++) {
		row = row_of(i);
		assert_true(roster_set_state(writer, row.fingerprint, ROSTER_REVOKED));
	}
	assert_int_equal(find(reader, count / 2).state, ROSTER_REVOKED);
	row = row_of(count);
	assert_false(roster_set_state(writer, row.fingerprint, ROSTER_REVOKED));
}

static void fingerprints_that_begin_alike_end_after_64_steps(void **state)
{
	struct roster_row row = row_of(1);
	struct standing standing;
	struct error err;
	int i;

	(void)state;
	memset(row.fingerprint, 0xff, 8);
	for (i = 0; i < 64; i++) {
		row.fingerprint[31] = (uint8_t)i;
		put(writer, &row);
	}
	row.fingerprint[31] = 64;
	assert_int_equal(roster_put(writer, &row, &err), AGAIN);
	assert_false(roster_find(reader, row.fingerprint, &standing));
	row.fingerprint[31] = 63;
	assert_true(roster_find(reader, row.fingerprint, &standing));
}

static void changes_of_cards_end_when_the_arena_is_full(void **state)
{
	struct roster_row row = row_of(1);
	char label[4000];
	struct error err;
	enum status status = OK;
	int i;

	(void)state;
	memset(label, 'x', sizeof label);
	row.card.label = span_make(label, sizeof label);
	for (i = 0; status == OK && i < 100000; i++) {
		label[i % 4000] = (char)('a' + i % 20);
		label[0] = (char)(i % 128);
		status = roster_put(writer, &row, &err);
	}
	assert_int_equal(status, AGAIN);
	assert_true(roster_is_full(writer));
	assert_int_equal(find(reader, 1).state, ROSTER_ACTIVE);
	assert_true(roster_set_state(writer, row.fingerprint, ROSTER_REVOKED));
}

static void what_does_not_belong_in_it_is_refused(void **state)
{
	static char large[CARD_MOST + 1];
	struct roster_row row = row_of(1);
	struct error err;

	(void)state;
	row.state = ROSTER_EXPIRED;
	assert_int_equal(roster_put(writer, &row, &err), REFUSED);
	row = row_of(1);
	row.card.label = span_make(large, sizeof large);
	assert_int_equal(roster_put(writer, &row, &err), REFUSED);
	assert_string_equal(err.text, "the texts of its card have more than 8192 bytes");
	row = row_of(1);
	row.groups = SPAN("a\nb");
	assert_int_equal(roster_put(writer, &row, &err), REFUSED);
	assert_string_equal(err.text, "a group's name holds a control character");
	row.groups = span_make(large, ROSTER_GROUPS_TEXT_MOST + 1);
	assert_int_equal(roster_put(writer, &row, &err), REFUSED);
	assert_int_equal(roster_count(reader), 0);
	row = row_of(1);
	put(writer, &row);
	row.device[0] ^= 1;
	assert_int_equal(roster_put(writer, &row, &err), REFUSED);
}

static void dates_beyond_the_field_are_held_at_its_end(void **state)
{
	struct roster_row row = row_of(1);

	(void)state;
	row.not_before = -5;
	row.not_after = (int64_t)1 << 40;
	put(writer, &row);
	assert_int_equal(find(reader, 1).not_before, 0);
	assert_int_equal(find(reader, 1).not_after, UINT32_MAX);
}

/* The writer is believed no further than the seals reach. */
static void indexes_that_lie_read_as_nothing(void **state)
{
	struct roster_row row = row_of(1);
	struct standing standing;
	struct card card;
	uint32_t slot;

	(void)state;
	put(writer, &row);
	slot = (uint32_t)(find(writer, 1).entry - writer->entries);
	atomic_store(&writer->entries[slot].card, UINT32_MAX);
	standing = find(reader, 1);
	assert_false(roster_card(reader, &standing, &card));
	assert_int_equal(card.person.size, 0);
	atomic_store(&writer->entries[slot].card, (uint32_t)(writer->arena_size / 8 - 1));
	standing = find(reader, 1);
	assert_false(roster_card(reader, &standing, &card));
	memset(writer->arena + 800, 0xff, 100);
	atomic_store(&writer->entries[slot].card, 100);
	standing = find(reader, 1);
	if (roster_card(reader, &standing, &card))
		assert_true(card.dns.at + card.dns.size <= reader->arena + reader->arena_size);
	atomic_store(&writer->group_rows[0].size, UINT32_MAX);
	assert_int_equal(roster_groups(reader, 1).size, 0);
	assert_int_equal(roster_groups(reader, 0xffffff).size, 0);
	/* A state that nobody knows admits nobody. */
	atomic_store(&writer->entries[slot].verdict, (uint64_t)2000 << 32 | 77);
	assert_int_equal(find(reader, 1).state, ROSTER_REVOKED);
}

static void a_damaged_head_is_refused(void **state)
{
	struct roster_head good = *writer->head;
	struct roster *other;
	struct error err;

	(void)state;
	writer->head->slots = 1 << 20;
	assert_int_equal(roster_open(roster_fd(writer), &other, &err), REFUSED);
	assert_string_equal(err.text, "roster: its head is damaged");
	writer->head->slots = good.slots - 1;
	assert_int_equal(roster_open(roster_fd(writer), &other, &err), REFUSED);
	writer->head->slots = good.slots;
	writer->head->arena_size = UINT64_MAX;
	assert_int_equal(roster_open(roster_fd(writer), &other, &err), REFUSED);
	writer->head->arena_size = good.arena_size;
	writer->head->magic[0] = 'X';
	assert_int_equal(roster_open(roster_fd(writer), &other, &err), REFUSED);
	assert_string_equal(err.text, "roster: it is none");
}

static _Atomic bool stop;

static void *read_all_the_time(void *arg)
{
	unsigned long reads = 0;

	(void)arg;
	while (!atomic_load(&stop)) {
		uint32_t number;

		for (number = 0; number < 300; number++) {
			struct roster_row row = row_of(number);
			struct standing standing;
			struct card card;

			if (!roster_find(reader, row.fingerprint, &standing))
				continue;
			/* Once there, it is whole. */
			if (memcmp(standing.device, row.device, 16) != 0 ||
			    !roster_card(reader, &standing, &card) ||
			    !span_is(card.person, "Alice") || standing.not_after != 2000)
				return (void *)1;
			reads++;
		}
	}
	return reads ? NULL : (void *)2;
}

static void a_reader_beside_the_writer_sees_whole_entries_only(void **state)
{
	pthread_t thread;
	void *outcome;
	uint32_t number;
	int round;

	(void)state;
	atomic_store(&stop, false);
	assert_int_equal(pthread_create(&thread, NULL, read_all_the_time, NULL), 0);
	for (round = 0; round < 20; round++) {
		for (number = 0; number < 300; number++) {
			struct roster_row row = row_of(number);

			row.card.label = round % 2 ? SPAN("odd") : SPAN("even");
			row.state = round % 3 ? ROSTER_ACTIVE : ROSTER_SUSPENDED;
			if (!roster_is_full(writer))
				put(writer, &row);
		}
	}
	atomic_store(&stop, true);
	pthread_join(thread, &outcome);
	assert_null(outcome);
}

static void the_authoritys_last_sign_is_told(void **state)
{
	(void)state;
	assert_int_equal(roster_touched_at(reader), 0);
	roster_touch(writer, 123456789);
	assert_int_equal(roster_touched_at(reader), 123456789);
}

static void device_kinds_have_names(void **state)
{
	enum device_kind kind, found;

	(void)state;
	for (kind = KIND_OTHER; kind < KIND_COUNT; kind++) {
		assert_true(device_kind_parse(span_of(device_kind_name(kind)), &found));
		assert_int_equal(found, kind);
	}
	assert_false(device_kind_parse(SPAN("fridge"), &found));
	assert_string_equal(device_kind_name((enum device_kind)99), "other");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_put_is_found_with_its_card),
		TEST(dates_and_state_are_judged_together),
		TEST(a_change_is_seen_by_who_looks_again),
		TEST(a_handover_is_noticed_and_looked_up_again),
		TEST(it_fills_to_its_limit_and_every_entry_is_found),
		TEST(fingerprints_that_begin_alike_end_after_64_steps),
		TEST(changes_of_cards_end_when_the_arena_is_full),
		TEST(what_does_not_belong_in_it_is_refused),
		TEST(dates_beyond_the_field_are_held_at_its_end),
		TEST(indexes_that_lie_read_as_nothing),
		TEST(a_damaged_head_is_refused),
		TEST(a_reader_beside_the_writer_sees_whole_entries_only),
		TEST(the_authoritys_last_sign_is_told),
		TEST(device_kinds_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
