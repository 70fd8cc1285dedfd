#include "base/file_trust.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"

enum { OTHER = 65534 };

static char top[64];
static struct error err;

static const char *at(const char *name)
{
	static char paths[4][256];
	static unsigned next;
	char *path = paths[next++ % 4];

	snprintf(path, sizeof paths[0], "%s/%s", top, name);
	return path;
}

static void put(const char *name, uid_t owner, mode_t mode)
{
	assert_int_equal(file_save(at(name), mode, SPAN("hello"), &err), OK);
	assert_int_equal(chown(at(name), owner, owner), 0);
	assert_int_equal(chmod(at(name), mode), 0);
}

static void put_folder(const char *name, uid_t owner, mode_t mode)
{
	assert_int_equal(mkdir(at(name), 0700), 0);
	assert_int_equal(chown(at(name), owner, owner), 0);
	assert_int_equal(chmod(at(name), mode), 0);
}

static void put_link(const char *name, const char *target, uid_t owner)
{
	assert_int_equal(symlink(target, at(name)), 0);
	assert_int_equal(lchown(at(name), owner, owner), 0);
}

static int begin(void **state)
{
	(void)state;
	snprintf(top, sizeof top, "/tmp/trust-XXXXXX");
	return mkdtemp(top) ? 0 : -1;
}

static int remove_one(const char *path, const struct stat *facts, int kind, struct FTW *ftw)
{
	(void)facts;
	(void)kind;
	(void)ftw;
	return remove(path);
}

static int end(void **state)
{
	(void)state;
	return nftw(top, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static enum status look(const char *name, enum file_power power)
{
	struct buffer bytes;
	enum status status;

	buffer_init(&bytes, 64);
	err.text[0] = 0;
	status = file_load_trusted(at(name), power, &bytes, &err);
	if (status == OK)
		assert_string_equal(buffer_text(&bytes), "hello");
	buffer_release(&bytes);
	return status;
}

static void assert_refused(const char *name, enum file_power power, const char *word)
{
	assert_int_equal(look(name, power), REFUSED);
	if (!strstr(err.text, word))
		fail_msg("said: %s\nnot:  %s", err.text, word);
}

static void what_root_made_is_read_links_and_all(void **state)
{
	(void)state;
	put_folder("live", 0, 0755);
	put_folder("archive", 0, 0700);
	put("archive/one.pem", 0, 0600);
	put_link("live/one.pem", "../archive/one.pem", 0);
	put_link("whole", at("live"), 0);
	assert_int_equal(look("live/one.pem", FILE_INFORMS), OK);
	assert_int_equal(look("whole/one.pem", FILE_COMMANDS), OK);
	assert_refused("live/none.pem", FILE_INFORMS, "No such file");
	assert_refused("live", FILE_INFORMS, "is a folder");
	assert_refused("archive/one.pem/x", FILE_INFORMS, "Not a directory");
}

static void a_configuration_that_others_could_write_is_none(void **state)
{
	(void)state;
	put("his", OTHER, 0644);
	put("open", 0, 0666);
	put("grouped", 0, 0660);
	assert_int_equal(chown(at("grouped"), 0, OTHER), 0);
	put("good", 0, 0640);
	assert_refused("his", FILE_COMMANDS, "chown root");
	assert_refused("open", FILE_COMMANDS, "chmod go-w");
	assert_refused("grouped", FILE_COMMANDS, "others than root");
	assert_int_equal(look("good", FILE_COMMANDS), OK);
	/* What it names may be its owner's, where root gave the name. */
	assert_int_equal(look("his", FILE_INFORMS), OK);
}

static void in_a_sticky_folder_only_roots_own_is_roots(void **state)
{
	(void)state;
	put_folder("house", 0, 01770);
	assert_int_equal(chown(at("house"), 0, OTHER), 0);
	assert_int_equal(chmod(at("house"), 01770), 0);
	put("house/conf", 0, 0640);
	put("house/his", OTHER, 0640);
	put_folder("plain", 0, 0777);
	put("plain/conf", 0, 0640);
	assert_int_equal(look("house/conf", FILE_COMMANDS), OK);
	assert_refused("house/his", FILE_COMMANDS, "others than root");
	assert_refused("plain/conf", FILE_COMMANDS, "others than root");
	/* A second name of a file of root's may be somebody else's doing. */
	assert_int_equal(link(at("house/conf"), at("elsewhere")), 0);
	assert_refused("house/conf", FILE_COMMANDS, "others than root");
}

static void below_what_is_not_roots_no_link_is_followed(void **state)
{
	(void)state;
	put("secret", 0, 0600);
	put_folder("his", OTHER, 0755);
	put("his/one", OTHER, 0644);
	put_link("his/two", at("secret"), OTHER);
	put_link("his/three", "one", OTHER);
	put_link("his/folder", top, OTHER);
	put_link("his/roots", at("secret"), 0);
	assert_int_equal(look("his/one", FILE_INFORMS), OK);
	assert_refused("his/two", FILE_INFORMS, "a link");
	assert_refused("his/three", FILE_INFORMS, "a link");
	assert_refused("his/folder/secret", FILE_INFORMS, "a link");
	assert_refused("his/roots", FILE_INFORMS, "a link");
}

static void below_what_is_not_roots_files_are_their_folders_owners(void **state)
{
	(void)state;
	put_folder("his", OTHER, 0755);
	put("his/roots", 0, 0600);
	put("his/thirds", 1, 0644);
	assert_int_equal(look("his/roots", FILE_INFORMS), OK);
	assert_refused("his/thirds", FILE_INFORMS, "somebody else");
	assert_int_equal(link(at("his/roots"), at("twice")), 0);
	assert_refused("his/roots", FILE_INFORMS, "somebody else");
	assert_int_equal(mkfifo(at("his/pipe"), 0600), 0);
	assert_refused("his/pipe", FILE_INFORMS, "somebody else");
}

static void a_circle_of_links_ends(void **state)
{
	(void)state;
	put_link("a", "b", 0);
	put_link("b", "a", 0);
	assert_refused("a", FILE_INFORMS, "too many links");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(what_root_made_is_read_links_and_all, begin, end),
		cmocka_unit_test_setup_teardown(a_configuration_that_others_could_write_is_none, begin, end),
		cmocka_unit_test_setup_teardown(in_a_sticky_folder_only_roots_own_is_roots, begin, end),
		cmocka_unit_test_setup_teardown(below_what_is_not_roots_no_link_is_followed, begin, end),
		cmocka_unit_test_setup_teardown(below_what_is_not_roots_files_are_their_folders_owners, begin, end),
		cmocka_unit_test_setup_teardown(a_circle_of_links_ends, begin, end),
	};

	if (geteuid() != 0)
		return 0; /* the kernel looks after others */
	return cmocka_run_group_tests(tests, NULL, NULL);
}
