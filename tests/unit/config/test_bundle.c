#include "config/bundle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/file.h"
#include "config/config_files.h"

static const struct bundle_entry entries[] = {
	{SPAN("/etc/chatelaine/key.pem"), SPAN("secret"), BUNDLE_FILE},
	{SPAN("/etc/allow.txt"), SPAN("cannot open /etc/allow.txt: Permission denied"), BUNDLE_TROUBLE},
	{SPAN("config"), SPAN(""), BUNDLE_NOTE},
};

static struct bundle *made(void)
{
	struct bundle *bundle;
	struct error err;
	int fd;

	assert_int_equal(bundle_make(entries, 3, &fd, &err), OK);
	assert_int_equal(bundle_open(fd, &bundle, &err), OK);
	assert_ptr_equal(mmap(NULL, 1, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0), MAP_FAILED);
	assert_int_equal(pwrite(fd, "x", 1, 0), -1);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	close(fd);
	return bundle;
}

static void what_goes_in_comes_out_by_name(void **state)
{
	struct bundle *bundle = made();
	const struct bundle_entry *entry;

	(void)state;
	assert_int_equal(bundle_count(bundle), 3);
	entry = bundle_find(bundle, "/etc/chatelaine/key.pem");
	assert_non_null(entry);
	assert_true(span_is(entry->bytes, "secret"));
	assert_int_equal(entry->kind, BUNDLE_FILE);
	assert_int_equal(bundle_find(bundle, "/etc/allow.txt")->kind, BUNDLE_TROUBLE);
	assert_int_equal(bundle_find(bundle, "config")->bytes.size, 0);
	assert_null(bundle_find(bundle, "/etc/chatelaine/key.pe"));
	assert_null(bundle_find(bundle, ""));
	assert_true(span_is(bundle_at(bundle, 2)->name, "config"));
	bundle_free(bundle);
}

static void an_empty_bundle_is_one(void **state)
{
	struct bundle *bundle;
	struct error err;
	int fd;

	(void)state;
	assert_int_equal(bundle_make(NULL, 0, &fd, &err), OK);
	assert_int_equal(bundle_open(fd, &bundle, &err), OK);
	assert_int_equal(bundle_count(bundle), 0);
	assert_null(bundle_find(bundle, "x"));
	bundle_free(bundle);
	close(fd);
}

static void what_cannot_be_in_one_is_named(void **state)
{
	struct bundle_entry twice[] = {entries[0], entries[0]}, nameless = {SPAN(""), SPAN(""), BUNDLE_FILE};
	struct bundle_entry with_zero = {SPAN("a\0b"), SPAN(""), BUNDLE_FILE};
	struct bundle_entry huge = {SPAN("big"), {"", (size_t)BUNDLE_BYTES_MOST + 1}, BUNDLE_FILE};
	struct error err;
	int fd;

	(void)state;
	assert_int_equal(bundle_make(twice, 2, &fd, &err), REFUSED);
	assert_string_equal(err.text, "bundle of files: /etc/chatelaine/key.pem is in it twice");
	assert_int_equal(bundle_make(&nameless, 1, &fd, &err), REFUSED);
	assert_int_equal(bundle_make(&with_zero, 1, &fd, &err), REFUSED);
	assert_int_equal(bundle_make(&huge, 1, &fd, &err), REFUSED);
	assert_string_equal(err.text, "bundle of files: with big more than 67108864 bytes");
}

static void one_that_is_not_sealed_is_refused(void **state)
{
	int fd = memfd_create("x", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	struct bundle *bundle;
	struct error err;

	(void)state;
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(bundle_open(fd, &bundle, &err), REFUSED);
	assert_non_null(strstr(err.text, "bundle of files: the memory is not sealed"));
	close(fd);
}

/* Each byte of a good one, each value that a bit flip gives: read or refused, never beyond. */
static void any_damage_is_read_within_bounds(void **state)
{
	struct buffer good;
	struct error err;
	size_t i;
	int fd, bit;

	(void)state;
	assert_int_equal(bundle_make(entries, 3, &fd, &err), OK);
	buffer_init(&good, 10000);
	assert_int_equal(file_load_fd(fd, &good, &err), OK);
	close(fd);
	for (i = 0; i < good.size * 8; i++) {
		char *copy = malloc(good.size); /* its own, so that ASan sees its end */
		struct bundle *bundle;

		bit = 1 << (i & 7);
		memcpy(copy, good.at, good.size);
		copy[i / 8] = (char)(copy[i / 8] ^ bit);
		if (bundle_parse(span_make(copy, good.size), &bundle, &err) == OK) {
			size_t nth;

			for (nth = 0; nth < bundle_count(bundle); nth++)
				assert_true(bundle_at(bundle, nth)->bytes.at +
						    bundle_at(bundle, nth)->bytes.size <=
					    copy + good.size);
			bundle_free(bundle);
		}
		free(copy);
	}
	for (i = 0; i < good.size; i++) {
		char *copy = malloc(i + 1);
		struct bundle *bundle;

		memcpy(copy, good.at, i);
		if (bundle_parse(span_make(copy, i), &bundle, &err) == OK)
			bundle_free(bundle);
		free(copy);
	}
	buffer_release(&good);
}

static void files_come_from_disk_bundle_or_map_alike(void **state)
{
	static const struct config_map_entry map[] = {{"/x", "bytes"}, {"/y", NULL}, {NULL, NULL}};
	char path[] = "/tmp/test-bundle-XXXXXX";
	int fd = mkstemp(path), bundle_fd;
	struct config_files *files;
	const struct bundle_entry *loaded;
	struct bundle *bundle;
	struct span bytes;
	struct error err;
	size_t count;

	(void)state;
	assert_int_equal(write(fd, "hello", 5), 5);
	close(fd);
	assert_int_equal(config_files_from_disk(&files, &err), OK);
	assert_int_equal(config_files_load(files, path, &bytes, &err), OK);
	assert_true(span_is(bytes, "hello"));
	assert_int_equal(config_files_load(files, "/nowhere", &bytes, &err), REFUSED);
	assert_int_equal(config_files_load(files, "/nowhere", &bytes, &err), REFUSED);
	assert_string_equal(err.text, "cannot open /nowhere: No such file or directory");
	unlink(path);
	assert_int_equal(config_files_load(files, path, &bytes, &err), OK); /* read once */
	loaded = config_files_loaded(files, &count);
	assert_int_equal(count, 2);
	assert_int_equal(bundle_make(loaded, count, &bundle_fd, &err), OK);
	config_files_free(files);

	assert_int_equal(bundle_open(bundle_fd, &bundle, &err), OK);
	assert_int_equal(config_files_from_bundle(bundle, &files, &err), OK);
	assert_int_equal(config_files_load(files, path, &bytes, &err), OK);
	assert_true(span_is(bytes, "hello"));
	assert_int_equal(config_files_load(files, "/nowhere", &bytes, &err), REFUSED);
	assert_string_equal(err.text, "cannot open /nowhere: No such file or directory");
	assert_int_equal(config_files_load(files, "/else", &bytes, &err), REFUSED);
	assert_string_equal(err.text, "/else was not handed over");
	config_files_free(files);
	bundle_free(bundle);
	close(bundle_fd);

	assert_int_equal(config_files_from_map(map, &files, &err), OK);
	assert_int_equal(config_files_load(files, "/x", &bytes, &err), OK);
	assert_int_equal(config_files_load(files, "/y", &bytes, &err), REFUSED);
	config_files_free(files);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_in_comes_out_by_name),
		cmocka_unit_test(an_empty_bundle_is_one),
		cmocka_unit_test(what_cannot_be_in_one_is_named),
		cmocka_unit_test(one_that_is_not_sealed_is_refused),
		cmocka_unit_test(any_damage_is_read_within_bounds),
		cmocka_unit_test(files_come_from_disk_bundle_or_map_alike),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
