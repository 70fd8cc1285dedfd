/*
 * pool - a worker's connections to one upstream: made when needed, lent to
 * one exchange at a time, kept while idle, last in first out.
 *
 * An idle connection that becomes readable is closed, whatever it has to say:
 * the end of file, or bytes that nobody asked for. Who waits for a connection
 * is served in order, by whichever is made or given back first. `upstream` is
 * the caller's and outlives the pool. A connection is made when TLS is spoken
 * on it too, where the upstream wants that. Nothing here knows HTTP.
 */
#ifndef RELAY_POOL_H
#define RELAY_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "base/error.h"
#include "base/list.h"
#include "event/timer.h"

struct dial;
struct dialler;
struct lease;
struct loop;
struct pool;
struct stream;
struct upstream;

/* Why there is no lease. */
enum pool_failure {
	POOL_UNREACHABLE, /* no connection could be made, or not within limits.connect */
	POOL_FULL,        /* all are in use, and the queue is full or the wait was too long */
	POOL_OURS,        /* no descriptor, no memory */
};

/* A place in the queue, embedded in whoever waits; pool_wait_init before its first use. */
struct pool_wait {
	/* Called once, never from inside pool_lease: a lease, or NULL and why. */
	void (*on_lease)(struct pool_wait *wait, struct lease *lease, enum pool_failure why,
			 const struct error *err);
	int64_t since;
	struct link queued; /* owner: pool.waits */
};

enum lease_kind {
	LEASE_ANY,
	LEASE_PROBED, /* an idle one is asked first whether it still lives: for what cannot be repeated */
	LEASE_FRESH,  /* never an idle one: for a second try */
};

/* `dialler`: for Unix sockets; outlives the pool; NULL: the pool connects to them itself. */
MUST_CHECK enum status pool_new(struct loop *loop, struct upstream *upstream, const struct dialler *dialler,
				struct pool **out, struct error *err);
/* The upstream has other addresses: connections to those that are gone are used no more. */
void pool_heed_addresses(struct pool *pool);
/* Closes idle connections now and lent ones when they come back, then frees itself at a
 * turn's end. Nobody may wait; `upstream` may go at once, unless some are still lent. NULL is fine. */
void pool_free(struct pool *pool);

void pool_wait_init(struct pool_wait *wait, void (*on_lease)(struct pool_wait *, struct lease *,
							     enum pool_failure, const struct error *));
/* OK: *now is the caller's, an idle connection. AGAIN: on_lease will be called. Else it will not,
 * and *why says what is wrong. */
MUST_CHECK enum status pool_lease(struct pool *pool, struct pool_wait *wait, enum lease_kind kind,
				  struct lease **now, enum pool_failure *why, struct error *err);
/* No longer interested. Harmless when it does not wait. */
void pool_forget(struct pool *pool, struct pool_wait *wait);

/* A connection. The first four are the holder's while it is lent. */
struct lease {
	void (*on_ready)(struct lease *lease); /* something may have changed: try reading and writing */
	void (*on_late)(struct lease *lease);  /* its deadline has passed; sets another one or ends it */
	void *holder;
	int64_t keep;          /* how long it may lie idle; the upstream may have asked for less */
	struct stream *stream; /* NULL until the connection is made */
	struct pool *pool;
	int64_t born;          /* connected; until then: begun */
	unsigned served;       /* exchanges before this one; 0: it has just been made */
	unsigned tries;        /* addresses tried so far */
	uint8_t state;
	bool is_apart;
	int64_t deadline;
	struct timer timer;
	struct dial *dial;
	void *ticket;          /* of the dialler, in place of `dial` */
	struct address to;
	unsigned generation;   /* upstream.generation when `to` was last seen to be one of its addresses */
	struct link in_pool;   /* owner: pool.idle, pool.lent or pool.dialling */
};

/* When on_late is due, mono; INT64_MAX: never. A later deadline than before costs one store. */
void lease_deadline(struct lease *lease, int64_t mono);
/* It became a tunnel: it counts no more towards limits.most, which is for requests. */
void lease_set_apart(struct lease *lease);
/* Ends the loan; the caller forgets it. clean: the answer is complete, nothing behind it, both
 * sides keep it open: then it may be lent again. Else it is closed. */
void lease_return(struct lease *lease, bool clean);
/* Ends it with a TCP reset, so that the upstream stops at once. */
void lease_cut(struct lease *lease);

struct pool_figures {
	unsigned idle, lent, apart, dialling, waiting;
	uint64_t made, reused, failed;
};
struct pool_figures pool_figures(const struct pool *pool);

#endif
