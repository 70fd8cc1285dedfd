/*
 * Any bytes as a PKCS#12 file. Nobody guesses a MAC, so one is also set here on
 * what can be read at all, and the parts behind it are reached.
 */
#include <openssl/err.h>
#include <openssl/pkcs12.h>
#include <stdint.h>
#include <stdlib.h>

#include "pki/pkcs12.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void read_file(struct span bytes)
{
	struct pkcs12_content content = {0};

	if (pkcs12_read(bytes, SPAN("x"), &content, NULL) == OK &&
	    (!key_has_private(content.key) ||
	     !certificate_matches_key(content.certificate, content.key)))
		abort();
	pkcs12_content_release(&content);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	const unsigned char *at = bytes;
	unsigned char *der = NULL;
	PKCS12 *file;
	int count;

	read_file(span_make(bytes, size));
	file = d2i_PKCS12(NULL, &at, (long)size);
	if (file && PKCS12_set_mac(file, "x", 1, NULL, 8, 1, EVP_sha1()) == 1) {
		count = i2d_PKCS12(file, &der);
		if (count > 0)
			read_file(span_make(der, (size_t)count));
		OPENSSL_free(der);
	}
	PKCS12_free(file);
	ERR_clear_error();
	return 0;
}
