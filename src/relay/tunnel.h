/*
 * tunnel - a WebSocket after its 101: bytes both ways, as they are.
 *
 * Made by relay/ when an upstream answers a true upgrade truly (RFC 6455
 * section 4.2.2); from then on the service of its exchange. Nothing is masked,
 * unmasked, split or joined. There is no idle limit; TCP keepalive finds dead
 * peers. A side that takes nothing of what waits for it for ten minutes ends it. At most one read of each direction is held while the other side is
 * slow, and nothing while both are idle.
 *
 * Client-ward the heads of frames are followed, so that a revocation can say
 * Close 1008 where a frame ends: at once, also between two fragments; in the
 * middle of a frame the upstream has 100 ms to finish that frame, then the
 * client's side is cut without one. Upload is dropped from the first moment.
 *
 * The client's end is passed on, and the upstream has a minute to end too; the
 * upstream's end, once the client has all its bytes, is the tunnel's.
 */
#ifndef RELAY_TUNNEL_H
#define RELAY_TUNNEL_H

#include <stddef.h>

#include "base/error.h"
#include "base/span.h"

struct exchange;
struct head;
struct lease;
struct relay;

/* Upgrades the exchange with `answer` and takes the lease. `early` are bytes that the upstream sent
 * behind its head. REFUSED: no tunnel is free; nothing was taken. */
MUST_CHECK enum status tunnel_start(struct relay *relay, struct exchange *exchange,
				    struct lease *lease, const struct head *answer,
				    struct span early, struct error *err);

/* For relay_worker's slabs. */
size_t tunnel_size(void);

#endif
