/*
 * relay - the service that passes an exchange on to an application server.
 *
 * One struct relay a site: its upstreams, their pools. The exchange's head
 * goes out written anew (http/client_h1), fields that only we may set left
 * out and the visit's identity block put last; bodies stream both ways, at
 * most one slab of each direction in memory; the answer's head is parsed
 * strictly and goes to exchange_answer. A failure before the answer's head is
 * a refusal by row, one after it a cut.
 *
 * A safe request of which no body byte was taken is tried once more when a
 * kept connection turns out to be stale before any byte of an answer; nothing
 * else is ever sent twice.
 *
 * A 101 to a true WebSocket upgrade becomes a tunnel (relay/tunnel.h).
 */
#ifndef RELAY_RELAY_H
#define RELAY_RELAY_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "relay/upstream.h"
#include "stream/tls_client.h"

struct dialler;
struct loop;
struct relay;
struct relay_worker;
struct score_page;
struct service;

/* What a worker's relays share: the loop, the buffer that upstreams are read into, slabs. */
struct relay_worker_options {
	struct loop *loop;
	struct score_page *score; /* NULL: nothing is counted */
	size_t exchanges; /* at most so many at a time, tunnels apart */
	size_t tunnels;   /* at most so many at a time */
	const struct dialler *dialler; /* for Unix sockets; outlives the worker; NULL: by itself */
};
MUST_CHECK enum status relay_worker_new(const struct relay_worker_options *options,
					struct relay_worker **out, struct error *err);
/* All its relays must be gone. NULL is fine. */
void relay_worker_free(struct relay_worker *worker);

struct relay_options {
	/* URLs, NULL behind the last; asked in turn, those that are down are passed over. */
	char *const *upstreams;
	struct upstream_limits limits; /* upstream_limits_default() */
	/* For https:// alone; copied. Without authorities such an upstream is REFUSED. */
	struct tls_trust_options trust;
	const char *server_name; /* what their certificates are called; NULL: as the URL's host */
};
MUST_CHECK enum status relay_new(struct relay_worker *worker, const struct relay_options *options,
				 struct relay **out, struct error *err);
/* Takes no further exchange; frees itself when its last one ends. NULL is fine. */
void relay_retire(struct relay *relay);

/* For the route table of door/. Lives as long as the relay. */
const struct service *relay_service(const struct relay *relay);
/* What `host` resolves to now, for every upstream of that name; connections elsewhere are used no more. */
void relay_resolve(struct relay *relay, const char *host, const struct address *addresses, size_t count);
/* For `status` and metrics: standing, figures. NULL behind the last. */
struct upstream *relay_upstream(struct relay *relay, size_t index);

struct relay_figures {
	unsigned exchanges, tunnels;
	uint64_t relayed, retried, refused, slow, broken; /* broken: cut after the answer's head */
};
struct relay_figures relay_figures(const struct relay *relay);

#endif
