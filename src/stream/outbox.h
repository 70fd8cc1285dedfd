/*
 * outbox - the records a TLS stream has made and the kernel has not yet got.
 *
 * Records gather in one buffer of the process, that of the stream whose
 * handler runs; another stream's first record sends them on their way. What
 * the kernel does not take moves to memory of the stream, and stays in order:
 * while there is such a rest, new records go behind it.
 */
#ifndef STREAM_OUTBOX_H
#define STREAM_OUTBOX_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct stream;

enum {
	OUTBOX_RECORD = 16384 + 22,    /* a full record of TLS 1.3 as it goes out, RFC 8446 5.2 */
	OUTBOX_GATHERED_MOST = 16 * OUTBOX_RECORD, /* the process's buffer */
	OUTBOX_HIGH_WATER = 65536,     /* of rest: no new application data above it */
	OUTBOX_REST_MOST = OUTBOX_GATHERED_MOST + OUTBOX_HIGH_WATER,
};

struct outbox {
	struct stream *stream;       /* whose fd, whose `blocked`, whose failure */
	uint8_t *rest;
	uint32_t start, size, room;  /* of rest */
	uint32_t limit;              /* sent when so much has gathered; less for a slow reader */
};

void outbox_init(struct outbox *outbox, struct stream *stream);
void outbox_release(struct outbox *outbox);
/* Takes all. False: no memory, or the rest is at its ceiling; or the stream has failed. */
bool outbox_add(struct outbox *outbox, const void *bytes, size_t size);
/* OK: the kernel has it all. AGAIN: full. REFUSED: the stream has failed now. */
enum status outbox_push(struct outbox *outbox);

static inline size_t outbox_rest(const struct outbox *outbox)
{
	return outbox->size;
}

#endif
