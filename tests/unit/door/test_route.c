#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "base/line_ring.h"
#include "base/log.h"
#include "door/der_cache.h"
#include "door/dialect.h"
#include "base/network.h"
#include "door/route.h"
#include "http/service.h"

static const struct service relay = {.name = "relay"}, join = {.name = "join"}, deep = {.name = "deep"};
static const struct route_service services[] = {
	{NULL, "/", &relay, NULL}, {"chat.example.com", "/join/", &join, NULL}, {"chat.example.com", "/join/x", &deep, NULL}};

static char *texts_one[1];

static struct value_texts one_text(const char *text)
{
	texts_one[0] = (char *)(uintptr_t)text;
	return (struct value_texts){texts_one, 1};
}

static struct routes *make(struct site_options *sites, size_t count)
{
	struct door_options options = {.contact = (char *)"it@example.com", .sites = sites, .site_count = count,
				       .domain = (char *)"example.com"};
	struct routes *routes = NULL;
	struct error err = {""};

	if (routes_new(&options, services, 3, &routes, &err) != OK)
		fail_msg("%s", err.text);
	return routes;
}

static void assert_refuses(struct site_options *sites, size_t count, const char *text)
{
	struct door_options options = {.sites = sites, .site_count = count};
	struct routes *routes = NULL;
	struct error err;

	assert_int_equal(routes_new(&options, services, 3, &routes, &err), REFUSED);
	assert_string_equal(err.text, text);
	assert_null(routes);
}

static const struct site *find(const struct routes *routes, const char *host)
{
	return routes_find(routes, span_of(host));
}

static void an_exact_name_wins_over_a_wildcard_of_one_label(void **state)
{
	struct site_options sites[] = {{.name = (char *)"*.Example.com"}, {.name = (char *)"chat.example.com"},
				       {.name = (char *)"10.0.0.1"}, {.name = (char *)"::1"}};
	struct routes *routes = make(sites, 4);

	(void)state;
	assert_ptr_equal(find(routes, "chat.example.com"), routes_site(routes, 1));
	assert_ptr_equal(find(routes, "wiki.example.com"), routes_site(routes, 0));
	assert_ptr_equal(find(routes, "10.0.0.1"), routes_site(routes, 2));
	assert_ptr_equal(find(routes, "::1"), routes_site(routes, 3));
	assert_null(find(routes, "example.com"));
	assert_null(find(routes, ".example.com"));
	assert_null(find(routes, "a.wiki.example.com"));
	assert_null(find(routes, "example.org"));
	assert_null(find(routes, ""));
	assert_int_equal(routes_site(routes, 2)->number, 2);
	routes_release(routes);
}

static void a_handshake_without_a_known_name_meets_the_strictest_site(void **state)
{
	struct site_options sites[] = {{.name = (char *)"open.example.com", .no_certificate = NO_CERTIFICATE_ALLOW},
				       {.name = (char *)"shut.example.com", .no_certificate = NO_CERTIFICATE_DROP},
				       {.name = (char *)"chat.example.com"}};
	struct routes *routes = make(sites, 3);

	(void)state;
	assert_ptr_equal(routes_find_handshake(routes, SPAN("open.example.com")), routes_site(routes, 0));
	assert_ptr_equal(routes_find_handshake(routes, SPAN("")), routes_site(routes, 1));
	assert_ptr_equal(routes_find_handshake(routes, SPAN("nowhere.example.com")), routes_site(routes, 1));
	routes_release(routes);
}

static void sites_with_equal_rules_are_of_one_class(void **state)
{
	struct site_options sites[] = {{.name = (char *)"a.example.com"}, {.name = (char *)"b.example.com"},
				       {.name = (char *)"c.example.com", .no_certificate = NO_CERTIFICATE_ALLOW}};
	struct routes *routes = make(sites, 3), *again = make(sites, 3), *fewer = make(sites, 2);

	(void)state;
	assert_int_equal(routes_site(routes, 0)->rules_class, routes_site(routes, 1)->rules_class);
	assert_int_not_equal(routes_site(routes, 0)->rules_class, routes_site(routes, 2)->rules_class);
	assert_memory_equal(routes_digest(routes), routes_digest(again), 32);
	assert_memory_not_equal(routes_digest(routes), routes_digest(fewer), 32);
	assert_int_equal(routes_epoch(routes), routes_epoch(again));
	assert_int_not_equal(routes_epoch(routes), routes_epoch(fewer));
	routes_release(routes);
	routes_release(again);
	routes_release(fewer);
}

static void the_longest_path_names_the_service(void **state)
{
	struct site_options sites[] = {{.name = (char *)"chat.example.com"}, {.name = (char *)"other.example.com"}};
	struct routes *routes = make(sites, 2);
	const struct site *chat = routes_site(routes, 0), *other = routes_site(routes, 1);

	(void)state;
	assert_ptr_equal(site_service(chat, SPAN("/"), 0), &relay);
	assert_ptr_equal(site_service(chat, SPAN("*"), 0), &relay);
	assert_ptr_equal(site_service(chat, SPAN("/join/x"), 0), &deep);
	assert_ptr_equal(site_service(chat, SPAN("/join/y"), 0), &join);
	assert_ptr_equal(site_service(chat, SPAN("/joint"), 0), &relay);
	assert_ptr_equal(site_service(other, SPAN("/join/y"), 0), &relay);
	routes_release(routes);
}

static void presets_choose_and_the_site_wins(void **state)
{
	struct site_options sites[] = {{.name = (char *)"a.example.com", .preset = (char *)"mattermost"},
				       {.name = (char *)"b.example.com", .preset = (char *)"mattermost", .missing_status = 400}};
	struct routes *routes;

	(void)state;
	sites[1].dialects = one_text("xfcc");
	routes = make(sites, 2);
	assert_int_equal(routes_site(routes, 0)->dialects, DIALECT_CHATELAINE | DIALECT_MATTERMOST);
	assert_int_equal(routes_site(routes, 0)->missing_status, 403);
	assert_int_equal(routes_site(routes, 1)->dialects, DIALECT_XFCC);
	assert_int_equal(routes_site(routes, 1)->missing_status, 400);
	routes_release(routes);
}

static void what_is_wrong_with_a_site_is_said(void **state)
{
	static char *both[] = {(char *)"nginx", (char *)"mattermost"};
	struct site_options preset[] = {{.name = (char *)"a.b", .preset = (char *)"slack"}};
	struct site_options list[] = {{.name = (char *)"a.b", .preset = (char *)"device-list"}};
	struct site_options dialect[] = {{.name = (char *)"a.b"}};
	struct site_options clash[] = {{.name = (char *)"a.b", .dialects = {both, 2}}};
	struct site_options status[] = {{.name = (char *)"a.b", .missing_status = 200}};
	struct site_options twice[] = {{.name = (char *)"a.b"}, {.name = (char *)"A.B."}};
	struct site_options wild[] = {{.name = (char *)"*.10.0.0.1"}};

	(void)state;
	dialect[0].dialects = one_text("signed");
	assert_refuses(preset, 1, "site \"a.b\": no preset \"slack\"; there are generic, rocketchat, mattermost, device-list");
	assert_refuses(list, 1, "site \"a.b\": preset \"device-list\" needs an allow-file: one device id a line");
	assert_refuses(dialect, 1, "site \"a.b\": no dialect \"signed\"; there are chatelaine, rfc9440, nginx, mattermost, "
				   "wott, xfcc");
	assert_refuses(clash, 1, "site \"a.b\": dialects nginx and mattermost give one header two values; choose one of them");
	assert_refuses(status, 1, "site \"a.b\": missing-status is 403, 400 or 401, not 200");
	assert_refuses(twice, 2, "site \"a.b\": it is there twice");
	assert_refuses(wild, 1, "site \"*.10.0.0.1\": a wildcard stands before names, not before IP addresses");
	assert_refuses(NULL, 0, "there is no site: write one, as in site \"chat.example.com\" { ... }");
}

static void an_unreadable_allow_file_is_a_warning_and_a_refusal_for_all(void **state)
{
	const struct identity known = {.who = WHO_KNOWN};
	struct site_options sites[] = {
		{.name = (char *)"a.b", .allow_file = {.path = (char *)"/etc/allow.txt", .trouble = (char *)"no such file"}}};
	static const char line[] =
		"event=allow-file-unreadable file=/etc/allow.txt site=a.b text=\"no such file\"";
	struct routes *routes;

	(void)state;
	log_gather(true);
	line_ring_taken(log_ring(), line_ring_take(log_ring(), SIZE_MAX).size);
	routes = make(sites, 1);
	assert_non_null(memmem(line_ring_take(log_ring(), SIZE_MAX).at, line_ring_take(log_ring(), SIZE_MAX).size, line, sizeof line - 1));
	line_ring_taken(log_ring(), line_ring_take(log_ring(), SIZE_MAX).size);
	log_gather(false);
	assert_int_equal(policy_decide(routes_site(routes, 0)->policy, &(struct errand){.path = SPAN("/"), .other = SPAN("")}, &known, NULL, 0).verdict,
			 VERDICT_FILE_UNREADABLE);
	routes_release(routes);
}

static bool network_holds(const char *network, const char *ip)
{
	struct network parsed;
	struct address address;
	struct error err;

	assert_int_equal(network_parse(span_of(network), &parsed, &err), OK);
	assert_true(address_parse_ip(span_of(ip), &address));
	return network_has(&parsed, &address);
}

static void networks_hold_their_addresses(void **state)
{
	struct network parsed;
	struct error err;

	(void)state;
	assert_true(network_holds("10.0.0.0/8", "10.255.0.1"));
	assert_false(network_holds("10.0.0.0/8", "11.0.0.1"));
	assert_true(network_holds("192.168.1.4/30", "192.168.1.7"));
	assert_false(network_holds("192.168.1.4/30", "192.168.1.8"));
	assert_true(network_holds("10.0.0.1", "10.0.0.1"));
	assert_true(network_holds("10.0.0.1", "::ffff:10.0.0.1"));
	assert_false(network_holds("10.0.0.1", "10.0.0.2"));
	assert_true(network_holds("0.0.0.0/0", "1.2.3.4"));
	assert_false(network_holds("0.0.0.0/0", "fd00::1"));
	assert_true(network_holds("fd00::/8", "fd12::1"));
	assert_int_equal(network_parse(SPAN("10.0.0.1/8"), &parsed, &err), REFUSED);
	assert_string_equal(err.text, "\"10.0.0.1/8\": the address has bits behind its prefix");
	assert_int_equal(network_parse(SPAN("10.0.0.0/33"), &parsed, &err), REFUSED);
	assert_string_equal(err.text, "\"10.0.0.0/33\": the prefix is a number up to 32");
	assert_int_equal(network_parse(SPAN("proxy"), &parsed, &err), REFUSED);
	assert_string_equal(err.text, "\"proxy\" is no IP address or network; write 10.0.0.1 or 10.0.0.0/8");
	assert_int_equal(network_parse(SPAN("10.0.0.0/"), &parsed, &err), REFUSED);
	assert_int_equal(network_parse(SPAN(""), &parsed, &err), REFUSED);
}

static void the_certificate_not_used_for_longest_goes(void **state)
{
	struct der_cache *cache = NULL;
	uint8_t fingerprint[4][32] = {{1}, {2}, {3}, {9}};
	struct error err;

	(void)state;
	assert_int_equal(der_cache_new(2, &cache, &err), OK);
	der_cache_add(cache, fingerprint[0], SPAN("one"));
	der_cache_add(cache, fingerprint[1], SPAN("two"));
	assert_true(span_is(der_cache_find(cache, fingerprint[0]), "one"));
	der_cache_add(cache, fingerprint[2], SPAN("three"));
	assert_true(span_is(der_cache_find(cache, fingerprint[0]), "one"));
	assert_int_equal(der_cache_find(cache, fingerprint[1]).size, 0);
	assert_true(span_is(der_cache_find(cache, fingerprint[2]), "three"));
	assert_int_equal(der_cache_find(cache, fingerprint[3]).size, 0);
	der_cache_add(cache, fingerprint[0], SPAN("another"));
	assert_true(span_is(der_cache_find(cache, fingerprint[0]), "one"));
	assert_int_equal(der_cache_count(cache), 2);
	der_cache_free(cache);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_exact_name_wins_over_a_wildcard_of_one_label),
		cmocka_unit_test(a_handshake_without_a_known_name_meets_the_strictest_site),
		cmocka_unit_test(sites_with_equal_rules_are_of_one_class),
		cmocka_unit_test(the_longest_path_names_the_service),
		cmocka_unit_test(presets_choose_and_the_site_wins),
		cmocka_unit_test(what_is_wrong_with_a_site_is_said),
		cmocka_unit_test(an_unreadable_allow_file_is_a_warning_and_a_refusal_for_all),
		cmocka_unit_test(networks_hold_their_addresses),
		cmocka_unit_test(the_certificate_not_used_for_longest_goes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
