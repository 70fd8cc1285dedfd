#include "http/h2_parts.h"

#include <string.h>

#include "http/connection.h"
#include "http/service.h"

/* -- streams -- */

struct h2_stream *h2_find(struct h2 *h2, int32_t id)
{
	return nghttp2_session_get_stream_user_data(h2->session, id);
}

static struct h2_stream *stream_new(struct h2 *h2, int32_t id)
{
	struct http_host *host = h2->base.host;
	struct h2_stream *stream = slab_take(&host->streams);

	if (!stream)
		return NULL;
	memset(stream, 0, sizeof *stream);
	list_init(&stream->in_list);
	list_init(&stream->in_streams);
	stream->block = slab_take(&host->heads);
	if (!stream->block) {
		slab_give(&host->streams, stream);
		return NULL;
	}
	stream->h2 = h2;
	stream->id = id;
	stream->left = UINT64_MAX;
	stream->since = connection_now(h2->base.connection);
	if (list_is_empty(&h2->streams))
		h2->scan_at = 0;
	list_add_last(&h2->streams, &stream->in_streams);
	return stream;
}

void h2_stream_free(struct h2_stream *stream)
{
	struct http_host *host = stream->h2->base.host;

	stream->h2->held -= stream->held;
	h2_up_narrow(stream);
	list_remove(&stream->in_list);
	list_remove(&stream->in_streams);
	slab_give(&host->heads, stream->block);
	slab_give(&host->windows, stream->early);
	slab_give(&host->spills, stream->trailers);
	slab_give(&host->spills, stream->down_trailers);
	slab_give(&host->streams, stream);
}

/* -- what nghttp2 tells of what comes -- */

static bool is_request(const nghttp2_frame *frame)
{
	return frame->hd.type == NGHTTP2_HEADERS && frame->headers.cat == NGHTTP2_HCAT_REQUEST;
}

static int on_begin_headers(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
	/* Priorities are taken note of by nobody: streams share the way out evenly. */
	const nghttp2_extpri even = {.urgency = NGHTTP2_EXTPRI_DEFAULT_URGENCY, .inc = 1};
	struct h2 *h2 = user_data;
	struct h2_stream *stream;

	h2_forget_pseudo(h2);
	if (!is_request(frame) || h2->fault)
		return 0;
	stream = connection_may_read(h2->base.connection) ? stream_new(h2, frame->hd.stream_id) : NULL;
	if (!stream) {
		h2_count_reset(h2);
		(void)nghttp2_submit_rst_stream(session, NGHTTP2_FLAG_NONE, frame->hd.stream_id,
						NGHTTP2_REFUSED_STREAM);
		return 0;
	}
	(void)nghttp2_session_set_stream_user_data(session, frame->hd.stream_id, stream);
	(void)nghttp2_session_change_extpri_stream_priority(session, frame->hd.stream_id, &even, 1);
	return 0;
}

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
		     nghttp2_rcbuf *value, uint8_t flags, void *user_data)
{
	struct h2 *h2 = user_data;
	struct h2_stream *stream = h2_find(h2, frame->hd.stream_id);
	nghttp2_vec name_bytes, value_bytes;

	(void)session;
	(void)flags;
	if (!stream || h2->fault)
		return 0;
	if (stream->step == STREAM_HEAD) {
		h2_head_field(stream, name, value);
		return 0;
	}
	name_bytes = nghttp2_rcbuf_get_buf(name);
	value_bytes = nghttp2_rcbuf_get_buf(value);
	h2_up_trailer(stream, span_make(name_bytes.base, name_bytes.len),
		      span_make(value_bytes.base, value_bytes.len));
	return 0;
}

/* nghttp2 would leave such a field out and go on. */
static int on_invalid_header(nghttp2_session *session, const nghttp2_frame *frame, nghttp2_rcbuf *name,
			     nghttp2_rcbuf *value, uint8_t flags, void *user_data)
{
	(void)session;
	(void)frame;
	(void)name;
	(void)value;
	(void)flags;
	(void)user_data;
	return NGHTTP2_ERR_TEMPORAL_CALLBACK_FAILURE;
}

/* Its walk begins when all that was read is digested: a stream that is reset in the same read never
 * reaches the door. */
static void end_head(struct h2_stream *stream, bool is_all)
{
	struct h2 *h2 = stream->h2;
	struct exchange *exchange;

	h2_head_end(stream, is_all);
	exchange = exchange_new(&h2->base);
	if (!exchange) {
		h2_count_reset(h2);
		h2_reset(stream, NGHTTP2_REFUSED_STREAM, ENDED_OURS);
		return;
	}
	stream->exchange = exchange;
	stream->step = STREAM_FRESH;
	stream->has_ended = is_all;
	exchange->carrier = stream;
	exchange->block = stream->block;
	exchange->down.on_bytes = h2_on_down;
	exchange->down.consumer = stream;
	exchange->is_head = stream->is_head_method;
	if (!stream->bad) {
		exchange->request = &stream->block->head;
		exchange->target = &stream->block->target;
		h2_up_start(stream);
	} else {
		exchange->up.flow = FLOW_ENDED;
	}
	list_add_last(&h2->fresh, &stream->in_list);
}

static void take_headers(struct h2 *h2, const nghttp2_frame *frame)
{
	struct h2_stream *stream = h2_find(h2, frame->hd.stream_id);
	bool is_last = frame->hd.flags & NGHTTP2_FLAG_END_STREAM;

	if (!stream || stream->step == STREAM_CLOSED)
		return;
	if (stream->step == STREAM_HEAD)
		end_head(stream, is_last);
	else if (is_last && stream->exchange)
		h2_up_end(stream);
}

static int on_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
	struct h2 *h2 = user_data;
	struct h2_stream *stream;

	(void)session;
	if (h2->fault)
		return 0;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		take_headers(h2, frame);
		break;
	case NGHTTP2_DATA:
		if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM)
			h2_up_show(h2);
		stream = h2_find(h2, frame->hd.stream_id);
		if (frame->hd.flags & NGHTTP2_FLAG_END_STREAM && stream && stream->exchange &&
		    !stream->has_ended)
			h2_up_end(stream);
		break;
	case NGHTTP2_RST_STREAM:
		stream = h2_find(h2, frame->hd.stream_id);
		if (stream)
			stream->is_cancelled = true;
		break;
	case NGHTTP2_PING:
		/* The client has seen the first GOAWAY of a drain. */
		if (frame->hd.flags & NGHTTP2_FLAG_ACK && h2->drains)
			h2->notice_until = 0;
		break;
	default:
		break;
	}
	return 0;
}

static int on_begin_frame(nghttp2_session *session, const nghttp2_frame_hd *head, void *user_data)
{
	struct h2 *h2 = user_data;

	(void)session;
	if (h2->coming && (head->type != NGHTTP2_DATA || head->stream_id != h2->coming->id))
		h2_up_show(h2);
	if (head->type == NGHTTP2_DATA)
		h2->data_left = head->flags & NGHTTP2_FLAG_PADDED ? UINT32_MAX : (uint32_t)head->length;
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t size,
		   void *user_data)
{
	struct h2 *h2 = user_data;
	struct h2_stream *stream = h2_find(h2, id);
	bool is_last;

	if (h2->data_left != UINT32_MAX)
		h2->data_left -= (uint32_t)size;
	/* Of a padded frame nobody can tell which piece is the last. */
	is_last = flags & NGHTTP2_FLAG_END_STREAM && h2->data_left == 0;
	if (!stream || !stream->exchange || stream->step == STREAM_CLOSED || h2->fault) {
		(void)nghttp2_session_consume_connection(session, size);
		return 0;
	}
	h2_up_bytes(stream, span_make(bytes, size), is_last);
	return 0;
}

/* An error that is a stream's own; nghttp2 resets it. */
static int on_invalid_frame(nghttp2_session *session, const nghttp2_frame *frame, int error, void *user_data)
{
	struct h2_stream *stream = frame->hd.stream_id ? h2_find(user_data, frame->hd.stream_id) : NULL;

	(void)session;
	(void)error;
	if (frame->hd.stream_id != 0 && (!stream || !stream->is_counted))
		h2_count_reset(user_data);
	if (stream)
		stream->is_counted = true;
	return 0;
}

/* -- and of what goes -- */

static int on_sent(nghttp2_session *session, const nghttp2_frame *frame, void *user_data)
{
	struct h2_stream *stream;

	(void)session;
	if (frame->hd.type != NGHTTP2_DATA && frame->hd.type != NGHTTP2_HEADERS)
		return 0;
	if (!(frame->hd.flags & NGHTTP2_FLAG_END_STREAM))
		return 0;
	stream = h2_find(user_data, frame->hd.stream_id);
	if (stream && stream->exchange)
		h2_answer_over(stream);
	return 0;
}

static int on_stream_close(nghttp2_session *session, int32_t id, uint32_t code, void *user_data)
{
	struct h2_stream *stream = h2_find(user_data, id);

	(void)session;
	(void)code;
	if (stream)
		h2_stream_closed(stream);
	return 0;
}

/* -- the session -- */

static const nghttp2_session_callbacks *callbacks_of_all(void)
{
	static nghttp2_session_callbacks *made;

	if (made || nghttp2_session_callbacks_new(&made) != 0)
		return made;
	nghttp2_session_callbacks_set_on_begin_frame_callback(made, on_begin_frame);
	nghttp2_session_callbacks_set_on_begin_headers_callback(made, on_begin_headers);
	nghttp2_session_callbacks_set_on_header_callback2(made, on_header);
	nghttp2_session_callbacks_set_on_invalid_header_callback2(made, on_invalid_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(made, on_frame);
	nghttp2_session_callbacks_set_on_invalid_frame_recv_callback(made, on_invalid_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(made, on_data);
	nghttp2_session_callbacks_set_on_frame_send_callback(made, on_sent);
	nghttp2_session_callbacks_set_on_stream_close_callback(made, on_stream_close);
	nghttp2_session_callbacks_set_send_data_callback(made, h2_send_data);
	return made;
}

static const nghttp2_option *option_of_all(void)
{
	static nghttp2_option *made;

	if (made || nghttp2_option_new(&made) != 0)
		return made;
	nghttp2_option_set_no_auto_window_update(made, 1);
	nghttp2_option_set_no_closed_streams(made, 1);
	nghttp2_option_set_max_outbound_ack(made, H2_ACKS_MOST);
	nghttp2_option_set_max_settings(made, H2_SETTINGS_MOST);
	nghttp2_option_set_max_continuations(made, H2_CONTINUATIONS_MOST);
	/* h2_ceilings counts them, by our clock. */
	nghttp2_option_set_stream_reset_rate_limit(made, UINT64_MAX, UINT64_MAX);
	return made;
}

enum status h2_session_new(struct h2 *h2)
{
	const struct http_limits *limits = &h2->base.host->limits;
	const nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_MAX_CONCURRENT_STREAMS, limits->h2_streams},
		{NGHTTP2_SETTINGS_MAX_HEADER_LIST_SIZE, (uint32_t)limits->head_bytes},
		{NGHTTP2_SETTINGS_ENABLE_CONNECT_PROTOCOL, 1},
		{NGHTTP2_SETTINGS_NO_RFC7540_PRIORITIES, 1},
	};
	const nghttp2_session_callbacks *callbacks = callbacks_of_all();
	const nghttp2_option *option = option_of_all();

	if (!callbacks || !option ||
	    nghttp2_session_server_new3(&h2->session, callbacks, h2, option, h2_memory()) != 0)
		return FAILED;
	if (nghttp2_submit_settings(h2->session, NGHTTP2_FLAG_NONE, settings,
				    sizeof settings / sizeof *settings) != 0 ||
	    nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, 0,
						  H2_CONNECTION_WINDOW) != 0)
		return FAILED;
	return OK;
}

/* -- reading -- */

static void fail(struct h2 *h2, ssize_t error)
{
	switch (error) {
	case NGHTTP2_ERR_FLOODED:
	case NGHTTP2_ERR_TOO_MANY_SETTINGS:
		h2_fail(h2, NGHTTP2_ENHANCE_YOUR_CALM, H2_SMALL_FRAMES_TEXT);
		break;
	case NGHTTP2_ERR_TOO_MANY_CONTINUATIONS:
		h2_fail(h2, NGHTTP2_ENHANCE_YOUR_CALM, "HTTP/2: a head came in too many pieces");
		break;
	case NGHTTP2_ERR_BAD_CLIENT_MAGIC:
		h2_fail(h2, NGHTTP2_PROTOCOL_ERROR, "HTTP/2: the client did not begin with its preface");
		break;
	default:
		h2_fail(h2, NGHTTP2_INTERNAL_ERROR, nghttp2_strerror((int)error));
	}
}

static void digest(struct h2 *h2, struct span bytes)
{
	size_t allowed = 0;
	ssize_t used;

	h2->is_inside = true;
	(void)h2_scan_frames(h2, bytes, &allowed);
	used = nghttp2_session_mem_recv(h2->session, (const uint8_t *)bytes.at, allowed);
	if (used < 0)
		fail(h2, used);
	h2_up_show(h2);
	h2->is_inside = false;
	while (!list_is_empty(&h2->fresh)) {
		struct h2_stream *stream = OWNER_OF(list_first(&h2->fresh), struct h2_stream, in_list);

		list_remove(&stream->in_list);
		if (h2->fault)
			continue;
		h2_begin(stream);
	}
}

/* The client takes nothing of what it makes us say: it shall say no more. */
static bool is_choked(const struct h2 *h2)
{
	return h2->is_blocked && nghttp2_session_get_outbound_queue_size(h2->session) > H2_QUEUE_MOST;
}

static void on_end(struct h2 *h2)
{
	connection_close(h2->base.connection,
			 list_is_empty(&h2->streams) ? ENDED_DONE : ENDED_CLIENT_GONE);
}

/* Larger steps while a client uploads. */
static void fit_read(struct h2 *h2, size_t got)
{
	size_t most = h2->base.host->limits.bulk_bytes;

	if (h2->wide > 0)
		h2->read_size = (uint32_t)most;
	else if (got < h2->read_size)
		h2->read_size = H2_RECORD;
	else if (h2->read_size < most)
		h2->read_size *= 2;
	if (h2->read_size > most)
		h2->read_size = (uint32_t)most;
}

void h2_read(struct h2 *h2)
{
	struct connection *connection = h2->base.connection;
	struct http_host *host = h2->base.host;
	size_t allowance = host->limits.allowance, got;

	while (connection_may_read(connection) && !h2->fault) {
		h2->is_choked = is_choked(h2);
		if (h2->is_choked)
			break;
		got = 0;
		if (connection_read(connection, host->receive, h2->read_size, &got) != OK)
			break;
		if (got == 0) {
			on_end(h2);
			break;
		}
		fit_read(h2, got);
		digest(h2, span_make(host->receive, got));
		if (got >= allowance) {
			connection_again(connection);
			break;
		}
		allowance -= got;
		/* What is to be said is said before more is asked for. */
		h2_pump(h2);
	}
	connection_tidy(connection);
}
