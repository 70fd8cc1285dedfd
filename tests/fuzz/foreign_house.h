/* foreign_house - a CA for fuzz targets whose bytes must be signed to get anywhere. */
#ifndef FOREIGN_HOUSE_H
#define FOREIGN_HOUSE_H

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include "base/buffer.h"
#include "pki/foreign_trust.h"

enum { NOW = 1795230000 };

static struct {
	X509 *x;
	EVP_PKEY *key;
	struct buffer pem;
	struct certificate *certificate;
} house;

static void must(int fine)
{
	if (!fine)
		abort();
}

static void open_foreign_house(void)
{
	static const struct {
		int nid;
		const char *value;
	} rows[] = {{NID_basic_constraints, "critical,CA:TRUE"}, {NID_key_usage, "critical,keyCertSign,cRLSign"}};
	struct error err;
	BIO *bio = BIO_new(BIO_s_mem());
	char *bytes;
	long size;
	size_t i;

	house.x = X509_new();
	house.key = EVP_EC_gen("P-256");
	X509_set_version(house.x, 2);
	ASN1_INTEGER_set(X509_get_serialNumber(house.x), 1);
	ASN1_TIME_set(X509_getm_notBefore(house.x), NOW - 1000000);
	ASN1_TIME_set(X509_getm_notAfter(house.x), NOW + 1000000);
	X509_NAME_add_entry_by_txt(X509_get_subject_name(house.x), "CN", MBSTRING_UTF8, (const unsigned char *)"Root", -1, -1, 0);
	X509_set_issuer_name(house.x, X509_get_subject_name(house.x));
	X509_set_pubkey(house.x, house.key);
	for (i = 0; i < 2; i++) {
		X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, NULL, rows[i].nid, rows[i].value);

		X509_add_ext(house.x, extension, -1);
		X509_EXTENSION_free(extension);
	}
	must(X509_sign(house.x, house.key, EVP_sha256()) > 0);
	PEM_write_bio_X509(bio, house.x);
	size = BIO_get_mem_data(bio, &bytes);
	buffer_init(&house.pem, 1 << 16);
	buffer_add(&house.pem, span_make(bytes, (size_t)size));
	BIO_free(bio);
	must(certificate_parse_pem(buffer_span(&house.pem), &house.certificate, &err) == OK);
}

#endif
