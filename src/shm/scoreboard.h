/*
 * scoreboard - what each worker counted: a page a worker slot. Only the slot's
 * present owner writes to it, with plain loads and stores (no locked
 * instruction); anyone reads and sums. A slot outlives its worker, so that
 * counters never go back; gauges begin anew with each worker.
 */
#ifndef SHM_SCOREBOARD_H
#define SHM_SCOREBOARD_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"

enum score {
	/* Counters: they only grow. */
	SCORE_CONNECTIONS,
	SCORE_HANDSHAKES_FULL,
	SCORE_HANDSHAKES_RESUMED,
	SCORE_HANDSHAKES_FAILED,
	SCORE_REQUESTS,
	SCORE_WEBSOCKETS,
	SCORE_BYTES_UP,      /* from clients, bodies and tunnels */
	SCORE_BYTES_DOWN,
	SCORE_UPSTREAM_CONNECTIONS,
	SCORE_UPSTREAM_ERRORS,
	SCORE_REVOKED_CLOSED, /* connections ended by a revocation */
	SCORE_LOG_DROPPED,
	SCORE_GAUGES,
	/* Gauges: the present number; score_claim sets them to 0. */
	SCORE_LIVE_CONNECTIONS = SCORE_GAUGES,
	SCORE_LIVE_EXCHANGES,
	SCORE_LIVE_TUNNELS,
	SCORE_LIVE_UPSTREAM,
	SCORE_COUNT,
};

enum { SCORE_REFUSALS = 64, SCORE_STATUSES = 6, SCORE_BUCKETS = 20, SCOREBOARD_SLOTS_MOST = 256 };

struct score_page { /* 4096 bytes */
	_Atomic uint64_t pid;     /* 0: nobody owns the slot */
	_Atomic uint64_t claimed; /* wall microseconds */
	_Atomic uint64_t role;    /* the supervisor's number for it */
	_Atomic uint64_t scores[SCORE_COUNT];
	_Atomic uint64_t refusals[SCORE_REFUSALS];   /* by the number of the refusal's row */
	_Atomic uint64_t statuses[SCORE_STATUSES];   /* answers by hundred; [0]: none of 100-599 */
	_Atomic uint64_t durations[SCORE_BUCKETS];   /* exchanges of < 2^i * 64 us; the last: longer */
};
_Static_assert(sizeof(struct score_page) <= 4096, "a slot is a page");

struct scoreboard;

MUST_CHECK enum status scoreboard_new(unsigned slots, struct scoreboard **out, struct error *err);
int scoreboard_fd(const struct scoreboard *board);
/* REFUSED: not a sealed scoreboard. `fd` stays the caller's. */
MUST_CHECK enum status scoreboard_open(int fd, struct scoreboard **out, struct error *err);
void scoreboard_free(struct scoreboard *board); /* NULL is fine */

unsigned scoreboard_slots(const struct scoreboard *board);
/* slot < scoreboard_slots. */
struct score_page *scoreboard_page(const struct scoreboard *board, unsigned slot);
uint64_t scoreboard_sum(const struct scoreboard *board, enum score which);
uint64_t scoreboard_sum_refusals(const struct scoreboard *board, unsigned row);

/* The slot is mine from now on. */
void score_claim(struct score_page *page, unsigned role, pid_t pid, int64_t wall);
/* Supervisor, when the owner has died: gauges to 0. */
void score_leave(struct score_page *page);
void score_duration(struct score_page *page, int64_t microseconds);
void score_status(struct score_page *page, unsigned status);
/* For summing a page's fields beyond the enum. */
static inline uint64_t score_read(const _Atomic uint64_t *word)
{
	return atomic_load_explicit(word, memory_order_relaxed);
}

static inline void score_bump(_Atomic uint64_t *word, uint64_t by)
{
	atomic_store_explicit(word, atomic_load_explicit(word, memory_order_relaxed) + by,
			      memory_order_relaxed);
}

/* Owner only. A NULL page counts nothing, so that tests need none. */
static inline void score_add(struct score_page *page, enum score which, uint64_t by)
{
	if (page)
		score_bump(&page->scores[which], by);
}

/* Gauges only. */
static inline void score_sub(struct score_page *page, enum score which, uint64_t by)
{
	if (page)
		score_bump(&page->scores[which], -by);
}

static inline void score_refusal(struct score_page *page, unsigned row)
{
	if (page)
		score_bump(&page->refusals[row < SCORE_REFUSALS ? row : SCORE_REFUSALS - 1], 1);
}

#endif
