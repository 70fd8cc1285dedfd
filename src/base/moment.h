/*
 * moment - a day or a time of day as people write it in a configuration.
 *
 * "2026-12-24", "2026-12-24T08:00", "2026-12-24 08:00:30": by this machine's
 * time zone. With "Z" or "+01:00" behind the time: by that. A day alone is its
 * first moment. Reading and settling are two steps, because a process without
 * files cannot know the machine's zone.
 */
#ifndef BASE_MOMENT_H
#define BASE_MOMENT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

struct moment {
	int64_t seconds; /* since 1970 UTC; if is_local, as if this machine's clock showed UTC */
	bool is_local;
};

/* False: not a day of the calendar in one of these forms, or a year before 2000 or after 9999. */
bool moment_parse(struct span text, struct moment *out);
/* What a local reading means here, by the machine's zone (/etc/localtime; not TZ, which each process may have its
 * own of). In the hour that a clock skips or repeats, one of the two readings. */
int64_t moment_settle(int64_t local);

enum { MOMENT_TEXT_SIZE = 64 };
/* "2026-12-24 00:00 CET", and ":30" if there are seconds; by the same zone. Terminated. */
void moment_text(int64_t seconds, char out[static MOMENT_TEXT_SIZE]);
/* For tests: another zone, as tzset(3) reads it; NULL: the machine's again. Borrowed. */
void moment_set_zone(const char *zone);

#endif
