#include "wire/target.h"

#include "base/encode.h"

/* The byte that "%XX" stands for, or -1. */
static int escape_at(const char *at, const char *end)
{
	if (end - at < 3 || at[0] != '%' || hex_digit(at[1]) < 0 || hex_digit(at[2]) < 0)
		return -1;
	return hex_digit(at[1]) << 4 | hex_digit(at[2]);
}

/* RFC 3986 section 2.3. */
static bool is_unreserved(int c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
	       c == '-' || c == '.' || c == '_' || c == '~';
}

/* Cut off path and query; says whether the path is in its normal form already. */
static enum status split(struct span text, struct target *out, struct span *path, bool *is_plain,
			 struct error *err)
{
	size_t i;
	bool after_slash = false;

	*is_plain = true;
	for (i = 0; i < text.size && text.at[i] != '?'; i++) {
		char c = text.at[i];

		if (c <= ' ' || c >= 0x7f || c == '#')
			return error_refuse(err, "the path holds a character that it may not");
		if (c == '%' || c == '\\' || c == ';' || (after_slash && (c == '/' || c == '.')))
			*is_plain = false;
		after_slash = c == '/';
	}
	*path = span_make(text.at, i);
	out->has_query = i < text.size;
	out->query = out->has_query ? span_make(text.at + i + 1, text.size - i - 1) : SPAN("");
	for (i++; i < text.size; i++)
		if (text.at[i] <= ' ' || text.at[i] >= 0x7f || text.at[i] == '#')
			return error_refuse(err, "the query holds a character that it may not");
	if (path->size == 0 || path->at[0] != '/')
		return error_refuse(err, "the path does not start with a slash");
	return OK;
}

/* A lead byte that no UTF-8 has, or one that begins a form longer than need be (RFC 3629). */
static bool is_overlong(int lead, int next)
{
	return lead == 0xc0 || lead == 0xc1 || lead >= 0xf5 ||
	       (lead == 0xe0 && next >= 0x80 && next < 0xa0) ||
	       (lead == 0xf0 && next >= 0x80 && next < 0x90);
}

static uint8_t doubts_of_escape(int byte, int next)
{
	if (byte < ' ' || byte == 0x7f)
		return TARGET_ENCODED_CONTROL;
	if (is_overlong(byte, next))
		return TARGET_OVERLONG;
	switch (byte) {
	case '/':
		return TARGET_ENCODED_SLASH;
	case '\\':
		return TARGET_BACKSLASH;
	case ';':
		return TARGET_PARAMETER;
	case '%':
		return 0; /* cannot stand otherwise; what follows it decides */
	default:
		/* "/%40x" is "/@x" to most servers, and a rule for the one must see the other. */
		return byte > ' ' && byte < 0x7f ? TARGET_ENCODED_DELIMITER : 0;
	}
}

/* Decode what needs no encoding, the rest in upper case. */
static enum status decode(struct span path, char *room, size_t *size, uint8_t *doubts,
			  struct error *err)
{
	static const char digits[] = "0123456789ABCDEF";
	const char *at = path.at, *end = path.at + path.size;
	char *to = room;

	while (at < end) {
		int byte;

		if (*at != '%') {
			*doubts |= *at == '\\' ? TARGET_BACKSLASH : *at == ';' ? TARGET_PARAMETER : 0;
			*to++ = *at++;
			continue;
		}
		byte = escape_at(at, end);
		if (byte < 0)
			return error_refuse(err, "the path holds a %% without two digits");
		if (byte == 0)
			return error_refuse(err, "the path holds %%00");
		at += 3;
		if (is_unreserved(byte)) {
			*to++ = (char)byte;
			continue;
		}
		*doubts |= doubts_of_escape(byte, escape_at(at, end));
		*to++ = '%';
		*to++ = digits[byte >> 4];
		*to++ = digits[byte & 15];
	}
	*size = (size_t)(to - room);
	return OK;
}

/* Doubts that only show once all else is decoded: "%25%32f" is "%252f". */
static uint8_t doubts_of_path(struct span path)
{
	uint8_t doubts = 0;
	size_t i;

	for (i = 0; i + 1 < path.size; i++) {
		if (path.at[i] == '/' && path.at[i + 1] == '/')
			doubts |= TARGET_EMPTY_SEGMENT;
		if (i + 3 < path.size && memcmp(path.at + i, "%25", 3) == 0 &&
		    (hex_digit(path.at[i + 3]) >= 0 || memchr("%uU", path.at[i + 3], 3)))
			doubts |= TARGET_DOUBLE_ENCODED;
	}
	return doubts;
}

enum dots { NO_DOTS, STAY, UP, DISGUISED };

/* "..;x" is ".." for servlet containers and a name for everybody else. */
static enum dots dots_of(struct span segment)
{
	size_t count = 0;
	struct span rest;

	while (count < segment.size && segment.at[count] == '.')
		count++;
	if (count == 0 || count > 2)
		return NO_DOTS;
	rest = span_make(segment.at + count, segment.size - count);
	if (rest.size == 0)
		return count == 1 ? STAY : UP;
	return span_starts(rest, ";") || span_starts(rest, "%3B") ? DISGUISED : NO_DOTS;
}

/* RFC 3986 section 5.2.4, in place. */
static enum status remove_dots(char *path, size_t *size, struct error *err)
{
	struct span rest = {path, *size}, segment;
	size_t to = 0;

	while (path_next_segment(&rest, &segment)) {
		enum dots dots = dots_of(segment);

		if (dots == DISGUISED || (dots == UP && to == 0))
			return error_refuse(err, dots == UP ? "the path climbs above its root"
							    : "the path hides dots behind a parameter");
		if (dots == UP)
			while (path[--to] != '/')
				;
		if (dots == NO_DOTS || rest.size == 0)
			path[to++] = '/';
		if (dots == NO_DOTS) {
			memmove(path + to, segment.at, segment.size);
			to += segment.size;
		}
	}
	*size = to;
	return OK;
}

enum status target_parse(struct span text, char *room, size_t room_size, struct target *out,
			 struct error *err)
{
	struct target target = {.query = SPAN("")};
	struct span path = text;
	enum status status = OK;
	bool is_plain = true;

	if (!span_is(text, "*"))
		TRY(split(text, &target, &path, &is_plain, err));
	target.path = path;
	if (!is_plain) {
		if (room_size < path.size)
			return error_fail(err, "no room for a path of %zu bytes", path.size);
		TRY(decode(path, room, &target.path.size, &target.doubts, err));
		target.path.at = room;
		target.doubts |= doubts_of_path(target.path);
		TRY(remove_dots(room, &target.path.size, err));
	}
	*out = target;
done:
	return status;
}

/* The ASCII byte that the last `*size` bytes are, by a decoder that asks for nothing: of "%2F", of "%u002F",
 * and of UTF-8 in more bytes than need be; or -1. */
static int sloppy_tail(const char *room, size_t have, size_t *size)
{
	const char *end = room + have;
	unsigned bits = 0;
	int byte;
	size_t i;

	*size = 3;
	if (have >= 3 && (byte = escape_at(end - 3, end)) >= 0)
		return byte;
	*size = 6;
	if (have >= 6 && end[-6] == '%' && (end[-5] | 0x20) == 'u' && end[-4] == '0' && end[-3] == '0' &&
	    hex_digit(end[-2]) >= 0 && hex_digit(end[-1]) >= 0)
		return hex_digit(end[-2]) << 4 | hex_digit(end[-1]);
	for (i = 0; i < 5 && i < have && ((uint8_t)end[-1 - (int)i] & 0xc0) == 0x80; i++)
		bits |= ((uint8_t)end[-1 - (int)i] & 0x3fu) << (6 * i);
	*size = i + 1;
	if (i == 0 || i == have)
		return -1;
	/* The lead of i + 1 bytes has that many ones at its top; what lies below them counts too. */
	byte = (uint8_t)end[-1 - (int)i];
	if ((byte & (0xff00 >> (i + 2)) & 0xff) != ((0xff00 >> (i + 1)) & 0xff))
		return -1;
	bits |= ((unsigned)byte & (0x3fu >> i)) << (6 * i);
	return bits < 0x80 ? (int)bits : -1;
}

/* Decode until nothing changes, in linear time: what is decoded may complete what stands before it. */
static size_t decode_all(struct span path, char *room)
{
	size_t i, size = 0;

	for (i = 0; i < path.size; i++) {
		size_t tail;
		int byte;

		room[size++] = path.at[i];
		while ((byte = sloppy_tail(room, size, &tail)) >= 0) {
			size -= tail;
			room[size++] = (char)byte;
		}
	}
	return size;
}

enum status target_other_reading(const struct target *target, char *room, size_t room_size,
				 struct span *out, struct error *err)
{
	struct span rest, segment;
	size_t i, size, to = 0;

	if (span_is(target->path, "*")) {
		*out = target->path;
		return OK;
	}
	if (room_size < target->path.size)
		return error_fail(err, "no room for a path of %zu bytes", target->path.size);
	size = decode_all(target->path, room);
	for (i = 0; i < size && room[i] != '?' && room[i] != '#'; i++) {
		/* What is behind a NUL or a line's end is cut off by some, and by others not. */
		if ((uint8_t)room[i] < ' ' || room[i] == 0x7f)
			return error_refuse(err, "the path holds an encoded control character");
		if (room[i] == '\\')
			room[i] = '/';
	}
	rest = span_make(room, i);
	while (path_next_segment(&rest, &segment)) {
		const char *parameter = memchr(segment.at, ';', segment.size);

		if (parameter)
			segment.size = (size_t)(parameter - segment.at);
		if (span_is(segment, ".."))
			return error_refuse(err, "the path hides \"..\" in an encoding");
		if ((segment.size == 0 || span_is(segment, ".")) && rest.size)
			continue;
		room[to++] = '/';
		if (span_is(segment, "."))
			continue;
		memmove(room + to, segment.at, segment.size);
		to += segment.size;
	}
	*out = span_make(room, to);
	return OK;
}

bool path_is_under(struct span path, struct span prefix)
{
	if (prefix.size && prefix.at[prefix.size - 1] == '/')
		prefix.size--;
	if (path.size < prefix.size || memcmp(path.at, prefix.at, prefix.size) != 0)
		return false;
	return path.size == prefix.size || path.at[prefix.size] == '/';
}

bool path_next_segment(struct span *rest, struct span *segment)
{
	const char *found;

	if (rest->size == 0)
		return false;
	span_skip(rest, 1);
	found = rest->size ? memchr(rest->at, '/', rest->size) : NULL;
	*segment = span_make(rest->at, found ? (size_t)(found - rest->at) : rest->size);
	span_skip(rest, segment->size);
	return true;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

bool path_matches(struct span path, const char *pattern)
{
	const char *star = NULL;
	size_t i = 0, star_at = 0;

	for (;;) {
		if (*pattern == '*') {
			star = ++pattern;
			star_at = i;
		} else if (*pattern == '#' && i < path.size && is_digit(path.at[i])) {
			while (i < path.size && is_digit(path.at[i]))
				i++;
			pattern++;
		} else if (*pattern == 0 && i == path.size) {
			return true;
		} else if (*pattern && *pattern != '#' && i < path.size && *pattern == path.at[i]) {
			pattern++;
			i++;
		} else if (star && star_at < path.size && path.at[star_at] != '/') {
			/* Let the star take one more; an earlier star could take no '/' either. */
			i = ++star_at;
			pattern = star;
		} else {
			return false;
		}
	}
}
