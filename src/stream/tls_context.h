/*
 * tls_context - how the door speaks TLS for a set of sites: which certificate
 * for which name, whether clients are asked for theirs, which sessions may be
 * resumed. Built once, never changes, counted by reference: to reload, build
 * a new one and swap the pointer; streams that began with the old one keep it.
 *
 * TLS 1.2 and 1.3, AEAD suites with ECDHE only, no renegotiation, compression,
 * early data or stateless tickets. A client's certificate is recognised (the
 * hook says so by its DER). Only what the hook does not know, and only at a
 * site with foreign CAs, is validated as a path, by pki/foreign_trust; system
 * roots are never loaded. Knows no roster and no store.
 */
#ifndef STREAM_TLS_CONTEXT_H
#define STREAM_TLS_CONTEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "stream/tls_session.h"

struct foreign_trust;
/* A server's certificate chain and key. */
struct tls_credentials;

struct tls_credentials_facts {
	int64_t not_before, not_after; /* seconds since 1970, of the leaf */
	const char *key;               /* "EC P-256", "RSA 2048"; borrowed */
	const uint8_t *fingerprint;    /* 32 bytes; borrowed */
};

/* Both PEM; the chain leaf first, at most 10 certificates; a root at its end is fine and not sent.
 * REFUSED says which file's worth of bytes is wrong and why: no certificate, key encrypted, key of
 * another certificate, chain out of order, key type or size that clients do not take. An expired
 * certificate is no error here: see the facts. */
MUST_CHECK enum status tls_credentials_load(struct span chain_pem, struct span key_pem,
					    struct tls_credentials **out, struct error *err);
struct tls_credentials *tls_credentials_share(struct tls_credentials *credentials);
void tls_credentials_free(struct tls_credentials *credentials); /* gives one reference back; NULL is fine */
void tls_credentials_tell(const struct tls_credentials *credentials, struct tls_credentials_facts *out);
/* The leaf is good for this host name or IP literal (RFC 6125: SANs only, wildcards one label). */
bool tls_credentials_cover(const struct tls_credentials *credentials, struct span name);

enum tls_asks {
	TLS_ASKS_NOTHING, /* no CertificateRequest */
	TLS_ASKS,         /* asked, and let through without one or with any */
	TLS_ASKS_OR_DROPS /* the handshake fails with an alert unless on_certificate says GOOD */
};

/* Site numbers that are no site's. */
#define TLS_SITE_NO_NAME UINT32_MAX            /* the client sent no SNI */
#define TLS_SITE_UNKNOWN_NAME (UINT32_MAX - 1) /* a name that no site has; never resumed */

struct tls_site {
	uint32_t number;           /* the caller's; goes into session records: another number, no resumption */
	const struct span *names;  /* host names folded as wire/host_name does; "*.example.com" for one label */
	size_t names_count;
	struct tls_credentials *credentials[2]; /* the second may be NULL; of different key types */
	enum tls_asks asks;
	/* Foreign CAs whose certificates count here, dearest first; shared. Their names stand in this
	 * site's CertificateRequest only. */
	struct foreign_trust *const *foreign;
	size_t foreign_count;
};

enum tls_standing {
	TLS_CERTIFICATE_GOOD, /* also: of a foreign CA, by a sound path */
	TLS_CERTIFICATE_UNKNOWN,
	TLS_CERTIFICATE_EXPIRED, /* or not yet valid */
	TLS_CERTIFICATE_REVOKED,
	TLS_CERTIFICATE_UNSUITABLE, /* said by tls_context itself: a key too weak to prove anything */
};

/* All are called inside a handshake, must not block and must not touch the stream. */
struct tls_hooks {
	void *arg;
	/* A client's leaf, before possession of its key is proved; remember nothing yet. Not called
	 * for keys that are too weak. */
	enum tls_standing (*on_certificate)(void *arg, struct span der, const uint8_t fingerprint[32]);
	/* Possession of its key is proved, and it was GOOD: now it may be remembered. Comes before the
	 * session's ticket is made; not on a resumption, which brings no certificate. NULL is fine. */
	void (*on_proved)(void *arg, struct span der, const uint8_t fingerprint[32]);
	/* Until when (seconds since 1970) may sessions of this certificate be resumed; its not_after,
	 * as a rule. 0: not at all (revoked, unknown, its DER is needed and not at hand). Asked when a
	 * session is made and again when it is to be resumed. */
	int64_t (*resumable_until)(void *arg, const uint8_t fingerprint[32]);
	/* Keep a session; a copy. Only sessions with a proved, GOOD certificate come here. */
	void (*on_session_new)(void *arg, const struct tls_session *session);
	/* Find and do not remove: browsers resume several connections at once. */
	bool (*on_session_find)(void *arg, const uint8_t id[TLS_SESSION_ID_SIZE], struct tls_session *out);
};

struct tls_context_options {
	const struct tls_site *sites;
	size_t sites_count;
	/* For clients without SNI and with a name that no site has: credentials and asks count, the
	 * rest is ignored. credentials[0] NULL: the handshake fails with unrecognized_name. */
	struct tls_site no_name, unknown_name;
	const struct span *client_authorities; /* DER certificates whose subjects the CertificateRequest names */
	size_t client_authorities_count;
	const char *const *protocols; /* ALPN, dearest first, NULL at the end: {"http/1.1", NULL} */
	uint32_t epoch;               /* of the policy: another epoch, no resumption */
	struct tls_hooks hooks;
};

struct tls_context;

/* Everything is copied or shared; the options may go. REFUSED: two sites with one name, credentials
 * missing or of one type twice, an authority that is no certificate. *out has one reference. */
MUST_CHECK enum status tls_context_new(const struct tls_context_options *options,
				       struct tls_context **out, struct error *err);
struct tls_context *tls_context_share(struct tls_context *context);
void tls_context_free(struct tls_context *context); /* gives one reference back; NULL is fine */

#endif
