#include "pki/pbe.h"

#include <openssl/asn1.h>
#include <openssl/objects.h>
#include <openssl/x509.h>

#include "pki/pki_error.h"

enum { WORK_MAX = 2000000 };

static int nid_of(const X509_ALGOR *algorithm)
{
	const ASN1_OBJECT *object;

	X509_ALGOR_get0(&object, NULL, NULL, algorithm);
	return OBJ_obj2nid(object);
}

static const ASN1_TYPE *parameters_of(const X509_ALGOR *algorithm)
{
	return algorithm->parameter;
}

/* An absent number counts as 1; a negative or huge one as too much. */
static uint64_t number_of(const ASN1_INTEGER *number)
{
	uint64_t value;

	if (!number)
		return 1;
	if (ASN1_INTEGER_get_uint64(&value, number) != 1) {
		pki_forget();
		return UINT64_MAX;
	}
	return value;
}

enum status pbe_check_iterations(uint64_t iterations, uint64_t *work, struct error *err)
{
	if (iterations > WORK_MAX || *work + iterations > WORK_MAX)
		return error_refuse(err, "it asks for more than %d password iterations", WORK_MAX);
	*work += iterations;
	return OK;
}

static enum status check_pbkdf2(const X509_ALGOR *function, uint64_t *work, struct error *err)
{
	PBKDF2PARAM *found =
		ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBKDF2PARAM), parameters_of(function));
	enum status status;

	if (!found)
		return pki_refuse(err, "PBKDF2 parameters");
	status = pbe_check_iterations(number_of(found->iter), work, err);
	PBKDF2PARAM_free(found);
	return status;
}

static enum status check_scrypt(const X509_ALGOR *function, uint64_t *work, struct error *err)
{
	SCRYPT_PARAMS *found =
		ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(SCRYPT_PARAMS), parameters_of(function));
	uint64_t cost, block, parallel;

	if (!found)
		return pki_refuse(err, "scrypt parameters");
	cost = number_of(found->costParameter);
	block = number_of(found->blockSize);
	parallel = number_of(found->parallelizationParameter);
	SCRYPT_PARAMS_free(found);
	/* libcrypto stops at 32 MB by itself; the product is the time. */
	if (cost > 1 << 20 || block > 64 || parallel > 64)
		return error_refuse(err, "it asks for a scrypt too large");
	return pbe_check_iterations(cost * block * parallel / 2, work, err);
}

static enum status check_pbes2(const X509_ALGOR *algorithm, uint64_t *work, struct error *err)
{
	PBE2PARAM *found =
		ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBE2PARAM), parameters_of(algorithm));
	enum status status;

	if (!found)
		return pki_refuse(err, "PBES2 parameters");
	switch (nid_of(found->keyfunc)) {
	case NID_id_pbkdf2:
		status = check_pbkdf2(found->keyfunc, work, err);
		break;
	case NID_id_scrypt:
		status = check_scrypt(found->keyfunc, work, err);
		break;
	default:
		status = error_refuse(err,
				      "its key comes from its password in a way that is not taken");
	}
	PBE2PARAM_free(found);
	return status;
}

static enum status check_pbe(const X509_ALGOR *algorithm, uint64_t *work, struct error *err)
{
	PBEPARAM *found =
		ASN1_TYPE_unpack_sequence(ASN1_ITEM_rptr(PBEPARAM), parameters_of(algorithm));
	enum status status;

	if (!found)
		return pki_refuse(err, "PBE parameters");
	status = pbe_check_iterations(number_of(found->iter), work, err);
	PBEPARAM_free(found);
	return status;
}

enum status pbe_check(const struct X509_algor_st *algorithm, uint64_t *work, struct error *err)
{
	char name[80];
	const ASN1_OBJECT *object;

	switch (nid_of(algorithm)) {
	case NID_pbes2:
		return check_pbes2(algorithm, work, err);
	case NID_pbe_WithSHA1And3_Key_TripleDES_CBC:
		return check_pbe(algorithm, work, err);
	case NID_pbe_WithSHA1And40BitRC2_CBC:
	case NID_pbe_WithSHA1And128BitRC2_CBC:
		return error_refuse(err,
				    "it is encrypted with RC2, which is broken; convert it with "
				    "\"openssl pkcs12 -legacy -in OLD -out x.pem -nodes\" and "
				    "\"openssl pkcs12 -export -in x.pem -out NEW\"");
	default:
		X509_ALGOR_get0(&object, NULL, NULL, algorithm);
		OBJ_obj2txt(name, sizeof name, object, 0);
		return error_refuse(err,
				    "it is encrypted with %s, which is not taken; use AES-256 with "
				    "PBKDF2",
				    name);
	}
}
