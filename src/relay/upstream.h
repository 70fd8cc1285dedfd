/*
 * upstream - one application server that requests are relayed to: where it
 * is, how long we wait for it, and how it has behaved.
 *
 * An upstream is a URL of the config: http://HOST[:PORT], https://HOST[:PORT]
 * or unix:/PATH. It is reachable once it has addresses: a URL with an IP
 * literal or a Unix socket has them from its init; a name gets them by
 * upstream_resolve, at first from the config's checker and from then on from
 * the resolver process. Nothing here asks DNS, opens a socket or keeps time.
 *
 * Health is passive, what requests meet: a connection that could not be made,
 * no answer, none in time, garbage. Three in a row take it down; from then on
 * it is passed over while there is another one to ask, for a second, and twice
 * as long after each further failure, up to half a minute. When that time is
 * over one request at a time is let through as a trial, and the first answer
 * of any kind brings it up again.
 */
#ifndef RELAY_UPSTREAM_H
#define RELAY_UPSTREAM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/error.h"
#include "base/span.h"

struct tls_client;

enum {
	UPSTREAM_ADDRESSES = 8,
	UPSTREAM_NAME_SIZE = 272, /* as shown to people: host, colon, port */
};

/* Times in microseconds. */
struct upstream_limits {
	int64_t connect;      /* a connection (and TLS) that is not made by then has failed (502) */
	int64_t first_byte;   /* from the last byte of the request to the first of the answer (504) */
	int64_t quiet;        /* silence inside a body while we would take bytes; then it is cut */
	int64_t wait;         /* for a free connection when all are in use (503) */
	int64_t idle;         /* an unused connection is closed after it */
	int64_t age;          /* a connection older than it is not used again */
	unsigned most;        /* connections in all but tunnels, a worker */
	unsigned idle_most;   /* unused ones kept, a worker */
	unsigned waiting_most; /* requests that wait for a connection; further ones get 503 */
};

/* For status and metrics: the first three only grow. Times in microseconds, of those that came about. */
struct upstream_figures {
	uint64_t connects, answers, failures;
	uint64_t connect_time, first_byte_time; /* sums: over connects, over answers */
};

struct upstream {
	struct address addresses[UPSTREAM_ADDRESSES];
	unsigned addresses_count, next_address;
	char name[UPSTREAM_NAME_SIZE]; /* for logs and refusals; terminated */
	char host[UPSTREAM_NAME_SIZE]; /* what is to be resolved; empty when nothing is */
	char literal[UPSTREAM_NAME_SIZE]; /* host, name or IP address; empty for a Unix socket */
	uint16_t port;
	bool is_secure;            /* https */
	struct tls_client *client; /* when it is; its owner is who made it */
	unsigned generation;       /* of its addresses */
	struct upstream_limits limits;
	unsigned failures;  /* in a row */
	unsigned downs;     /* times in a row that it was given up; 0: up */
	int64_t down_until; /* mono; meaningful while down */
	bool on_trial;      /* a request is out to see whether it is back */
	struct upstream_figures figures;
};

/* connect 5 s, first byte 60 s, quiet 10 min, wait 5 s, idle 50 s, age 1 h; 4096 connections,
 * 64 idle, 1024 waiting. */
struct upstream_limits upstream_limits_default(void);

/* REFUSED: not a URL that can be an upstream; the text says what is wrong with it. */
MUST_CHECK enum status upstream_init(struct upstream *upstream, struct span url,
				     const struct upstream_limits *limits, struct error *err);
/* False: its name has not been resolved yet. */
bool upstream_has_address(const struct upstream *upstream);
/* The answer to `host`; ports are the upstream's own. At most UPSTREAM_ADDRESSES are kept; an empty
 * answer keeps what was there. True: an address came or went, whatever their order. */
bool upstream_resolve(struct upstream *upstream, const struct address *addresses, size_t count);

/* The address to try next: the one that worked last, else the one after it. */
const struct address *upstream_address(const struct upstream *upstream);
/* That one could not be connected to: another one is the next to be tried. */
void upstream_next_address(struct upstream *upstream);
bool upstream_serves_at(const struct upstream *upstream, const struct address *address);

enum upstream_standing {
	UPSTREAM_UP,
	UPSTREAM_DUE, /* down, but its time is over and nobody tries it yet */
	UPSTREAM_DOWN,
};
enum upstream_standing upstream_standing(const struct upstream *upstream, int64_t now);
/* It answered. True: it was down until now. */
bool upstream_worked(struct upstream *upstream);
/* Not one of its addresses could be connected to, or a request got no answer. True: it was up until now. */
bool upstream_failed(struct upstream *upstream, int64_t now);

#endif
