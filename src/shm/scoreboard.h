/*
 * scoreboard - what each worker counted: a slot a worker, of one page for the
 * worker as a whole and a cell for each site; before all slots one page that
 * the supervisor fills.
 *
 * Only the slot's present owner writes to it, with plain loads and stores (no
 * locked instruction); anyone reads and sums. A slot outlives its worker, so
 * that counters never go back; gauges begin anew with each worker. A site's
 * cell is found by the site's name, never by its place in a configuration, so
 * that no reload mixes two sites; when all cells are taken the next new name
 * is counted in the last one, "other". Cells that nobody used cost no memory.
 *
 * Every part may write to all of it: readers believe no text and no number in
 * it for more than a figure to be shown, and escape what they show.
 */
#ifndef SHM_SCOREBOARD_H
#define SHM_SCOREBOARD_H

#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/span.h"

enum score {
	/* Counters: they only grow. */
	SCORE_CONNECTIONS,
	SCORE_HANDSHAKES_FULL,
	SCORE_HANDSHAKES_RESUMED,
	SCORE_HANDSHAKES_FAILED,
	SCORE_REQUESTS,
	SCORE_REQUESTS_H2, /* of those */
	SCORE_WEBSOCKETS,
	SCORE_BYTES_UP,      /* from clients, bodies and tunnels */
	SCORE_BYTES_DOWN,
	SCORE_UPSTREAM_CONNECTIONS,
	SCORE_UPSTREAM_ERRORS,  /* no answer could be had: 502, 503, 504 */
	SCORE_UPSTREAM_RETRIED, /* asked once more on a fresh connection */
	SCORE_UPSTREAM_BROKEN,  /* the answer was cut after its head */
	SCORE_REVOKED_CLOSED, /* connections ended by a revocation */
	SCORE_SESSION_HITS,
	SCORE_SESSION_MISSES,
	SCORE_SESSION_STORES,
	SCORE_WATCHED,       /* let pass, though refused but for watch mode */
	SCORE_LOG_DROPPED,   /* lines */
	SCORE_ACCESS_DROPPED,
	SCORE_GAUGES,
	/* Gauges: the present number; score_claim sets them to 0. */
	SCORE_LIVE_CONNECTIONS = SCORE_GAUGES,
	SCORE_LIVE_EXCHANGES,
	SCORE_LIVE_TUNNELS,
	SCORE_LIVE_UPSTREAM,
	SCORE_CONFIG, /* settings_digest of what it works by; not to be summed */
	SCORE_COUNT,
};

enum site_score {
	SITE_BYTES_UP,
	SITE_BYTES_DOWN,
	SITE_REFUSED,
	SITE_WATCHED,
	SITE_WEBSOCKETS,
	SITE_GAUGES,
	SITE_LIVE_TUNNELS = SITE_GAUGES,
	SITE_UPSTREAMS_DOWN,     /* as this worker sees them */
	SITE_CERTIFICATE_ENDS,   /* seconds; not to be summed; 0: not known */
	SITE_COUNT,
};

/* Of an exchange that went upstream: until a connection was there, until the answer's first byte, in all. */
enum site_time { SITE_TIME_CONNECT, SITE_TIME_FIRST_BYTE, SITE_TIME_TOTAL, SITE_TIMES };

/* The supervisor's. */
enum house_score {
	HOUSE_STARTED,       /* wall seconds, as all times here */
	HOUSE_GENERATION,    /* configurations that were handed to gateways: 1 from the start */
	HOUSE_RELOADS_FAILED,
	HOUSE_RELOAD_AT,     /* the last one, good or not; 0: none yet */
	HOUSE_RELOAD_FAILED, /* 1: the last one was refused, the configuration before still holds */
	HOUSE_GATEWAYS_RESTARTED,
	HOUSE_AUTHORITY_RESTARTED,
	HOUSE_RESTARTED_AT,  /* the last of either */
	HOUSE_COUNT,
};

enum {
	/* Another one with every change of what a word here means, even if no size changes: another version of the
	 * program may be handed the memory. */
	SCOREBOARD_LAYOUT = 1,
	SCORE_REFUSALS = 64,
	SCORE_STATUSES = 6,
	SCORE_BUCKETS = 20,
	SCORE_SITES = 256, /* the last one is "other" */
	SCORE_NAME_SIZE = 256,
	SCOREBOARD_SLOTS_MOST = 256,
};

/* Bucket i counts what took at most 2^i * 64 us; the last one the rest. Not cumulative. */
struct score_times {
	_Atomic uint64_t buckets[SCORE_BUCKETS];
	_Atomic uint64_t sum; /* microseconds */
};

struct score_site { /* 1024 bytes */
	_Atomic uint64_t key; /* 0: free; stored when the name stands there */
	char name[SCORE_NAME_SIZE];
	_Atomic uint64_t scores[SITE_COUNT];
	_Atomic uint64_t statuses[SCORE_STATUSES];
	struct score_times times[SITE_TIMES];
};
_Static_assert(sizeof(struct score_site) <= 1024, "a site's cell");

struct score_page { /* 4096 bytes */
	_Atomic uint64_t pid;     /* 0: nobody owns the slot */
	_Atomic uint64_t claimed; /* wall microseconds */
	_Atomic uint64_t role;    /* the supervisor's number for it */
	_Atomic uint64_t used[SCORE_SITES / 64]; /* a bit a cell: so that nobody touches the memory of the others */
	_Atomic uint64_t scores[SCORE_COUNT];
	_Atomic uint64_t refusals[SCORE_REFUSALS];   /* by the number of the refusal's row */
	_Atomic uint64_t statuses[SCORE_STATUSES];   /* answers by hundred; [0]: none of 100-599 */
	struct score_times durations;                /* of exchanges but tunnels */
};
_Static_assert(sizeof(struct score_page) <= 4096, "a slot begins with a page");

struct scoreboard;

MUST_CHECK enum status scoreboard_new(unsigned slots, struct scoreboard **out, struct error *err);
int scoreboard_fd(const struct scoreboard *board);
/* REFUSED: not a sealed scoreboard. `fd` stays the caller's. */
MUST_CHECK enum status scoreboard_open(int fd, struct scoreboard **out, struct error *err);
/* Opened from another's descriptor: `fd` is its own from now on, for scoreboard_fd. */
void scoreboard_keep_fd(struct scoreboard *board, int fd);
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

/* Owner: where this site is counted from now on, for the worker's life. NULL page: NULL. Not for the hot path. */
struct score_site *score_site_of(struct score_page *page, struct span name);
/* A reader's: NULL where nothing was ever counted. i < SCORE_SITES. */
const struct score_site *score_site_at(const struct score_page *page, unsigned i);
/* The name as it stands there, cut where it must end. */
struct span score_site_name(const struct score_site *site);
/* NULL counts nothing. */
void score_site_status(struct score_site *site, unsigned status);
/* Negative: it did not come to that, and nothing is counted. */
void score_site_time(struct score_site *site, enum site_time which, int64_t microseconds);

/* Bucket of a time, and where it ends in microseconds; the last one has no end. */
unsigned score_bucket(int64_t microseconds);
static inline uint64_t score_bucket_end(unsigned bucket)
{
	return (uint64_t)64 << bucket;
}

/* The supervisor's page. */
void score_house_set(struct scoreboard *board, enum house_score which, uint64_t value);
void score_house_add(struct scoreboard *board, enum house_score which, uint64_t by);
uint64_t score_house_get(const struct scoreboard *board, enum house_score which);

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

/* What another part keeps the count of: its own words from now on. */
static inline void score_set(struct score_page *page, enum score which, uint64_t value)
{
	if (page)
		atomic_store_explicit(&page->scores[which], value, memory_order_relaxed);
}

static inline void score_site_add(struct score_site *site, enum site_score which, uint64_t by)
{
	if (site)
		score_bump(&site->scores[which], by);
}

static inline void score_site_sub(struct score_site *site, enum site_score which, uint64_t by)
{
	if (site)
		score_bump(&site->scores[which], -by);
}

static inline void score_site_set(struct score_site *site, enum site_score which, uint64_t value)
{
	if (site)
		atomic_store_explicit(&site->scores[which], value, memory_order_relaxed);
}

static inline void score_refusal(struct score_page *page, unsigned row)
{
	if (page)
		score_bump(&page->refusals[row < SCORE_REFUSALS ? row : SCORE_REFUSALS - 1], 1);
}

#endif
