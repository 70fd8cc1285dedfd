#include "pki/signer.h"

#include <openssl/x509.h>
#include <openssl/x509v3.h>

#include "test_house.h"
#include "test_samples.h"

#define DAY INT64_C(86400)

static int64_t fixed_now;

static struct clock_time fixed_clock(void)
{
	return (struct clock_time){SECONDS(fixed_now), 0};
}

/* How OpenSSL itself reads one extension; NULL when it is not there. */
static char *extension_text(const struct certificate *certificate, int nid, char out[static 512])
{
	X509 *x = certificate_handle(certificate);
	int at = X509_get_ext_by_NID(x, nid, -1);
	X509_EXTENSION *extension = X509_get_ext(x, at);
	BIO *memory;
	int size;

	if (!extension)
		return NULL;
	memory = BIO_new(BIO_s_mem());
	X509V3_EXT_print(memory, extension, 0, 0);
	size = BIO_read(memory, out, 500);
	snprintf(out + (size > 0 ? size : 0), 12, "%s",
		 X509_EXTENSION_get_critical(extension) ? " critical" : "");
	BIO_free(memory);
	return out;
}

static void check_extensions(const struct certificate *certificate, const char *constraints,
			     const char *usages, const char *purposes, const char *names)
{
	const int nids[] = {NID_basic_constraints, NID_key_usage, NID_ext_key_usage,
			    NID_subject_alt_name};
	const char *const want[] = {constraints, usages, purposes, names};
	char got[512];
	size_t i;

	for (i = 0; i < 4; i++) {
		char *text = extension_text(certificate, nids[i], got);

		if (want[i]) {
			assert_non_null(text);
			assert_string_equal(text, want[i]);
		} else {
			assert_null(text);
		}
	}
	assert_non_null(extension_text(certificate, NID_subject_key_identifier, got));
	assert_int_equal(X509_get_version(certificate_handle(certificate)), X509_VERSION_3);
}

static void a_house_is_a_root_and_an_issuing_authority(void **state)
{
	struct test_house house = test_house_make();
	const struct certificate *root = signer_certificate(house.root);
	const struct certificate *issuing = signer_certificate(house.issuing);

	(void)state;
	check_extensions(root, "CA:TRUE, pathlen:1 critical", "Certificate Sign, CRL Sign critical",
			 NULL, NULL);
	check_extensions(issuing, "CA:TRUE, pathlen:0 critical",
			 "Certificate Sign, CRL Sign critical", NULL, NULL);
	assert_string_equal(certificate_facts(root)->subject,
			    "CN=Chatelaine root 1 for chat.example.com");
	assert_string_equal(certificate_facts(root)->key, "EC P-384");
	assert_string_equal(certificate_facts(root)->signed_with, "ecdsa-with-SHA384");
	assert_true(certificate_facts(root)->is_self_signed);
	assert_string_equal(certificate_facts(issuing)->subject,
			    "CN=Chatelaine issuing 1 for chat.example.com");
	assert_string_equal(certificate_facts(issuing)->issuer, certificate_facts(root)->subject);
	assert_string_equal(certificate_facts(issuing)->key, "EC P-256");
	assert_false(certificate_facts(issuing)->is_self_signed);
	assert_false(certificate_covers_host(root, SPAN("chat.example.com")));
	assert_ok(certificate_check_issuer(issuing, root, &house.err), house.err);
	test_house_release(&house);
}

static void a_person_gets_what_the_registry_says(void **state)
{
	struct test_house house = test_house_make();
	struct key *key = make_key(KEY_EC_P256);
	struct subject_facts facts = alice();
	struct certificate *certificate = issue(&house, PROFILE_PERSON, &facts, key);
	const struct certificate_facts *found = certificate_facts(certificate);
	int64_t now = clock_seconds(), life = found->not_after - now;
	uint8_t spki[SHA256_SIZE];

	(void)state;
	check_extensions(certificate, "CA:FALSE critical", "Digital Signature critical",
			 "TLS Web Client Authentication",
			 "email:alice@example.com, URI:chatelaine:" DEVICE);
	assert_true(span_starts(span_of(found->common_name), "Alice - laptop - 20"));
	key_spki_sha256(key, spki);
	assert_memory_equal(found->spki, spki, sizeof spki);
	assert_true(life >= 365 * DAY * 89 / 100 && life <= 365 * DAY * 111 / 100);
	assert_in_range(now - found->not_before, 0, 301);
	assert_ok(certificate_check_issuer(certificate, signer_certificate(house.issuing),
					   &house.err),
		  house.err);
	certificate_free(certificate);
	facts.email = SPAN("");
	facts.person = SPAN("");
	certificate = issue(&house, PROFILE_PERSON, &facts, key);
	check_extensions(certificate, "CA:FALSE critical", "Digital Signature critical",
			 "TLS Web Client Authentication", "URI:chatelaine:" DEVICE);
	assert_true(
		span_starts(span_of(certificate_facts(certificate)->common_name), "laptop - 20"));
	certificate_free(certificate);
	key_free(key);
	test_house_release(&house);
}

static void agent_server_and_ocsp_get_theirs(void **state)
{
	const struct span hosts[] = {SPAN("chat.example.com"), SPAN("*.lan.local"),
				     SPAN("192.0.2.7"), SPAN("[2001:db8::1]")};
	struct subject_facts facts = {.device = SPAN(DEVICE),
				      .hosts = hosts,
				      .host_count = 4,
				      .house = SPAN("chat.example.com"),
				      .number = 3};
	struct test_house house = test_house_make();
	struct key *key = make_key(KEY_ED25519), *other = make_key(KEY_RSA_2048);
	struct certificate *certificate = issue(&house, PROFILE_AGENT, &facts, key);
	char got[512];

	(void)state;
	check_extensions(certificate, "CA:FALSE critical", "Digital Signature critical",
			 "TLS Web Client Authentication", "DNS:" DEVICE);
	assert_string_equal(certificate_facts(certificate)->common_name, DEVICE);
	assert_in_range(certificate_facts(certificate)->not_after - clock_seconds(), 7 * DAY - 2,
			7 * DAY);
	certificate_free(certificate);
	certificate = issue(&house, PROFILE_SERVER, &facts, other);
	check_extensions(certificate, "CA:FALSE critical", "Digital Signature critical",
			 "TLS Web Server Authentication",
			 "DNS:chat.example.com, DNS:*.lan.local, IP Address:192.0.2.7, IP "
			 "Address:2001:DB8:0:0:0:0:0:1");
	assert_true(certificate_covers_host(certificate, SPAN("x.lan.local")));
	assert_true(certificate_covers_host(certificate, SPAN("2001:db8::1")));
	assert_string_equal(certificate_facts(certificate)->key, "RSA 2048");
	certificate_free(certificate);
	certificate = issue(&house, PROFILE_OCSP, &facts, other);
	check_extensions(certificate, "CA:FALSE critical", "Digital Signature critical",
			 "OCSP Signing", NULL);
	assert_non_null(extension_text(certificate, NID_id_pkix_OCSP_noCheck, got));
	assert_string_equal(certificate_facts(certificate)->common_name,
			    "Chatelaine OCSP 3 for chat.example.com");
	certificate_free(certificate);
	key_free(key);
	key_free(other);
	test_house_release(&house);
}

static void serials_are_random_positive_and_of_at_most_twenty_bytes(void **state)
{
	struct test_house house = test_house_make();
	struct key *key = make_key(KEY_EC_P256);
	struct subject_facts facts = alice();
	char last[CERTIFICATE_SERIAL_SIZE] = "";
	int i, long_ones = 0;

	(void)state;
	for (i = 0; i < 64; i++) {
		struct certificate *certificate = issue(&house, PROFILE_PERSON, &facts, key);
		const char *serial = certificate_facts(certificate)->serial;

		assert_true(serial[0] != '-' && strlen(serial) <= 40);
		if (strlen(serial) == 40)
			assert_true(serial[0] >= '0' && serial[0] <= '7');
		long_ones += strlen(serial) == 40;
		assert_string_not_equal(serial, last);
		memcpy(last, serial, strlen(serial) + 1);
		certificate_free(certificate);
	}
	assert_true(long_ones > 50);
	key_free(key);
	test_house_release(&house);
}

static void no_certificate_outlives_its_issuer(void **state)
{
	struct test_house house;
	struct key *key = make_key(KEY_EC_P256);
	struct subject_facts facts = alice();
	struct certificate *certificate = NULL;
	int64_t end;

	(void)state;
	fixed_now = 1800000000;
	clock_set_source(fixed_clock);
	house = test_house_make();
	end = certificate_facts(signer_certificate(house.issuing))->not_after;
	assert_int_equal(end, fixed_now + 730 * DAY);
	assert_int_equal(certificate_facts(signer_certificate(house.issuing))->not_before,
			 fixed_now - 300);
	fixed_now = end - 10 * DAY;
	certificate = issue(&house, PROFILE_PERSON, &facts, key);
	assert_int_equal(certificate_facts(certificate)->not_after, end);
	certificate_free(certificate);
	certificate = NULL;
	fixed_now = end + 1;
	assert_int_equal(signer_sign(house.issuing, profile_get(PROFILE_PERSON), &facts, key, 0,
				     &certificate, &house.err),
			 REFUSED);
	assert_null(certificate);
	assert_true(span_starts(
		span_of(house.err.text),
		"authority \"CN=Chatelaine issuing 1 for chat.example.com\": expired on "));
	clock_set_source(NULL);
	key_free(key);
	test_house_release(&house);
}

static void an_asked_life_counts_up_to_the_profile(void **state)
{
	const struct profile *person = profile_get(PROFILE_PERSON);
	const struct profile *agent = profile_get(PROFILE_AGENT);
	int64_t least = INT64_MAX, most = 0;
	int i;

	(void)state;
	assert_int_equal(profile_not_after(person, 1000, 30 * DAY), 1000 + 30 * DAY);
	assert_int_equal(profile_not_after(agent, 1000, 0), 1000 + 7 * DAY);
	assert_int_equal(profile_not_after(agent, 1000, 8 * DAY), 1000 + 7 * DAY);
	assert_int_equal(profile_not_after(agent, 1000, -5), 1000 + 7 * DAY);
	for (i = 0; i < 1000; i++) {
		int64_t end = profile_not_after(person, 0, 4000 * DAY);

		least = end < least ? end : least;
		most = end > most ? end : most;
	}
	assert_in_range(least, 328 * DAY, 332 * DAY);
	assert_in_range(most, 398 * DAY, 402 * DAY);
}

static void long_names_keep_label_and_year(void **state)
{
	const struct profile *person = profile_get(PROFILE_PERSON);
	struct subject_facts facts = alice();
	struct buffer out;
	struct error err;

	(void)state;
	buffer_init(&out, 1024);
	facts.person =
		SPAN("Maximiliane Friederike Wilhelmine Freifrau von und zu Hohenstein-Lichtenau");
	assert_ok(profile_common_name(person, &facts, 1800000000, &out, &err), err);
	assert_string_equal(buffer_text(&out),
			    "Maximiliane Friederike Wilhelmine Freifrau von u - laptop - 2027");
	buffer_clear(&out);
	facts.label = SPAN("the black laptop with the sticker on its lid");
	assert_ok(profile_common_name(person, &facts, 1800000000, &out, &err), err);
	assert_string_equal(buffer_text(&out),
			    "Maximiliane Friederike Wilhelm - the black laptop with th - 2027");
	buffer_release(&out);
}

static void refused_with(const struct signer *signer, enum profile_kind kind,
			 const struct subject_facts *facts, const struct key *key, enum status want,
			 const char *text)
{
	struct certificate *certificate = NULL;
	struct error err;

	assert_int_equal(signer_sign(signer, profile_get(kind), facts, key, 0, &certificate, &err),
			 want);
	assert_null(certificate);
	assert_string_equal(err.text, text);
}

static void what_must_not_be_signed_is_refused(void **state)
{
	struct test_house house = test_house_make();
	struct key *key = make_key(KEY_EC_P256), *ed25519 = make_key(KEY_ED25519), *weak = NULL;
	struct subject_facts facts = alice(), bad;
	struct span host = SPAN("exa mple.com");

	(void)state;
	assert_ok(key_parse_pem(span_of(sample_key_rsa_1024), SPAN(""), &weak, &house.err),
		  house.err);
	refused_with(house.issuing, PROFILE_PERSON, &facts, weak, REFUSED,
		     "RSA key has 1024 bits; at least 2048 are needed");
	refused_with(house.issuing, PROFILE_PERSON, &facts, ed25519, REFUSED,
		     "browsers cannot use an Ed25519 key; use EC P-256");
	refused_with(house.issuing, PROFILE_PERSON, &facts, signer_key(house.issuing), REFUSED,
		     "that key is the authority's own");
	refused_with(
		house.root, PROFILE_PERSON, &facts, key, REFUSED,
		"\"CN=Chatelaine root 1 for chat.example.com\" may not sign person certificates");
	refused_with(house.issuing, PROFILE_ISSUING, &facts, key, REFUSED,
		     "\"CN=Chatelaine issuing 1 for chat.example.com\" may not sign issuing "
		     "certificates");
	bad = facts;
	bad.email = SPAN("alice@example.com\n");
	refused_with(house.issuing, PROFILE_PERSON, &bad, key, REFUSED,
		     "e-mail address: it has a control character (U+000A) in it");
	bad = facts;
	bad.device = SPAN("../../etc/passwd");
	refused_with(house.issuing, PROFILE_PERSON, &bad, key, FAILED,
		     "\"../../etc/passwd\" is no device id");
	bad = facts;
	bad.person = SPAN("Alice\xff");
	refused_with(house.issuing, PROFILE_PERSON, &bad, key, REFUSED,
		     "common name: it is not UTF-8");
	bad.person = bad.label = SPAN("");
	refused_with(house.issuing, PROFILE_PERSON, &bad, key, REFUSED,
		     "a certificate needs a person's name or a label");
	bad = (struct subject_facts){.hosts = &host, .host_count = 1};
	refused_with(house.issuing, PROFILE_SERVER, &bad, key, REFUSED,
		     "\"exa mple.com\" is neither a host name nor an IP address");
	bad.host_count = 0;
	refused_with(house.issuing, PROFILE_SERVER, &bad, key, REFUSED,
		     "a server's certificate has 1 to 100 names");
	key_free(key);
	key_free(ed25519);
	key_free(weak);
	test_house_release(&house);
}

static void a_signer_needs_its_own_key_and_a_ca_certificate(void **state)
{
	struct test_house house = test_house_make();
	struct key *key = make_key(KEY_EC_P256);
	struct subject_facts facts = alice();
	struct certificate *certificate = issue(&house, PROFILE_PERSON, &facts, key);
	struct signer *signer = NULL;
	struct key *other = make_key(KEY_EC_P256);

	(void)state;
	assert_int_equal(signer_new(key, certificate, &signer, &house.err), REFUSED);
	assert_non_null(strstr(house.err.text, ": the certificate is not one of an authority"));
	assert_int_equal(signer_new(other, certificate, &signer, &house.err), REFUSED);
	assert_non_null(strstr(house.err.text, ": the certificate is not of this key"));
	assert_null(signer);
	key_free(key);
	key_free(other);
	certificate_free(certificate);
	test_house_release(&house);
}

static void profiles_are_found_by_their_names(void **state)
{
	(void)state;
	assert_ptr_equal(profile_find(SPAN("person")), profile_get(PROFILE_PERSON));
	assert_ptr_equal(profile_find(SPAN("ocsp")), profile_get(PROFILE_OCSP));
	assert_null(profile_find(SPAN("Person")));
	assert_null(profile_find(SPAN("")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_house_is_a_root_and_an_issuing_authority),
		cmocka_unit_test(a_person_gets_what_the_registry_says),
		cmocka_unit_test(agent_server_and_ocsp_get_theirs),
		cmocka_unit_test(serials_are_random_positive_and_of_at_most_twenty_bytes),
		cmocka_unit_test(no_certificate_outlives_its_issuer),
		cmocka_unit_test(an_asked_life_counts_up_to_the_profile),
		cmocka_unit_test(long_names_keep_label_and_year),
		cmocka_unit_test(what_must_not_be_signed_is_refused),
		cmocka_unit_test(a_signer_needs_its_own_key_and_a_ca_certificate),
		cmocka_unit_test(profiles_are_found_by_their_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
