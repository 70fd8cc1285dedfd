/*
 * score_sum - all workers' figures together, site by site: for metrics and
 * status. A copy, made when it is asked for; what it was made from goes on
 * counting, so that two figures may be of two moments.
 */
#ifndef SHM_SCORE_SUM_H
#define SHM_SCORE_SUM_H

#include <stddef.h>
#include <stdint.h>

#include "shm/scoreboard.h"

struct times_sum {
	uint64_t buckets[SCORE_BUCKETS]; /* not cumulative; score_bucket_end says where each ends */
	uint64_t count, sum;             /* sum in microseconds */
};

struct site_sum {
	char name[SCORE_NAME_SIZE]; /* whatever bytes a worker put there: escape it */
	uint64_t scores[SITE_COUNT]; /* SITE_CERTIFICATE_ENDS: the earliest; SITE_UPSTREAMS_DOWN: the most that a worker sees */
	uint64_t statuses[SCORE_STATUSES];
	struct times_sum times[SITE_TIMES];
};

enum { SITE_SUMS_MOST = 512 }; /* more names than this are only written by a part that was taken over */

struct score_sum {
	uint64_t scores[SCORE_COUNT]; /* but SCORE_CONFIG */
	uint64_t refusals[SCORE_REFUSALS];
	uint64_t statuses[SCORE_STATUSES];
	struct times_sum durations;
	unsigned owners; /* slots that somebody owns */
	struct site_sum *sites; /* by name */
	size_t site_count;
};

MUST_CHECK enum status score_sum_make(const struct scoreboard *board, struct score_sum *out, struct error *err);
void score_sum_release(struct score_sum *sum);

#endif
