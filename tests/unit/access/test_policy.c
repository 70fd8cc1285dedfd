#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "access/allow_file.h"
#include "access/policy.h"
#include "base/network.h"
#include "config/config_value.h"
#include "shm/roster.h"

static char *staff[] = {(char *)"staff"};
static char *admins[] = {(char *)"admins"};
static char *both[] = {(char *)"staff", (char *)"admins"};
static char *both_turned[] = {(char *)"admins", (char *)"staff"};
static char *everyone[] = {(char *)"admins", (char *)"everyone"};
static const struct value_texts who_staff = {staff, 1}, who_admins = {admins, 1}, who_both = {both, 2},
				who_both_turned = {both_turned, 2}, who_everyone = {everyone, 2};

enum { NOW = 1000000 };

#define ERRAND(a, b) (&(const struct errand){.path = a, .other = b, .method = SPAN("GET")})

static const struct identity nobody = {.who = WHO_NO_CERTIFICATE};

struct fixture {
	struct roster *roster;
	struct identity alice, bob; /* staff; staff and admins */
};

static struct identity add(struct roster *roster, uint8_t number, struct span groups)
{
	struct roster_row row = {.not_after = 4000000000, .state = ROSTER_ACTIVE, .groups = groups};
	struct standing standing;
	struct error err;

	memset(row.fingerprint, number, sizeof row.fingerprint);
	memset(row.device, number, sizeof row.device);
	assert_int_equal(roster_put(roster, &row, &err), OK);
	assert_true(roster_find(roster, row.fingerprint, &standing));
	return identity_judge(&standing, 1000);
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	struct error err;

	assert_int_equal(roster_new(16, &fixture->roster, &err), OK);
	fixture->alice = add(fixture->roster, 1, SPAN("staff"));
	fixture->bob = add(fixture->roster, 2, SPAN("admins,staff"));
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;

	roster_free(fixture->roster);
	free(fixture);
	return 0;
}

static struct policy *make(const struct rule_options *rules, size_t count)
{
	struct policy *policy = NULL;
	struct error err = {""};

	if (policy_new(rules, count, &policy, &err) != OK)
		fail_msg("%s", err.text);
	return policy;
}

static void assert_refuses(const struct rule_options *rules, size_t count, const char *text)
{
	struct policy *policy = NULL;
	struct error err;

	assert_int_equal(policy_new(rules, count, &policy, &err), REFUSED);
	assert_string_equal(err.text, text);
	assert_null(policy);
}

static enum verdict decide(struct fixture *fixture, struct policy *policy, const char *path,
			   const struct identity *who)
{
	struct judgement judgement = policy_decide(policy, ERRAND(span_of(path), SPAN("")), who, fixture->roster, NOW);

	assert_int_equal(judgement.passes, judgement.verdict == VERDICT_PASS);
	return judgement.verdict;
}

static void a_site_without_words_lets_every_known_device_in_and_nobody_else(void **state)
{
	struct fixture *fixture = *state;
	const struct rule_options rules[] = {{.path = NULL}};
	struct policy *policy = make(rules, 1);
	enum who who;

	assert_int_equal(decide(fixture, policy, "/", &fixture->alice), VERDICT_PASS);
	for (who = WHO_NO_CERTIFICATE; who <= WHO_ROSTER_TOO_OLD; who++) {
		struct identity other = identity_nobody(who);

		assert_int_equal(decide(fixture, policy, "/", &other), VERDICT_NOBODY);
	}
	assert_int_equal(policy_mode(policy), NO_CERTIFICATE_EXPLAIN);
	assert_true(policy_asks(policy));
	policy_free(policy);
}

static void groups_decide_and_are_remembered_by_set(void **state)
{
	struct fixture *fixture = *state;
	const struct rule_options rules[] = {{.who = &who_admins}};
	struct policy *policy = make(rules, 1);
	int i;

	for (i = 0; i < 3; i++) {
		assert_int_equal(decide(fixture, policy, "/", &fixture->alice), VERDICT_NOT_ALLOWED);
		assert_int_equal(decide(fixture, policy, "/", &fixture->bob), VERDICT_PASS);
		if (i == 1)
			policy_forget(policy);
	}
	policy_free(policy);
}

static void everyone_is_every_known_device(void **state)
{
	struct fixture *fixture = *state;
	const struct rule_options rules[] = {{.who = &who_everyone}};
	struct policy *policy = make(rules, 1);

	assert_int_equal(decide(fixture, policy, "/", &fixture->alice), VERDICT_PASS);
	assert_int_equal(decide(fixture, policy, "/", &nobody), VERDICT_NOBODY);
	policy_free(policy);
}

static void the_longest_location_decides_and_inherits_the_rest(void **state)
{
	struct fixture *fixture = *state;
	const struct rule_options rules[] = {
		{.who = &who_staff},
		{.path = "/api", .who = &who_admins},
		{.path = "/api/info", .no_certificate = NO_CERTIFICATE_ALLOW},
		{.path = "/files/", .no_certificate = NO_CERTIFICATE_EXPLAIN},
	};
	struct policy *policy = make(rules, 4);

	assert_int_equal(decide(fixture, policy, "/", &fixture->alice), VERDICT_PASS);
	assert_int_equal(decide(fixture, policy, "/api", &fixture->alice), VERDICT_NOT_ALLOWED);
	assert_int_equal(decide(fixture, policy, "/api/x", &fixture->alice), VERDICT_NOT_ALLOWED);
	assert_int_equal(decide(fixture, policy, "/api/x", &fixture->bob), VERDICT_PASS);
	assert_int_equal(decide(fixture, policy, "/api/info", &nobody), VERDICT_PASS);
	assert_int_equal(decide(fixture, policy, "/api/info/", &nobody), VERDICT_PASS);
	assert_int_equal(decide(fixture, policy, "/api/information", &nobody), VERDICT_NOBODY);
	assert_int_equal(decide(fixture, policy, "/apix", &fixture->alice), VERDICT_PASS);
	assert_int_equal(decide(fixture, policy, "/files/1", &fixture->alice), VERDICT_PASS);
	assert_int_equal(decide(fixture, policy, "*", &fixture->alice), VERDICT_PASS);
	policy_free(policy);
}

static void letters_of_another_case_meet_the_stricter_rule(void **state)
{
	struct fixture *fixture = *state;
	const struct rule_options rules[] = {
		{.who = &who_staff},
		{.path = "/admin", .who = &who_admins},
		{.path = "/open", .no_certificate = NO_CERTIFICATE_ALLOW},
	};
	struct policy *policy = make(rules, 3);

	assert_int_equal(decide(fixture, policy, "/ADMIN/x", &fixture->alice), VERDICT_NOT_ALLOWED);
	assert_int_equal(decide(fixture, policy, "/Open", &nobody), VERDICT_NOBODY);
	assert_int_equal(decide(fixture, policy, "/open", &nobody), VERDICT_PASS);
	policy_free(policy);
}

static void a_second_reading_must_pass_too(void **state)
{
	struct fixture *fixture = *state;
	const struct rule_options rules[] = {
		{.who = &who_staff},
		{.path = "/admin", .who = &who_admins},
		{.path = "/open", .no_certificate = NO_CERTIFICATE_ALLOW},
	};
	struct policy *policy = make(rules, 3);
	struct judgement judgement;

	judgement = policy_decide(policy, ERRAND(SPAN("/open/..%2Fadmin"), SPAN("/admin")), &fixture->alice, fixture->roster, NOW);
	assert_int_equal(judgement.verdict, VERDICT_NOT_ALLOWED);
	judgement = policy_decide(policy, ERRAND(SPAN("/open/..%2Fx"), SPAN("/x")), &nobody, fixture->roster, NOW);
	assert_int_equal(judgement.verdict, VERDICT_NOBODY);
	/* Decoded, and then taken without regard to case. */
	judgement = policy_decide(policy, ERRAND(SPAN("/open/..%2FADMIN"), SPAN("/ADMIN")), &fixture->alice, fixture->roster, NOW);
	assert_int_equal(judgement.verdict, VERDICT_NOT_ALLOWED);
	judgement = policy_decide(policy, ERRAND(SPAN("/open/a%2Fb"), SPAN("/open/a/b")), &nobody, fixture->roster, NOW);
	assert_true(judgement.passes);
	policy_free(policy);
}

static void the_allow_file_counts_beside_the_groups(void **state)
{
	struct fixture *fixture = *state;
	struct allow_file *file = NULL;
	struct policy *policy;
	struct error err;

	assert_int_equal(allow_file_parse(SPAN("01010101010101010101010101010101\n"), SPAN("x"), NULL, NULL, &file, &err), OK);
	const struct rule_options rules[] = {
		{.allow_file = file, .allow_path = "/a"},
		{.path = "/admin", .who = &who_admins},
	};
	policy = make(rules, 2);
	assert_int_equal(decide(fixture, policy, "/", &fixture->alice), VERDICT_PASS);
	assert_int_equal(decide(fixture, policy, "/", &fixture->bob), VERDICT_NOT_ON_FILE);
	assert_int_equal(decide(fixture, policy, "/admin", &fixture->alice), VERDICT_NOT_ALLOWED);
	assert_int_equal(decide(fixture, policy, "/admin", &fixture->bob), VERDICT_NOT_ON_FILE);
	policy_free(policy);
	allow_file_free(file);
}

static void an_unreadable_allow_file_refuses_everybody(void **state)
{
	struct fixture *fixture = *state;
	struct allow_file *file = allow_file_unreadable();
	const struct rule_options rules[] = {{.allow_file = file, .allow_path = "/a"}};
	struct policy *policy = make(rules, 1);

	assert_int_equal(decide(fixture, policy, "/", &fixture->alice), VERDICT_FILE_UNREADABLE);
	assert_int_equal(decide(fixture, policy, "/", &nobody), VERDICT_NOBODY);
	policy_free(policy);
	allow_file_free(file);
}

static void watch_lets_pass_and_says_what_it_would_have_said(void **state)
{
	struct fixture *fixture = *state;
	const struct rule_options rules[] = {
		{.no_certificate = NO_CERTIFICATE_WATCH, .who = &who_admins},
		{.path = "/shut", .no_certificate = NO_CERTIFICATE_EXPLAIN},
	};
	struct policy *policy = make(rules, 2);
	struct judgement judgement;

	judgement = policy_decide(policy, ERRAND(SPAN("/"), SPAN("")), &nobody, fixture->roster, NOW);
	assert_int_equal(judgement.verdict, VERDICT_NOBODY);
	assert_true(judgement.passes);
	judgement = policy_decide(policy, ERRAND(SPAN("/"), SPAN("")), &fixture->alice, fixture->roster, NOW);
	assert_int_equal(judgement.verdict, VERDICT_NOT_ALLOWED);
	assert_true(judgement.passes);
	judgement = policy_decide(policy, ERRAND(SPAN("/a%2fshut"), SPAN("/shut")), &nobody, fixture->roster, NOW);
	assert_false(judgement.passes);
	policy_free(policy);
}

static struct judgement judge(struct fixture *fixture, struct policy *policy, const struct identity *who, int64_t now)
{
	return policy_decide(policy, ERRAND(SPAN("/"), SPAN("")), who, fixture->roster, now);
}

static void a_watch_ends_at_its_second_and_not_before(void **state)
{
	struct fixture *fixture = *state;
	const struct rule_options rules[] = {
		{.no_certificate = NO_CERTIFICATE_WATCH, .watch_until = NOW, .who = &who_admins},
		{.path = "/later", .no_certificate = NO_CERTIFICATE_WATCH, .watch_until = NOW + 50},
		{.path = "/ever", .no_certificate = NO_CERTIFICATE_WATCH},
	};
	struct policy *policy = make(rules, 3);

	assert_true(judge(fixture, policy, &nobody, NOW - 1).passes);
	assert_true(judge(fixture, policy, &fixture->alice, NOW - 1).passes);
	assert_false(judge(fixture, policy, &nobody, NOW).passes);
	assert_int_equal(judge(fixture, policy, &nobody, NOW).verdict, VERDICT_NOBODY);
	assert_false(judge(fixture, policy, &fixture->alice, NOW).passes);
	assert_true(judge(fixture, policy, &fixture->bob, NOW).passes);
	assert_true(policy_decide(policy, ERRAND(SPAN("/later/x"), SPAN("")), &nobody, fixture->roster, NOW + 49).passes);
	assert_false(policy_decide(policy, ERRAND(SPAN("/later/x"), SPAN("")), &nobody, fixture->roster, NOW + 50).passes);
	assert_true(policy_decide(policy, ERRAND(SPAN("/ever"), SPAN("")), &nobody, fixture->roster, INT64_MAX).passes);
	assert_int_equal(policy_next_change(policy, 0), NOW);
	assert_int_equal(policy_next_change(policy, NOW - 1), NOW);
	assert_int_equal(policy_next_change(policy, NOW), NOW + 50);
	assert_int_equal(policy_next_change(policy, NOW + 50), 0);
	policy_free(policy);
}

static void watch_never_lets_in_who_was_shut_out_by_hand(void **state)
{
	struct fixture *fixture = *state;
	const struct rule_options rules[] = {{.no_certificate = NO_CERTIFICATE_WATCH,
					      .not_allowed = NO_CERTIFICATE_WATCH}};
	static const enum who passes[] = {WHO_NO_CERTIFICATE, WHO_UNKNOWN, WHO_EXPIRED, WHO_NOT_YET, WHO_PENDING};
	static const enum who refused[] = {WHO_REVOKED, WHO_SUSPENDED, WHO_ROSTER_TOO_OLD};
	struct policy *policy = make(rules, 1);
	size_t i;

	for (i = 0; i < sizeof passes / sizeof *passes; i++) {
		struct identity who = identity_nobody(passes[i]);

		assert_true(judge(fixture, policy, &who, NOW).passes);
		assert_int_equal(judge(fixture, policy, &who, NOW).verdict, VERDICT_NOBODY);
	}
	for (i = 0; i < sizeof refused / sizeof *refused; i++) {
		struct identity who = identity_nobody(refused[i]);

		assert_false(judge(fixture, policy, &who, NOW).passes);
	}
	policy_free(policy);
}

static void known_devices_are_watched_apart_from_nobody(void **state)
{
	struct fixture *fixture = *state;
	const struct rule_options shut[] = {{.no_certificate = NO_CERTIFICATE_WATCH,
					     .not_allowed = NO_CERTIFICATE_EXPLAIN, .who = &who_admins},
					    {.path = "/x", .no_certificate = NO_CERTIFICATE_WATCH}};
	const struct rule_options open[] = {{.not_allowed = NO_CERTIFICATE_WATCH, .not_allowed_until = NOW,
					     .who = &who_admins},
					    {.path = "/x", .no_certificate = NO_CERTIFICATE_EXPLAIN},
					    {.path = "/y", .not_allowed = NO_CERTIFICATE_EXPLAIN}};
	struct policy *policy = make(shut, 2);

	assert_true(judge(fixture, policy, &nobody, NOW).passes);
	assert_false(judge(fixture, policy, &fixture->alice, NOW).passes);
	assert_false(policy_decide(policy, ERRAND(SPAN("/x"), SPAN("")), &fixture->alice, fixture->roster, NOW).passes);
	policy_free(policy);
	policy = make(open, 3);
	assert_false(judge(fixture, policy, &nobody, NOW - 1).passes);
	assert_true(judge(fixture, policy, &fixture->alice, NOW - 1).passes);
	assert_false(judge(fixture, policy, &fixture->alice, NOW).passes);
	assert_true(policy_decide(policy, ERRAND(SPAN("/x"), SPAN("")), &fixture->alice, fixture->roster, NOW - 1).passes);
	assert_false(policy_decide(policy, ERRAND(SPAN("/y"), SPAN("")), &fixture->alice, fixture->roster, NOW - 1).passes);
	assert_int_equal(policy_next_change(policy, 0), NOW);
	policy_free(policy);
}

static void a_group_can_be_enforced_while_the_others_are_watched(void **state)
{
	struct fixture *fixture = *state;
	char *others[] = {(char *)"others"};
	const struct value_texts who_others = {others, 1};
	const struct rule_options rules[] = {{.no_certificate = NO_CERTIFICATE_WATCH, .who = &who_others,
					      .enforced = &who_admins},
					     {.path = "/x"},
					     {.path = "/y", .enforced = &who_staff}};
	struct policy *policy = make(rules, 3);
	struct identity expired = fixture->bob;

	expired.who = WHO_EXPIRED;
	assert_true(judge(fixture, policy, &fixture->alice, NOW).passes);
	assert_false(judge(fixture, policy, &fixture->bob, NOW).passes);
	assert_false(judge(fixture, policy, &expired, NOW).passes);
	assert_true(judge(fixture, policy, &nobody, NOW).passes);
	assert_false(policy_decide(policy, ERRAND(SPAN("/x"), SPAN("")), &fixture->bob, fixture->roster, NOW).passes);
	assert_false(policy_decide(policy, ERRAND(SPAN("/y"), SPAN("")), &fixture->alice, fixture->roster, NOW).passes);
	policy_free(policy);
}

static void a_judgement_names_the_location_whose_rule_it_was(void **state)
{
	struct fixture *fixture = *state;
	const struct rule_options rules[] = {{.no_certificate = NO_CERTIFICATE_WATCH}, {.path = "/api/"}};
	struct policy *policy = make(rules, 2);

	assert_null(judge(fixture, policy, &nobody, NOW).location);
	assert_string_equal(policy_decide(policy, ERRAND(SPAN("/api/x"), SPAN("")), &nobody, fixture->roster, NOW).location,
			    "/api");
	policy_free(policy);
}

static void the_digest_knows_how_long_is_watched_and_for_whom(void **state)
{
	const struct rule_options some[] = {
		{.no_certificate = NO_CERTIFICATE_WATCH},
		{.no_certificate = NO_CERTIFICATE_WATCH, .watch_until = 5},
		{.no_certificate = NO_CERTIFICATE_WATCH, .watch_until = 6},
		{.no_certificate = NO_CERTIFICATE_WATCH, .not_allowed = NO_CERTIFICATE_EXPLAIN},
		{.no_certificate = NO_CERTIFICATE_WATCH, .not_allowed = NO_CERTIFICATE_WATCH, .not_allowed_until = 5},
		{.no_certificate = NO_CERTIFICATE_WATCH, .enforced = &who_admins},
		{.no_certificate = NO_CERTIFICATE_WATCH, .enforced = &who_staff},
	};
	enum { SOME = sizeof some / sizeof *some };
	struct policy *policies[SOME];
	size_t i, j;

	(void)state;
	for (i = 0; i < SOME; i++)
		policies[i] = make(&some[i], 1);
	for (i = 0; i < SOME; i++)
		for (j = 0; j < SOME; j++)
			assert_int_equal(memcmp(policy_digest(policies[i]), policy_digest(policies[j]),
						POLICY_DIGEST_SIZE) == 0, i == j);
	for (i = 0; i < SOME; i++)
		policy_free(policies[i]);
}

static void equal_rules_have_equal_digests_and_others_do_not(void **state)
{
	const struct rule_options one[] = {{.who = &who_both}, {.path = "/a"}, {.path = "/bb"}};
	const struct rule_options same[] = {{.who = &who_both_turned, .no_certificate = NO_CERTIFICATE_EXPLAIN},
					    {.path = "/bb/"}, {.path = "/a"}};
	const struct rule_options others[][2] = {
		{{.who = &who_both}, {.path = "/a"}},
		{{.who = &who_staff}, {.path = "/a"}},
		{{.no_certificate = NO_CERTIFICATE_ALLOW}, {.path = "/a"}},
		{{.who = &who_both}, {.path = "/a", .no_certificate = NO_CERTIFICATE_ALLOW}},
		{{.who = &who_both}, {.path = "/b"}},
	};
	struct policy *a = make(one, 3), *b = make(same, 3), *all[5];
	size_t i, j;

	(void)state;
	assert_memory_equal(policy_digest(a), policy_digest(b), POLICY_DIGEST_SIZE);
	for (i = 0; i < 5; i++) {
		all[i] = make(others[i], 2);
		assert_memory_not_equal(policy_digest(a), policy_digest(all[i]), POLICY_DIGEST_SIZE);
		for (j = 0; j < i; j++)
			assert_memory_not_equal(policy_digest(all[j]), policy_digest(all[i]), POLICY_DIGEST_SIZE);
	}
	for (i = 0; i < 5; i++)
		policy_free(all[i]);
	policy_free(a);
	policy_free(b);
}

static void a_bad_location_is_named(void **state)
{
	const struct rule_options relative[] = {{.path = NULL}, {.path = "api"}};
	const struct rule_options twice[] = {{.path = NULL}, {.path = "/api"}, {.path = "/api/"}};
	const struct rule_options root[] = {{.path = NULL}, {.path = "/"}};
	const struct rule_options dots[] = {{.path = NULL}, {.path = "/a/../b"}};
	const struct rule_options drop[] = {{.path = NULL}, {.path = "/a", .no_certificate = NO_CERTIFICATE_DROP}};
	const struct rule_options unreachable[] = {{.no_certificate = NO_CERTIFICATE_DROP},
						   {.path = "/a", .no_certificate = NO_CERTIFICATE_ALLOW}};

	(void)state;
	assert_refuses(relative, 2, "location \"api\": begin it with /");
	assert_refuses(twice, 3, "location \"/api/\": it is there twice");
	assert_refuses(root, 2, "location \"/\": that is the whole site; write its keys in the site");
	assert_refuses(dots, 2, "location \"/a/../b\": not a plain path; write it without ., .., //, ;, ? or %");
	assert_refuses(drop, 2, "location \"/a\": no-certificate = drop is for sites only: the handshake is over before "
				"a path is known; write explain");
	assert_refuses(unreachable, 2, "location \"/a\": nobody without a certificate gets so far in a site with "
				       "no-certificate = drop; write explain for the site");
}

static void a_public_site_does_not_ask_but_one_shut_location_makes_it_ask(void **state)
{
	const struct rule_options rules[] = {{.no_certificate = NO_CERTIFICATE_ALLOW},
					     {.path = "/shut", .no_certificate = NO_CERTIFICATE_EXPLAIN}};
	struct policy *open = make(rules, 1), *mixed = make(rules, 2);

	(void)state;
	assert_false(policy_asks(open));
	assert_true(policy_asks(mixed));
	policy_free(open);
	policy_free(mixed);
}

static void each_state_of_the_roster_has_its_reason(void **state)
{
	static const struct {
		enum roster_state stored;
		enum who who;
	} rows[] = {
		{ROSTER_ACTIVE, WHO_KNOWN},
		{ROSTER_SUSPENDED, WHO_SUSPENDED},
		{ROSTER_REVOKED, WHO_REVOKED},
		{ROSTER_PENDING, WHO_PENDING},
	};
	struct standing standing = {.not_before = 100, .not_after = 200, .group_set = 7, .device = {9}};
	struct identity identity;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof rows / sizeof rows[0]; i++) {
		standing.state = rows[i].stored;
		identity = identity_judge(&standing, 150);
		assert_int_equal(identity.who, rows[i].who);
		assert_int_equal(identity.group_set, 7);
		assert_int_equal(identity.device[0], 9);
	}
	standing.state = ROSTER_ACTIVE;
	assert_int_equal(identity_judge(&standing, 99).who, WHO_NOT_YET);
	assert_int_equal(identity_judge(&standing, 100).who, WHO_KNOWN);
	assert_int_equal(identity_judge(&standing, 200).who, WHO_KNOWN);
	assert_int_equal(identity_judge(&standing, 201).who, WHO_EXPIRED);
	standing.state = ROSTER_REVOKED;
	assert_int_equal(identity_judge(&standing, 201).who, WHO_REVOKED);
	assert_int_equal(identity_judge(NULL, 1).who, WHO_UNKNOWN);
	standing.state = (enum roster_state)99;
	assert_false(identity_judge(&standing, 150).who == WHO_KNOWN);
}

/* Each location lets in another group or everybody, so that a verdict tells which one decided. */
static void locations_are_asked_in_the_order_that_nginx_has(void **state)
{
	struct fixture *fixture = *state;
	const struct rule_options rules[] = {
		{.who = &who_staff},
		{.path = "~ \\.txt$", .no_certificate = NO_CERTIFICATE_ALLOW},
		{.path = "~* ^/API/V[0-9]+/", .who = &who_admins},
		{.path = "/api", .no_certificate = NO_CERTIFICATE_ALLOW},
		{.path = "/api/deep", .who = &who_admins},
		{.path = "^~ /api/shut", .who = &who_staff},
		{.path = "= /api/shut/x", .no_certificate = NO_CERTIFICATE_ALLOW},
	};
	struct policy *policy = make(rules, 7);

	/* The prefix, when no expression holds. */
	assert_int_equal(decide(fixture, policy, "/api/x", &nobody), VERDICT_PASS);
	assert_int_equal(decide(fixture, policy, "/api/deep/x", &fixture->alice), VERDICT_NOT_ALLOWED);
	/* The first expression that holds, before any prefix. */
	assert_int_equal(decide(fixture, policy, "/api/deep/x.txt", &nobody), VERDICT_PASS);
	assert_int_equal(decide(fixture, policy, "/api/v7/x", &fixture->alice), VERDICT_NOT_ALLOWED);
	assert_int_equal(decide(fixture, policy, "/api/v7/x.txt", &nobody), VERDICT_PASS);
	/* ^~ is final, but an exact one comes before it. */
	assert_int_equal(decide(fixture, policy, "/api/shut/y.txt", &nobody), VERDICT_NOBODY);
	assert_int_equal(decide(fixture, policy, "/api/shut/y.txt", &fixture->alice), VERDICT_PASS);
	assert_int_equal(decide(fixture, policy, "/api/shut/x", &nobody), VERDICT_PASS);
	assert_int_equal(decide(fixture, policy, "/api/shut/xy", &nobody), VERDICT_NOBODY);
	assert_int_equal(decide(fixture, policy, "/other", &nobody), VERDICT_NOBODY);
	policy_free(policy);
}

static void an_expression_is_asked_for_each_reading_of_a_path(void **state)
{
	struct fixture *fixture = *state;
	const struct rule_options open[] = {
		{.who = &who_staff},
		{.path = "~ ^/api/v[0-9]+/hooks", .no_certificate = NO_CERTIFICATE_ALLOW},
	};
	const struct rule_options shut[] = {
		{.no_certificate = NO_CERTIFICATE_ALLOW},
		{.path = "~ ^/admin/(users|keys)$", .no_certificate = NO_CERTIFICATE_EXPLAIN},
		{.path = "= /secret", .no_certificate = NO_CERTIFICATE_EXPLAIN},
		{.path = "~ ^/end/$", .no_certificate = NO_CERTIFICATE_EXPLAIN},
		{.path = "= /last/", .no_certificate = NO_CERTIFICATE_EXPLAIN},
	};
	static const char *const stays_shut[] = {"/admin/users", "/ADMIN/users", "/admin/Keys", "/admin/keys/", "/secret",
						 "/SECRET", "/secret/", "/Secret/", "/end/", "/end", "/END", "/last/", "/last",
						 "/LAST"};
	static const char *const stays_open[] = {"/admin", "/admin/userx", "/admin/users/x", "/secrets", "/secret/x", "/endx",
						 "/end//x", "/last/x", "/las", "/"};
	struct policy *policy = make(open, 2);
	struct judgement judgement;
	size_t i;

	assert_int_equal(decide(fixture, policy, "/api/v1/hooks/x", &nobody), VERDICT_PASS);
	assert_int_equal(decide(fixture, policy, "/API/v1/hooks/x", &nobody), VERDICT_NOBODY);
	judgement = policy_decide(policy, ERRAND(SPAN("/api/v1/hooks/..%2F..%2Fadmin"), SPAN("/api/admin")), &nobody,
				  fixture->roster, NOW);
	assert_int_equal(judgement.verdict, VERDICT_NOBODY);
	judgement = policy_decide(policy, ERRAND(SPAN("/api/v1/hooks;x/y"), SPAN("/api/v1/hooks/y")), &nobody,
				  fixture->roster, NOW);
	assert_int_equal(judgement.verdict, VERDICT_PASS);
	policy_free(policy);
	policy = make(shut, 5);
	for (i = 0; i < sizeof stays_shut / sizeof *stays_shut; i++) {
		if (decide(fixture, policy, stays_shut[i], &nobody) != VERDICT_NOBODY)
			fail_msg("%s is open", stays_shut[i]);
		judgement = policy_decide(policy, ERRAND(SPAN("/x%2Fy"), span_of(stays_shut[i])), &nobody,
					  fixture->roster, NOW);
		assert_int_equal(judgement.verdict, VERDICT_NOBODY);
	}
	for (i = 0; i < sizeof stays_open / sizeof *stays_open; i++)
		if (decide(fixture, policy, stays_open[i], &nobody) != VERDICT_PASS)
			fail_msg("%s is shut", stays_open[i]);
	policy_free(policy);
}

static enum verdict decide_from(struct fixture *fixture, struct policy *policy, const char *path, const char *address,
				const struct identity *who, const char *method)
{
	uint8_t bytes[NETWORK_BYTES];
	struct address parsed;
	struct errand errand = {.path = span_of(path), .other = SPAN(""), .method = span_of(method)};
	struct judgement judgement;

	if (address) {
		assert_true(address_parse_ip(span_of(address), &parsed));
		assert_true(network_bytes(&parsed, bytes));
		errand.from = bytes;
	}
	judgement = policy_decide(policy, &errand, who, fixture->roster, NOW);
	return judgement.verdict;
}

static void a_request_must_come_from_the_rules_networks(void **state)
{
	struct fixture *fixture = *state;
	char *inside[] = {(char *)"10.0.0.0/8", (char *)"2001:db8::/32"}, *outside[] = {(char *)"192.0.2.0/24"};
	const struct value_texts from_inside = {inside, 2}, from_outside = {outside, 1};
	const struct rule_options rules[] = {
		{.no_certificate = NO_CERTIFICATE_WATCH, .allow_from = &from_inside},
		{.path = "/hooks", .no_certificate = NO_CERTIFICATE_ALLOW, .allow_from = &from_outside},
		{.path = "/open", .no_certificate = NO_CERTIFICATE_ALLOW},
	};
	struct policy *policy = make(rules, 3);
	struct judgement judgement;

	assert_true(policy_asks_address(policy));
	assert_int_equal(decide_from(fixture, policy, "/", "10.1.2.3", &fixture->alice, "GET"), VERDICT_PASS);
	assert_int_equal(decide_from(fixture, policy, "/", "::ffff:10.1.2.3", &fixture->alice, "GET"), VERDICT_PASS);
	assert_int_equal(decide_from(fixture, policy, "/", "2001:db8::1", &fixture->alice, "GET"), VERDICT_PASS);
	assert_int_equal(decide_from(fixture, policy, "/", "192.0.2.1", &fixture->alice, "GET"), VERDICT_NOT_FROM_THERE);
	assert_int_equal(decide_from(fixture, policy, "/hooks", "192.0.2.1", &nobody, "GET"), VERDICT_PASS);
	assert_int_equal(decide_from(fixture, policy, "/hooks", "10.1.2.3", &nobody, "GET"), VERDICT_NOT_FROM_THERE);
	assert_int_equal(decide_from(fixture, policy, "/HOOKS", "192.0.2.1", &nobody, "GET"), VERDICT_NOT_FROM_THERE);
	/* Inherited; and an address that nobody knows is in no network. */
	assert_int_equal(decide_from(fixture, policy, "/open", "192.0.2.1", &nobody, "GET"), VERDICT_NOT_FROM_THERE);
	assert_int_equal(decide_from(fixture, policy, "/open", NULL, &nobody, "GET"), VERDICT_NOT_FROM_THERE);
	/* Watching is for certificates alone. */
	judgement = policy_decide(policy, ERRAND(SPAN("/"), SPAN("")), &nobody, fixture->roster, NOW);
	assert_false(judgement.passes);
	policy_free(policy);
}

static void a_rule_takes_its_methods_and_says_which(void **state)
{
	struct fixture *fixture = *state;
	char *reading[] = {(char *)"GET"}, *posting[] = {(char *)"POST", (char *)"PROPFIND"};
	const struct value_texts get = {reading, 1}, post = {posting, 2};
	const struct rule_options rules[] = {
		{.no_certificate = NO_CERTIFICATE_WATCH, .methods = &get},
		{.path = "/hooks", .no_certificate = NO_CERTIFICATE_ALLOW, .methods = &post},
		{.path = "/shut", .no_certificate = NO_CERTIFICATE_EXPLAIN},
	};
	struct policy *policy = make(rules, 3);
	struct errand errand = {.path = SPAN("/hooks/x"), .other = SPAN(""), .method = SPAN("GET")};
	struct judgement judgement;

	assert_int_equal(decide_from(fixture, policy, "/", NULL, &fixture->alice, "GET"), VERDICT_PASS);
	assert_int_equal(decide_from(fixture, policy, "/", NULL, &fixture->alice, "HEAD"), VERDICT_PASS);
	assert_int_equal(decide_from(fixture, policy, "/", NULL, &fixture->alice, "GE"), VERDICT_METHOD);
	assert_int_equal(decide_from(fixture, policy, "/", NULL, &fixture->alice, "POST"), VERDICT_METHOD);
	assert_int_equal(decide_from(fixture, policy, "/hooks", NULL, &nobody, "PROPFIND"), VERDICT_PASS);
	assert_int_equal(decide_from(fixture, policy, "/shut", NULL, &nobody, "POST"), VERDICT_NOBODY);
	judgement = policy_decide(policy, &errand, &nobody, fixture->roster, NOW);
	assert_int_equal(judgement.verdict, VERDICT_METHOD);
	assert_false(judgement.passes);
	assert_string_equal(judgement.methods, "POST, PROPFIND");
	errand = (struct errand){.path = SPAN("/"), .other = SPAN(""), .method = SPAN("PUT")};
	judgement = policy_decide(policy, &errand, &nobody, fixture->roster, NOW);
	assert_int_equal(judgement.verdict, VERDICT_METHOD);
	assert_false(judgement.passes);
	assert_string_equal(judgement.methods, "GET, HEAD");
	policy_free(policy);
}

static void the_lowest_ceiling_of_what_a_path_might_meet_holds(void **state)
{
	struct fixture *fixture = *state;
	const struct rule_options rules[] = {
		{.body_ceiling = 1000},
		{.path = "/up", .body_ceiling = 5000},
		{.path = "/small", .body_ceiling = 10},
		{.path = "/same"},
	};
	struct policy *policy = make(rules, 4);

	assert_int_equal(policy_decide(policy, ERRAND(SPAN("/up/x"), SPAN("")), &fixture->alice, fixture->roster, NOW).body_ceiling, 5000);
	assert_int_equal(policy_decide(policy, ERRAND(SPAN("/up/x"), SPAN("")), &fixture->alice, fixture->roster, NOW).rule, 1);
	assert_int_equal(policy_decide(policy, ERRAND(SPAN("/same"), SPAN("")), &fixture->alice, fixture->roster, NOW).body_ceiling, 1000);
	assert_int_equal(policy_decide(policy, ERRAND(SPAN("/up%2F..%2Fsmall"), SPAN("/small")), &fixture->alice, fixture->roster, NOW).body_ceiling, 10);
	assert_int_equal(policy_decide(policy, ERRAND(SPAN("/UP"), SPAN("")), &fixture->alice, fixture->roster, NOW).body_ceiling, 1000);
	policy_free(policy);
}

static void the_digest_knows_places_networks_and_methods(void **state)
{
	char *one[] = {(char *)"10.0.0.0/8"}, *other[] = {(char *)"10.0.0.0/9"}, *get[] = {(char *)"GET"}, *post[] = {(char *)"POST"};
	const struct value_texts from_one = {one, 1}, from_other = {other, 1}, by_get = {get, 1}, by_post = {post, 1};
	const struct rule_options some[][3] = {
		{{.path = NULL}, {.path = "/a"}, {.path = "~ b"}},
		{{.path = NULL}, {.path = "= /a"}, {.path = "~ b"}},
		{{.path = NULL}, {.path = "^~ /a"}, {.path = "~ b"}},
		{{.path = NULL}, {.path = "/a"}, {.path = "~* b"}},
		{{.path = NULL}, {.path = "~ a"}, {.path = "~ b"}},
		{{.path = NULL}, {.path = "~ b"}, {.path = "~ a"}},
		{{.allow_from = &from_one}, {.path = "/a"}, {.path = "~ b"}},
		{{.allow_from = &from_other}, {.path = "/a"}, {.path = "~ b"}},
		{{.methods = &by_get}, {.path = "/a"}, {.path = "~ b"}},
		{{.methods = &by_post}, {.path = "/a"}, {.path = "~ b"}},
		{{.path = NULL}, {.path = "/a", .methods = &by_post}, {.path = "~ b"}},
	};
	enum { SOME = sizeof some / sizeof *some };
	struct policy *policies[SOME];
	size_t i, j;

	(void)state;
	for (i = 0; i < SOME; i++)
		policies[i] = make(some[i], 3);
	for (i = 0; i < SOME; i++)
		for (j = 0; j < SOME; j++)
			assert_int_equal(memcmp(policy_digest(policies[i]), policy_digest(policies[j]),
						POLICY_DIGEST_SIZE) == 0, i == j);
	for (i = 0; i < SOME; i++)
		policy_free(policies[i]);
}

static void what_a_rule_cannot_ask_for_is_refused(void **state)
{
	char *from[] = {(char *)"10.0.0.1/8"}, *lower_case[] = {(char *)"get"}, *doubled[] = {(char *)"GET", (char *)"GET"};
	const struct value_texts bad_from = {from, 1}, bad_method = {lower_case, 1}, twice_get = {doubled, 2};
	const struct rule_options network[] = {{.path = NULL}, {.path = "/a", .allow_from = &bad_from}};
	const struct rule_options method[] = {{.methods = &bad_method}};
	const struct rule_options twice[] = {{.methods = &twice_get}};
	const struct rule_options same[] = {{.path = NULL}, {.path = "/a"}, {.path = "^~ /a/"}};
	const struct rule_options fine[] = {{.path = NULL}, {.path = "/a"}, {.path = "= /a"}, {.path = "~ /a"}, {.path = "~* /a"}};
	const struct rule_options pattern[] = {{.path = NULL}, {.path = "~ ^/(a"}};

	(void)state;
	assert_refuses(network, 2, "location \"/a\": allow-from: \"10.0.0.1/8\": the address has bits behind its prefix");
	assert_refuses(method, 1, "methods: \"get\" is none; write GET, POST or the like");
	assert_refuses(twice, 1, "methods: GET is there twice");
	assert_refuses(same, 3, "location \"^~ /a/\": it is there twice");
	assert_refuses(pattern, 2, "location \"~ ^/(a\": \"^/(a\", character 5: the ( is not closed; write \\( for a parenthesis");
	policy_free(make(fine, 5));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(locations_are_asked_in_the_order_that_nginx_has, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_expression_is_asked_for_each_reading_of_a_path, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_request_must_come_from_the_rules_networks, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_rule_takes_its_methods_and_says_which, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_lowest_ceiling_of_what_a_path_might_meet_holds, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_digest_knows_places_networks_and_methods, set_up, tear_down),
		cmocka_unit_test_setup_teardown(what_a_rule_cannot_ask_for_is_refused, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_site_without_words_lets_every_known_device_in_and_nobody_else, set_up, tear_down),
		cmocka_unit_test_setup_teardown(groups_decide_and_are_remembered_by_set, set_up, tear_down),
		cmocka_unit_test_setup_teardown(everyone_is_every_known_device, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_longest_location_decides_and_inherits_the_rest, set_up, tear_down),
		cmocka_unit_test_setup_teardown(letters_of_another_case_meet_the_stricter_rule, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_second_reading_must_pass_too, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_allow_file_counts_beside_the_groups, set_up, tear_down),
		cmocka_unit_test_setup_teardown(an_unreadable_allow_file_refuses_everybody, set_up, tear_down),
		cmocka_unit_test_setup_teardown(watch_lets_pass_and_says_what_it_would_have_said, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_watch_ends_at_its_second_and_not_before, set_up, tear_down),
		cmocka_unit_test_setup_teardown(watch_never_lets_in_who_was_shut_out_by_hand, set_up, tear_down),
		cmocka_unit_test_setup_teardown(known_devices_are_watched_apart_from_nobody, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_group_can_be_enforced_while_the_others_are_watched, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_judgement_names_the_location_whose_rule_it_was, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_digest_knows_how_long_is_watched_and_for_whom, set_up, tear_down),
		cmocka_unit_test(equal_rules_have_equal_digests_and_others_do_not),
		cmocka_unit_test(a_bad_location_is_named),
		cmocka_unit_test(a_public_site_does_not_ask_but_one_shut_location_makes_it_ask),
		cmocka_unit_test(each_state_of_the_roster_has_its_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
