#include "door/access_log.h"

#include "base/clock.h"
#include "base/line_ring.h"
#include "base/log.h"
#include "base/utf8.h"

enum { RING_SIZE = 256 * 1024, STAMP_SIZE = 19 /* 2026-11-21T03:13:30 */ };

/* What a value may have of the line, escaped. Together with keys and numbers they stay below ACCESS_LINE. */
enum {
	MOST_SHORT = 64,
	MOST_NAME = 256,
	MOST_AGENT = 400,
	MOST_QUERY = 700,
	MOST_PATH = 1300,
	MOST_ALL_VALUES = 7 * MOST_SHORT /* id, from, protocol, device, why, watched, end */ + MOST_SHORT /* method */ +
			  2 * MOST_NAME /* site, person */ + MOST_AGENT + MOST_QUERY + MOST_PATH,
	MOST_ALL_KEYS = 24 * 16 /* keys and quotes */ + 8 * 20 /* numbers */,
};
_Static_assert(MOST_ALL_VALUES + MOST_ALL_KEYS <= ACCESS_LINE, "a line has room for the largest of all values");

static struct {
	struct access_options options;
	struct line_ring ring;
	char memory[RING_SIZE];
	char line[ACCESS_LINE];
	int64_t stamp_of; /* the second that `stamp` spells */
	char stamp[CLOCK_TEXT_SIZE];
} state = {.stamp_of = INT64_MIN};

void access_log_use(const struct access_options *options)
{
	state.options = *options;
}

const struct access_options *access_log_options(void)
{
	return &state.options;
}

struct line_ring *access_log_ring(void)
{
	if (!state.ring.at)
		line_ring_init(&state.ring, state.memory, sizeof state.memory);
	return &state.ring;
}

/* -- bytes -- */

struct writer {
	char *at;
	bool is_json, has_any;
};

static void put(struct writer *writer, struct span bytes)
{
	memcpy(writer->at, bytes.at, bytes.size);
	writer->at += bytes.size;
}

static void put_key(struct writer *writer, const char *key)
{
	if (writer->is_json)
		put(writer, writer->has_any ? SPAN(",\"") : SPAN("{\""));
	else if (writer->has_any)
		put(writer, SPAN(" "));
	put(writer, span_of(key));
	put(writer, writer->is_json ? SPAN("\":") : SPAN("="));
	writer->has_any = true;
}

static void put_digits(struct writer *writer, uint64_t value)
{
	char digits[20];
	size_t at = sizeof digits;

	do
		digits[--at] = (char)('0' + value % 10);
	while (value /= 10);
	put(writer, span_make(digits + at, sizeof digits - at));
}

static void put_number(struct writer *writer, const char *key, int64_t value)
{
	if (value < 0)
		return;
	put_key(writer, key);
	put_digits(writer, (uint64_t)value);
}

/* 1: as it is, in both formats. */
static const unsigned char is_plain[256] = {
	['!'] = 1, ['#' ... '<'] = 1, ['>' ... '['] = 1, [']' ... '~'] = 1,
};

static const char hex_digits[] = "0123456789abcdef";

/* One character of JSON (RFC 8259): what it becomes in `unit`; *used bytes of `text` are said by it. What is no
 * UTF-8 becomes U+FFFD. */
static struct span json_unit(struct span text, char unit[static 12], size_t *used)
{
	unsigned char c = (unsigned char)text.at[0];
	uint32_t character;

	*used = 1;
	if (c == '"' || c == '\\') {
		unit[0] = '\\';
		unit[1] = (char)c;
		return span_make(unit, 2);
	}
	if (c >= ' ' && c < 0x7f)
		return span_make(text.at, 1);
	*used = utf8_take(text, &character);
	if (*used == 0) {
		*used = 1;
		return SPAN("\\ufffd");
	}
	if (!utf8_is_control(character))
		return span_make(text.at, *used);
	memcpy(unit, "\\u", 2);
	for (c = 0; c < 4; c++)
		unit[2 + c] = hex_digits[character >> (12 - 4 * c) & 15];
	return span_make(unit, 6);
}

static struct span logfmt_unit(struct span text, char unit[static 12], size_t *used)
{
	unsigned char c = (unsigned char)text.at[0];

	*used = 1;
	if (c == '"' || c == '\\') {
		unit[0] = '\\';
		unit[1] = (char)c;
		return span_make(unit, 2);
	}
	if (c >= ' ' && c < 0x7f)
		return span_make(text.at, 1);
	unit[0] = '\\';
	unit[1] = 'x';
	unit[2] = hex_digits[c >> 4];
	unit[3] = hex_digits[c & 15];
	return span_make(unit, 4);
}

static void put_escaped(struct writer *writer, struct span text, size_t most)
{
	char unit[12];
	size_t used;

	put(writer, SPAN("\""));
	while (text.size) {
		struct span bytes = writer->is_json ? json_unit(text, unit, &used) : logfmt_unit(text, unit, &used);

		if (bytes.size > most)
			break;
		most -= bytes.size;
		put(writer, bytes);
		span_skip(&text, used);
	}
	put(writer, SPAN("\""));
}

static void put_value(struct writer *writer, struct span text, size_t most)
{
	size_t plain = 0;

	if (text.size > most)
		text.size = most;
	while (plain < text.size && is_plain[(unsigned char)text.at[plain]])
		plain++;
	if (plain < text.size || plain == 0) {
		put_escaped(writer, text, most);
		return;
	}
	if (writer->is_json)
		put(writer, SPAN("\""));
	put(writer, text);
	if (writer->is_json)
		put(writer, SPAN("\""));
}

static void put_text(struct writer *writer, const char *key, struct span text, size_t most)
{
	if (text.size == 0)
		return;
	put_key(writer, key);
	put_value(writer, text, most);
}

static struct span or_dash(struct span text)
{
	return text.size ? text : SPAN("-");
}

static void put_time(struct writer *writer, int64_t wall)
{
	int64_t second = wall / 1000000;
	unsigned milliseconds = (unsigned)(wall / 1000 % 1000);
	char rest[5] = {'.', (char)('0' + milliseconds / 100), (char)('0' + milliseconds / 10 % 10),
			(char)('0' + milliseconds % 10), 'Z'};

	if (second != state.stamp_of) {
		state.stamp_of = second;
		clock_text(second, state.stamp);
	}
	put_key(writer, "at");
	if (writer->is_json)
		put(writer, SPAN("\""));
	put(writer, span_make(state.stamp, STAMP_SIZE));
	put(writer, span_make(rest, sizeof rest));
	if (writer->is_json)
		put(writer, SPAN("\""));
}

size_t access_line_write(const struct access_line *line, enum access_format format, bool with_role,
			 char out[static ACCESS_LINE])
{
	struct writer writer = {.at = out, .is_json = format == ACCESS_JSON};

	put_time(&writer, line->wall);
	if (with_role) {
		put_text(&writer, "level", SPAN("info"), MOST_SHORT);
		put_text(&writer, "role", log_role(), MOST_SHORT);
		put_text(&writer, "event", SPAN("exchange"), MOST_SHORT);
	}
	put_text(&writer, "id", line->id, MOST_SHORT);
	put_text(&writer, "from", line->from, MOST_SHORT);
	put_text(&writer, "protocol", line->protocol, MOST_SHORT);
	put_text(&writer, "site", or_dash(line->site), MOST_NAME);
	put_text(&writer, "device", or_dash(line->device), MOST_SHORT);
	put_text(&writer, "person", line->person, MOST_NAME);
	put_text(&writer, "method", or_dash(line->method), MOST_SHORT);
	put_text(&writer, "path", or_dash(line->path), MOST_PATH);
	put_text(&writer, "query", line->query, MOST_QUERY);
	put_number(&writer, "status", line->status);
	put_text(&writer, "why", line->why, MOST_SHORT);
	put_text(&writer, "watched", line->watched, MOST_SHORT);
	put_text(&writer, "end", line->end, MOST_SHORT);
	put_number(&writer, "us", line->us);
	put_number(&writer, "connect_us", line->connect_us);
	put_number(&writer, "first_byte_us", line->first_byte_us);
	put_number(&writer, "up", (int64_t)(line->up & INT64_MAX));
	put_number(&writer, "down", (int64_t)(line->down & INT64_MAX));
	put_text(&writer, "agent", line->agent, MOST_AGENT);
	put(&writer, writer.is_json ? SPAN("}\n") : SPAN("\n"));
	return (size_t)(writer.at - out);
}

void access_log_write(const struct access_line *line)
{
	bool is_main = state.options.target == ACCESS_MAIN;
	size_t size;

	if (state.options.target == ACCESS_OFF)
		return;
	size = access_line_write(line, state.options.format, is_main, state.line);
	if (is_main)
		log_line(span_make(state.line, size));
	else
		(void)line_ring_add(access_log_ring(), span_make(state.line, size));
}
