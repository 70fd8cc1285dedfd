#include <stdlib.h>
#include <string.h>

#include "door/dialect.h"
#include "door/header_rules.h"
#include "door/visit.h"
#include "http/exchange.h"
#include "http/head_writer.h"
#include "http/trailers.h"
#include "relay/passage.h"
#include "stream/stream.h"
#include "wire/target.h"

static bool keeps(void *arg, const struct field *field)
{
	(void)arg;
	return dialect_keeps(field);
}

static bool keeps_by_rules(void *arg, const struct field *field)
{
	return dialect_keeps(field) && header_rules_keeps(arg, field);
}

/* Path and query in the one form that the rules have seen. */
static struct span forwarded_target(struct relay_worker *worker, const struct target *target)
{
	struct head_writer writer;

	head_writer_init(&writer, worker->target, sizeof worker->target);
	head_put(&writer, target->path);
	if (target->has_query) {
		head_put(&writer, SPAN("?"));
		head_put(&writer, target->query);
	}
	return head_is_whole(&writer) ? head_written(&writer) : SPAN("");
}

static bool write_head(struct passage *passage)
{
	struct relay_worker *worker = passage->relay->worker;
	struct exchange *exchange = passage->exchange;
	struct client_request request = {
		.head = exchange->request,
		.target = forwarded_target(worker, exchange->target),
		.host = exchange->request->host,
		.keeps = keeps,
		.prepared = {visit_lines(exchange)},
		.upgrade = exchange->request->is_websocket,
	};
	const struct header_rules *rules = visit_header_rules(exchange);
	struct error err = {.text = "the request's target does not fit"};

	if (rules) {
		request.keeps = keeps_by_rules;
		request.arg = (void *)(uintptr_t)rules;
		request.prepared[1] = header_rules_lines(rules);
	}

	passage->is_written = true;
	if (request.target.size > 0 && request.prepared[0].at &&
	    client_h1_request(&passage->client, &request, worker->head, sizeof worker->head,
			      &err) == OK)
		return true;
	passage_fail(passage, REFUSAL_HEAD_TOO_LARGE, &err);
	return false;
}

/* The worker's memory is the next request's: what has not been written of this head is kept. */
static bool keep_head(struct passage *passage)
{
	struct span *front = &passage->client.framer.front;
	struct error err;

	if (front->size == 0 || passage->head)
		return true;
	passage->head = malloc(front->size);
	if (!passage->head) {
		(void)error_fail(&err, "no memory for the rest of a request's head");
		passage_fail(passage, REFUSAL_UNAVAILABLE, &err);
		return false;
	}
	memcpy(passage->head, front->at, front->size);
	front->at = passage->head;
	return true;
}

/* What a rule sets or takes away as a field, no trailer brings. */
static void sift_trailers(struct passage *passage)
{
	const struct header_rules *rules = visit_header_rules(passage->exchange);

	if (rules && passage->exchange->up_trailers.size > 0)
		trailers_sift(passage->exchange, keeps_by_rules, (void *)(uintptr_t)rules);
}

/* AGAIN: the upstream is full. REFUSED: it takes no more. */
static enum status write_some(struct passage *passage, size_t *moved)
{
	struct body *up = &passage->exchange->up;
	struct iovec parts[FRAMER_PARTS];
	enum status status;

	for (;;) {
		struct span data = body_peek(up);
		bool ended = up->flow == FLOW_ENDED && data.size == body_waiting(up);
		size_t taken = 0, used;
		int count;

		if (ended)
			sift_trailers(passage);
		count = client_h1_gather(&passage->client, data, ended, passage->exchange->up_trailers, parts);
		if (count == 0)
			return OK;
		TRY(stream_write(passage->lease->stream, parts, count, &taken));
		used = client_h1_took(&passage->client, taken);
		if (used > 0)
			passage->has_sent_body = true;
		body_consume(up, used);
		*moved += taken;
	}
done:
	return status;
}

bool passage_send(struct passage *passage)
{
	const struct upstream_limits *limits = &passage_upstream(passage)->limits;
	enum status status;
	size_t moved = 0;

	if (!passage->lease || passage->is_deaf || client_h1_is_sent(&passage->client))
		return true;
	if (passage->exchange->up.flow == FLOW_FAILED) {
		/* Half a request must not look whole to anybody. */
		passage_drop(passage);
		body_fail(&passage->exchange->down, passage->exchange->up.why);
		return false;
	}
	if (!passage->is_written && !write_head(passage))
		return false;
	status = write_some(passage, &moved);
	if (moved > 0 && stream_flush(passage->lease->stream) == REFUSED)
		status = REFUSED;
	if (status != OK && status != AGAIN) {
		/* Its answer may lie there already; if not, reading will say what happened. */
		passage->is_deaf = true;
		stream_again(passage->lease->stream);
	}
	if (moved > 0 && !passage->is_answered)
		lease_deadline(passage->lease, passage_now(passage) + limits->first_byte);
	return keep_head(passage);
}
