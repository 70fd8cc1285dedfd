/*
 * buffer - bytes that grow up to a ceiling given at birth.
 *
 * Adding never fails by return: what does not fit (ceiling, no memory) marks
 * the buffer as cut, and whoever uses the result asks buffer_is_whole once.
 * `at` is terminated by a zero byte that `size` does not count.
 */
#ifndef BASE_BUFFER_H
#define BASE_BUFFER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/span.h"

struct buffer {
	char *at;
	size_t size, room, ceiling;
	bool cut;
};

void buffer_init(struct buffer *buffer, size_t ceiling);
/* Frees the bytes; the buffer may be used again with its ceiling. */
void buffer_release(struct buffer *buffer);
/* The same, the bytes overwritten first: for keys and passwords. */
void buffer_wipe(struct buffer *buffer);
void buffer_clear(struct buffer *buffer);
void buffer_add(struct buffer *buffer, struct span bytes);
void buffer_add_text(struct buffer *buffer, const char *text);
void buffer_add_char(struct buffer *buffer, char c);
void buffer_printf(struct buffer *buffer, const char *format, ...) PRINTF_LIKE(2, 3);
/* Room for `count` bytes at the end, or NULL (and marked as cut); then buffer_grew. */
char *buffer_reserve(struct buffer *buffer, size_t count);
void buffer_grew(struct buffer *buffer, size_t count);
/* Drop the first `count` bytes. */
void buffer_consume(struct buffer *buffer, size_t count);

static inline bool buffer_is_whole(const struct buffer *buffer)
{
	return !buffer->cut;
}

static inline struct span buffer_span(const struct buffer *buffer)
{
	return (struct span){buffer->at ? buffer->at : "", buffer->size};
}

static inline const char *buffer_text(const struct buffer *buffer)
{
	return buffer->at ? buffer->at : "";
}

#endif
