/*
 * sockets - the listening sockets that a plan asks for. Those of the plan before are the same
 * sockets, not new ones: no client that waits in one of them is lost by a reload.
 */
#ifndef SERVE_SOCKETS_H
#define SERVE_SOCKETS_H

#include <stdbool.h>

#include "base/error.h"
#include "serve/plan.h"

/* Zeroed: none. Two sets may share descriptors for the time of a reload; see sockets_close_others. */
struct sockets {
	unsigned count;
	struct plan_listen listen[PLAN_LISTEN_MOST];
	int fds[PLAN_LISTEN_MOST];
};

/* What `plan` asks for: from `before` where it is there, else opened now. REFUSED (a busy port, with who
 * holds it): nothing was opened, *out is as it was. */
MUST_CHECK enum status sockets_open(const struct plan *plan, const struct sockets *before, struct sockets *out,
				    struct error *err);
/* Closes those of `sockets` that `kept` has not; `sockets` is empty then. */
void sockets_close_others(struct sockets *sockets, const struct sockets *kept);

#endif
