#include "pki/pem.h"

#include <string.h>

#include "base/encode.h"

static const char begin_mark[] = "-----BEGIN ", end_mark[] = "-----END ", dashes[] = "-----";
enum { LABEL_MAX = 64 };

bool pem_is(struct span bytes)
{
	return bytes.size && memmem(bytes.at, bytes.size, begin_mark, strlen(begin_mark));
}

/* The next line without its end; false: no more. */
static bool next_line(struct span *rest, struct span *line)
{
	if (!span_cut(rest, '\n', line))
		return false;
	while (line->size && strchr("\r \t", line->at[line->size - 1]))
		line->size--;
	return true;
}

/* "-----BEGIN LABEL-----", nothing else on the line. */
static bool is_mark(struct span line, const char *mark, struct span *label)
{
	if (!span_starts(line, mark))
		return false;
	span_skip(&line, strlen(mark));
	if (!span_ends(line, dashes))
		return false;
	line.size -= strlen(dashes);
	*label = line;
	return line.size > 0 && line.size <= LABEL_MAX;
}

enum status pem_next(struct span *rest, struct pem_block *out, struct error *err)
{
	struct pem_block block = {0};
	struct span line, label;

	do
		if (!next_line(rest, &line))
			return AGAIN;
	while (!is_mark(line, begin_mark, &block.label));
	block.body.at = rest->at;
	while (next_line(rest, &line)) {
		if (is_mark(line, end_mark, &label)) {
			if (!span_equals(label, block.label))
				return error_refuse(err,
						    "a PEM block begins as %.*s and ends as "
						    "%.*s",
						    SPAN_PRINT(block.label), SPAN_PRINT(label));
			block.body.size = (size_t)(line.at - block.body.at);
			*out = block;
			return OK;
		}
		if (is_mark(line, begin_mark, &label))
			break;
		if (memchr(line.at, ':', line.size))
			block.has_headers = true;
	}
	return error_refuse(err, "PEM block %.*s has no end: is the file cut off?",
			    SPAN_PRINT(block.label));
}

enum status pem_decode(const struct pem_block *block, struct buffer *der, struct error *err)
{
	struct span rest = block->body, line;
	struct buffer text;
	size_t room = block->body.size / 4 * 3 + 3;
	bool is_read;

	buffer_init(&text, block->body.size);
	/* Room at once, so that a key is not copied about as the buffers grow. */
	if (!buffer_reserve(&text, block->body.size))
		return error_fail(err, "no memory for a PEM block");
	while (next_line(&rest, &line))
		buffer_add(&text, span_trim(line));
	if (room <= der->ceiling - der->size)
		(void)buffer_reserve(der, room);
	is_read = text.size && base64_read(der, buffer_span(&text));
	buffer_wipe(&text);
	if (is_read)
		return OK;
	if (!buffer_is_whole(der))
		return error_refuse(err,
				    "PEM block %.*s is larger than the %zu bytes that are "
				    "taken",
				    SPAN_PRINT(block->label), der->ceiling);
	return error_refuse(err, "PEM block %.*s is not base64", SPAN_PRINT(block->label));
}

void pem_write(struct buffer *out, const char *label, struct span der)
{
	buffer_printf(out, "-----BEGIN %s-----\n", label);
	while (der.size) {
		size_t part = der.size < 48 ? der.size : 48; /* 64 characters a line */

		base64_write(out, span_make(der.at, part));
		buffer_add_char(out, '\n');
		span_skip(&der, part);
	}
	buffer_printf(out, "-----END %s-----\n", label);
}
