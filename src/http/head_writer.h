/*
 * head_writer - appends bytes of a message head to memory with a ceiling. What does not fit marks
 * the writer as cut; ask head_is_whole once at the end. No allocation, no format strings.
 */
#ifndef HTTP_HEAD_WRITER_H
#define HTTP_HEAD_WRITER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "base/span.h"

struct head_writer {
	char *at;
	size_t size, room;
	bool cut;
};

static inline void head_writer_init(struct head_writer *writer, char *at, size_t room)
{
	*writer = (struct head_writer){.at = at, .room = room};
}

static inline void head_put(struct head_writer *writer, struct span bytes)
{
	if (bytes.size > writer->room - writer->size) {
		writer->cut = true;
		return;
	}
	if (bytes.size)
		memcpy(writer->at + writer->size, bytes.at, bytes.size);
	writer->size += bytes.size;
}

void head_put_number(struct head_writer *writer, uint64_t number);
void head_put_hex(struct head_writer *writer, uint64_t number); /* no leading zeros */
/* "Name: value\r\n". The caller vouches that neither holds CR, LF or NUL. */
static inline void head_put_field(struct head_writer *writer, struct span name, struct span value)
{
	head_put(writer, name);
	head_put(writer, SPAN(": "));
	head_put(writer, value);
	head_put(writer, SPAN("\r\n"));
}

static inline bool head_is_whole(const struct head_writer *writer)
{
	return !writer->cut;
}

static inline struct span head_written(const struct head_writer *writer)
{
	return span_make(writer->at, writer->size);
}

#endif
