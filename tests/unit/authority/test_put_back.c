/* Whoever can write the registry brings nobody back, and keeps nobody in. */
#include "authority/authority_handle.h"
#include "authority/house_files.h"
#include "base/encode.h"
#include "base/file.h"
#include "event/loop.h"
#include "house_fixture.h"
#include "registry/audit_record.h"

#define ALICE "{'name': 'Alice', 'email': 'alice@example.com', 'groups': ['staff']}"
#define PHONE "{'person': 'alice', 'label': 'phone', 'kind': 'phone', 'form': 'pem'}"

static uint8_t fingerprint[32];

static void add_phone(struct authority *authority)
{
	json_t *made;

	done(authority, "person-add", ALICE);
	made = asked(authority, "device-add", PHONE);
	assert_true(hex_read(span_of(text_of(made, "fingerprint")), fingerprint, 32));
	json_decref(made);
}

static enum roster_state word_of_phone(const struct authority *authority)
{
	struct standing standing;

	return roster_find(authority->roster, fingerprint, &standing) ? standing.state : ROSTER_REVOKED;
}

static void keep_rows(void)
{
	by_hand("CREATE TABLE kept_d AS SELECT * FROM device; CREATE TABLE kept_c AS SELECT * FROM certificate;"
		"CREATE TABLE kept_p AS SELECT * FROM person");
}

static void put_rows_back(void)
{
	by_hand("DELETE FROM certificate; DELETE FROM device; DELETE FROM person; INSERT INTO person SELECT * FROM kept_p;"
		"INSERT INTO device SELECT * FROM kept_d; INSERT INTO certificate SELECT * FROM kept_c");
}

static void expect_revoked(bool label_is_free)
{
	struct authority *authority = open_authority();
	json_t *words = asked(authority, "device-list", "{}");
	const json_t *device = json_array_get(json_object_get(words, "devices"), 0);
	struct audit_head head;
	struct error err;

	assert_int_equal(word_of_phone(authority), ROSTER_REVOKED);
	assert_string_equal(text_of(device, "state"), "revoked");
	json_decref(words);
	FINE(audit_record_verify(authority->registry, &head, &err));
	if (label_is_free)
		done(authority, "device-add", PHONE);
	authority_free(authority);
}

static void old_rows_put_back_stay_revoked(void **unused)
{
	struct authority *authority = open_authority();

	(void)unused;
	add_phone(authority);
	authority_free(authority);
	keep_rows();
	authority = open_authority();
	assert_int_equal(word_of_phone(authority), ROSTER_ACTIVE);
	done(authority, "device-revoke", "{'device': 'alice/phone', 'reason': 'stolen'}");
	authority_free(authority);
	put_rows_back();
	expect_revoked(true);
}

static void an_older_copy_of_the_whole_registry_forgets_no_revocation(void **unused)
{
	struct authority *authority = open_authority();

	(void)unused;
	add_phone(authority);
	authority_free(authority);
	assert_int_equal(run_shell("cp %s/registry.db %s/backup.db", state, folder), 0);
	authority = open_authority();
	done(authority, "device-revoke", "{'device': 'alice/phone'}");
	authority_free(authority);
	assert_int_equal(run_shell("rm -f %s/registry.db*; cp %s/backup.db %s/registry.db", state, folder, state), 0);
	expect_revoked(false);
	/* It is written into the copy too: without the list it holds. */
	assert_int_equal(run_shell("rm %s/revoked.list", state), 0);
	expect_revoked(false);
}

static void an_older_copy_forgets_no_removed_person(void **unused)
{
	struct authority *authority = open_authority();

	(void)unused;
	add_phone(authority);
	authority_free(authority);
	assert_int_equal(run_shell("cp %s/registry.db %s/backup.db", state, folder), 0);
	authority = open_authority();
	done(authority, "person-remove", "{'person': 'alice'}");
	authority_free(authority);
	assert_int_equal(run_shell("rm -f %s/registry.db*; cp %s/backup.db %s/registry.db", state, folder, state), 0);
	authority = open_authority();
	assert_says(refused(authority, "device-add", "{'person': 'alice', 'label': 'new', 'form': 'pem'}"), "alice");
	assert_int_equal(word_of_phone(authority), ROSTER_REVOKED);
	done(authority, "person-add", ALICE);
	authority_free(authority);
}

/* The row is broken before the revocation, so that it is not written anew, and mended behind it. */
static void a_row_broken_before_and_mended_behind_stays_revoked(void **unused)
{
	struct authority *authority = open_authority();
	char words[128];
	json_t *list;

	(void)unused;
	add_phone(authority);
	list = asked(authority, "device-list", "{}");
	snprintf(words, sizeof words, "{'device': '%.32s'}",
		 text_of(json_array_get(json_object_get(list, "devices"), 0), "device"));
	json_decref(list);
	by_hand("UPDATE device SET reason = 'x'");
	done(authority, "device-revoke", words);
	assert_int_equal(word_of_phone(authority), ROSTER_REVOKED);
	authority_free(authority);
	by_hand("UPDATE device SET reason = ''");
	expect_revoked(false);
}

/* The certificate's row is hidden from the revocation. */
static void a_hidden_certificate_is_revoked_with_its_device(void **unused)
{
	static const char *const hidings[] = {"DELETE FROM certificate", "UPDATE certificate SET device = x'00'"};
	unsigned i;

	(void)unused;
	for (i = 0; i < 2; i++) {
		struct authority *authority = open_authority();

		add_phone(authority);
		by_hand(hidings[i]);
		assert_int_equal(word_of_phone(authority), ROSTER_ACTIVE);
		done(authority, "device-revoke", "{'device': 'alice/phone'}");
		assert_int_equal(word_of_phone(authority), ROSTER_REVOKED);
		done(authority, "person-remove", "{'person': 'alice'}");
		authority_free(authority);
	}
}

/* Killed between the registry's commit and the list's: what the list lacks is added when it is read next. */
static void a_crash_between_registry_and_list_is_made_good(void **unused)
{
	struct authority *authority = open_authority();
	struct buffer list;
	struct error err;

	(void)unused;
	add_phone(authority);
	authority_free(authority);
	keep_rows();
	assert_int_equal(run_shell("cp %s/revoked.list %s/list", state, folder), 0);
	authority = open_authority();
	done(authority, "device-revoke", "{'device': 'alice/phone'}");
	authority_free(authority);
	assert_int_equal(run_shell("cp %s/list %s/revoked.list", folder, state), 0);
	expect_revoked(false);
	buffer_init(&list, 65536);
	{
		char path[256];

		snprintf(path, sizeof path, "%s/revoked.list", state);
		FINE(file_load(path, &list, &err));
	}
	assert_non_null(strstr(buffer_text(&list), "\ndevice "));
	buffer_release(&list);
	put_rows_back();
	expect_revoked(true);
}

/* Each write and each fsync of a revocation fails once: it is refused and not done, or done for good. */
static void a_revocation_is_whole_or_not_at_all(void **unused)
{
	static const char *const points[] = {"write", "fsync"};
	unsigned i, n, held = 0, undone = 0;

	(void)unused;
	{
		struct authority *authority = open_authority();

		add_phone(authority);
		authority_free(authority);
		keep_rows();
		assert_int_equal(run_shell("rm -rf %s.kept; cp -a %s %s.kept", state, state, state), 0);
	}
	for (i = 0; i < 2; i++)
		for (n = 1; n < 12; n++) {
			struct authority *authority;
			json_t *words = json_pack("{s:s}", "device", "alice/phone"), *out = NULL;
			enum status status;
			struct error err;

			assert_int_equal(run_shell("rm -rf %s; cp -a %s.kept %s", state, state, state), 0);
			authority = open_authority();
			fault_arm(points[i], n);
			status = authority_answer_now(authority, "device-revoke", words, &out, &err);
			fault_arm("", 0);
			json_decref(words);
			json_decref(out);
			assert_int_equal(word_of_phone(authority), status == OK ? ROSTER_REVOKED : ROSTER_ACTIVE);
			authority_free(authority);
			if (status == OK) {
				expect_revoked(false);
				put_rows_back();
				expect_revoked(false);
				held++;
			} else {
				authority = open_authority();
				assert_int_equal(word_of_phone(authority), ROSTER_ACTIVE);
				authority_free(authority);
				undone++;
			}
		}
	assert_true(held > 0 && undone > 0);
	assert_int_equal(run_shell("rm -rf %s.kept", state), 0);
}

/* Rows that went away grant nothing a second later, though nobody asks about them. */
static void what_another_program_takes_away_is_noticed(void **unused)
{
	struct authority *authority = open_authority();
	struct loop *loop = NULL;
	struct error err;
	int64_t until;

	(void)unused;
	add_phone(authority);
	FINE(loop_new(&loop, &err));
	FINE(authority_attach(authority, loop, &err));
	by_hand("DELETE FROM certificate");
	assert_int_equal(word_of_phone(authority), ROSTER_ACTIVE);
	until = clock_read().mono + SECONDS(20);
	while (word_of_phone(authority) == ROSTER_ACTIVE && clock_read().mono < until)
		loop_turn(loop, 100);
	assert_int_equal(word_of_phone(authority), ROSTER_REVOKED);
	authority_free(authority);
	loop_free(loop);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_house, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(old_rows_put_back_stay_revoked),
		TEST(an_older_copy_of_the_whole_registry_forgets_no_revocation),
		TEST(an_older_copy_forgets_no_removed_person),
		TEST(a_row_broken_before_and_mended_behind_stays_revoked),
		TEST(a_hidden_certificate_is_revoked_with_its_device),
		TEST(a_crash_between_registry_and_list_is_made_good),
		TEST(a_revocation_is_whole_or_not_at_all),
		TEST(what_another_program_takes_away_is_noticed),
	};

	return cmocka_run_group_tests(tests, NULL, remove_kept_house);
}
