/*
 * http_host - what all connections of one worker share: limits, memory, and the hooks through
 * which the door takes part. http/ knows nothing else of the door.
 *
 * Filled by the door (sizes, hooks) and serve/ (loop, limits), then http_host_init. Outlives its
 * connections; a reload makes no new one but changes what the hooks look at.
 */
#ifndef HTTP_HTTP_HOST_H
#define HTTP_HTTP_HOST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/list.h"
#include "base/slab.h"
#include "http/body.h"
#include "http/crowd.h"

struct buffer;
struct connection;
struct exchange;
struct field;
struct loop;

/* Times in microseconds. Defaults: http_limits_default. */
struct http_limits {
	int64_t handshake_time;  /* 10 s: from accepting to the end of the TLS handshake */
	int64_t head_time;       /* 15 s: from a head's first byte to its last */
	int64_t idle_time;       /* 75 s: no request under way; or the client moves less than least_rate in it */
	int64_t linger_time;     /* 1 s: reading on after our last byte, so that it arrives */
	int64_t revoke_time;     /* 200 ms: for a last word after connection_end */
	size_t head_bytes;       /* 16 KB: request line, fields and the empty line */
	size_t spill_bytes;      /* 16 KB: a body's ceiling */
	size_t bulk_bytes;       /* 128 KB: the ceiling of an up body with a large length; one read */
	size_t drain_bytes;      /* 256 KB: request body read and thrown away to keep a connection */
	size_t allowance;        /* 256 KB: bytes read or written a handler call */
	unsigned exchanges_a_call; /* 16: requests answered a handler call */
	size_t connections;      /* 20,000 a worker */
	size_t least_rate;       /* 256: bytes a second, on average over idle_time */
	size_t strangers;        /* no limit: of these, those whom the door does not know */
	size_t memory_slabs;     /* 16,384: heads and spills of 16 KB at once */
	uint32_t h2_streams;     /* 100: of an HTTP/2 connection at a time */
	uint32_t h2_resets;      /* 200: streams reset within a second, by client or door */
	uint32_t h2_frames;      /* 1,000: frames that carry nothing within a second */
};
void http_limits_default(struct http_limits *limits);
/* Bytes that count as progress within idle_time. */
static inline size_t http_progress(const struct http_limits *limits)
{
	size_t bytes = limits->least_rate * (size_t)(limits->idle_time / 1000000);

	return bytes ? bytes : 1;
}

/* Why there is an answer without a walk. http/ gives the status, the door the page. */
enum bad_request {
	BAD_HEAD,            /* 400: not HTTP/1.1, ambiguous, forbidden bytes */
	BAD_BODY,            /* 400: chunks that are none; a bad trailer */
	BAD_TOO_SLOW,        /* 408: the head was not complete in time */
	BAD_TOO_LARGE,       /* 413: the body is over exchange.up_most */
	BAD_TARGET_TOO_LONG, /* 414 */
	BAD_EXPECTATION,     /* 417: not 100-continue */
	BAD_HEAD_TOO_LARGE,  /* 431: bytes or number of fields */
	BAD_NOT_IMPLEMENTED, /* 501: a method or transfer coding that we do not know */
	BAD_VERSION,         /* 505 */
	BAD_REQUESTS         /* how many there are */
};
unsigned bad_request_status(enum bad_request why);
/* One sentence, without a full stop; fit for a page and the log. */
const char *bad_request_text(enum bad_request why);

struct http_host {
	/* -- filled before http_host_init -- */
	struct loop *loop;
	struct http_limits limits;
	size_t guest_size; /* the door's part of each connection: zeroed at birth, see connection_guest */
	size_t visit_size; /* >= sizeof(struct exchange) */
	void *arg;         /* the door's; for hooks that find it by connection_host(c)->arg */

	/* All may be NULL but on_exchange. */
	/* Whose connection it is, is known: at its birth, or by a balancer's word. False: not wanted. */
	bool (*on_peer)(struct connection *connection);
	/* The handshake is over, or a plain connection was born: enter presence, read the roster.
	 * May call connection_end. */
	void (*on_secured)(struct connection *connection);
	/* A request head is complete: walk it. Must lead to exchange_hand_over, now or later. */
	void (*on_exchange)(struct exchange *exchange);
	/* Plain HTTP on the TLS port: add the page that says so; `url` is where to go instead (empty:
	 * the head does not tell). There is no exchange. NULL: a page of our own. */
	void (*on_plain_http)(struct connection *connection, struct span url, struct buffer *html);
	/* An answer without a walk: must call exchange_hand_over (or page_send) now; the connection
	 * closes after it. NULL: a bare text is sent. x->request may be the empty head. */
	void (*on_bad_request)(struct exchange *exchange, enum bad_request why);
	/* May this trailer of the request go on? NULL: yes. */
	bool (*keeps_trailer)(struct exchange *exchange, const struct field *trailer);
	/* exchange_upgrade: copy of request and target what the log will want; they go after this. */
	void (*on_tunnel)(struct exchange *exchange);
	/* The exchange is over; the log line. Last use of the visit. */
	void (*on_left)(struct exchange *exchange);
	/* Leave presence; the guest goes after this. Called exactly once for each connection. `err`
	 * has the reason when the handshake or the transport failed, else its text is empty (as it is when
	 * the client ended without close_notify after the handshake, which is what browsers do). */
	void (*on_closed)(struct connection *connection, enum ending why, const struct error *err);

	/* Draining closes no idle connection: its next request may be on the way, and is answered with
	 * "Connection: close". For a worker that has a successor. */
	bool spares_idle;
	bool is_stopping; /* http_host_stop was called */

	/* -- http's own -- */
	struct slabs connections, visits, heads, answers, spills, bulk;
	struct slabs streams, windows, wide, rests; /* HTTP/2's */
	size_t most; /* connections at once, since memory was last given back */
	size_t wide_streams; /* that may take one of `wide` */
	struct link live;  /* struct connection.in_host */
	struct crowd crowd;
	uint64_t next_id;
	char *receive;     /* the worker's buffer for bodies; bulk_bytes */
	char *gather;      /* and for what goes out by HTTP/2 */
	int64_t date_second; /* the Date field's text is made once a second */
	char date[32];
};

/* Fills the rest; limits must be set. */
MUST_CHECK enum status http_host_init(struct http_host *host, struct error *err);
/* All connections must be gone. */
void http_host_release(struct http_host *host);
/* Every connection finishes what is under way and closes; new ones are for the caller to refuse.
 * Tunnels stay until http_host_end. */
void http_host_drain(struct http_host *host);
/* connection_end for all of them. */
void http_host_end(struct http_host *host, enum ending why);
/* Drains, and tunnels end at once with ENDED_STOPPING: nothing is to be waited for there. */
void http_host_stop(struct http_host *host);
/* More strangers wait for their handshake than can be served in time. */
static inline bool http_host_is_queue_full(const struct http_host *host)
{
	return host->crowd.waiting_strangers >= CROWD_QUEUE_MOST;
}
/* A connection is gone. When of a crowd three in four are, the system gets their memory: malloc keeps
 * what lies between blocks that stay, 40 KB for each that was there. */
void http_host_breathe(struct http_host *host);
size_t http_host_connections(const struct http_host *host);
/* "Sat, 21 Nov 2026 03:13:30 GMT" of this turn. */
struct span http_host_date(struct http_host *host);

#endif
