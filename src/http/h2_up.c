#include "http/h2_parts.h"

#include <string.h>

#include "http/service.h"
#include "http/trailers.h"

/* -- credit -- */

void h2_credit_connection(struct h2 *h2)
{
	if (h2->uncredited == 0 || h2->held >= H2_HELD_MOST)
		return;
	(void)nghttp2_session_consume_connection(h2->session, h2->uncredited);
	h2->uncredited = 0;
}

static void hold(struct h2_stream *stream, size_t waiting)
{
	stream->h2->held += (uint32_t)waiting - stream->held;
	stream->held = (uint32_t)waiting;
}

/* Of a narrow window nghttp2 tells the client by halves. The wide one is for clients that are far away: what
 * of half of it comes in one burst would be told of with the next burst only, a round trip later. */
static void give_back(struct h2_stream *stream, size_t consumed)
{
	struct h2 *h2 = stream->h2;

	if (stream->step != STREAM_CLOSED && !stream->has_ended && stream->cut_at == 0) {
		if (!stream->is_wide)
			(void)nghttp2_session_consume_stream(h2->session, stream->id, consumed);
		else if (consumed < H2_WIDE_STEP)
			return;
		else
			(void)nghttp2_submit_window_update(h2->session, NGHTTP2_FLAG_NONE, stream->id,
							   (int32_t)consumed);
	}
	stream->uncredited -= (uint32_t)consumed;
}

void h2_credit(struct h2_stream *stream)
{
	struct h2 *h2 = stream->h2;
	size_t waiting = stream->early_size;

	if (stream->exchange)
		waiting += body_waiting(&stream->exchange->up);
	hold(stream, waiting < H2_SPILL ? waiting : H2_SPILL);
	if (waiting < stream->uncredited)
		give_back(stream, stream->uncredited - waiting);
	h2_credit_connection(h2);
}

static bool is_unwanted(const struct h2_stream *stream)
{
	const struct exchange *exchange = stream->exchange;

	return stream->is_discarding || stream->is_reset || exchange_is_answered(exchange) ||
	       (exchange->service && !exchange->service->on_up);
}

/* -- wide windows -- */

/* How much comes is known, or has shown itself. */
static bool is_large(const struct exchange *exchange)
{
	const struct head *request = exchange->request;

	if (request->framing == BODY_LENGTH)
		return exchange->bytes_up >= H2_WIDE_AFTER && request->length > exchange->bytes_up + H2_SPILL;
	return exchange->bytes_up >= H2_WIDE;
}

/* What a window of 64 KB lets through is 1.3 MB a second if the client is 50 ms away. The spill is
 * counted before the window is announced, and taken only if the service lags behind. */
static void widen(struct h2_stream *stream)
{
	struct h2 *h2 = stream->h2;
	struct http_host *host = h2->base.host;
	struct body *up = &stream->exchange->up;

	if (stream->is_wide || stream->is_websocket || stream->has_ended || stream->step == STREAM_CLOSED ||
	    up->flow != FLOW_OPEN || up->spill || !is_large(stream->exchange) || is_unwanted(stream))
		return;
	if (h2->wide == H2_WIDE_MOST || host->wide_streams == host->wide.ceiling)
		return;
	if (nghttp2_session_set_local_window_size(h2->session, NGHTTP2_FLAG_NONE, stream->id, H2_WIDE) != 0)
		return;
	stream->is_wide = true;
	h2->wide++;
	host->wide_streams++;
	up->slabs = &host->wide;
}

void h2_up_narrow(struct h2_stream *stream)
{
	if (!stream->is_wide)
		return;
	stream->is_wide = false;
	stream->h2->wide--;
	stream->h2->base.host->wide_streams--;
}

static void room_is_up(void *arg)
{
	struct h2_stream *stream = arg;

	h2_credit(stream);
	widen(stream);
	connection_tidy(stream->h2->base.connection);
}

/* -- what nobody wants -- */

/* More than a little of it is told to stop: an answer has gone, or is all that there will be. */
void h2_up_discard(struct h2_stream *stream)
{
	struct body *up = &stream->exchange->up;
	struct span waste;

	while ((waste = body_peek(up)).size > 0) {
		stream->discarded += waste.size;
		body_consume(up, waste.size);
	}
	if (stream->is_discarding && stream->discarded > stream->h2->base.host->limits.drain_bytes)
		h2_stop(stream);
	h2_credit(stream);
}

/* -- what comes -- */

void h2_up_start(struct h2_stream *stream)
{
	struct exchange *exchange = stream->exchange;
	const struct head *head = exchange->request;

	if (head_is_bodiless(head)) {
		exchange->up.flow = FLOW_ENDED;
		return;
	}
	stream->owes_continue = head->expects_continue;
	exchange_new_up(exchange, &stream->h2->base.host->windows);
	exchange->up.on_room = room_is_up;
	exchange->up.producer = stream;
}

/* A WebSocket's client need not wait for its 200 (RFC 8441 section 5). */
static void keep_early(struct h2_stream *stream, struct span bytes)
{
	struct slabs *slabs = &stream->h2->base.host->windows;

	if (!stream->early)
		stream->early = slab_take(slabs);
	if (!stream->early || bytes.size > slabs->size - stream->early_size) {
		h2_reset(stream, NGHTTP2_REFUSED_STREAM, ENDED_OURS);
		return;
	}
	memcpy(stream->early + stream->early_size, bytes.at, bytes.size);
	stream->early_size += (uint32_t)bytes.size;
}

static void show(struct h2_stream *stream, struct span bytes, bool last)
{
	struct h2 *h2 = stream->h2;
	struct exchange *exchange = stream->exchange;
	struct body *up = &exchange->up;

	exchange->bytes_up += bytes.size;
	stream->uncredited += (uint32_t)bytes.size;
	h2->uncredited += (uint32_t)bytes.size;
	stream->owes_continue = false;
	h2_moved(stream, bytes.size);
	if (!stream->is_websocket && !is_unwanted(stream) && exchange_is_over_ceiling(exchange, 0)) {
		h2_answer_bad_request(stream, BAD_TOO_LARGE);
		return;
	}
	if (stream->is_websocket && exchange->phase == PHASE_OPEN && !is_unwanted(stream)) {
		keep_early(stream, bytes);
	} else if (up->flow == FLOW_OPEN && !is_unwanted(stream)) {
		/* With fewer bytes than its length a request is not over, whatever nghttp2 will say. */
		if (last && exchange->request->framing == BODY_LENGTH && !stream->is_tunnel)
			last = exchange->bytes_up == exchange->request->length;
		body_show(up, bytes, last);
		if (is_unwanted(stream))
			h2_up_discard(stream);
		body_settle(up);
		if (up->flow == FLOW_FAILED)
			h2_reset(stream, NGHTTP2_INTERNAL_ERROR, up->why);
	} else {
		stream->discarded += bytes.size;
	}
	if (stream->is_discarding && stream->discarded > h2->base.host->limits.drain_bytes)
		h2_stop(stream);
	h2_credit(stream);
	widen(stream);
}

void h2_up_show(struct h2 *h2)
{
	struct h2_stream *stream = h2->coming;

	h2->coming = NULL;
	if (stream && !h2->fault)
		show(stream, h2->come, false);
}

/* Frames of one stream that came together make one piece: each piece is a system call towards an upstream.
 * Their heads, which have been read, give way. */
static void join(struct h2 *h2, struct span bytes)
{
	memmove((char *)(uintptr_t)h2->come.at + h2->come.size, bytes.at, bytes.size);
	h2->come.size += bytes.size;
}

void h2_up_bytes(struct h2_stream *stream, struct span bytes, bool last)
{
	struct h2 *h2 = stream->h2;

	if (h2->coming != stream)
		h2_up_show(h2);
	if (h2->coming)
		join(h2, bytes);
	else
		h2->come = bytes;
	h2->coming = last ? NULL : stream;
	if (last)
		show(stream, h2->come, true);
}

/* -- trailers -- */

static void put(struct h2_stream *stream, struct span bytes)
{
	if (bytes.size > trailer_limits.bytes - stream->trailers_size) {
		h2_reset(stream, NGHTTP2_ENHANCE_YOUR_CALM, ENDED_CLIENT_BAD);
		return;
	}
	memcpy(stream->trailers + stream->trailers_size, bytes.at, bytes.size);
	stream->trailers_size += (uint32_t)bytes.size;
}

static bool has_line_end(struct span text)
{
	return memchr(text.at, '\r', text.size) || memchr(text.at, '\n', text.size) ||
	       memchr(text.at, 0, text.size);
}

void h2_up_trailer(struct h2_stream *stream, struct span name, struct span value)
{
	struct slabs *slabs = &stream->h2->base.host->spills;

	if (!stream->exchange || stream->is_reset || name.size == 0)
		return;
	if (!field_is_token(name) || (value.size && has_line_end(value))) {
		h2_reset(stream, NGHTTP2_PROTOCOL_ERROR, ENDED_CLIENT_BAD);
		return;
	}
	if (!stream->trailers)
		stream->trailers = slab_take(slabs);
	if (!stream->trailers) {
		h2_reset(stream, NGHTTP2_INTERNAL_ERROR, ENDED_OURS);
		return;
	}
	put(stream, name);
	put(stream, SPAN(":"));
	put(stream, value);
	put(stream, SPAN("\r\n"));
}

void h2_up_end(struct h2_stream *stream)
{
	struct exchange *exchange = stream->exchange;
	struct body *up = &exchange->up;

	stream->has_ended = true;
	if (!up->spill)
		h2_up_narrow(stream);
	/* A WebSocket that has not begun has no such body yet. */
	if (up->flow != FLOW_OPEN)
		return;
	if (stream->trailers_size > 0 && !stream->is_tunnel) {
		put(stream, SPAN("\r\n"));
		trailers_keep(exchange, stream->trailers,
			      span_make(stream->trailers, stream->trailers_size));
	}
	if (!stream->is_reset)
		body_show(up, SPAN(""), true);
}

/* -- tunnels -- */

void h2_up_tunnel(struct h2_stream *stream)
{
	struct exchange *exchange = stream->exchange;
	struct body *up = &exchange->up;

	body_release(up);
	exchange_new_up(exchange, &stream->h2->base.host->windows);
	up->on_room = room_is_up;
	up->producer = stream;
	if (stream->early_size > 0) {
		up->window = span_make(stream->early, stream->early_size);
		body_settle(up);
	}
	slab_give(&stream->h2->base.host->windows, stream->early);
	stream->early = NULL;
	stream->early_size = 0;
	if (stream->has_ended && up->flow == FLOW_OPEN)
		up->flow = FLOW_ENDED;
	if (body_waiting(up) > 0 || up->flow != FLOW_OPEN)
		body_notify(up);
	h2_credit(stream);
}
