/*
 * connection - one client: its stream, its transport, its deadlines, its end.
 *
 * States, each a row of a table in connection.c:
 *   PREFACE      from a balancer alone: the PROXY header that says whose connection it is
 *   HANDSHAKE    the stream secures itself; plain HTTP on a TLS port gets its answer
 *   OPEN         the transport reads and writes
 *   ENDING       connection_end: nothing is read, a tunnel may say a last word
 *   CLOSING      flush, close_notify, FIN; then a short drain of what the client still sends
 *   CLOSED       removed from the loop; freed at the turn's end
 * One timer a connection. The hot path only writes `deadline`; the timer fires early for it and
 * sets itself again. No deadline is later than connection_set_end's.
 *
 * Owner: http_host.live. Frees itself. Nothing of it goes away inline: a pointer that was good when
 * a handler began is good until the turn's end.
 */
#ifndef HTTP_CONNECTION_H
#define HTTP_CONNECTION_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "base/error.h"
#include "http/body.h"
#include "http/http_host.h"

struct connection;
struct stream;

struct connection_birth {
	struct stream *stream;      /* not started yet; taken, on failure too */
	bool is_tls;                /* it is a tls_stream: the handshake comes first */
	struct address peer;        /* as it stands in the log and X-Real-IP; a PROXY header's word replaces it */
	bool is_proxied;            /* a PROXY header must come first; from others it is never believed */
	void *listener;             /* the maker's; connection_listener gives it back */
};
/* Watches the stream's descriptor and works from the next turn on. REFUSED: too many. */
MUST_CHECK enum status connection_new(struct http_host *host, const struct connection_birth *birth,
				      struct connection **out, struct error *err);

struct http_host *connection_host(const struct connection *connection);
void *connection_guest(struct connection *connection); /* guest_size bytes, aligned for anything */
struct connection *connection_of_guest(void *guest);   /* the way back, for presence */
void *connection_listener(const struct connection *connection);
struct stream *connection_stream(struct connection *connection); /* for tls_stream_peer */
const struct address *connection_peer(const struct connection *connection);
bool connection_is_secure(const struct connection *connection); /* TLS, and the handshake is over */
uint64_t connection_id(const struct connection *connection);
int64_t connection_born(const struct connection *connection); /* mono */
/* Requests so far. */
uint64_t connection_exchanges(const struct connection *connection);
/* The peer is the one that a PROXY header named. */
bool connection_is_proxied(const struct connection *connection);
/* Its handshake goes before those of strangers; from on_peer only. */
void connection_set_familiar(struct connection *connection);
/* Does the door know who this is? From on_secured on; see crowd.h for what it means. May end it. */
void connection_settle(struct connection *connection, bool is_known);
/* True from connection_end (or the client's going) on: it counts as closed. */
bool connection_is_ending(const struct connection *connection);

/* The connection ends with ENDED_EXPIRED at `mono` (microseconds), whatever goes on; INT64_MAX: no
 * end. */
void connection_set_end(struct connection *connection, int64_t mono);
/* End it by decision. Inline: nothing more is read from the client, nothing more of an answer is
 * written. At this turn's end: upstreams are cut (service->revoke or cancel), a tunnel may say its
 * last word within revoke_time, then close_notify, shutdown, short drain. Idempotent. */
void connection_end(struct connection *connection, enum ending why);
/* Finish what is under way, then close: "Connection: close" on the next answer. */
void connection_drain(struct connection *connection);

#endif
