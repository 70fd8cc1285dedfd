/*
 * passage - one exchange on its way through relay/: private to the room.
 *
 * A passage waits for a lease, sends the request (passage_up), reads the
 * answer (passage_down), and is over when the answer is. It ends by one of:
 *   passage_finish   the answer is complete; the lease goes back
 *   passage_fail     the upstream failed: once more, a refusal, or a cut
 *   passage_cancel   the client's side ended it; the upstream is cut
 * passage_fail may free the passage (the refusal takes the exchange over), so
 * it is the last thing that a function does with it. Memory: worker.passages;
 * given back by the service's release.
 */
#ifndef RELAY_PASSAGE_H
#define RELAY_PASSAGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/slab.h"
#include "door/refusal.h"
#include "http/client_h1.h"
#include "http/service.h"
#include "relay/pool.h"
#include "relay/relay.h"
#include "relay/upstream.h"
#include "wire/http_head.h"

struct exchange;
struct score_page;

enum {
	RELAY_HEAD_SIZE = 96 * 1024,      /* a request's head with identity lines (32 KB) and certificate */
	RELAY_TARGET_SIZE = 16 * 1024,
	RELAY_FIRST_READ = 16 * 1024,     /* an answer's head and what comes with it */
	RELAY_KEPT_SIZE = 20 * 1024,      /* of an answer's head or trailers, until they are complete */
	RELAY_BULK_SIZE = 128 * 1024,     /* one read of a large answer */
	RELAY_BULK_FROM = 64 * 1024,      /* an answer is large from here on */
	RELAY_RECEIVE_SIZE = RELAY_BULK_SIZE + RELAY_KEPT_SIZE,
	RELAY_ALLOWANCE = 256 * 1024,     /* bytes a handler call */
	RELAY_BULK_MOST = 256,            /* large answers at a time; further ones go on in small steps */
	RELAY_INTERIM_MOST = 16,          /* 1xx before an answer */
	RELAY_UPSTREAMS = 16,             /* bits of passage.asked */
};

struct relay_worker {
	struct loop *loop;
	struct score_page *score; /* NULL: nothing is counted */
	struct slabs passages, tunnels, kept, bulk;
	unsigned bulk_users, relays;
	const struct dialler *dialler;
	struct head answer;               /* for the time of one read */
	char receive[RELAY_RECEIVE_SIZE]; /* for the time of one handler, as are these */
	char head[RELAY_HEAD_SIZE];
	char target[RELAY_TARGET_SIZE];
};

struct relay {
	struct service service;
	struct relay_worker *worker;
	struct upstream upstreams[RELAY_UPSTREAMS];
	struct pool *pools[RELAY_UPSTREAMS];
	unsigned count, next;
	unsigned held; /* passages and tunnels */
	bool is_retired;
	struct relay_figures figures;
};

void relay_hold(struct relay *relay);
/* May free it. */
void relay_let_go(struct relay *relay);

struct passage {
	struct relay *relay;
	struct exchange *exchange;
	struct lease *lease;       /* NULL: not yet, or no more */
	struct pool_wait wait;
	struct task sending;       /* a request with a body, before its first bytes are there */
	struct client_h1 client;
	char *head;                /* what of the request's head could not be written yet; or NULL */
	char *kept;                /* of the answer; a slab, or NULL */
	uint32_t kept_size;
	uint64_t moved;            /* bytes of the answer's body */
	uint8_t upstream;          /* index into relay.upstreams */
	uint16_t asked;            /* a bit for each that was asked */
	uint8_t interims;
	bool is_written;           /* the request's head has been put together */
	bool is_heard;             /* a byte of an answer was read */
	bool is_answered;          /* exchange_answer was called */
	bool is_repeated;          /* the second try */
	bool is_lost;              /* the connection ended where an answer should have come */
	bool is_trial;             /* it sees whether an upstream is back */
	bool is_deaf;              /* the upstream takes no more of the request; its answer may still come */
	bool is_stalled;           /* not read because the client takes no more */
	bool has_sent_body;        /* a body byte was taken: never to be repeated */
	bool is_bulk, is_over;
};

int64_t passage_now(const struct passage *passage);
struct upstream *passage_upstream(const struct passage *passage);

/* -- passage.c -- */
void passage_begin(struct passage *passage);
void passage_finish(struct passage *passage, bool clean);
void passage_cancel(struct passage *passage);
/* The last use of `passage`. `why`: the row, when there has been no answer yet. */
void passage_fail(struct passage *passage, enum refusal why, const struct error *err);
/* Its upstream has begun to answer. */
void passage_heard(struct passage *passage);
/* Gives lease (cut) and memory back, but not itself. */
void passage_drop(struct passage *passage);

/* -- passage_up.c: to the upstream. False: the passage is over, and may be gone. -- */
bool passage_send(struct passage *passage);

/* -- passage_down.c: from the upstream. The last use of `passage`. -- */
void passage_receive(struct passage *passage);

#endif
