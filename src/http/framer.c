#include "http/framer.h"

#include <string.h>

#include "wire/chunked.h"

/* BETWEEN: no chunk has begun. CHUNK: line, bytes, CRLF. END: last chunk, trailers, CRLF. */
enum step { BETWEEN, CHUNK, END, DONE };

void framer_init(struct framer *framer, enum frame_mode mode, uint64_t length)
{
	*framer = (struct framer){.mode = (uint8_t)mode, .left = length};
	if (mode == FRAME_NOTHING || (mode == FRAME_LENGTH && length == 0))
		framer->step = DONE;
}

static void add(struct iovec *parts, int *count, const char *at, size_t size)
{
	if (size == 0)
		return;
	parts[*count] = (struct iovec){.iov_base = (void *)(uintptr_t)at, .iov_len = size};
	++*count;
}

/* The end of a chunked body is "0\r\n", trailers, "\r\n"; `end_at` bytes of all that are out. */
static void add_end(const struct framer *framer, struct iovec *parts, int *count)
{
	struct span pieces[] = {CHUNKED_LAST, framer->trailers, CHUNK_END};
	size_t skip = framer->end_at, i;

	for (i = 0; i < sizeof pieces / sizeof *pieces; i++) {
		size_t out = skip < pieces[i].size ? skip : pieces[i].size;

		add(parts, count, pieces[i].at + out, pieces[i].size - out);
		skip -= out;
	}
}

static void gather_chunk(struct framer *framer, struct span data, bool ended, struct iovec *parts,
			 int *count)
{
	if (framer->step == BETWEEN && data.size > 0) {
		framer->line_size = (uint8_t)chunked_write_head(framer->line, data.size);
		framer->line_at = framer->tail_at = 0;
		framer->left = data.size;
		framer->step = CHUNK;
	}
	if (framer->step == CHUNK) {
		size_t size = data.size < framer->left ? data.size : (size_t)framer->left;

		add(parts, count, framer->line + framer->line_at,
		    (size_t)(framer->line_size - framer->line_at));
		add(parts, count, data.at, size);
		framer->offered = size;
		if (size < framer->left)
			return;
		add(parts, count, &"\r\n"[framer->tail_at], (size_t)(2 - framer->tail_at));
		framer->is_last = ended && size == data.size;
		if (framer->is_last)
			add_end(framer, parts, count);
		return;
	}
	if (framer->step == BETWEEN && ended)
		framer->step = END;
	if (framer->step == END)
		add_end(framer, parts, count);
}

int framer_gather(struct framer *framer, struct span data, bool ended,
		  struct iovec parts[static FRAMER_PARTS])
{
	int count = 0;

	framer->offered = 0;
	framer->is_last = false;
	add(parts, &count, framer->front.at, framer->front.size);
	if (framer->step == DONE)
		return count;
	switch ((enum frame_mode)framer->mode) {
	case FRAME_RAW:
		framer->offered = data.size;
		framer->is_last = ended;
		add(parts, &count, data.at, data.size);
		if (ended && data.size == 0)
			framer->step = DONE;
		break;
	case FRAME_LENGTH:
		framer->offered = data.size < framer->left ? data.size : (size_t)framer->left;
		add(parts, &count, data.at, framer->offered);
		break;
	case FRAME_CHUNKED:
		gather_chunk(framer, data, ended, parts, &count);
		break;
	case FRAME_NOTHING:
		break;
	}
	return count;
}

/* How much of `size` bytes the `*taken` cover; they are used up. */
static size_t cover(size_t *taken, size_t size)
{
	size_t covered = *taken < size ? *taken : size;

	*taken -= covered;
	return covered;
}

static size_t took_chunk(struct framer *framer, size_t taken)
{
	size_t used = 0;

	if (framer->step == CHUNK) {
		framer->line_at += (uint8_t)cover(&taken,
						  (size_t)(framer->line_size - framer->line_at));
		used = cover(&taken, framer->offered);
		framer->left -= used;
		if (framer->left > 0)
			return used;
		framer->tail_at += (uint8_t)cover(&taken, (size_t)(2 - framer->tail_at));
		if (framer->tail_at == 2)
			framer->step = framer->is_last ? END : BETWEEN;
	}
	if (framer->step == END) {
		framer->end_at += taken;
		if (framer->end_at ==
		    CHUNKED_LAST.size + framer->trailers.size + CHUNK_END.size)
			framer->step = DONE;
	}
	return used;
}

size_t framer_took(struct framer *framer, size_t taken)
{
	size_t used;

	span_skip(&framer->front, cover(&taken, framer->front.size));
	if (framer->step == DONE)
		return 0;
	if (framer->mode == FRAME_CHUNKED)
		return took_chunk(framer, taken);
	used = cover(&taken, framer->offered);
	if (framer->mode == FRAME_LENGTH) {
		framer->left -= used;
		if (framer->left == 0)
			framer->step = DONE;
	} else if (framer->is_last && used == framer->offered) {
		framer->step = DONE;
	}
	return used;
}

bool framer_is_done(const struct framer *framer)
{
	return framer->front.size == 0 && framer->step == DONE;
}
