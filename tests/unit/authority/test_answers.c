#include "authority/authority.h"

#include <time.h>

#include "authority/authority_handle.h"
#include "base/encode.h"
#include "base/random.h"
#include "house_fixture.h"
#include "pki/csr.h"
#include "pki/key.h"
#include "pki/pkcs12.h"
#include "registry/audit_record.h"
#include "registry/device_record.h"
#include "registry/person_record.h"
#include "shm/roster.h"

#define ALICE "{'name': 'Alice', 'email': 'alice@example.com', 'groups': ['staff', 'ops', 'staff']}"
#define PHONE "{'person': 'alice', 'label': 'phone', 'kind': 'phone', 'form': 'p12'}"

static struct roster *reader(struct authority *authority)
{
	struct roster *roster = NULL;
	struct error err;

	FINE(roster_open(authority_roster_fd(authority), &roster, &err));
	return roster;
}

/* The roster's word on the certificate with this fingerprint in hex; 0: it is not there. */
static enum roster_state state_of(struct authority *authority, const char *fingerprint)
{
	struct roster *roster = reader(authority);
	struct standing standing;
	uint8_t bytes[32];
	enum roster_state found = 0;

	assert_true(hex_read(span_of(fingerprint), bytes, sizeof bytes));
	if (roster_find(roster, bytes, &standing))
		found = standing.state;
	roster_free(roster);
	return found;
}

static void a_person_gets_a_device_and_the_roster_knows_it(void **unused)
{
	struct authority *authority = open_authority();
	json_t *person = asked(authority, "person-add", ALICE), *device;
	struct roster *roster;
	struct standing standing;
	struct card card;
	uint8_t fingerprint[32];
	char id[64];

	(void)unused;
	assert_string_equal(text_of(person, "role"), "member");
	assert_int_equal(json_array_size(json_object_get(person, "groups")), 2);
	device = asked(authority, "device-add", PHONE);
	assert_string_equal(text_of(device, "profile"), "compatible");
	assert_int_equal(strlen(text_of(device, "password")), 14);
	assert_true(hex_read(span_of(text_of(device, "fingerprint")), fingerprint, sizeof fingerprint));
	roster = reader(authority);
	assert_true(roster_find(roster, fingerprint, &standing));
	assert_int_equal(standing.state, ROSTER_ACTIVE);
	assert_int_equal(standing.not_after, json_integer_value(json_object_get(device, "not_after")));
	assert_true(roster_card(roster, &standing, &card));
	snprintf(id, sizeof id, "%.*s", SPAN_PRINT(card.device));
	assert_string_equal(id, text_of(device, "device"));
	assert_true(span_is(card.person, "Alice"));
	assert_true(span_is(card.email, "alice@example.com"));
	assert_true(span_is(card.label, "phone"));
	assert_true(span_starts(card.subject, "CN=Alice - phone - 20"));
	assert_true(span_starts(card.subject_slash, "/CN=Alice - phone - 20"));
	assert_true(span_ends(card.subject_slash, "/emailAddress=alice@example.com"));
	assert_true(span_is(roster_groups(roster, standing.group_set), "ops,staff"));
	assert_false(card.is_admin);
	roster_free(roster);
	json_decref(person);
	json_decref(device);
	authority_free(authority);
}

static void a_p12_opens_with_its_password_and_has_its_chain(void **unused)
{
	struct authority *authority = open_authority();
	struct pkcs12_content content = {0};
	struct buffer bytes;
	struct error err;
	json_t *device;

	(void)unused;
	done(authority, "person-add", ALICE);
	device = asked(authority, "device-add", "{'person': 'alice', 'label': 'laptop', 'kind': 'laptop', "
		       "'form': 'p12', 'password': 'swordfish-77'}");
	assert_string_equal(text_of(device, "profile"), "modern");
	buffer_init(&bytes, 65536);
	assert_true(base64_read(&bytes, span_of(text_of(device, "p12"))));
	assert_int_equal(pkcs12_read(buffer_span(&bytes), SPAN("wrong"), &content, &err), REFUSED);
	FINE(pkcs12_read(buffer_span(&bytes), SPAN("swordfish-77"), &content, &err));
	assert_int_equal(content.chain.count, 2);
	assert_string_equal(certificate_facts(content.certificate)->common_name + 0,
			    certificate_facts(content.certificate)->common_name);
	assert_int_equal(certificate_facts(content.certificate)->purposes, PURPOSE_CLIENT);
	pkcs12_content_release(&content);
	buffer_release(&bytes);
	json_decref(device);
	authority_free(authority);
}

static void a_pem_key_is_encrypted_on_request(void **unused)
{
	struct authority *authority = open_authority();
	struct key *key = NULL;
	struct error err;
	json_t *device;

	(void)unused;
	done(authority, "person-add", ALICE);
	device = asked(authority, "device-add", "{'person': 'alice', 'label': 'a', 'form': 'pem'}");
	FINE(key_parse_pem(span_of(text_of(device, "private_key")), SPAN(""), &key, &err));
	assert_null(json_object_get(device, "password"));
	key_free(key);
	key = NULL;
	json_decref(device);
	device = asked(authority, "device-add", "{'person': 'alice', 'label': 'b', 'form': 'pem', 'encrypt': true}");
	assert_int_equal(key_parse_pem(span_of(text_of(device, "private_key")), SPAN(""), &key, &err), REFUSED);
	FINE(key_parse_pem(span_of(text_of(device, "private_key")), span_of(text_of(device, "password")), &key,
			   &err));
	key_free(key);
	json_decref(device);
	authority_free(authority);
}

static json_t *add_by_csr(struct authority *authority, const struct key *key, const char *label,
			  struct error *err)
{
	struct distinguished_name name = {0};
	struct buffer text;
	json_t *words, *out = NULL;

	buffer_init(&text, 65536);
	assert_int_equal(distinguished_name_add(&name, NAME_COMMON, SPAN("root of all evil"), err), OK);
	assert_int_equal(csr_write_pem(key, &name, &text, err), OK);
	words = json_pack("{s:s, s:s, s:s, s:s}", "person", "alice", "label", label, "form", "csr", "csr",
			  buffer_text(&text));
	if (authority_answer_now(authority, "device-add", words, &out, err) != OK)
		assert_null(out);
	json_decref(words);
	buffer_release(&text);
	return out;
}

static void of_a_csr_only_the_key_is_taken(void **unused)
{
	struct authority *authority = open_authority();
	struct certificate *certificate = NULL;
	struct key *key = NULL;
	struct error err;
	json_t *device;

	(void)unused;
	done(authority, "person-add", ALICE);
	FINE(key_generate(KEY_EC_P256, &key, &err));
	device = add_by_csr(authority, key, "server", &err);
	assert_non_null(device);
	FINE(certificate_parse_pem(span_of(text_of(device, "certificate")), &certificate, &err));
	assert_true(certificate_matches_key(certificate, key));
	assert_null(strstr(certificate_facts(certificate)->subject, "evil"));
	assert_null(json_object_get(device, "private_key"));
	certificate_free(certificate);
	json_decref(device);
	key_free(key);
	authority_free(authority);
}

static void a_key_of_another_device_or_a_revoked_one_is_refused(void **unused)
{
	struct authority *authority = open_authority();
	struct key *key = NULL;
	struct error err;
	json_t *device;

	(void)unused;
	done(authority, "person-add", ALICE);
	FINE(key_generate(KEY_EC_P256, &key, &err));
	device = add_by_csr(authority, key, "one", &err);
	json_decref(device);
	assert_null(add_by_csr(authority, key, "two", &err));
	assert_says(err.text, "this key belongs to another device");
	done(authority, "device-revoke", "{'device': 'alice/one', 'reason': 'stolen'}");
	assert_null(add_by_csr(authority, key, "one", &err));
	assert_says(err.text, "or to a certificate that was revoked; make a new key");
	key_free(key);
	authority_free(authority);
}

static void bad_words_are_refused_with_a_sentence(void **unused)
{
	static const struct {
		const char *question, *words, *says;
	} cases[] = {
		{"person-add", "{}", "name"},
		{"person-add", "{'name': 'A/B', 'email': 'a@b.de'}", "name \"A/B\" may not have \"/\" in it"},
		{"person-add", "{'name': 'A=B', 'email': 'a@b.de'}", "may not have \"=\" in it"},
		{"person-add", "{'name': 'A\\u0007B', 'email': 'a@b.de'}", "name"},
		{"person-add", "{'name': 'A\\u202eB', 'email': 'a@b.de'}", "not plain text"},
		{"person-add", "{'name': '   ', 'email': 'a@b.de'}", "the name is missing"},
		{"person-add", "{'name': 5, 'email': 'a@b.de'}", "name"},
		{"person-add", "{'name': 'aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa',"
			       " 'email': 'a@b.de'}", "too long: at most 64 bytes"},
		{"person-add", "{'name': 'A', 'email': 'nobody'}", "not an address like alice@example.com"},
		{"person-add", "{'name': 'A', 'email': 'a@b..de'}", "not an address"},
		{"person-add", "{'name': 'A', 'email': 'a b@c.de'}", "before the @ that is not allowed"},
		{"person-add", "{'name': 'A', 'email': 'a/b@c.de'}", "before the @ that is not allowed"},
		{"person-add", "{'name': 'A', 'email': 'a@b.de', 'groups': ['a b']}", "the group \"a b\""},
		{"person-add", "{'name': 'A', 'email': 'a@b.de', 'groups': ['everyone']}", "has everybody in it"},
		{"person-add", "{'name': 'A', 'email': 'a@b.de', 'groups': 7}", "not a list of names"},
		{"person-add", "{'name': 'A', 'email': 'a@b.de', 'admin': 'yes'}", "admin"},
		{"person-add", "{'name': 'alice', 'email': 'x@b.de'}", "there is a person with the name"},
		{"person-add", "{'name': 'B', 'email': 'ALICE@example.com'}", "or the e-mail ALICE@example.com already"},
		{"person-show", "{'person': 'bob'}", "there is no person \"bob\""},
		{"person-remove", "{'person': 'bob'}", "there is no person \"bob\""},
		{"device-add", "{'person': 'bob', 'label': 'x', 'form': 'p12'}", "there is no person \"bob\""},
		{"device-add", "{'person': 'alice', 'label': 'x', 'form': 'jks'}", "no form; p12, pem and csr are"},
		{"device-add", "{'person': 'alice', 'label': 'x', 'form': 'p12', 'kind': 'car'}",
		 "no kind of device; phone, laptop, server, shared and other are"},
		{"device-add", "{'person': 'alice', 'label': 'x', 'form': 'p12', 'profile': 'rc2'}", "no profile of a .p12"},
		{"device-add", "{'person': 'alice', 'label': 'x/y', 'form': 'p12'}", "label \"x/y\" may not have"},
		{"device-add", "{'person': 'alice', 'label': 'x', 'form': 'csr'}", "a certificate request in PEM form"},
		{"device-add", "{'person': 'alice', 'label': 'x', 'form': 'csr', 'csr': 'hello'}", ""},
		{"device-add", "{'person': 'alice', 'label': 'x', 'form': 'p12', 'key': 'short'}", "idempotence key"},
		{"device-add", PHONE, "has a device \"phone\" already; revoke it first, or choose another --label"},
		{"device-show", "{'device': 'alice/tablet'}", "Alice has no device \"tablet\""},
		{"device-show", "{'device': 'zz'}", "name one by PERSON/LABEL"},
		{"device-show", "{'device': 'abc'}", "first 4 or more digits"},
		{"device-show", "{'device': '00112233.d.evil.example'}", "a device of another house"},
		{"device-revoke", "{'device': 'alice/phone', 'reason': 'a\\u001bb'}", "reason"},
		{"device-list", "{'after': 'x'}", "32 hex digits"},
		{"roster", "{}", "refused"},
		{"seen", "{'devices': []}", "refused"},
		{"hello", "{'token': '00'}", "refused"},
		{"format-disk", "{}", "refused"},
	};
	struct authority *authority = open_authority();
	struct registry_counts before, after;
	struct error err;
	size_t i;

	(void)unused;
	done(authority, "person-add", ALICE);
	done(authority, "device-add", PHONE);
	FINE(registry_count(authority->registry, &before, &err));
	for (i = 0; i < sizeof cases / sizeof *cases; i++)
		assert_says(refused(authority, cases[i].question, cases[i].words), cases[i].says);
	FINE(registry_count(authority->registry, &after, &err));
	assert_memory_equal(&before, &after, sizeof before);
	authority_free(authority);
}

static void a_device_is_found_by_prefix_and_an_ambiguous_one_lists_candidates(void **unused)
{
	struct authority *authority = open_authority();
	struct device_record device = {.has_person = true, .state = DEVICE_ACTIVE, .label = "one"};
	struct person_record alice;
	struct error err;
	json_t *shown;

	(void)unused;
	done(authority, "person-add", ALICE);
	FINE(person_record_find(authority->registry, SPAN("alice"), &alice, &err));
	memcpy(device.person, alice.id, sizeof alice.id);
	memset(device.id, 0xab, sizeof device.id);
	FINE(device_record_add(authority->registry, &device, &err));
	device.id[4] = 0xac;
	snprintf(device.label, sizeof device.label, "two");
	FINE(device_record_add(authority->registry, &device, &err));
	assert_string_equal(refused(authority, "device-show", "{'device': 'abab'}"),
			    "\"abab\" is the beginning of more than one device: abababababab (Alice/one), "
			    "ababababacab (Alice/two); give more digits");
	shown = asked(authority, "device-show", "{'device': 'ABABABABAC'}");
	assert_string_equal(text_of(shown, "label"), "two");
	assert_int_equal(json_integer_value(json_object_get(shown, "connections")), 0);
	json_decref(shown);
	shown = asked(authority, "device-show", "{'device': 'alice@example.com/ONE'}");
	assert_string_equal(text_of(shown, "device"), "abababababababababababababababab.d.chat.example.com");
	json_decref(shown);
	done(authority, "device-show", "{'device': 'abababababababababababababababab.d.chat.example.com'}");
	authority_free(authority);
}

static void revoked_is_revoked_after_reopening_too(void **unused)
{
	struct authority *authority = open_authority();
	json_t *device, *answer;
	char fingerprint[65];

	(void)unused;
	done(authority, "person-add", ALICE);
	device = asked(authority, "device-add", PHONE);
	snprintf(fingerprint, sizeof fingerprint, "%s", text_of(device, "fingerprint"));
	assert_int_equal(state_of(authority, fingerprint), ROSTER_ACTIVE);
	answer = asked(authority, "device-revoke", "{'device': 'alice/phone', 'reason': 'lost on a train'}");
	assert_string_equal(text_of(answer, "state"), "revoked");
	assert_int_equal(json_integer_value(json_object_get(answer, "closed")), 0);
	assert_int_equal(state_of(authority, fingerprint), ROSTER_REVOKED);
	json_decref(answer);
	/* Once more does no harm and keeps the first reason. */
	answer = asked(authority, "device-revoke", "{'device': 'alice/phone', 'reason': 'again'}");
	assert_true(json_is_true(json_object_get(answer, "was_revoked")));
	assert_string_equal(text_of(answer, "reason"), "lost on a train");
	json_decref(answer);
	json_decref(device);
	authority_free(authority);
	authority = open_authority();
	assert_int_equal(state_of(authority, fingerprint), ROSTER_REVOKED);
	authority_free(authority);
}

static void a_removed_person_takes_the_devices_along(void **unused)
{
	struct authority *authority = open_authority();
	json_t *one, *two, *answer;

	(void)unused;
	done(authority, "person-add", ALICE);
	one = asked(authority, "device-add", PHONE);
	two = asked(authority, "device-add", "{'person': 'alice', 'label': 'laptop', 'form': 'pem'}");
	answer = asked(authority, "person-remove", "{'person': 'alice', 'key': '0123456789abcdef'}");
	assert_int_equal(json_array_size(json_object_get(answer, "revoked")), 2);
	assert_int_equal(state_of(authority, text_of(one, "fingerprint")), ROSTER_REVOKED);
	assert_int_equal(state_of(authority, text_of(two, "fingerprint")), ROSTER_REVOKED);
	json_decref(answer);
	assert_says(refused(authority, "person-show", "{'person': 'alice'}"), "there is no person");
	done(authority, "person-remove", "{'person': 'alice', 'key': '0123456789abcdef'}");
	/* The name is free again. */
	done(authority, "person-add", ALICE);
	json_decref(one);
	json_decref(two);
	authority_free(authority);
}

#define KEYED "{'person': 'alice', 'label': 'phone', 'kind': 'phone', 'form': 'p12', 'key': 'k-0123456789abcdef'}"

static void the_same_key_twice_is_one_device(void **unused)
{
	struct authority *authority = open_authority();
	struct registry_counts counts;
	json_t *first, *second;
	struct error err;

	(void)unused;
	done(authority, "person-add", ALICE);
	first = asked(authority, "device-add", KEYED);
	authority_free(authority);
	authority = open_authority();
	second = asked(authority, "device-add", KEYED);
	assert_string_equal(text_of(first, "device"), text_of(second, "device"));
	assert_string_not_equal(text_of(first, "fingerprint"), text_of(second, "fingerprint"));
	/* What nobody received lets nobody in. */
	assert_int_equal(state_of(authority, text_of(first, "fingerprint")), ROSTER_REVOKED);
	assert_int_equal(state_of(authority, text_of(second, "fingerprint")), ROSTER_ACTIVE);
	FINE(registry_count(authority->registry, &counts, &err));
	assert_int_equal(counts.devices, 1);
	assert_int_equal(counts.certificates, 1);
	assert_says(refused(authority, "device-add", "{'person': 'alice', 'label': 'other', 'form': 'p12', "
			    "'key': 'k-0123456789abcdef'}"), "this idempotence key stands for another question");
	done(authority, "device-revoke", "{'device': 'alice/phone'}");
	assert_says(refused(authority, "device-add", KEYED), "has been revoked since");
	json_decref(first);
	json_decref(second);
	authority_free(authority);
}

static void an_edited_row_is_reported_and_lets_nobody_in(void **unused)
{
	struct authority *authority = open_authority();
	json_t *device, *figures;
	char fingerprint[65];

	(void)unused;
	done(authority, "person-add", ALICE);
	device = asked(authority, "device-add", PHONE);
	snprintf(fingerprint, sizeof fingerprint, "%s", text_of(device, "fingerprint"));
	json_decref(device);
	/* While it runs: a revocation still ends it. */
	by_hand("UPDATE device SET kind = 'server'");
	done(authority, "device-revoke", "{'device': 'alice/phone'}");
	assert_int_not_equal(state_of(authority, fingerprint), ROSTER_ACTIVE);
	authority_free(authority);
	authority = open_authority();
	assert_int_equal(state_of(authority, fingerprint), 0);
	assert_int_equal(authority_rows_refused(authority), 1);
	figures = asked(authority, "status", "{}");
	assert_says(json_string_value(json_array_get(json_object_get(figures, "rows_refused"), 0)),
		    "was changed by hand");
	json_decref(figures);
	assert_says(refused(authority, "device-show", "{'device': 'alice/phone'}"), "not believed");
	authority_free(authority);
}

static void a_broken_audit_chain_is_reported(void **unused)
{
	struct authority *authority = open_authority();

	(void)unused;
	done(authority, "person-add", ALICE);
	done(authority, "device-add", PHONE);
	authority_free(authority);
	by_hand("UPDATE audit SET detail = 'nothing happened' WHERE number = 1");
	authority = open_authority();
	assert_int_equal(authority_rows_refused(authority), 1);
	authority_free(authority);
}

static void every_deed_has_its_audit_record(void **unused)
{
	struct authority *authority = open_authority();
	struct audit_head head;
	struct error err;

	(void)unused;
	done(authority, "person-add", ALICE);
	done(authority, "device-add", PHONE);
	done(authority, "device-revoke", "{'device': 'alice/phone'}");
	done(authority, "person-remove", "{'person': 'alice'}");
	FINE(audit_record_verify(authority->registry, &head, &err));
	assert_int_equal(head.count, 4);
	authority_free(authority);
}

static void on_a_full_disk_nothing_is_issued_and_it_says_so(void **unused)
{
	struct authority *authority = open_authority();
	struct registry_counts counts;
	struct error err;
	const char *says = "";
	json_t *out = NULL, *words;
	unsigned i, made = 0;

	(void)unused;
	done(authority, "person-add", ALICE);
	FINE(registry_limit_pages(authority->registry, 1, &err));
	for (i = 0; i < 100 && !*says; i++) {
		words = json_pack("{s:s, s:s}", "person", "alice", "form",
				  "pem");
		json_object_set_new(words, "label", json_sprintf("d%u", i));
		if (authority_answer_now(authority, "device-add", words, &out, &err) == OK) {
			made++;
			json_decref(out);
		} else {
			says = err.text;
		}
		json_decref(words);
	}
	assert_says(says, "the disk is full; nothing was changed");
	FINE(registry_limit_pages(authority->registry, 0, &err));
	FINE(registry_count(authority->registry, &counts, &err));
	assert_int_equal(counts.certificates, made);
	assert_int_equal(counts.audit_records, made + 1);
	assert_int_equal(roster_count(authority->roster), made);
	/* And it goes on when there is room again. */
	done(authority, "device-add", "{'person': 'alice', 'label': 'after', 'form': 'pem'}");
	authority_free(authority);
}

/* For every n: the n-th write or fsync while issuing fails. Either it is recorded and answered, or neither. */
static void no_failing_write_releases_what_is_not_recorded(void **unused)
{
	static const char *const points[] = {"write", "fsync"};
	struct authority *authority = open_authority();
	struct registry_counts counts;
	struct error err;
	unsigned failures = 0, made = 0;
	size_t which;

	(void)unused;
	done(authority, "person-add", ALICE);
	for (which = 0; which < 2; which++) {
		unsigned n;

		for (n = 1; n < 60; n++) {
			json_t *words = json_pack("{s:s, s:o, s:s}", "person", "alice", "label",
						  json_sprintf("%s-%u", points[which], n), "form", "pem");
			json_t *out = NULL;
			enum status status;

			fault_arm(points[which], n);
			status = authority_answer_now(authority, "device-add", words, &out, &err);
			fault_arm("", 0);
			json_decref(words);
			json_decref(out);
			made += status == OK;
			failures += status != OK;
			FINE(registry_count(authority->registry, &counts, &err));
			assert_int_equal(counts.certificates, made);
			assert_int_equal(roster_count(authority->roster), made);
			if (status == OK)
				break;
		}
	}
	assert_true(failures >= 2);
	authority_free(authority);
	authority = open_authority();
	FINE(registry_count(authority->registry, &counts, &err));
	assert_int_equal(counts.certificates, made);
	authority_free(authority);
}

static int64_t shift;

static struct clock_time shifted_clock(void)
{
	struct timespec wall, mono;

	timespec_get(&wall, TIME_UTC);
	mono = wall;
	return (struct clock_time){(wall.tv_sec + shift) * 1000000, mono.tv_sec * 1000000 + mono.tv_nsec / 1000};
}

static void an_entry_leaves_thirty_days_after_its_end(void **unused)
{
	struct authority *authority = open_authority();
	json_t *device;
	int64_t life;

	(void)unused;
	done(authority, "person-add", ALICE);
	device = asked(authority, "device-add", PHONE);
	life = json_integer_value(json_object_get(device, "not_after")) - clock_seconds();
	json_decref(device);
	authority_free(authority);
	clock_set_source(shifted_clock);
	shift = life + 29 * 86400;
	authority = open_authority();
	assert_int_equal(roster_count(authority->roster), 1);
	authority_free(authority);
	shift = life + 31 * 86400;
	authority = open_authority();
	assert_int_equal(roster_count(authority->roster), 0);
	authority_free(authority);
}

static void the_next_authority_takes_over_in_time(void **unused)
{
	struct authority *authority;
	json_t *certificates, *device;
	struct certificate *leaf = NULL, *issuer = NULL;
	struct error err;

	(void)unused;
	clock_set_source(shifted_clock);
	shift = (730 - 395) * 86400;
	authority = open_authority();
	done(authority, "person-add", ALICE);
	device = asked(authority, "device-add", "{'person': 'alice', 'label': 'x', 'form': 'pem'}");
	certificates = asked(authority, "ca-cert", "{}");
	FINE(certificate_parse_pem(span_of(text_of(device, "certificate")), &leaf, &err));
	FINE(certificate_parse_pem(span_of(text_of(certificates, "next")), &issuer, &err));
	FINE(certificate_check_issuer(leaf, issuer, &err));
	certificate_free(issuer);
	issuer = NULL;
	FINE(certificate_parse_pem(span_of(text_of(device, "chain")), &issuer, &err));
	FINE(certificate_check_issuer(leaf, issuer, &err));
	certificate_free(leaf);
	certificate_free(issuer);
	json_decref(device);
	json_decref(certificates);
	authority_free(authority);
}

static void lists_go_on_where_a_page_ended(void **unused)
{
	struct authority *authority = open_authority();
	json_t *page, *words;
	struct error err;
	size_t total = 0;
	char after[65] = "";
	unsigned i, pages = 0;

	(void)unused;
	FINE(registry_begin(authority->registry, &err));
	for (i = 0; i < 230; i++) {
		struct person_record person = {0};

		registry_new_id(person.id);
		snprintf(person.name, sizeof person.name, "Person %03u", i);
		snprintf(person.email, sizeof person.email, "p%u@example.com", i);
		FINE(person_record_add(authority->registry, &person, &err));
	}
	FINE(registry_commit(authority->registry, &err));
	do {
		words = json_pack("{s:s}", "after", after);
		FINE(authority_answer_now(authority, "person-list", words, &page, &err));
		json_decref(words);
		total += json_array_size(json_object_get(page, "people"));
		snprintf(after, sizeof after, "%s",
			 json_object_get(page, "next") ? text_of(page, "next") : "");
		json_decref(page);
		pages++;
	} while (after[0]);
	assert_int_equal(total, 230);
	assert_int_equal(pages, 3);
	authority_free(authority);
}

static void a_full_roster_is_made_anew_and_larger(void **unused)
{
	struct authority *authority = open_authority();
	struct roster_row row = {.not_after = 1, .state = ROSTER_ACTIVE, .card.device = SPAN("x")};
	uint64_t generation = roster_generation(authority->roster);
	struct error err;
	json_t *device;

	(void)unused;
	done(authority, "person-add", ALICE);
	while (!roster_is_full(authority->roster)) {
		random_bytes(row.fingerprint, sizeof row.fingerprint);
		FINE(roster_put(authority->roster, &row, &err));
	}
	device = asked(authority, "device-add", PHONE);
	assert_true(roster_generation(authority->roster) != generation);
	assert_int_equal(state_of(authority, text_of(device, "fingerprint")), ROSTER_ACTIVE);
	assert_int_equal(roster_count(authority->roster), 1);
	json_decref(device);
	authority_free(authority);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_house, tear_down)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_person_gets_a_device_and_the_roster_knows_it),
		TEST(a_p12_opens_with_its_password_and_has_its_chain),
		TEST(a_pem_key_is_encrypted_on_request),
		TEST(of_a_csr_only_the_key_is_taken),
		TEST(a_key_of_another_device_or_a_revoked_one_is_refused),
		TEST(bad_words_are_refused_with_a_sentence),
		TEST(a_device_is_found_by_prefix_and_an_ambiguous_one_lists_candidates),
		TEST(revoked_is_revoked_after_reopening_too),
		TEST(a_removed_person_takes_the_devices_along),
		TEST(the_same_key_twice_is_one_device),
		TEST(an_edited_row_is_reported_and_lets_nobody_in),
		TEST(a_broken_audit_chain_is_reported),
		TEST(every_deed_has_its_audit_record),
		TEST(on_a_full_disk_nothing_is_issued_and_it_says_so),
		TEST(no_failing_write_releases_what_is_not_recorded),
		TEST(an_entry_leaves_thirty_days_after_its_end),
		TEST(the_next_authority_takes_over_in_time),
		TEST(lists_go_on_where_a_page_ended),
		TEST(a_full_roster_is_made_anew_and_larger),
	};

	return cmocka_run_group_tests(tests, NULL, remove_kept_house);
}
