#include "http/h2_parts.h"

#include <string.h>

#include "http/connection.h"

/* What has been gathered and not been written; the worker's, for the time of one pump. */
static size_t gathered;

/* -- writing -- */

static void keep_rest(struct h2 *h2, const char *at, size_t size)
{
	struct slabs *slabs = &h2->base.host->rests;

	if (!h2->rest)
		h2->rest = slab_take(slabs);
	if (!h2->rest || size > slabs->size - h2->rest_to) {
		connection_abort(h2->base.connection, ENDED_OURS);
		return;
	}
	memcpy(h2->rest + h2->rest_to, at, size);
	h2->rest_to += (uint32_t)size;
}

/* How many bytes the stream takes; less than all: it is blocked, or lost. */
static size_t write_some(struct h2 *h2, const char *at, size_t size)
{
	size_t written = 0;

	while (written < size && !h2->is_blocked) {
		struct iovec part = {.iov_base = (void *)(uintptr_t)(at + written), .iov_len = size - written};
		size_t taken = 0;
		enum status status = connection_write(h2->base.connection, &part, 1, &taken);

		if (status != OK) {
			h2->is_blocked = true;
			break;
		}
		written += taken;
	}
	if (written > 0)
		h2->wrote_at = connection_now(h2->base.connection);
	return written;
}

static void write_out(struct h2 *h2, const char *at, size_t size)
{
	size_t written = h2->rest ? 0 : write_some(h2, at, size);

	if (written < size)
		keep_rest(h2, at + written, size - written);
}

/* Whole records; with `all` what is left too. */
static void write_gathered(struct h2 *h2, bool all)
{
	char *gather = h2->base.host->gather;
	size_t size = all ? gathered : gathered / H2_RECORD * H2_RECORD;

	if (size == 0)
		return;
	write_out(h2, gather, size);
	gathered -= size;
	memmove(gather, gather + size, gathered);
}

static void gather(struct h2 *h2, const void *bytes, size_t size)
{
	if (size > H2_GATHERED_MOST - gathered)
		write_gathered(h2, true);
	memcpy(h2->base.host->gather + gathered, bytes, size);
	gathered += size;
	h2->budget -= size < h2->budget ? (uint32_t)size : h2->budget;
}

/* True: nothing waits any more. */
static bool flush_rest(struct h2 *h2)
{
	if (!h2->rest)
		return true;
	h2->rest_from += (uint32_t)write_some(h2, h2->rest + h2->rest_from, h2->rest_to - h2->rest_from);
	if (h2->rest_from < h2->rest_to)
		return false;
	slab_give(&h2->base.host->rests, h2->rest);
	h2->rest = NULL;
	h2->rest_from = h2->rest_to = 0;
	return true;
}

/* -- bodies -- */

/* What a service shows beyond what its head announced. */
static void drop_surplus(struct body *down)
{
	struct span surplus;

	while ((surplus = body_peek(down)).size > 0)
		body_consume(down, surplus.size);
}

static size_t least(size_t a, size_t b)
{
	return a < b ? a : b;
}

static ssize_t on_data_wanted(nghttp2_session *session, int32_t id, uint8_t *unused, size_t length,
			      uint32_t *flags, nghttp2_data_source *source, void *user_data)
{
	struct h2_stream *stream = source->ptr;
	struct h2 *h2 = user_data;
	struct body *down = &stream->exchange->down;
	size_t size;
	bool is_all;

	(void)session;
	(void)id;
	(void)unused;
	if (h2->budget == 0 || h2->is_blocked)
		return NGHTTP2_ERR_PAUSE;
	if (down->flow == FLOW_FAILED || stream->is_reset)
		return NGHTTP2_ERR_DEFERRED;
	if (stream->left == 0)
		drop_surplus(down);
	size = least(least(body_peek(down).size, length), H2_PAYLOAD_MOST);
	if (size > stream->left)
		size = (size_t)stream->left;
	is_all = down->flow == FLOW_ENDED && (size == body_waiting(down) || size == stream->left);
	if (size == 0 && !is_all) {
		stream->is_deferred = true;
		return NGHTTP2_ERR_DEFERRED;
	}
	if (is_all && stream->left != UINT64_MAX && size < stream->left) {
		/* Cut, so that nobody takes the part for the whole. */
		stream->is_reset = true;
		stream->why = ENDED_FAR_SIDE;
		return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
	}
	*flags |= NGHTTP2_DATA_FLAG_NO_COPY;
	if (is_all)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	if (is_all && stream->down_trailers_size > 0 && h2_submit_trailers(stream))
		*flags |= NGHTTP2_DATA_FLAG_NO_END_STREAM;
	return (ssize_t)size;
}

nghttp2_data_provider h2_provider(struct h2_stream *stream)
{
	return (nghttp2_data_provider){.source.ptr = stream, .read_callback = on_data_wanted};
}

int h2_send_data(nghttp2_session *session, nghttp2_frame *frame, const uint8_t *head, size_t length,
		 nghttp2_data_source *source, void *user_data)
{
	struct h2_stream *stream = source->ptr;
	struct h2 *h2 = user_data;
	struct exchange *exchange = stream->exchange;

	(void)session;
	(void)frame;
	if (H2_GATHERED_MOST - gathered < 9 + length)
		write_gathered(h2, true);
	gather(h2, head, 9);
	if (length > 0) {
		gather(h2, body_peek(&exchange->down).at, length);
		body_consume(&exchange->down, length);
		exchange->bytes_down += length;
		if (stream->left != UINT64_MAX)
			stream->left -= length;
		h2_moved(stream, length);
		h2_earn(h2);
	}
	if (gathered >= H2_RECORD)
		write_gathered(h2, false);
	return h2->budget == 0 || h2->is_blocked ? NGHTTP2_ERR_PAUSE : 0;
}

/* -- turns -- */

static void produce(struct h2 *h2)
{
	const uint8_t *bytes;
	ssize_t size;

	while (h2->budget > 0 && !h2->is_blocked) {
		size = nghttp2_session_mem_send(h2->session, &bytes);
		if (size < 0) {
			connection_abort(h2->base.connection, ENDED_OURS);
			break;
		}
		if (size == 0)
			break;
		gather(h2, bytes, (size_t)size);
		if (gathered >= H2_RECORD)
			write_gathered(h2, false);
	}
}

bool h2_has_output(const struct h2 *h2)
{
	return h2->rest || nghttp2_session_want_write(h2->session);
}

void h2_pump(struct h2 *h2)
{
	struct connection *connection = h2->base.connection;

	if (h2->is_inside || !connection_may_write(connection) || h2->is_blocked || !flush_rest(h2))
		return;
	if (h2->budget == 0)
		return;
	h2->is_inside = true;
	gathered = 0;
	produce(h2);
	write_gathered(h2, true);
	h2->is_inside = false;
	/* The rest is for the next turn, so that others have theirs. */
	if (!h2->is_blocked && h2->budget == 0 && connection_may_write(connection))
		connection_again(connection);
}

void h2_on_down(void *arg)
{
	struct h2_stream *stream = arg;
	struct h2 *h2 = stream->h2;
	struct exchange *exchange = stream->exchange;

	if (!connection_may_write(h2->base.connection) || stream->step == STREAM_CLOSED || stream->is_reset)
		return;
	if (exchange->down.flow == FLOW_FAILED) {
		h2_reset(stream, stream->is_tunnel ? NGHTTP2_CANCEL : NGHTTP2_INTERNAL_ERROR,
			 exchange->down.why);
		return;
	}
	if (exchange->phase == PHASE_OPEN)
		return;
	if (stream->is_deferred) {
		stream->is_deferred = false;
		(void)nghttp2_session_resume_data(h2->session, stream->id);
	}
	/* Small answers of one turn share records; large ones need not be copied before they are sent. */
	if (body_waiting(&exchange->down) >= H2_BULK_FROM && !h2->is_inside)
		h2_pump(h2);
	connection_tidy(h2->base.connection);
}
