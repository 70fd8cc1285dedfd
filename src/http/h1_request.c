#include "http/h1_parts.h"

#include <string.h>

#include "http/page.h"
#include "http/service.h"
#include "http/trailers.h"

/* -- heads -- */

static struct head_limits head_limits_of(const struct h1 *h1)
{
	struct head_limits limits = head_limits_default;

	limits.bytes = (uint32_t)h1->base.host->limits.head_bytes;
	return limits;
}

static enum bad_request bad_request_of(enum head_refusal refusal)
{
	switch (refusal) {
	case HEAD_URI_TOO_LONG:
		return BAD_TARGET_TOO_LONG;
	case HEAD_BAD_EXPECTATION:
		return BAD_EXPECTATION;
	case HEAD_TOO_LARGE:
		return BAD_HEAD_TOO_LARGE;
	case HEAD_NOT_IMPLEMENTED:
		return BAD_NOT_IMPLEMENTED;
	case HEAD_BAD_VERSION:
		return BAD_VERSION;
	case HEAD_FINE:
	case HEAD_BAD:
		break;
	}
	return BAD_HEAD;
}

static struct exchange *begin_exchange(struct h1 *h1)
{
	struct exchange *exchange = exchange_new(&h1->base);

	if (!exchange) {
		connection_abort(h1->base.connection, ENDED_OURS);
		return NULL;
	}
	h1->exchange = exchange;
	exchange->block = h1->block;
	exchange->down.on_bytes = h1_pump;
	exchange->down.consumer = h1;
	h1->begun++;
	h1->is_blocked = h1->is_waiting = h1->owes_continue = false;
	h1->drained = h1->moved = 0;
	h1->body_left = 0;
	framer_init(&h1->framer, FRAME_NOTHING, 0);
	return exchange;
}

static bool is_unwanted(const struct exchange *exchange)
{
	return exchange_is_answered(exchange) || (exchange->service && !exchange->service->on_up);
}

static void show_up(struct h1 *h1, struct span bytes, bool last)
{
	struct exchange *exchange = h1->exchange;

	exchange->bytes_up += bytes.size;
	h1_moved(h1, bytes.size);
	if (last)
		h1->input = INPUT_NEXT;
	body_show(&exchange->up, bytes, last);
	if (!is_unwanted(exchange))
		return;
	h1_discard(h1);
	if (exchange->phase == PHASE_OVER)
		connection_tidy(h1->base.connection);
}

static void answer_plainly(struct exchange *exchange, enum bad_request why)
{
	page_answer(exchange, bad_request_status(why), SPAN("text/plain; charset=utf-8"),
		    span_of(bad_request_text(why)));
}

/* The request, or the rest of it, cannot be made sense of: say so and close. */
void h1_answer_bad_request(struct h1 *h1, enum bad_request why)
{
	struct http_host *host = h1->base.host;
	struct exchange *exchange = h1->exchange;

	h1->input = INPUT_END;
	h1->keep = false;
	if (exchange && exchange->phase != PHASE_OPEN) {
		connection_abort(h1->base.connection, why == BAD_TOO_SLOW ? ENDED_LATE : ENDED_CLIENT_BAD);
		return;
	}
	if (exchange)
		exchange_cut_service(exchange);
	else
		exchange = begin_exchange(h1);
	if (!exchange)
		return;
	/* The method alone can be told from an unreadable head; an answer to HEAD has no body. */
	if (exchange->request->method_name.size == 0 && h1->block)
		exchange->is_head = span_starts(
			span_make(h1->block->bytes + h1->from, h1->to - h1->from), "HEAD ");
	body_release(&exchange->up);
	exchange_new_up(exchange, &host->spills);
	exchange->up.flow = FLOW_ENDED;
	h1->owes_continue = false;
	(host->on_bad_request ? host->on_bad_request : answer_plainly)(exchange, why);
}

/* Body bytes that came with the head are shown before anybody is chosen to take them. */
static void start_body(struct h1 *h1)
{
	struct exchange *exchange = h1->exchange;
	const struct head *head = exchange->request;
	struct http_host *host = h1->base.host;
	size_t there = h1->to - h1->from;

	h1->input = INPUT_NEXT;
	if (head_is_bodiless(head)) {
		exchange->up.flow = FLOW_ENDED;
		return;
	}
	h1->input = INPUT_BODY;
	h1->owes_continue = head->expects_continue && there == 0;
	if (head->framing == BODY_LENGTH && head->length > 4 * host->limits.spill_bytes)
		exchange_new_up(exchange, &host->bulk);
	exchange->up.on_room = h1_go_on;
	exchange->up.producer = h1;
	if (head->framing == BODY_LENGTH) {
		size_t now = there < head->length ? there : (size_t)head->length;

		h1->body_left = head->length - now;
		h1->from += now;
		show_up(h1, span_make(h1->block->bytes + h1->from - now, now), h1->body_left == 0);
	} else {
		chunked_init(&h1->chunked);
		h1->raw_from = h1->raw_to = 0;
		h1->raw = slab_take(&host->heads);
		if (!h1->raw) {
			connection_abort(h1->base.connection, ENDED_OURS);
			return;
		}
		memcpy(h1->raw, h1->block->bytes + h1->from, there);
		h1->raw_to = there;
		/* The head stays in front: what comes next is read behind it. */
		h1->to = h1->from;
	}
}

static bool digest_chunks(struct h1 *h1);

static void start_exchange(struct h1 *h1)
{
	struct head_block *block = h1->block;
	struct http_host *host = h1->base.host;
	struct exchange *exchange = begin_exchange(h1);

	if (!exchange)
		return;
	exchange->request = &block->head;
	exchange->is_head = block->head.method == METHOD_HEAD;
	h1->keep = block->head.keep_alive && !h1->drains;
	if (target_parse(block->head.path, block->path, sizeof block->path, &block->target, NULL) != OK) {
		h1_answer_bad_request(h1, BAD_HEAD);
		return;
	}
	exchange->target = &block->target;
	start_body(h1);
	if (!connection_may_read(h1->base.connection))
		return;
	if (h1->input == INPUT_BODY && h1->raw && !digest_chunks(h1))
		return;
	host->on_exchange(exchange);
	if (h1->exchange && is_unwanted(exchange))
		h1_discard(h1);
}

bool h1_try_head(struct h1 *h1)
{
	struct head_limits limits = head_limits_of(h1);
	struct span bytes = span_make(h1->block->bytes + h1->from, h1->to - h1->from);
	size_t used = 0;
	enum status status;

	if (bytes.size == 0)
		return false;
	status = head_parse(bytes, REQUEST_HEAD, &limits, &h1->block->head, &used, NULL);
	if (status == AGAIN && bytes.size < limits.bytes)
		return false;
	if (status == AGAIN) {
		h1_answer_bad_request(h1, BAD_HEAD_TOO_LARGE);
	} else if (status != OK) {
		h1_answer_bad_request(h1, bad_request_of(h1->block->head.refusal));
	} else {
		h1->from += used;
		start_exchange(h1);
	}
	return true;
}

/* -- bodies -- */

/* All chunks that are there, put together where the first one lies. False: no exchange goes on. */
static bool digest_chunks(struct h1 *h1)
{
	char *run = NULL;
	size_t run_size = 0;

	while (h1->raw_from < h1->raw_to && !chunked_is_done(&h1->chunked)) {
		struct span data = {NULL, 0};
		size_t used = 0;
		enum status status = chunked_read(
			&h1->chunked, span_make(h1->raw + h1->raw_from, h1->raw_to - h1->raw_from), &used,
			&data, NULL);

		if (status == REFUSED || status == FAILED) {
			h1_answer_bad_request(h1, BAD_BODY);
			return false;
		}
		if (data.size > 0 && !run)
			run = h1->raw + (data.at - h1->raw);
		else if (data.size > 0)
			memmove(run + run_size, data.at, data.size);
		run_size += data.size;
		h1->raw_from += used;
		if (status == AGAIN)
			break;
	}
	if (exchange_is_over_ceiling(h1->exchange, run_size)) {
		h1_answer_bad_request(h1, BAD_TOO_LARGE);
		return false;
	}
	if (chunked_is_done(&h1->chunked))
		trailers_keep(h1->exchange, h1->raw, h1->chunked.trailers);
	show_up(h1, span_make(run, run_size), chunked_is_done(&h1->chunked));
	return h1->input != INPUT_END;
}

void h1_discard(struct h1 *h1)
{
	struct body *up = &h1->exchange->up;
	struct span waste;

	while ((waste = body_peek(up)).size > 0) {
		h1->drained += waste.size;
		body_consume(up, waste.size);
	}
}

static enum status read_chunks(struct h1 *h1, size_t *got)
{
	size_t size = h1->base.host->limits.head_bytes;
	enum status status;

	/* What is shown lies in `raw` until it is used. */
	h1->is_full = h1->exchange->up.window.size > 0;
	if (h1->is_full)
		return AGAIN;
	if (h1->raw_from > 0) {
		memmove(h1->raw, h1->raw + h1->raw_from, h1->raw_to - h1->raw_from);
		h1->raw_to -= h1->raw_from;
		h1->raw_from = 0;
	}
	if (h1->raw_to == size) {
		h1_answer_bad_request(h1, BAD_BODY);
		return REFUSED;
	}
	status = connection_read(h1->base.connection, h1->raw + h1->raw_to, size - h1->raw_to, got);
	if (status != OK || *got == 0)
		return status;
	h1->raw_to += *got;
	(void)digest_chunks(h1);
	return OK;
}

/* A body with a length, or a tunnel: through the worker's buffer, at most what the spill could hold. */
static enum status read_through(struct h1 *h1, size_t *got)
{
	struct http_host *host = h1->base.host;
	struct body *up = &h1->exchange->up;
	size_t size = host->limits.bulk_bytes;
	bool is_tunnel = h1->input == INPUT_TUNNEL;
	enum status status;

	body_settle(up);
	if (body_room(up) < size)
		size = body_room(up);
	h1->is_full = size == 0;
	if (!is_tunnel && h1->body_left < size)
		size = (size_t)h1->body_left;
	if (size == 0)
		return AGAIN;
	status = connection_read(h1->base.connection, host->receive, size, got);
	if (status != OK || *got == 0)
		return status;
	if (!is_tunnel)
		h1->body_left -= *got;
	show_up(h1, span_make(host->receive, *got), !is_tunnel && h1->body_left == 0);
	body_settle(up);
	if (up->flow == FLOW_FAILED)
		connection_abort(h1->base.connection, up->why);
	return OK;
}

/* -- the block -- */

static bool take_block(struct h1 *h1)
{
	if (h1->block)
		return true;
	h1->block = slab_take(&h1->base.host->heads);
	if (!h1->block) {
		connection_abort(h1->base.connection, ENDED_OURS);
		return false;
	}
	head_init(&h1->block->head);
	h1->from = h1->to = 0;
	return true;
}

void h1_collect(struct h1 *h1)
{
	struct slabs *slabs = &h1->base.host->heads;
	char *bytes = h1->block ? h1->block->bytes : NULL;
	size_t left = h1->to - h1->from;

	if (h1->raw_from < h1->raw_to && bytes) {
		left = h1->raw_to - h1->raw_from;
		memcpy(bytes, h1->raw + h1->raw_from, left);
	} else if (bytes && h1->from > 0) {
		memmove(bytes, bytes + h1->from, left);
	}
	slab_give(slabs, h1->raw);
	h1->raw = NULL;
	h1->raw_from = h1->raw_to = 0;
	h1->from = 0;
	h1->to = left;
	if (left > 0) {
		head_init(&h1->block->head);
		return;
	}
	slab_give(slabs, h1->block);
	h1->block = NULL;
}

/* Into the block, behind what is there: a head, or what comes behind a complete request. */
static enum status read_block(struct h1 *h1, size_t *got)
{
	size_t size = h1->base.host->limits.head_bytes;
	enum status status;

	if (h1->raw && h1->raw_from < h1->raw_to)
		return AGAIN;
	if (!take_block(h1))
		return REFUSED;
	if (h1->to == size)
		return AGAIN;
	status = connection_read(h1->base.connection, h1->block->bytes + h1->to, size - h1->to, got);
	if (status != OK || *got == 0)
		return status;
	if (h1->to == h1->from)
		h1->since = connection_now(h1->base.connection);
	h1->to += *got;
	if (h1->input == INPUT_HEAD)
		(void)h1_try_head(h1);
	return OK;
}

/* -- turns -- */

/* The client has closed its side. */
static void on_end(struct h1 *h1)
{
	struct connection *connection = h1->base.connection;
	struct exchange *exchange = h1->exchange;
	bool is_answered = exchange && exchange->phase == PHASE_OVER;

	if (h1->input == INPUT_TUNNEL) {
		h1->input = INPUT_END;
		body_show(&exchange->up, (struct span){NULL, 0}, true);
		return;
	}
	h1->keep = false;
	/* Whoever hangs up comes back here. */
	if (exchange && !is_answered && h1->input == INPUT_NEXT && connection_still_listens(connection))
		return;
	connection_close(connection, !exchange || is_answered ? ENDED_DONE : ENDED_CLIENT_GONE);
}

static enum status read_some(struct h1 *h1, size_t *got)
{
	switch ((enum input)h1->input) {
	case INPUT_HEAD:
	case INPUT_NEXT:
		return read_block(h1, got);
	case INPUT_BODY:
		return h1->raw ? read_chunks(h1, got) : read_through(h1, got);
	case INPUT_TUNNEL:
		return read_through(h1, got);
	case INPUT_END:
		break;
	}
	return AGAIN;
}

void h1_read(struct h1 *h1)
{
	struct connection *connection = h1->base.connection;
	size_t allowance = h1->base.host->limits.allowance, got;

	while (connection_may_read(connection) && h1->input != INPUT_END) {
		got = 0;
		if (read_some(h1, &got) != OK)
			break;
		if (got == 0) {
			on_end(h1);
			break;
		}
		if (got >= allowance) {
			connection_again(connection);
			break;
		}
		allowance -= got;
	}
	if (h1->input == INPUT_HEAD && h1->block && h1->from == h1->to)
		h1_collect(h1);
	h1_set_deadline(h1);
}

void h1_go_on(void *arg)
{
	struct h1 *h1 = arg;

	/* Only if it was for lack of room that reading stopped: else an edge or the allowance's turn
	 * comes, and bytes that are thrown away would keep one turn going for ever. */
	if (h1->exchange && h1->is_full && connection_may_read(h1->base.connection))
		h1_read(h1);
}
