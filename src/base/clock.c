#include "base/clock.h"

#include <stdio.h>
#include <time.h>

static struct clock_time (*other_source)(void);

static int64_t read_one(clockid_t id)
{
	struct timespec now;

	clock_gettime(id, &now);
	return (int64_t)now.tv_sec * 1000000 + now.tv_nsec / 1000;
}

struct clock_time clock_read(void)
{
	if (other_source)
		return other_source();
	return (struct clock_time){.wall = read_one(CLOCK_REALTIME),
				   .mono = read_one(CLOCK_MONOTONIC)};
}

int64_t clock_seconds(void)
{
	return clock_read().wall / 1000000;
}

void clock_set_source(struct clock_time (*source)(void))
{
	other_source = source;
}

void clock_text(int64_t seconds, char out[static CLOCK_TEXT_SIZE])
{
	time_t when = (time_t)seconds;
	struct tm parts;

	if (!gmtime_r(&when, &parts) || !strftime(out, CLOCK_TEXT_SIZE, "%Y-%m-%dT%H:%M:%SZ", &parts))
		snprintf(out, CLOCK_TEXT_SIZE, "beyond-all-time");
}

void clock_http_date(int64_t seconds, char out[static CLOCK_TEXT_SIZE])
{
	static const char days[7][4] = {"Sun", "Mon", "Tue", "Wed", "Thu", "Fri", "Sat"};
	static const char months[12][4] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
					   "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};
	time_t when = (time_t)seconds;
	struct tm parts;

	if (!gmtime_r(&when, &parts)) {
		snprintf(out, CLOCK_TEXT_SIZE, "Thu, 01 Jan 1970 00:00:00 GMT");
		return;
	}
	/* The remainders only tell the compiler how long it can get. */
	snprintf(out, CLOCK_TEXT_SIZE, "%s, %02u %s %04u %02u:%02u:%02u GMT", days[parts.tm_wday % 7],
		 (unsigned)parts.tm_mday % 100, months[parts.tm_mon % 12],
		 (unsigned)(parts.tm_year + 1900) % 10000, (unsigned)parts.tm_hour % 100,
		 (unsigned)parts.tm_min % 100, (unsigned)parts.tm_sec % 100);
}
