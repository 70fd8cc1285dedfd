#include "stream/outbox.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/fault.h"
#include "stream/socket.h"
#include "stream/stream.h"

enum { LIMIT_LEAST = 4 * OUTBOX_RECORD, REST_STEP = 16384 };

static struct {
	struct outbox *of; /* NULL: empty */
	size_t size;
	uint8_t bytes[OUTBOX_GATHERED_MOST];
} gathered;

void outbox_init(struct outbox *outbox, struct stream *stream)
{
	*outbox = (struct outbox){.stream = stream, .limit = LIMIT_LEAST};
}

static void drop_rest(struct outbox *outbox)
{
	free(outbox->rest);
	outbox->rest = NULL;
	outbox->start = outbox->size = outbox->room = 0;
}

static void drop_gathered(struct outbox *outbox)
{
	if (gathered.of != outbox)
		return;
	gathered.of = NULL;
	gathered.size = 0;
}

void outbox_release(struct outbox *outbox)
{
	drop_gathered(outbox);
	drop_rest(outbox);
}

static bool make_room(struct outbox *outbox, size_t more)
{
	size_t need = outbox->size + more, room = (need + REST_STEP - 1) / REST_STEP * REST_STEP;
	uint8_t *rest;

	if (need > OUTBOX_REST_MOST)
		return false;
	if (outbox->start && outbox->start + need > outbox->room) {
		memmove(outbox->rest, outbox->rest + outbox->start, outbox->size);
		outbox->start = 0;
	}
	if (outbox->start + need <= outbox->room)
		return true;
	rest = FAULT("rest") ? NULL : realloc(outbox->rest, room);
	if (!rest)
		return false;
	outbox->rest = rest;
	outbox->room = (uint32_t)room;
	return true;
}

static bool add_rest(struct outbox *outbox, const void *bytes, size_t size)
{
	if (!make_room(outbox, size))
		return false;
	memcpy(outbox->rest + outbox->start + outbox->size, bytes, size);
	outbox->size += (uint32_t)size;
	return true;
}

static enum status lose(struct outbox *outbox, enum stream_failure failure, int cause)
{
	drop_gathered(outbox);
	drop_rest(outbox);
	return stream_fail(outbox->stream, failure, (unsigned long)cause);
}

/* *took may be 0 with AGAIN. */
static enum status send_some(struct outbox *outbox, const void *bytes, size_t size, size_t *took)
{
	struct stream *stream = outbox->stream;
	struct iovec piece = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
	enum status status;
	bool full = false;

	*took = 0;
	if (stream->blocked)
		return AGAIN;
	status = socket_send(stream->source.fd, &piece, 1, took, &full);
	if (status == AGAIN || full)
		stream->blocked = true;
	return status;
}

static enum status push_rest(struct outbox *outbox)
{
	while (outbox->size) {
		size_t took;
		enum status status = send_some(outbox, outbox->rest + outbox->start, outbox->size, &took);

		if (status == REFUSED)
			return lose(outbox, STREAM_GONE, errno);
		if (status != OK)
			return status;
		outbox->start += (uint32_t)took;
		outbox->size -= (uint32_t)took;
	}
	drop_rest(outbox);
	return OK;
}

static enum status push_gathered(struct outbox *outbox)
{
	size_t sent = 0;

	while (sent < gathered.size) {
		size_t took;
		enum status status = send_some(outbox, gathered.bytes + sent, gathered.size - sent, &took);

		if (status == REFUSED)
			return lose(outbox, STREAM_GONE, errno);
		if (status == AGAIN) {
			/* A slow reader: gather less for it, so that less is left over next time. */
			outbox->limit = LIMIT_LEAST;
			if (!add_rest(outbox, gathered.bytes + sent, gathered.size - sent))
				return lose(outbox, STREAM_BROKEN, 0);
			drop_gathered(outbox);
			return AGAIN;
		}
		sent += took;
	}
	drop_gathered(outbox);
	return OK;
}

enum status outbox_push(struct outbox *outbox)
{
	struct stream *stream = outbox->stream;

	if (stream->freed || stream->failure == STREAM_GONE || stream->failure == STREAM_BROKEN) {
		drop_gathered(outbox);
		drop_rest(outbox);
		return REFUSED;
	}
	if (outbox->size)
		return push_rest(outbox);
	return gathered.of == outbox ? push_gathered(outbox) : OK;
}

/* Nothing more fits below the limit. Whoever takes all of it at once gets more at once. */
static bool push_full(struct outbox *outbox)
{
	enum status status = outbox_push(outbox);

	if (status == OK && outbox->limit < OUTBOX_GATHERED_MOST)
		outbox->limit *= 2;
	return status != REFUSED;
}

bool outbox_add(struct outbox *outbox, const void *bytes, size_t size)
{
	if (outbox->stream->freed || outbox->stream->failure == STREAM_GONE)
		return false;
	if (gathered.of && gathered.of != outbox)
		(void)outbox_push(gathered.of);
	if (gathered.of && gathered.size + size > outbox->limit && !push_full(outbox))
		return false;
	if (outbox->size || size > OUTBOX_GATHERED_MOST)
		return add_rest(outbox, bytes, size);
	gathered.of = outbox;
	memcpy(gathered.bytes + gathered.size, bytes, size);
	gathered.size += size;
	return true;
}
