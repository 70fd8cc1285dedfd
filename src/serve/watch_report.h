/*
 * watch_report - tells the authority who would have been refused: a second
 * after the first, then once a minute, in questions of a bounded size, one
 * after the other. What did not arrive is told again; a gateway or an authority
 * that is killed loses at most its last minute.
 */
#ifndef SERVE_WATCH_REPORT_H
#define SERVE_WATCH_REPORT_H

#include <stdbool.h>
#include <stdint.h>

#include "event/timer.h"

struct channel;
struct loop;
struct tally;

struct watch_report {
	struct loop *loop;
	struct tally *tally;
	struct channel *const *authority; /* where the present channel stands; NULL in it: away */
	struct timer timer;
	int64_t last; /* mono, of the last report's end; 0 before */
	bool is_asking, is_stopped;
};

/* All borrowed, for the report's life. */
void watch_report_start(struct watch_report *report, struct loop *loop, struct tally *tally,
			struct channel *const *authority);
/* The process is to end: now, what there is. */
void watch_report_hurry(struct watch_report *report);
/* Before the channel is freed for good. */
void watch_report_stop(struct watch_report *report);

#endif
