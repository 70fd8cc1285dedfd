#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/fault.h"
#include "base/file.h"

static char folder[64];

static int set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/test-file-XXXXXX");
	return mkdtemp(folder) ? 0 : -1;
}

static int count_files(void)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;
	int count = 0;

	while ((entry = readdir(dir)))
		count += entry->d_name[0] != '.';
	closedir(dir);
	return count;
}

static int tear_down(void **state)
{
	DIR *dir = opendir(folder);
	struct dirent *entry;

	(void)state;
	while ((entry = readdir(dir)))
		(void)unlinkat(dirfd(dir), entry->d_name, 0);
	closedir(dir);
	return rmdir(folder);
}

static const char *in_folder(const char *name)
{
	static char path[200];

	snprintf(path, sizeof path, "%s/%s", folder, name);
	return path;
}

static void assert_holds(const char *name, const char *expected)
{
	struct buffer content;
	struct error err;

	buffer_init(&content, 1000);
	assert_int_equal(file_load(in_folder(name), &content, &err), OK);
	assert_string_equal(buffer_text(&content), expected);
	buffer_release(&content);
}

static void what_is_saved_is_there_with_its_mode(void **state)
{
	struct stat facts;
	struct error err;

	(void)state;
	assert_int_equal(file_save(in_folder("key"), 0600, SPAN("one"), &err), OK);
	assert_int_equal(file_save(in_folder("key"), 0600, SPAN("two"), &err), OK);
	assert_holds("key", "two");
	assert_int_equal(stat(in_folder("key"), &facts), 0);
	assert_int_equal(facts.st_mode & 0777, 0600);
	assert_int_equal(count_files(), 1);
}

static void a_new_file_replaces_nothing(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(file_save_new(in_folder("a"), 0600, SPAN("one"), &err), OK);
	assert_int_equal(file_save_new(in_folder("a"), 0600, SPAN("two"), &err), REFUSED);
	assert_holds("a", "one");
	assert_int_equal(count_files(), 1);
}

/* For every n: it is the old or the new one, whole, and nothing is left lying about. */
static void each_failing_step_leaves_the_old_file(void **state)
{
	static const char *const points[] = {"write", "fsync"};
	struct error err;
	size_t i;
	unsigned n;

	(void)state;
	for (i = 0; i < 2; i++) {
		for (n = 1; n < 5; n++) {
			enum status status;

			assert_int_equal(file_save(in_folder("f"), 0600, SPAN("old"), &err), OK);
			fault_arm(points[i], n);
			status = file_save(in_folder("f"), 0600, SPAN("new"), &err);
			fault_arm("", 0);
			if (status != OK)
				assert_int_equal(status, FAILED);
			/* The second fsync is the folder's: the new name stands already, but says so. */
			assert_holds("f", n == 1 ? "old" : "new");
			assert_int_equal(count_files(), 1);
			assert_int_equal(status != OK, n == 1 || (i == 1 && n == 2));
		}
	}
}

static void a_file_over_the_ceiling_is_refused(void **state)
{
	struct buffer content;
	struct error err;

	(void)state;
	assert_int_equal(file_save(in_folder("big"), 0600, SPAN("12345"), &err), OK);
	buffer_init(&content, 4);
	assert_int_equal(file_load(in_folder("big"), &content, &err), REFUSED);
	assert_non_null(strstr(err.text, "larger than 4 bytes"));
	buffer_release(&content);
	buffer_init(&content, 5);
	assert_int_equal(file_load(in_folder("big"), &content, &err), OK);
	assert_int_equal(content.size, 5);
	buffer_release(&content);
}

static void what_cannot_be_read_is_named(void **state)
{
	struct buffer content;
	struct error err;

	(void)state;
	buffer_init(&content, 10);
	assert_int_equal(file_load("/nowhere/at/all", &content, &err), REFUSED);
	assert_string_equal(err.text, "cannot open /nowhere/at/all: No such file or directory");
	assert_int_equal(file_load(folder, &content, &err), REFUSED);
	assert_non_null(strstr(err.text, "is a folder, not a file"));
	buffer_release(&content);
}

static void folders_are_made_with_those_above(void **state)
{
	struct error err;
	char deep[100];

	(void)state;
	snprintf(deep, sizeof deep, "%s/a/b", folder);
	assert_int_equal(folder_make(deep, 0700, &err), OK);
	assert_int_equal(folder_make(deep, 0700, &err), OK);
	assert_int_equal(rmdir(deep), 0);
	assert_int_equal(file_save(deep, 0600, SPAN("x"), &err), OK);
	assert_int_equal(folder_make(deep, 0700, &err), REFUSED);
	assert_non_null(strstr(err.text, "is not a folder"));
	assert_int_equal(unlink(deep), 0);
	assert_int_equal(rmdir(in_folder("a")), 0);
	assert_int_equal(folder_make("", 0700, &err), REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_is_saved_is_there_with_its_mode, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_new_file_replaces_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(each_failing_step_leaves_the_old_file, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_file_over_the_ceiling_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_cannot_be_read_is_named, set_up, tear_down),
		cmocka_unit_test_setup_teardown(folders_are_made_with_those_above, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
