#include "pki/pkcs12.h"

#include <openssl/pkcs12.h>

#include "test_house.h"
#include "test_samples.h"

struct identity {
	struct test_house house;
	struct key *key;
	struct certificate *certificate;
	struct certificate_list chain;
};

static struct identity make_identity(enum key_kind kind)
{
	struct identity made = {.house = test_house_make(), .key = make_key(kind)};
	struct subject_facts facts = alice();
	struct buffer text;

	made.certificate = issue(&made.house, PROFILE_PERSON, &facts, made.key);
	buffer_init(&text, 65536);
	certificate_write_pem(signer_certificate(made.house.issuing), &text);
	certificate_write_pem(signer_certificate(made.house.root), &text);
	assert_ok(certificate_list_parse(buffer_span(&text), 10, &made.chain, &made.house.err),
		  made.house.err);
	buffer_release(&text);
	return made;
}

static void release_identity(struct identity *identity)
{
	certificate_list_release(&identity->chain);
	certificate_free(identity->certificate);
	key_free(identity->key);
	test_house_release(&identity->house);
}

static struct secret *write_file(struct identity *identity, enum pkcs12_form form,
				 const char *password)
{
	struct secret *file = NULL;

	assert_ok(pkcs12_write(form, identity->key, identity->certificate, &identity->chain,
			       SPAN("chat.example.com - J\xc3\xb6rgs laptop - 2027"),
			       span_of(password), &file, &identity->house.err),
		  identity->house.err);
	return file;
}

static void both_forms_read_back_whole(void **state)
{
	enum key_kind kinds[] = {KEY_EC_P256, KEY_RSA_2048};
	struct error err;
	int form;
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct identity identity = make_identity(kinds[i]);

		for (form = PKCS12_COMPATIBLE; form <= PKCS12_MODERN; form++) {
			struct secret *file = write_file(&identity, form, "k7mp-x3qd-9vha");
			struct pkcs12_content content = {0};

			assert_ok(pkcs12_read(secret_span(file), SPAN("k7mp-x3qd-9vha"), &content,
					      &err),
				  err);
			assert_true(key_has_private(content.key));
			assert_true(key_equals(content.key, identity.key));
			assert_true(span_equals(certificate_der(content.certificate),
						certificate_der(identity.certificate)));
			assert_int_equal(content.chain.count, 2);
			pkcs12_content_release(&content);
			pkcs12_content_release(&content);
			secret_free(file);
		}
		release_identity(&identity);
	}
}

/* With what OpenSSL has loaded by itself: the default provider, no legacy one. */
static void openssl_opens_both_and_they_say_what_they_should(void **state)
{
	static const struct {
		enum pkcs12_form form;
		int mac, salt;
		const char *part; /* an object identifier's bytes that must be there */
	} forms[] = {
		{PKCS12_COMPATIBLE, NID_sha1, 8, "\x2a\x86\x48\x86\xf7\x0d\x01\x0c\x01\x03"},
		{PKCS12_MODERN, NID_sha256, 16, "\x60\x86\x48\x01\x65\x03\x04\x01\x2a"},
	};
	struct identity identity = make_identity(KEY_EC_P256);
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		struct secret *file = write_file(&identity, forms[i].form, "p\xc3\xa4ss");
		const unsigned char *at = file->bytes;
		PKCS12 *read = d2i_PKCS12(NULL, &at, (long)file->size);
		const ASN1_OCTET_STRING *salt;
		const X509_ALGOR *algorithm;
		const ASN1_OBJECT *object;
		EVP_PKEY *key = NULL;
		X509 *leaf = NULL;
		STACK_OF(X509) *others = NULL;

		assert_non_null(read);
		PKCS12_get0_mac(NULL, &algorithm, &salt, NULL, read);
		X509_ALGOR_get0(&object, NULL, NULL, algorithm);
		assert_int_equal(OBJ_obj2nid(object), forms[i].mac);
		assert_int_equal(ASN1_STRING_length(salt), forms[i].salt);
		assert_non_null(
			memmem(file->bytes, file->size, forms[i].part, strlen(forms[i].part)));
		assert_int_equal(PKCS12_parse(read, "p\xc3\xa4ss", &key, &leaf, &others), 1);
		assert_string_equal((const char *)X509_alias_get0(leaf, NULL),
				    "chat.example.com - J\xc3\xb6rgs laptop - 2027");
		assert_int_equal(sk_X509_num(others), 2);
		EVP_PKEY_free(key);
		X509_free(leaf);
		sk_X509_pop_free(others, X509_free);
		PKCS12_free(read);
		secret_free(file);
	}
	release_identity(&identity);
}

static void a_wrong_password_is_said(void **state)
{
	struct identity identity = make_identity(KEY_EC_P256);
	struct secret *file = write_file(&identity, PKCS12_MODERN, "right");
	struct pkcs12_content content = {0};
	struct error err;

	(void)state;
	assert_int_equal(pkcs12_read(secret_span(file), SPAN("wrong"), &content, &err), REFUSED);
	assert_string_equal(err.text,
			    "PKCS#12 file: the password is wrong, or the file is damaged");
	file->bytes[file->size / 2] ^= 1;
	assert_int_equal(pkcs12_read(secret_span(file), SPAN("right"), &content, &err), REFUSED);
	assert_null(content.key);
	secret_free(file);
	release_identity(&identity);
}

static void nothing_is_written_that_importers_would_refuse(void **state)
{
	struct identity identity = make_identity(KEY_EC_P256);
	struct key *other = make_key(KEY_EC_P256);
	struct secret *file = NULL;
	struct error err;

	(void)state;
	assert_int_equal(pkcs12_write(PKCS12_MODERN, identity.key, identity.certificate, NULL,
				      SPAN("x"), SPAN(""), &file, &err),
			 REFUSED);
	assert_string_equal(err.text,
			    "a PKCS#12 file needs a password; importers differ on what an "
			    "empty one means");
	assert_int_equal(pkcs12_write(PKCS12_MODERN, other, identity.certificate, NULL, SPAN("x"),
				      SPAN("x"), &file, &err),
			 REFUSED);
	assert_string_equal(err.text, "the certificate is not of this private key");
	assert_int_equal(pkcs12_write(PKCS12_MODERN, identity.key, identity.certificate, NULL,
				      SPAN(""), SPAN("x"), &file, &err),
			 REFUSED);
	assert_null(file);
	key_free(other);
	release_identity(&identity);
}

static enum status read_sample(const char *base64, const char *password,
			       struct pkcs12_content *content, struct error *err)
{
	struct buffer bytes;
	enum status status;

	buffer_init(&bytes, 65536);
	assert_true(base64_read(&bytes, span_of(base64)));
	status = pkcs12_read(buffer_span(&bytes), span_of(password), content, err);
	buffer_release(&bytes);
	return status;
}

static void files_by_other_hands_are_read_or_refused_with_a_reason(void **state)
{
	static const struct {
		const char *base64, *begin;
	} bad[] = {
		{sample_p12_rc2_base64, "PKCS#12 file: it is encrypted with RC2, which is broken; "
					"convert it with "},
		{sample_p12_without_mac_base64, "PKCS#12 file: it has no MAC"},
		{sample_p12_three_million_base64,
		 "PKCS#12 file: it asks for more than 2000000 password iterations"},
		{"AAAA", "PKCS#12 file: it is none"},
	};
	struct pkcs12_content content = {0};
	struct error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		assert_int_equal(read_sample(bad[i].base64, "x", &content, &err), REFUSED);
		assert_true(span_starts(span_of(err.text), bad[i].begin));
	}
	assert_ok(read_sample(sample_p12_by_java_base64, "changeit", &content, &err), err);
	assert_string_equal(certificate_facts(content.certificate)->subject, "CN=java");
	pkcs12_content_release(&content);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(both_forms_read_back_whole),
		cmocka_unit_test(openssl_opens_both_and_they_say_what_they_should),
		cmocka_unit_test(a_wrong_password_is_said),
		cmocka_unit_test(nothing_is_written_that_importers_would_refuse),
		cmocka_unit_test(files_by_other_hands_are_read_or_refused_with_a_reason),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
