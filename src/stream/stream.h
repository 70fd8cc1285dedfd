/*
 * stream - ordered bytes to one peer. Fillings: plain_stream, tls_stream and,
 * in tests, script_stream. Never blocks. Never calls its owner but to say that
 * something may have changed (on_ready); the owner then tries what it wants,
 * reading and writing both: over TLS either may have waited for the other.
 *
 * Edges: the descriptor is watched edge-triggered from stream_start to
 * stream_free. Whoever stops reading before AGAIN (allowance used up) MUST
 * call stream_again, or the rest is never reported. Whoever stops for lack
 * of room reads on by itself when room comes. After an OK, a false
 * stream_has_pending says that a further read would answer AGAIN.
 *
 * Writing: TLS gathers what is written; stream_flush sends it, once, at the
 * end of a handler. What was never flushed goes out at the end of the turn.
 * What the kernel does not take stays with the stream and goes by itself at
 * the next edge; above 64 KB of it stream_write answers AGAIN.
 *
 * Ending: stream_finish until it is not AGAIN (at most as long as the owner
 * cares to wait), then stream_free. Or stream_reset. Both may be called from
 * anywhere, on_ready included; the memory goes at the end of the turn.
 */
#ifndef STREAM_STREAM_H
#define STREAM_STREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/address.h"
#include "base/error.h"
#include "base/list.h"
#include "base/span.h"
#include "event/loop.h"

struct stream;

/* Why a stream answered REFUSED or FAILED; stays until it is freed. */
enum stream_failure {
	STREAM_WELL,
	STREAM_GONE,       /* reset by the peer, or unreachable */
	STREAM_CUT,        /* TLS: the end came without close_notify; what was read so far is whole records */
	STREAM_GARBLED,    /* TLS: the peer broke the protocol, or answered an alert */
	STREAM_TURNED_AWAY, /* TLS: no accepted certificate where one is a must; the alert is on its way */
	STREAM_IN_CLEAR,   /* TLS: the first bytes are not TLS; see tls_stream_clear_bytes */
	STREAM_UNTRUSTED,  /* TLS, towards a server: its certificate is not accepted, for the reason that `cause` names */
	STREAM_BROKEN,     /* our side: memory, descriptor, library */
};

struct stream_ops {
	const char *name;
	/* OK and *got > 0; OK and *got = 0: the peer's clean end; AGAIN: drained; REFUSED, FAILED: over. */
	enum status (*read)(struct stream *stream, void *into, size_t room, size_t *got);
	/* OK: *taken of the bytes, from the first on, are taken for good; AGAIN: none, full. A part
	 * is not full yet: only AGAIN promises an on_ready when there is room. */
	enum status (*write)(struct stream *stream, const struct iovec *pieces, int count, size_t *taken);
	/* OK: the kernel has it all; AGAIN: the rest goes by itself. */
	enum status (*flush)(struct stream *stream);
	/* Flush, close_notify, FIN, then drop what comes until the peer ends too. */
	enum status (*finish)(struct stream *stream);
	/* Our end of it, for the peer to hear; reading goes on. NULL: nothing to tell. */
	void (*end_writing)(struct stream *stream);
	/* A read may give something, or the end, without a new edge. */
	bool (*has_pending)(const struct stream *stream);
	/* Drive the handshake; plain: OK at once. */
	enum status (*secure)(struct stream *stream);
	/* One read for stream_look_ahead, as `read`; NULL: from the descriptor. */
	enum status (*read_ahead)(struct stream *stream, void *into, size_t room, size_t *got);
	/* What ALPN chose, once secure; empty: nothing. NULL: never anything. */
	struct span (*protocol)(const struct stream *stream);
	/* Before the owner's on_ready: leftovers go out. May be NULL. */
	void (*on_edge)(struct stream *stream);
	/* Frees everything, the stream's own memory included; the descriptor is closed already. */
	void (*release)(struct stream *stream);
};

struct stream {
	const struct stream_ops *ops;
	struct source source;          /* fd -1: a script */
	struct loop *loop;             /* NULL before stream_start */
	void (*on_ready)(void *owner);
	void *owner;
	struct task freeing;
	char *fed;                     /* bytes read by others, before any of the descriptor's */
	uint32_t fed_size, fed_at;
	uint8_t failure;               /* enum stream_failure */
	bool drained;                  /* the last recv was short: nothing until an edge */
	bool hung_up;                  /* RDHUP or HUP seen: the end must still be read */
	bool blocked;                  /* the kernel took less than all: nothing until an edge */
	bool ended;                    /* recv said 0 */
	bool unheard;                  /* a write failed: what the peer said before it is still to be read */
	bool fin_sent;
	bool freed, was_reset;         /* by its owner; the memory goes at the end of the turn */
	unsigned long cause;           /* errno; OpenSSL's code for STREAM_GARBLED, X509_V_ERR_ for STREAM_UNTRUSTED */
};

/* For fillings: before anything else. `fd` is the stream's from now on. Inline so that a filling
 * in tests needs no room's archive. */
static inline void stream_init(struct stream *stream, const struct stream_ops *ops, int fd)
{
	*stream = (struct stream){.ops = ops, .source.fd = fd};
	list_init(&stream->source.again);
	list_init(&stream->freeing.posted);
}
/* For fillings: remember why, answer the status that goes with it. */
enum status stream_fail(struct stream *stream, enum stream_failure failure, unsigned long cause);
/* For fillings: FIN once, then drop what still comes; the tail of every finish. */
enum status stream_linger(struct stream *stream);

/* Watch it. on_ready comes soon for the first time. FAILED: the stream is as before. */
MUST_CHECK enum status stream_start(struct stream *stream, struct loop *loop,
				    void (*on_ready)(void *owner), void *owner, struct error *err);
/* Another owner from now on (a pooled upstream); nothing is lost as long as it tries both ways once. */
static inline void stream_hand_over(struct stream *stream, void (*on_ready)(void *owner), void *owner)
{
	stream->on_ready = on_ready;
	stream->owner = owner;
}
/* on_ready once more in the next turn, after the other ready ones; idempotent. */
void stream_again(struct stream *stream);
/* Bytes that somebody else read from the descriptor come first; copied. Before the first read only.
 * FAILED: no memory, or more than 16 KB. */
MUST_CHECK enum status stream_feed(struct stream *stream, struct span already_read, struct error *err);
enum { STREAM_FEED_MOST = 16384 };

/* The bytes off the wire before the stream's own protocol begins (a PROXY header): *out is all that came
 * so far, at most `most` (and STREAM_FEED_MOST) of them; borrowed until the next call. AGAIN: no more
 * for now. They stay fed to the stream until stream_pass. */
MUST_CHECK enum status stream_look_ahead(struct stream *stream, size_t most, struct span *out, struct error *err);
/* The first `count` of the bytes looked at are not the stream's. */
void stream_pass(struct stream *stream, size_t count);

/* Nothing more will be written: the peer hears our end behind what was written, and may still speak. */
void stream_end_writing(struct stream *stream);

/* Closes and frees; unsent bytes are lost. NULL is fine. */
void stream_free(struct stream *stream);
/* The same with a TCP reset in place of FIN (SO_LINGER 0): for what must end now. NULL is fine. */
void stream_reset(struct stream *stream);

/* The peer's and our own end, as the kernel says. FAILED: not a socket (a script). */
MUST_CHECK enum status stream_peer_address(const struct stream *stream, struct address *out);
MUST_CHECK enum status stream_local_address(const struct stream *stream, struct address *out);
/* A sentence on `failure` for the log: "the peer reset the connection". */
void stream_explain(const struct stream *stream, struct error *err);

MUST_CHECK static inline enum status stream_read(struct stream *stream, void *into, size_t room, size_t *got)
{
	return stream->ops->read(stream, into, room, got);
}

MUST_CHECK static inline enum status stream_write(struct stream *stream, const struct iovec *pieces,
						  int count, size_t *taken)
{
	return stream->ops->write(stream, pieces, count, taken);
}

MUST_CHECK static inline enum status stream_write_span(struct stream *stream, struct span bytes, size_t *taken)
{
	struct iovec piece = {.iov_base = (void *)(uintptr_t)bytes.at, .iov_len = bytes.size};

	return stream->ops->write(stream, &piece, 1, taken);
}

static inline enum status stream_flush(struct stream *stream)
{
	return stream->ops->flush(stream);
}

MUST_CHECK static inline enum status stream_finish(struct stream *stream)
{
	return stream->ops->finish(stream);
}

static inline bool stream_has_pending(const struct stream *stream)
{
	return stream->ops->has_pending(stream);
}

static inline struct span stream_protocol(const struct stream *stream)
{
	return stream->ops->protocol ? stream->ops->protocol(stream) : (struct span){"", 0};
}

MUST_CHECK static inline enum status stream_secure(struct stream *stream)
{
	return stream->ops->secure(stream);
}

#endif
