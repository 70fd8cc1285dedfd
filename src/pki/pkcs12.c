#include "pki/pkcs12.h"

#include <openssl/objects.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "pki/pki_error.h"

enum { PASSWORD_SIZE_MAX = 1024, FRIENDLY_SIZE_MAX = 256, LOCAL_ID_SIZE = 20 };

static const struct form {
	int cipher; /* of both bags */
	int salt_size;
	int iterations;
	const EVP_MD *(*mac)(void);
} forms[] = {
	/* 8 bytes of salt: some importers take no other. */
	[PKCS12_COMPATIBLE] = {NID_pbe_WithSHA1And3_Key_TripleDES_CBC, 8, 10000, EVP_sha1},
	[PKCS12_MODERN] = {NID_aes_256_cbc, 16, 20000, EVP_sha256},
};

/* One file in the making. */
struct writing {
	const struct form *form;
	struct secret *password, *friendly; /* both end in a zero byte */
	uint8_t local_id[LOCAL_ID_SIZE];    /* what ties key and certificate together */
};

static bool name_bag(PKCS12_SAFEBAG *bag, const struct writing *writing)
{
	const struct secret *friendly = writing->friendly;
	unsigned char id[LOCAL_ID_SIZE];

	memcpy(id, writing->local_id, sizeof id);
	return PKCS12_add_localkeyid(bag, id, sizeof id) == 1 &&
	       PKCS12_add_friendlyname_utf8(bag, (const char *)friendly->bytes,
					    (int)friendly->size) == 1;
}

static bool push_bag(STACK_OF(PKCS12_SAFEBAG) * bags, PKCS12_SAFEBAG *bag)
{
	if (bag && sk_PKCS12_SAFEBAG_push(bags, bag) > 0)
		return true;
	PKCS12_SAFEBAG_free(bag);
	return false;
}

/* The leaf first, named; then its chain. */
static STACK_OF(PKCS12_SAFEBAG) * certificate_bags(const struct writing *writing,
						   const struct certificate *leaf,
						   const struct certificate_list *chain)
{
	STACK_OF(PKCS12_SAFEBAG) *bags = sk_PKCS12_SAFEBAG_new_null();
	PKCS12_SAFEBAG *bag = PKCS12_SAFEBAG_create_cert(certificate_handle(leaf));
	bool is_whole = bags && push_bag(bags, bag) && name_bag(bag, writing);
	size_t i;

	for (i = 0; is_whole && chain && i < chain->count; i++)
		is_whole = push_bag(bags,
				    PKCS12_SAFEBAG_create_cert(certificate_handle(chain->at[i])));
	if (is_whole)
		return bags;
	if (!bags)
		PKCS12_SAFEBAG_free(bag);
	sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
	return NULL;
}

static STACK_OF(PKCS12_SAFEBAG) * key_bags(const struct writing *writing, const struct key *key)
{
	STACK_OF(PKCS12_SAFEBAG) *bags = sk_PKCS12_SAFEBAG_new_null();
	PKCS8_PRIV_KEY_INFO *info = EVP_PKEY2PKCS8(key_handle(key));
	PKCS12_SAFEBAG *bag = NULL;

	if (info)
		bag = PKCS12_SAFEBAG_create_pkcs8_encrypt(
			writing->form->cipher, (const char *)writing->password->bytes,
			(int)writing->password->size, NULL, writing->form->salt_size,
			writing->form->iterations, info);
	PKCS8_PRIV_KEY_INFO_free(info);
	if (bags && push_bag(bags, bag) && name_bag(bag, writing))
		return bags;
	if (!bags)
		PKCS12_SAFEBAG_free(bag);
	sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
	return NULL;
}

static bool push_safe(STACK_OF(PKCS7) * safes, PKCS7 *safe)
{
	if (safe && sk_PKCS7_push(safes, safe) > 0)
		return true;
	PKCS7_free(safe);
	return false;
}

static STACK_OF(PKCS7) * make_safes(const struct writing *writing, const struct key *key,
				    const struct certificate *leaf,
				    const struct certificate_list *chain)
{
	STACK_OF(PKCS7) *safes = sk_PKCS7_new_null();
	STACK_OF(PKCS12_SAFEBAG) *certificates = certificate_bags(writing, leaf, chain);
	STACK_OF(PKCS12_SAFEBAG) *keys = key_bags(writing, key);
	bool is_whole = safes && certificates && keys;

	is_whole = is_whole &&
		   push_safe(safes,
			     PKCS12_pack_p7encdata(
				     writing->form->cipher, (const char *)writing->password->bytes,
				     (int)writing->password->size, NULL, writing->form->salt_size,
				     writing->form->iterations, certificates)) &&
		   push_safe(safes, PKCS12_pack_p7data(keys));
	sk_PKCS12_SAFEBAG_pop_free(certificates, PKCS12_SAFEBAG_free);
	sk_PKCS12_SAFEBAG_pop_free(keys, PKCS12_SAFEBAG_free);
	if (is_whole)
		return safes;
	sk_PKCS7_pop_free(safes, PKCS7_free);
	return NULL;
}

static enum status write_file(const struct writing *writing, STACK_OF(PKCS7) * safes,
			      struct secret **out, struct error *err)
{
	PKCS12 *file = PKCS12_init(NID_pkcs7_data);
	unsigned char *at;
	enum status status = OK;
	int size;

	if (!file || PKCS12_pack_authsafes(file, safes) != 1 ||
	    PKCS12_set_mac(file, (const char *)writing->password->bytes,
			   (int)writing->password->size, NULL, writing->form->salt_size,
			   writing->form->iterations, writing->form->mac()) != 1)
		TRY(pki_fail(err, "write a PKCS#12 file"));
	size = i2d_PKCS12(file, NULL);
	if (size <= 0 || size > PKCS12_SIZE_MAX)
		TRY(pki_fail(err, "write a PKCS#12 file"));
	*out = secret_new((size_t)size);
	at = (*out)->bytes;
	i2d_PKCS12(file, &at);
done:
	PKCS12_free(file);
	return status;
}

static enum status check_asked(const struct key *key, const struct certificate *certificate,
			       struct span friendly, struct span password, struct error *err)
{
	if (password.size == 0)
		return error_refuse(err,
				    "a PKCS#12 file needs a password; importers differ on what an "
				    "empty one means");
	if (password.size > PASSWORD_SIZE_MAX || memchr(password.at, 0, password.size))
		return error_refuse(err, "a PKCS#12 password has 1 to %d bytes, none of them zero",
				    PASSWORD_SIZE_MAX);
	if (friendly.size == 0 || friendly.size > FRIENDLY_SIZE_MAX)
		return error_refuse(err, "the name in a PKCS#12 file has 1 to %d bytes",
				    FRIENDLY_SIZE_MAX);
	if (!key_has_private(key) || !certificate_matches_key(certificate, key))
		return error_refuse(err, "the certificate is not of this private key");
	return OK;
}

enum status pkcs12_write(enum pkcs12_form form, const struct key *key,
			 const struct certificate *certificate,
			 const struct certificate_list *chain, struct span friendly,
			 struct span password, struct secret **out, struct error *err)
{
	struct writing writing = {.form = &forms[form]};
	STACK_OF(PKCS7) *safes = NULL;
	enum status status;

	TRY(check_asked(key, certificate, friendly, password, err));
	writing.password = secret_copy(password);
	writing.friendly = secret_copy(friendly);
	memcpy(writing.local_id, certificate_facts(certificate)->fingerprint, LOCAL_ID_SIZE);
	safes = make_safes(&writing, key, certificate, chain);
	if (!safes)
		TRY(pki_fail(err, "write a PKCS#12 file"));
	TRY(write_file(&writing, safes, out, err));
done:
	sk_PKCS7_pop_free(safes, PKCS7_free);
	secret_free(writing.password);
	secret_free(writing.friendly);
	return status;
}
