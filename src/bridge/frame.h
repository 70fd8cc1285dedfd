/*
 * frame - one message between two of our processes: u32 length, u32 ticket
 * (both little-endian), then a JSON object of `length` bytes. Bit 31 of the
 * length says that a descriptor rides with the frame's first byte; bit 31 of
 * the ticket that this is an answer. Pure: no descriptors, no loop.
 */
#ifndef BRIDGE_FRAME_H
#define BRIDGE_FRAME_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/span.h"

enum {
	FRAME_HEAD_SIZE = 8,
	FRAME_WORDS_MOST = 256 * 1024, /* bytes of JSON */
	FRAME_DEPTH_MOST = 16,
};

struct frame_head {
	uint32_t size; /* of the JSON behind it */
	uint32_t ticket;
	bool has_descriptor, is_answer;
};

/* Once a process, harmless again: seeds jansson's tables (it would open /dev/urandom, which a sandbox
 * forbids) and has it overwrite what it frees, because words may be passwords. */
void frame_init(void);

/* Adds head and JSON to `out`. REFUSED: more than FRAME_WORDS_MOST. */
MUST_CHECK enum status frame_write(struct buffer *out, uint32_t ticket, bool is_answer,
				   bool has_descriptor, const json_t *words, struct error *err);
/* `bytes` holds at least FRAME_HEAD_SIZE. REFUSED: the length is out of bounds. */
MUST_CHECK enum status frame_read_head(struct span bytes, struct frame_head *out,
				       struct error *err);
/* Strict: an object, no duplicate key, no NUL, at most 16 deep (asked before jansson sees it). The
 * caller's on OK. */
MUST_CHECK enum status frame_read_words(struct span bytes, json_t **out, struct error *err);

/* The object inside a frame. A question: {"question": NAME, "words": {..}, "key": KEY?}. */
json_t *frame_question(const char *name, const json_t *words, const char *key);
/* An answer: {"status": "ok", "words": {..}} or {"status": "refused"|"failed"|"again", "error": TEXT}.
 * `words` may be NULL. */
json_t *frame_answer(enum status status, const json_t *words, const struct error *why);
/* What an answer says: OK and *words (borrowed from `frame`, never NULL), else the status and the
 * text in *err. */
enum status frame_read_answer(const json_t *frame, const json_t **words, struct error *err);

#endif
