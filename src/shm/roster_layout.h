/*
 * roster_layout - how a roster lies in memory: shared by its writer and its
 * readers, of no concern to anyone else.
 *
 *	head | entries (slots of 64 bytes) | group rows | arena (cards, group texts)
 *
 * Everything in the arena begins at a multiple of 8; index * 8 is the offset,
 * index 0 is "none".
 */
#ifndef SHM_ROSTER_LAYOUT_H
#define SHM_ROSTER_LAYOUT_H

#include <stdatomic.h>
#include <stddef.h>
#include <stdint.h>

#include "shm/memory.h"
#include "shm/roster.h"

enum {
	ROSTER_HEAD_SIZE = 4096,
	ROSTER_STEPS_MOST = 64,
	ROSTER_SLOTS_LEAST = 1024,
	ROSTER_SLOTS_MOST = 1 << 26, /* times ROSTER_ARENA_A_SLOT / 8 it still fits an index */
	ROSTER_GROUP_ROWS = 4096,
	ROSTER_GROUPS_TEXT_MOST = 4096, /* bytes of one set's text */
	ROSTER_ARENA_A_SLOT = 384,      /* two cards for each of the expected half */
};

struct roster_head {
	char magic[8];
	uint64_t generation;
	uint64_t arena_size;
	uint32_t slots; /* a power of two */
	uint32_t group_rows;
	_Atomic uint64_t touched, count;
};
_Static_assert(sizeof(struct roster_head) <= ROSTER_HEAD_SIZE, "the head has pages of its own");

struct roster_group_row {
	_Atomic uint32_t index, size; /* the text's place in the arena; size is stored last */
};

struct roster {
	struct memory memory;
	struct roster_head *head;
	struct roster_entry *entries;
	struct roster_group_row *group_rows;
	char *arena;
	/* Copies: what was checked once stays as it was. */
	uint64_t generation, arena_size;
	uint32_t slots, group_count;
	/* The writer's own. */
	uint64_t arena_used;
	uint32_t groups_used;
};

extern const char roster_magic[8];

size_t roster_memory_size(uint32_t slots, uint32_t group_rows, uint64_t arena_size);
/* Fills the pointers from memory, slots, group_count and arena_size. */
void roster_lay_out(struct roster *roster);

static inline uint32_t roster_first_slot(const struct roster *roster, const uint8_t fingerprint[32])
{
	/* Eight bytes of a SHA-256 are as good as a hash. */
	uint64_t key = 0;
	int i;

	for (i = 0; i < 8; i++)
		key = key << 8 | fingerprint[i];
	return (uint32_t)key & (roster->slots - 1);
}

#endif
