/*
 * key - one asymmetric key, private or only its public half.
 *
 * Owned by whoever made it; immutable. Private bytes leave it only in a
 * struct secret. Parsers take at most KEY_TEXT_MAX bytes.
 */
#ifndef PKI_KEY_H
#define PKI_KEY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/secret.h"
#include "base/span.h"
#include "pki/digest.h"

struct evp_pkey_st; /* EVP_PKEY: for stream/ alone */
struct evp_md_st;
struct key;

enum { KEY_TEXT_MAX = 65536, KEY_NAME_SIZE = 24 };

enum key_kind {
	KEY_EC_P256,
	KEY_EC_P384,
	KEY_RSA_2048,
	KEY_ED25519, /* machines only: NSS and Firefox cannot import it */
};

/* Random key. RSA takes some 100 ms, the others well under one. */
MUST_CHECK enum status key_generate(enum key_kind kind, struct key **out, struct error *err);

/* The first private key of a PEM text: PKCS#8, encrypted PKCS#8 (any PBES2, PBE-SHA1-3DES), or
 * the older "EC PRIVATE KEY" and "RSA PRIVATE KEY". An empty passphrase means none was given.
 * REFUSED says what is wrong: no key there, a passphrase is needed, it is wrong. */
MUST_CHECK enum status key_parse_pem(struct span text, struct span passphrase, struct key **out,
				     struct error *err);
/* PKCS#8 or the older forms, not encrypted. */
MUST_CHECK enum status key_parse_der(struct span der, struct key **out, struct error *err);
/* SubjectPublicKeyInfo. */
MUST_CHECK enum status key_parse_public_der(struct span der, struct key **out, struct error *err);
/* The public half of `key`, as a key of its own. */
MUST_CHECK enum status key_copy_public(const struct key *key, struct key **out, struct error *err);

/* PKCS#8 without a passphrase. */
MUST_CHECK enum status key_write_der(const struct key *key, struct secret **out, struct error *err);
MUST_CHECK enum status key_write_pem(const struct key *key, struct secret **out, struct error *err);
/* "ENCRYPTED PRIVATE KEY" for people's programs: PBES2, PBKDF2 with HMAC-SHA-256, AES-256-CBC.
 * Some 20 ms. */
MUST_CHECK enum status key_write_pem_encrypted(const struct key *key, struct span passphrase,
					       struct secret **out, struct error *err);
/* The same with scrypt (RFC 7914, N 16384, r 8, p 1: 16 MB, some 50 ms): for a key that waits
 * under the recovery phrase. `openssl pkey` opens it with the phrase as printed, so that nobody
 * needs us to get at their root. */
MUST_CHECK enum status key_write_pem_sealed(const struct key *key, struct span phrase,
					    struct secret **out, struct error *err);
/* SubjectPublicKeyInfo, DER. */
MUST_CHECK enum status key_write_public_der(const struct key *key, struct buffer *out,
					    struct error *err);
MUST_CHECK enum status key_write_public_pem(const struct key *key, struct buffer *out,
					    struct error *err);

/* SHA-256 of the SubjectPublicKeyInfo: the name of a key. */
void key_spki_sha256(const struct key *key, uint8_t out[static SHA256_SIZE]);
/* "EC P-256", "RSA 2048", "Ed25519"; terminated. */
void key_name(const struct key *key, char out[static KEY_NAME_SIZE]);
int key_bits(const struct key *key);
bool key_has_private(const struct key *key);
/* The same public half? */
bool key_equals(const struct key *a, const struct key *b);

/* May it stand in a certificate? RSA of 2048 to 8192 bits whose exponent is odd and at least
 * 65537; EC on the named curves P-256, P-384, P-521 with a point on the curve; Ed25519. REFUSED:
 * "RSA key has 1024 bits; at least 2048 are needed". */
MUST_CHECK enum status key_check_strength(const struct key *key, struct error *err);

/* Sign: ECDSA or RSA PKCS#1 v1.5 with SHA-256 (SHA-384 on P-384), or Ed25519. Adds the signature
 * (DER for ECDSA) to `out`. */
MUST_CHECK enum status key_sign(const struct key *key, struct span message, struct buffer *out,
				struct error *err);
bool key_verifies(const struct key *key, struct span message, struct span signature);

/* Borrowed; for SSL_CTX_use_PrivateKey, which takes a reference of its own. */
struct evp_pkey_st *key_handle(const struct key *key);

/* For pki/. Takes over one reference of `handle` in any case. `spki`: its SubjectPublicKeyInfo if
 * the caller has it, for OpenSSL takes 100 us to write it; else empty. NULL: it has no public half.
 */
struct key *key_wrap(struct evp_pkey_st *handle, bool has_private, struct span spki);
/* For pki/. What it signs with; NULL for Ed25519, which hashes by itself. */
const struct evp_md_st *key_sign_digest(const struct key *key);

void key_free(struct key *key); /* NULL is fine; private bytes are wiped */

#endif
