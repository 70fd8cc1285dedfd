/*
 * h1_parts - what transport_h1 is made of; for the three files that it is written in: transport_h1.c
 * (turns and ends), h1_request.c (what comes), h1_answer.c (what goes).
 *
 * One exchange at a time. Where what comes is kept:
 *   block  the head of the exchange under way, and behind it [from, to): body bytes that came with
 *          it, or the next requests. Bounded by its size; nothing is read while it is full.
 *   raw    the wire bytes of a chunked body; decoded in place, shown from here
 *   else   bodies with a length and tunnels pass through the worker's receive buffer
 */
#ifndef HTTP_H1_PARTS_H
#define HTTP_H1_PARTS_H

#include "http/exchange.h"
#include "http/framer.h"
#include "http/transport.h"
#include "wire/chunked.h"
#include "wire/http_head.h"
#include "wire/target.h"

enum {
	ANSWER_EXTRA = 2048,    /* what we add to an answer's head: status line, framing, Date */
	TRAILERS_MOST = 8192,   /* of an answer */
};

struct head_block {
	struct head head;
	struct target target;
	char path[8192]; /* a path that had to be normalised; as long as the longest target */
	char bytes[];    /* limits.head_bytes */
};

static inline size_t head_block_size(size_t head_bytes)
{
	return sizeof(struct head_block) + head_bytes;
}

enum input {
	INPUT_HEAD,   /* a request head is awaited; no exchange */
	INPUT_BODY,   /* the body of the exchange's request */
	INPUT_NEXT,   /* the request is complete; what comes is the next one */
	INPUT_TUNNEL, /* raw bytes for `up` */
	INPUT_END,    /* what comes has no meaning any more */
};

struct h1 {
	struct transport base; /* first */
	struct exchange *exchange;
	struct head_block *block;
	size_t from, to;
	uint8_t input; /* enum input */
	bool keep;     /* the connection may go on after this exchange */
	bool drains;
	bool is_blocked, is_waiting; /* on the client: to take, to give */
	bool is_full;                /* reading stopped because `up` has no room */
	bool owes_continue;          /* 100 (Continue) was asked for and not sent */
	unsigned begun;              /* exchanges since on_readable */
	int64_t since, progress;     /* the state's beginning; the last that moved */
	size_t moved;
	size_t drained;              /* body bytes thrown away */

	uint64_t body_left;
	struct chunked chunked;
	char *raw;
	size_t raw_from, raw_to;

	struct framer framer;
	char *out; /* a slab of host->answers: heads that wait to be written */
	size_t out_size;
	char *trailers; /* a slab of host->spills */
};

static inline struct h1 *h1_of(struct transport *transport)
{
	return (struct h1 *)(void *)transport;
}

/* -- h1_request.c -- */
/* Read and digest until drained, blocked, or the allowance is used. */
void h1_read(struct h1 *h1);
/* The service took bytes of `up`, or will take no more. */
void h1_go_on(void *h1);
/* Throw away what nobody wants of the request's body. */
void h1_discard(struct h1 *h1);
/* A request head from what is there already; false: not complete. */
bool h1_try_head(struct h1 *h1);
void h1_answer_bad_request(struct h1 *h1, enum bad_request why);
/* After the exchange: bytes of the next request move to the block's start; an empty block goes. */
void h1_collect(struct h1 *h1);

/* -- h1_answer.c -- */
void h1_send_head(struct exchange *exchange, const struct head *answer, bool no_body);
void h1_send_interim(struct exchange *exchange, const struct head *answer);
void h1_upgrade_head(struct h1 *h1, const struct head *answer);
void h1_send_continue(struct h1 *h1);
void h1_send_trailers(struct exchange *exchange, const struct field *fields, size_t count);
/* Write what is there. Also `down`'s on_bytes. */
void h1_pump(void *h1);
void h1_release_answer(struct h1 *h1);

/* -- transport_h1.c -- */
/* Bytes went one way or the other. */
void h1_moved(struct h1 *h1, size_t count);
/* After each step: what the connection's deadline is now. */
void h1_set_deadline(struct h1 *h1);

#endif
