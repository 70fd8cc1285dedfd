/*
 * pkcs12 - one identity (key, certificate, chain) in a file that phones,
 * browsers and Java import (RFC 7292).
 */
#ifndef PKI_PKCS12_H
#define PKI_PKCS12_H

#include <stddef.h>

#include "base/error.h"
#include "base/secret.h"
#include "base/span.h"
#include "pki/certificate.h"
#include "pki/key.h"

enum pkcs12_form {
	PKCS12_COMPATIBLE, /* PBE-SHA1-3DES, SHA-1 MAC: iOS, macOS, Android, old Windows */
	PKCS12_MODERN,     /* AES-256-CBC, PBKDF2 and MAC with SHA-256 */
};

enum { PKCS12_SIZE_MAX = 1048576 };

/* `friendly`: UTF-8, what stores show. The password is UTF-8, never empty. `chain` may be NULL;
 * the leaf is not part of it. Some 30 ms. */
MUST_CHECK enum status pkcs12_write(enum pkcs12_form form, const struct key *key,
				    const struct certificate *certificate,
				    const struct certificate_list *chain, struct span friendly,
				    struct span password, struct secret **out, struct error *err);

struct pkcs12_content { /* owned; pkcs12_content_release */
	struct key *key;
	struct certificate *certificate; /* the one of the key */
	struct certificate_list chain;   /* the others */
};

/* REFUSED: no PKCS#12, no MAC, wrong password, RC2 (needs the legacy provider; the text says how
 * to convert), no key, no certificate of the key, more than two million iterations. */
MUST_CHECK enum status pkcs12_read(struct span bytes, struct span password,
				   struct pkcs12_content *out, struct error *err);
void pkcs12_content_release(struct pkcs12_content *content); /* twice is fine */

#endif
