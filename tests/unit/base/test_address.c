#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/error.h"
#include "base/list.h"
#include "support/set_clock.h"

static void what_is_written_is_read_back(void **state)
{
	static const char *const good[] = {"127.0.0.1:443", "0.0.0.0:80", "[::]:443", "[::1]:65535",
					   "unix:/run/chat.sock"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof good / sizeof good[0]; i++) {
		char text[ADDRESS_TEXT_SIZE];
		struct address address;
		struct error err;

		assert_int_equal(address_parse(span_of(good[i]), &address, &err), OK);
		address_text(&address, text);
		assert_string_equal(text, good[i]);
	}
}

static void what_is_no_address_is_refused_with_its_text(void **state)
{
	static const char *const bad[] = {"",	       "443",	     ":443",	 "127.0.0.1",  "127.0.0.1:",
					  "127.0.0.1:0", "127.0.0.1:65536", "::1:443", "[127.0.0.1]:1",
					  "example.com:443", "[::1]", "unix:relative", "unix:", "[::1:443",
					  "127.0.0.1 :443", "127.1:443"};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		struct address address;
		struct error err;

		if (address_parse(span_of(bad[i]), &address, &err) != REFUSED)
			fail_msg("\"%s\" was read", bad[i]);
		assert_true(err.text[0] == '"');
	}
}

static void a_mapped_address_is_the_ipv4_one(void **state)
{
	struct address mapped, plain, other;
	char text[ADDRESS_TEXT_SIZE];

	(void)state;
	assert_true(address_parse_ip(SPAN("::ffff:10.0.0.1"), &mapped));
	assert_true(address_parse_ip(SPAN("10.0.0.1"), &plain));
	assert_true(address_parse_ip(SPAN("10.0.0.2"), &other));
	address_ip_text(&mapped, text);
	assert_string_equal(text, "10.0.0.1");
	assert_true(address_is_same_host(&mapped, &plain));
	assert_false(address_is_same_host(&mapped, &other));
}

static void loopback_is_recognised_in_each_form(void **state)
{
	static const struct {
		const char *text;
		bool is_loopback;
	} rows[] = {{"127.0.0.1", true},	{"127.8.8.8", true}, {"::1", true}, {"::ffff:127.0.0.1", true},
		    {"10.0.0.1", false}, {"::", false},	     {"0.0.0.0", false}};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		struct address address;

		assert_true(address_parse_ip(span_of(rows[i].text), &address));
		assert_int_equal(address_is_loopback(&address), rows[i].is_loopback);
	}
}

static void times_are_written_as_the_rfcs_want(void **state)
{
	char text[CLOCK_TEXT_SIZE];

	(void)state;
	set_clock_begin();
	assert_int_equal(clock_seconds(), 1795230810);
	clock_text(clock_seconds(), text);
	assert_string_equal(text, "2026-11-21T03:13:30Z");
	clock_http_date(clock_seconds(), text);
	assert_string_equal(text, "Sat, 21 Nov 2026 03:13:30 GMT");
	clock_http_date(INT64_MAX, text);
	assert_string_equal(text, "Thu, 01 Jan 1970 00:00:00 GMT");
	clock_text(0, text);
	assert_string_equal(text, "1970-01-01T00:00:00Z");
}

static void an_error_is_built_from_the_inside_out(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(error_refuse(&err, "no %s", "key"), REFUSED);
	error_context(&err, "site %d", 3);
	error_context(&err, "config");
	assert_string_equal(err.text, "config: site 3: no key");
	assert_int_equal(error_fail(NULL, "x"), FAILED);
	error_context(NULL, "x");
}

static void a_link_removed_twice_stays_alone(void **state)
{
	struct link list, a, b;

	(void)state;
	list_init(&list);
	list_init(&a);
	list_init(&b);
	list_add_last(&list, &a);
	list_add_first(&list, &b);
	assert_ptr_equal(list_first(&list), &b);
	list_remove(&b);
	list_remove(&b);
	assert_ptr_equal(list_first(&list), &a);
	LIST_EACH(it, &list)
		list_remove(it);
	assert_null(list_first(&list));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_is_written_is_read_back),
		cmocka_unit_test(what_is_no_address_is_refused_with_its_text),
		cmocka_unit_test(a_mapped_address_is_the_ipv4_one),
		cmocka_unit_test(loopback_is_recognised_in_each_form),
		cmocka_unit_test(times_are_written_as_the_rfcs_want),
		cmocka_unit_test(an_error_is_built_from_the_inside_out),
		cmocka_unit_test(a_link_removed_twice_stays_alone),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
