/*
 * dialect - the header lines that tell an application who is there, in the
 * words that it understands.
 *
 * Lines are rendered once a connection, whole, each ended by CRLF. Nothing in
 * a registry's value can end a line: bytes outside printable ASCII are
 * escaped or, where a dialect knows no escape, the header is left out and
 * said so. What a client sends under any of these names is dropped by
 * dialect_keeps wherever fields go upstream: heads, trailers, upgrades.
 */
#ifndef DOOR_DIALECT_H
#define DOOR_DIALECT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/span.h"

struct field;

/* Bits; a site may speak several. */
enum dialect {
	DIALECT_CHATELAINE = 1, /* X-Chatelaine-Device, -Person, -Email, -Groups; all but printable ASCII as %XX */
	DIALECT_RFC9440 = 2,    /* Client-Cert, Client-Cert-Chain */
	DIALECT_NGINX = 4,      /* X-SSL-Client-Cert, X-SSL-Client-Cert-Subject-DN and -Issuer-DN, -Serial, -Verify */
	DIALECT_MATTERMOST = 8, /* X-SSL-Client-Cert, X-SSL-Client-Cert-Subject-DN in the slash form */
	DIALECT_WOTT = 16,      /* Ssl-Client, Ssl-Client-Verify */
	DIALECT_XFCC = 32,      /* X-Forwarded-Client-Cert */
};

bool dialect_parse(struct span name, unsigned *bit);
const char *dialect_name(unsigned bit); /* one bit; "" for no dialect's */
/* "chatelaine, rfc9440, ..." for error texts. */
const char *dialect_names(void);
/* Whether one of them sends the certificate itself. */
bool dialect_needs_der(unsigned dialects);

/* Everything that may be said about one device; all borrowed. */
struct dialect_facts {
	bool is_known;          /* false: nobody; the lines say so where the dialect can */
	struct span device;     /* the full id as text */
	struct span person, email;
	struct span groups;     /* names with "," between */
	struct span dn_rfc2253; /* "CN=...": the card's */
	struct span dn_slash;   /* "/CN=.../emailAddress=..": the card's; checked again here */
	struct span issuer, serial, uri; /* the card's */
	const uint8_t *fingerprint; /* 32 bytes */
	struct span der;        /* the leaf; empty: not at hand, and headers that need it are left out */
	struct span issuer_der; /* the certificate that issued it; empty: Client-Cert-Chain is left out */
};

enum { DIALECT_LINES = 32768 }; /* ceiling of what dialect_write adds */

/* Adds the lines of all `dialects`. Answers the bits of those that had to leave a header out. `out` may
 * be cut: then nothing of it is to be used. NGINX and MATTERMOST have a header in common: not both. */
unsigned dialect_write(struct buffer *out, unsigned dialects, const struct dialect_facts *facts);

/* Whether a client's field may go upstream: false for every header of every dialect, whatever its
 * spelling, and for every forwarding header that we set. Asked of heads, trailers and upgrades. */
bool dialect_keeps(const struct field *field);

#endif
