#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"

enum { LINE_SIZE = 4096, VALUE_MOST = 512 };

static struct {
	char role[32];
	enum log_level least;
	bool gathers, skips;
	char line[LINE_SIZE];
	size_t line_size;
	char ring[LOG_RING_SIZE];
	size_t start, count;
	uint64_t dropped, dropped_ever;
	int64_t stamp_of; /* the second that `stamp` spells */
	char stamp[CLOCK_TEXT_SIZE];
} state = {.role = "chatelaine", .least = LOG_INFO, .stamp_of = -1};

void log_init(const char *role, enum log_level least)
{
	snprintf(state.role, sizeof state.role, "%s", role);
	state.least = least;
}

void log_gather(bool gather)
{
	state.gathers = gather;
}

static void put(const char *bytes, size_t size)
{
	/* One byte stays free for the line's end. */
	if (size > LINE_SIZE - 1 - state.line_size)
		size = LINE_SIZE - 1 - state.line_size;
	memcpy(state.line + state.line_size, bytes, size);
	state.line_size += size;
}

static void put_text(const char *text)
{
	put(text, strlen(text));
}

void log_begin(enum log_level level, const char *event)
{
	static const char *const levels[] = {"debug", "info", "warning", "error"};
	int64_t wall;

	state.skips = level < state.least;
	state.line_size = 0;
	if (state.skips)
		return;
	wall = clock_read().wall;
	if (wall / 1000000 != state.stamp_of) {
		state.stamp_of = wall / 1000000;
		clock_text(state.stamp_of, state.stamp);
	}
	put_text("at=");
	put_text(state.stamp);
	put_text(" level=");
	put_text(levels[level]);
	put_text(" role=");
	put_text(state.role);
	put_text(" event=");
	put_text(event);
}

static bool is_plain(struct span value)
{
	size_t i;

	for (i = 0; i < value.size; i++) {
		unsigned char c = (unsigned char)value.at[i];

		if (c <= ' ' || c >= 0x7f || c == '"' || c == '=' || c == '\\')
			return false;
	}
	return value.size > 0;
}

void log_text(const char *key, struct span value)
{
	static const char digits[] = "0123456789abcdef";
	size_t i;

	if (state.skips)
		return;
	if (value.size > VALUE_MOST)
		value.size = VALUE_MOST;
	put(" ", 1);
	put_text(key);
	put("=", 1);
	if (is_plain(value)) {
		put(value.at, value.size);
		return;
	}
	put("\"", 1);
	for (i = 0; i < value.size; i++) {
		unsigned char c = (unsigned char)value.at[i];
		char escaped[4] = {'\\', 'x', digits[c >> 4], digits[c & 15]};

		if (c == '"' || c == '\\') {
			put("\\", 1);
			put(value.at + i, 1);
		} else if (c < ' ' || c >= 0x7f) {
			put(escaped, 4);
		} else {
			put(value.at + i, 1);
		}
	}
	put("\"", 1);
}

void log_number(const char *key, uint64_t value)
{
	char digits[20];
	size_t at = sizeof digits;

	if (state.skips)
		return;
	do
		digits[--at] = (char)('0' + value % 10);
	while (value /= 10);
	put(" ", 1);
	put_text(key);
	put("=", 1);
	put(digits + at, sizeof digits - at);
}

static void gather_line(void)
{
	size_t end = (state.start + state.count) % LOG_RING_SIZE;
	size_t first = LOG_RING_SIZE - end;

	if (state.line_size > LOG_RING_SIZE - state.count) {
		state.dropped++;
		state.dropped_ever++;
		return;
	}
	if (first > state.line_size)
		first = state.line_size;
	memcpy(state.ring + end, state.line, first);
	memcpy(state.ring, state.line + first, state.line_size - first);
	state.count += state.line_size;
}

void log_end(void)
{
	if (state.skips)
		return;
	if (state.dropped && LOG_RING_SIZE - state.count > LINE_SIZE) {
		uint64_t dropped = state.dropped;

		state.dropped = 0;
		log_number("dropped", dropped);
	}
	state.line[state.line_size++] = '\n';
	if (state.gathers)
		gather_line();
	else if (write(STDERR_FILENO, state.line, state.line_size) < 0)
		state.dropped++;
}

void log_say(enum log_level level, const char *event, const char *format, ...)
{
	char text[VALUE_MOST];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	log_begin(level, event);
	log_text("text", span_of(text));
	log_end();
}

struct span log_take(void)
{
	size_t first = LOG_RING_SIZE - state.start;

	return span_make(state.ring + state.start, state.count < first ? state.count : first);
}

void log_taken(size_t count)
{
	state.start = (state.start + count) % LOG_RING_SIZE;
	state.count -= count;
}

uint64_t log_dropped(void)
{
	return state.dropped_ever;
}

size_t log_waiting(void)
{
	return state.count;
}
