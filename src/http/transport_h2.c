#include "http/transport.h"

#include <string.h>

#include "http/connection.h"
#include "http/h2_parts.h"
#include "http/page.h"
#include "http/service.h"

enum { SCANS = 8 /* within idle_time */ };

/* -- ends of streams -- */

/* Whoever says RST_STREAM: it was the client's doing. */
static void count_fault(struct h2_stream *stream)
{
	if (!stream->is_counted)
		h2_count_reset(stream->h2);
	stream->is_counted = true;
}

void h2_reset(struct h2_stream *stream, uint32_t code, enum ending why)
{
	if (stream->is_reset || stream->step == STREAM_CLOSED)
		return;
	stream->is_reset = true;
	stream->why = why;
	if (why == ENDED_CLIENT_BAD)
		count_fault(stream);
	(void)nghttp2_submit_rst_stream(stream->h2->session, NGHTTP2_FLAG_NONE, stream->id, code);
	connection_tidy(stream->h2->base.connection);
}

void h2_stream_closed(struct h2_stream *stream)
{
	if (stream->step == STREAM_CLOSED)
		return;
	if (stream->exchange && stream->exchange->phase == PHASE_OVER && !stream->is_reset)
		stream->why = ENDED_DONE;
	else if (!stream->is_reset)
		stream->why = stream->is_cancelled ? ENDED_CLIENT_GONE : ENDED_CLIENT_BAD;
	/* By nghttp2: of a body that is not as long as it was to be it tells nobody else. */
	if (stream->why == ENDED_CLIENT_BAD)
		count_fault(stream);
	stream->step = STREAM_CLOSED;
	list_remove(&stream->in_list);
	list_add_last(&stream->h2->over, &stream->in_list);
	connection_tidy(stream->h2->base.connection);
}

void h2_answer_over(struct h2_stream *stream)
{
	stream->exchange->phase = PHASE_OVER;
	if (stream->has_ended)
		return;
	stream->is_discarding = true;
	if (stream->is_tunnel)
		h2_reset(stream, NGHTTP2_NO_ERROR, ENDED_DONE);
	h2_up_discard(stream);
}

/* RFC 9113 section 8.1 has RST_STREAM follow the answer at once, but curl 7.88 and others then forget the answer
 * that they have not read yet: they get a moment, and no window. */
void h2_stop(struct h2_stream *stream)
{
	struct h2 *h2 = stream->h2;

	if (stream->cut_at > 0)
		return;
	stream->cut_at = connection_now(h2->base.connection) + h2->base.host->limits.linger_time;
	if (h2->scan_at == 0 || stream->cut_at < h2->scan_at)
		h2->scan_at = stream->cut_at;
	connection_tidy(h2->base.connection);
}

static void collect(struct h2_stream *stream)
{
	struct exchange *exchange = stream->exchange;

	stream->exchange = NULL;
	if (exchange)
		exchange_free(exchange, stream->why);
	h2_stream_free(stream);
}

static void collect_all(struct h2 *h2)
{
	while (!list_is_empty(&h2->over))
		collect(OWNER_OF(list_first(&h2->over), struct h2_stream, in_list));
	h2_credit_connection(h2);
	if (list_is_empty(&h2->streams) && h2->idle_since == INT64_MAX)
		h2->idle_since = connection_now(h2->base.connection);
}

/* -- the walk -- */

static void answer_plainly(struct exchange *exchange, enum bad_request why)
{
	page_answer(exchange, bad_request_status(why), SPAN("text/plain; charset=utf-8"),
		    span_of(bad_request_text(why)));
}

void h2_answer_bad_request(struct h2_stream *stream, enum bad_request why)
{
	struct http_host *host = stream->h2->base.host;
	struct exchange *exchange = stream->exchange;

	if (exchange->phase != PHASE_OPEN) {
		h2_reset(stream, NGHTTP2_CANCEL, why == BAD_TOO_SLOW ? ENDED_LATE : ENDED_CLIENT_BAD);
		return;
	}
	exchange_cut_service(exchange);
	body_release(&exchange->up);
	exchange_new_up(exchange, &host->spills);
	exchange->up.flow = FLOW_ENDED;
	stream->owes_continue = false;
	/* What still comes is not waited for. */
	stream->discarded = host->limits.drain_bytes + 1;
	(host->on_bad_request ? host->on_bad_request : answer_plainly)(exchange, why);
	h2_credit(stream);
}

void h2_begin(struct h2_stream *stream)
{
	struct h2 *h2 = stream->h2;
	struct exchange *exchange = stream->exchange;

	stream->step = STREAM_OPEN;
	h2->idle_since = INT64_MAX;
	if (stream->is_reset)
		return;
	if (stream->bad) {
		h2_answer_bad_request(stream, (enum bad_request)(stream->bad - 1));
		return;
	}
	h2->base.host->on_exchange(exchange);
	if (exchange->service && !exchange->service->on_up)
		h2_up_discard(stream);
}

/* -- the end of the connection -- */

void h2_fail(struct h2 *h2, uint32_t code, const char *text)
{
	if (h2->fault)
		return;
	h2->fault = code;
	h2->fault_text = text;
	connection_tidy(h2->base.connection);
}

/* What is said last has been said, or cannot be. */
static void close_when_said(struct h2 *h2, enum ending why)
{
	if (h2->is_closing)
		return;
	h2_pump(h2);
	if (!h2->is_blocked && h2_has_output(h2) && connection_may_write(h2->base.connection))
		return;
	h2->is_closing = true;
	if (h2->is_blocked)
		connection_abort(h2->base.connection, why);
	else
		connection_close(h2->base.connection, why);
}

static void end_with_fault(struct h2 *h2)
{
	if (!h2->is_last_said) {
		h2->is_last_said = true;
		connection_blame(h2->base.connection, h2->fault_text);
		(void)nghttp2_session_terminate_session(h2->session, h2->fault);
	}
	close_when_said(h2, ENDED_CLIENT_BAD);
}

static void say_last(struct h2 *h2)
{
	if (h2->is_last_said)
		return;
	h2->is_last_said = true;
	(void)nghttp2_submit_goaway(h2->session, NGHTTP2_FLAG_NONE,
				    nghttp2_session_get_last_proc_stream_id(h2->session), NGHTTP2_NO_ERROR,
				    NULL, 0);
}

/* RFC 9113 section 6.8: a first GOAWAY that refuses nothing, then, when the client has seen it, one with
 * the last stream that we take. A connection that never had a request may still bring the one that it
 * was made for. */
static void go_on_draining(struct h2 *h2)
{
	if (!h2->is_last_said && connection_now(h2->base.connection) < h2->notice_until)
		return;
	if (list_is_empty(&h2->streams) && connection_exchanges(h2->base.connection) == 0 &&
	    connection_now(h2->base.connection) < h2->idle_since + h2->base.host->limits.idle_time)
		return;
	say_last(h2);
	if (list_is_empty(&h2->streams))
		close_when_said(h2, ENDED_STOPPING);
}

static bool is_over(const struct h2 *h2)
{
	return !nghttp2_session_want_read(h2->session) && !nghttp2_session_want_write(h2->session);
}

static void finish_turn(struct h2 *h2)
{
	struct transport *transport = &h2->base;

	h2_pump(h2);
	collect_all(h2);
	if (h2->is_closing)
		return;
	h2_pump(h2);
	collect_all(h2);
	if (!connection_may_write(transport->connection))
		return;
	if (h2->fault) {
		end_with_fault(h2);
		return;
	}
	if (h2->is_ending) {
		if (list_is_empty(&h2->streams))
			close_when_said(h2, ENDED_REVOKED);
		return;
	}
	if (h2->drains)
		go_on_draining(h2);
	/* nghttp2 has ended it, for a fault of the client's. */
	else if (is_over(h2) && !h2->rest)
		connection_close(transport->connection, ENDED_DONE);
	if (!h2->is_closing)
		h2_pump(h2);
	h2_set_deadline(h2);
}

static void tidy(struct transport *transport)
{
	struct h2 *h2 = h2_of(transport);

	finish_turn(h2);
	/* Used up: the next turn, which connection_again has asked for, brings a new one. */
	if (h2->budget > 0)
		h2->budget = H2_OUTPUT_A_TURN;
}

/* -- deadlines -- */

/* Streams have none that is armed: a scan a few times within idle_time finds those that wait for the
 * client and have waited too long. */
void h2_set_deadline(struct h2 *h2)
{
	const struct http_limits *limits = &h2->base.host->limits;
	struct connection *connection = h2->base.connection;
	int64_t now = connection_now(connection), due;

	if (list_is_empty(&h2->streams) && !h2->rest) {
		due = (h2->idle_since == INT64_MAX ? now : h2->idle_since) + limits->idle_time;
		h2->scan_at = 0;
	} else {
		if (h2->scan_at == 0)
			h2->scan_at = now + limits->idle_time / SCANS;
		due = h2->scan_at;
	}
	if (h2->drains && !h2->is_last_said && h2->notice_until > 0 && h2->notice_until < due)
		due = h2->notice_until;
	connection_deadline(connection, due);
}

static bool waits_to_receive(const struct h2_stream *stream)
{
	const struct exchange *exchange = stream->exchange;

	if (stream->is_discarding)
		return true;
	return exchange->service && exchange->up.flow == FLOW_OPEN && body_waiting(&exchange->up) == 0;
}

static bool waits_to_send(const struct h2_stream *stream)
{
	const struct exchange *exchange = stream->exchange;

	return exchange->phase != PHASE_OPEN && exchange->phase != PHASE_OVER &&
	       (body_waiting(&exchange->down) > 0 || exchange_is_answered(exchange));
}

static void be_late(struct h2_stream *stream)
{
	struct h2 *h2 = stream->h2;

	if (stream->is_discarding)
		h2_reset(stream, NGHTTP2_NO_ERROR, ENDED_DONE);
	else if (!waits_to_send(stream))
		h2_answer_bad_request(stream, BAD_TOO_SLOW);
	else if (nghttp2_session_get_remote_window_size(h2->session) <= 0)
		h2_fail(h2, NGHTTP2_ENHANCE_YOUR_CALM, "HTTP/2: the client's window stayed shut");
	else
		h2_reset(stream, NGHTTP2_ENHANCE_YOUR_CALM, ENDED_LATE);
}

static void scan_stream(struct h2_stream *stream, int64_t now)
{
	const struct http_limits *limits = &stream->h2->base.host->limits;
	bool waits;

	if (stream->step == STREAM_CLOSED || stream->is_reset)
		return;
	if (!stream->exchange) {
		if (now - stream->since >= limits->head_time)
			h2_fail(stream->h2, NGHTTP2_ENHANCE_YOUR_CALM,
				"HTTP/2: a head was not complete in time");
		return;
	}
	if (stream->cut_at > 0 && now >= stream->cut_at) {
		h2_reset(stream, NGHTTP2_NO_ERROR, ENDED_DONE);
		return;
	}
	if (stream->cut_at > 0 && (stream->h2->scan_at == 0 || stream->cut_at < stream->h2->scan_at))
		stream->h2->scan_at = stream->cut_at;
	waits = waits_to_receive(stream) || waits_to_send(stream);
	/* A tunnel may be silent for as long as it likes, but must take what there is. */
	if (stream->is_tunnel)
		waits = waits_to_send(stream);
	if (!waits || !stream->waits || stream->moved >= http_progress(limits)) {
		stream->waits = waits;
		stream->moved = 0;
		stream->progress = now;
	} else if (now - stream->progress >= limits->idle_time) {
		be_late(stream);
	}
}

static void scan(struct h2 *h2)
{
	const struct http_limits *limits = &h2->base.host->limits;
	int64_t now = connection_now(h2->base.connection);

	if (now < h2->scan_at)
		return;
	h2->scan_at = 0;
	if (h2->rest && now - h2->wrote_at >= limits->idle_time) {
		connection_abort(h2->base.connection, ENDED_LATE);
		return;
	}
	LIST_EACH (it, &h2->streams)
		scan_stream(OWNER_OF(it, struct h2_stream, in_streams), now);
}

static void on_late(struct transport *transport)
{
	struct h2 *h2 = h2_of(transport);

	if (list_is_empty(&h2->streams) && !h2->rest) {
		if (connection_now(transport->connection) >= h2->idle_since + transport->host->limits.idle_time) {
			say_last(h2);
			close_when_said(h2, ENDED_DONE);
			return;
		}
	} else {
		scan(h2);
	}
	if (h2->notice_until > 0 && connection_now(transport->connection) >= h2->notice_until)
		h2->notice_until = 0;
	tidy(transport);
}

/* -- from the connection -- */

static void on_readable(struct transport *transport)
{
	struct h2 *h2 = h2_of(transport);

	if (h2->session)
		h2_read(h2);
}

static void on_writable(struct transport *transport)
{
	struct h2 *h2 = h2_of(transport);

	h2->is_blocked = false;
	h2->budget = H2_OUTPUT_A_TURN;
	h2_pump(h2);
	if (h2->is_ending || h2->fault || !list_is_empty(&h2->over))
		connection_tidy(transport->connection);
}

/* A tunnel may say a last word; all else is cut at once. False: there is nobody to say it to. */
static bool revoke_stream(struct h2_stream *stream, enum ending why)
{
	struct exchange *exchange = stream->exchange;
	const struct service *service = exchange ? exchange->service : NULL;

	if (stream->is_tunnel && exchange_is_answered(exchange))
		return true;
	if (stream->is_tunnel && service && service->revoke && service->revoke(exchange, why))
		return true;
	h2_reset(stream, NGHTTP2_CANCEL, why);
	stream->why = why;
	return false;
}

/* They end by no answer. */
static void end_tunnels(struct h2 *h2, enum ending why)
{
	LIST_EACH (it, &h2->streams) {
		struct h2_stream *stream = OWNER_OF(it, struct h2_stream, in_streams);

		if (stream->is_tunnel && stream->step != STREAM_CLOSED)
			(void)revoke_stream(stream, why);
	}
	connection_tidy(h2->base.connection);
}

static void drain(struct transport *transport)
{
	struct h2 *h2 = h2_of(transport);

	if (h2->session && transport->host->is_stopping)
		end_tunnels(h2, ENDED_STOPPING);
	if (h2->drains || !h2->session)
		return;
	h2->drains = true;
	h2->notice_until = connection_now(transport->connection) + H2_NOTICE_TIME;
	(void)nghttp2_submit_shutdown_notice(h2->session);
	(void)nghttp2_submit_ping(h2->session, NGHTTP2_FLAG_NONE, NULL);
	connection_tidy(transport->connection);
}

static bool revoke(struct transport *transport, enum ending why)
{
	struct h2 *h2 = h2_of(transport);

	if (!h2->session || h2->is_closing)
		return false;
	h2->is_ending = true;
	LIST_EACH (it, &h2->streams) {
		struct h2_stream *stream = OWNER_OF(it, struct h2_stream, in_streams);

		if (stream->step != STREAM_CLOSED)
			(void)revoke_stream(stream, why);
	}
	say_last(h2);
	tidy(transport);
	return true;
}

static void release(struct transport *transport, enum ending why)
{
	struct h2 *h2 = h2_of(transport);

	collect_all(h2);
	LIST_EACH (it, &h2->streams) {
		struct h2_stream *stream = OWNER_OF(it, struct h2_stream, in_streams);

		if (!stream->is_reset)
			stream->why = why;
		collect(stream);
	}
	h2_forget_pseudo(h2);
	slab_give(&transport->host->rests, h2->rest);
	h2->rest = NULL;
	nghttp2_session_del(h2->session);
	h2->session = NULL;
}

/* -- from exchanges -- */

static void upgrade(struct exchange *exchange, const struct head *answer)
{
	struct h2_stream *stream = exchange->carrier;
	struct http_host *host = exchange->transport->host;

	if (!stream->is_websocket || stream->is_reset || stream->step == STREAM_CLOSED) {
		body_fail(&exchange->down, ENDED_CLIENT_GONE);
		return;
	}
	exchange->phase = PHASE_TUNNEL;
	exchange->status = 200;
	stream->is_tunnel = true;
	h2_send_tunnel_head(exchange, answer);
	if (host->on_tunnel)
		host->on_tunnel(exchange);
	exchange_forget_head(exchange);
	slab_give(&host->heads, stream->block);
	stream->block = NULL;
	exchange->block = NULL;
	h2_up_tunnel(stream);
}

static void want_body(struct exchange *exchange)
{
	if (exchange->phase == PHASE_OPEN && connection_may_write(exchange->connection))
		h2_send_continue(exchange->carrier);
}

/* Others may answer in the same turn, and share the record. */
static void flush(struct exchange *exchange)
{
	connection_tidy(exchange->connection);
}

static void close_after(struct exchange *exchange)
{
	drain(exchange->transport);
}

static bool end(struct exchange *exchange, enum ending why)
{
	struct h2_stream *stream = exchange->carrier;

	if (stream->step != STREAM_CLOSED && connection_may_write(exchange->connection))
		(void)revoke_stream(stream, why);
	return true;
}

static const struct transport_ops ops = {
	.name = "h2",
	.on_readable = on_readable,
	.on_writable = on_writable,
	.tidy = tidy,
	.on_late = on_late,
	.drain = drain,
	.revoke = revoke,
	.release = release,
	.send_head = h2_send_head,
	.send_interim = h2_send_interim,
	.upgrade = upgrade,
	.send_trailers = h2_send_trailers,
	.want_body = want_body,
	.flush = flush,
	.close_after = close_after,
	.end = end,
};

size_t transport_h2_size(void)
{
	return sizeof(struct h2);
}

struct transport *transport_h2_init(void *memory, struct connection *connection)
{
	struct h2 *h2 = memory;

	memset(h2, 0, sizeof *h2);
	h2->base.ops = &ops;
	h2->base.connection = connection;
	h2->base.host = connection_host(connection);
	list_init(&h2->base.exchanges);
	list_init(&h2->streams);
	list_init(&h2->fresh);
	list_init(&h2->over);
	h2->scan.skip = NGHTTP2_CLIENT_MAGIC_LEN;
	h2->read_size = H2_RECORD;
	h2->budget = H2_OUTPUT_A_TURN;
	h2->idle_since = h2->wrote_at = connection_now(connection);
	h2->meter.second = h2->idle_since;
	if (h2_session_new(h2) != OK)
		connection_abort(connection, ENDED_OURS);
	else
		connection_tidy(connection);
	h2_set_deadline(h2);
	return &h2->base;
}
