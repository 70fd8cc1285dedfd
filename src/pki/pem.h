/*
 * pem - the blocks of a PEM text (RFC 7468), found and written without OpenSSL.
 *
 * Lenient about what stands around the blocks (openssl writes there what a
 * certificate says), line lengths, CRLF and spaces at line ends; strict about
 * the labels and the base64. Blocks with headers (Proc-Type: an encryption
 * older than PKCS#8) are found, and marked.
 */
#ifndef PKI_PEM_H
#define PKI_PEM_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/span.h"

struct pem_block {
	struct span label; /* "CERTIFICATE"; points into the text */
	struct span body;  /* between the two lines, as it stands */
	bool has_headers;
};

/* The next block; *rest goes on behind it. OK; AGAIN: there is none; REFUSED: one that does not
 * end. */
MUST_CHECK enum status pem_next(struct span *rest, struct pem_block *out, struct error *err);
/* Its bytes, added to `der`; the caller wipes that when it holds a key. */
MUST_CHECK enum status pem_decode(const struct pem_block *block, struct buffer *der,
				  struct error *err);
void pem_write(struct buffer *out, const char *label, struct span der);
/* Does the text look like PEM rather than DER? */
bool pem_is(struct span bytes);

#endif
