#include "authority/house.h"

#include <fcntl.h>
#include <sys/stat.h>

#include "authority/authority.h"
#include "base/buffer.h"
#include "base/file.h"
#include "house_fixture.h"
#include "pki/certificate.h"
#include "pki/key.h"
#include "pki/recovery.h"

static bool has(const char *name)
{
	char path[256];

	snprintf(path, sizeof path, "%s/%s", state, name);
	return access(path, F_OK) == 0;
}

static unsigned mode_of(const char *name)
{
	struct stat facts;
	char path[256];

	snprintf(path, sizeof path, "%s/%s", state, name);
	assert_int_equal(stat(path, &facts), 0);
	return facts.st_mode & 07777;
}

static struct certificate *certificate_at(const char *name)
{
	struct certificate *certificate = NULL;
	struct buffer text;
	struct error err;
	char path[256];

	snprintf(path, sizeof path, "%s/%s", state, name);
	buffer_init(&text, 65536);
	FINE(file_load(path, &text, &err));
	FINE(certificate_parse_pem(buffer_span(&text), &certificate, &err));
	buffer_release(&text);
	return certificate;
}

static void a_house_has_everything_and_keys_are_private(void **unused)
{
	struct house_plan plan = usual_plan();
	struct house_file config = {"chatelaine.conf", 0644, SPAN("listen = {}\n")};
	struct error err;

	(void)unused;
	plan.files = &config;
	plan.file_count = 1;
	FINE(house_init(&plan, &err));
	assert_true(house_exists(state));
	assert_true(has("chatelaine.conf"));
	assert_false(has("init.unfinished"));
	assert_int_equal(mode_of(""), 0700);
	assert_int_equal(mode_of("registry.db"), 0600);
	assert_int_equal(mode_of("root.key"), 0600);
	assert_int_equal(mode_of("issuing.key"), 0600);
	assert_int_equal(mode_of("next.key"), 0600);
	assert_int_equal(mode_of("row.key"), 0600);
	assert_int_equal(mode_of("cli.token"), 0600);
	assert_int_equal(mode_of("server/chat.example.com.key"), 0600);
	authority_free(open_authority());
}

static void the_root_key_opens_with_the_phrase_alone(void **unused)
{
	struct house_plan plan = usual_plan();
	struct key *key = NULL;
	struct secret *typed = NULL;
	struct certificate *root;
	struct buffer text;
	struct error err;
	char path[256];

	(void)unused;
	FINE(house_init(&plan, &err));
	buffer_init(&text, 65536);
	snprintf(path, sizeof path, "%s/root.key", state);
	FINE(file_load(path, &text, &err));
	assert_int_equal(key_parse_pem(buffer_span(&text), SPAN("wrong"), &key, &err), REFUSED);
	FINE(recovery_read(span_of(phrase), &typed, &err));
	FINE(key_parse_pem(buffer_span(&text), secret_span(typed), &key, &err));
	root = certificate_at("root.pem");
	assert_true(certificate_matches_key(root, key));
	certificate_free(root);
	secret_free(typed);
	key_free(key);
	buffer_release(&text);
}

static void the_next_authority_is_there_before_the_present_one_is_too_old(void **unused)
{
	struct house_plan plan = usual_plan();
	struct certificate *present, *next;
	struct error err;

	(void)unused;
	FINE(house_init(&plan, &err));
	present = certificate_at("issuing.pem");
	next = certificate_at("next.pem");
	assert_true(certificate_facts(next)->not_before < certificate_facts(present)->not_after - 402 * 86400);
	assert_true(certificate_facts(next)->not_after > certificate_facts(present)->not_after + 300 * 86400);
	certificate_free(present);
	certificate_free(next);
}

static void check_server_for(const char *site, const char *file, const char *domain)
{
	struct house_plan plan = usual_plan();
	struct certificate *server;
	struct authority *authority;
	json_t *figures;
	struct error err;

	plan.site = span_of(site);
	FINE(house_init(&plan, &err));
	server = certificate_at(file);
	assert_true(certificate_covers_host(server, span_of(site)));
	certificate_free(server);
	authority = open_authority();
	figures = asked(authority, "status", "{}");
	assert_string_equal(text_of(figures, "site_trust_domain"), domain);
	json_decref(figures);
	authority_free(authority);
	assert_int_equal(run_shell("rm -rf %s", state), 0);
}

static void the_server_certificate_names_hosts_and_addresses(void **unused)
{
	(void)unused;
	check_server_for("chat.local", "server/chat.local.pem", "chat.local");
	check_server_for("192.0.2.7", "server/192.0.2.7.pem", "ip-192-0-2-7.internal");
	check_server_for("2001:db8::7", "server/2001:db8::7.pem", "ip-2001-db8--7.internal");
}

static void a_second_init_is_refused(void **unused)
{
	struct house_plan plan = usual_plan();
	struct error err;

	(void)unused;
	FINE(house_init(&plan, &err));
	assert_int_equal(run_shell("cp -a %s %s/before", state, folder), 0);
	assert_int_equal(house_init(&plan, &err), REFUSED);
	assert_says(err.text, "already holds a certificate authority; use another --state");
	assert_int_equal(run_shell("diff -r %s %s/before", state, folder), 0);
}

static void keys_without_a_registry_are_not_overwritten(void **unused)
{
	struct house_plan plan = usual_plan();
	struct error err;

	(void)unused;
	FINE(house_init(&plan, &err));
	assert_int_equal(run_shell("rm %s/registry.db", state), 0);
	assert_int_equal(house_init(&plan, &err), REFUSED);
	assert_says(err.text, "but no registry: restore the registry from a backup");
	assert_true(has("root.key"));
}

static void a_bad_site_is_refused_and_nothing_is_made(void **unused)
{
	static const char *const bad[] = {"", "https://chat.example.com", "chat.example.com:443", "a b", "-x.de",
					  "x..y", "caf\xc3\xa9.example", "a/b"};
	struct house_plan plan = usual_plan();
	struct error err;
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		plan.site = span_of(bad[i]);
		assert_int_equal(house_init(&plan, &err), REFUSED);
		assert_says(err.text, "is not a host name or an IP address");
		assert_int_equal(access(state, F_OK), -1);
	}
}

static enum status cannot_show(void *arg, struct span text, struct error *err)
{
	(void)arg;
	(void)text;
	return error_refuse(err, "no terminal");
}

static void a_phrase_that_was_not_shown_undoes_the_house(void **unused)
{
	struct house_plan plan = usual_plan();
	struct error err;

	(void)unused;
	plan.reveal = cannot_show;
	assert_int_equal(house_init(&plan, &err), REFUSED);
	assert_string_equal(err.text, "no terminal");
	assert_int_equal(access(state, F_OK), -1);
}

/* For every n: the n-th write, fsync or rename fails. Nothing is left, and the next init works. */
static void no_failing_write_leaves_half_a_house(void **unused)
{
	static const struct {
		const char *point;
		unsigned least;
	} points[] = {{"rename", 8}, {"fsync", 12}, {"write", 30}};
	struct house_plan plan = usual_plan();
	struct error err;
	size_t i;

	(void)unused;
	for (i = 0; i < sizeof points / sizeof *points; i++) {
		unsigned n;

		for (n = 1; n < 300; n++) {
			enum status status;

			fault_arm(points[i].point, n);
			status = house_init(&plan, &err);
			fault_arm("", 0);
			if (status == OK)
				break;
			assert_true(strlen(err.text) > 10);
			if (access(state, F_OK) == 0)
				fail_msg("%s %u (%s) left %s", points[i].point, n, err.text, state);
		}
		assert_true(n > points[i].least);
		authority_free(open_authority());
		assert_int_equal(run_shell("rm -rf %s", state), 0);
	}
}

static void what_a_crash_left_is_cleared_away(void **unused)
{
	struct house_plan plan = usual_plan();
	struct error err;

	(void)unused;
	FINE(house_init(&plan, &err));
	/* As if it had died between two of the moves. */
	assert_int_equal(run_shell("cd %s && mkdir -p init.unfinished/server && mv registry.db row.key init.unfinished/",
				   state), 0);
	assert_false(house_exists(state));
	FINE(house_init(&plan, &err));
	assert_false(has("init.unfinished"));
	authority_free(open_authority());
}

/* A crash between init's last two steps; much later the registry is lost. */
static void what_the_last_moment_of_a_making_left_endangers_no_house(void **unused)
{
	struct house_plan plan = usual_plan();
	struct authority_options options = {.state = state, .roster_room = 1000};
	struct authority *authority = NULL;
	struct error err;

	(void)unused;
	FINE(house_init(&plan, &err));
	assert_int_equal(run_shell("mkdir %s/init.unfinished", state), 0);
	FINE(authority_open(&options, &authority, &err));
	authority_free(authority);
	assert_int_equal(run_shell("rm %s/registry.db", state), 0);
	assert_int_equal(house_init(&plan, &err), REFUSED);
	assert_says(err.text, "but no registry");
	assert_true(has("root.key"));
	assert_true(has("revoked.list"));
}

static void a_state_in_use_is_said_with_its_process(void **unused)
{
	struct authority_options options = {.state = state};
	struct authority *first, *second = NULL;
	struct house_plan plan = usual_plan();
	struct error err;
	char holder[32];

	(void)unused;
	FINE(house_init(&plan, &err));
	first = open_authority();
	assert_int_equal(authority_open(&options, &second, &err), REFUSED);
	snprintf(holder, sizeof holder, "process %d ", (int)getpid());
	assert_says(err.text, holder);
	assert_null(second);
	authority_free(first);
	authority_free(open_authority());
}

static void a_folder_without_a_house_is_said(void **unused)
{
	struct authority_options options = {.state = state};
	struct authority *authority = NULL;
	struct error err;

	(void)unused;
	assert_int_equal(authority_open(&options, &authority, &err), REFUSED);
	assert_says(err.text, "holds no certificate authority; make one with `chatelaine init`");
}

static void damaged_files_are_named(void **unused)
{
	static const struct {
		const char *harm, *says;
	} cases[] = {
		{"echo x > row.key", "row.key is damaged"},
		{"head -c 64 /dev/zero | tr '\\0' a > row.key", "row.key is not the one of this registry"},
		{"rm issuing.key", "issuing.key: No such file"},
		{"cp next.key issuing.key", "issuing.key"},
		{"cp root.pem issuing.pem", "issuing.key"},
		{"echo > cli.token", "cli.token is damaged"},
		{"head -c 5000 registry.db > x; mv x registry.db", "registry.db"},
		{"echo hello world, this is no database at all > registry.db", "not a registry"},
	};
	struct house_plan plan = usual_plan();
	struct authority_options options = {.state = state};
	struct error err;
	size_t i;

	(void)unused;
	FINE(house_init(&plan, &err));
	assert_int_equal(run_shell("cp -a %s %s/good", state, folder), 0);
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct authority *authority = NULL;

		assert_int_equal(run_shell("rm -rf %s && cp -a %s/good %s && cd %s && %s", state, folder, state,
					   state, cases[i].harm), 0);
		if (authority_open(&options, &authority, &err) == OK)
			fail_msg("%s was not noticed", cases[i].harm);
		assert_says(err.text, cases[i].says);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_house_has_everything_and_keys_are_private),
		TEST(the_root_key_opens_with_the_phrase_alone),
		TEST(the_next_authority_is_there_before_the_present_one_is_too_old),
		TEST(the_server_certificate_names_hosts_and_addresses),
		TEST(a_second_init_is_refused),
		TEST(keys_without_a_registry_are_not_overwritten),
		TEST(a_bad_site_is_refused_and_nothing_is_made),
		TEST(a_phrase_that_was_not_shown_undoes_the_house),
		TEST(no_failing_write_leaves_half_a_house),
		TEST(what_a_crash_left_is_cleared_away),
		TEST(what_the_last_moment_of_a_making_left_endangers_no_house),
		TEST(a_state_in_use_is_said_with_its_process),
		TEST(a_folder_without_a_house_is_said),
		TEST(damaged_files_are_named),
	};

	return cmocka_run_group_tests(tests, NULL, remove_kept_house);
}
