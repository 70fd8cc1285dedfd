/*
 * pool - a worker's connections to one upstream: made when needed, lent to
 * one exchange at a time, kept while idle, last in first out.
 *
 * An idle connection that becomes readable is closed, whatever it has to say:
 * the end of file, or bytes that nobody asked for. Who waits for a
 * connection is served in order. `pool.upstream` is the caller's and outlives
 * the pool. Nothing here knows HTTP.
 */
#ifndef RELAY_POOL_H
#define RELAY_POOL_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/list.h"
#include "event/loop.h"
#include "event/timer.h"

struct lease;
struct pool;
struct stream;
struct upstream;

/* Why there is no lease. */
enum pool_failure {
	POOL_REFUSED, /* no connection could be made: refused, unreachable, no address, no descriptor */
	POOL_SLOW,    /* none was made within limits.connect */
	POOL_FULL,    /* all are in use and the queue is full, or the wait was too long */
};

/* A place in the queue, embedded in whoever waits; zeroed before its first use. */
struct pool_wait {
	/* Called once, never from inside pool_lease: a lease, or NULL and why. */
	void (*on_lease)(struct pool_wait *wait, struct lease *lease, enum pool_failure why,
			 const struct error *err);
	int64_t since;
	struct link queued; /* owner: pool.waits, or the lease that connects for it */
};

MUST_CHECK enum status pool_new(struct loop *loop, struct upstream *upstream, struct pool **out,
				struct error *err);
/* Idle connections are closed at once and leases when they are returned, then it frees itself;
 * nobody may still wait. NULL is fine. */
void pool_free(struct pool *pool);

/* OK: *now is the caller's lease. AGAIN: wait->on_lease will be called. REFUSED or FAILED: on_lease
 * will not be called; *why says which. `fresh`: never an idle connection, for a second try. */
MUST_CHECK enum status pool_lease(struct pool *pool, struct pool_wait *wait, bool fresh,
				  struct lease **now, enum pool_failure *why, struct error *err);
/* No longer interested. Harmless when it does not wait. */
void pool_forget(struct pool *pool, struct pool_wait *wait);

struct lease {
	struct source source; /* its descriptor; the pool's until the lease is given */
	struct stream *stream;
	struct pool *pool;
	/* Set by the holder; called for every edge and loop_again of the connection. */
	void (*on_ready)(struct lease *lease);
	void *holder;
	struct timer timer; /* connect, then idle, are the pool's; the holder's while it is lent */
	struct task closing;
	struct link in_pool; /* owner: pool.idle or pool.lent */
	struct pool_wait *for_whom; /* while connecting */
	struct address *peer;
	int64_t born;
	unsigned served;    /* exchanges before this one; 0: a new connection */
	uint8_t state;
};

/* Ends the loan; the caller forgets it. clean: the answer is complete, no byte behind it, both
 * sides keep it open: then it may be lent again. Else it is closed. */
void lease_return(struct lease *lease, bool clean);
/* Closes it with a reset, so that the upstream stops at once. */
void lease_cut(struct lease *lease);

struct pool_figures {
	unsigned idle, lent, connecting, waiting;
	uint64_t made, reused, failed;
};
struct pool_figures pool_figures(const struct pool *pool);

#endif
