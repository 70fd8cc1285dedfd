/* Reading a PKCS#12 file: what stands in it decides nothing before its MAC was checked. */
#include <openssl/objects.h>
#include <openssl/pkcs12.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "pki/pbe.h"
#include "pki/pki_error.h"
#include "pki/pkcs12.h"

enum { PASSWORD_SIZE_MAX = 1024, BAGS_MAX = 64 };

struct reading {
	struct secret *password;
	struct key *key;
	struct certificate_list certificates;
	uint64_t work; /* password iterations so far */
	size_t bags;
};

static enum status add_certificate(struct reading *reading, X509 *x, struct error *err)
{
	struct certificate_list *list = &reading->certificates;
	struct certificate **grown;
	unsigned char *der = NULL;
	enum status status;
	int size = x ? i2d_X509(x, &der) : -1;

	if (size <= 0)
		return pki_refuse(err, "a certificate in it cannot be read");
	if (list->count > CERTIFICATE_CHAIN_MAX)
		TRY(error_refuse(err, "there are more than %d certificates in it",
				 CERTIFICATE_CHAIN_MAX + 1));
	grown = reallocarray(list->at, list->count + 1, sizeof *grown);
	if (!grown)
		TRY(error_fail(err, "no memory for its certificates"));
	list->at = grown;
	TRY(certificate_parse_der(span_make(der, (size_t)size), &grown[list->count], err));
	list->count++;
done:
	OPENSSL_free(der);
	return status;
}

static enum status add_key(struct reading *reading, const PKCS8_PRIV_KEY_INFO *info,
			   struct error *err)
{
	struct secret *der;
	unsigned char *at;
	enum status status;
	int size = i2d_PKCS8_PRIV_KEY_INFO(info, NULL);

	if (size <= 0)
		return pki_refuse(err, "its private key cannot be read");
	if (reading->key)
		return error_refuse(err, "there are several private keys in it; one is taken");
	der = secret_new((size_t)size);
	at = der->bytes;
	i2d_PKCS8_PRIV_KEY_INFO(info, &at);
	status = key_parse_der(secret_span(der), &reading->key, err);
	secret_free(der);
	return status;
}

static enum status add_sealed_key(struct reading *reading, const PKCS12_SAFEBAG *bag,
				  struct error *err)
{
	const X509_ALGOR *algorithm;
	PKCS8_PRIV_KEY_INFO *info;
	enum status status;

	X509_SIG_get0(PKCS12_SAFEBAG_get0_pkcs8(bag), &algorithm, NULL);
	TRY(pbe_check(algorithm, &reading->work, err));
	info = PKCS12_decrypt_skey(bag, (const char *)reading->password->bytes,
				   (int)reading->password->size);
	if (!info)
		return pki_refuse(err, "its private key cannot be decrypted");
	status = add_key(reading, info, err);
	PKCS8_PRIV_KEY_INFO_free(info);
done:
	return status;
}

static enum status read_bag(struct reading *reading, const PKCS12_SAFEBAG *bag, struct error *err)
{
	enum status status = OK;
	X509 *x;

	if (++reading->bags > BAGS_MAX)
		return error_refuse(err, "there are more than %d things in it", BAGS_MAX);
	switch (PKCS12_SAFEBAG_get_nid(bag)) {
	case NID_keyBag:
		return add_key(reading, PKCS12_SAFEBAG_get0_p8inf(bag), err);
	case NID_pkcs8ShroudedKeyBag:
		return add_sealed_key(reading, bag, err);
	case NID_certBag:
		if (PKCS12_SAFEBAG_get_bag_nid(bag) != NID_x509Certificate)
			return OK;
		x = PKCS12_SAFEBAG_get1_cert(bag);
		status = add_certificate(reading, x, err);
		X509_free(x);
		return status;
	default:
		return OK; /* lists, secrets, bags in bags: not ours to read */
	}
}

static STACK_OF(PKCS12_SAFEBAG) * open_safe(struct reading *reading, PKCS7 *safe, struct error *err)
{
	STACK_OF(PKCS12_SAFEBAG) *bags = NULL;

	if (PKCS7_type_is_data(safe) && safe->d.data) {
		bags = PKCS12_unpack_p7data(safe);
		if (!bags)
			(void)pki_refuse(err, "a part of it cannot be read");
	} else if (PKCS7_type_is_encrypted(safe) && safe->d.encrypted &&
		   safe->d.encrypted->enc_data && safe->d.encrypted->enc_data->algorithm) {
		if (pbe_check(safe->d.encrypted->enc_data->algorithm, &reading->work, err) != OK)
			return NULL;
		bags = PKCS12_unpack_p7encdata(safe, (const char *)reading->password->bytes,
					       (int)reading->password->size);
		if (!bags)
			(void)pki_refuse(err, "a part of it cannot be decrypted");
	} else {
		(void)error_refuse(err, "a part of it is neither data nor encrypted by a password");
	}
	return bags;
}

static enum status read_safe(struct reading *reading, PKCS7 *safe, struct error *err)
{
	STACK_OF(PKCS12_SAFEBAG) *bags = open_safe(reading, safe, err);
	enum status status = bags ? OK : REFUSED;
	int i;

	for (i = 0; status == OK && i < sk_PKCS12_SAFEBAG_num(bags); i++)
		status = read_bag(reading, sk_PKCS12_SAFEBAG_value(bags, i), err);
	sk_PKCS12_SAFEBAG_pop_free(bags, PKCS12_SAFEBAG_free);
	return status;
}

static enum status check_mac(struct reading *reading, PKCS12 *file, struct error *err)
{
	const ASN1_INTEGER *iterations = NULL;
	uint64_t count = 1;
	enum status status;

	if (!PKCS12_mac_present(file))
		return error_refuse(err,
				    "it has no MAC, so nobody can tell whether it was changed");
	PKCS12_get0_mac(NULL, NULL, NULL, &iterations, file);
	if (iterations && ASN1_INTEGER_get_uint64(&count, iterations) != 1)
		count = UINT64_MAX;
	pki_forget();
	TRY(pbe_check_iterations(count, &reading->work, err));
	if (PKCS12_verify_mac(file, (const char *)reading->password->bytes,
			      (int)reading->password->size) == 1)
		return OK;
	pki_forget();
	return error_refuse(err, "the password is wrong, or the file is damaged");
done:
	return status;
}

static enum status read_all(struct reading *reading, PKCS12 *file, struct error *err)
{
	STACK_OF(PKCS7) *safes = NULL;
	enum status status;
	int i;

	TRY(check_mac(reading, file, err));
	safes = PKCS12_unpack_authsafes(file);
	if (!safes)
		TRY(pki_refuse(err, "its parts cannot be read"));
	for (i = 0; i < sk_PKCS7_num(safes); i++)
		TRY(read_safe(reading, sk_PKCS7_value(safes, i), err));
done:
	sk_PKCS7_pop_free(safes, PKCS7_free);
	return status;
}

/* The key's own certificate out of the list; the rest stays as the chain. */
static enum status settle(struct reading *reading, struct pkcs12_content *out, struct error *err)
{
	struct certificate_list *list = &reading->certificates;
	struct certificate *own;
	size_t i;

	if (!reading->key)
		return error_refuse(err, "there is no private key in it");
	for (i = 0; i < list->count; i++)
		if (certificate_matches_key(list->at[i], reading->key))
			break;
	if (i == list->count)
		return error_refuse(err, "there is no certificate of its private key in it");
	own = list->at[i];
	memmove(list->at + i, list->at + i + 1, (list->count - i - 1) * sizeof *list->at);
	list->count--;
	*out = (struct pkcs12_content){reading->key, own, *list};
	reading->key = NULL; /* the caller's now, as are the certificates */
	*list = (struct certificate_list){0};
	return OK;
}

enum status pkcs12_read(struct span bytes, struct span password, struct pkcs12_content *out,
			struct error *err)
{
	const unsigned char *at = (const unsigned char *)bytes.at;
	struct reading reading = {0};
	PKCS12 *file = NULL;
	enum status status;

	if (bytes.size == 0 || bytes.size > PKCS12_SIZE_MAX)
		TRY(error_refuse(err, "it has %zu bytes; 1 to %d are taken", bytes.size,
				 PKCS12_SIZE_MAX));
	if (password.size > PASSWORD_SIZE_MAX)
		TRY(error_refuse(err, "the password has more than %d bytes", PASSWORD_SIZE_MAX));
	file = d2i_PKCS12(NULL, &at, (long)bytes.size);
	if (!file)
		TRY(pki_refuse(err, "it is none"));
	reading.password = secret_copy(password);
	TRY(read_all(&reading, file, err));
	TRY(settle(&reading, out, err));
done:
	if (status != OK)
		error_context(err, "PKCS#12 file");
	PKCS12_free(file);
	secret_free(reading.password);
	key_free(reading.key);
	certificate_list_release(&reading.certificates);
	return status;
}

void pkcs12_content_release(struct pkcs12_content *content)
{
	key_free(content->key);
	certificate_free(content->certificate);
	certificate_list_release(&content->chain);
	*content = (struct pkcs12_content){0};
}
