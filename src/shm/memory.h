/*
 * memory - shared memory behind a descriptor: a memfd of fixed size, sealed so
 * that nobody who holds it can pull it away (SHRINK, GROW, SEAL) or, but for
 * its maker, write to it.
 *
 * Whoever receives a descriptor checks seals and size before trusting the
 * mapping: without F_SEAL_SHRINK the other side could turn each read into
 * SIGBUS. The contents are still the writer's word: readers check every index.
 */
#ifndef SHM_MEMORY_H
#define SHM_MEMORY_H

#include <stddef.h>

#include "base/error.h"

enum memory_kind {
	MEMORY_ONE_WRITER,   /* only the mapping that memory_make made can write: F_SEAL_FUTURE_WRITE, Linux 5.1 */
	MEMORY_MANY_WRITERS, /* whoever gets the descriptor */
	MEMORY_FROZEN,       /* nobody, from memory_freeze on: F_SEAL_WRITE */
};

struct memory {
	void *at; /* NULL: not mapped */
	size_t size;
	int fd; /* -1: none of its own */
	enum memory_kind kind;
};

/* `size` zeroed bytes, mapped writable; `name` is for /proc. Pages cost nothing until touched. */
MUST_CHECK enum status memory_make(struct memory *memory, const char *name, size_t size,
				   enum memory_kind kind, struct error *err);
/* Ends all writing to memory made as MEMORY_FROZEN: sealed for good, mapped read-only, perhaps at
 * another address. */
MUST_CHECK enum status memory_freeze(struct memory *memory, struct error *err);
/* Another's memory: read-only, but for MEMORY_MANY_WRITERS. REFUSED when a seal of that kind is
 * missing or the size is not within least..most. `fd` stays the caller's and may be closed. */
MUST_CHECK enum status memory_map(struct memory *memory, int fd, size_t least, size_t most,
				  enum memory_kind kind, struct error *err);
/* Keep it out of core dumps (MADV_DONTDUMP). */
void memory_hide(const struct memory *memory);
/* Unmaps, closes its own descriptor. Zeroed memory (all fields 0) and a second release are fine. */
void memory_release(struct memory *memory);

#endif
