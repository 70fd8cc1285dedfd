/*
 * chunked - the chunked transfer coding, both ways (RFC 9112 section 7.1).
 *
 * The decoder takes the input in any pieces and shows body bytes where they
 * lie. It is strict: CRLF only, 1 to 16 hex digits, no space, extensions
 * bounded and dropped. Trailers must lie in one piece: until they do, their
 * bytes stay unused and are offered again, like those of a head.
 *
 * Nothing of the framing is passed on: who forwards a body writes own chunks.
 */
#ifndef WIRE_CHUNKED_H
#define WIRE_CHUNKED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

enum {
	CHUNKED_LINE_MAX = 256,         /* bytes of extensions on one line */
	CHUNKED_EXTENSIONS_MAX = 16384, /* bytes of extensions in one body */
	CHUNKED_HEAD_SIZE = 18,         /* 16 digits, CR, LF */
};

struct chunked {
	uint64_t left;   /* body bytes left in the present chunk */
	size_t scanned;  /* of the trailers */
	uint32_t extensions;
	uint16_t line;
	uint8_t digits;
	uint8_t state;
	/* When done: the raw section with its empty line, in the last input; "" if there were none. */
	struct span trailers;
};

void chunked_init(struct chunked *chunked);
/*
 * Go on with `in`. *used bytes of it are done with; *data is the body bytes among them (may be
 * empty), where they lie in `in`. OK: call again with the rest until AGAIN or chunked_is_done.
 * AGAIN: no data now; offer what was not used again, in front of what comes (only trailers are left
 * unused, at most 4 KiB of them). REFUSED: not chunked coding, or a bad trailer: close.
 */
MUST_CHECK enum status chunked_read(struct chunked *chunked, struct span in, size_t *used,
				    struct span *data, struct error *err);
/* The last chunk and the trailers are read; what is unused is no part of this body. */
bool chunked_is_done(const struct chunked *chunked);

/* The line in front of a chunk of `size` bytes, size > 0; CHUNK_END goes behind the chunk. Returns the
 * line's length; not terminated. */
size_t chunked_write_head(char out[static CHUNKED_HEAD_SIZE], uint64_t size);
#define CHUNK_END SPAN("\r\n")
/* Behind the last chunk, when there are no trailers. */
#define CHUNKED_END SPAN("0\r\n\r\n")
/* Behind the last chunk, then trailer lines, then CHUNK_END. */
#define CHUNKED_LAST SPAN("0\r\n")

#endif
