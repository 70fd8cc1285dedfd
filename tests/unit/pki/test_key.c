#include "pki/key.h"

#include "test_house.h"
#include "test_samples.h"

#include "pki/recovery.h"

static void refused_with(const char *pem, const char *passphrase, const char *text)
{
	struct key *key = NULL;
	struct error err;

	assert_int_equal(key_parse_pem(span_of(pem), span_of(passphrase), &key, &err), REFUSED);
	assert_null(key);
	assert_string_equal(err.text, text);
}

static struct key *parse(const char *pem, const char *passphrase)
{
	struct key *key = NULL;
	struct error err;

	assert_ok(key_parse_pem(span_of(pem), span_of(passphrase), &key, &err), err);
	assert_true(key_has_private(key));
	return key;
}

static void every_kind_is_written_and_read_back(void **state)
{
	static const char *const names[] = {"EC P-256", "EC P-384", "RSA 2048", "Ed25519"};
	char name[KEY_NAME_SIZE];
	struct error err;
	int kind;

	(void)state;
	for (kind = KEY_EC_P256; kind <= KEY_ED25519; kind++) {
		struct key *key = make_key(kind), *again = NULL, *from_der = NULL, *half = NULL;
		struct secret *pem = NULL, *der = NULL;
		uint8_t one[32], other[32];

		key_name(key, name);
		assert_string_equal(name, names[kind]);
		assert_ok(key_check_strength(key, &err), err);
		assert_ok(key_write_pem(key, &pem, &err), err);
		again = parse((char *)pem->bytes, "");
		assert_true(key_equals(key, again));
		assert_ok(key_write_der(key, &der, &err), err);
		assert_ok(key_parse_der(secret_span(der), &from_der, &err), err);
		assert_true(key_equals(key, from_der));
		assert_ok(key_copy_public(key, &half, &err), err);
		assert_false(key_has_private(half));
		assert_true(key_equals(key, half));
		key_spki_sha256(key, one);
		key_spki_sha256(half, other);
		assert_memory_equal(one, other, 32);
		secret_free(pem);
		pem = NULL;
		assert_int_equal(key_write_pem(half, &pem, &err), FAILED);
		assert_string_equal(err.text, "this key has no private half");
		secret_free(der);
		key_free(key);
		key_free(again);
		key_free(from_der);
		key_free(half);
	}
}

static void signatures_verify_and_changed_ones_do_not(void **state)
{
	struct error err;
	int kind;

	(void)state;
	for (kind = KEY_EC_P256; kind <= KEY_ED25519; kind++) {
		struct key *key = make_key(kind), *other = make_key(kind);
		struct buffer signature;

		buffer_init(&signature, 1024);
		assert_ok(key_sign(key, SPAN("hello"), &signature, &err), err);
		assert_true(key_verifies(key, SPAN("hello"), buffer_span(&signature)));
		assert_false(key_verifies(key, SPAN("hellp"), buffer_span(&signature)));
		assert_false(key_verifies(other, SPAN("hello"), buffer_span(&signature)));
		assert_false(key_verifies(key, SPAN("hello"), SPAN("")));
		signature.at[signature.size - 1] ^= 1;
		assert_false(key_verifies(key, SPAN("hello"), buffer_span(&signature)));
		buffer_release(&signature);
		key_free(key);
		key_free(other);
	}
}

static void weak_keys_are_refused_with_what_is_wrong(void **state)
{
	static const struct {
		const char *pem, *text;
	} weak[] = {
		{sample_key_rsa_1024, "RSA key has 1024 bits; at least 2048 are needed"},
		{sample_key_rsa_exponent_3, "RSA key has the exponent 3; at least 65537 is needed"},
		{sample_key_secp256k1, "EC key is on secp256k1; P-256, P-384 and P-521 are taken"},
		{sample_key_explicit_curve,
		 "EC key spells out its curve; use P-256, P-384 or P-521 by name"},
	};
	struct error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof weak / sizeof *weak; i++) {
		struct key *key = parse(weak[i].pem, "");

		assert_int_equal(key_check_strength(key, &err), REFUSED);
		assert_string_equal(err.text, weak[i].text);
		key_free(key);
	}
}

static void old_forms_and_3des_are_read(void **state)
{
	struct key *plain = parse(sample_key_pkcs8, ""), *old = parse(sample_key_ec_old_form, "");
	struct key *sealed = parse(sample_key_pkcs8_3des, "x");
	struct key *rsa = parse(sample_key_rsa_old_form, "");

	(void)state;
	assert_true(key_equals(plain, old));
	assert_true(key_equals(plain, sealed));
	assert_false(key_equals(plain, rsa));
	assert_int_equal(key_bits(rsa), 2048);
	key_free(plain);
	key_free(old);
	key_free(sealed);
	key_free(rsa);
}

static void an_encrypted_key_opens_with_its_passphrase_only(void **state)
{
	struct key *key = make_key(KEY_EC_P256), *again;
	struct secret *pem = NULL;
	struct error err;

	(void)state;
	assert_ok(key_write_pem_encrypted(key, SPAN("correct horse"), &pem, &err), err);
	assert_non_null(strstr((char *)pem->bytes, "BEGIN ENCRYPTED PRIVATE KEY"));
	again = parse((char *)pem->bytes, "correct horse");
	assert_true(key_equals(key, again));
	refused_with((char *)pem->bytes, "", "the key is encrypted; its passphrase is needed");
	refused_with((char *)pem->bytes, "wrong", "the passphrase is wrong");
	secret_free(pem);
	pem = NULL;
	assert_int_equal(key_write_pem_encrypted(key, SPAN(""), &pem, &err), REFUSED);
	assert_string_equal(err.text, "a passphrase has 1 to 1024 bytes");
	assert_null(pem);
	key_free(key);
	key_free(again);
}

static void a_sealed_root_key_opens_with_the_phrase_as_it_was_typed(void **state)
{
	struct key *key = make_key(KEY_EC_P384), *again;
	struct secret *phrase = recovery_make(), *other = recovery_make(), *typed = NULL;
	struct secret *pem = NULL;
	struct error err;
	size_t i;

	(void)state;
	assert_ok(key_write_pem_sealed(key, secret_span(phrase), &pem, &err), err);
	refused_with((char *)pem->bytes, (char *)other->bytes, "the passphrase is wrong");
	for (i = 0; i < phrase->size; i++) /* the same, in lower case and with spaces */
		other->bytes[i] = phrase->bytes[i] == '-' ? ' ' : (uint8_t)(phrase->bytes[i] | 32);
	assert_ok(recovery_read(secret_span(other), &typed, &err), err);
	again = parse((char *)pem->bytes, (char *)typed->bytes);
	assert_true(key_equals(key, again));
	secret_free(phrase);
	secret_free(other);
	secret_free(typed);
	secret_free(pem);
	key_free(key);
	key_free(again);
}

static void what_is_no_key_is_told_apart(void **state)
{
	char cut[200];

	(void)state;
	refused_with("", "", "there is no private key in PEM form in it");
	refused_with(sample_certificate_self, "",
		     "there is no private key in it, but a \"CERTIFICATE\"");
	refused_with(sample_key_encrypted_old_form, "x",
		     "the key is encrypted in a form older than PKCS#8; convert it with \"openssl "
		     "pkcs8 -topk8 -in OLD -out NEW\"");
	refused_with(sample_key_pkcs8_des, "x",
		     "it is encrypted with pbeWithMD5AndDES-CBC, which is not taken; use AES-256 "
		     "with PBKDF2");
	refused_with(sample_key_pkcs8_three_million, "x",
		     "it asks for more than 2000000 password iterations");
	refused_with(
		"-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n",
		"",
		"a key of the form \"OPENSSH PRIVATE KEY\" is not taken; convert it to "
		"PKCS#8");
	snprintf(cut, sizeof cut, "%.150s", sample_key_pkcs8);
	refused_with(cut, "", "PEM block PRIVATE KEY has no end: is the file cut off?");
	refused_with("-----BEGIN PRIVATE KEY-----\n!!!!\n-----END PRIVATE KEY-----\n", "",
		     "PEM block PRIVATE KEY is not base64");
	refused_with("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END CERTIFICATE-----\n", "",
		     "a PEM block begins as PRIVATE KEY and ends as CERTIFICATE");
}

static void halves_that_do_not_fit_are_refused(void **state)
{
	struct key *key = make_key(KEY_EC_P256), *parsed = NULL;
	struct secret *der = NULL;
	struct error err;

	(void)state;
	assert_ok(key_write_der(key, &der, &err), err);
	der->bytes[40] ^= 1; /* in the private number of PKCS#8 */
	assert_int_equal(key_parse_der(secret_span(der), &parsed, &err), REFUSED);
	assert_null(parsed);
	secret_free(der);
	key_free(key);
}

static void crlf_and_text_around_are_fine(void **state)
{
	struct buffer text;
	struct key *key;
	const char *c;

	(void)state;
	buffer_init(&text, 4096);
	buffer_add_text(&text, "Bag Attributes\r\n   friendlyName: x\r\n");
	for (c = sample_key_pkcs8; *c; c++)
		buffer_printf(&text, *c == '\n' ? " \r\n" : "%c", *c);
	key = parse(buffer_text(&text), "");
	key_free(key);
	buffer_release(&text);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_kind_is_written_and_read_back),
		cmocka_unit_test(signatures_verify_and_changed_ones_do_not),
		cmocka_unit_test(weak_keys_are_refused_with_what_is_wrong),
		cmocka_unit_test(old_forms_and_3des_are_read),
		cmocka_unit_test(an_encrypted_key_opens_with_its_passphrase_only),
		cmocka_unit_test(a_sealed_root_key_opens_with_the_phrase_as_it_was_typed),
		cmocka_unit_test(what_is_no_key_is_told_apart),
		cmocka_unit_test(halves_that_do_not_fit_are_refused),
		cmocka_unit_test(crlf_and_text_around_are_fine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
