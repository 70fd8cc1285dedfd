/* Private keys as bytes: PKCS#8 and what came before it, read and written. */
#include <openssl/evp.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <string.h>

#include "pki/key.h"
#include "pki/pbe.h"
#include "pki/pem.h"
#include "pki/pki_error.h"

enum { ITERATIONS = 60000, SALT_SIZE = 16, SCRYPT_N = 16384, SCRYPT_R = 8, SCRYPT_P = 1 };

/* A private half that does not fit its public one would only show as failing handshakes. */
static enum status check_halves(const struct key *key, struct error *err)
{
	struct buffer signature;
	enum status status;

	buffer_init(&signature, 4096);
	status = key_sign(key, SPAN("chatelaine"), &signature, err);
	if (status != OK)
		status = error_refuse(err, "the private key cannot sign");
	else if (!key_verifies(key, SPAN("chatelaine"), buffer_span(&signature)))
		status = error_refuse(err, "the private key and its public half do not fit");
	buffer_release(&signature);
	return status;
}

static enum status admit(EVP_PKEY *handle, struct key **out, struct error *err)
{
	struct key *key;
	enum status status;

	if (!handle)
		return pki_refuse(err, "not a private key");
	if (EVP_PKEY_get_bits(handle) > 8192) {
		EVP_PKEY_free(handle);
		return error_refuse(err, "private key of more than 8192 bits");
	}
	key = key_wrap(handle, true, (struct span){0});
	if (!key)
		return pki_refuse(err, "private key without a public half");
	status = check_halves(key, err);
	if (status == OK)
		*out = key;
	else
		key_free(key);
	return status;
}

static enum status from_pkcs8(PKCS8_PRIV_KEY_INFO *info, struct key **out, struct error *err)
{
	EVP_PKEY *handle = info ? EVP_PKCS82PKEY(info) : NULL;

	PKCS8_PRIV_KEY_INFO_free(info);
	return admit(handle, out, err);
}

static enum status from_old_form(int type, struct span der, struct key **out, struct error *err)
{
	const unsigned char *at = (const unsigned char *)der.at;
	EVP_PKEY *handle = d2i_PrivateKey(type, NULL, &at, (long)der.size);

	if (handle && at != (const unsigned char *)der.at + der.size) {
		EVP_PKEY_free(handle);
		return error_refuse(err, "private key with bytes behind its end");
	}
	return admit(handle, out, err);
}

static enum status from_plain(struct span der, struct key **out, struct error *err)
{
	const unsigned char *at = (const unsigned char *)der.at;
	PKCS8_PRIV_KEY_INFO *info = d2i_PKCS8_PRIV_KEY_INFO(NULL, &at, (long)der.size);

	if (info && at != (const unsigned char *)der.at + der.size) {
		PKCS8_PRIV_KEY_INFO_free(info);
		return error_refuse(err, "private key with bytes behind its end");
	}
	return from_pkcs8(info, out, err);
}

static enum status from_encrypted(struct span der, struct span passphrase, struct key **out,
				  struct error *err)
{
	const unsigned char *at = (const unsigned char *)der.at;
	X509_SIG *sealed = d2i_X509_SIG(NULL, &at, (long)der.size);
	PKCS8_PRIV_KEY_INFO *info = NULL;
	const X509_ALGOR *algorithm;
	uint64_t work = 0;
	enum status status;

	if (!sealed)
		return pki_refuse(err, "not an encrypted private key");
	X509_SIG_get0(sealed, &algorithm, NULL);
	TRY(pbe_check(algorithm, &work, err));
	if (passphrase.size == 0)
		TRY(error_refuse(err, "the key is encrypted; its passphrase is needed"));
	if (passphrase.size > KEY_TEXT_MAX)
		TRY(error_refuse(err, "the passphrase is too long"));
	info = PKCS8_decrypt(sealed, passphrase.at, (int)passphrase.size);
	if (!info) {
		pki_forget();
		TRY(error_refuse(err, "the passphrase is wrong"));
	}
	status = from_pkcs8(info, out, err);
done:
	X509_SIG_free(sealed);
	return status;
}

enum status key_parse_der(struct span der, struct key **out, struct error *err)
{
	enum status status;

	if (der.size == 0 || der.size > KEY_TEXT_MAX)
		return error_refuse(err, "private key of %zu bytes; 1 to %d are taken", der.size,
				    KEY_TEXT_MAX);
	status = from_plain(der, out, err);
	if (status != OK)
		status = from_old_form(EVP_PKEY_EC, der, out, err);
	if (status != OK)
		status = from_old_form(EVP_PKEY_RSA, der, out, err);
	return status;
}

static enum status from_block(const struct pem_block *block, struct span passphrase,
			      struct key **out, struct error *err)
{
	struct buffer der;
	enum status status;

	if (block->has_headers)
		return error_refuse(err,
				    "the key is encrypted in a form older than PKCS#8; convert it "
				    "with \"openssl pkcs8 -topk8 -in OLD -out NEW\"");
	buffer_init(&der, KEY_TEXT_MAX);
	TRY(pem_decode(block, &der, err));
	if (span_is(block->label, "PRIVATE KEY"))
		status = from_plain(buffer_span(&der), out, err);
	else if (span_is(block->label, "ENCRYPTED PRIVATE KEY"))
		status = from_encrypted(buffer_span(&der), passphrase, out, err);
	else if (span_is(block->label, "EC PRIVATE KEY"))
		status = from_old_form(EVP_PKEY_EC, buffer_span(&der), out, err);
	else if (span_is(block->label, "RSA PRIVATE KEY"))
		status = from_old_form(EVP_PKEY_RSA, buffer_span(&der), out, err);
	else
		status = error_refuse(err,
				      "a key of the form \"%.*s\" is not taken; convert it to "
				      "PKCS#8",
				      SPAN_PRINT(block->label));
done:
	buffer_wipe(&der);
	return status;
}

enum status key_parse_pem(struct span text, struct span passphrase, struct key **out,
			  struct error *err)
{
	struct pem_block block, other = {0};
	enum status status;

	if (text.size > KEY_TEXT_MAX)
		return error_refuse(err, "%zu bytes; a private key has at most %d", text.size,
				    KEY_TEXT_MAX);
	while ((status = pem_next(&text, &block, err)) == OK) {
		if (span_ends(block.label, "PRIVATE KEY"))
			return from_block(&block, passphrase, out, err);
		other = block;
	}
	if (status != AGAIN)
		return status;
	if (other.label.size)
		return error_refuse(err, "there is no private key in it, but a \"%.*s\"",
				    SPAN_PRINT(other.label));
	return error_refuse(err, "there is no private key in PEM form in it");
}

static PKCS8_PRIV_KEY_INFO *info_of(const struct key *key, struct error *err)
{
	PKCS8_PRIV_KEY_INFO *info = key_has_private(key) ? EVP_PKEY2PKCS8(key_handle(key)) : NULL;

	if (!info)
		(void)pki_fail(err, key_has_private(key) ? "write a private key"
							 : "this key has no private half");
	return info;
}

enum status key_write_der(const struct key *key, struct secret **out, struct error *err)
{
	PKCS8_PRIV_KEY_INFO *info = info_of(key, err);
	struct secret *der;
	unsigned char *at;
	int size;

	if (!info)
		return FAILED;
	size = i2d_PKCS8_PRIV_KEY_INFO(info, NULL);
	if (size <= 0) {
		PKCS8_PRIV_KEY_INFO_free(info);
		return pki_fail(err, "write a private key");
	}
	der = secret_new((size_t)size);
	at = der->bytes;
	i2d_PKCS8_PRIV_KEY_INFO(info, &at);
	PKCS8_PRIV_KEY_INFO_free(info);
	*out = der;
	return OK;
}

static enum status as_pem(const char *label, struct span der, struct secret **out,
			  struct error *err)
{
	struct buffer text;
	enum status status = OK;

	buffer_init(&text, KEY_TEXT_MAX);
	(void)buffer_reserve(&text, der.size * 2 + 128);
	pem_write(&text, label, der);
	if (buffer_is_whole(&text))
		*out = secret_copy(buffer_span(&text));
	else
		status = error_fail(err, "no room for a private key");
	buffer_wipe(&text);
	return status;
}

enum status key_write_pem(const struct key *key, struct secret **out, struct error *err)
{
	struct secret *der = NULL;
	enum status status;

	TRY(key_write_der(key, &der, err));
	TRY(as_pem("PRIVATE KEY", secret_span(der), out, err));
done:
	secret_free(der);
	return status;
}

/* Takes over `algorithm`. */
static enum status write_sealed(const struct key *key, X509_ALGOR *algorithm,
				struct span passphrase, struct secret **out, struct error *err)
{
	PKCS8_PRIV_KEY_INFO *info = NULL;
	X509_SIG *sealed = NULL;
	unsigned char *der = NULL;
	enum status status = OK;
	int size = 0;

	if (!algorithm)
		TRY(pki_fail(err, "prepare to encrypt a private key"));
	if (passphrase.size == 0 || passphrase.size > 1024)
		TRY(error_refuse(err, "a passphrase has 1 to 1024 bytes"));
	info = info_of(key, err);
	if (!info)
		TRY(FAILED);
	sealed = PKCS8_set0_pbe(passphrase.at, (int)passphrase.size, info, algorithm);
	if (sealed)
		algorithm = NULL; /* its own now */
	size = sealed ? i2d_X509_SIG(sealed, &der) : -1;
	if (size <= 0)
		TRY(pki_fail(err, "encrypt a private key"));
	TRY(as_pem("ENCRYPTED PRIVATE KEY", span_make(der, (size_t)size), out, err));
done:
	OPENSSL_free(der);
	X509_SIG_free(sealed);
	PKCS8_PRIV_KEY_INFO_free(info);
	X509_ALGOR_free(algorithm);
	return status;
}

enum status key_write_pem_encrypted(const struct key *key, struct span passphrase,
				    struct secret **out, struct error *err)
{
	return write_sealed(key,
			    PKCS5_pbe2_set_iv(EVP_aes_256_cbc(), ITERATIONS, NULL, SALT_SIZE, NULL,
					      NID_hmacWithSHA256),
			    passphrase, out, err);
}

enum status key_write_pem_sealed(const struct key *key, struct span phrase, struct secret **out,
				 struct error *err)
{
	return write_sealed(key,
			    PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), NULL, SALT_SIZE, NULL,
						  SCRYPT_N, SCRYPT_R, SCRYPT_P),
			    phrase, out, err);
}
