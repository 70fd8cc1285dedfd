/*
 * service - what answers an exchange: relay, enroll, console, challenge, publication, refusal.
 *
 * The life of a service in an exchange:
 *   open       once; the head is complete and the walk has passed. What came with the head waits in
 *              exchange->up, and no on_up tells of it
 *   on_up      more bytes (or the end, or the failure) of exchange->up wait
 *   on_room    the client took bytes of exchange->down
 *   cancel     at most once, and only while the answer has not ended
 *   release    exactly once, last of all; the exchange goes away after it
 * The answer has ended when exchange->down is ENDED or FAILED (or exchange_answer was called with
 * no_body). From then on the service is out: only release is still called. A service may end its
 * answer before the request's body is over; the transport throws the rest away. A tunnel is over
 * when `down` is: what was shown is written, then the connection closes and `up` is dropped.
 *
 * No function of http/ frees an exchange inline: inside any of these (and inside the service's own
 * handlers) `exchange` stays valid until the end of the loop's turn, or until release.
 */
#ifndef HTTP_SERVICE_H
#define HTTP_SERVICE_H

#include <stdbool.h>

#include "http/body.h"

struct exchange;

struct service {
	const char *name;
	/* Must end in exchange_answer, exchange_upgrade, exchange_hand_over or a failed `down`, sooner
	 * or later. May do so inline. */
	void (*open)(struct exchange *);
	/* NULL: bytes of the request are not wanted; they are thrown away. */
	void (*on_up)(struct exchange *);
	void (*on_room)(struct exchange *); /* NULL: nothing to do */
	/* Client gone, late or bad, or an ending that allows no last word: forget it now, cut the far
	 * side. May not call back into the exchange. NULL: nothing to do. */
	void (*cancel)(struct exchange *);
	/* The connection ends by decision (ENDED_REVOKED, _EXPIRED, _STOPPING) while this exchange is a
	 * tunnel. Cut the far side at once and drop `up`: no on_up follows. True: last bytes for the
	 * client (a WebSocket Close 1008) are or will be shown in `down`, which must be ended within
	 * 200 ms (then TCP is reset). False or NULL: cancel follows at once. */
	bool (*revoke)(struct exchange *, enum ending why);
	void (*release)(struct exchange *); /* NULL: nothing to free */
};

#endif
