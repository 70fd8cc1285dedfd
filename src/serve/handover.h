/*
 * handover - what a supervisor leaves to the one that takes its place by
 * execve(2), in the same process: sockets, shared memory, the parts that
 * run. Fixed shapes in a memory descriptor, which the successor finds by the
 * environment; descriptors are numbers, left open across the exec.
 *
 * The successor may be of another version. HANDOVER_LAYOUT changes whenever
 * a field here does, and then there is no way but a restart, which is said
 * before anything is done.
 */
#ifndef SERVE_HANDOVER_H
#define SERVE_HANDOVER_H

#include <limits.h>
#include <stdint.h>

#include "base/error.h"
#include "serve/plan.h"

enum { HANDOVER_LAYOUT = 2, HANDOVER_PARTS_MOST = 256, HANDOVER_SHAPES = 12 };
#define HANDOVER_VARIABLE "CHATELAINE_HANDOVER"

struct handover_part {
	uint32_t slot, duty, generation, took, joined, state;
	int32_t pid, orders;
	int64_t started, alive_at, end_by;
};

struct handover {
	char magic[8];
	uint32_t layout, size;
	int32_t pid; /* the supervisor's: it stays */
	uint32_t is_return; /* from a version that did not come up to the one before */
	char version[32];   /* who hands over */
	char why[512];      /* is_return: what went wrong */
	char binary[PATH_MAX]; /* the path that the house was started from, for the next upgrade */
	int32_t old_binary; /* open: where to return to */

	/* What held: for parts that end meanwhile. The plan is read by none but its own kind: plan_size. */
	int32_t plan, bundle, targets;
	uint32_t plan_size, number;
	char state[PATH_MAX];
	struct sandbox_user gateway, authority, resolver;
	uint32_t workers, drain_seconds, stop_seconds;

	uint32_t socket_count;
	struct plan_listen listen[PLAN_LISTEN_MOST];
	int32_t sockets[PLAN_LISTEN_MOST];
	int32_t commands, access;
	/* Shared memory is taken over if it has the same shape; a new one is made if not. */
	int32_t scoreboard, sessions, meter;
	uint32_t shapes[HANDOVER_SHAPES];

	uint32_t generation, joins, part_count;
	struct handover_part parts[HANDOVER_PARTS_MOST];
};

/* Fills magic, layout, size, pid, version and shapes. */
void handover_begin(struct handover *handover);
/* A descriptor with it that stays open across exec, the caller's. */
MUST_CHECK enum status handover_write(const struct handover *handover, int *fd, struct error *err);
/* REFUSED: not one, or not of this layout, with a sentence for people. `pid` is the supervisor's. */
MUST_CHECK enum status handover_read(int fd, int32_t pid, struct handover *out, struct error *err);
/* Is shared memory of the one who wrote it of our shape? */
bool handover_has_our_shapes(const struct handover *handover);
/* All its descriptors: open across exec, or closed by it. */
void handover_keep_open(const struct handover *handover, bool open);

#endif
