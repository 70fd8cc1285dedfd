/*
 * csr - a PKCS#10 certification request (RFC 2986).
 *
 * Of what it asks we take the public key and the proof of its possession, and
 * nothing else: who gets the certificate, and what it says, is ours to know.
 */
#ifndef PKI_CSR_H
#define PKI_CSR_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/span.h"
#include "pki/distinguished_name.h"
#include "pki/key.h"

enum { CSR_SIZE_MAX = 65536 };

struct csr;

/* PEM ("CERTIFICATE REQUEST", "NEW CERTIFICATE REQUEST") or DER, at most CSR_SIZE_MAX bytes.
 * Checks neither of what follows. */
MUST_CHECK enum status csr_parse(struct span bytes, struct csr **out, struct error *err);
/* Is it signed by the key that it carries, with SHA-256 or better? */
MUST_CHECK enum status csr_check_possession(const struct csr *csr, struct error *err);
/* As key_check_strength. */
MUST_CHECK enum status csr_check_strength(const struct csr *csr, struct error *err);
/* The three above in one. */
MUST_CHECK enum status csr_admit(struct span bytes, struct csr **out, struct error *err);
void csr_free(struct csr *csr); /* NULL is fine */

const struct key *csr_key(const struct csr *csr); /* borrowed; public half */
/* Was there a challengePassword attribute (RFC 7030 section 3.5)? Its value is never kept. */
bool csr_has_challenge(const struct csr *csr);

/* A request for `key` (with its private half), DER, added to `out`. */
MUST_CHECK enum status csr_write(const struct key *key, const struct distinguished_name *name,
				 struct buffer *out, struct error *err);
MUST_CHECK enum status csr_write_pem(const struct key *key, const struct distinguished_name *name,
				     struct buffer *out, struct error *err);

#endif
