/* set_clock - time that stands still until a test moves it. */
#ifndef SUPPORT_SET_CLOCK_H
#define SUPPORT_SET_CLOCK_H

#include "base/clock.h"

static struct clock_time set_clock_now;

static struct clock_time set_clock_read(void)
{
	return set_clock_now;
}

/* 2026-11-21T03:13:30Z, an hour after boot. */
static inline void set_clock_begin(void)
{
	set_clock_now = (struct clock_time){.wall = SECONDS(1795230810), .mono = SECONDS(3600)};
	clock_set_source(set_clock_read);
}

static inline void set_clock_advance(int64_t microseconds)
{
	set_clock_now.wall += microseconds;
	set_clock_now.mono += microseconds;
}

#endif
