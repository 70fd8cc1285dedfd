/* foreign_samples - small PKIs made on the spot, sound and unsound ones; for one test program. */
#ifndef FOREIGN_SAMPLES_H
#define FOREIGN_SAMPLES_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rsa.h>
#include <openssl/x509v3.h>

#include "base/buffer.h"
#include "base/error.h"
#include "pki/crypto_start.h"
#include "pki/foreign_trust.h"

enum { NOW = 1795230000, A_DAY = 86400 };

struct extension {
	int nid;
	const char *value;
};

struct wish {
	const char *cn;
	const struct extension *extensions; /* ends with {0, NULL} */
	EVP_PKEY *key;                      /* NULL: a new P-256 */
	const EVP_MD *digest;               /* NULL: SHA-256 */
	int64_t from, to;                   /* 0: a year around NOW */
	GENERAL_NAMES *names;               /* taken; beside what extensions say */
	const char *second_cn;
	long serial;
};

struct issued {
	X509 *x;
	EVP_PKEY *key;
};

static const struct extension ca_extensions[] = {{NID_basic_constraints, "critical,CA:TRUE"},
						 {NID_key_usage, "critical,keyCertSign,cRLSign"},
						 {0, NULL}};
static const struct extension last_ca_extensions[] = {{NID_basic_constraints, "critical,CA:TRUE,pathlen:0"},
						      {NID_key_usage, "critical,keyCertSign,cRLSign"},
						      {0, NULL}};
static const struct extension alice_extensions[] = {{NID_basic_constraints, "CA:FALSE"},
						    {NID_ext_key_usage, "clientAuth"},
						    {NID_subject_alt_name, "email:alice@corp.example"},
						    {0, NULL}};

static void add_extension(X509 *x, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, NULL, nid, value);

	assert_non_null(extension);
	assert_int_equal(X509_add_ext(x, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

static struct issued issue(const struct wish *wish, const struct issued *issuer)
{
	static long serials = 1000;
	struct issued made = {.x = X509_new(), .key = wish->key ? wish->key : EVP_EC_gen("P-256")};
	X509_NAME *name = X509_get_subject_name(made.x);
	const struct extension *extension;

	assert_non_null(made.key);
	assert_int_equal(X509_set_version(made.x, 2), 1);
	ASN1_INTEGER_set(X509_get_serialNumber(made.x), wish->serial ? wish->serial : ++serials);
	ASN1_TIME_set(X509_getm_notBefore(made.x), wish->from ? wish->from : NOW - 100 * A_DAY);
	ASN1_TIME_set(X509_getm_notAfter(made.x), wish->to ? wish->to : NOW + 100 * A_DAY);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)wish->cn, -1, -1, 0);
	if (wish->second_cn)
		X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)wish->second_cn, -1, -1, 0);
	X509_set_issuer_name(made.x, issuer ? X509_get_subject_name(issuer->x) : name);
	X509_set_pubkey(made.x, made.key);
	for (extension = wish->extensions; extension && extension->value; extension++)
		add_extension(made.x, extension->nid, extension->value);
	if (wish->names) {
		assert_int_equal(X509_add1_ext_i2d(made.x, NID_subject_alt_name, wish->names, 0, X509V3_ADD_APPEND), 1);
		GENERAL_NAMES_free(wish->names);
	}
	assert_true(X509_sign(made.x, issuer ? issuer->key : made.key, wish->digest ? wish->digest : EVP_sha256()) > 0);
	return made;
}

static void issued_free(struct issued *issued)
{
	X509_free(issued->x);
	EVP_PKEY_free(issued->key);
}

/* One name of a type, of any bytes. */
__attribute__((unused)) static GENERAL_NAMES *names_of(int type, const void *bytes, int size)
{
	GENERAL_NAMES *names = GENERAL_NAMES_new();
	GENERAL_NAME *name = GENERAL_NAME_new();
	ASN1_IA5STRING *text = ASN1_IA5STRING_new();

	assert_int_equal(ASN1_STRING_set(text, bytes, size), 1);
	GENERAL_NAME_set0_value(name, type, text);
	assert_true(sk_GENERAL_NAME_push(names, name) > 0);
	return names;
}

static void put_pem(struct buffer *out, const X509 *x)
{
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes;
	long size;

	PEM_write_bio_X509(bio, x);
	size = BIO_get_mem_data(bio, &bytes);
	buffer_add(out, span_make(bytes, (size_t)size));
	BIO_free(bio);
}

struct list_wish {
	const struct issued *issuer;
	const X509 *revoked[4];
	int64_t from, to;
	bool is_delta, is_indirect, has_no_end;
	const EVP_MD *digest;
	EVP_PKEY *key; /* NULL: the issuer's */
};

static X509_CRL *make_list(const struct list_wish *wish)
{
	X509_CRL *crl = X509_CRL_new();
	ASN1_TIME *time = ASN1_TIME_set(NULL, wish->from ? wish->from : NOW - A_DAY);
	size_t i;

	X509_CRL_set_version(crl, 1);
	X509_CRL_set_issuer_name(crl, X509_get_subject_name(wish->issuer->x));
	X509_CRL_set1_lastUpdate(crl, time);
	ASN1_TIME_set(time, wish->to ? wish->to : NOW + A_DAY);
	if (!wish->has_no_end)
		X509_CRL_set1_nextUpdate(crl, time);
	ASN1_TIME_set(time, NOW - A_DAY);
	for (i = 0; i < 4 && wish->revoked[i]; i++) {
		X509_REVOKED *revoked = X509_REVOKED_new();

		X509_REVOKED_set_serialNumber(revoked, (ASN1_INTEGER *)(uintptr_t)X509_get0_serialNumber(wish->revoked[i]));
		X509_REVOKED_set_revocationDate(revoked, time);
		assert_int_equal(X509_CRL_add0_revoked(crl, revoked), 1);
	}
	ASN1_TIME_free(time);
	if (wish->is_delta) {
		ASN1_INTEGER *base = ASN1_INTEGER_new();

		ASN1_INTEGER_set(base, 1);
		assert_int_equal(X509_CRL_add1_ext_i2d(crl, NID_delta_crl, base, 1, 0), 1);
		ASN1_INTEGER_free(base);
	}
	if (wish->is_indirect) {
		ISSUING_DIST_POINT *point = ISSUING_DIST_POINT_new();

		point->indirectCRL = 0xff;
		assert_int_equal(X509_CRL_add1_ext_i2d(crl, NID_issuing_distribution_point, point, 1, 0), 1);
		ISSUING_DIST_POINT_free(point);
	}
	X509_CRL_sort(crl);
	assert_true(X509_CRL_sign(crl, wish->key ? wish->key : wish->issuer->key,
				  wish->digest ? wish->digest : EVP_sha256()) > 0);
	return crl;
}

/* Its PEM, or its DER, behind what is there. */
static void put_list(struct buffer *out, const struct list_wish *wish, bool is_der)
{
	X509_CRL *crl = make_list(wish);
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes;
	long size;

	if (is_der)
		i2d_X509_CRL_bio(bio, crl);
	else
		PEM_write_bio_X509_CRL(bio, crl);
	size = BIO_get_mem_data(bio, &bytes);
	buffer_add(out, span_make(bytes, (size_t)size));
	BIO_free(bio);
	X509_CRL_free(crl);
}

#endif
