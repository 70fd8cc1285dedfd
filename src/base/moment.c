#include "base/moment.h"

#include <stdio.h>
#include <stdlib.h>
#include <time.h>

enum { YEAR_LEAST = 2000, YEAR_MOST = 9999, DAY = 86400, ZONE_ROOM = 256 };

/* Exactly `digits` of them, at most `most`. */
static bool take_number(struct span *text, size_t digits, uint64_t least, uint64_t most, uint64_t *out)
{
	if (text->size < digits || !span_to_u64(span_make(text->at, digits), most, out) || *out < least)
		return false;
	span_skip(text, digits);
	return true;
}

static bool take_char(struct span *text, char wanted)
{
	if (text->size == 0 || text->at[0] != wanted)
		return false;
	span_skip(text, 1);
	return true;
}

static unsigned days_of_month(uint64_t year, uint64_t month)
{
	static const unsigned days[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
	bool is_leap = (year % 4 == 0 && year % 100 != 0) || year % 400 == 0;

	return days[month - 1] + (month == 2 && is_leap);
}

/* Days since 1970-01-01: the year begins in March, so that the leap day is its last. */
static int64_t day_number(int64_t year, int64_t month, int64_t day)
{
	int64_t from_march = (month + 9) % 12;

	year -= month <= 2;
	return 365 * year + year / 4 - year / 100 + year / 400 + (153 * from_march + 2) / 5 + day - 719469;
}

static bool take_day(struct span *text, int64_t *out)
{
	uint64_t year, month, day;

	if (!take_number(text, 4, YEAR_LEAST, YEAR_MOST, &year) || !take_char(text, '-') ||
	    !take_number(text, 2, 1, 12, &month) || !take_char(text, '-') || !take_number(text, 2, 1, 31, &day) ||
	    day > days_of_month(year, month))
		return false;
	*out = DAY * day_number((int64_t)year, (int64_t)month, (int64_t)day);
	return true;
}

static bool take_time(struct span *text, int64_t *out)
{
	uint64_t hour, minute, second = 0;

	if (!take_number(text, 2, 0, 23, &hour) || !take_char(text, ':') || !take_number(text, 2, 0, 59, &minute))
		return false;
	if (take_char(text, ':') && !take_number(text, 2, 0, 59, &second))
		return false;
	*out += (int64_t)(hour * 3600 + minute * 60 + second);
	return true;
}

/* "", "Z" or "+01:00" to the end. */
static bool take_zone(struct span *text, struct moment *out)
{
	uint64_t hours, minutes;
	int64_t sign;

	out->is_local = text->size == 0;
	if (out->is_local)
		return true;
	if (take_char(text, 'Z'))
		return text->size == 0;
	sign = text->at[0] == '+' ? 1 : -1;
	if ((!take_char(text, '+') && !take_char(text, '-')) || !take_number(text, 2, 0, 14, &hours) ||
	    !take_char(text, ':') || !take_number(text, 2, 0, 59, &minutes) || text->size > 0)
		return false;
	out->seconds -= sign * (int64_t)(hours * 3600 + minutes * 60);
	return true;
}

bool moment_parse(struct span text, struct moment *out)
{
	struct moment moment;

	if (!take_day(&text, &moment.seconds))
		return false;
	if (text.size == 0) {
		moment.is_local = true;
	} else if ((!take_char(&text, 'T') && !take_char(&text, ' ')) || !take_time(&text, &moment.seconds) ||
		   !take_zone(&text, &moment)) {
		return false;
	}
	*out = moment;
	return true;
}

static const char *other_zone;

void moment_set_zone(const char *zone)
{
	other_zone = zone;
}

/* Parts run with TZ=UTC, for their logs; a command has whatever its user likes. `kept` is what was there. */
static void enter_zone(char *kept, size_t room)
{
	const char *now = getenv("TZ");

	snprintf(kept, room, "%s", now ? now : "");
	setenv("TZ", other_zone ? other_zone : ":/etc/localtime", 1);
	tzset();
}

static void leave_zone(const char *kept)
{
	if (kept[0])
		setenv("TZ", kept, 1);
	else
		unsetenv("TZ");
	tzset();
}

int64_t moment_settle(int64_t local)
{
	time_t as_if = (time_t)local;
	char kept[ZONE_ROOM];
	struct tm parts;

	if (!gmtime_r(&as_if, &parts))
		return local;
	parts.tm_isdst = -1;
	enter_zone(kept, sizeof kept);
	as_if = mktime(&parts);
	leave_zone(kept);
	return as_if == (time_t)-1 ? local : (int64_t)as_if;
}

void moment_text(int64_t seconds, char out[static MOMENT_TEXT_SIZE])
{
	time_t when = (time_t)seconds;
	char kept[ZONE_ROOM];
	struct tm parts;

	enter_zone(kept, sizeof kept);
	if (!localtime_r(&when, &parts) ||
	    !strftime(out, MOMENT_TEXT_SIZE, parts.tm_sec ? "%Y-%m-%d %H:%M:%S %Z" : "%Y-%m-%d %H:%M %Z", &parts))
		snprintf(out, MOMENT_TEXT_SIZE, "beyond all time");
	leave_zone(kept);
}
