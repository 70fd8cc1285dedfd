/*
 * tls_stream - a stream through TLS, server side. Owner: an http connection.
 *
 * stream_secure drives the handshake; before it said OK nothing may be read
 * or written. On REFUSED the alert is on its way: stream_finish sends it and
 * lingers, so that it is not lost in a reset.
 *
 * The records that a handler writes gather in one buffer of the process and
 * are sent once by stream_flush; only what the kernel does not take moves to
 * memory of the stream. An idle stream holds no buffer at all.
 */
#ifndef STREAM_TLS_STREAM_H
#define STREAM_TLS_STREAM_H

#include "stream/stream.h"
#include "stream/tls_context.h"

/* Takes `fd` on OK and a reference to the context. FAILED (memory): fd stays the caller's. */
MUST_CHECK enum status tls_stream_new(int fd, struct tls_context *context, struct stream **out,
				      struct error *err);

struct foreign_path;

struct tls_peer {
	bool has_certificate;      /* one was shown and its key proved, here or in the handshake resumed */
	bool resumed;
	enum tls_standing standing; /* as it was in this handshake; ask the roster for now. GOOD if resumed */
	uint8_t fingerprint[32];   /* SHA-256 of the DER; zero without a certificate */
	struct span der;           /* on a full handshake; until tls_stream_forget_certificate */
	/* What a foreign CA of the site said of it; NULL: none was asked. Lives as long as the stream. */
	const struct foreign_path *foreign;
	struct span server_name;   /* folded; empty: the client sent none. Lives as long as the stream */
	uint32_t site;             /* tls_site.number, or TLS_SITE_NO_NAME, TLS_SITE_UNKNOWN_NAME */
	struct span protocol;      /* ALPN; empty: the client named none */
	const char *version, *cipher;
};

/* After stream_secure said OK, never before: until then nothing is proved. */
void tls_stream_peer(const struct stream *stream, struct tls_peer *out);
/* When failure is STREAM_TURNED_AWAY: was a certificate shown, and what was it worth? False: none came. */
bool tls_stream_shown(const struct stream *stream, enum tls_standing *standing);
/* The context it began with; borrowed. */
struct tls_context *tls_stream_context(const struct stream *stream);
/* Nobody needs tls_peer.der any more. */
void tls_stream_forget_certificate(struct stream *stream);

/* When stream_secure said REFUSED and failure is STREAM_IN_CLEAR: what the peer sent, as far as it
 * has come (up to 16 KB), most likely an HTTP request. */
struct span tls_stream_clear_bytes(const struct stream *stream);
/* The one answer that may go out in clear, only in that state; then stream_finish. */
MUST_CHECK enum status tls_stream_answer_clear(struct stream *stream, struct span answer);

#endif
