/*
 * clock - the only place that asks what time it is. Roster and certificate
 * dates use wall, everything else mono. Tests set their own source.
 */
#ifndef BASE_CLOCK_H
#define BASE_CLOCK_H

#include <stddef.h>
#include <stdint.h>

struct clock_time {
	int64_t wall; /* microseconds since 1970 UTC */
	int64_t mono; /* microseconds, never goes back */
};

#define SECONDS(n) ((int64_t)(n)*1000000)
#define MILLISECONDS(n) ((int64_t)(n)*1000)

struct clock_time clock_read(void);
/* Whole seconds of wall time. */
int64_t clock_seconds(void);
/* NULL: the machine's clock again. */
void clock_set_source(struct clock_time (*source)(void));

enum { CLOCK_TEXT_SIZE = 32 };
/* "2026-11-21T03:13:30Z", terminated; RFC 3339. */
void clock_text(int64_t seconds, char out[static CLOCK_TEXT_SIZE]);
/* "Sat, 21 Nov 2026 03:13:30 GMT", terminated; RFC 9110 section 5.6.7. */
void clock_http_date(int64_t seconds, char out[static CLOCK_TEXT_SIZE]);

#endif
