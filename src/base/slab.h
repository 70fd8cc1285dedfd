/*
 * slab - memory of one size, kept on a free list. A pool never holds more
 * than `ceiling` slabs; at the ceiling slab_take answers NULL, which is what
 * bounds the process. Up to `keep` given-back slabs stay for the next taker.
 */
#ifndef BASE_SLAB_H
#define BASE_SLAB_H

#include <stddef.h>

struct slabs {
	size_t size;          /* usable bytes of each */
	size_t ceiling, keep;
	size_t taken, kept;
	void *free_list;
};

void slabs_init(struct slabs *slabs, size_t size, size_t ceiling, size_t keep);
/* All must have been given back. */
void slabs_release(struct slabs *slabs);
/* Not cleared; aligned for anything. NULL: ceiling or no memory. */
void *slab_take(struct slabs *slabs);
void slab_give(struct slabs *slabs, void *slab); /* NULL is fine */

#endif
