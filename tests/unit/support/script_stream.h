/*
 * script_stream - a stream whose peer is a list of steps, for tests of what
 * stands on streams. No descriptor, no kernel: the test says what each read
 * gives and how much each write takes, and looks at what was written.
 *
 * Reading goes through the steps in order; behind the last one every read
 * says AGAIN. By default each write takes everything.
 *
 *	struct stream *stream = script_stream_new();
 *	script_give(stream, "GET / HTTP/1.1\r\n", 16);
 *	script_again(stream);                  // AGAIN until the next script_ready
 *	script_give_split(stream, text, size, 1); // byte by byte, AGAIN between
 *	script_end(stream);
 *	stream_start(stream, loop, on_ready, owner, NULL);
 *	script_ready(stream);                  // an edge: calls on_ready
 *	assert_string_equal(script_written(stream).at, ...);
 */
#ifndef SUPPORT_SCRIPT_STREAM_H
#define SUPPORT_SCRIPT_STREAM_H

#include "stream/stream.h"

/* The test keeps the right to look at it after its owner freed it: script_stream_free ends it. */
struct stream *script_stream_new(void);
/* After stream_free (or without); NULL is fine. */
void script_stream_free(struct stream *stream);

/* Steps of the reading side. Bytes are copied. A read gives at most one step's bytes. */
void script_give(struct stream *stream, const void *bytes, size_t size);
void script_give_text(struct stream *stream, const char *text);
/* Pieces of `piece` bytes, an AGAIN between any two. */
void script_give_split(struct stream *stream, const void *bytes, size_t size, size_t piece);
/* AGAIN as often as asked; once that was seen, the next script_ready goes on behind it. */
void script_again(struct stream *stream);
void script_end(struct stream *stream);  /* the peer's clean end */
void script_goodbye(struct stream *stream); /* the same by TLS alone: TCP stays open */
void script_cut(struct stream *stream);  /* TLS's end without close_notify: REFUSED, STREAM_CUT */
void script_gone(struct stream *stream); /* reset: reads REFUSED, and from then on writes too */

/* The writing side: the next writes take `size` bytes in all, then AGAIN. */
void script_take(struct stream *stream, size_t size);
void script_take_all(struct stream *stream);

/* What ALPN chose: a literal. */
void script_protocol(struct stream *stream, const char *protocol);
/* What stream_secure answers next (OK if not told). */
void script_secure(struct stream *stream, enum status status);
/* What stream_finish answers from now on (OK if not told). */
void script_finish(struct stream *stream, enum status status);

/* An edge: on_ready is called now, if started and not freed. */
void script_ready(struct stream *stream);

struct script_record {
	unsigned reads, writes, flushes, finishes; /* calls so far */
	bool finished;                             /* stream_finish was called */
	bool freed, reset;                         /* by its owner */
	bool again;                                /* stream_again waits in the loop */
	bool drained;                              /* all steps are used up */
};
/* All that was written; terminated. Valid until the next write. */
struct span script_written(const struct stream *stream);
void script_forget_written(struct stream *stream);
const struct script_record *script_record(const struct stream *stream);

#endif
