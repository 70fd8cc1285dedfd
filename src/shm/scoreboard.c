#include "shm/scoreboard.h"

#include <stdlib.h>
#include <string.h>

#include "shm/memory.h"

enum { PAGE_SIZE = 4096, CELL_SIZE = 1024, SLOT_SIZE = PAGE_SIZE + SCORE_SITES * CELL_SIZE };

struct score_house {
	_Atomic uint64_t words[HOUSE_COUNT];
};
_Static_assert(sizeof(struct score_house) <= PAGE_SIZE, "the house has a page");

struct scoreboard {
	struct memory memory;
	unsigned slots;
};

enum status scoreboard_new(unsigned slots, struct scoreboard **out, struct error *err)
{
	struct scoreboard *board;
	enum status status;

	if (slots == 0 || slots > SCOREBOARD_SLOTS_MOST)
		return error_refuse(err, "a scoreboard has 1 to %d slots, not %u",
				    SCOREBOARD_SLOTS_MOST, slots);
	board = calloc(1, sizeof *board);
	if (!board)
		return error_fail(err, "no memory for a scoreboard");
	board->slots = slots;
	status = memory_make(&board->memory, "scoreboard", PAGE_SIZE + (size_t)slots * SLOT_SIZE,
			     MEMORY_MANY_WRITERS, err);
	if (status != OK) {
		free(board);
		return status;
	}
	*out = board;
	return OK;
}

int scoreboard_fd(const struct scoreboard *board)
{
	return board->memory.fd;
}

enum status scoreboard_open(int fd, struct scoreboard **out, struct error *err)
{
	struct scoreboard *board = calloc(1, sizeof *board);
	enum status status;

	if (!board)
		return error_fail(err, "no memory for a scoreboard");
	status = memory_map(&board->memory, fd, PAGE_SIZE + SLOT_SIZE,
			    PAGE_SIZE + (size_t)SCOREBOARD_SLOTS_MOST * SLOT_SIZE, MEMORY_MANY_WRITERS, err);
	if (status != OK) {
		error_context(err, "scoreboard");
		free(board);
		return status;
	}
	board->slots = (unsigned)((board->memory.size - PAGE_SIZE) / SLOT_SIZE);
	*out = board;
	return OK;
}

void scoreboard_keep_fd(struct scoreboard *board, int fd)
{
	board->memory.fd = fd;
}

void scoreboard_free(struct scoreboard *board)
{
	if (!board)
		return;
	memory_release(&board->memory);
	free(board);
}

unsigned scoreboard_slots(const struct scoreboard *board)
{
	return board->slots;
}

struct score_page *scoreboard_page(const struct scoreboard *board, unsigned slot)
{
	return (struct score_page *)(void *)((char *)board->memory.at + PAGE_SIZE + (size_t)slot * SLOT_SIZE);
}

uint64_t scoreboard_sum(const struct scoreboard *board, enum score which)
{
	uint64_t sum = 0;
	unsigned slot;

	for (slot = 0; slot < board->slots; slot++)
		sum += score_read(&scoreboard_page(board, slot)->scores[which]);
	return sum;
}

uint64_t scoreboard_sum_refusals(const struct scoreboard *board, unsigned row)
{
	uint64_t sum = 0;
	unsigned slot;

	for (slot = 0; slot < board->slots && row < SCORE_REFUSALS; slot++)
		sum += score_read(&scoreboard_page(board, slot)->refusals[row]);
	return sum;
}

static void put(_Atomic uint64_t *word, uint64_t value)
{
	atomic_store_explicit(word, value, memory_order_relaxed);
}

static struct score_site *cell(const struct score_page *page, unsigned i)
{
	return (struct score_site *)((uintptr_t)page + PAGE_SIZE + (uintptr_t)i * CELL_SIZE);
}

void score_leave(struct score_page *page)
{
	int gauge;
	unsigned i;

	for (gauge = SCORE_GAUGES; gauge < SCORE_COUNT; gauge++)
		put(&page->scores[gauge], 0);
	for (i = 0; i < SCORE_SITES; i++)
		for (gauge = SITE_GAUGES; score_site_at(page, i) && gauge < SITE_COUNT; gauge++)
			put(&cell(page, i)->scores[gauge], 0);
	put(&page->pid, 0);
}

void score_claim(struct score_page *page, unsigned role, pid_t pid, int64_t wall)
{
	score_leave(page);
	put(&page->role, role);
	put(&page->claimed, (uint64_t)wall);
	put(&page->pid, (uint64_t)pid);
}

unsigned score_bucket(int64_t microseconds)
{
	uint64_t units = microseconds <= 64 ? 0 : (uint64_t)(microseconds - 1) / 64;
	unsigned bucket = units ? 64 - (unsigned)__builtin_clzll(units) : 0;

	return bucket < SCORE_BUCKETS ? bucket : SCORE_BUCKETS - 1;
}

static void count_time(struct score_times *times, int64_t microseconds)
{
	score_bump(&times->buckets[score_bucket(microseconds)], 1);
	score_bump(&times->sum, microseconds > 0 ? (uint64_t)microseconds : 0);
}

void score_duration(struct score_page *page, int64_t microseconds)
{
	if (page)
		count_time(&page->durations, microseconds);
}

void score_status(struct score_page *page, unsigned status)
{
	if (page)
		score_bump(&page->statuses[status >= 100 && status < 600 ? status / 100 : 0], 1);
}

/* Sites ------------------------------------------------------------------- */

/* FNV-1a (Fowler, Noll, Vo); never 0. Who could choose names to collide writes the configuration. */
static uint64_t key_of(struct span name)
{
	uint64_t key = 0xcbf29ce484222325u;
	size_t i;

	for (i = 0; i < name.size; i++)
		key = (key ^ (unsigned char)name.at[i]) * 0x100000001b3u;
	return key ? key : 1;
}

struct span score_site_name(const struct score_site *site)
{
	return span_make(site->name, strnlen(site->name, SCORE_NAME_SIZE - 1));
}

const struct score_site *score_site_at(const struct score_page *page, unsigned i)
{
	const struct score_site *site = cell(page, i);

	if (!(score_read(&page->used[i / 64]) >> (i % 64) & 1))
		return NULL;
	return atomic_load_explicit(&site->key, memory_order_acquire) ? site : NULL;
}

static void name_cell(struct score_page *page, unsigned i, uint64_t key, struct span name)
{
	struct score_site *site = cell(page, i);

	memcpy(site->name, name.at, name.size);
	site->name[name.size] = 0;
	atomic_store_explicit(&site->key, key, memory_order_release);
	put(&page->used[i / 64], score_read(&page->used[i / 64]) | (uint64_t)1 << (i % 64));
}

struct score_site *score_site_of(struct score_page *page, struct span name)
{
	uint64_t key = key_of(name);
	unsigned step;

	for (step = 0; page && name.size < SCORE_NAME_SIZE && step < SCORE_SITES - 1; step++) {
		unsigned i = (unsigned)((key + step) % (SCORE_SITES - 1));
		struct score_site *site = cell(page, i);
		uint64_t found = score_site_at(page, i) ? score_read(&site->key) : 0;

		if (!found)
			name_cell(page, i, key, name);
		if (!found || (found == key && span_equals(score_site_name(site), name)))
			return site;
	}
	if (page && !score_site_at(page, SCORE_SITES - 1))
		name_cell(page, SCORE_SITES - 1, key_of(SPAN("other")), SPAN("other"));
	return page ? cell(page, SCORE_SITES - 1) : NULL;
}

void score_site_status(struct score_site *site, unsigned status)
{
	if (site)
		score_bump(&site->statuses[status >= 100 && status < 600 ? status / 100 : 0], 1);
}

void score_site_time(struct score_site *site, enum site_time which, int64_t microseconds)
{
	if (site && microseconds >= 0)
		count_time(&site->times[which], microseconds);
}

/* The house ---------------------------------------------------------------- */

static _Atomic uint64_t *house_word(const struct scoreboard *board, enum house_score which)
{
	return &((struct score_house *)board->memory.at)->words[which];
}

void score_house_set(struct scoreboard *board, enum house_score which, uint64_t value)
{
	put(house_word(board, which), value);
}

void score_house_add(struct scoreboard *board, enum house_score which, uint64_t by)
{
	score_bump(house_word(board, which), by);
}

uint64_t score_house_get(const struct scoreboard *board, enum house_score which)
{
	return score_read(house_word(board, which));
}
