#include "pki/csr.h"

#include <openssl/objects.h>
#include <openssl/x509.h>
#include <stdlib.h>

#include "pki/pem.h"
#include "pki/pki_error.h"

struct csr {
	X509_REQ *handle;
	struct key *key;
	bool has_challenge;
};

void csr_free(struct csr *csr)
{
	if (!csr)
		return;
	X509_REQ_free(csr->handle);
	key_free(csr->key);
	free(csr);
}

static enum status read_key(struct csr *csr, struct error *err)
{
	EVP_PKEY *key = X509_REQ_get_pubkey(csr->handle);

	csr->key = key ? key_wrap(key, false, (struct span){0}) : NULL;
	return csr->key ? OK : pki_refuse(err, "its public key cannot be read");
}

static enum status parse_der(struct span der, struct csr **out, struct error *err)
{
	const unsigned char *at = (const unsigned char *)der.at;
	struct csr *csr = calloc(1, sizeof *csr);
	enum status status;

	if (!csr)
		return error_fail(err, "no memory for a certificate request");
	csr->handle = der.size ? d2i_X509_REQ(NULL, &at, (long)der.size) : NULL;
	if (!csr->handle)
		TRY(pki_refuse(err, "not a certificate request"));
	if (at != (const unsigned char *)der.at + der.size)
		TRY(error_refuse(err, "it has bytes behind its end"));
	TRY(read_key(csr, err));
	csr->has_challenge =
		X509_REQ_get_attr_by_NID(csr->handle, NID_pkcs9_challengePassword, -1) >= 0;
	*out = csr;
	csr = NULL; /* the caller's now */
done:
	csr_free(csr);
	return status;
}

static enum status parse_pem(struct span text, struct csr **out, struct error *err)
{
	struct pem_block block, other = {0};
	struct buffer der;
	enum status status;

	buffer_init(&der, CSR_SIZE_MAX);
	while ((status = pem_next(&text, &block, err)) == OK) {
		if (span_is(block.label, "CERTIFICATE REQUEST") ||
		    span_is(block.label, "NEW CERTIFICATE REQUEST"))
			break;
		other = block;
	}
	if (status == AGAIN)
		status = error_refuse(err, "there is no certificate request in it, but a \"%.*s\"",
				      SPAN_PRINT(other.label));
	TRY(status);
	TRY(pem_decode(&block, &der, err));
	TRY(parse_der(buffer_span(&der), out, err));
done:
	buffer_release(&der);
	return status;
}

enum status csr_parse(struct span bytes, struct csr **out, struct error *err)
{
	enum status status;

	if (bytes.size == 0 || bytes.size > CSR_SIZE_MAX)
		status = error_refuse(err, "it has %zu bytes; 1 to %d are taken", bytes.size,
				      CSR_SIZE_MAX);
	else if (!pem_is(bytes) && bytes.at[0] != 0x30)
		status = error_refuse(err, "it is neither PEM (BEGIN CERTIFICATE REQUEST) nor DER; make one with "
				      "\"openssl req -new\"");
	else
		status = pem_is(bytes) ? parse_pem(bytes, out, err) : parse_der(bytes, out, err);
	if (status != OK)
		error_context(err, "certificate request");
	return status;
}

/* Which hashes prove anything; Ed25519 has its own. */
static bool is_sound(int signature)
{
	int hash, key;

	if (signature == NID_ED25519)
		return true;
	if (OBJ_find_sigid_algs(signature, &hash, &key) != 1)
		return false;
	return hash == NID_sha256 || hash == NID_sha384 || hash == NID_sha512;
}

enum status csr_check_possession(const struct csr *csr, struct error *err)
{
	int signature = X509_REQ_get_signature_nid(csr->handle);

	if (!is_sound(signature))
		return error_refuse(err,
				    "certificate request: signed with %s; SHA-256, SHA-384 or "
				    "SHA-512 with ECDSA or RSA, or Ed25519 are taken",
				    OBJ_nid2sn(signature));
	if (X509_REQ_verify(csr->handle, key_handle(csr->key)) == 1)
		return OK;
	pki_forget();
	return error_refuse(err,
			    "certificate request: it is not signed by the key that it carries");
}

enum status csr_check_strength(const struct csr *csr, struct error *err)
{
	enum status status = key_check_strength(csr->key, err);

	if (status != OK)
		error_context(err, "certificate request");
	return status;
}

enum status csr_admit(struct span bytes, struct csr **out, struct error *err)
{
	struct csr *csr = NULL;
	enum status status;

	TRY(csr_parse(bytes, &csr, err));
	/* Strength first: a huge key would make the proof costly. */
	TRY(csr_check_strength(csr, err));
	TRY(csr_check_possession(csr, err));
	*out = csr;
	csr = NULL; /* the caller's now */
done:
	csr_free(csr);
	return status;
}

const struct key *csr_key(const struct csr *csr)
{
	return csr->key;
}

bool csr_has_challenge(const struct csr *csr)
{
	return csr->has_challenge;
}

enum status csr_write(const struct key *key, const struct distinguished_name *name,
		      struct buffer *out, struct error *err)
{
	X509_REQ *request = X509_REQ_new();
	X509_NAME *subject = NULL;
	unsigned char *der = NULL;
	enum status status;
	int size = 0;

	TRY(distinguished_name_build(name, &subject, err));
	if (!request || X509_REQ_set_version(request, X509_REQ_VERSION_1) != 1 ||
	    X509_REQ_set_subject_name(request, subject) != 1 ||
	    X509_REQ_set_pubkey(request, key_handle(key)) != 1 ||
	    X509_REQ_sign(request, key_handle(key), key_sign_digest(key)) <= 0 ||
	    (size = i2d_X509_REQ(request, &der)) <= 0)
		TRY(pki_fail(err, "write a certificate request"));
	buffer_add(out, span_make(der, (size_t)size));
	if (!buffer_is_whole(out))
		TRY(error_fail(err, "no room for a certificate request"));
done:
	OPENSSL_free(der);
	X509_NAME_free(subject);
	X509_REQ_free(request);
	return status;
}

enum status csr_write_pem(const struct key *key, const struct distinguished_name *name,
			  struct buffer *out, struct error *err)
{
	struct buffer der;
	enum status status;

	buffer_init(&der, CSR_SIZE_MAX);
	TRY(csr_write(key, name, &der, err));
	pem_write(out, "CERTIFICATE REQUEST", buffer_span(&der));
	if (!buffer_is_whole(out))
		status = error_fail(err, "no room for a certificate request");
done:
	buffer_release(&der);
	return status;
}
