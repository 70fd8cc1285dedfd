#include "stream/plain_stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "stream/socket.h"

static enum status read_fed(struct stream *stream, void *into, size_t room, size_t *got)
{
	size_t left = stream->fed_size - stream->fed_at;

	*got = left < room ? left : room;
	memcpy(into, stream->fed + stream->fed_at, *got);
	stream->fed_at += (uint32_t)*got;
	if (stream->fed_at == stream->fed_size) {
		free(stream->fed);
		stream->fed = NULL;
		stream->fed_at = stream->fed_size = 0;
	}
	return OK;
}

/* A peer that answers early and closes resets what we still write, but its answer is there. */
static enum status read_unheard(struct stream *stream, void *into, size_t room, size_t *got)
{
	bool short_read;

	if (socket_receive(stream->source.fd, into, room, got, &short_read) == OK && *got > 0)
		return OK;
	stream->unheard = false;
	return stream_fail(stream, stream->failure, 0);
}

static enum status plain_read(struct stream *stream, void *into, size_t room, size_t *got)
{
	bool short_read = false;
	enum status status;

	if (stream->unheard)
		return read_unheard(stream, into, room, got);
	if (stream->failure)
		return stream_fail(stream, stream->failure, 0);
	if (room == 0)
		return AGAIN;
	if (stream->fed)
		return read_fed(stream, into, room, got);
	if (stream->ended) {
		*got = 0;
		return OK;
	}
	if (stream->drained)
		return AGAIN;
	status = socket_receive(stream->source.fd, into, room, got, &short_read);
	if (status == REFUSED)
		return stream_fail(stream, STREAM_GONE, (unsigned long)errno);
	if (status == OK && *got == 0)
		stream->ended = true;
	else if (status == AGAIN || (short_read && !stream->hung_up))
		stream->drained = true;
	return status;
}

static enum status plain_write(struct stream *stream, const struct iovec *pieces, int count,
			       size_t *taken)
{
	bool full = false;
	enum status status;

	if (stream->failure)
		return stream_fail(stream, stream->failure, 0);
	if (stream->blocked)
		return AGAIN;
	status = socket_send(stream->source.fd, pieces, count, taken, &full);
	if (status == REFUSED) {
		stream->unheard = true;
		return stream_fail(stream, STREAM_GONE, (unsigned long)errno);
	}
	if (status == AGAIN || full)
		stream->blocked = true;
	return status;
}

static enum status plain_flush(struct stream *stream)
{
	return stream->failure ? stream_fail(stream, stream->failure, 0) : OK;
}

static enum status plain_finish(struct stream *stream)
{
	return stream_linger(stream);
}

static void plain_end_writing(struct stream *stream)
{
	if (!stream->fin_sent)
		(void)shutdown(stream->source.fd, SHUT_WR);
	stream->fin_sent = true;
}

static bool plain_has_pending(const struct stream *stream)
{
	return stream->fed || stream->failure || stream->ended || !stream->drained;
}

static enum status plain_secure(struct stream *stream)
{
	(void)stream;
	return OK;
}

static void plain_release(struct stream *stream)
{
	free(stream);
}

static const struct stream_ops plain_ops = {
	.name = "plain",
	.read = plain_read,
	.write = plain_write,
	.flush = plain_flush,
	.finish = plain_finish,
	.end_writing = plain_end_writing,
	.has_pending = plain_has_pending,
	.secure = plain_secure,
	.release = plain_release,
};

enum status plain_stream_new(int fd, struct stream **out, struct error *err)
{
	struct stream *stream = malloc(sizeof *stream);

	if (!stream)
		return error_fail(err, "no memory for a stream");
	stream_init(stream, &plain_ops, fd);
	*out = stream;
	return OK;
}
