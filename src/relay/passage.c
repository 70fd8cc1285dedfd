#include "relay/passage.h"

#include <stdlib.h>

#include "base/log.h"
#include "event/loop.h"
#include "http/exchange.h"
#include "shm/scoreboard.h"
#include "stream/stream.h"

int64_t passage_now(const struct passage *passage)
{
	return loop_now(passage->relay->worker->loop)->mono;
}

struct upstream *passage_upstream(const struct passage *passage)
{
	return &passage->relay->upstreams[passage->upstream];
}

/* RFC 9110 section 9.2.1; and nothing of a body may be lost by a second try. */
static bool is_repeatable(const struct passage *passage)
{
	const struct head *request = passage->exchange->request;

	return (request->method == METHOD_GET || request->method == METHOD_HEAD ||
		request->method == METHOD_OPTIONS) &&
	       head_is_bodiless(request) && !passage->has_sent_body;
}

static void note(const struct passage *passage, enum refusal why, const struct error *err)
{
	char id[EXCHANGE_ID_SIZE];

	exchange_id_text(passage->exchange, id);
	log_begin(LOG_WARNING, "upstream");
	log_text("id", span_of(id));
	log_text("upstream", span_of(passage_upstream(passage)->name));
	log_text("why", span_of(passage->is_answered ? "cut" : refusal_row(why)->code));
	log_text("text", span_of(err->text));
	log_end();
}

/* -- the lease -- */

static void lease_ready(struct lease *lease)
{
	struct passage *passage = lease->holder;

	if (!passage->is_written || passage_send(passage))
		passage_receive(passage);
}

/* Waiting for the client, in either direction, is not the upstream's fault. */
static bool waits_for_client(const struct passage *passage)
{
	return passage->is_stalled ||
	       (!passage->is_answered && !passage->is_deaf && !client_h1_is_sent(&passage->client) &&
		body_waiting(&passage->exchange->up) == 0);
}

static void lease_late(struct lease *lease)
{
	struct passage *passage = lease->holder;
	struct error err;

	if (waits_for_client(passage)) {
		lease_deadline(lease, passage_now(passage) + passage_upstream(passage)->limits.quiet);
		return;
	}
	(void)error_refuse(&err, "%s in time", passage->is_answered ? "no further byte of the answer"
								      : "no answer");
	passage_fail(passage, REFUSAL_UPSTREAM_SLOW, &err);
}

static void send_soon(struct task *task)
{
	struct passage *passage = OWNER_OF(task, struct passage, sending);

	if (passage->lease && !passage->is_written && !passage->is_over)
		(void)passage_send(passage);
}

static void start(struct passage *passage, struct lease *lease)
{
	struct exchange *exchange = passage->exchange;

	exchange->far.connected = passage_now(passage);
	passage->lease = lease;
	lease->holder = passage;
	lease->on_ready = lease_ready;
	lease->on_late = lease_late;
	lease_deadline(lease, passage_now(passage) + passage_upstream(passage)->limits.first_byte);
	client_h1_init(&passage->client);
	if (head_is_bodiless(exchange->request)) {
		(void)passage_send(passage);
		return;
	}
	/* The head waits for the first bytes, to the turn's end at most: one send, not two. */
	loop_post(passage->relay->worker->loop, &passage->sending);
	exchange_want_body(exchange);
}

/* -- asking -- */

static enum refusal row_of(enum pool_failure why)
{
	return why == POOL_UNREACHABLE ? REFUSAL_UPSTREAM_DOWN : REFUSAL_UNAVAILABLE;
}

static void choose(struct passage *passage)
{
	struct relay *relay = passage->relay;
	unsigned i;

	for (i = 0; i < relay->count; i++) {
		unsigned at = (relay->next + i) % relay->count;

		if (!upstream_is_down(&relay->upstreams[at], passage_now(passage)))
			break;
	}
	passage->upstream = (uint8_t)((relay->next + i) % relay->count);
	relay->next = (passage->upstream + 1u) % relay->count;
}

/* Nothing was sent yet, so that another one may be asked whatever the request is. */
static bool choose_another(struct passage *passage)
{
	if (passage->tried >= passage->relay->count)
		return false;
	passage->upstream = (uint8_t)((passage->upstream + 1u) % passage->relay->count);
	return true;
}

static enum lease_kind kind_for(const struct passage *passage)
{
	if (passage->is_repeated)
		return LEASE_FRESH;
	return is_repeatable(passage) ? LEASE_ANY : LEASE_PROBED;
}

static void ask_pool(struct passage *passage)
{
	enum pool_failure why = POOL_OURS;
	struct lease *lease;
	struct error err;

	do {
		struct pool *pool = passage->relay->pools[passage->upstream];
		enum status status = pool_lease(pool, &passage->wait, kind_for(passage), &lease,
						&why, &err);

		if (status == OK)
			start(passage, lease);
		if (status == OK || status == AGAIN)
			return;
		passage->tried++;
	} while (choose_another(passage));
	passage_fail(passage, row_of(why), &err);
}

static void on_lease(struct pool_wait *wait, struct lease *lease, enum pool_failure why,
		     const struct error *err)
{
	struct passage *passage = OWNER_OF(wait, struct passage, wait);

	if (lease) {
		start(passage, lease);
		return;
	}
	passage->tried++;
	if (why == POOL_UNREACHABLE && choose_another(passage))
		ask_pool(passage);
	else
		passage_fail(passage, row_of(why), err);
}

void passage_begin(struct passage *passage)
{
	pool_wait_init(&passage->wait, on_lease);
	task_init(&passage->sending, send_soon);
	passage->exchange->far.began = passage_now(passage);
	choose(passage);
	ask_pool(passage);
}

/* -- the ends -- */

static void forget_bytes(struct passage *passage)
{
	free(passage->head);
	passage->head = NULL;
	slab_give(&passage->relay->worker->kept, passage->kept);
	passage->kept = NULL;
	passage->kept_size = 0;
}

void passage_drop(struct passage *passage)
{
	struct lease *lease = passage->lease;

	passage->is_over = true;
	passage->lease = NULL;
	if (passage->is_bulk)
		passage->relay->worker->bulk_users--;
	passage->is_bulk = false;
	task_cancel(&passage->sending);
	pool_forget(passage->relay->pools[passage->upstream], &passage->wait);
	forget_bytes(passage);
	if (lease)
		lease_cut(lease);
}

void passage_finish(struct passage *passage, bool clean)
{
	struct lease *lease = passage->lease;

	passage->lease = NULL;
	passage_drop(passage);
	lease_return(lease, clean);
}

void passage_cancel(struct passage *passage)
{
	passage_drop(passage);
}

/* A kept connection that the upstream closed in the same moment: most likely it has not seen the
 * request, and if it has, no harm is done. What was never written may go anywhere. */
static bool may_repeat(const struct passage *passage, enum refusal why)
{
	return passage->lease && passage->lease->served > 0 && !passage->is_heard &&
	       !passage->is_repeated && why == REFUSAL_UPSTREAM_BROKEN &&
	       (!passage->is_written || is_repeatable(passage));
}

static void repeat(struct passage *passage)
{
	struct lease *lease = passage->lease;

	passage->relay->figures.retried++;
	score_add(passage->relay->worker->score, SCORE_UPSTREAM_RETRIED, 1);
	passage->lease = NULL;
	passage->is_repeated = true;
	passage->is_written = passage->is_deaf = false;
	forget_bytes(passage);
	lease_return(lease, false);
	ask_pool(passage);
}

void passage_fail(struct passage *passage, enum refusal why, const struct error *err)
{
	struct exchange *exchange = passage->exchange;
	struct relay_figures *figures = &passage->relay->figures;

	if (may_repeat(passage, why)) {
		repeat(passage);
		return;
	}
	note(passage, why, err);
	passage_drop(passage);
	if (passage->is_answered) {
		figures->broken++;
		score_add(passage->relay->worker->score, SCORE_UPSTREAM_BROKEN, 1);
		body_fail(&exchange->down, ENDED_FAR_SIDE);
		exchange_flush(exchange);
		return;
	}
	if (why == REFUSAL_UPSTREAM_SLOW)
		figures->slow++;
	else
		figures->refused++;
	score_add(passage->relay->worker->score, SCORE_UPSTREAM_ERRORS, 1);
	refusal_answer(exchange, why);
}
