/* state_lock - one process at a time owns a state folder: flock(2) on STATE/lock, gone with the process. */
#ifndef AUTHORITY_STATE_LOCK_H
#define AUTHORITY_STATE_LOCK_H

#include "base/error.h"

/* *fd is the caller's; closing it gives the lock back. REFUSED names the process that has it. */
MUST_CHECK enum status state_lock_take(const char *state, int *fd, struct error *err);

#endif
