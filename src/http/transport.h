/*
 * transport - one HTTP version on one connection: makes exchanges, writes answers. Fillings:
 * transport_h1, transport_h2.
 *
 * A transport reads and writes through the four connection_ functions below and never touches
 * stream or loop itself. It owns its exchanges. It never frees anything inline: what is over is
 * collected in `tidy`, which the connection posts for it.
 */
#ifndef HTTP_TRANSPORT_H
#define HTTP_TRANSPORT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/error.h"
#include "base/list.h"
#include "http/body.h"
#include "http/http_host.h"

struct connection;
struct exchange;
struct field;
struct head;
struct transport;

struct transport_ops {
	const char *name; /* "h1", "h2" */
	/* -- from the connection -- */
	void (*on_readable)(struct transport *); /* read until drained or the allowance is used */
	void (*on_writable)(struct transport *); /* the stream takes bytes again */
	void (*tidy)(struct transport *);        /* posted: let go what is over, begin what waits */
	void (*on_late)(struct transport *);     /* its deadline passed: answer 408 or close */
	void (*drain)(struct transport *);       /* no request after those under way */
	/* The connection ends by decision; true: a last word is on its way (see service->revoke). */
	bool (*revoke)(struct transport *, enum ending why);
	/* Cancel and release every exchange; the last call. */
	void (*release)(struct transport *, enum ending why);
	/* -- from exchange_: the same contracts -- */
	void (*send_head)(struct exchange *, const struct head *, bool no_body);
	void (*send_interim)(struct exchange *, const struct head *);
	void (*upgrade)(struct exchange *, const struct head *);
	void (*send_trailers)(struct exchange *, const struct field *, size_t count);
	void (*want_body)(struct exchange *);
	void (*flush)(struct exchange *);
	void (*close_after)(struct exchange *);
	/* NULL: it carries one at a time, so that its end is the connection's. */
	bool (*end)(struct exchange *, enum ending why);
};

struct transport {
	const struct transport_ops *ops;
	struct connection *connection;
	struct http_host *host;
	struct link exchanges; /* struct exchange.in_transport */
};

/* The h1 filling lives in memory of transport_h1_size() bytes that the connection gives. */
size_t transport_h1_size(void);
struct transport *transport_h1_init(void *memory, struct connection *connection);
/* The same for the h2 filling. */
size_t transport_h2_size(void);
struct transport *transport_h2_init(void *memory, struct connection *connection);

/* -- exchanges, for transports -- */
/* From the host's slab, zeroed, bodies set up with their service trampolines. NULL: ceiling. */
struct exchange *exchange_new(struct transport *transport);
/* Service cancelled if its answer has not ended, released, on_left, given back. */
void exchange_free(struct exchange *exchange, enum ending why);
/* Cancel and release the service so that another may answer; only before anything was written. */
void exchange_cut_service(struct exchange *exchange);
/* Bodies from the beginning, with the service's notices; the transport adds its own. */
void exchange_new_up(struct exchange *exchange, struct slabs *slabs);
void exchange_new_down(struct exchange *exchange);
/* The head's memory goes: request and target are empty from now on. */
void exchange_forget_head(struct exchange *exchange);
/* Has the service shown, or failed, all of the answer? */
bool exchange_is_answered(const struct exchange *exchange);

/* -- connection, for transports -- */
/* OK: *got bytes (0: the peer's end). AGAIN: drained. REFUSED: lost; the end is posted. */
enum status connection_read(struct connection *connection, char *into, size_t room, size_t *got);
/* OK: *taken bytes gathered by the stream. AGAIN: full, on_writable comes. REFUSED: lost. */
enum status connection_write(struct connection *connection, const struct iovec *parts, int count,
			     size_t *taken);
/* Nothing was decided against it: reading and new exchanges make sense. */
bool connection_may_read(const struct connection *connection);
/* The same, or a last word is being said. */
bool connection_may_write(const struct connection *connection);
/* The client has said its end, but holds the connection: it has asked all it will, and waits for the answer
 * (RFC 9112 section 9.6). By TLS alone: a FIN may as well come from one that is gone. */
bool connection_still_listens(const struct connection *connection);
void connection_flush(struct connection *connection);
/* Post `tidy` for the end of this turn. */
void connection_tidy(struct connection *connection);
/* Call on_readable again in the next turn: the allowance is used. */
void connection_again(struct connection *connection);
/* From now on it is one raw stream and nothing else. */
void connection_be_tunnel(struct connection *connection);
/* When on_late is due, mono; INT64_MAX: no deadline. */
void connection_deadline(struct connection *connection, int64_t mono);
/* Nothing more to do: `release` is posted, then what was written is flushed and the stream closed
 * in good order. */
void connection_close(struct connection *connection, enum ending why);
/* The same without good order: TCP reset. */
void connection_abort(struct connection *connection, enum ending why);
/* For on_closed: why the transport had to end it. A text that lasts. */
void connection_blame(struct connection *connection, const char *text);
int64_t connection_now(const struct connection *connection); /* mono */
void connection_count_exchange(struct connection *connection);
void connection_lose_exchange(struct connection *connection);

#endif
