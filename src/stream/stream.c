#include "stream/stream.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/x509_vfy.h>

#include "stream/socket.h"

enum { LINGER_CALLS = 16, LINGER_ROOM = 16384, LOOK_ROOM = 2048 };

/* A turn's event for a stream that its owner has freed meanwhile goes nowhere: stream_free took
 * the source out of the loop. */
static void on_source_ready(struct source *source)
{
	struct stream *stream = OWNER_OF(source, struct stream, source);

	if (source->ready & READY_HANGUP)
		stream->hung_up = true;
	if (source->ready & (READY_IN | READY_HANGUP))
		stream->drained = false;
	if (source->ready & (READY_OUT | READY_HANGUP))
		stream->blocked = false;
	source->ready = 0;
	if (stream->ops->on_edge)
		stream->ops->on_edge(stream);
	stream->on_ready(stream->owner);
}

enum status stream_start(struct stream *stream, struct loop *loop, void (*on_ready)(void *owner),
			 void *owner, struct error *err)
{
	enum status status = OK;

	stream->source.on_ready = on_source_ready;
	stream->on_ready = on_ready;
	stream->owner = owner;
	if (stream->source.fd >= 0)
		TRY(loop_add(loop, &stream->source, err));
	stream->loop = loop;
done:
	return status;
}

void stream_again(struct stream *stream)
{
	if (stream->loop && !stream->freed)
		loop_again(stream->loop, &stream->source);
}

enum status stream_feed(struct stream *stream, struct span already_read, struct error *err)
{
	size_t left = stream->fed_size - stream->fed_at;
	char *fed;

	if (already_read.size == 0)
		return OK;
	if (already_read.size > STREAM_FEED_MOST - left)
		return error_fail(err, "more than %d bytes read ahead of a stream", STREAM_FEED_MOST);
	fed = malloc(left + already_read.size);
	if (!fed)
		return error_fail(err, "no memory for bytes read ahead");
	if (left)
		memcpy(fed, stream->fed + stream->fed_at, left);
	memcpy(fed + left, already_read.at, already_read.size);
	free(stream->fed);
	stream->fed = fed;
	stream->fed_at = 0;
	stream->fed_size = (uint32_t)(left + already_read.size);
	return OK;
}

static enum status read_descriptor(struct stream *stream, void *into, size_t room, size_t *got)
{
	bool short_read = false;
	enum status status;

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

enum status stream_look_ahead(struct stream *stream, size_t most, struct span *out, struct error *err)
{
	size_t there = stream->fed_size - stream->fed_at, room, got = 0;
	char chunk[LOOK_ROOM];
	enum status status;

	room = most > there ? most - there : 0;
	if (room == 0)
		return AGAIN;
	if (room > sizeof chunk)
		room = sizeof chunk;
	if (stream->failure)
		return stream_fail(stream, stream->failure, 0);
	status = stream->ops->read_ahead ? stream->ops->read_ahead(stream, chunk, room, &got)
					 : read_descriptor(stream, chunk, room, &got);
	if (status == OK && got == 0)
		status = stream_fail(stream, STREAM_CUT, 0);
	if (status == OK)
		status = stream_feed(stream, span_make(chunk, got), err);
	if (status == OK)
		*out = span_make(stream->fed + stream->fed_at, stream->fed_size - stream->fed_at);
	return status;
}

void stream_pass(struct stream *stream, size_t count)
{
	stream->fed_at += (uint32_t)count;
	if (stream->fed_at < stream->fed_size)
		return;
	free(stream->fed);
	stream->fed = NULL;
	stream->fed_at = stream->fed_size = 0;
}

enum status stream_fail(struct stream *stream, enum stream_failure failure, unsigned long cause)
{
	if (stream->failure == STREAM_WELL) {
		stream->failure = (uint8_t)failure;
		stream->cause = cause;
	}
	return stream->failure == STREAM_BROKEN ? FAILED : REFUSED;
}

enum status stream_linger(struct stream *stream)
{
	static char scrap[LINGER_ROOM];
	size_t got;
	int i;

	if (!stream->fin_sent) {
		(void)shutdown(stream->source.fd, SHUT_WR);
		stream->fin_sent = true;
	}
	for (i = 0; i < LINGER_CALLS; i++) {
		bool short_read = false;
		enum status status = OK;

		if (stream->ended || stream->failure == STREAM_GONE)
			return OK;
		if (stream->drained)
			return AGAIN;
		status = socket_receive(stream->source.fd, scrap, sizeof scrap, &got, &short_read);
		if (status == REFUSED || (status == OK && got == 0))
			stream->ended = true;
		else if (status == AGAIN || (short_read && !stream->hung_up))
			stream->drained = true;
	}
	stream_again(stream);
	return AGAIN;
}

static void run_freeing(struct task *task)
{
	struct stream *stream = OWNER_OF(task, struct stream, freeing);

	stream->ops->release(stream);
}

void stream_end_writing(struct stream *stream)
{
	if (stream->ops->end_writing)
		stream->ops->end_writing(stream);
}

void stream_free(struct stream *stream)
{
	if (!stream || stream->freed)
		return;
	stream->freed = true;
	free(stream->fed);
	stream->fed = NULL;
	stream->fed_at = stream->fed_size = 0;
	if (stream->loop)
		loop_remove(stream->loop, &stream->source);
	if (stream->source.fd >= 0)
		close(stream->source.fd);
	stream->source.fd = -1;
	if (!stream->loop) {
		stream->ops->release(stream);
		return;
	}
	task_init(&stream->freeing, run_freeing);
	loop_post(stream->loop, &stream->freeing);
}

void stream_reset(struct stream *stream)
{
	const struct linger at_once = {.l_onoff = 1, .l_linger = 0};

	if (!stream || stream->freed)
		return;
	stream->was_reset = true;
	if (stream->source.fd >= 0)
		(void)setsockopt(stream->source.fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once);
	stream_free(stream);
}

static enum status ask_address(const struct stream *stream, struct address *out,
			       int (*ask)(int, struct sockaddr *restrict, socklen_t *restrict))
{
	struct address found;

	memset(&found, 0, sizeof found);
	found.size = sizeof found.un;
	if (stream->source.fd < 0 || ask(stream->source.fd, &found.any, &found.size))
		return FAILED;
	*out = found;
	return OK;
}

enum status stream_peer_address(const struct stream *stream, struct address *out)
{
	return ask_address(stream, out, getpeername);
}

enum status stream_local_address(const struct stream *stream, struct address *out)
{
	return ask_address(stream, out, getsockname);
}

static const char *reason_of(unsigned long code)
{
	const char *reason = ERR_reason_error_string(code);

	return reason ? reason : "for a reason that OpenSSL does not tell";
}

void stream_explain(const struct stream *stream, struct error *err)
{
	switch ((enum stream_failure)stream->failure) {
	case STREAM_WELL:
		(void)error_fail(err, "nothing is wrong");
		break;
	case STREAM_GONE:
		(void)error_refuse(err, "the peer is gone: %s", strerror((int)stream->cause));
		break;
	case STREAM_CUT:
		(void)error_refuse(err, "the peer ended without saying so (no close_notify)");
		break;
	case STREAM_GARBLED:
		(void)error_refuse(err, "TLS: %s", reason_of(stream->cause));
		break;
	case STREAM_TURNED_AWAY:
		(void)error_refuse(err, "turned away in the handshake: %s", reason_of(stream->cause));
		break;
	case STREAM_IN_CLEAR:
		(void)error_refuse(err, "the peer does not speak TLS on a TLS port");
		break;
	case STREAM_UNTRUSTED:
		(void)error_refuse(err, "TLS: the server's certificate is not accepted: %s",
				   X509_verify_cert_error_string((long)stream->cause));
		break;
	case STREAM_BROKEN:
		(void)error_fail(err, "the stream broke on our side: %s",
				 stream->cause ? reason_of(stream->cause) : "no memory");
		break;
	}
}
