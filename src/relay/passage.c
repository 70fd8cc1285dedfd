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

/* -- the upstream's health -- */

static void end_trial(struct passage *passage)
{
	if (passage->is_trial)
		passage_upstream(passage)->on_trial = false;
	passage->is_trial = false;
}

static void note_failure(struct passage *passage, const struct error *err)
{
	struct upstream *upstream = passage_upstream(passage);

	passage->is_trial = false; /* upstream_failed has ended it */
	if (upstream_failed(upstream, passage_now(passage)))
		log_say(LOG_WARNING, "upstream", "%s is down (%s): only a trial now and then goes there while others answer",
			upstream->name, err->text);
}

void passage_heard(struct passage *passage)
{
	struct upstream *upstream = passage_upstream(passage);

	passage->is_trial = false;
	upstream->figures.first_byte_time += (uint64_t)(passage_now(passage) - passage->exchange->far.connected);
	if (upstream_worked(upstream))
		log_say(LOG_INFO, "upstream", "%s answers again", upstream->name);
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
	if (lease->served == 0)
		score_add(passage->relay->worker->score, SCORE_UPSTREAM_CONNECTIONS, 1);
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

static bool was_asked(const struct passage *passage, unsigned at)
{
	return passage->asked >> at & 1;
}

/* In turn, the first that is up or due for a trial; when all are down the next in turn all the same. False: each
 * was asked already. */
static bool choose(struct passage *passage)
{
	struct relay *relay = passage->relay;
	unsigned i, last_resort = relay->count, found = relay->count;

	for (i = 0; i < relay->count && found == relay->count; i++) {
		unsigned at = (relay->next + i) % relay->count;
		enum upstream_standing standing;

		if (was_asked(passage, at))
			continue;
		standing = upstream_standing(&relay->upstreams[at], passage_now(passage));
		if (standing != UPSTREAM_DOWN)
			found = at;
		else if (last_resort == relay->count)
			last_resort = at;
		passage->is_trial = standing == UPSTREAM_DUE;
	}
	if (found == relay->count)
		found = last_resort;
	if (found == relay->count)
		return false;
	passage->upstream = (uint8_t)found;
	passage->asked |= (uint16_t)(1u << found);
	relay->upstreams[found].on_trial |= passage->is_trial;
	relay->next = (found + 1) % relay->count;
	return true;
}

/* Nothing was sent yet, so that another one may be asked whatever the request is; but nobody waits for one silent
 * machine after the other. */
static bool choose_another(struct passage *passage)
{
	const struct upstream_limits *limits = &passage_upstream(passage)->limits;

	end_trial(passage);
	return passage_now(passage) - passage->exchange->started < 3 * limits->connect && choose(passage);
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
		if (why == POOL_UNREACHABLE)
			note_failure(passage, &err);
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
	if (why == POOL_UNREACHABLE)
		note_failure(passage, err);
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
	(void)choose(passage);
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
	end_trial(passage);
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

/* A kept connection that the upstream closed in the same moment: most likely it has not seen the request. */
static bool is_stale(const struct passage *passage)
{
	return passage->lease && passage->lease->served > 0 && !passage->is_heard;
}

/* The client has not heard anything; what was never written may go anywhere, what is safe may be done twice. */
static bool may_repeat(const struct passage *passage)
{
	return passage->lease && passage->is_lost && !passage->is_repeated && !passage->is_answered &&
	       passage->interims == 0 && (!passage->is_written || is_repeatable(passage));
}

/* One that was not asked yet, and is not down. */
static bool has_another(const struct passage *passage)
{
	const struct relay *relay = passage->relay;
	unsigned i;

	for (i = 0; i < relay->count; i++)
		if (!was_asked(passage, i) &&
		    upstream_standing(&relay->upstreams[i], passage_now(passage)) != UPSTREAM_DOWN)
			return true;
	return false;
}

/* By a new connection to another upstream; where a kept one was stale and there is no other, to the same. A stale one
 * may be the first sign of a server that dies, and it takes a connection more with its last breath. */
static bool repeat(struct passage *passage, const struct error *err)
{
	struct lease *lease = passage->lease;

	if (!is_stale(passage)) {
		note_failure(passage, err);
		if (!choose(passage))
			return false;
	} else if (has_another(passage)) {
		(void)choose(passage);
	}
	passage->relay->figures.retried++;
	score_add(passage->relay->worker->score, SCORE_UPSTREAM_RETRIED, 1);
	passage->lease = NULL;
	passage->is_repeated = true;
	passage->is_written = passage->is_deaf = passage->is_heard = passage->is_lost = false;
	forget_bytes(passage);
	lease_return(lease, false);
	ask_pool(passage);
	return true;
}

/* Its health counts when it had a connection of ours and the client no part in it. */
static bool is_to_blame(const struct passage *passage, enum refusal why)
{
	return passage->lease && !passage->is_answered && !is_stale(passage) &&
	       (why == REFUSAL_UPSTREAM_SLOW || why == REFUSAL_UPSTREAM_BROKEN);
}

void passage_fail(struct passage *passage, enum refusal why, const struct error *err)
{
	struct exchange *exchange = passage->exchange;
	struct relay_figures *figures = &passage->relay->figures;

	if (may_repeat(passage)) {
		if (repeat(passage, err))
			return;
	} else if (is_to_blame(passage, why)) {
		note_failure(passage, err);
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
