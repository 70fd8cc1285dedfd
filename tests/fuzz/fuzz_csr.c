/* Any bytes as a certificate request: what is admitted has a strong key and can be certified. */
#include <stdint.h>
#include <stdlib.h>

#include "pki/csr.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct csr *csr = NULL;
	struct error err;

	if (csr_parse(span_make(bytes, size), &csr, &err) == OK) {
		(void)csr_has_challenge(csr);
		if (csr_check_strength(csr, &err) == OK && csr_check_possession(csr, &err) == OK &&
		    (key_has_private(csr_key(csr)) || key_bits(csr_key(csr)) < 253))
			abort();
	}
	csr_free(csr);
	return 0;
}
