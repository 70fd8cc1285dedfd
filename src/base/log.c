#include "base/log.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/line_ring.h"

enum { LINE_SIZE = 4096, VALUE_MOST = 512 };

static struct {
	char role[32];
	enum log_level least;
	bool gathers, skips;
	char line[LINE_SIZE];
	size_t line_size;
	char memory[LOG_RING_SIZE];
	struct line_ring ring;
	uint64_t told; /* of ring.dropped */
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

struct line_ring *log_ring(void)
{
	if (!state.ring.at)
		line_ring_init(&state.ring, state.memory, sizeof state.memory);
	return &state.ring;
}

struct span log_role(void)
{
	return span_of(state.role);
}

void log_line(struct span line)
{
	if (state.gathers)
		(void)line_ring_add(log_ring(), line);
	else if (write(STDERR_FILENO, line.at, line.size) < 0)
		log_ring()->dropped++;
}

void log_end(void)
{
	if (state.skips)
		return;
	if (log_ring()->dropped != state.told && LOG_RING_SIZE - line_ring_waiting(log_ring()) > 2 * LINE_SIZE) {
		log_number("dropped", log_ring()->dropped - state.told);
		state.told = log_ring()->dropped;
	}
	state.line[state.line_size++] = '\n';
	log_line(span_make(state.line, state.line_size));
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
