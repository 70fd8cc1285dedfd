/* What the door does while it only watches, and when that ends. */
#include "door_house.h"

#include "door/tally.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: chat.example.com\r\n\r\n"
#define WEBSOCKET                                                                                          \
	"GET /hold/ws HTTP/1.1\r\nHost: chat.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"

enum { NOW = 1795230810 };

static void open_watching(int64_t until)
{
	house_begin();
	house.sites[0].no_certificate = NO_CERTIFICATE_WATCH;
	house.sites[0].watch.until.seconds = until;
	house_open();
	house_put(1, "alice", "staff", ROSTER_ACTIVE);
	house_put(2, "bob", "staff", ROSTER_REVOKED);
}

static void a_request_passes_up_to_the_last_second(void **state)
{
	(void)state;
	open_watching(NOW + 100);
	house_connect(0, "chat.example.com");
	assert_says(house_say(GET("/")), "HTTP/1.1 200 ");
	house_advance(SECONDS(50));
	assert_says(house_say(GET("/")), "HTTP/1.1 200 ");
	house_advance(SECONDS(49) + 999999);
	assert_says(house_say(GET("/")), "HTTP/1.1 200 ");
	house_advance(1);
	assert_says(house_say(GET("/")), "HTTP/1.1 403 ");
	assert_true(logged("status=403 why=C01"));
	house_leave();
	house_close();
}

static void a_tunnel_of_nobody_ends_with_the_watch_and_one_of_alice_does_not(void **state)
{
	struct stream *of_nobody;

	(void)state;
	open_watching(NOW + 100);
	house_connect(0, "chat.example.com");
	assert_says(house_say(WEBSOCKET), "HTTP/1.1 101 ");
	assert_true(house_say("") != NULL);
	of_nobody = house.stream;
	house_advance(SECONDS(99));
	assert_false(house_is_gone());
	house_advance(SECONDS(1));
	house_advance(SECONDS(1));
	assert_true(house_is_gone());
	assert_true(logged("event=watch-ended"));
	assert_true(logged("status=101 why=C01 watched=C01 end=revoked"));
	script_stream_free(of_nobody);
	house_connect(1, "chat.example.com");
	assert_says(house_say(WEBSOCKET), "HTTP/1.1 101 ");
	house_advance(SECONDS(60));
	assert_false(house_is_gone());
	house_leave();
	house_close();
}

static void a_clock_that_is_set_over_the_end_ends_what_is_live(void **state)
{
	(void)state;
	open_watching(NOW + 86400);
	house_connect(0, "chat.example.com");
	assert_says(house_say(WEBSOCKET), "HTTP/1.1 101 ");
	set_clock_now.wall += SECONDS(86400);
	house_advance(SECONDS(29));
	assert_false(house_is_gone());
	house_advance(SECONDS(2));
	assert_true(house_is_gone());
	house_leave();
	house_close();
}

static void an_end_that_new_rules_take_away_ends_nothing(void **state)
{
	struct error err = {""};

	(void)state;
	open_watching(NOW + 100);
	house_connect(0, "chat.example.com");
	assert_says(house_say(WEBSOCKET), "HTTP/1.1 101 ");
	house.sites[0].watch.until.seconds = NOW + 200;
	assert_int_equal(door_use_options(house.door, &house.options, house.services, 2, &err), OK);
	house_advance(SECONDS(150));
	assert_false(house_is_gone());
	house_advance(SECONDS(51));
	assert_true(house_is_gone());
	house_leave();
	house_close();
}

static void nobody_gets_an_identity_by_watching(void **state)
{
	const char *told;

	(void)state;
	open_watching(0);
	house_connect(9, "chat.example.com"); /* a certificate that nobody knows */
	told = house_say("GET / HTTP/1.1\r\nHost: chat.example.com\r\nX-Chatelaine-Person: alice\r\n"
			 "x_chatelaine_device: id\r\n\r\n");
	assert_says(told, "HTTP/1.1 200 ");
	assert_null(strcasestr(told, "person"));
	assert_null(strcasestr(told, "device"));
	house_leave();
	house_connect(2, "chat.example.com"); /* revoked */
	assert_says(house_say(GET("/")), "HTTP/1.1 403 ");
	assert_true(logged("why=C04"));
	house_leave();
	house_close();
}

static size_t take(struct tally_row *rows, size_t most)
{
	tally_begin(door_tally(house.door));
	return tally_take(door_tally(house.door), rows, most);
}

static void who_stands_behind_a_trusted_proxy_is_counted_and_not_the_proxy(void **state)
{
	char *proxies[] = {(char *)"192.0.2.7"};
	struct tally_row rows[4];

	(void)state;
	house_begin();
	house.sites[0].no_certificate = NO_CERTIFICATE_WATCH;
	house.options.trusted_proxies = (struct value_texts){proxies, 1};
	house_open();
	house_connect(0, "chat.example.com");
	assert_says(house_say("GET /a/b/c?token=1 HTTP/1.1\r\nHost: chat.example.com\r\nUser-Agent: curl/8\r\n"
			      "X-Forwarded-For: 10.1.1.1, 2001:db8:0:12ff::7\r\n\r\n"), "HTTP/1.1 200 ");
	assert_int_equal(take(rows, 4), 1);
	assert_string_equal(rows[0].site, "chat.example.com");
	assert_string_equal(rows[0].path, "/a/b");
	assert_string_equal(rows[0].source, "2001:db8:0:1200::/56");
	assert_string_equal(rows[0].code, "C01");
	assert_false(rows[0].has_device);
	house_leave();
	house_close();
}

static void a_path_that_is_judged_twice_is_counted_once(void **state)
{
	struct tally_row rows[4];

	(void)state;
	open_watching(0);
	house_connect(0, "chat.example.com");
	assert_says(house_say(GET("//chat/room")), "HTTP/1.1 200 ");
	assert_int_equal(take(rows, 4), 1);
	assert_int_equal(rows[0].count, 1);
	house_leave();
	house_close();
}

static void only_what_passed_by_the_watch_is_counted(void **state)
{
	struct location_options locations[] = {{.path = (char *)"/shut", .no_certificate = NO_CERTIFICATE_EXPLAIN},
					       {.path = (char *)"/open", .no_certificate = NO_CERTIFICATE_ALLOW},
					       {.path = (char *)"/seen", .no_certificate = NO_CERTIFICATE_WATCH}};
	struct tally_row rows[4];

	(void)state;
	house_begin();
	house.sites[0].no_certificate = NO_CERTIFICATE_WATCH;
	house.sites[0].locations = locations;
	house.sites[0].location_count = 3;
	house_open();
	house_put(1, "alice", "staff", ROSTER_ACTIVE);
	house_connect(0, "chat.example.com");
	assert_says(house_say(GET("/shut/x")), "HTTP/1.1 403 ");
	assert_says(house_say(GET("/open/x")), "HTTP/1.1 200 ");
	assert_int_equal(take(rows, 4), 0);
	assert_says(house_say(GET("/seen/x")), "HTTP/1.1 200 ");
	assert_int_equal(take(rows, 4), 1);
	assert_string_equal(rows[0].location, "/seen");
	house_leave();
	house_connect(1, "chat.example.com");
	assert_says(house_say(GET("/")), "HTTP/1.1 200 ");
	assert_int_equal(take(rows, 4), 1);
	house_leave();
	house_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_passes_up_to_the_last_second),
		cmocka_unit_test(a_tunnel_of_nobody_ends_with_the_watch_and_one_of_alice_does_not),
		cmocka_unit_test(a_clock_that_is_set_over_the_end_ends_what_is_live),
		cmocka_unit_test(an_end_that_new_rules_take_away_ends_nothing),
		cmocka_unit_test(nobody_gets_an_identity_by_watching),
		cmocka_unit_test(who_stands_behind_a_trusted_proxy_is_counted_and_not_the_proxy),
		cmocka_unit_test(only_what_passed_by_the_watch_is_counted),
		cmocka_unit_test(a_path_that_is_judged_twice_is_counted_once),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
