/*
 * tls_client - how we speak TLS towards a server that we chose: whom we
 * believe, what its certificate must be called, as whom we come.
 *
 * There is no way to believe everybody. A handshake fails unless the server's
 * certificate leads to one of the trust's, is within its dates and has the
 * client's name as a SAN (the CN never counts). TLS 1.2 and 1.3, the suites of
 * tls_context, ALPN http/1.1; a server that chooses anything else is refused.
 *
 * A client keeps the newest session, for an hour after the handshake in which
 * the certificate was seen: the certificate is not seen again when resuming.
 *
 * The stream is as any other (stream.h): stream_secure shakes hands; an end
 * without close_notify is STREAM_CUT, so that a truncated answer is never
 * taken for a whole one.
 */
#ifndef STREAM_TLS_CLIENT_H
#define STREAM_TLS_CLIENT_H

#include <stdbool.h>

#include "base/error.h"
#include "base/span.h"

struct stream;
struct tls_client;
struct tls_trust;

struct tls_trust_options {
	/* PEM, at least one certificate. What stands here is believed as it is: a root, an intermediate,
	 * or the server's own certificate. */
	struct span authorities;
	bool are_roots; /* the public roots: nothing but a path up to one of them will do */
	struct span certificate, key; /* PEM, ours, for servers that ask; empty: none */
};

/* REFUSED: which of the texts is wrong, and how. Everything is copied. */
MUST_CHECK enum status tls_trust_new(const struct tls_trust_options *options, struct tls_trust **out,
				     struct error *err);
void tls_trust_free(struct tls_trust *trust); /* clients made of it go on; NULL is fine */

/* `name`: folded host name or IP literal (an IPv6 one without brackets); also the SNI, when it is a name. */
MUST_CHECK enum status tls_client_new(const struct tls_trust *trust, struct span name,
				      struct tls_client **out, struct error *err);
/* Its streams must be freed (stream_free). NULL is fine. */
void tls_client_free(struct tls_client *client);

/* A stream over the connected `fd`, which it takes on OK. FAILED (memory): fd stays the caller's. */
MUST_CHECK enum status tls_stream_connect(int fd, struct tls_client *client, struct stream **out,
					  struct error *err);

/* For status and tests; after stream_secure said OK. */
struct tls_server_facts {
	bool resumed;
	const char *version, *cipher;
};
void tls_stream_server(const struct stream *stream, struct tls_server_facts *out);

#endif
