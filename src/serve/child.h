/*
 * child - one process of the house: started by exec of ourselves with its
 * descriptors at fixed numbers, and spoken to by orders.
 */
#ifndef SERVE_CHILD_H
#define SERVE_CHILD_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "serve/sandbox.h"

/* Where a role finds its descriptors. */
enum role_descriptor {
	FD_ORDERS = 3,     /* to the supervisor: order.h */
	FD_BUNDLE = 4,     /* gateway: config and files, config/bundle.h */
	FD_SCOREBOARD = 5, /* shm/scoreboard.h, writable */
	FD_SESSIONS = 6,   /* gateway: shm/session_store.h, writable; authority: the listening CLI socket */
	FD_CHALLENGES = 7, /* gateway: the folder of ACME answers, or closed */
	FD_METER = 8,      /* gateway: shm/meter.h, writable */
	FD_LISTEN = 9,     /* gateway: the first of its listening sockets */
};

enum child_state { CHILD_GONE, CHILD_STARTING, CHILD_READY };

struct child {
	const char *binary; /* NULL: our own; else the program to run: another version of it */
	const char *role; /* "authority", "gateway", "check" */
	uint32_t slot;    /* of the scoreboard; authority 0, gateways from 1 */
	enum child_state state;
	pid_t pid;
	int orders; /* our end, or -1 */
	int64_t started, again_at; /* mono; again_at is set while it is gone */
	unsigned failures;         /* short lives in a row: the back-off */
	int64_t alive_at;          /* when it last said so: ORDER_ALIVE */
};

/* Starts child->role. `descriptors` follow FD_ORDERS in order; -1 leaves a number closed. `words`:
 * up to 4 more arguments, ended by NULL. The child's end of the orders is made here. */
MUST_CHECK enum status child_start(struct child *child, const int *descriptors, unsigned count,
				   struct sandbox_user user, const char *const words[],
				   struct error *err);
/* It was reaped: closes the orders, sets when to start it again: 0.1 s, doubling to 30 s for lives under 10 s. */
void child_gone(struct child *child, int64_t now);

/* What every role does first: reads the words that child_start gave. REFUSED: not started by a supervisor. */
struct role_start {
	uint32_t slot;
	pid_t supervisor;
	struct sandbox_user user;
	const char *word; /* check: the config's path; authority: the state folder; gateway: a letter a listening socket */
};
MUST_CHECK enum status role_start_parse(int argc, char **argv, struct role_start *out, struct error *err);

#endif
