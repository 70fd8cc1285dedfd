/*
 * passing - bytes and at most one descriptor over a Unix stream socket
 * (SCM_RIGHTS, unix(7)). Non-blocking; the only place that speaks cmsg.
 */
#ifndef EVENT_PASSING_H
#define EVENT_PASSING_H

#include <stddef.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/span.h"

/* Both ends non-blocking and close-on-exec. */
MUST_CHECK enum status passing_pair(int ends[2], struct error *err);
/* Takes some of the bytes; `fd` (or -1) rides with the first of them and stays the caller's.
 * AGAIN: full. REFUSED: the other end is gone. */
MUST_CHECK enum status passing_send(int socket, struct span bytes, int fd, size_t *took);
/* OK with *got = 0: the other end closed. *fd is a received descriptor (close-on-exec, the
 * caller's) or -1; surplus descriptors are closed. AGAIN: nothing there. */
MUST_CHECK enum status passing_receive(int socket, void *into, size_t room, size_t *got, int *fd);
/* Who is at the other end, as the kernel says (SO_PEERCRED). */
MUST_CHECK enum status passing_peer(int socket, pid_t *pid, uid_t *uid);

#endif
