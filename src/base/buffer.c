#include "base/buffer.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void buffer_init(struct buffer *buffer, size_t ceiling)
{
	*buffer = (struct buffer){.ceiling = ceiling};
}

void buffer_release(struct buffer *buffer)
{
	free(buffer->at);
	buffer_init(buffer, buffer->ceiling);
}

void buffer_wipe(struct buffer *buffer)
{
	if (buffer->at)
		explicit_bzero(buffer->at, buffer->room);
	buffer_release(buffer);
}

void buffer_clear(struct buffer *buffer)
{
	buffer->size = 0;
	buffer->cut = false;
	if (buffer->at)
		buffer->at[0] = 0;
}

/* Grown by hand, not realloc: what is left behind may be a secret. */
static bool grow(struct buffer *buffer, size_t wanted)
{
	size_t room = buffer->room ? buffer->room : 64;
	char *bytes;

	while (room < wanted)
		room *= 2;
	if (room > buffer->ceiling + 1)
		room = buffer->ceiling + 1;
	bytes = malloc(room);
	if (!bytes)
		return false;
	if (buffer->at) {
		memcpy(bytes, buffer->at, buffer->size + 1);
		explicit_bzero(buffer->at, buffer->size);
		free(buffer->at);
	}
	buffer->at = bytes;
	buffer->room = room;
	return true;
}

char *buffer_reserve(struct buffer *buffer, size_t count)
{
	if (buffer->cut || count > buffer->ceiling - buffer->size) {
		buffer->cut = true;
		return NULL;
	}
	if (buffer->size + count + 1 > buffer->room && !grow(buffer, buffer->size + count + 1)) {
		buffer->cut = true;
		return NULL;
	}
	return buffer->at + buffer->size;
}

void buffer_grew(struct buffer *buffer, size_t count)
{
	buffer->size += count;
	buffer->at[buffer->size] = 0;
}

void buffer_add(struct buffer *buffer, struct span bytes)
{
	char *end = buffer_reserve(buffer, bytes.size);

	if (!end)
		return;
	if (bytes.size)
		memcpy(end, bytes.at, bytes.size);
	buffer_grew(buffer, bytes.size);
}

void buffer_add_text(struct buffer *buffer, const char *text)
{
	buffer_add(buffer, span_of(text));
}

void buffer_add_char(struct buffer *buffer, char c)
{
	buffer_add(buffer, span_make(&c, 1));
}

void buffer_printf(struct buffer *buffer, const char *format, ...)
{
	va_list args, again;
	char *end;
	int size;

	va_start(args, format);
	va_copy(again, args);
	size = vsnprintf(NULL, 0, format, args);
	va_end(args);
	end = size < 0 ? NULL : buffer_reserve(buffer, (size_t)size);
	if (end) {
		vsnprintf(end, (size_t)size + 1, format, again);
		buffer_grew(buffer, (size_t)size);
	}
	va_end(again);
}

void buffer_consume(struct buffer *buffer, size_t count)
{
	if (count == 0)
		return;
	buffer->size -= count;
	memmove(buffer->at, buffer->at + count, buffer->size);
	buffer->at[buffer->size] = 0;
}
