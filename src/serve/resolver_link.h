/*
 * resolver_link - a gateway's end of the way to the resolver: connects to Unix
 * sockets by asking it, and hears where the names of upstreams lead.
 *
 * Only a new connection asks; a kept one was made before. While the resolver
 * is away (it has ended and is started again) those who want a connection
 * wait, each until its own deadline.
 */
#ifndef SERVE_RESOLVER_LINK_H
#define SERVE_RESOLVER_LINK_H

#include <stddef.h>

#include "base/address.h"
#include "base/error.h"
#include "event/loop.h"
#include "event/timer.h"
#include "relay/dialler.h"

struct channel;
struct resolver_name;

/* Embedded in its owner. */
struct resolver_link {
	struct loop *loop;
	struct dialler dialler; /* for relay_worker_options */
	/* `host` has these addresses from now on; without ports. */
	void (*on_addresses)(void *arg, const char *host, const struct address *addresses, size_t count);
	void *arg;
	struct channel *channel; /* NULL while it is away */
	struct link asked, waiting; /* of calls: under way; not asked yet */
	struct timer again;
	struct resolver_name *names; /* the last answer of each */
	size_t name_count, call_count;
};

/* `on_addresses` is called with `arg`. */
void resolver_link_init(struct resolver_link *link, struct loop *loop,
			void (*on_addresses)(void *, const char *, const struct address *, size_t), void *arg);
/* A new way to it; takes fd. */
void resolver_link_take(struct resolver_link *link, int fd);
/* on_addresses once more for all that is known: upstreams were made anew. */
void resolver_link_repeat(const struct resolver_link *link);
/* All calls must be gone (their pools). */
void resolver_link_release(struct resolver_link *link);

#endif
