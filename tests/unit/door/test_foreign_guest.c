/* Whom a foreign CA names, at the door: what he is called, where he may be, and what ends him while he is there. */
#include "door/door_house.h"
#include "pki/foreign_samples.h"

enum { SITES = 2, THEN = 1795230810 };

static struct {
	struct issued root, alice;
	struct buffer roots, list;
	struct foreign_ca_options ca;
	char *sites[1], *groups[1];
	struct foreign_path *path;
} corp;

static void verify(void)
{
	struct foreign_trust_options options = {
		.name = "corp", .field = FOREIGN_EMAIL, .roots = buffer_span(&corp.roots)};
	struct foreign_trust *trust;
	struct error err = {""};

	if (foreign_trust_new(&options, &trust, &err) != OK)
		fail_msg("%s", err.text);
	corp.path = foreign_trust_verify(trust, corp.alice.x, NULL, THEN);
	assert_non_null(corp.path);
	assert_int_equal(corp.path->why, FOREIGN_GOOD);
	foreign_trust_free(trust);
}

static int begin(void **state)
{
	static const struct wish root = {.cn = "Corp Root", .extensions = ca_extensions};
	static const struct wish alice = {.cn = "alice", .extensions = alice_extensions};
	struct error err;

	(void)state;
	assert_int_equal(crypto_start(&err), OK);
	corp.root = issue(&root, NULL);
	corp.alice = issue(&alice, &corp.root);
	buffer_init(&corp.roots, 1 << 16);
	buffer_init(&corp.list, 1 << 16);
	put_pem(&corp.roots, corp.root.x);
	verify();
	return 0;
}

static int end(void **state)
{
	(void)state;
	foreign_path_free(corp.path);
	issued_free(&corp.root);
	issued_free(&corp.alice);
	buffer_release(&corp.roots);
	buffer_release(&corp.list);
	return 0;
}

/* Two sites; the CA counts at the first. */
static int open_door(void **state)
{
	(void)state;
	house_begin();
	corp.sites[0] = (char *)"chat.example.com";
	corp.groups[0] = (char *)"corp";
	corp.ca = (struct foreign_ca_options){.name = (char *)"corp",
					      .field = FOREIGN_EMAIL,
					      .crl_expired = CRL_EXPIRED_WARN,
					      .certificate = {.bytes = buffer_span(&corp.roots)},
					      .sites = {corp.sites, 1},
					      .groups = {corp.groups, 1}};
	house.sites[1].name = (char *)"files.example.com";
	house.options.site_count = SITES;
	house.options.foreign = &corp.ca;
	house.options.foreign_count = 1;
	house.foreign = corp.path;
	house_open();
	return 0;
}

static int close_door(void **state)
{
	(void)state;
	if (house.stream)
		house_leave();
	house_close();
	buffer_clear(&corp.list);
	return 0;
}

static const char *get(const char *host, const char *path)
{
	static char text[256];

	snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: %s\r\n\r\n", path, host);
	return house_say(text);
}

static void use_options(void)
{
	struct error err = {""};

	if (door_use_options(house.door, &house.options, house.services, 2, &err) != OK)
		fail_msg("%s", err.text);
	house_turn();
}

static void use_list(const X509 *revoked, int64_t to)
{
	struct list_wish wish = {.issuer = &corp.root, .revoked = {revoked}, .to = to};

	buffer_clear(&corp.list);
	put_list(&corp.list, &wish, false);
	corp.ca.crl.bytes = buffer_span(&corp.list);
	use_options();
}

static void he_is_called_by_his_ca_and_no_name_of_ours(void **state)
{
	const char *said;

	(void)state;
	house_connect(7, "chat.example.com");
	said = get("chat.example.com", "/");
	assert_says(said, "X-Chatelaine-Device: corp/alice@corp.example\r\n");
	assert_says(said, "X-Chatelaine-Person: corp/alice@corp.example\r\n");
	assert_says(said, "X-Chatelaine-Groups: corp\r\n");
	assert_false(says(said, "X-Chatelaine-Email"));
	assert_int_equal(door_take_seen(house.door, (uint8_t[4][16]){{0}}, 4), 0);
	assert_true(logged("person=corp/alice@corp.example"));
}

static void each_dialect_says_it_its_own_way(void **state)
{
	char *dialects[] = {(char *)"mattermost", (char *)"xfcc", (char *)"wott"};
	char *domains[] = {(char *)"corp.example"};
	const char *said;

	(void)state;
	house.sites[0].dialects = (struct value_texts){dialects, 3};
	corp.ca.domains = (struct value_texts){domains, 1};
	use_options();
	house_connect(7, "chat.example.com");
	said = get("chat.example.com", "/");
	assert_says(said, "X-SSL-Client-Cert-Subject-DN: /O=corp/emailAddress=alice@corp.example\r\n");
	assert_says(said, "Subject=\"CN=corp/alice@corp.example\"");
	assert_says(said, "Ssl-Client: corp/alice@corp.example\r\n");
}

static void without_domains_no_address_is_told(void **state)
{
	char *dialects[] = {(char *)"mattermost"};

	(void)state;
	house.sites[0].dialects = (struct value_texts){dialects, 1};
	use_options();
	house_connect(7, "chat.example.com");
	assert_false(says(get("chat.example.com", "/"), "emailAddress"));
}

static void another_sites_rules_are_another_connections(void **state)
{
	(void)state;
	house_connect(7, "chat.example.com");
	assert_says(get("files.example.com", "/"), "C12");
	house_leave();
	house_connect(7, "files.example.com");
	assert_says(get("files.example.com", "/"), "C06");
	assert_says(get("chat.example.com", "/"), "C12");
}

static void the_roster_goes_before_any_path(void **state)
{
	(void)state;
	house_put(7, "bob", "staff", ROSTER_REVOKED);
	house_connect(7, "chat.example.com");
	assert_says(get("chat.example.com", "/"), "C04");
}

static void who_enters_the_roster_meanwhile_is_one_of_ours(void **state)
{
	(void)state;
	house_connect(7, "chat.example.com");
	assert_says(get("chat.example.com", "/"), "X-Chatelaine-Person: corp/alice");
	house_put(7, "bob", "staff", ROSTER_ACTIVE);
	assert_says(get("chat.example.com", "/"), "X-Chatelaine-Person: bob\r\n");
}

static void a_roster_that_is_too_old_knows_nobody(void **state)
{
	(void)state;
	house.options.roster_max_age = SECONDS(60);
	use_options();
	roster_touch(house.roster, SECONDS((int64_t)THEN - 100));
	house_connect(7, "chat.example.com");
	assert_says(get("chat.example.com", "/"), "C13");
}

static void a_new_list_ends_him_and_another_does_not(void **state)
{
	(void)state;
	house_connect(7, "chat.example.com");
	assert_says(get("chat.example.com", "/"), "200 OK");
	use_list(corp.root.x, 0);
	assert_says(get("chat.example.com", "/"), "200 OK");
	use_list(corp.alice.x, 0);
	house_advance(SECONDS(2));
	assert_true(house_is_gone());
	assert_true(logged("why=C52"));
	assert_true(logged("foreign=corp/alice@corp.example"));
}

static void a_list_that_is_over_ends_him_only_where_it_is_asked_for(void **state)
{
	(void)state;
	use_list(corp.root.x, THEN + 5);
	house_connect(7, "chat.example.com");
	house_advance(SECONDS(10));
	assert_says(get("chat.example.com", "/"), "200 OK");
	house_leave();
	corp.ca.crl_expired = CRL_EXPIRED_REFUSE;
	use_list(corp.root.x, THEN + 60);
	house_connect(7, "chat.example.com");
	assert_says(get("chat.example.com", "/"), "200 OK");
	house_advance(SECONDS(62));
	assert_true(house_is_gone());
}

static void another_root_or_another_field_ends_him(void **state)
{
	(void)state;
	house_connect(7, "chat.example.com");
	assert_says(get("chat.example.com", "/"), "200 OK");
	corp.ca.field = FOREIGN_CN;
	use_options();
	house_advance(SECONDS(2));
	assert_true(house_is_gone());
	assert_true(logged("why=C06"));
}

static void his_groups_are_those_of_the_config_and_the_file(void **state)
{
	char *who[] = {(char *)"staff"};

	(void)state;
	house.sites[0].who = (struct value_texts){who, 1};
	use_options();
	house_connect(7, "chat.example.com");
	assert_says(get("chat.example.com", "/"), "C08");
	corp.ca.groups_file = (struct value_file){
		.path = (char *)"/groups", .bytes = SPAN("bob@corp.example staff\nalice@CORP.example  x,staff,corp # hers\n")};
	use_options();
	assert_says(get("chat.example.com", "/"), "X-Chatelaine-Groups: corp,x,staff\r\n");
	corp.ca.groups_file.bytes = SPAN("alice@corp.example everyone\nalice@corp.example staff,\n");
	use_options();
	assert_true(logged("not an identity and its groups"));
	house_advance(SECONDS(2));
}

static void the_cas_list_of_people_decides_and_an_unreadable_one_lets_nobody_in(void **state)
{
	(void)state;
	corp.ca.allow_file = (struct value_file){.path = (char *)"/people", .bytes = SPAN("bob@corp.example\n")};
	use_options();
	house_connect(7, "chat.example.com");
	assert_says(get("chat.example.com", "/"), "C55");
	corp.ca.allow_file.bytes = SPAN("alice@corp.example\r\n");
	use_options();
	assert_says(get("chat.example.com", "/"), "200 OK");
	corp.ca.allow_file.bytes = (struct span){NULL, 0};
	use_options();
	house_advance(SECONDS(2));
	assert_true(house_is_gone());
	assert_true(logged("why=C56"));
}

static void a_sites_list_has_him_with_his_ca(void **state)
{
	(void)state;
	house.sites[0].allow_file = (struct value_file){
		.path = (char *)"/allow", .bytes = SPAN("other/alice@corp.example\nalice@corp.example\n")};
	use_options();
	house_connect(7, "chat.example.com");
	assert_says(get("chat.example.com", "/"), "C09");
	house.sites[0].allow_file.bytes = SPAN("corp/alice@corp.example # she\n");
	use_options();
	assert_says(get("chat.example.com", "/"), "200 OK");
}

static void his_certificate_is_never_resumed(void **state)
{
	uint8_t fingerprint[32];

	(void)state;
	memset(fingerprint, 7, sizeof fingerprint);
	assert_int_equal(door_resumable_until(house.door, fingerprint), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, open_door, close_door)
	const struct CMUnitTest tests[] = {
		TEST(he_is_called_by_his_ca_and_no_name_of_ours),
		TEST(each_dialect_says_it_its_own_way),
		TEST(without_domains_no_address_is_told),
		TEST(another_sites_rules_are_another_connections),
		TEST(the_roster_goes_before_any_path),
		TEST(who_enters_the_roster_meanwhile_is_one_of_ours),
		TEST(a_roster_that_is_too_old_knows_nobody),
		TEST(a_new_list_ends_him_and_another_does_not),
		TEST(a_list_that_is_over_ends_him_only_where_it_is_asked_for),
		TEST(another_root_or_another_field_ends_him),
		TEST(his_groups_are_those_of_the_config_and_the_file),
		TEST(the_cas_list_of_people_decides_and_an_unreadable_one_lets_nobody_in),
		TEST(a_sites_list_has_him_with_his_ca),
		TEST(his_certificate_is_never_resumed),
	};

	return cmocka_run_group_tests(tests, begin, end);
}
