/*
 * listener - accepts connections from a listening socket that the supervisor
 * opened. At most 64 a turn, so that no flood keeps the others waiting, and
 * not less: who comes waits behind all that came before, and most of a flood
 * costs no more than to accept and close it. Out
 * of descriptors or memory: turns a few away by a descriptor kept in reserve,
 * then rests 100 ms; never spins.
 *
 * Accepted sockets are non-blocking and close-on-exec, and inherit TCP_NODELAY
 * and keep-alive probes (a dead peer is noticed within four minutes).
 */
#ifndef STREAM_LISTENER_H
#define STREAM_LISTENER_H

#include "base/address.h"
#include "event/loop.h"

struct listener;

struct listener_counts {
	uint64_t accepted, turned_away; /* turned away: for lack of descriptors or memory */
};

/* Takes `fd` on OK (a listening TCP or Unix socket; made non-blocking). on_accept owns each new
 * descriptor. */
MUST_CHECK enum status listener_start(struct loop *loop, int fd,
				      void (*on_accept)(void *arg, int fd, const struct address *peer),
				      void *arg, struct listener **out, struct error *err);
/* Accept no more until listener_resume: the kernel's backlog fills. Both harmless when repeated. */
void listener_pause(struct listener *listener);
void listener_resume(struct listener *listener);
const struct listener_counts *listener_count(const struct listener *listener);
/* Closes and frees; may be called from on_accept. NULL is fine. */
void listener_stop(struct listener *listener);

#endif
