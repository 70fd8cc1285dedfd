/* Any certificate, signed anew by a CA that is trusted: if it is let in, its purpose says so, it is no CA, and its name
 * can stand on a line. The first byte says which field. */
#include "foreign_house.h"

static struct foreign_trust *trusts[FOREIGN_CN + 1];

static void check_good(const struct foreign_path *path, X509 *leaf)
{
	size_t i;

	must(X509_check_ca(leaf) == 0);
	must(X509_get_extended_key_usage(leaf) & XKU_SSL_CLIENT);
	must(path->identity.size > 0 && path->identity.size <= FOREIGN_IDENTITY_MOST);
	must(path->step_count == 1);
	for (i = 0; i < path->identity.size; i++)
		must((unsigned char)path->identity.at[i] >= ' ' && path->identity.at[i] != 0x7f);
	/* What it is folded to stays as it is. */
	{
		struct buffer again;

		buffer_init(&again, FOREIGN_IDENTITY_MOST);
		must(foreign_identity_fold(path->field, path->identity, &again, NULL) == OK);
		must(span_equals(buffer_span(&again), path->identity));
		buffer_release(&again);
	}
}

static void open_trusts(void)
{
	struct foreign_trust_options options = {.name = "corp", .roots = buffer_span(&house.pem)};
	struct error err;
	int field;

	for (field = FOREIGN_EMAIL; field <= FOREIGN_CN; field++) {
		options.field = (enum foreign_field)field;
		must(foreign_trust_new(&options, &trusts[field], &err) == OK);
	}
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct foreign_path *path;
	const unsigned char *at;
	unsigned char *der = NULL;
	X509 *leaf, *again = NULL;
	int again_size;

	if (!house.x) {
		open_foreign_house();
		open_trusts();
	}
	if (size < 2)
		return 0;
	at = bytes + 1;
	leaf = d2i_X509(NULL, &at, (long)size - 1);
	ERR_clear_error();
	if (!leaf)
		return 0;
	X509_set_issuer_name(leaf, X509_get_subject_name(house.x));
	X509_set_pubkey(leaf, house.key);
	ASN1_TIME_set(X509_getm_notBefore(leaf), NOW - 10);
	ASN1_TIME_set(X509_getm_notAfter(leaf), NOW + 10);
	if (X509_sign(leaf, house.key, EVP_sha256()) > 0 && (again_size = i2d_X509(leaf, &der)) > 0) {
		at = der;
		again = d2i_X509(NULL, &at, again_size);
	}
	ERR_clear_error();
	if (again) {
		path = foreign_trust_verify(trusts[FOREIGN_EMAIL + bytes[0] % FOREIGN_CN], again, NULL, NOW);
		must(path != NULL);
		if (path->why == FOREIGN_GOOD)
			check_good(path, again);
		foreign_path_free(path);
	}
	must(ERR_peek_error() == 0);
	X509_free(again);
	OPENSSL_free(der);
	X509_free(leaf);
	return 0;
}
