/*
 * body - bytes on their way from one producer to one consumer, at most a slab of them.
 *
 * The producer shows a window into memory of its own; body_show gives notice (on_bytes, inline) and
 * the consumer peeks, uses and consumes. What is left when the producer needs its memory for
 * something else it settles: the rest moves into one slab, and the producer reads no more than
 * body_room says until on_room comes. Nothing is copied while the consumer is prompt.
 *
 * A body is bytes, not framing: chunks and lengths belong to the transports. It ends once: ENDED
 * with its last byte shown, or FAILED. Two notices, and who runs them:
 *   on_bytes   inline from body_show; posted (end of this turn) from body_fail
 *   on_room    always posted, never inline; not after the last byte was shown
 *
 * Owner: the exchange. Knows nothing of who its two ends are.
 */
#ifndef HTTP_BODY_H
#define HTTP_BODY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/slab.h"
#include "base/span.h"
#include "event/loop.h"

/* Why something ended; for exchanges, bodies and connections alike. */
enum ending {
	ENDED_DONE,        /* whole and in good order */
	ENDED_CLIENT_GONE, /* the client closed, or reset, before the end */
	ENDED_CLIENT_BAD,  /* the client broke the protocol */
	ENDED_LATE,        /* a deadline of the client's side passed */
	ENDED_FAR_SIDE,    /* what the service talks to broke, or sent garbage */
	ENDED_REVOKED,     /* the door lets this client in no longer */
	ENDED_EXPIRED,     /* its certificate's time is over */
	ENDED_STOPPING,    /* this process stops */
	ENDED_REPLACED,    /* this process has a successor: come again at once */
	ENDED_OURS,        /* no memory, a ceiling: we are to blame */
};
const char *ending_name(enum ending ending); /* "done", "client-gone", ...: for the log */

enum flow { FLOW_OPEN, FLOW_ENDED /* the producer has shown its last byte */, FLOW_FAILED };

struct body {
	struct span window;   /* producer's memory; goes behind what is in the spill */
	char *spill;          /* a slab of `slabs`, or NULL */
	size_t spill_from, spill_to;
	struct slabs *slabs;  /* their size is this body's ceiling */
	enum flow flow;
	enum ending why;      /* meaningful once FAILED */
	uint8_t owed;         /* notices that the posted task will give */
	struct loop *loop;
	struct task notice;
	void (*on_bytes)(void *consumer);
	void *consumer;
	void (*on_room)(void *producer);
	void *producer;
};

/* Open and empty. NULL callbacks are fine and mean no notice. */
void body_init(struct body *body, struct loop *loop, struct slabs *slabs);
/* Gives the spill back and takes back a posted notice. Twice is harmless. */
void body_release(struct body *body);

/* -- the producer -- */
/* Show bytes (none is fine with `last`); the window before must be settled or consumed. At most
 * body_room of them unless the memory stays until consumed. Runs on_bytes. Ignored once FAILED. */
void body_show(struct body *body, struct span bytes, bool last);
/* Before the shown memory is used again: the rest moves to the spill. Without a slab to be had the
 * body FAILS (ENDED_OURS). */
void body_settle(struct body *body);
/* How many bytes may be shown and settled now; 0: wait for on_room. */
size_t body_room(const struct body *body);
/* Cuts: what waits is dropped, the consumer is told by a posted on_bytes. Not after ENDED. */
void body_fail(struct body *body, enum ending why);

/* A posted on_bytes: for bytes that were shown before there was a consumer. */
void body_notify(struct body *body);

/* -- the consumer -- */
/* The first run of bytes that wait; empty: none now (then ask body_is_over). Valid until the next
 * body_consume, and no longer than the notice lasts. */
struct span body_peek(const struct body *body);
/* `count` is at most what body_peek showed. Posts on_room while the body is open. */
void body_consume(struct body *body, size_t count);
/* Bytes that wait, in the spill and the window together. */
size_t body_waiting(const struct body *body);
/* All was consumed and no more comes; false too when FAILED. */
static inline bool body_is_over(const struct body *body)
{
	return body->flow == FLOW_ENDED && body->spill_from == body->spill_to &&
	       body->window.size == 0;
}

#endif
