#include "registry/revoked_list.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buffer.h"
#include "base/fault.h"
#include "base/file.h"

static char folder[64], path[128];

#define FINE(call)                                                                                 \
	do {                                                                                       \
		enum status outcome = (call);                                                      \
		if (outcome != OK)                                                                 \
			fail_msg("%s: %s", #call, err.text);                                       \
	} while (0)

static int set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/revoked-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof path, "%s/revoked.list", folder);
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	fault_arm("", 0);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

static struct revoked_list *opened(unsigned expected_damage)
{
	struct revoked_list *list = NULL;
	struct error err;
	unsigned damaged;

	FINE(revoked_list_open(path, &list, &damaged, &err));
	assert_int_equal(damaged, expected_damage);
	return list;
}

static void fill_id(uint8_t id[32], unsigned number)
{
	memset(id, 0, 32);
	memcpy(id, &number, sizeof number);
	id[15] = 0xee;
}

static void note(struct revoked_list *list, enum revoked_kind kind, unsigned number)
{
	uint8_t id[32];
	struct error err;

	fill_id(id, number);
	FINE(revoked_list_note(list, kind, id, &err));
}

static bool has(const struct revoked_list *list, enum revoked_kind kind, unsigned number)
{
	uint8_t id[32];

	fill_id(id, number);
	return revoked_list_has(list, kind, id);
}

static void what_is_committed_is_there_after_a_crash_and_nothing_else_is(void **state)
{
	struct revoked_list *list = opened(0);
	struct stat facts;
	struct error err;
	size_t mark;

	(void)state;
	assert_int_equal(stat(path, &facts), 0);
	assert_int_equal(facts.st_mode & 0777, 0600);
	note(list, REVOKED_DEVICE, 1);
	assert_false(has(list, REVOKED_DEVICE, 1));
	mark = revoked_list_mark(list);
	note(list, REVOKED_DEVICE, 2);
	revoked_list_undo(list, mark);
	note(list, REVOKED_CERTIFICATE, 3);
	FINE(revoked_list_commit(list, &err));
	note(list, REVOKED_PERSON, 4);
	/* No free: as after kill -9. */
	{
		struct revoked_list *again = opened(0);

		assert_true(has(again, REVOKED_DEVICE, 1));
		assert_false(has(again, REVOKED_DEVICE, 2));
		assert_true(has(again, REVOKED_CERTIFICATE, 3));
		assert_false(has(again, REVOKED_DEVICE, 3));
		assert_false(has(again, REVOKED_PERSON, 4));
		assert_null(revoked_list_at(again, 2));
		revoked_list_free(again);
	}
	revoked_list_free(list);
}

static void many_are_found(void **state)
{
	struct revoked_list *list = opened(0);
	struct error err;
	unsigned i;

	(void)state;
	for (i = 0; i < 5000; i++) {
		note(list, REVOKED_DEVICE, 2 * i);
		if (i % 7 == 0)
			FINE(revoked_list_commit(list, &err));
	}
	FINE(revoked_list_commit(list, &err));
	revoked_list_free(list);
	list = opened(0);
	for (i = 0; i < 10000; i++)
		assert_int_equal(has(list, REVOKED_DEVICE, i), i % 2 == 0);
	revoked_list_free(list);
}

static void a_line_cut_short_goes_and_a_damaged_one_is_counted(void **state)
{
	struct revoked_list *list;
	struct error err;

	(void)state;
	FINE(file_save(path, 0600, SPAN("# comment\n"
					"device 05000000000000000000000000000000ee\n"
					"device 050000000000000000000000000000ee\n"
					"gadget 060000000000000000000000000000ee\n"
					"device 07000000000000"), &err));
	list = opened(2);
	assert_true(has(list, REVOKED_DEVICE, 5));
	assert_false(has(list, REVOKED_DEVICE, 7));
	note(list, REVOKED_DEVICE, 7);
	FINE(revoked_list_commit(list, &err));
	revoked_list_free(list);
	list = opened(2);
	assert_true(has(list, REVOKED_DEVICE, 7));
	revoked_list_free(list);
}

static void what_a_full_disk_did_not_take_is_written_with_the_next(void **state)
{
	static const char *const points[] = {"write", "fsync"};
	unsigned i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct revoked_list *list = opened(0);
		struct error err;

		note(list, REVOKED_DEVICE, 10 + i);
		fault_arm(points[i], 1);
		assert_int_equal(revoked_list_commit(list, &err), FAILED);
		fault_arm("", 0);
		assert_true(has(list, REVOKED_DEVICE, 10 + i));
		FINE(revoked_list_commit(list, &err));
		revoked_list_free(list);
		list = opened(0);
		assert_true(has(list, REVOKED_DEVICE, 10 + i));
		revoked_list_free(list);
	}
}

static void a_link_in_its_place_is_refused(void **state)
{
	struct revoked_list *list = NULL;
	struct error err;
	unsigned damaged;

	(void)state;
	assert_int_equal(symlink("/etc/passwd", path), 0);
	assert_int_equal(revoked_list_open(path, &list, &damaged, &err), REFUSED);
	assert_non_null(strstr(err.text, path));
	assert_null(list);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_is_committed_is_there_after_a_crash_and_nothing_else_is),
		TEST(many_are_found),
		TEST(a_line_cut_short_goes_and_a_damaged_one_is_counted),
		TEST(what_a_full_disk_did_not_take_is_written_with_the_next),
		TEST(a_link_in_its_place_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
