/*
 * tls_session - what is kept of a TLS 1.3 session so that its client can
 * resume it: a compact record without the certificate, and the way back to an
 * SSL_SESSION. Knows no store: tls_context's hooks keep and find records.
 *
 * Ids travel in clear and the way back runs before the binder is checked: a
 * record that was found proves nothing until SSL_session_reused() says so.
 */
#ifndef STREAM_TLS_SESSION_H
#define STREAM_TLS_SESSION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

enum {
	TLS_SESSION_ID_SIZE = 32,
	TLS_SESSION_SECRET_MOST = 48,
	TLS_SESSION_LIFE = 12 * 3600, /* seconds from the full handshake, renewals included */
};

/* OpenSSL's session_id_context; the site is in the record. */
#define TLS_SESSION_CONTEXT "chatelaine"

struct tls_session {
	uint8_t id[TLS_SESSION_ID_SIZE];
	uint8_t secret[TLS_SESSION_SECRET_MOST];
	uint8_t secret_length;  /* 32 or 48, by the cipher's hash */
	uint16_t cipher;        /* RFC 8446 B.4: 0x1301.. */
	uint16_t group;         /* of the key exchange; for the record */
	uint32_t expiry;        /* seconds since 1970: min(handshake + 12 h, not_after) */
	uint32_t handshake;     /* seconds since 1970: when the certificate was proved */
	uint32_t site, epoch;   /* tls_context's, when it was made */
	uint8_t fingerprint[32];
	uint32_t age_add;       /* RFC 8446 4.6.1; unused without early data */
};

struct ssl_st;
struct ssl_session_st;

/* For tls_context alone. From a session OpenSSL has just made; all but expiry, handshake, site,
 * epoch and fingerprint. False: not a TLS 1.3 session of ours. */
bool tls_session_take(const struct ssl_session_st *session, struct tls_session *out);
/* For tls_context alone. NULL: the record is not sound (length, cipher, expiry), or no memory. */
struct ssl_session_st *tls_session_rebuild(struct ssl_st *ssl, const struct tls_session *record, int64_t now);
/* What rebuild put into a session that OpenSSL then really resumed. False: it is not one of those. */
bool tls_session_recall(struct ssl_session_st *session, uint8_t fingerprint[static 32], uint32_t *handshake);

#endif
