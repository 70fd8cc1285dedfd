#include "door/door_house.h"

#define GET(path) "GET " path " HTTP/1.1\r\nHost: chat.example.com\r\n\r\n"
#define WEBSOCKET                                                                                  \
	"GET /hold/ws HTTP/1.1\r\nHost: chat.example.com\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n" \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
#define IDENTITY                                                                                   \
	"X-Chatelaine-Device: id.d.example.com\r\nX-Chatelaine-Person: Alice\r\n"                  \
	"X-Chatelaine-Email: a@example.com\r\nX-Chatelaine-Groups: staff\r\n"
#define FORWARDING                                                                                 \
	"X-Real-IP: 192.0.2.7\r\nX-Forwarded-For: 192.0.2.7\r\nX-Forwarded-Proto: https\r\n"        \
	"X-Forwarded-Host: chat.example.com\r\n"

static void on_lost_done(void *arg, size_t count)
{
	(void)arg;
	house.closed = count;
	house.closed_calls++;
}

static void lose_device(uint8_t number)
{
	uint8_t device[16];
	struct error err;

	memset(device, number, sizeof device);
	assert_int_equal(door_lost_device(house.door, device, on_lost_done, NULL, &err), OK);
	house_turn();
	assert_int_equal(house.closed_calls, 1);
}

static void set_state(uint8_t number, enum roster_state state)
{
	uint8_t fingerprint[32];

	memset(fingerprint, number, sizeof fingerprint);
	assert_true(roster_set_state(house.roster, fingerprint, state));
}

static void open_plainly(void)
{
	house_begin();
	house_open();
	house_put(1, "Alice", "staff", ROSTER_ACTIVE);
}

static void a_known_device_is_let_in_and_named(void **state)
{
	const char *heard;

	(void)state;
	open_plainly();
	house_connect(1, "chat.example.com");
	heard = house_say("GET /x HTTP/1.1\r\nHost: chat.example.com\r\nAccept: a\r\n\r\n");
	assert_says(heard, "HTTP/1.1 200 ");
	assert_says(heard, "Accept: a\r\n" IDENTITY FORWARDING "trailers\r\n");
	assert_true(logged("event=exchange id="));
	assert_true(logged(" from=192.0.2.7 protocol=h1 site=chat.example.com "
			   "device=01010101010101010101010101010101 person=Alice method=GET path=/x status=200 us=0 up=0 down="));
	/* The second time the lines are there already. */
	assert_says(house_say(GET("/y")), IDENTITY FORWARDING);
	house_leave();
	house_close();
}

static void nobody_gets_a_page_that_says_why(void **state)
{
	const char *heard;

	(void)state;
	open_plainly();
	house_connect(0, "chat.example.com");
	heard = house_say(GET("/x?secret=1"));
	assert_says(heard, "HTTP/1.1 403 ");
	assert_says(heard, "text/html");
	assert_says(heard, "No required SSL certificate was sent");
	assert_says(heard, "C01");
	assert_says(heard, "it@example.com");
	assert_true(logged("device=- method=GET path=/x status=403 why=C01"));
	assert_false(logged("secret"));
	assert_int_equal(score_read(&house.score->refusals[REFUSAL_NO_CERTIFICATE]), 1);
	heard = house_say("HEAD / HTTP/1.1\r\nHost: chat.example.com\r\n\r\n");
	assert_says(heard, "HTTP/1.1 403 ");
	assert_false(says(heard, "<html"));
	heard = house_say("GET / HTTP/1.1\r\nHost: chat.example.com\r\nAccept: application/json\r\n\r\n");
	assert_says(heard, "application/json");
	assert_says(heard, "\"code\":\"C01\",\"status\":403,");
	assert_int_equal(house.opened, 0);
	house_leave();
	house_close();
}

static void each_standing_has_its_refusal(void **state)
{
	static const struct {
		enum roster_state state;
		const char *code;
	} rows[] = {{ROSTER_REVOKED, "C04"}, {ROSTER_SUSPENDED, "C05"}, {ROSTER_PENDING, "C07"}};
	size_t i;

	(void)state;
	open_plainly();
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		house_put(2, "Bob", "staff", rows[i].state);
		house_connect(2, "chat.example.com");
		assert_says(house_say(GET("/")), rows[i].code);
		house_leave();
	}
	house_connect(9, "chat.example.com");
	assert_says(house_say(GET("/")), "C06");
	house_leave();
	house_advance(SECONDS(4000));
	house_connect(1, "chat.example.com");
	assert_says(house_say(GET("/")), "C02");
	house_leave();
	house_close();
}

static void a_revocation_between_handshake_and_request_refuses_the_request(void **state)
{
	(void)state;
	open_plainly();
	house_connect(1, "chat.example.com");
	assert_says(house_say(GET("/")), "HTTP/1.1 200 ");
	set_state(1, ROSTER_REVOKED);
	assert_says(house_say(GET("/")), "C04");
	set_state(1, ROSTER_SUSPENDED);
	assert_says(house_say(GET("/")), "C05");
	set_state(1, ROSTER_ACTIVE);
	assert_says(house_say(GET("/")), "HTTP/1.1 200 ");
	house_leave();
	house_close();
}

static void a_revocation_ends_what_is_live_and_counts_it(void **state)
{
	(void)state;
	open_plainly();
	house_connect(1, "chat.example.com");
	house_say(GET("/hold/x"));
	assert_non_null(house.held);
	set_state(1, ROSTER_REVOKED);
	lose_device(1);
	assert_int_equal(house.closed, 1);
	assert_null(house.held);
	assert_int_equal(house.cancelled, 1);
	house_advance(SECONDS(1));
	assert_true(house_is_gone());
	assert_true(logged("event=connection-ended from=192.0.2.7 device=01010101010101010101010101010101 why=C04"));
	assert_true(logged("why=C04 end=revoked"));
	assert_int_equal(score_read(&house.score->scores[SCORE_REVOKED_CLOSED]), 1);
	house_leave();
	house_close();
}

static void a_revocation_ends_a_tunnel(void **state)
{
	(void)state;
	open_plainly();
	house_connect(1, "chat.example.com");
	assert_says(house_say(WEBSOCKET), "HTTP/1.1 101 ");
	assert_int_equal(score_read(&house.score->scores[SCORE_LIVE_TUNNELS]), 1);
	visit_drop_lines(house.held);
	set_state(1, ROSTER_REVOKED);
	lose_device(1);
	house_advance(SECONDS(1));
	assert_true(house_is_gone());
	assert_true(logged("method=GET path=/hold/ws status=101 why=C04 end=revoked"));
	house_leave();
	house_close();
}

static void one_lost_certificate_ends_its_own_connections(void **state)
{
	uint8_t fingerprint[32] = {0};
	struct error err;

	(void)state;
	open_plainly();
	house_connect(1, "chat.example.com");
	assert_int_equal(door_lost_certificate(house.door, fingerprint, on_lost_done, NULL, &err), OK);
	house_turn();
	assert_int_equal(house.closed_calls, 1);
	assert_int_equal(house.closed, 0);
	memset(fingerprint, 1, sizeof fingerprint);
	assert_int_equal(door_lost_certificate(house.door, fingerprint, on_lost_done, NULL, &err), OK);
	house_turn();
	assert_int_equal(house.closed, 1);
	house_leave();
	house_close();
}

static void a_connection_does_not_outlive_its_certificate(void **state)
{
	(void)state;
	open_plainly();
	house_connect(1, "chat.example.com");
	assert_says(house_say(WEBSOCKET), "HTTP/1.1 101 ");
	house_advance(SECONDS(3600));
	assert_non_null(house.held);
	house_advance(SECONDS(2));
	house_advance(SECONDS(2));
	assert_null(house.held);
	assert_true(house_is_gone());
	assert_true(logged("why=C02 end=expired"));
	house_leave();
	house_close();
}

static void a_certificate_that_becomes_good_later_ends_its_connection_too(void **state)
{
	(void)state;
	open_plainly();
	house_put(5, "Eve", "staff", ROSTER_SUSPENDED);
	house_connect(5, "chat.example.com");
	assert_says(house_say(GET("/")), "HTTP/1.1 403 ");
	house_put(5, "Eve", "staff", ROSTER_ACTIVE);
	assert_says(house_say(WEBSOCKET), "HTTP/1.1 101 ");
	house_advance(SECONDS(3600));
	assert_non_null(house.held);
	house_advance(SECONDS(2));
	house_advance(SECONDS(2));
	assert_true(house_is_gone());
	assert_true(logged("why=C02 end=expired"));
	house_leave();
	house_close();
}

static void a_certificate_that_becomes_known_is_met(void **state)
{
	uint8_t device[16];

	(void)state;
	open_plainly();
	memset(device, 5, sizeof device);
	house_connect(5, "chat.example.com");
	assert_says(house_say(GET("/")), "C06");
	assert_int_equal(door_count_device(house.door, device), 0);
	house_put(5, "Eve", "staff", ROSTER_ACTIVE);
	assert_says(house_say(GET("/")), "X-Chatelaine-Person: Eve\r\n");
	assert_int_equal(door_count_device(house.door, device), 1);
	lose_device(5);
	assert_int_equal(house.closed, 1);
	house_leave();
	house_close();
}

static void a_new_name_is_told_with_the_next_request(void **state)
{
	(void)state;
	open_plainly();
	house_connect(1, "chat.example.com");
	assert_says(house_say(GET("/")), "X-Chatelaine-Person: Alice\r\n");
	house_put(1, "Alice Liddell", "staff,admins", ROSTER_ACTIVE);
	assert_says(house_say(GET("/")),
		    "X-Chatelaine-Person: Alice Liddell\r\nX-Chatelaine-Email: a@example.com\r\nX-Chatelaine-Groups: admins,staff\r\n");
	house_leave();
	house_close();
}

static char *staff[] = {(char *)"staff"};

/* Each thing that the lines are made of is reason enough to make them anew. */
static void each_new_word_about_a_device_is_told_with_the_next_request(void **state)
{
	(void)state;
	open_plainly();
	house_put(1, "Alice", "staff", ROSTER_ACTIVE);
	house_connect(1, "chat.example.com");
	assert_says(house_say(GET("/")), "X-Chatelaine-Person: Alice\r\nX-Chatelaine-Email: a@example.com\r\nX-Chatelaine-Groups: staff\r\n");
	house_put(1, "Bob", "staff", ROSTER_ACTIVE);
	assert_says(house_say(GET("/")), "X-Chatelaine-Person: Bob\r\n");
	house_put(1, "Bob", "guests", ROSTER_ACTIVE);
	assert_says(house_say(GET("/")), "X-Chatelaine-Groups: guests\r\n");
	house_leave();
	house_close();
}

/* The number of a group set means another set there. */
static void groups_are_those_of_the_roster_in_use(void **state)
{
	struct roster *before;
	struct error err;

	(void)state;
	house_begin();
	house.sites[0].who = (struct value_texts){staff, 1};
	house_open();
	house_put(1, "Alice", "staff", ROSTER_ACTIVE);
	house_connect(1, "chat.example.com");
	assert_says(house_say(GET("/")), "HTTP/1.1 200 ");
	before = house.roster;
	assert_int_equal(roster_new(64, &house.roster, &err), OK);
	house_put(1, "Alice", "guests", ROSTER_ACTIVE);
	door_use_roster(house.door, house.roster);
	roster_free(before);
	assert_says(house_say(GET("/")), "C08");
	house_leave();
	house_close();
}

static void losing_a_group_refuses_and_ends_what_is_live(void **state)
{
	(void)state;
	house_begin();
	house.sites[0].who = (struct value_texts){staff, 1};
	house_open();
	house_put(1, "Alice", "staff", ROSTER_ACTIVE);
	house_connect(1, "chat.example.com");
	assert_says(house_say(GET("/")), "HTTP/1.1 200 ");
	house_put(1, "Alice", "guests", ROSTER_ACTIVE);
	assert_says(house_say(GET("/")), "C08");
	house_put(1, "Alice", "staff", ROSTER_ACTIVE);
	house_say(GET("/hold/x"));
	assert_non_null(house.held);
	door_judge_all(house.door);
	house_turn();
	assert_non_null(house.held);
	house_put(1, "Alice", "guests", ROSTER_ACTIVE);
	door_judge_all(house.door);
	house_turn();
	assert_null(house.held);
	assert_true(logged("event=connection-ended from=192.0.2.7 device=01010101010101010101010101010101 why=C08"));
	house_leave();
	house_close();
}

static void a_removed_line_of_the_allow_file_ends_a_live_tunnel(void **state)
{
	struct error err = {""};

	(void)state;
	house_begin();
	house.sites[0].allow_file = (struct value_file){.path = (char *)"/a", .bytes = SPAN("01010101010101010101010101010101\n")};
	house_open();
	house_put(1, "Alice", "staff", ROSTER_ACTIVE);
	house_connect(1, "chat.example.com");
	assert_says(house_say(WEBSOCKET), "HTTP/1.1 101 ");
	assert_int_equal(door_use_options(house.door, &house.options, house.services, 2, &err), OK);
	house_turn();
	assert_non_null(house.held);
	house.sites[0].allow_file.bytes = SPAN("# nobody\n");
	assert_int_equal(door_use_options(house.door, &house.options, house.services, 2, &err), OK);
	house_turn();
	assert_null(house.held);
	assert_true(logged("why=C09 end=revoked"));
	house_leave();
	house_connect(1, "chat.example.com");
	assert_says(house_say(GET("/")), "C09");
	house.sites[0].allow_file = (struct value_file){.path = (char *)"/a", .trouble = (char *)"gone"};
	assert_int_equal(door_use_options(house.door, &house.options, house.services, 2, &err), OK);
	assert_says(house_say(GET("/")), "C10");
	house_leave();
	house_close();
}

static void bad_options_leave_the_old_ones(void **state)
{
	struct error err = {""};

	(void)state;
	open_plainly();
	house_connect(1, "chat.example.com");
	house.sites[0].preset = (char *)"nonsense";
	assert_int_equal(door_use_options(house.door, &house.options, house.services, 2, &err), REFUSED);
	assert_says(house_say(GET("/")), "HTTP/1.1 200 ");
	house_leave();
	house_close();
}

static void another_roster_is_asked_from_the_next_request_on(void **state)
{
	struct roster *before;
	struct error err;

	(void)state;
	open_plainly();
	house_connect(1, "chat.example.com");
	assert_says(house_say(GET("/")), "X-Chatelaine-Person: Alice\r\n");
	before = house.roster;
	assert_int_equal(roster_new(64, &house.roster, &err), OK);
	house_put(1, "Alice Anew", "staff", ROSTER_ACTIVE);
	door_use_roster(house.door, house.roster);
	roster_free(before);
	house_turn();
	assert_says(house_say(GET("/")), "X-Chatelaine-Person: Alice Anew\r\n");
	before = house.roster;
	assert_int_equal(roster_new(64, &house.roster, &err), OK);
	door_use_roster(house.door, house.roster);
	roster_free(before);
	house_turn();
	house_advance(SECONDS(1));
	assert_true(house_is_gone());
	assert_true(logged("why=C04"));
	house_leave();
	house_close();
}

static void an_old_roster_knows_nobody(void **state)
{
	(void)state;
	house_begin();
	house.options.roster_max_age = SECONDS(60);
	house_open();
	house_put(1, "Alice", "staff", ROSTER_ACTIVE);
	roster_touch(house.roster, set_clock_now.wall);
	house_connect(1, "chat.example.com");
	assert_says(house_say(GET("/")), "HTTP/1.1 200 ");
	house_advance(SECONDS(61));
	assert_says(house_say(GET("/")), "C13");
	roster_touch(house.roster, set_clock_now.wall);
	assert_says(house_say(GET("/")), "HTTP/1.1 200 ");
	house_leave();
	house_close();
}

static void forged_headers_do_not_come_through_in_any_spelling(void **state)
{
	const char *heard;

	(void)state;
	house_begin();
	house.sites[0].no_certificate = NO_CERTIFICATE_ALLOW;
	house_open();
	house_connect(0, "chat.example.com");
	heard = house_say("POST / HTTP/1.1\r\nHost: chat.example.com\r\nTransfer-Encoding: chunked\r\n"
			  "X-Chatelaine-Person: forged\r\nx_chatelaine_person: forged\r\nX.Chatelaine.Groups: forged\r\n"
			  "X-SSL-CLIENT-VERIFY: forged\r\nX_SSL_Client_Cert_Subject_DN: forged\r\nClient-Cert: forged\r\n"
			  "ssl_client: forged\r\nSsl-Client-Verify: forged\r\nX-Forwarded-Client-Cert: forged\r\n"
			  "X-Forwarded-For: forged\r\nX-Real-Ip: forged\r\nX_Forwarded_Proto: forged\r\nForwarded: for=forged\r\n"
			  "Connection: x-chatelaine-device, x-real-ip, x-forwarded-for\r\nX-Fine: kept\r\n\r\n"
			  "2\r\nab\r\n0\r\nX-Chatelaine-Device: forged\r\nSSL_CLIENT: forged\r\nX-Checksum: kept\r\n\r\n");
	assert_says(heard, "HTTP/1.1 200 ");
	assert_false(says(heard, "forged"));
	assert_says(heard, "X-Fine: kept\r\n" FORWARDING "trailers\r\nX-Checksum:kept\r\n");
	assert_false(says(heard, "X-Chatelaine"));
	house_leave();
	house_close();
}

static void forged_headers_of_a_websocket_do_not_come_through(void **state)
{
	size_t i;

	(void)state;
	open_plainly();
	house.services[0].service = &holder;
	house_connect(1, "chat.example.com");
	script_forget_written(house.stream);
	house_say("GET /hold/ws HTTP/1.1\r\nHost: chat.example.com\r\nX_Chatelaine_Person: forged\r\n\r\n");
	assert_non_null(house.held);
	for (i = 0; i < house.held->request->field_count; i++)
		assert_true(!dialect_keeps(&house.held->request->fields[i]) ||
			    !span_is(house.held->request->fields[i].value, "forged"));
	house_leave();
	house_close();
}

static char *proxies[] = {(char *)"192.0.2.0/24"};

static void a_trusted_proxy_is_believed_and_added_to(void **state)
{
	const char *heard;

	(void)state;
	house_begin();
	house.sites[0].no_certificate = NO_CERTIFICATE_ALLOW;
	house.options.trusted_proxies = (struct value_texts){proxies, 1};
	house_open();
	house_connect(0, "chat.example.com");
	heard = house_say("GET / HTTP/1.1\r\nHost: chat.example.com\r\nX-Forwarded-For: 10.1.1.1, 203.0.113.9\r\n"
			  "X-Forwarded-For: 192.0.2.8\r\nX-Real-IP: 6.6.6.6\r\n\r\n");
	assert_says(heard, "X-Real-IP: 203.0.113.9\r\nX-Forwarded-For: 10.1.1.1, 203.0.113.9, 192.0.2.8, 192.0.2.7\r\n");
	heard = house_say("GET / HTTP/1.1\r\nHost: chat.example.com\r\nX-Forwarded-For: 203.0.113.9, nonsense\r\n\r\n");
	assert_says(heard, "X-Real-IP: 192.0.2.7\r\n");
	assert_says(house_say(GET("/")), "X-Real-IP: 192.0.2.7\r\nX-Forwarded-For: 192.0.2.7\r\n");
	house_leave();
	house_close();
}

/* An empty field in front must not make the rest of them vanish: the proxy is inside, its client is not. */
static void a_list_of_addresses_that_is_too_long_is_nobodys_address(void **state)
{
	static char *inside[] = {(char *)"192.0.2.0/24"};
	static char request[8192], list[5001];

	(void)state;
	house_begin();
	house.options.trusted_proxies = (struct value_texts){proxies, 1};
	house.sites[0].no_certificate = NO_CERTIFICATE_ALLOW;
	house.sites[0].allow_from = (struct value_texts){inside, 1};
	house_open();
	house_connect(0, "chat.example.com");
	assert_says(house_say("GET / HTTP/1.1\r\nHost: chat.example.com\r\nX-Forwarded-For: 192.0.2.77\r\n\r\n"), "HTTP/1.1 200");
	memset(list, '1', sizeof list - 1);
	snprintf(request, sizeof request,
		 "GET / HTTP/1.1\r\nHost: chat.example.com\r\nX-Forwarded-For:\r\nX-Forwarded-For: %s, 203.0.113.9\r\n\r\n", list);
	assert_says(house_say(request), "HTTP/1.1 403");
	house_leave();
	house_close();
}

static void open_sites(void)
{
	house_begin();
	house.options.site_count = 4;
	house.sites[1].name = (char *)"twin.example.com";
	house.sites[2].name = (char *)"open.example.com";
	house.sites[2].no_certificate = NO_CERTIFICATE_ALLOW;
	house.sites[3].name = (char *)"*.wild.example.com";
	house.sites[3].who = (struct value_texts){staff, 1};
	house_open();
	house_put(1, "Alice", "staff", ROSTER_ACTIVE);
}

static const char *ask(const char *server_name, const char *host)
{
	static char answer[4096];
	char request[512];

	house_connect(1, server_name);
	snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: %s\r\n\r\n", host);
	snprintf(answer, sizeof answer, "%s", house_say(request));
	house_leave();
	return answer;
}

static void host_and_server_name_must_agree_or_have_equal_rules(void **state)
{
	(void)state;
	open_sites();
	assert_says(ask("chat.example.com", "chat.example.com"), "HTTP/1.1 200 ");
	assert_says(ask("chat.example.com", "CHAT.example.com.:443"), "HTTP/1.1 200 ");
	assert_says(ask("chat.example.com", "twin.example.com"), "HTTP/1.1 200 ");
	assert_says(ask("open.example.com", "chat.example.com"), "HTTP/1.1 421 ");
	assert_says(ask("chat.example.com", "open.example.com"), "HTTP/1.1 421 ");
	assert_says(ask("open.example.com", "open.example.com"), "HTTP/1.1 200 ");
	assert_says(ask("a.wild.example.com", "b.wild.example.com"), "HTTP/1.1 200 ");
	assert_says(ask("chat.example.com", "b.wild.example.com"), "HTTP/1.1 421 ");
	house_close();
}

static void an_unknown_host_sees_no_sites_content(void **state)
{
	const char *heard;

	(void)state;
	open_sites();
	heard = ask("chat.example.com", "evil.example.org");
	assert_says(heard, "HTTP/1.1 421 ");
	assert_says(heard, "C11");
	assert_false(says(heard, "chat.example.com"));
	assert_says(ask("chat.example.com", "10.0.0.1"), "C11");
	house_close();
}

static void without_a_server_name_the_strictest_rules_hold(void **state)
{
	(void)state;
	open_sites();
	assert_says(ask("", "chat.example.com"), "HTTP/1.1 200 ");
	assert_says(ask("", "open.example.com"), "C12");
	house_close();
}

static void a_server_name_that_is_nobodys_sees_no_sites_content(void **state)
{
	(void)state;
	open_sites();
	assert_says(ask("evil.example.org", "open.example.com"), "C11");
	assert_says(ask("evil.example.org", "twin.example.com"), "C11");
	assert_says(ask("evil.example.org", "evil.example.org"), "C11");
	house_close();
}

static void a_site_that_drops_ends_a_connection_of_nobody(void **state)
{
	(void)state;
	house_begin();
	house.sites[0].no_certificate = NO_CERTIFICATE_DROP;
	house_open();
	house_put(1, "Alice", "staff", ROSTER_REVOKED);
	house_connect(1, "chat.example.com");
	house_advance(SECONDS(1));
	assert_true(house_is_gone());
	assert_string_equal(script_written(house.stream).at ? script_written(house.stream).at : "", "");
	house_leave();
	house_close();
}

static char *admins[] = {(char *)"admins"};

/* By whom (0: nobody) a path is asked for on a connection of its own. */
static const char *get_path(uint8_t number, const char *path)
{
	static char answer[64];
	char request[512];

	house_connect(number, "chat.example.com");
	snprintf(request, sizeof request, "GET %s HTTP/1.1\r\nHost: chat.example.com\r\nAccept: application/json\r\n\r\n", path);
	snprintf(answer, sizeof answer, "%s", house_say(request));
	house_leave();
	return answer;
}

static void a_path_with_two_readings_meets_the_stricter_rule_or_400(void **state)
{
	static const char *const shut[] = {
		"/x", "/open/../x", "/open/..%2fx", "/open/..%5cx", "/open/%252e%252e/x", "/open/%2e%2e/x", "/open/.%2e/x",
		"/OPEN/x", "/openx", "/open%2f../x", "/open/..\\x", "/open/..;/x", "/open/%2e%2e;a/x", "//x", "/open/%00",
		"/x/open", "/open/../../x", "/open%3f/../x", "/open/a/%2e%2e%2f%2e%2e%2fx",
	};
	static const char *const admin[] = {"/admin", "/admin/", "/admin/x", "/ADMIN", "//admin", "/%61dmin", "/admin;x/y",
					    "/x%2f..%2fadmin", "/x/..%5cadmin", "/%2561dmin", "/./admin", "/admin%2fx",
					    "/admin%3bx", "/%2fadmin", "/x/%2e%2e/admin", "/admin%23x", "/admin%3fx"};
	struct location_options locations[] = {
		{.path = (char *)"/open", .no_certificate = NO_CERTIFICATE_ALLOW},
		{.path = (char *)"/admin", .who = {admins, 1}},
	};
	size_t i;

	(void)state;
	house_begin();
	house.sites[0].locations = locations;
	house.sites[0].location_count = 2;
	house_open();
	house_put(1, "Alice", "staff", ROSTER_ACTIVE);
	assert_says(get_path(0, "/open/x"), "HTTP/1.1 200 ");
	assert_says(get_path(0, "/open/a%2fb"), "HTTP/1.1 200 ");
	for (i = 0; i < sizeof shut / sizeof shut[0]; i++) {
		const char *answer = get_path(0, shut[i]);

		if (!says(answer, "HTTP/1.1 403 ") && !says(answer, "HTTP/1.1 400 "))
			fail_msg("%s: %s", shut[i], answer);
	}
	for (i = 0; i < sizeof admin / sizeof admin[0]; i++) {
		const char *answer = get_path(1, admin[i]);

		if (!says(answer, "HTTP/1.1 403 ") && !says(answer, "HTTP/1.1 400 "))
			fail_msg("%s: %s", admin[i], answer);
	}
	assert_says(get_path(1, "/administrators"), "HTTP/1.1 200 ");
	house_close();
}

static void mattermosts_program_is_told_by_401_and_json(void **state)
{
	const char *heard;

	(void)state;
	house_begin();
	house.sites[0].preset = (char *)"mattermost";
	house_open();
	house_connect(0, "chat.example.com");
	heard = house_say(GET("/api/v4/system/ping"));
	assert_says(heard, "HTTP/1.1 401 ");
	assert_says(heard, "application/json");
	assert_says(heard, "\"status\":401");
	assert_says(heard, "WWW-Authenticate: ClientCertificate\r\n");
	assert_says(house_say(GET("/")), "HTTP/1.1 403 ");
	house_leave();
	house_close();
}

static void rocketchat_gets_its_header_and_a_site_its_status(void **state)
{
	(void)state;
	house_begin();
	house.sites[0].preset = (char *)"rocketchat";
	house.sites[0].missing_status = 400;
	house_open();
	house_put(1, "Alice", "staff", ROSTER_ACTIVE);
	house_connect(0, "chat.example.com");
	assert_says(house_say(GET("/")), "HTTP/1.1 400 ");
	house_leave();
	house_connect(1, "chat.example.com");
	assert_says(house_say(GET("/")), "X-Forwarded-Proto: https\r\nX-Nginx-Proxy: true\r\nX-Forwarded-Host: chat.example.com\r\n");
	house_leave();
	house_close();
}

static void a_bad_request_gets_its_page_and_line(void **state)
{
	const char *heard;

	(void)state;
	open_plainly();
	house_connect(1, "chat.example.com");
	heard = house_say("GET / HTTP/1.1\r\nHost: chat.example.com\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n");
	assert_says(heard, "HTTP/1.1 400 ");
	assert_says(heard, "C20");
	assert_true(logged("site=- device=01010101010101010101010101010101 person=Alice method="));
	assert_true(logged("status=400 why=C20"));
	house_leave();
	house_connect(1, "chat.example.com");
	assert_says(house_say("GET / HTTP/2.0\r\nHost: x\r\n\r\n"), "C27");
	house_leave();
	house_close();
}

/* The walk was begun before the body turned out to be bad: there is one visit, not two. */
static void a_body_that_goes_wrong_ends_its_visit_once(void **state)
{
	(void)state;
	open_plainly();
	house_connect(1, "chat.example.com");
	house_say("POST /hold/x HTTP/1.1\r\nHost: chat.example.com\r\nTransfer-Encoding: chunked\r\n\r\n");
	assert_non_null(house.held);
	/* The answer cannot leave yet, and everything is judged again meanwhile. */
	script_take(house.stream, 0);
	house_say("no chunk\r\n");
	assert_int_equal(house.released, 1);
	assert_int_equal(score_read(&house.score->scores[SCORE_REQUESTS]), 1);
	door_judge_all(house.door);
	house_turn();
	script_take_all(house.stream);
	script_ready(house.stream);
	house_turn();
	assert_true(logged("path=/hold/x status=400 why=C20"));
	house_leave();
	house_close();
}

static void watch_lets_pass_and_writes_down_who(void **state)
{
	(void)state;
	house_begin();
	house.sites[0].no_certificate = NO_CERTIFICATE_WATCH;
	house_open();
	house_connect(0, "chat.example.com");
	assert_says(house_say(GET("/")), "HTTP/1.1 200 ");
	assert_true(logged("status=200 watched=C01 us="));
	house_leave();
	house_close();
}

static char *nginx[] = {(char *)"nginx"};

static void a_dialect_with_the_certificate_needs_it_at_hand(void **state)
{
	uint8_t fingerprint[32];
	const char *heard;

	(void)state;
	house_begin();
	house.sites[0].dialects = (struct value_texts){nginx, 1};
	house_open();
	house_put(1, "Alice", "staff", ROSTER_ACTIVE);
	memset(fingerprint, 1, sizeof fingerprint);
	assert_int_equal(door_on_certificate(house.door, SPAN("DER"), fingerprint), TLS_CERTIFICATE_GOOD);
	assert_int_equal(door_resumable_until(house.door, fingerprint), 0);
	house_connect(1, "chat.example.com");
	heard = house_say(GET("/"));
	assert_says(heard, "X-SSL-Client-Verify: SUCCESS\r\n");
	assert_false(says(heard, "X-SSL-Client-Cert: "));
	assert_true(logged("event=identity-header-left-out dialect=nginx"));
	house_leave();
	/* A full handshake brings it, also for those that resume later. */
	door_on_proved(house.door, SPAN("DER"), fingerprint);
	house_connect(1, "chat.example.com");
	assert_says(house_say(GET("/")), "X-SSL-Client-Cert: -----BEGIN%20CERTIFICATE-----%0AREVS%0A-----END%20");
	house_leave();
	assert_int_equal(door_resumable_until(house.door, fingerprint), 1795230810 + 3600);
	house_connect(1, "chat.example.com");
	assert_says(house_say(GET("/")), "X-SSL-Client-Cert: -----BEGIN%20");
	house_leave();
	house_close();
}

static void handshakes_ask_what_the_site_needs(void **state)
{
	uint8_t fingerprint[32];

	(void)state;
	open_sites();
	memset(fingerprint, 1, sizeof fingerprint);
	assert_int_equal(door_asks(routes_find_handshake(door_routes(house.door), SPAN("chat.example.com"))), TLS_ASKS);
	assert_int_equal(door_asks(routes_find_handshake(door_routes(house.door), SPAN("open.example.com"))), TLS_ASKS_NOTHING);
	assert_int_equal(door_asks(routes_find_handshake(door_routes(house.door), SPAN(""))), TLS_ASKS);
	assert_int_equal(door_resumable_until(house.door, fingerprint), 1795230810 + 3600);
	set_state(1, ROSTER_REVOKED);
	assert_int_equal(door_resumable_until(house.door, fingerprint), 0);
	assert_int_equal(door_on_certificate(house.door, SPAN(""), fingerprint), TLS_CERTIFICATE_REVOKED);
	fingerprint[0] = 77;
	assert_int_equal(door_on_certificate(house.door, SPAN(""), fingerprint), TLS_CERTIFICATE_UNKNOWN);
	assert_int_equal(door_resumable_until(house.door, fingerprint), 0);
	house_close();
}

static void a_device_is_seen_once_until_it_was_told(void **state)
{
	uint8_t seen[4][16];

	(void)state;
	open_plainly();
	house_put(2, "Bob", "staff", ROSTER_ACTIVE);
	house_connect(1, "chat.example.com");
	house_say(GET("/"));
	house_say(GET("/"));
	assert_int_equal(door_take_seen(house.door, seen, 4), 1);
	assert_int_equal(seen[0][0], 1);
	assert_int_equal(door_take_seen(house.door, seen, 4), 0);
	house_say(GET("/"));
	house_leave();
	house_connect(2, "chat.example.com");
	house_leave();
	assert_int_equal(door_take_seen(house.door, seen, 4), 2);
	house_close();
}

static void a_path_without_service_is_not_found(void **state)
{
	(void)state;
	house_begin();
	house.services[0].path = "/app/";
	house_open();
	house_put(1, "Alice", "staff", ROSTER_ACTIVE);
	house_connect(1, "chat.example.com");
	assert_says(house_say(GET("/app/x")), "HTTP/1.1 200 ");
	assert_says(house_say(GET("/other")), "C34");
	house_leave();
	house_close();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_known_device_is_let_in_and_named),
		cmocka_unit_test(nobody_gets_a_page_that_says_why),
		cmocka_unit_test(each_standing_has_its_refusal),
		cmocka_unit_test(a_revocation_between_handshake_and_request_refuses_the_request),
		cmocka_unit_test(a_revocation_ends_what_is_live_and_counts_it),
		cmocka_unit_test(a_revocation_ends_a_tunnel),
		cmocka_unit_test(one_lost_certificate_ends_its_own_connections),
		cmocka_unit_test(a_connection_does_not_outlive_its_certificate),
		cmocka_unit_test(a_certificate_that_becomes_good_later_ends_its_connection_too),
		cmocka_unit_test(a_certificate_that_becomes_known_is_met),
		cmocka_unit_test(a_new_name_is_told_with_the_next_request),
		cmocka_unit_test(each_new_word_about_a_device_is_told_with_the_next_request),
		cmocka_unit_test(groups_are_those_of_the_roster_in_use),
		cmocka_unit_test(losing_a_group_refuses_and_ends_what_is_live),
		cmocka_unit_test(a_removed_line_of_the_allow_file_ends_a_live_tunnel),
		cmocka_unit_test(bad_options_leave_the_old_ones),
		cmocka_unit_test(another_roster_is_asked_from_the_next_request_on),
		cmocka_unit_test(an_old_roster_knows_nobody),
		cmocka_unit_test(forged_headers_do_not_come_through_in_any_spelling),
		cmocka_unit_test(forged_headers_of_a_websocket_do_not_come_through),
		cmocka_unit_test(a_trusted_proxy_is_believed_and_added_to),
		cmocka_unit_test(a_list_of_addresses_that_is_too_long_is_nobodys_address),
		cmocka_unit_test(host_and_server_name_must_agree_or_have_equal_rules),
		cmocka_unit_test(an_unknown_host_sees_no_sites_content),
		cmocka_unit_test(without_a_server_name_the_strictest_rules_hold),
		cmocka_unit_test(a_server_name_that_is_nobodys_sees_no_sites_content),
		cmocka_unit_test(a_site_that_drops_ends_a_connection_of_nobody),
		cmocka_unit_test(a_path_with_two_readings_meets_the_stricter_rule_or_400),
		cmocka_unit_test(mattermosts_program_is_told_by_401_and_json),
		cmocka_unit_test(rocketchat_gets_its_header_and_a_site_its_status),
		cmocka_unit_test(a_bad_request_gets_its_page_and_line),
		cmocka_unit_test(a_body_that_goes_wrong_ends_its_visit_once),
		cmocka_unit_test(watch_lets_pass_and_writes_down_who),
		cmocka_unit_test(a_dialect_with_the_certificate_needs_it_at_hand),
		cmocka_unit_test(handshakes_ask_what_the_site_needs),
		cmocka_unit_test(a_device_is_seen_once_until_it_was_told),
		cmocka_unit_test(a_path_without_service_is_not_found),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
