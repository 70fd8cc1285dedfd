/*
 * foreign_identity - who a certificate of a foreign CA names, out of exactly
 * one typed field: never by a search in the text of a name.
 *
 * The field must be there once. Two of them, a NUL or control character, a
 * byte that its type may not have: no identity, and so nobody. What comes out
 * is folded (DNS names and the domain of an e-mail address in lower case), so
 * that equal identities are equal bytes; lines of files are folded alike.
 */
#ifndef PKI_FOREIGN_IDENTITY_H
#define PKI_FOREIGN_IDENTITY_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/span.h"

struct x509_st;

enum foreign_field {
	FOREIGN_EMAIL = 1, /* subjectAltName rfc822Name */
	FOREIGN_URI,       /* subjectAltName uniformResourceIdentifier */
	FOREIGN_SPIFFE,    /* the same, and a SPIFFE ID: spiffe://trust-domain/path, the only URI */
	FOREIGN_DNS,       /* subjectAltName dNSName, no wildcard */
	FOREIGN_CN,        /* the subject's commonName */
};

enum { FOREIGN_IDENTITY_MOST = 2048 };

const char *foreign_field_name(enum foreign_field field); /* "email" */

/* Adds the identity of this certificate to `out`. REFUSED: it has none that is usable, and why. */
MUST_CHECK enum status foreign_identity_read(const struct x509_st *certificate, enum foreign_field field,
					     struct buffer *out, struct error *err);
/* Adds `text` folded as an identity of this field. REFUSED: it cannot be one. */
MUST_CHECK enum status foreign_identity_fold(enum foreign_field field, struct span text, struct buffer *out,
					     struct error *err);

#endif
