/*
 * metrics - the scoreboard in Prometheus' text format, version 0.0.4.
 *
 * Names begin with chatelaine_, counters end in _total, times are seconds,
 * sizes bytes; a histogram's buckets are cumulative. What a worker wrote is
 * escaped: no text of it can end a line or a label.
 */
#ifndef DOOR_METRICS_H
#define DOOR_METRICS_H

#include "base/buffer.h"
#include "base/error.h"

struct roster;
struct scoreboard;

enum { METRICS_MOST = 32 << 20 }; /* 512 sites with the worst of names; a dozen with their own need 100 KB */

/* `roster` may be NULL: none yet. `wall`: microseconds, now. */
MUST_CHECK enum status metrics_write(const struct scoreboard *board, const struct roster *roster, int64_t wall,
				     struct buffer *out, struct error *err);
/* A label's value between its quotes: backslash, quote and line end escaped; bytes that are no UTF-8 and
 * control characters become "?". */
void metrics_escape(struct buffer *out, struct span text);
#define METRICS_TYPE "text/plain; version=0.0.4; charset=utf-8"

#endif
