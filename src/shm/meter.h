/*
 * meter - what all workers count together: rates, marks, and how many there
 * are of something, by key. Nobody waits and nobody locks.
 *
 * A key is a keyed hash (meter_hash), so that no outsider can aim at another's
 * place. Tables are of fixed size, sets of eight; in a full set the oldest
 * gives way, and is then as if it had never been: what is lost is lost in
 * favour of the client.
 *
 * Rates are clocks of one word (GCRA): the time at which the client would be
 * back at rest. One compare-and-swap moves it. Counts are a table a worker
 * slot, written by its owner alone and summed by whoever asks; a new worker in
 * the slot clears it, so that a crash leaves nothing behind.
 *
 * Made by the supervisor. Any gateway could falsify it: who is let in is never
 * decided here, only how fast.
 */
#ifndef SHM_METER_H
#define SHM_METER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct meter;

/* METER_LAYOUT: another one with every change of what a word means, see scoreboard.h. */
enum { METER_LAYOUT = 1, METER_SLOTS_MOST = 256, METER_RATE_MOST = 1000000 };

MUST_CHECK enum status meter_new(unsigned slots, struct meter **out, struct error *err);
int meter_fd(const struct meter *meter);
/* REFUSED: not a sealed meter. `fd` stays the caller's. */
MUST_CHECK enum status meter_open(int fd, struct meter **out, struct error *err);
/* Opened from another's descriptor: `fd` is its own from now on, for meter_fd. */
void meter_keep_fd(struct meter *meter, int fd);
void meter_free(struct meter *meter); /* NULL is fine */
unsigned meter_slots(const struct meter *meter);

/* The same in every worker. */
uint64_t meter_hash(const struct meter *meter, const void *bytes, size_t size);

struct meter_rate {
	uint32_t step;  /* microseconds that one costs; 0: no limit */
	uint32_t depth; /* microseconds ahead of rest that are still fine */
};
/* `most` a second in the long run, and a burst of `seconds` times as many; 0: no limit. */
struct meter_rate meter_rate(uint64_t most, unsigned seconds);
/* One more at `now` (mono microseconds)? False: *wait microseconds until one is fine again; nothing
 * is taken then. */
bool meter_take(struct meter *meter, uint64_t hash, struct meter_rate rate, int64_t now, int64_t *wait);

/* Remembered until `until` (mono; at most 30 days ahead), if its set does not overflow before. */
void meter_mark(struct meter *meter, uint64_t hash, int64_t now, int64_t until);
bool meter_is_marked(const struct meter *meter, uint64_t hash, int64_t now);

/* -- counts -- */
/* `slot` is mine from now on: nothing is counted in it. */
void meter_claim(struct meter *meter, unsigned slot);
/* Supervisor, when the owner has died: nor from now on. */
void meter_leave(struct meter *meter, unsigned slot);
/* One more in my slot. False: no room to count it; there is nothing to take back then. */
bool meter_add(struct meter *meter, unsigned slot, uint64_t hash);
/* One that meter_add counted is gone. */
void meter_remove(struct meter *meter, unsigned slot, uint64_t hash);
/* In all slots together. */
uint64_t meter_count(const struct meter *meter, uint64_t hash);

#endif
