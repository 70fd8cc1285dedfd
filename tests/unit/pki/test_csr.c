#include "pki/csr.h"

#include "test_house.h"
#include "test_samples.h"

static void refused_with(struct span bytes, const char *text)
{
	struct csr *csr = NULL;
	struct error err;

	assert_int_equal(csr_admit(bytes, &csr, &err), REFUSED);
	assert_null(csr);
	assert_string_equal(err.text, text);
}

static void a_request_gives_its_key_and_nothing_else(void **state)
{
	struct key *key = NULL;
	struct csr *csr = NULL;
	struct error err;

	(void)state;
	/* It wishes to be a CA for evil; there is not even a way to ask for that. */
	assert_ok(csr_admit(span_of(sample_csr_wishes), &csr, &err), err);
	assert_ok(key_parse_pem(span_of(sample_key_pkcs8), SPAN(""), &key, &err), err);
	assert_true(key_equals(csr_key(csr), key));
	assert_false(key_has_private(csr_key(csr)));
	assert_false(csr_has_challenge(csr));
	csr_free(csr);
	key_free(key);
}

static void ours_is_read_back_as_pem_and_der(void **state)
{
	struct distinguished_name name = {0};
	struct error err;
	int kind;

	(void)state;
	assert_ok(distinguished_name_add(&name, NAME_COMMON, SPAN("x"), &err), err);
	for (kind = KEY_EC_P256; kind <= KEY_ED25519; kind++) {
		struct key *key = make_key(kind);
		struct buffer der, pem;
		struct csr *csr = NULL;

		buffer_init(&der, CSR_SIZE_MAX);
		buffer_init(&pem, CSR_SIZE_MAX);
		assert_ok(csr_write(key, &name, &der, &err), err);
		assert_ok(csr_admit(buffer_span(&der), &csr, &err), err);
		assert_true(key_equals(csr_key(csr), key));
		csr_free(csr);
		assert_ok(csr_write_pem(key, &name, &pem, &err), err);
		assert_ok(csr_admit(buffer_span(&pem), &csr, &err), err);
		csr_free(csr);
		buffer_release(&der);
		buffer_release(&pem);
		key_free(key);
	}
}

static void a_challenge_password_is_seen(void **state)
{
	struct csr *csr = NULL;
	struct error err;

	(void)state;
	assert_ok(csr_admit(span_of(sample_csr_challenge), &csr, &err), err);
	assert_true(csr_has_challenge(csr));
	csr_free(csr);
}

static void weak_keys_and_hashes_are_refused(void **state)
{
	(void)state;
	refused_with(span_of(sample_csr_rsa_1024),
		     "certificate request: RSA key has 1024 bits; at least 2048 are needed");
	refused_with(span_of(sample_csr_rsa_exponent_3),
		     "certificate request: RSA key has the exponent 3; at least 65537 is needed");
	refused_with(
		span_of(sample_csr_explicit_curve),
		"certificate request: EC key spells out its curve; use P-256, P-384 or P-521 by "
		"name");
	refused_with(
		span_of(sample_csr_secp256k1),
		"certificate request: EC key is on secp256k1; P-256, P-384 and P-521 are taken");
	refused_with(
		span_of(sample_csr_sha1),
		"certificate request: signed with ecdsa-with-SHA1; SHA-256, SHA-384 or SHA-512 "
		"with ECDSA or RSA, or Ed25519 are taken");
}

static void a_request_without_the_private_key_is_refused(void **state)
{
	struct distinguished_name name = {0};
	struct key *key = make_key(KEY_EC_P256);
	struct buffer der;
	struct error err;

	(void)state;
	buffer_init(&der, CSR_SIZE_MAX);
	assert_ok(distinguished_name_add(&name, NAME_COMMON, SPAN("x"), &err), err);
	assert_ok(csr_write(key, &name, &der, &err), err);
	der.at[der.size - 1] ^= 1;
	refused_with(buffer_span(&der),
		     "certificate request: it is not signed by the key that it carries");
	buffer_add_char(&der, 0);
	refused_with(buffer_span(&der), "certificate request: it has bytes behind its end");
	key_free(key);
	buffer_release(&der);
}

static void what_is_no_request_is_told_apart(void **state)
{
	static char large[CSR_SIZE_MAX + 1];

	(void)state;
	refused_with(SPAN(""), "certificate request: it has 0 bytes; 1 to 65536 are taken");
	refused_with(span_make(large, sizeof large),
		     "certificate request: it has 65537 bytes; 1 to 65536 are taken");
	refused_with(span_of(sample_certificate_self),
		     "certificate request: there is no certificate request in it, but a "
		     "\"CERTIFICATE\"");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_gives_its_key_and_nothing_else),
		cmocka_unit_test(ours_is_read_back_as_pem_and_der),
		cmocka_unit_test(a_challenge_password_is_seen),
		cmocka_unit_test(weak_keys_and_hashes_are_refused),
		cmocka_unit_test(a_request_without_the_private_key_is_refused),
		cmocka_unit_test(what_is_no_request_is_told_apart),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
