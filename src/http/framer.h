/*
 * framer - puts a body's bytes on an HTTP/1 wire: as they are, by length, or in chunks (RFC 9112
 * section 7.1). Survives partial writes: gather what to write, write, say how much was taken.
 * The head goes in front, so that head and first bytes leave in one write. No allocation.
 */
#ifndef HTTP_FRAMER_H
#define HTTP_FRAMER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/span.h"

enum frame_mode { FRAME_RAW, FRAME_LENGTH, FRAME_CHUNKED, FRAME_NOTHING };

struct framer {
	uint8_t mode;         /* enum frame_mode */
	uint8_t step;         /* private, as are the next five */
	uint8_t line_at, line_size, tail_at;
	bool is_last;
	size_t end_at, offered;
	struct span front;    /* what of the head is still to be written; the caller's memory */
	struct span trailers; /* for the last chunk; lines with CRLF; the caller's memory */
	uint64_t left;        /* of the length, or of the chunk under way */
	char line[20];
};

enum { FRAMER_PARTS = 8 };

/* A mode for the body that follows; `front` and `trailers` are set apart, at any time before the
 * next gathering. */
void framer_init(struct framer *framer, enum frame_mode mode, uint64_t length);
/* The parts to write now; `data` waits, `ended`: nothing comes behind it. 0: nothing to write.
 * The parts point into `framer` and `data`. */
int framer_gather(struct framer *framer, struct span data, bool ended,
		  struct iovec parts[static FRAMER_PARTS]);
/* `taken` bytes of the last gathering went out; returns how many of them were of `data`. */
size_t framer_took(struct framer *framer, size_t taken);
/* All was written, the end included. FRAME_LENGTH: false while bytes are missing. */
bool framer_is_done(const struct framer *framer);

#endif
