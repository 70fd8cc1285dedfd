#include "access/limit.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#include "base/clock.h"
#include "shm/meter.h"

static struct meter *meter;
static struct limiter *limiter, *other;
static int64_t now;

static const struct limit_options options = {
	.address = {.connections = 3, .open_requests = 2, .requests = 5, .handshakes = 4},
	.device = {.connections = 6, .open_requests = 0, .requests = 50, .handshakes = 0},
};

static int open_all(void **state)
{
	struct error err;

	(void)state;
	now = SECONDS(5);
	assert_int_equal(meter_new(2, &meter, &err), OK);
	assert_int_equal(limiter_new(meter, 0, &limiter, &err), OK);
	assert_int_equal(limiter_new(meter, 1, &other, &err), OK);
	limiter_use(limiter, &options);
	limiter_use(other, &options);
	return 0;
}

static int close_all(void **state)
{
	(void)state;
	limiter_free(limiter);
	limiter_free(other);
	meter_free(meter);
	return 0;
}

static struct limit_party from(const char *ip)
{
	struct address address;

	assert_true(address_parse_ip(span_of(ip), &address));
	return limit_address(limiter, &address);
}

static bool are_same(const char *a, const char *b)
{
	return from(a).hash == from(b).hash;
}

static void an_address_is_an_ipv4_address_or_an_ipv6_network_of_56_bits(void **state)
{
	(void)state;
	assert_true(are_same("192.0.2.1", "192.0.2.1"));
	assert_false(are_same("192.0.2.1", "192.0.2.2"));
	assert_true(are_same("192.0.2.1", "::ffff:192.0.2.1"));
	assert_false(are_same("::ffff:192.0.2.1", "::ffff:192.0.2.2"));
	assert_true(are_same("2001:db8:0:1200::1", "2001:db8:0:12ff:ffff::2"));
	assert_false(are_same("2001:db8:0:1200::1", "2001:db8:0:1300::1"));
}

static void tunnels_of_this_machine_are_no_address(void **state)
{
	(void)state;
	assert_false(from("127.0.0.1").is_counted);
	assert_false(from("::1").is_counted);
	assert_false(from("::ffff:127.0.0.9").is_counted);
	assert_true(from("192.0.2.1").is_counted);
}

static void rates_are_shared_by_workers_and_separate_by_party_and_kind(void **state)
{
	static const uint8_t device[16] = {1};
	struct limit_party party = from("192.0.2.1"), stranger = from("192.0.2.2");
	struct limit_party known = limit_device(limiter, device);
	int64_t wait;
	int i;

	(void)state;
	for (i = 0; i < 50; i++)
		assert_true(limit_request(i % 2 ? limiter : other, &party, now, &wait));
	assert_false(limit_request(limiter, &party, now, &wait));
	assert_false(limit_request(other, &party, now, &wait));
	assert_int_equal(wait, MILLISECONDS(200));
	assert_true(limit_request(limiter, &stranger, now, &wait));
	for (i = 0; i < 500; i++)
		assert_true(limit_request(limiter, &known, now, &wait));
	assert_false(limit_request(limiter, &known, now, &wait));
	for (i = 0; i < 40; i++)
		assert_true(limit_handshake(limiter, &party, now));
	assert_false(limit_handshake(limiter, &party, now));
	assert_true(limit_handshake(limiter, &known, now)); /* 0: no limit */
}

static void connections_are_counted_over_workers(void **state)
{
	struct limit_party party = from("192.0.2.1");
	struct error err;
	int i;

	(void)state;
	for (i = 0; i < 3; i++) {
		assert_true(limit_has_room(limiter, &party));
		assert_true(limit_enter(i ? limiter : other, &party));
	}
	assert_false(limit_has_room(limiter, &party));
	assert_false(limit_has_room(other, &party));
	limit_leave(limiter, &party);
	assert_true(limit_has_room(other, &party));
	assert_true(limit_enter(limiter, &party));
	/* A worker that died: the next one in its slot begins with nobody. */
	limiter_free(limiter);
	assert_int_equal(limiter_new(meter, 0, &limiter, &err), OK);
	limiter_use(limiter, &options);
	assert_true(limit_has_room(limiter, &party));
}

static void requests_at_once_are_counted_until_they_are_closed(void **state)
{
	struct limit_party party = from("192.0.2.1");
	bool is_counted;

	(void)state;
	assert_true(limit_open(limiter, &party, &is_counted) && is_counted);
	assert_true(limit_open(other, &party, &is_counted) && is_counted);
	assert_false(limit_open(limiter, &party, &is_counted) || is_counted);
	limit_close(other, &party);
	assert_true(limit_open(limiter, &party, &is_counted) && is_counted);
}

static void where_a_device_was_is_familiar_for_a_week(void **state)
{
	struct limit_party party = from("192.0.2.1"), local = from("127.0.0.1");

	(void)state;
	assert_false(limit_is_familiar(limiter, &party, now));
	limit_befriend(other, &party, now);
	assert_true(limit_is_familiar(limiter, &party, now));
	now += SECONDS(86400) * 6;
	limit_befriend(limiter, &party, now);
	now += SECONDS(86400) * 6;
	assert_true(limit_is_familiar(limiter, &party, now));
	now += SECONDS(86400) * 2;
	assert_false(limit_is_familiar(limiter, &party, now));
	assert_true(limit_is_familiar(limiter, &local, now));
}

static void nothing_is_limited_without_a_limiter(void **state)
{
	static const uint8_t device[16] = {1};
	struct limit_party nobody = {0};
	struct address address;
	int64_t wait;

	(void)state;
	assert_true(address_parse_ip(SPAN("192.0.2.1"), &address));
	nobody = limit_address(NULL, &address);
	assert_false(nobody.is_counted);
	assert_false(limit_device(NULL, device).is_counted);
	assert_true(limit_has_room(NULL, &nobody) && limit_handshake(NULL, &nobody, now));
	assert_true(limit_request(NULL, &nobody, now, &wait));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_all, close_all)
	const struct CMUnitTest tests[] = {
		TEST(an_address_is_an_ipv4_address_or_an_ipv6_network_of_56_bits),
		TEST(tunnels_of_this_machine_are_no_address),
		TEST(rates_are_shared_by_workers_and_separate_by_party_and_kind),
		TEST(connections_are_counted_over_workers),
		TEST(requests_at_once_are_counted_until_they_are_closed),
		TEST(where_a_device_was_is_familiar_for_a_week),
		TEST(nothing_is_limited_without_a_limiter),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
