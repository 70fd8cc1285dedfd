#include "pki/key.h"

#include <openssl/core_names.h>
#include <openssl/ec.h>
#include <openssl/evp.h>
#include <openssl/objects.h>
#include <openssl/rsa.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/pem.h"
#include "pki/pki_error.h"

enum { RSA_BITS_LEAST = 2048, RSA_BITS_MOST = 8192, EXPONENT_LEAST = 65537 };

struct key {
	EVP_PKEY *handle;
	bool has_private;
	uint8_t spki[SHA256_SIZE];
};

static bool hash_public(EVP_PKEY *handle, uint8_t out[SHA256_SIZE])
{
	unsigned char *der = NULL;
	int size = i2d_PUBKEY(handle, &der);

	if (size <= 0)
		return false;
	digest_sha256(span_make(der, (size_t)size), out);
	OPENSSL_free(der);
	return true;
}

struct key *key_wrap(struct evp_pkey_st *handle, bool has_private, struct span spki)
{
	struct key *key = calloc(1, sizeof *key);

	if (key && spki.size)
		digest_sha256(spki, key->spki);
	else if (!key || !hash_public(handle, key->spki)) {
		free(key);
		EVP_PKEY_free(handle);
		return NULL;
	}
	key->handle = handle;
	key->has_private = has_private;
	return key;
}

void key_free(struct key *key)
{
	if (!key)
		return;
	EVP_PKEY_free(key->handle);
	free(key);
}

static enum status wrap(EVP_PKEY *handle, bool has_private, struct key **out, struct error *err)
{
	struct key *key = key_wrap(handle, has_private, (struct span){0});

	if (!key)
		return pki_refuse(err, "key without a public half that can be written");
	*out = key;
	return OK;
}

enum status key_generate(enum key_kind kind, struct key **out, struct error *err)
{
	EVP_PKEY *handle = NULL;

	switch (kind) {
	case KEY_EC_P256:
		handle = EVP_EC_gen("P-256");
		break;
	case KEY_EC_P384:
		handle = EVP_EC_gen("P-384");
		break;
	case KEY_RSA_2048:
		handle = EVP_RSA_gen(2048);
		break;
	case KEY_ED25519:
		handle = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
		break;
	}
	if (!handle)
		return pki_fail(err, "make a key");
	return wrap(handle, true, out, err);
}

enum status key_parse_public_der(struct span der, struct key **out, struct error *err)
{
	const unsigned char *at = (const unsigned char *)der.at;
	EVP_PKEY *handle;

	if (der.size == 0 || der.size > KEY_TEXT_MAX)
		return error_refuse(err, "public key of %zu bytes; 1 to %d are taken", der.size,
				    KEY_TEXT_MAX);
	handle = d2i_PUBKEY(NULL, &at, (long)der.size);
	if (!handle)
		return pki_refuse(err, "not a public key");
	if (at != (const unsigned char *)der.at + der.size) {
		EVP_PKEY_free(handle);
		return error_refuse(err, "public key with bytes behind its end");
	}
	return wrap(handle, false, out, err);
}

enum status key_copy_public(const struct key *key, struct key **out, struct error *err)
{
	struct buffer der;
	enum status status;

	buffer_init(&der, KEY_TEXT_MAX);
	TRY(key_write_public_der(key, &der, err));
	TRY(key_parse_public_der(buffer_span(&der), out, err));
done:
	buffer_release(&der);
	return status;
}

static enum status add_encoded(struct buffer *out, unsigned char *der, int size, const char *label,
			       struct error *err)
{
	if (size <= 0)
		return pki_fail(err, "write a public key");
	if (label)
		pem_write(out, label, span_make(der, (size_t)size));
	else
		buffer_add(out, span_make(der, (size_t)size));
	OPENSSL_free(der);
	return buffer_is_whole(out) ? OK : error_fail(err, "no room for a public key");
}

enum status key_write_public_der(const struct key *key, struct buffer *out, struct error *err)
{
	unsigned char *der = NULL;
	int size = i2d_PUBKEY(key->handle, &der);

	return add_encoded(out, der, size, NULL, err);
}

enum status key_write_public_pem(const struct key *key, struct buffer *out, struct error *err)
{
	unsigned char *der = NULL;
	int size = i2d_PUBKEY(key->handle, &der);

	return add_encoded(out, der, size, "PUBLIC KEY", err);
}

void key_spki_sha256(const struct key *key, uint8_t out[static SHA256_SIZE])
{
	memcpy(out, key->spki, SHA256_SIZE);
}

/* The NIST name of the curve, or NULL. */
static const char *curve_name(const struct key *key)
{
	static const struct {
		const char *group, *name;
	} curves[] = {
		{SN_X9_62_prime256v1, "P-256"},
		{SN_secp384r1, "P-384"},
		{SN_secp521r1, "P-521"},
		{"P-256", "P-256"},
		{"P-384", "P-384"},
		{"P-521", "P-521"},
	};
	char group[64];
	size_t i;

	if (EVP_PKEY_get_utf8_string_param(key->handle, OSSL_PKEY_PARAM_GROUP_NAME, group,
					   sizeof group, NULL) != 1) {
		pki_forget();
		return NULL;
	}
	for (i = 0; i < sizeof curves / sizeof *curves; i++)
		if (strcmp(curves[i].group, group) == 0)
			return curves[i].name;
	return NULL;
}

void key_name(const struct key *key, char out[static KEY_NAME_SIZE])
{
	const char *type = EVP_PKEY_get0_type_name(key->handle);
	const char *curve;

	if (EVP_PKEY_is_a(key->handle, "EC")) {
		curve = curve_name(key);
		snprintf(out, KEY_NAME_SIZE, "EC %s", curve ? curve : "of another curve");
	} else if (EVP_PKEY_is_a(key->handle, "ED25519")) {
		snprintf(out, KEY_NAME_SIZE, "Ed25519");
	} else if (EVP_PKEY_is_a(key->handle, "RSA")) {
		snprintf(out, KEY_NAME_SIZE, "RSA %d", EVP_PKEY_get_bits(key->handle));
	} else {
		snprintf(out, KEY_NAME_SIZE, "%.20s", type ? type : "of another type");
	}
}

int key_bits(const struct key *key)
{
	return EVP_PKEY_get_bits(key->handle);
}

bool key_has_private(const struct key *key)
{
	return key->has_private;
}

bool key_equals(const struct key *a, const struct key *b)
{
	bool is_equal = EVP_PKEY_eq(a->handle, b->handle) == 1;

	pki_forget();
	return is_equal;
}

struct evp_pkey_st *key_handle(const struct key *key)
{
	return key->handle;
}

static enum status check_rsa(const struct key *key, struct error *err)
{
	BIGNUM *modulus = NULL, *exponent = NULL;
	int bits = EVP_PKEY_get_bits(key->handle);
	enum status status = OK;

	if (bits < RSA_BITS_LEAST)
		return error_refuse(err, "RSA key has %d bits; at least %d are needed", bits,
				    RSA_BITS_LEAST);
	if (bits > RSA_BITS_MOST)
		return error_refuse(err, "RSA key has %d bits; at most %d are taken", bits,
				    RSA_BITS_MOST);
	if (EVP_PKEY_get_bn_param(key->handle, OSSL_PKEY_PARAM_RSA_N, &modulus) != 1 ||
	    EVP_PKEY_get_bn_param(key->handle, OSSL_PKEY_PARAM_RSA_E, &exponent) != 1)
		status = pki_fail(err, "read an RSA key");
	else if (!BN_is_odd(modulus))
		status = error_refuse(err, "RSA key has an even modulus");
	else if (!BN_is_odd(exponent))
		status = error_refuse(err, "RSA key has an even exponent");
	else if (BN_num_bits(exponent) <= 17 && BN_get_word(exponent) < EXPONENT_LEAST)
		status = error_refuse(err, "RSA key has the exponent %lu; at least %d is needed",
				      (unsigned long)BN_get_word(exponent), EXPONENT_LEAST);
	else if (BN_num_bits(exponent) > 64)
		status = error_refuse(err,
				      "RSA key has an exponent of %d bits; at most 64 are taken",
				      BN_num_bits(exponent));
	BN_free(modulus);
	BN_free(exponent);
	return status;
}

static enum status check_ec(const struct key *key, struct error *err)
{
	EVP_PKEY_CTX *context;
	int is_explicit = 0, is_valid;
	char group[64] = "";

	(void)EVP_PKEY_get_utf8_string_param(key->handle, OSSL_PKEY_PARAM_GROUP_NAME, group,
					     sizeof group, NULL);
	if (EVP_PKEY_get_int_param(key->handle, OSSL_PKEY_PARAM_EC_DECODED_FROM_EXPLICIT_PARAMS,
				   &is_explicit) != 1)
		pki_forget();
	/* A curve spelt out could be any other that looks like a good one (CVE-2020-0601). */
	if (is_explicit || !group[0])
		return error_refuse(err,
				    "EC key spells out its curve; use P-256, P-384 or P-521 by "
				    "name");
	if (!curve_name(key))
		return error_refuse(err, "EC key is on %s; P-256, P-384 and P-521 are taken",
				    group);
	context = EVP_PKEY_CTX_new_from_pkey(NULL, key->handle, NULL);
	is_valid = context ? EVP_PKEY_public_check(context) : 0;
	EVP_PKEY_CTX_free(context);
	if (is_valid != 1)
		return pki_refuse(err, "EC key is not a point on its curve");
	return OK;
}

enum status key_check_strength(const struct key *key, struct error *err)
{
	if (EVP_PKEY_is_a(key->handle, "RSA"))
		return check_rsa(key, err);
	if (EVP_PKEY_is_a(key->handle, "EC"))
		return check_ec(key, err);
	if (EVP_PKEY_is_a(key->handle, "ED25519"))
		return OK;
	return error_refuse(err, "key of type %.40s; EC, RSA and Ed25519 are taken",
			    EVP_PKEY_get0_type_name(key->handle));
}

const struct evp_md_st *key_sign_digest(const struct key *key)
{
	if (EVP_PKEY_is_a(key->handle, "ED25519"))
		return NULL;
	return EVP_PKEY_is_a(key->handle, "EC") && EVP_PKEY_get_bits(key->handle) > 256
		       ? EVP_sha384()
		       : EVP_sha256();
}

enum status key_sign(const struct key *key, struct span message, struct buffer *out,
		     struct error *err)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t size = (size_t)EVP_PKEY_get_size(key->handle);
	char *room = buffer_reserve(out, size);
	bool is_signed =
		context && room && key->has_private &&
		EVP_DigestSignInit(context, NULL, key_sign_digest(key), NULL, key->handle) == 1 &&
		EVP_DigestSign(context, (unsigned char *)room, &size,
			       (const unsigned char *)message.at, message.size) == 1;

	EVP_MD_CTX_free(context);
	if (!is_signed)
		return pki_fail(err, "sign");
	buffer_grew(out, size);
	return OK;
}

bool key_verifies(const struct key *key, struct span message, struct span signature)
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	bool is_good =
		context &&
		EVP_DigestVerifyInit(context, NULL, key_sign_digest(key), NULL, key->handle) == 1 &&
		EVP_DigestVerify(context, (const unsigned char *)signature.at, signature.size,
				 (const unsigned char *)message.at, message.size) == 1;

	EVP_MD_CTX_free(context);
	pki_forget();
	return is_good;
}
