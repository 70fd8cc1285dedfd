#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "access/allow_file.h"
#include "base/buffer.h"
#include "base/encode.h"
#include "pki/digest.h"

#define ONE "0123456789abcdef0123456789abcdef"
#define TWO "fedcba9876543210fedcba9876543210"

static struct {
	size_t calls, line;
	char text[256];
} warned;

static void remember(void *arg, size_t line, const char *text)
{
	(void)arg;
	warned.calls++;
	if (warned.calls == 1)
		warned.line = line;
	snprintf(warned.text, sizeof warned.text, "%s", text);
}

static struct allow_file *parse(struct span text)
{
	struct allow_file *file = NULL;
	struct error err;

	memset(&warned, 0, sizeof warned);
	assert_int_equal(allow_file_parse(text, SPAN("example.com"), remember, NULL, &file, &err), OK);
	return file;
}

static bool has(const struct allow_file *file, const char *hex)
{
	uint8_t id[16];

	assert_true(hex_read(span_of(hex), id, sizeof id));
	return allow_file_has(file, id);
}

static void assert_reads(struct span text, bool one, bool two, size_t warnings)
{
	struct allow_file *file = parse(text);

	assert_int_equal(has(file, ONE), one);
	assert_int_equal(has(file, TWO), two);
	assert_int_equal(warned.calls, warnings);
	allow_file_free(file);
}

static void each_way_of_writing_an_id_is_read(void **state)
{
	(void)state;
	assert_reads(SPAN(ONE "\n" TWO "\n"), true, true, 0);
	assert_reads(SPAN(ONE ".d.example.com\n"), true, false, 0);
	assert_reads(SPAN("0123456789ABCDEF0123456789ABCDEF.D.EXAMPLE.COM\n"), true, false, 0);
	assert_reads(SPAN(ONE), true, false, 0);
	assert_reads(SPAN(ONE "\r\n" TWO "\r\n"), true, true, 0);
	assert_reads(SPAN("\xef\xbb\xbf" ONE "\r\n" TWO), true, true, 0);
	assert_reads(SPAN("  " ONE "\t # alice's phone\n\n# " TWO "\n   \n"), true, false, 0);
	assert_reads(SPAN(ONE "#" TWO "\n"), true, false, 0);
}

static void an_empty_file_admits_nobody(void **state)
{
	(void)state;
	assert_reads(SPAN(""), false, false, 0);
	assert_reads(SPAN("\n\r\n# nobody yet\n"), false, false, 0);
	assert_reads(SPAN("\xef\xbb\xbf"), false, false, 0);
}

static void a_bad_line_is_named_and_admits_nobody(void **state)
{
	(void)state;
	assert_reads(SPAN(TWO "\n" ONE "0\n"), false, true, 1);
	assert_int_equal(warned.line, 2);
	assert_string_equal(warned.text, "not a device id: more than 32 hex digits, and not .d. and the trust domain");
	assert_reads(SPAN("0123\n"), false, false, 1);
	assert_reads(SPAN("*\n"), false, false, 1);
	assert_reads(SPAN("x123456789abcdef0123456789abcdef\n"), false, false, 1);
	assert_string_equal(warned.text, "not a device id: it does not begin with 32 hex digits");
	assert_reads(SPAN(ONE " " TWO "\n"), false, false, 1);
	assert_reads(SPAN(ONE "\r" TWO "\n"), false, false, 1);
	assert_reads(span_make(ONE "\0", 33), false, false, 1);
	assert_reads(SPAN(ONE ".d.example.org\n"), false, false, 1);
	assert_string_equal(warned.text, "a device of another trust domain");
	assert_reads(SPAN(ONE ".d.example.com.evil.org\n"), false, false, 1);
	assert_reads(SPAN(ONE ".d.\n"), false, false, 1);
}

static void many_bad_lines_are_counted_not_listed(void **state)
{
	struct buffer text;
	struct allow_file *file;
	int i;

	(void)state;
	buffer_init(&text, 4096);
	for (i = 0; i < 50; i++)
		buffer_add_text(&text, "nonsense\n");
	file = parse(buffer_span(&text));
	assert_int_equal(warned.calls, ALLOW_FILE_WARNINGS + 1);
	assert_string_equal(warned.text, "30 more lines that are no device id");
	allow_file_free(file);
	buffer_release(&text);
}

static void an_unreadable_file_has_nobody_and_says_so(void **state)
{
	struct allow_file *file = allow_file_unreadable();

	(void)state;
	assert_true(allow_file_is_unreadable(file));
	assert_false(has(file, ONE));
	allow_file_free(file);
	file = parse(SPAN(ONE));
	assert_false(allow_file_is_unreadable(file));
	allow_file_free(file);
}

static void a_device_counts_once_and_ten_thousand_are_found(void **state)
{
	struct buffer text;
	struct allow_file *file;
	char hex[33];
	uint8_t id[16] = {0};
	int i;

	(void)state;
	buffer_init(&text, 1 << 20);
	for (i = 0; i < 20000; i++) {
		id[3] = (uint8_t)(i / 2 >> 8);
		id[9] = (uint8_t)(i / 2);
		hex_write(id, sizeof id, hex);
		buffer_add_text(&text, hex);
		buffer_add_text(&text, "\n");
	}
	file = parse(buffer_span(&text));
	assert_int_equal(allow_file_count(file), 10000);
	for (i = 0; i < 10000; i++) {
		id[3] = (uint8_t)(i >> 8);
		id[9] = (uint8_t)i;
		assert_true(allow_file_has(file, id));
	}
	id[0] = 1;
	assert_false(allow_file_has(file, id));
	allow_file_free(file);
	buffer_release(&text);
}

static bool has_foreign(const struct allow_file *file, const char *name)
{
	uint8_t key[SHA256_SIZE];

	digest_sha256(span_of(name), key);
	return allow_file_has_foreign(file, key);
}

/* Cut there, it would let somebody else in. */
static void a_hash_within_a_foreign_identity_begins_no_comment(void **state)
{
	struct allow_file *file = parse(SPAN("corp/https://a.example/u#alice # her laptop\ncorp/b@a.example\t#c\n" ONE "# x/y#z\n"));

	(void)state;
	assert_int_equal(warned.calls, 0);
	assert_true(has_foreign(file, "corp/https://a.example/u#alice"));
	assert_false(has_foreign(file, "corp/https://a.example/u"));
	assert_true(has_foreign(file, "corp/b@a.example"));
	assert_int_equal(allow_file_count(file), 3);
	allow_file_free(file);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_hash_within_a_foreign_identity_begins_no_comment),
		cmocka_unit_test(each_way_of_writing_an_id_is_read),
		cmocka_unit_test(an_empty_file_admits_nobody),
		cmocka_unit_test(a_bad_line_is_named_and_admits_nobody),
		cmocka_unit_test(many_bad_lines_are_counted_not_listed),
		cmocka_unit_test(an_unreadable_file_has_nobody_and_says_so),
		cmocka_unit_test(a_device_counts_once_and_ten_thousand_are_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
