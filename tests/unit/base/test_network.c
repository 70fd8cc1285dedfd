#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "base/network.h"

static bool has(const char *network_text, const char *address_text_)
{
	struct network network;
	struct address address;
	struct error err = {""};

	if (network_parse(span_of(network_text), &network, &err) != OK)
		fail_msg("%s", err.text);
	assert_true(address_parse_ip(span_of(address_text_), &address));
	return network_has(&network, &address);
}

static void a_network_has_what_shares_its_prefix(void **state)
{
	(void)state;
	assert_true(has("10.0.0.0/8", "10.255.0.1"));
	assert_false(has("10.0.0.0/8", "11.0.0.1"));
	assert_true(has("10.0.0.4/30", "10.0.0.7"));
	assert_false(has("10.0.0.4/30", "10.0.0.8"));
	assert_true(has("192.0.2.1", "192.0.2.1"));
	assert_false(has("192.0.2.1", "192.0.2.2"));
	assert_true(has("2001:db8::/32", "2001:db8:1::1"));
	assert_false(has("2001:db8::/32", "2001:db9::1"));
}

static void ipv4_within_ipv6_is_ipv4(void **state)
{
	(void)state;
	assert_true(has("10.0.0.0/8", "::ffff:10.1.2.3"));
	assert_true(has("::ffff:10.0.0.0/104", "10.1.2.3"));
	assert_true(has("0.0.0.0/0", "::ffff:10.1.2.3"));
	assert_false(has("0.0.0.0/0", "2001:db8::1"));
	assert_false(has("::/64", "10.1.2.3"));
	assert_false(has("::/1", "::ffff:10.1.2.3"));
	assert_true(has("::/0", "10.1.2.3"));
	assert_true(has("::/0", "2001:db8::1"));
}

static void what_is_no_network_is_refused(void **state)
{
	static const char *const bad[] = {"", "10.0.0", "10.0.0.0/33", "10.0.0.1/8", "::1/129", "2001:db8::1/32", "10.0.0.0/",
					  "10.0.0.0/8/8", "host", "10.0.0.0/-1"};
	struct network network;
	struct error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof *bad; i++)
		assert_int_equal(network_parse(span_of(bad[i]), &network, &err), REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_network_has_what_shares_its_prefix),
		cmocka_unit_test(ipv4_within_ipv6_is_ipv4),
		cmocka_unit_test(what_is_no_network_is_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
