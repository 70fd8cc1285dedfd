/*
 * span - a borrowed run of bytes: where, and how many. Never owns, never
 * terminated. Bytes are chars here because most of them are text; code that
 * means octets casts at its own door.
 */
#ifndef BASE_SPAN_H
#define BASE_SPAN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

struct span {
	const char *at;
	size_t size;
};

/* A span over a string literal, and over a terminated string. */
#define SPAN(literal) ((struct span){"" literal, sizeof(literal) - 1})
/* For printf("%.*s", SPAN_PRINT(x)); cut at 2^31 - 1. */
#define SPAN_PRINT(span) (int)((span).size > INT32_MAX ? INT32_MAX : (span).size), (span).at

static inline struct span span_of(const char *text)
{
	return (struct span){text, text ? strlen(text) : 0};
}

static inline struct span span_make(const void *at, size_t size)
{
	return (struct span){at, size};
}

static inline bool span_equals(struct span a, struct span b)
{
	return a.size == b.size && (a.size == 0 || memcmp(a.at, b.at, a.size) == 0);
}

static inline bool span_is(struct span a, const char *text)
{
	return span_equals(a, span_of(text));
}

/* The first `count` bytes are used up. `count` is at most span->size. */
static inline void span_skip(struct span *span, size_t count)
{
	span->at += count;
	span->size -= count;
}

/* ASCII case folded; locale never matters. */
bool span_is_nocase(struct span a, const char *text);
bool span_starts(struct span a, const char *prefix);
bool span_ends(struct span a, const char *suffix);
/* Without spaces and tabs at both ends. */
struct span span_trim(struct span a);
/* Cut off and return what stands before `separator` (or all); *rest goes on behind it.
 * false: nothing was left to cut. "a,,b" gives "a", "", "b"; "" gives nothing. */
bool span_cut(struct span *rest, char separator, struct span *part);
/* Decimal digits only, no sign, no space; false when empty, too large or anything else. */
bool span_to_u64(struct span a, uint64_t most, uint64_t *out);

#endif
