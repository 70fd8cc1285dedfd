#include "registry/registry.h"

#include <fcntl.h>
#include <setjmp.h>
#include <sqlite3.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/buffer.h"
#include "base/fault.h"
#include "base/file.h"
#include "pki/digest.h"
#include "registry/audit_record.h"
#include "registry/certificate_record.h"
#include "registry/deed_record.h"
#include "registry/migration.h"

static const uint8_t key_bytes[REGISTRY_KEY_SIZE] = {1, 2, 3};
static char folder[64], path[128];

static struct span row_key(void)
{
	return span_make(key_bytes, sizeof key_bytes);
}

static int set_up(void **state)
{
	(void)state;
	snprintf(folder, sizeof folder, "/tmp/registry-XXXXXX");
	if (!mkdtemp(folder))
		return -1;
	snprintf(path, sizeof path, "%s/registry.db", folder);
	return 0;
}

static int tear_down(void **state)
{
	char command[128];

	(void)state;
	fault_arm("", 0);
	snprintf(command, sizeof command, "rm -rf %s", folder);
	return system(command);
}

#define FINE(call)                                                                                 \
	do {                                                                                       \
		enum status outcome = (call);                                                      \
		if (outcome != OK)                                                                 \
			fail_msg("%s: %s", #call, err.text);                                       \
	} while (0)

static struct registry *fresh(void)
{
	struct registry *registry = NULL;
	struct error err;

	FINE(registry_create(path, row_key(), SPAN("chat.example.com"), &err));
	FINE(registry_open(path, row_key(), &registry, &err));
	return registry;
}

static struct registry *again(void)
{
	struct registry *registry = NULL;
	struct error err;

	FINE(registry_open(path, row_key(), &registry, &err));
	return registry;
}

static struct person_record alice_record(void)
{
	struct person_record alice = {.name = "Alice", .email = "alice@example.com", .groups = "ops,staff",
				      .created = 1000, .changed = 1000};

	memset(alice.id, 0xa1, sizeof alice.id);
	return alice;
}

static struct device_record phone_record(void)
{
	struct device_record phone = {.has_person = true, .label = "Phone", .kind = KIND_PHONE,
				      .state = DEVICE_ACTIVE, .created = 1000, .changed = 1000};

	memset(phone.id, 0xd1, sizeof phone.id);
	memset(phone.person, 0xa1, sizeof phone.person);
	return phone;
}

static struct certificate_record certificate_of_phone(uint8_t number)
{
	struct certificate_record it = {.profile = "person", .not_before = 1000, .not_after = 9000,
					.created = 1000, .subject = "CN=Alice", .subject_slash = "/CN=Alice",
					.der_size = 3};

	memset(it.device, 0xd1, sizeof it.device);
	memset(it.der, number, 3);
	memset(it.serial, number, sizeof it.serial);
	memset(it.spki, number, sizeof it.spki);
	digest_sha256(span_make(it.der, 3), it.fingerprint);
	return it;
}

static void fill(struct registry *registry)
{
	struct person_record alice = alice_record();
	struct device_record phone = phone_record();
	struct certificate_record certificate = certificate_of_phone(7);
	struct error err;

	FINE(registry_begin(registry, &err));
	FINE(person_record_add(registry, &alice, &err));
	FINE(device_record_add(registry, &phone, &err));
	FINE(certificate_record_add(registry, &certificate, &err));
	FINE(audit_record_add(registry, 1000,
			      &(struct audit_entry){SPAN("test"), SPAN("device-add"), SPAN("d1"), SPAN("one")},
			      &err));
	FINE(audit_record_add(registry, 1001,
			      &(struct audit_entry){SPAN("test"), SPAN("device-add"), SPAN("d2"), SPAN("two")},
			      &err));
	FINE(registry_commit(registry, &err));
}

/* What somebody does with the sqlite3 shell. */
static void by_hand(const char *sql)
{
	sqlite3 *db = NULL;
	char *why = NULL;

	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	if (sqlite3_exec(db, sql, NULL, NULL, &why) != SQLITE_OK)
		fail_msg("%s: %s", sql, why);
	sqlite3_close(db);
}

struct seen_grants {
	unsigned believed, refused;
	char why[256];
};

static enum status look(void *arg, const struct grant *grant, struct error *err)
{
	struct seen_grants *seen = arg;

	(void)err;
	if (!grant->refused) {
		seen->believed++;
		return OK;
	}
	seen->refused++;
	snprintf(seen->why, sizeof seen->why, "%s", grant->refused);
	return OK;
}

static struct seen_grants grants(struct registry *registry)
{
	struct seen_grants seen = {0};
	struct error err;

	FINE(grant_each(registry, 0, look, &seen, &err));
	return seen;
}

static void what_was_committed_is_there_after_reopening(void **state)
{
	struct registry *registry = fresh();
	struct person_record alice;
	struct device_record phone;
	struct registry_counts counts;
	struct error err;

	(void)state;
	fill(registry);
	registry_free(registry);
	registry = again();
	assert_string_equal(registry_trust_domain(registry), "chat.example.com");
	FINE(person_record_find(registry, SPAN("aLICE"), &alice, &err));
	assert_true(alice.is_authentic);
	assert_string_equal(alice.groups, "ops,staff");
	FINE(person_record_find(registry, SPAN("ALICE@example.com"), &alice, &err));
	FINE(device_record_find_label(registry, alice.id, SPAN("phone"), &phone, &err));
	assert_true(phone.is_authentic);
	FINE(registry_count(registry, &counts, &err));
	assert_int_equal(counts.people, 1);
	assert_int_equal(counts.devices, 1);
	assert_int_equal(counts.certificates, 1);
	assert_int_equal(counts.audit_records, 2);
	assert_int_equal(grants(registry).believed, 1);
	registry_free(registry);
}

static void names_are_unique_but_the_removed_give_theirs_back(void **state)
{
	struct registry *registry = fresh();
	struct person_record alice = alice_record(), other = alice_record();
	struct error err;

	(void)state;
	FINE(person_record_add(registry, &alice, &err));
	memset(other.id, 0xa2, sizeof other.id);
	snprintf(other.name, sizeof other.name, "ALICE");
	snprintf(other.email, sizeof other.email, "else@example.com");
	assert_int_equal(person_record_add(registry, &other, &err), REFUSED);
	assert_string_equal(err.text,
			    "there is a person with the name \"ALICE\" or the e-mail else@example.com already");
	alice.state = PERSON_REMOVED;
	FINE(person_record_save(registry, &alice, &err));
	FINE(person_record_add(registry, &other, &err));
	registry_free(registry);
}

static void a_revoked_device_gives_its_label_back(void **state)
{
	struct registry *registry = fresh();
	struct device_record phone = phone_record(), second = phone_record(), found;
	struct error err;

	(void)state;
	fill(registry);
	memset(second.id, 0xd2, sizeof second.id);
	assert_int_equal(device_record_add(registry, &second, &err), REFUSED);
	phone.state = DEVICE_REVOKED;
	FINE(device_record_save(registry, &phone, &err));
	FINE(device_record_add(registry, &second, &err));
	FINE(device_record_find_label(registry, phone.person, SPAN("phone"), &found, &err));
	assert_memory_equal(found.id, second.id, sizeof found.id);
	registry_free(registry);
}

static void a_prefix_finds_by_single_digits(void **state)
{
	struct registry *registry = fresh();
	struct device_record second = phone_record(), found[4];
	struct error err;
	size_t count;

	(void)state;
	fill(registry);
	memset(second.id, 0xd2, sizeof second.id);
	snprintf(second.label, sizeof second.label, "second");
	FINE(device_record_add(registry, &second, &err));
	FINE(device_record_find_prefix(registry, SPAN("d"), found, 4, &count, &err));
	assert_int_equal(count, 2);
	FINE(device_record_find_prefix(registry, SPAN("D2d"), found, 4, &count, &err));
	assert_int_equal(count, 1);
	assert_string_equal(found[0].label, "second");
	FINE(device_record_find_prefix(registry, SPAN("d3"), found, 4, &count, &err));
	assert_int_equal(count, 0);
	assert_int_equal(device_record_find_prefix(registry, SPAN("xyz"), found, 4, &count, &err), REFUSED);
	registry_free(registry);
}

static void a_row_changed_by_hand_is_named_and_not_believed(void **state)
{
	static const struct {
		const char *sql, *names;
	} edits[] = {
		{"UPDATE person SET groups = 'admins'", "person a1a1"},
		{"UPDATE person SET role = 'admin'", "person a1a1"},
		{"UPDATE person SET name_key = 'bob'; UPDATE person SET state = 'suspended'", "person a1a1"},
		{"UPDATE device SET state = 'pending'", "device d1d1"},
		{"UPDATE device SET kind = 'nonsense'", "device d1d1"},
		{"UPDATE device SET person = NULL", "device d1d1"},
		{"UPDATE device SET label = x'00ff'", "device d1d1"},
		{"UPDATE certificate SET not_after = 99999999", "certificate "},
		{"UPDATE certificate SET not_after = 'later'; UPDATE certificate SET not_after = '99999x'",
		 "certificate "},
		{"UPDATE certificate SET mac = x''", "certificate "},
		{"UPDATE certificate SET subject = 'CN=root'", "certificate "},
		{"INSERT INTO device SELECT randomblob(16), person, 'evil', 'evil', kind, state, created, changed,"
		 " reason, mac FROM device; UPDATE certificate SET device = (SELECT id FROM device WHERE"
		 " label = 'evil')", "certificate "},
	};
	size_t i;

	for (i = 0; i < sizeof edits / sizeof *edits; i++) {
		struct registry *registry;
		struct seen_grants seen;

		set_up(state);
		registry = fresh();
		fill(registry);
		registry_free(registry);
		by_hand(edits[i].sql);
		registry = again();
		seen = grants(registry);
		assert_int_equal(seen.believed, 0);
		assert_int_equal(seen.refused, 1);
		if (strncmp(seen.why, edits[i].names, strlen(edits[i].names)) != 0)
			fail_msg("%s: %s", edits[i].sql, seen.why);
		assert_non_null(strstr(seen.why, "changed by hand"));
		registry_free(registry);
		tear_down(state);
	}
}

static void a_row_put_in_by_hand_is_not_believed(void **state)
{
	struct registry *registry = fresh();

	(void)state;
	fill(registry);
	registry_free(registry);
	by_hand("INSERT INTO certificate SELECT randomblob(32), randomblob(20), spki, device, profile, not_before,"
		" not_after, state, revoked, reason, created, subject, subject_slash, issuer, der, mac FROM certificate");
	registry = again();
	assert_int_equal(grants(registry).believed, 1);
	assert_int_equal(grants(registry).refused, 1);
	registry_free(registry);
}

static void a_folded_name_changed_by_hand_leads_nowhere(void **state)
{
	struct registry *registry = fresh();
	struct person_record found;
	struct error err;

	(void)state;
	fill(registry);
	registry_free(registry);
	by_hand("UPDATE person SET name_key = 'bob'");
	registry = again();
	FINE(person_record_find(registry, SPAN("bob"), &found, &err));
	assert_false(found.is_authentic);
	registry_free(registry);
}

static void a_planted_trigger_does_not_run(void **state)
{
	struct registry *registry = fresh();
	struct person_record bob = alice_record();
	struct registry_counts counts;
	struct error err;

	(void)state;
	fill(registry);
	registry_free(registry);
	by_hand("CREATE TRIGGER evil AFTER INSERT ON person BEGIN DELETE FROM audit; END");
	registry = again();
	memset(bob.id, 0xb0, sizeof bob.id);
	snprintf(bob.name, sizeof bob.name, "Bob");
	snprintf(bob.email, sizeof bob.email, "bob@example.com");
	FINE(person_record_add(registry, &bob, &err));
	FINE(registry_count(registry, &counts, &err));
	assert_int_equal(counts.audit_records, 2);
	registry_free(registry);
}

static void another_row_key_is_refused_with_a_sentence(void **state)
{
	uint8_t wrong[REGISTRY_KEY_SIZE] = {9};
	struct registry *registry = fresh();
	struct error err;

	(void)state;
	registry_free(registry);
	registry = NULL;
	assert_int_equal(registry_open(path, span_make(wrong, sizeof wrong), &registry, &err), REFUSED);
	assert_non_null(strstr(err.text, "row.key is not the one of this registry"));
	assert_null(registry);
}

static void a_changed_trust_domain_is_refused(void **state)
{
	struct registry *registry = fresh();
	struct error err;

	(void)state;
	registry_free(registry);
	registry = NULL;
	by_hand("UPDATE house SET value = x'6576696c' WHERE name = 'trust-domain'");
	assert_int_equal(registry_open(path, row_key(), &registry, &err), REFUSED);
	assert_non_null(strstr(err.text, "trust-domain was changed by hand"));
}

static void the_audit_chain_shows_every_change(void **state)
{
	static const char *const edits[] = {
		"UPDATE audit SET what = 'nothing' WHERE number = 1",
		"UPDATE audit SET at = at + 1 WHERE number = 2",
		"UPDATE audit SET number = 3 WHERE number = 2",
		"DELETE FROM audit WHERE number = 1",
		"UPDATE audit SET hash = before WHERE number = 1",
		"UPDATE audit SET detail = 5 WHERE number = 1",
	};
	struct audit_head before, after;
	struct error err;
	size_t i;

	for (i = 0; i < sizeof edits / sizeof *edits; i++) {
		struct registry *registry;

		set_up(state);
		registry = fresh();
		fill(registry);
		FINE(audit_record_verify(registry, &before, &err));
		assert_int_equal(before.count, 2);
		registry_free(registry);
		by_hand(edits[i]);
		registry = again();
		assert_int_equal(audit_record_verify(registry, &after, &err), REFUSED);
		assert_non_null(strstr(err.text, "audit record"));
		registry_free(registry);
		tear_down(state);
	}
	/* Cut off at its end it still fits, but not with a head that was kept elsewhere. */
	set_up(state);
	{
		struct registry *registry = fresh();

		fill(registry);
		registry_free(registry);
		by_hand("DELETE FROM audit WHERE number = 2");
		registry = again();
		FINE(audit_record_verify(registry, &after, &err));
		assert_memory_not_equal(after.hash, before.hash, sizeof after.hash);
		registry_free(registry);
	}
}

static void a_mark_undone_leaves_what_was_before_it(void **state)
{
	struct registry *registry = fresh();
	struct person_record alice = alice_record(), found;
	struct device_record phone = phone_record();
	struct error err;

	(void)state;
	FINE(registry_begin(registry, &err));
	FINE(registry_mark(registry, &err));
	FINE(person_record_add(registry, &alice, &err));
	FINE(registry_keep_mark(registry, &err));
	FINE(registry_mark(registry, &err));
	FINE(device_record_add(registry, &phone, &err));
	registry_undo_mark(registry);
	FINE(registry_commit(registry, &err));
	FINE(person_record_load(registry, alice.id, &found, &err));
	assert_int_equal(device_record_load(registry, phone.id, &phone, &err), REFUSED);
	registry_free(registry);
}

static void a_full_disk_is_said_and_changes_nothing(void **state)
{
	struct registry *registry = fresh();
	struct registry_counts counts;
	struct error err;
	enum status status = OK;
	unsigned i;

	(void)state;
	fill(registry);
	FINE(registry_limit_pages(registry, 1, &err)); /* SQLite takes the present size instead */
	FINE(registry_begin(registry, &err));
	for (i = 0; i < 400 && status == OK; i++) {
		struct certificate_record certificate = certificate_of_phone((uint8_t)i);

		memcpy(certificate.serial, &i, sizeof i);
		memcpy(certificate.fingerprint, &i, sizeof i);
		status = certificate_record_add(registry, &certificate, &err);
	}
	assert_int_equal(status, FAILED);
	assert_non_null(strstr(err.text, "the disk is full; nothing was changed"));
	assert_int_equal(registry_commit(registry, &err), FAILED);
	FINE(registry_limit_pages(registry, 0, &err));
	FINE(registry_count(registry, &counts, &err));
	assert_int_equal(counts.certificates, 1);
	registry_free(registry);
}

/* For every n: the n-th write or fsync of a fill fails. It is there whole or not at all. */
static void a_failing_write_or_fsync_leaves_all_or_nothing(void **state)
{
	static const char *const points[] = {"write", "fsync"};
	struct error err;
	size_t which;
	unsigned n, failures = 0;

	for (which = 0; which < 2; which++)
		for (n = 1; n < 40; n++) {
			struct registry *registry;
			struct registry_counts counts;
			struct person_record alice = alice_record();
			enum status status;

			set_up(state);
			registry = fresh();
			fault_arm(points[which], n);
			status = registry_begin(registry, &err);
			if (status == OK)
				status = person_record_add(registry, &alice, &err);
			if (status == OK)
				status = registry_commit(registry, &err);
			else
				registry_rollback(registry);
			fault_arm("", 0);
			registry_free(registry);
			registry = again();
			FINE(registry_count(registry, &counts, &err));
			assert_int_equal(counts.people, status == OK ? 1 : 0);
			failures += status != OK;
			registry_free(registry);
			tear_down(state);
			if (status == OK)
				break;
		}
	assert_true(failures >= 2);
	set_up(state);
}

static void a_failing_write_or_fsync_leaves_no_half_registry(void **state)
{
	static const char *const points[] = {"write", "fsync"};
	struct error err;
	size_t which;
	unsigned n, failures = 0;

	(void)state;
	for (which = 0; which < 2; which++)
		for (n = 1; n < 400; n++) {
			enum status status;

			fault_arm(points[which], n);
			status = registry_create(path, row_key(), SPAN("x.example"), &err);
			fault_arm("", 0);
			if (status == OK) {
				unlink(path);
				break;
			}
			failures++;
			assert_int_equal(access(path, F_OK), -1);
		}
	assert_true(failures > 5);
}

static void a_newer_schema_is_refused(void **state)
{
	struct registry *registry = fresh();
	struct error err;

	(void)state;
	registry_free(registry);
	registry = NULL;
	by_hand("INSERT INTO migration VALUES (99, 0)");
	assert_int_equal(registry_open(path, row_key(), &registry, &err), REFUSED);
	assert_non_null(strstr(err.text, "has schema 99, this program knows"));
	assert_non_null(strstr(err.text, "written by a newer chatelaine"));
}

static void an_older_schema_is_copied_and_brought_up_to_date(void **state)
{
	struct migration steps[3] = {{0}, {0, "CREATE TABLE coming (code BLOB PRIMARY KEY)"},
				     {0, "CREATE TABLE broken (x) nonsense;"}};
	int newest;
	struct registry *registry = fresh();
	char copy[160], failed[32];
	sqlite3 *db = NULL;
	struct stat facts;
	size_t count;
	struct error err;

	(void)state;
	registry_free(registry);
	steps[0] = migration_steps(&count)[0];
	newest = migration_steps(&count)[count - 1].version;
	steps[1].version = newest + 1;
	steps[2].version = newest + 2;
	assert_int_equal(sqlite3_open(path, &db), SQLITE_OK);
	FINE(migration_run(db, path, steps, 2, &err));
	snprintf(copy, sizeof copy, "%s.before-%d", path, newest + 1);
	assert_int_equal(stat(copy, &facts), 0);
	assert_int_equal(facts.st_mode & 07777, 0600);
	FINE(migration_run(db, path, steps, 2, &err));
	/* A step that fails leaves the schema before it. */
	assert_int_equal(migration_run(db, path, steps, 3, &err), FAILED);
	snprintf(failed, sizeof failed, "schema %d", newest + 2);
	assert_non_null(strstr(err.text, failed));
	FINE(migration_run(db, path, steps, 2, &err));
	sqlite3_close(db);
}

static void what_is_no_registry_is_refused_with_a_sentence(void **state)
{
	struct registry *registry = NULL;
	struct error err;

	(void)state;
	assert_int_equal(registry_open(path, row_key(), &registry, &err), REFUSED);
	assert_non_null(strstr(err.text, "there is no registry at"));
	FINE(file_save(path, 0600, SPAN("this is a letter to my grandmother, which is long enough to be read as "
					"the head of a file of that kind, and which is none at all."), &err));
	assert_int_equal(registry_open(path, row_key(), &registry, &err), REFUSED);
	assert_non_null(strstr(err.text, "not a registry, or it is damaged"));
	assert_null(registry);
}

/* Flip one byte at many places: refused with a sentence, or what is believed is what was there. */
static void a_flipped_byte_lets_nobody_in(void **state)
{
	struct registry *registry = fresh();
	struct buffer whole;
	struct error err;
	unsigned refused = 0, doubted = 0;
	size_t at;

	(void)state;
	fill(registry);
	registry_free(registry);
	buffer_init(&whole, 1 << 20);
	FINE(file_load(path, &whole, &err));
	for (at = 0; at < whole.size; at += 97) {
		struct seen_grants seen;

		whole.at[at] ^= 0x15;
		FINE(file_save(path, 0600, buffer_span(&whole), &err));
		whole.at[at] ^= 0x15;
		registry = NULL;
		if (registry_open(path, row_key(), &registry, &err) != OK) {
			refused++;
			assert_true(strlen(err.text) > 20);
			continue;
		}
		memset(&seen, 0, sizeof seen);
		if (grant_each(registry, 0, look, &seen, &err) != OK || seen.believed == 0)
			doubted++;
		assert_true(seen.believed <= 1);
		registry_free(registry);
	}
	assert_true(refused > 5);
	(void)doubted;
	buffer_release(&whole);
}

static void a_registry_cut_short_is_refused(void **state)
{
	struct registry *registry = fresh();
	struct error err;

	(void)state;
	fill(registry);
	registry_free(registry);
	registry = NULL;
	assert_int_equal(truncate(path, 20000), 0);
	assert_int_equal(registry_open(path, row_key(), &registry, &err), REFUSED);
	assert_non_null(strstr(err.text, "restore it from a backup"));
}

static void a_lock_held_by_another_is_said(void **state)
{
	struct registry *registry = fresh();
	sqlite3 *other = NULL;
	struct error err;

	(void)state;
	assert_int_equal(sqlite3_open(path, &other), SQLITE_OK);
	assert_int_equal(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
	assert_int_equal(registry_begin(registry, &err), FAILED);
	assert_string_equal(err.text, "the registry is locked by another program; nothing was changed");
	sqlite3_close(other);
	FINE(registry_begin(registry, &err));
	registry_rollback(registry);
	registry_free(registry);
}

static void a_key_of_another_or_of_a_revoked_certificate_is_known(void **state)
{
	struct registry *registry = fresh();
	struct certificate_record certificate = certificate_of_phone(7);
	uint8_t other[REGISTRY_ID_SIZE] = {5};
	struct error err;
	bool used = true;

	(void)state;
	fill(registry);
	FINE(certificate_record_key_is_used(registry, certificate.spki, certificate.device, &used, &err));
	assert_false(used);
	FINE(certificate_record_key_is_used(registry, certificate.spki, other, &used, &err));
	assert_true(used);
	certificate.state = CERTIFICATE_REVOKED;
	FINE(certificate_record_save(registry, &certificate, &err));
	FINE(certificate_record_key_is_used(registry, certificate.spki, certificate.device, &used, &err));
	assert_true(used);
	registry_free(registry);
}

static void a_deed_is_found_by_its_key_until_it_expires(void **state)
{
	struct deed_record deed = {.key = {1}, .asked = {2}, .question = "device-add", .subject = {3}, .at = 50};
	struct registry *registry = fresh();
	struct deed_record found;
	struct error err;
	bool is_there;

	(void)state;
	FINE(deed_record_add(registry, &deed, &err));
	FINE(deed_record_find(registry, deed.key, &found, &is_there, &err));
	assert_true(is_there);
	assert_memory_equal(found.subject, deed.subject, sizeof found.subject);
	FINE(deed_record_expire(registry, 51, &err));
	FINE(deed_record_find(registry, deed.key, &found, &is_there, &err));
	assert_false(is_there);
	registry_free(registry);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(what_was_committed_is_there_after_reopening),
		TEST(names_are_unique_but_the_removed_give_theirs_back),
		TEST(a_revoked_device_gives_its_label_back),
		TEST(a_prefix_finds_by_single_digits),
		TEST(a_row_changed_by_hand_is_named_and_not_believed),
		TEST(a_row_put_in_by_hand_is_not_believed),
		TEST(a_folded_name_changed_by_hand_leads_nowhere),
		TEST(a_planted_trigger_does_not_run),
		TEST(another_row_key_is_refused_with_a_sentence),
		TEST(a_changed_trust_domain_is_refused),
		TEST(the_audit_chain_shows_every_change),
		TEST(a_mark_undone_leaves_what_was_before_it),
		TEST(a_full_disk_is_said_and_changes_nothing),
		TEST(a_failing_write_or_fsync_leaves_all_or_nothing),
		TEST(a_failing_write_or_fsync_leaves_no_half_registry),
		TEST(a_newer_schema_is_refused),
		TEST(an_older_schema_is_copied_and_brought_up_to_date),
		TEST(what_is_no_registry_is_refused_with_a_sentence),
		TEST(a_flipped_byte_lets_nobody_in),
		TEST(a_registry_cut_short_is_refused),
		TEST(a_lock_held_by_another_is_said),
		TEST(a_key_of_another_or_of_a_revoked_certificate_is_known),
		TEST(a_deed_is_found_by_its_key_until_it_expires),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
