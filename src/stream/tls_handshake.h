/*
 * tls_handshake - what is learnt in one handshake, and OpenSSL's callbacks
 * that learn it. Private to stream/: tls_context owns what all handshakes
 * share, each tls_stream embeds one of these.
 *
 * Nothing here is proved until SSL_do_handshake said so; tls_handshake_settle
 * then decides what of it holds.
 */
#ifndef STREAM_TLS_HANDSHAKE_H
#define STREAM_TLS_HANDSHAKE_H

#include <openssl/ssl.h>

#include "pki/certificate.h"
#include "pki/foreign_trust.h"
#include "pki/key.h"
#include "stream/tls_context.h"

struct tls_credentials {
	unsigned references;
	struct certificate_list chain;
	struct key *key;
};

/* What is spoken, on either side. */
extern const char tls_ciphers[], tls_suites[];
#define TLS_GROUPS "X25519:P-256:P-384"
enum { TLS_SECURITY_LEVEL = 2 };

MUST_CHECK enum status tls_credentials_use(SSL_CTX *settings, const struct tls_credentials *credentials,
					   struct error *err);

/* Where a name leads. */
struct tls_place {
	uint32_t number;
	enum tls_asks asks;
	SSL_CTX *settings; /* NULL: nobody is served here */
	struct foreign_trust **foreign; /* a reference each */
	size_t foreign_count;
};

enum {
	CLIENT_CHAIN_MOST = 16384,  /* bytes; each certificate costs 76 us to parse before anybody is known */
	FOREIGN_CHAIN_BYTES = 32768, /* at a site with foreign CAs: ten large certificates */
};

struct tls_name {
	struct span name; /* owned; a wildcard without its "*" */
	const struct tls_place *place;
};

enum { TLS_PROTOCOLS_MOST = 64 };

struct tls_context {
	unsigned references;
	uint32_t epoch;
	struct tls_hooks hooks;
	struct tls_place *places; /* one a site, then no_name, then unknown_name */
	size_t places_count;
	struct tls_name *names; /* sorted, for bsearch */
	size_t names_count;
	SSL_CTX *base; /* a place's; borrowed */
	unsigned char protocols[TLS_PROTOCOLS_MOST];
	unsigned protocols_size;
};

/* The place of a folded name: exact, then wildcard, then unknown_name's; empty: no_name's. `*kept`:
 * the context's own copy of the name if it was exact, else empty. */
const struct tls_place *tls_context_place(const struct tls_context *context, struct span name,
					  struct span *kept);

struct tls_handshake {
	struct tls_context *context; /* a reference */
	const struct tls_place *place; /* NULL before the ClientHello */
	struct span name;              /* folded; the context's or name_own */
	char *name_own;
	unsigned char *der; /* OpenSSL's memory; a full handshake's leaf */
	struct foreign_path *foreign; /* what a foreign CA says of it; NULL: none was asked */
	uint32_t der_size;
	uint32_t when;      /* seconds since 1970: when the certificate was proved */
	uint8_t fingerprint[32];
	uint8_t standing;   /* enum tls_standing */
	uint8_t lookups;    /* how many ids the client has had looked up */
	bool shown;         /* a certificate came */
	bool settled, resumed;
	bool ticketing;     /* a ticket is being made because we want it */
};

/* Hang the callbacks into `settings`; their state is SSL_get_app_data. */
void tls_handshake_teach(SSL_CTX *settings);
void tls_handshake_release(struct tls_handshake *shake);
/* After SSL_do_handshake said 1: what holds of what was learnt. REFUSED: it contradicts itself. */
MUST_CHECK enum status tls_handshake_settle(struct tls_handshake *shake, SSL *ssl);
/* After settle: may this client come back without its certificate, and until when? 0: no. */
int64_t tls_handshake_resumable(const struct tls_handshake *shake, const SSL *ssl);

#endif
