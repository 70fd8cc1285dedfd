/*
 * order - what the supervisor and its children tell each other: eight bytes
 * and at most one descriptor, over a Unix socket pair. Fixed size and no
 * text, because one end runs as root and parses nothing.
 *
 * Verbs are only ever added, at the end: after an upgrade the supervisor speaks
 * with parts of the version before.
 */
#ifndef SERVE_ORDER_H
#define SERVE_ORDER_H

#include <stdint.h>

#include "base/error.h"

enum order_verb {
	/* child to supervisor */
	ORDER_READY = 1,    /* serving; number = 0 */
	ORDER_KILL_GATEWAY, /* authority: nothing can be told to gateway `number`, of ORDER_CHANNEL */
	/* supervisor to child */
	ORDER_CHANNEL, /* + fd: gateway: the way to whom enum order_channel says; others: to gateway `number`, new each time */
	ORDER_BUNDLE,  /* + fd: files changed; take the new ones if they are good, say ORDER_TOOK or _KEPT `number` */
	ORDER_ACCESS,  /* + fd: gateway: the access log's file from now on */
	ORDER_STOP,    /* accept no more, finish what is under way within `number` seconds, end */
	/* child to supervisor */
	ORDER_ALIVE, /* its loop turns; said every two seconds, the watchdog waits for ten */
	ORDER_TOOK,  /* gateway: the files of ORDER_BUNDLE `number` are in use */
	ORDER_KEPT,  /* gateway: they are no good, those before still hold */
	/* supervisor to gateway */
	ORDER_OPEN,  /* accept clients; none were before */
	ORDER_DRAIN, /* it has a successor: accept no more, end after `number` seconds at the latest */
	/* between the authority and the supervisor */
	ORDER_RELOAD,   /* authority: somebody asks to reload; `number` is the request's, ever larger */
	ORDER_RELOADED, /* + fd, a report (reload_report.h): every request up to `number` is done or refused */
	ORDER_UPGRADE,  /* authority: somebody asks to go on as another version; `number` as ORDER_RELOAD's */
};

/* ORDER_CHANNEL's number, to a gateway. */
enum order_channel { CHANNEL_AUTHORITY, CHANNEL_RESOLVER };

struct order {
	uint32_t verb, number;
};

/* Non-blocking; `fd` (or -1) stays the caller's. REFUSED: the other end is gone or never reads. */
MUST_CHECK enum status order_send(int socket, struct order order, int fd);
/* OK: one order; *fd is the caller's or -1. AGAIN: none. REFUSED: the other end is gone. */
MUST_CHECK enum status order_receive(int socket, struct order *order, int *fd);

#endif
