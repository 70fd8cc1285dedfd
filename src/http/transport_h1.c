#include "http/transport.h"

#include <string.h>

#include "http/connection.h"
#include "http/h1_parts.h"
#include "http/service.h"

void h1_moved(struct h1 *h1, size_t count)
{
	h1->moved += count;
	if (h1->moved < http_progress(&h1->base.host->limits))
		return;
	h1->moved = 0;
	h1->progress = connection_now(h1->base.connection);
}

/* Who is waited for: the client to send a head, to send its body, to take the answer; or nobody. */
void h1_set_deadline(struct h1 *h1)
{
	const struct http_limits *limits = &h1->base.host->limits;
	struct connection *connection = h1->base.connection;
	struct exchange *exchange = h1->exchange;
	bool waits;

	if (!exchange) {
		connection_deadline(connection, h1->since + (h1->to > h1->from ? limits->head_time
									       : limits->idle_time));
		return;
	}
	waits = h1->is_blocked || (h1->input == INPUT_BODY && exchange->up.window.size == 0 &&
				   body_room(&exchange->up) > 0 && exchange->service);
	/* A tunnel may be silent for as long as it likes; the rest of one that has ended may not wait. */
	if (exchange->phase == PHASE_TUNNEL && !exchange_is_answered(exchange))
		waits = false;
	if (waits && !h1->is_waiting) {
		h1->progress = connection_now(connection);
		h1->moved = 0;
	}
	h1->is_waiting = waits;
	connection_deadline(connection, waits ? h1->progress + limits->idle_time : INT64_MAX);
}

static void on_readable(struct transport *transport)
{
	struct h1 *h1 = h1_of(transport);

	h1->begun = 0;
	if (h1->input == INPUT_HEAD && h1->to > h1->from)
		(void)h1_try_head(h1);
	h1_read(h1);
}

static void on_writable(struct transport *transport)
{
	struct h1 *h1 = h1_of(transport);

	h1->is_blocked = false;
	h1_pump(h1);
	h1_set_deadline(h1);
}

static void go_idle(struct h1 *h1)
{
	h1->input = INPUT_HEAD;
	h1->since = connection_now(h1->base.connection);
}

/* The answer is out. True: the request too, and another exchange may begin. */
static bool finish_exchange(struct h1 *h1)
{
	struct connection *connection = h1->base.connection;
	struct exchange *exchange = h1->exchange;
	/* Draining began behind the answer's head, which does not say that it is the last one. */
	bool is_last = !h1->keep || (h1->drains && !h1->base.host->spares_idle);

	if (h1->input == INPUT_BODY) {
		h1_discard(h1);
		is_last |= h1->drained > h1->base.host->limits.drain_bytes;
		if (!is_last)
			return true;
	}
	h1->exchange = NULL;
	exchange_free(exchange, ENDED_DONE);
	h1_release_answer(h1);
	if (is_last) {
		h1->input = INPUT_END;
		connection_close(connection, ENDED_DONE);
		return false;
	}
	h1_collect(h1);
	go_idle(h1);
	return true;
}

static void tidy(struct transport *transport)
{
	struct h1 *h1 = h1_of(transport);
	struct connection *connection = transport->connection;

	h1_pump(h1);
	if (h1->exchange && h1->exchange->phase == PHASE_OVER && connection_may_write(connection)) {
		if (!finish_exchange(h1))
			return;
		if (h1->begun >= transport->host->limits.exchanges_a_call) {
			connection_again(connection);
		} else if (!h1->exchange) {
			if (h1->input == INPUT_HEAD && h1->to > h1->from)
				(void)h1_try_head(h1);
			h1_read(h1);
			return;
		}
	}
	h1_set_deadline(h1);
}

static void on_late(struct transport *transport)
{
	struct h1 *h1 = h1_of(transport);
	struct connection *connection = transport->connection;

	if (!h1->exchange && h1->to == h1->from)
		connection_close(connection, ENDED_DONE);
	else if (h1->is_blocked || (h1->exchange && h1->exchange->phase == PHASE_OVER))
		connection_abort(connection, ENDED_LATE);
	else
		h1_answer_bad_request(h1, BAD_TOO_SLOW);
	h1_set_deadline(h1);
}

/* A connection that never had a request may still bring the one that it was made for. */
static void drain(struct transport *transport)
{
	struct h1 *h1 = h1_of(transport);

	h1->drains = true;
	if (!h1->exchange && h1->to == h1->from && !transport->host->spares_idle &&
	    connection_exchanges(transport->connection) > 0)
		connection_close(transport->connection, ENDED_STOPPING);
}

static bool revoke(struct transport *transport, enum ending why)
{
	struct h1 *h1 = h1_of(transport);
	struct exchange *exchange = h1->exchange;

	h1->input = INPUT_END;
	h1->keep = false;
	if (!exchange || exchange->phase != PHASE_TUNNEL || exchange_is_answered(exchange))
		return exchange && exchange->phase == PHASE_TUNNEL;
	return exchange->service->revoke && exchange->service->revoke(exchange, why);
}

static void release(struct transport *transport, enum ending why)
{
	struct h1 *h1 = h1_of(transport);
	struct exchange *exchange = h1->exchange;

	h1->exchange = NULL;
	h1->input = INPUT_END;
	if (exchange)
		exchange_free(exchange, why);
	h1_release_answer(h1);
	slab_give(&transport->host->heads, h1->raw);
	slab_give(&transport->host->heads, h1->block);
	h1->raw = NULL;
	h1->block = NULL;
}

/* The block goes back; what the client sent behind its head moves into the spill. */
static void upgrade(struct exchange *exchange, const struct head *answer)
{
	struct h1 *h1 = h1_of(exchange->transport);
	struct http_host *host = exchange->transport->host;
	struct span early;

	/* A request that still has a body to send cannot become a tunnel. */
	if (h1->input != INPUT_NEXT || h1->raw) {
		body_fail(&exchange->down, ENDED_CLIENT_BAD);
		return;
	}
	early = span_make(h1->block->bytes + h1->from, h1->to - h1->from);
	exchange->phase = PHASE_TUNNEL;
	exchange->status = answer->code;
	h1->keep = false;
	connection_be_tunnel(h1->base.connection);
	h1_upgrade_head(h1, answer);
	if (host->on_tunnel)
		host->on_tunnel(exchange);
	exchange_forget_head(exchange);
	body_release(&exchange->up);
	exchange_new_up(exchange, &host->spills);
	exchange->up.on_room = h1_go_on;
	exchange->up.producer = h1;
	h1->input = INPUT_TUNNEL;
	if (early.size > 0) {
		exchange->bytes_up += early.size;
		exchange->up.window = early;
		body_settle(&exchange->up);
		body_notify(&exchange->up);
		if (exchange->up.flow == FLOW_FAILED)
			connection_abort(h1->base.connection, exchange->up.why);
	}
	slab_give(&host->heads, h1->block);
	h1->block = NULL;
	exchange->block = NULL;
	h1->from = h1->to = 0;
	/* Reading stopped when the block was full. */
	connection_again(h1->base.connection);
	connection_tidy(h1->base.connection);
}

static void want_body(struct exchange *exchange)
{
	struct h1 *h1 = h1_of(exchange->transport);

	if (exchange->phase == PHASE_OPEN && exchange->request->minor >= 1 &&
	    connection_may_write(h1->base.connection))
		h1_send_continue(h1);
}

static void flush(struct exchange *exchange)
{
	struct h1 *h1 = h1_of(exchange->transport);

	h1_pump(h1);
	if (connection_may_write(h1->base.connection))
		connection_flush(h1->base.connection);
	h1_set_deadline(h1);
}

static void close_after(struct exchange *exchange)
{
	h1_of(exchange->transport)->keep = false;
}

static const struct transport_ops ops = {
	.name = "h1",
	.on_readable = on_readable,
	.on_writable = on_writable,
	.tidy = tidy,
	.on_late = on_late,
	.drain = drain,
	.revoke = revoke,
	.release = release,
	.send_head = h1_send_head,
	.send_interim = h1_send_interim,
	.upgrade = upgrade,
	.send_trailers = h1_send_trailers,
	.want_body = want_body,
	.flush = flush,
	.close_after = close_after,
};

size_t transport_h1_size(void)
{
	return sizeof(struct h1);
}

struct transport *transport_h1_init(void *memory, struct connection *connection)
{
	struct h1 *h1 = memory;

	memset(h1, 0, sizeof *h1);
	h1->base.ops = &ops;
	h1->base.connection = connection;
	h1->base.host = connection_host(connection);
	list_init(&h1->base.exchanges);
	framer_init(&h1->framer, FRAME_NOTHING, 0);
	go_idle(h1);
	return &h1->base;
}
