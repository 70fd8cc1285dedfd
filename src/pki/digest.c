#include "pki/digest.h"

#include <openssl/core_names.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/kdf.h>
#include <openssl/params.h>
#include <stdlib.h>

/* Fetched once: a fetch by name costs more than the hash of a certificate. */
static const EVP_MD *fetched(EVP_MD **slot, const char *name)
{
	if (!*slot)
		*slot = EVP_MD_fetch(NULL, name, NULL);
	if (!*slot)
		abort();
	return *slot;
}

static const EVP_MD *fetched_sha256(void)
{
	static EVP_MD *slot;

	return fetched(&slot, "SHA256");
}

void digest_sha256(struct span bytes, uint8_t out[static SHA256_SIZE])
{
	digest_sha256_parts(&bytes, 1, out);
}

void digest_sha256_parts(const struct span *parts, size_t count, uint8_t out[static SHA256_SIZE])
{
	EVP_MD_CTX *context = EVP_MD_CTX_new();
	size_t i;

	if (!context || EVP_DigestInit_ex2(context, fetched_sha256(), NULL) != 1)
		abort();
	for (i = 0; i < count; i++)
		if (EVP_DigestUpdate(context, parts[i].at, parts[i].size) != 1)
			abort();
	if (EVP_DigestFinal_ex(context, out, NULL) != 1)
		abort();
	EVP_MD_CTX_free(context);
}

void digest_sha1(struct span bytes, uint8_t out[static SHA1_SIZE])
{
	static EVP_MD *slot;

	if (EVP_Digest(bytes.at, bytes.size, out, NULL, fetched(&slot, "SHA1"), NULL) != 1)
		abort();
}

void digest_hmac_sha256(struct span key, struct span bytes, uint8_t out[static SHA256_SIZE])
{
	digest_hmac_sha256_parts(key, &bytes, 1, out);
}

void digest_hmac_sha256_parts(struct span key, const struct span *parts, size_t count,
			      uint8_t out[static SHA256_SIZE])
{
	static EVP_MAC *hmac;
	char name[] = "SHA256";
	OSSL_PARAM how[] = {OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, name, 0),
			    OSSL_PARAM_construct_end()};
	EVP_MAC_CTX *context;
	size_t i, size;

	if (!hmac)
		hmac = EVP_MAC_fetch(NULL, "HMAC", NULL);
	context = hmac ? EVP_MAC_CTX_new(hmac) : NULL;
	/* A NULL key would mean "as before", so an empty one points somewhere too. */
	if (!context ||
	    EVP_MAC_init(context, (const uint8_t *)(key.size ? key.at : ""), key.size, how) != 1)
		abort();
	for (i = 0; i < count; i++)
		if (EVP_MAC_update(context, (const uint8_t *)parts[i].at, parts[i].size) != 1)
			abort();
	if (EVP_MAC_final(context, out, &size, SHA256_SIZE) != 1 || size != SHA256_SIZE)
		abort();
	EVP_MAC_CTX_free(context);
}

void digest_derive(struct span key, const char *purpose, void *out, size_t size)
{
	char name[] = "SHA256";
	OSSL_PARAM how[] = {OSSL_PARAM_construct_utf8_string(OSSL_KDF_PARAM_DIGEST, name, 0),
			    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_KEY,
							      (void *)(uintptr_t)key.at, key.size),
			    OSSL_PARAM_construct_octet_string(OSSL_KDF_PARAM_INFO,
							      (void *)(uintptr_t)purpose,
							      strlen(purpose)),
			    OSSL_PARAM_construct_end()};
	EVP_KDF *hkdf = EVP_KDF_fetch(NULL, "HKDF", NULL);
	EVP_KDF_CTX *context = hkdf ? EVP_KDF_CTX_new(hkdf) : NULL;

	if (!context || EVP_KDF_derive(context, out, size, how) != 1)
		abort();
	EVP_KDF_CTX_free(context);
	EVP_KDF_free(hkdf);
}

bool digest_equals(struct span a, struct span b)
{
	return a.size == b.size && CRYPTO_memcmp(a.at, b.at, a.size) == 0;
}
