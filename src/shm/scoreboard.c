#include "shm/scoreboard.h"

#include <stdlib.h>

#include "shm/memory.h"

enum { PAGE_SIZE = 4096 };

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
	status = memory_make(&board->memory, "scoreboard", (size_t)slots * PAGE_SIZE,
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
	status = memory_map(&board->memory, fd, PAGE_SIZE,
			    (size_t)SCOREBOARD_SLOTS_MOST * PAGE_SIZE, MEMORY_MANY_WRITERS, err);
	if (status != OK) {
		error_context(err, "scoreboard");
		free(board);
		return status;
	}
	board->slots = (unsigned)(board->memory.size / PAGE_SIZE);
	*out = board;
	return OK;
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
	return (struct score_page *)(void *)((char *)board->memory.at + (size_t)slot * PAGE_SIZE);
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

void score_leave(struct score_page *page)
{
	int gauge;

	for (gauge = SCORE_GAUGES; gauge < SCORE_COUNT; gauge++)
		put(&page->scores[gauge], 0);
	put(&page->pid, 0);
}

void score_claim(struct score_page *page, unsigned role, pid_t pid, int64_t wall)
{
	score_leave(page);
	put(&page->role, role);
	put(&page->claimed, (uint64_t)wall);
	put(&page->pid, (uint64_t)pid);
}

void score_duration(struct score_page *page, int64_t microseconds)
{
	uint64_t units = microseconds < 0 ? 0 : (uint64_t)microseconds / 64;
	unsigned bucket = units ? 64 - (unsigned)__builtin_clzll(units) : 0;

	if (page)
		score_bump(&page->durations[bucket < SCORE_BUCKETS ? bucket : SCORE_BUCKETS - 1], 1);
}

void score_status(struct score_page *page, unsigned status)
{
	if (page)
		score_bump(&page->statuses[status >= 100 && status < 600 ? status / 100 : 0], 1);
}
