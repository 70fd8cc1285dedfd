#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/encode.h"
#include "base/random.h"

static const struct {
	const char *plain, *encoded;
} rfc4648[] = {
	{"", ""},	  {"f", "Zg=="},	{"fo", "Zm8="},	      {"foo", "Zm9v"},
	{"foob", "Zm9vYg=="}, {"fooba", "Zm9vYmE="}, {"foobar", "Zm9vYmFy"},
};

static void base64_agrees_with_rfc_4648_section_10(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rfc4648 / sizeof rfc4648[0]; i++) {
		struct buffer out;

		buffer_init(&out, 64);
		base64_write(&out, span_of(rfc4648[i].plain));
		assert_string_equal(buffer_text(&out), rfc4648[i].encoded);
		buffer_clear(&out);
		assert_true(base64_read(&out, span_of(rfc4648[i].encoded)));
		assert_true(span_is(buffer_span(&out), rfc4648[i].plain));
		buffer_release(&out);
	}
}

static void sloppy_base64_is_refused(void **state)
{
	static const char *const bad[] = {"Zg=",	"Zg",  "Zg===",	   "Zh==", "Zm9=", "Zm 9", "Zm9v\n", "=",
					  "====", "Zg==Zg==", "Z===", "Zm-_", "Zm9v=" };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct buffer out;

		buffer_init(&out, 64);
		if (base64_read(&out, span_of(bad[i])))
			fail_msg("\"%s\" was read", bad[i]);
		buffer_release(&out);
	}
}

static void every_length_survives_there_and_back(void **state)
{
	char bytes[100];
	size_t size;

	(void)state;
	random_bytes(bytes, sizeof bytes);
	for (size = 0; size <= sizeof bytes; size++) {
		struct buffer text, back;

		buffer_init(&text, 200);
		buffer_init(&back, 100);
		base64_write(&text, span_make(bytes, size));
		assert_true(base64_read(&back, buffer_span(&text)));
		assert_true(span_equals(buffer_span(&back), span_make(bytes, size)));
		buffer_release(&text);
		buffer_release(&back);
	}
}

static void base64_that_does_not_fit_is_not_read(void **state)
{
	struct buffer out;

	(void)state;
	buffer_init(&out, 2);
	assert_false(base64_read(&out, SPAN("Zm9v")));
	buffer_release(&out);
}

static void hex_takes_both_cases_and_writes_the_lower(void **state)
{
	uint8_t bytes[3];
	char text[7];

	(void)state;
	assert_true(hex_read(SPAN("00fFAb"), bytes, 3));
	hex_write(bytes, 3, text);
	assert_string_equal(text, "00ffab");
	assert_false(hex_read(SPAN("00ff"), bytes, 3));
	assert_false(hex_read(SPAN("00ffag"), bytes, 3));
	assert_false(hex_read(SPAN("00ffa "), bytes, 3));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(base64_agrees_with_rfc_4648_section_10),
		cmocka_unit_test(sloppy_base64_is_refused),
		cmocka_unit_test(every_length_survives_there_and_back),
		cmocka_unit_test(base64_that_does_not_fit_is_not_read),
		cmocka_unit_test(hex_takes_both_cases_and_writes_the_lower),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
