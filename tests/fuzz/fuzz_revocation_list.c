/* Any bytes as a CRL file; and any list in them signed anew, so that what stands behind the signature is read too: then
 * every serial number in it is revoked, and the next one is not. */
#include "foreign_house.h"

static void check_signed(X509_CRL *crl)
{
	struct certificate *const signers[] = {house.certificate};
	struct revocation_lists *lists = NULL;
	struct certificate_reference which;
	STACK_OF(X509_REVOKED) *revoked;
	unsigned char *der = NULL;
	struct error err;
	int size, i;

	X509_CRL_set_issuer_name(crl, X509_get_subject_name(house.x));
	if (X509_CRL_sign(crl, house.key, EVP_sha256()) <= 0 || (size = i2d_X509_CRL(crl, &der)) <= 0) {
		ERR_clear_error();
		return;
	}
	if (revocation_lists_parse(span_make(der, (size_t)size), signers, 1, &lists, &err) == OK) {
		X509 *leaf = X509_new();

		revoked = X509_CRL_get_REVOKED(crl);
		must(revocation_lists_facts(lists, 0)->count == (size_t)(revoked ? sk_X509_REVOKED_num(revoked) : 0));
		for (i = 0; revoked && i < sk_X509_REVOKED_num(revoked); i++) {
			ASN1_INTEGER *serial = ASN1_INTEGER_dup(
				X509_REVOKED_get0_serialNumber(sk_X509_REVOKED_value(revoked, i)));

			X509_set_serialNumber(leaf, serial);
			certificate_refer(leaf, house.x, &which);
			must(revocation_lists_have(lists, &which));
			which.issuer[0] ^= 1;
			must(!revocation_lists_have(lists, &which));
			ASN1_INTEGER_free(serial);
		}
		X509_free(leaf);
	}
	revocation_lists_free(lists);
	OPENSSL_free(der);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const unsigned char *at = bytes;
	struct revocation_lists *lists = NULL;
	struct error err;
	X509_CRL *crl;

	if (!house.x)
		open_foreign_house();
	{
		struct certificate *const signers[] = {house.certificate};

		/* Nobody can sign for it. */
		must(revocation_lists_parse(span_make(bytes, size), signers, 1, &lists, &err) != OK);
	}
	must(ERR_peek_error() == 0);
	crl = d2i_X509_CRL(NULL, &at, (long)size);
	ERR_clear_error();
	if (crl)
		check_signed(crl);
	X509_CRL_free(crl);
	ERR_clear_error();
	return 0;
}
