/* Any bytes as a private key: what is read can be written and is the same again. */
#include <stdint.h>
#include <stdlib.h>

#include "pki/key.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check(struct key *key)
{
	struct secret *der = NULL;
	struct key *again = NULL;
	struct error err;

	(void)key_check_strength(key, &err);
	if (key_write_der(key, &der, &err) != OK ||
	    key_parse_der(secret_span(der), &again, &err) != OK || !key_equals(key, again))
		abort();
	secret_free(der);
	key_free(again);
	key_free(key);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct span input = span_make(bytes, size);
	struct key *key = NULL;

	if (key_parse_der(input, &key, NULL) == OK)
		check(key);
	key = NULL;
	if (key_parse_pem(input, SPAN("x"), &key, NULL) == OK)
		check(key);
	key = NULL;
	if (key_parse_public_der(input, &key, NULL) == OK)
		(void)key_check_strength(key, NULL);
	key_free(key);
	return 0;
}
