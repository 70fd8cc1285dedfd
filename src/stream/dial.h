/*
 * dial - one connect to an address, TCP or Unix, that never blocks. A Unix
 * socket whose queue is full is tried again until the deadline.
 */
#ifndef STREAM_DIAL_H
#define STREAM_DIAL_H

#include "base/address.h"
#include "event/loop.h"

struct dial;

/* OK: `fd` is the receiver's: connected, non-blocking, close-on-exec, TCP_NODELAY. REFUSED: the
 * other end said no, or not in time. FAILED: our side (descriptors, memory). The dial is over in
 * each case. */
typedef void dial_fn(void *arg, enum status status, int fd, const struct error *err);

/* `deadline`: monotonic microseconds, as in loop_now()->mono. on_done comes exactly once, in a
 * later turn or at the end of this one, never from inside; unless dial_cancel comes before.
 * FAILED here: on_done does not come. */
MUST_CHECK enum status dial_start(struct loop *loop, const struct address *to, int64_t deadline,
				  dial_fn *on_done, void *arg, struct dial **out, struct error *err);
/* Forget it, on_done will not come. NULL is fine; not after on_done. */
void dial_cancel(struct dial *dial);

#endif
