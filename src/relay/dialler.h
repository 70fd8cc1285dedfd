/*
 * dialler - who connects where this process may not: to Unix sockets, for a
 * gateway in its sandbox. serve/ has one that asks the resolver; where there
 * is none, a pool connects by itself.
 */
#ifndef RELAY_DIALLER_H
#define RELAY_DIALLER_H

#include <stdint.h>

#include "base/address.h"
#include "base/error.h"
#include "stream/dial.h"

struct dialler {
	void *arg;
	/* As dial_start. *ticket is for `cancel`, until on_done was called. */
	enum status (*start)(void *arg, const struct address *to, int64_t deadline, dial_fn *on_done,
			     void *done_arg, void **ticket, struct error *err);
	void (*cancel)(void *arg, void *ticket);
};

#endif
