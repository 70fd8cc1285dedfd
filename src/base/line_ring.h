/*
 * line_ring - whole lines on their way to a descriptor, in memory of a fixed
 * size. A line never lies across the ring's end, so that what is taken can
 * always be written by one write of whole lines. What finds no room is
 * dropped and counted.
 */
#ifndef BASE_LINE_RING_H
#define BASE_LINE_RING_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct line_ring {
	char *at;
	size_t room;
	size_t head, tail; /* where the next line goes; where the first one lies */
	size_t wrap;       /* while head < tail: where the lines behind tail end */
	uint64_t dropped;  /* lines, ever */
};

/* `at` is the caller's and outlives the ring. */
void line_ring_init(struct line_ring *ring, char *at, size_t room);
/* `line` ends with a line end. False: dropped. */
bool line_ring_add(struct line_ring *ring, struct span line);
/* The first lines, at most `most` bytes of them; a longer single line comes alone and whole. */
struct span line_ring_take(const struct line_ring *ring, size_t most);
/* The first `count` bytes are gone. */
void line_ring_taken(struct line_ring *ring, size_t count);
/* Bytes that wait. */
size_t line_ring_waiting(const struct line_ring *ring);

#endif
