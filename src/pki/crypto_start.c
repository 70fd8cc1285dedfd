#include "pki/crypto_start.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>

#include "pki/digest.h"
#include "pki/key.h"
#include "pki/pki_error.h"

/* One key made, used and written brings in what a provider loads only when asked. */
static enum status warm_up(struct error *err)
{
	struct key *key = NULL, *public_key = NULL;
	struct buffer der, signature;
	enum status status;
	uint8_t made[SHA256_SIZE];

	buffer_init(&der, 1024);
	buffer_init(&signature, 1024);
	digest_derive(SPAN("start"), "start", made, sizeof made);
	digest_sha1(SPAN("start"), made);
	TRY(key_generate(KEY_EC_P256, &key, err));
	TRY(key_sign(key, SPAN("start"), &signature, err));
	TRY(key_write_public_der(key, &der, err));
	TRY(key_parse_public_der(buffer_span(&der), &public_key, err));
	if (!key_verifies(public_key, SPAN("start"), buffer_span(&signature)))
		status = error_fail(err, "libcrypto does not verify what it signed");
done:
	buffer_release(&der);
	buffer_release(&signature);
	key_free(public_key);
	key_free(key);
	return status;
}

enum status crypto_start(struct error *err)
{
	if (OPENSSL_init_crypto(OPENSSL_INIT_NO_LOAD_CONFIG | OPENSSL_INIT_LOAD_CRYPTO_STRINGS |
					OPENSSL_INIT_ADD_ALL_CIPHERS | OPENSSL_INIT_ADD_ALL_DIGESTS,
				NULL) != 1)
		return pki_fail(err, "start libcrypto");
	return warm_up(err);
}
