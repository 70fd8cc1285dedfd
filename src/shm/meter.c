#include "shm/meter.h"

#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/random.h"
#include "base/siphash.h"
#include "shm/memory.h"

enum {
	SET = 8, /* words: a cache line */
	CLOCK_SETS = 65536,
	MARK_SETS = 8192,
	COUNT_SETS = 4096,
	TIME_BITS = 44, /* of a clock's word; the tag has the rest */
	COUNT_BITS = 24,
	TRIES = 4,
	HEAD_SIZE = 4096,
};

/* Nothing is ever set so far ahead: it is of before the time wrapped, or somebody's lie. */
#define AHEAD_MOST SECONDS(31 * 86400)

/* A clock: tag, then the time modulo 2^44. A count: tag, then the number. 0: free. */
struct word {
	_Atomic uint64_t value;
};

enum { CLAIM_WORDS = METER_SLOTS_MOST / 64 };

/* The first page. */
struct head {
	uint8_t key[16];
	_Atomic uint64_t claimed[CLAIM_WORDS]; /* a bit a slot that somebody owns */
};

struct meter {
	struct memory memory;
	unsigned slots;
	uint8_t key[16];
};

static struct head *head_of(const struct meter *meter)
{
	return meter->memory.at;
}

static size_t size_of(unsigned slots)
{
	return HEAD_SIZE + (size_t)SET * sizeof(struct word) * (CLOCK_SETS + MARK_SETS + (size_t)slots * COUNT_SETS);
}

static struct word *set_at(const struct meter *meter, size_t sets_before, uint64_t index)
{
	return (struct word *)(void *)((char *)meter->memory.at + HEAD_SIZE) + (sets_before + index) * SET;
}

static struct word *clock_set(const struct meter *meter, uint64_t hash)
{
	return set_at(meter, 0, hash % CLOCK_SETS);
}

static struct word *mark_set(const struct meter *meter, uint64_t hash)
{
	return set_at(meter, CLOCK_SETS, hash % MARK_SETS);
}

static struct word *count_set(const struct meter *meter, unsigned slot, uint64_t hash)
{
	return set_at(meter, CLOCK_SETS + MARK_SETS + (size_t)slot * COUNT_SETS, hash % COUNT_SETS);
}

static uint64_t load(const struct word *at)
{
	return atomic_load_explicit(&at->value, memory_order_relaxed);
}

static void store(struct word *at, uint64_t value)
{
	atomic_store_explicit(&at->value, value, memory_order_relaxed);
}

enum status meter_new(unsigned slots, struct meter **out, struct error *err)
{
	struct meter *meter;
	enum status status;

	if (slots == 0 || slots > METER_SLOTS_MOST)
		return error_refuse(err, "a meter has 1 to %d slots, not %u", METER_SLOTS_MOST, slots);
	meter = calloc(1, sizeof *meter);
	if (!meter)
		return error_fail(err, "no memory for a meter");
	meter->slots = slots;
	status = memory_make(&meter->memory, "meter", size_of(slots), MEMORY_MANY_WRITERS, err);
	if (status != OK) {
		free(meter);
		return status;
	}
	random_bytes(meter->key, sizeof meter->key);
	memcpy(head_of(meter)->key, meter->key, sizeof meter->key);
	*out = meter;
	return OK;
}

int meter_fd(const struct meter *meter)
{
	return meter->memory.fd;
}

enum status meter_open(int fd, struct meter **out, struct error *err)
{
	struct meter *meter = calloc(1, sizeof *meter);
	enum status status;

	if (!meter)
		return error_fail(err, "no memory for a meter");
	TRY(memory_map(&meter->memory, fd, size_of(1), size_of(METER_SLOTS_MOST), MEMORY_MANY_WRITERS, err));
	meter->slots = (unsigned)((meter->memory.size - size_of(0)) / (size_of(1) - size_of(0)));
	if (meter->memory.size != size_of(meter->slots))
		TRY(error_refuse(err, "%zu bytes are no whole number of slots", meter->memory.size));
	memcpy(meter->key, head_of(meter)->key, sizeof meter->key);
	*out = meter;
	meter = NULL;
done:
	if (status != OK)
		error_context(err, "meter");
	meter_free(meter);
	return status;
}

void meter_keep_fd(struct meter *meter, int fd)
{
	meter->memory.fd = fd;
}

void meter_free(struct meter *meter)
{
	if (!meter)
		return;
	memory_release(&meter->memory);
	free(meter);
}

unsigned meter_slots(const struct meter *meter)
{
	return meter->slots;
}

uint64_t meter_hash(const struct meter *meter, const void *bytes, size_t size)
{
	return siphash(meter->key, bytes, size);
}

/* Clocks -------------------------------------------------------------------- */

struct meter_rate meter_rate(uint64_t most, unsigned seconds)
{
	struct meter_rate rate = {0, 0};

	if (most == 0)
		return rate;
	if (most > METER_RATE_MOST)
		most = METER_RATE_MOST;
	rate.step = (uint32_t)(SECONDS(1) / (int64_t)most);
	rate.depth = (uint32_t)(SECONDS(1) * (int64_t)seconds - rate.step);
	return rate;
}

static uint64_t time_tag(uint64_t hash)
{
	uint64_t tag = hash >> TIME_BITS;

	return (tag ? tag : 1) << TIME_BITS;
}

static bool has_time_tag(uint64_t value, uint64_t tag)
{
	return value >> TIME_BITS == tag >> TIME_BITS;
}

/* How far ahead of `now` a word's time is; below 0: past. The time wraps every 203 days. */
static int64_t ahead(uint64_t value, int64_t now)
{
	int64_t apart = (int64_t)((value - (uint64_t)now) << (64 - TIME_BITS)) >> (64 - TIME_BITS);

	return apart > AHEAD_MOST ? INT64_MIN : apart;
}

static uint64_t with_time(uint64_t tag, int64_t mono)
{
	return tag | ((uint64_t)mono & ((UINT64_C(1) << TIME_BITS) - 1));
}

/* The tag's word in the set, or the one to be had for it. */
static struct word *choose(struct word *set, uint64_t tag, int64_t now, uint64_t *value)
{
	struct word *oldest = set;
	int64_t least = INT64_MAX;
	unsigned i;

	for (i = 0; i < SET; i++) {
		uint64_t seen = load(&set[i]);
		int64_t apart = seen ? ahead(seen, now) : INT64_MIN;

		if (has_time_tag(seen, tag)) {
			*value = seen;
			return &set[i];
		}
		if (i == 0 || apart < least) {
			least = apart;
			oldest = &set[i];
			*value = seen;
		}
	}
	return oldest;
}

bool meter_take(struct meter *meter, uint64_t hash, struct meter_rate rate, int64_t now, int64_t *wait)
{
	uint64_t tag = time_tag(hash), value;
	struct word *set = clock_set(meter, hash);
	int tries;

	if (rate.step == 0)
		return true;
	for (tries = 0; tries < TRIES; tries++) {
		struct word *at = choose(set, tag, now, &value);
		int64_t debt = has_time_tag(value, tag) ? ahead(value, now) : 0;

		/* The rates may have changed since, or somebody lies: nobody waits longer than they say. */
		if (debt < 0 || debt > (int64_t)rate.depth + rate.step)
			debt = debt < 0 ? 0 : (int64_t)rate.depth + rate.step;
		if (debt > rate.depth) {
			*wait = debt - rate.depth;
			return false;
		}
		if (atomic_compare_exchange_weak_explicit(&at->value, &value, with_time(tag, now + debt + rate.step),
							  memory_order_relaxed, memory_order_relaxed))
			return true;
	}
	return true; /* so many at once that this one is not worth more */
}

/* Marks ---------------------------------------------------------------------- */

void meter_mark(struct meter *meter, uint64_t hash, int64_t now, int64_t until)
{
	uint64_t tag = time_tag(hash), value;
	struct word *at = choose(mark_set(meter, hash), tag, now, &value);

	/* Lost to another writer: the next one of this client will do. */
	(void)atomic_compare_exchange_strong_explicit(&at->value, &value, with_time(tag, until), memory_order_relaxed,
						      memory_order_relaxed);
}

bool meter_is_marked(const struct meter *meter, uint64_t hash, int64_t now)
{
	uint64_t tag = time_tag(hash);
	const struct word *set = mark_set(meter, hash);
	unsigned i;

	for (i = 0; i < SET; i++) {
		uint64_t seen = load(&set[i]);

		if (has_time_tag(seen, tag))
			return ahead(seen, now) > 0;
	}
	return false;
}

/* Counts --------------------------------------------------------------------- */

static uint64_t count_tag(uint64_t hash)
{
	uint64_t tag = hash >> COUNT_BITS;

	return (tag ? tag : 1) << COUNT_BITS;
}

static uint64_t number_of(uint64_t value)
{
	return value & ((UINT64_C(1) << COUNT_BITS) - 1);
}

static struct word *find_count(struct word *set, uint64_t tag)
{
	unsigned i;

	for (i = 0; i < SET; i++)
		if (load(&set[i]) >> COUNT_BITS == tag >> COUNT_BITS)
			return &set[i];
	return NULL;
}

static void clear(struct meter *meter, unsigned slot)
{
	struct word *at = count_set(meter, slot, 0);
	size_t i;

	for (i = 0; i < (size_t)COUNT_SETS * SET; i++)
		if (load(&at[i]))
			store(&at[i], 0);
}

void meter_claim(struct meter *meter, unsigned slot)
{
	clear(meter, slot);
	atomic_fetch_or(&head_of(meter)->claimed[slot / 64], UINT64_C(1) << slot % 64);
}

void meter_leave(struct meter *meter, unsigned slot)
{
	atomic_fetch_and(&head_of(meter)->claimed[slot / 64], ~(UINT64_C(1) << slot % 64));
	clear(meter, slot);
}

bool meter_add(struct meter *meter, unsigned slot, uint64_t hash)
{
	uint64_t tag = count_tag(hash);
	struct word *set = count_set(meter, slot, hash), *at = find_count(set, tag);
	unsigned i;

	for (i = 0; i < SET && !at; i++)
		if (load(&set[i]) == 0)
			at = &set[i];
	if (!at || number_of(load(at) + 1) == 0)
		return false;
	store(at, tag | (number_of(load(at)) + 1));
	return true;
}

void meter_remove(struct meter *meter, unsigned slot, uint64_t hash)
{
	struct word *at = find_count(count_set(meter, slot, hash), count_tag(hash));

	if (at)
		store(at, number_of(load(at)) > 1 ? load(at) - 1 : 0);
}

uint64_t meter_count(const struct meter *meter, uint64_t hash)
{
	uint64_t tag = count_tag(hash), sum = 0, claimed;
	unsigned slot, part;

	/* Of those that nobody has not even a page is touched. */
	for (part = 0; part < CLAIM_WORDS; part++) {
		claimed = atomic_load_explicit(&head_of(meter)->claimed[part], memory_order_relaxed);
		for (; claimed; claimed &= claimed - 1) {
			const struct word *at;

			slot = part * 64 + (unsigned)__builtin_ctzll(claimed);
			at = slot < meter->slots ? find_count(count_set(meter, slot, hash), tag) : NULL;
			sum += at ? number_of(load(at)) : 0;
		}
	}
	return sum;
}
