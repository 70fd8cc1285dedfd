/* socket - the receiving and sending calls of stream/, counted; the one place where tests squeeze them. */
#ifndef STREAM_SOCKET_H
#define STREAM_SOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/error.h"

struct socket_counts {
	uint64_t receives, sends;             /* system calls */
	uint64_t receives_empty, sends_empty; /* of which said EAGAIN */
};

/* OK: *got bytes, 0 at the end; *short_read: the kernel had less than asked. AGAIN: nothing there.
 * REFUSED: errno says why. */
MUST_CHECK enum status socket_receive(int fd, void *into, size_t room, size_t *got, bool *short_read);
/* OK: *took > 0; *full: the kernel would not take more. AGAIN: full. REFUSED: errno says why. */
MUST_CHECK enum status socket_send(int fd, const struct iovec *pieces, int count, size_t *took, bool *full);

const struct socket_counts *socket_count(void);

#ifdef WITH_FAULTS
/* From now on no call moves more than this; 0: no limit. */
void socket_squeeze(size_t receive_most, size_t send_most);
#endif

#endif
