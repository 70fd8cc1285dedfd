#include "relay/pool.h"

#include <assert.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "event/loop.h"
#include "relay/dialler.h"
#include "relay/upstream.h"
#include "stream/dial.h"
#include "stream/plain_stream.h"
#include "stream/tls_client.h"

enum lease_state {
	DIALLING, /* with a stream: TLS is being agreed on */
	IDLE,
	LENT,
};

struct pool {
	struct loop *loop;
	struct upstream *upstream;
	const struct dialler *dialler;
	struct link idle; /* the last one given back first */
	struct link lent, dialling;
	struct link waits; /* struct pool_wait.queued, the first to be served first */
	struct timer patience; /* for the first of waits */
	struct task freeing;   /* whom the pool refuses may end it, in the middle of what it does */
	unsigned waiting;
	bool is_ending;
	struct pool_figures figures;
};

static void patience_ends(struct timer *timer);
static void run_freeing(struct task *task);
static void staff(struct pool *pool);

static int64_t now_of(const struct pool *pool)
{
	return loop_now(pool->loop)->mono;
}

enum status pool_new(struct loop *loop, struct upstream *upstream, const struct dialler *dialler,
		     struct pool **out, struct error *err)
{
	struct pool *pool = calloc(1, sizeof *pool);

	if (!pool)
		return error_fail(err, "no memory for the connections to %s", upstream->name);
	pool->loop = loop;
	pool->upstream = upstream;
	pool->dialler = dialler;
	list_init(&pool->idle);
	list_init(&pool->lent);
	list_init(&pool->dialling);
	list_init(&pool->waits);
	timer_init(&pool->patience, patience_ends);
	task_init(&pool->freeing, run_freeing);
	*out = pool;
	return OK;
}

static void run_freeing(struct task *task)
{
	free(OWNER_OF(task, struct pool, freeing));
}

static void free_if_over(struct pool *pool)
{
	if (pool->is_ending && list_is_empty(&pool->lent))
		loop_post(pool->loop, &pool->freeing);
}

static void stop_dialling(struct lease *lease)
{
	if (lease->ticket)
		lease->pool->dialler->cancel(lease->pool->dialler->arg, lease->ticket);
	dial_cancel(lease->dial);
	lease->ticket = NULL;
	lease->dial = NULL;
}

/* The memory goes too; the stream's own callbacks do not come any more. */
static void lease_end(struct lease *lease)
{
	struct pool *pool = lease->pool;

	switch ((enum lease_state)lease->state) {
	case DIALLING:
		pool->figures.dialling--;
		break;
	case IDLE:
		pool->figures.idle--;
		break;
	case LENT:
		(*(lease->is_apart ? &pool->figures.apart : &pool->figures.lent))--;
		break;
	}
	list_remove(&lease->in_pool);
	timer_stop(&lease->timer);
	stop_dialling(lease);
	/* TLS says goodbye, and does not wait for the answer. */
	if (lease->stream && pool->upstream->is_secure && lease->stream->failure == STREAM_WELL)
		(void)!stream_finish(lease->stream);
	stream_free(lease->stream);
	free(lease);
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	assert(list_is_empty(&pool->waits));
	pool->is_ending = true;
	timer_stop(&pool->patience);
	LIST_EACH(link, &pool->dialling)
		lease_end(OWNER_OF(link, struct lease, in_pool));
	LIST_EACH(link, &pool->idle)
		lease_end(OWNER_OF(link, struct lease, in_pool));
	free_if_over(pool);
}

/* -- who waits -- */

void pool_wait_init(struct pool_wait *wait, void (*on_lease)(struct pool_wait *, struct lease *,
							     enum pool_failure, const struct error *))
{
	wait->on_lease = on_lease;
	wait->since = 0;
	list_init(&wait->queued);
}

static void wait_leaves(struct pool *pool, struct pool_wait *wait)
{
	list_remove(&wait->queued);
	pool->waiting--;
	if (list_is_empty(&pool->waits))
		timer_stop(&pool->patience);
}

void pool_forget(struct pool *pool, struct pool_wait *wait)
{
	if (!list_is_empty(&wait->queued))
		wait_leaves(pool, wait);
}

static struct pool_wait *first_wait(struct pool *pool)
{
	struct link *link = list_first(&pool->waits);

	return link ? OWNER_OF(link, struct pool_wait, queued) : NULL;
}

static void refuse_first(struct pool *pool, enum pool_failure why, const struct error *err)
{
	struct pool_wait *wait = first_wait(pool);

	if (!wait)
		return;
	wait_leaves(pool, wait);
	wait->on_lease(wait, NULL, why, err);
}

/* A wait is longer than both deadlines only when the connections in use stay in use. */
static int64_t patience_of(const struct pool *pool, const struct pool_wait *wait)
{
	return wait->since + pool->upstream->limits.wait + pool->upstream->limits.connect;
}

static void patience_ends(struct timer *timer)
{
	struct pool *pool = OWNER_OF(timer, struct pool, patience);
	struct pool_wait *wait;
	struct error err;

	while ((wait = first_wait(pool)) && patience_of(pool, wait) <= now_of(pool)) {
		(void)error_refuse(&err, "%s: no free connection", pool->upstream->name);
		refuse_first(pool, POOL_FULL, &err);
	}
	if (wait)
		timer_set(loop_timers(pool->loop), &pool->patience, patience_of(pool, wait));
}

static void enqueue(struct pool *pool, struct pool_wait *wait)
{
	wait->since = now_of(pool);
	list_add_last(&pool->waits, &wait->queued);
	pool->waiting++;
	if (!timer_is_set(&pool->patience))
		timer_set(loop_timers(pool->loop), &pool->patience, patience_of(pool, wait));
}

/* -- connections -- */

static void idle_ready(struct lease *lease)
{
	size_t got;
	char byte;

	if (stream_read(lease->stream, &byte, 1, &got) != AGAIN)
		lease_end(lease);
}

static void agree(struct lease *lease);
static void connect_fails(struct lease *lease, enum status status, const struct error *reason);

static void stream_ready(void *owner)
{
	struct lease *lease = owner;

	if (lease->state == LENT)
		lease->on_ready(lease);
	else if (lease->state == IDLE)
		idle_ready(lease);
	else
		agree(lease);
}

static void agree_late(struct lease *lease)
{
	struct error err;

	(void)error_refuse(&err, "%s: TLS was not agreed on in time", lease->pool->upstream->name);
	connect_fails(lease, REFUSED, &err);
}

static void lease_timer(struct timer *timer)
{
	struct lease *lease = OWNER_OF(timer, struct lease, timer);

	if (lease->deadline == INT64_MAX)
		return;
	if (now_of(lease->pool) < lease->deadline)
		timer_set(loop_timers(lease->pool->loop), timer, lease->deadline);
	else if (lease->state == LENT)
		lease->on_late(lease);
	else if (lease->state == IDLE)
		lease_end(lease);
	else
		agree_late(lease);
}

void lease_deadline(struct lease *lease, int64_t mono)
{
	lease->deadline = mono;
	if (mono != INT64_MAX && (!timer_is_set(&lease->timer) || lease->timer.due > mono))
		timer_set(loop_timers(lease->pool->loop), &lease->timer, mono);
}

static void lend(struct lease *lease)
{
	struct pool *pool = lease->pool;

	list_remove(&lease->in_pool);
	list_add_first(&pool->lent, &lease->in_pool);
	pool->figures.lent++;
	lease->state = LENT;
	lease->on_ready = NULL;
	lease->on_late = NULL;
	lease->holder = NULL;
	lease->deadline = INT64_MAX;
}

/* The first who waits gets it; nobody: it lies idle. */
static void place(struct lease *lease)
{
	struct pool *pool = lease->pool;
	struct pool_wait *wait = first_wait(pool);

	if (wait) {
		wait_leaves(pool, wait);
		lend(lease);
		wait->on_lease(wait, lease, POOL_FULL, NULL);
		return;
	}
	list_remove(&lease->in_pool);
	list_add_first(&pool->idle, &lease->in_pool);
	pool->figures.idle++;
	lease->state = IDLE;
	lease_deadline(lease, now_of(pool) + lease->keep);
}

static void dialled(void *arg, enum status status, int fd, const struct error *err);

static enum status dial_next(struct lease *lease, struct error *err)
{
	struct pool *pool = lease->pool;
	const struct address *to = upstream_address(pool->upstream);

	if (!to)
		return error_refuse(err, "%s: its name has no address yet", pool->upstream->name);
	lease->tries++;
	lease->to = *to;
	lease->generation = pool->upstream->generation;
	if (to->any.sa_family == AF_UNIX && pool->dialler)
		return pool->dialler->start(pool->dialler->arg, to, lease->deadline, dialled, lease,
					    &lease->ticket, err);
	return dial_start(pool->loop, to, lease->deadline, dialled, lease, &lease->dial, err);
}

static enum status open_stream(struct lease *lease, int fd, struct error *err)
{
	struct tls_client *client = lease->pool->upstream->client;
	enum status status = client ? tls_stream_connect(fd, client, &lease->stream, err)
				    : plain_stream_new(fd, &lease->stream, err);

	if (status != OK) {
		close(fd);
		return FAILED;
	}
	return stream_start(lease->stream, lease->pool->loop, stream_ready, lease, err);
}

static void is_made(struct lease *lease)
{
	struct pool *pool = lease->pool;

	pool->figures.made++;
	pool->upstream->figures.connects++;
	pool->upstream->figures.connect_time += (uint64_t)(now_of(pool) - lease->born);
	pool->figures.dialling--;
	lease->born = now_of(pool);
	lease->deadline = INT64_MAX;
	place(lease);
}

/* By this address; there may be another one. */
static void connect_fails(struct lease *lease, enum status status, const struct error *reason)
{
	struct pool *pool = lease->pool;
	struct error unused;

	if (status == REFUSED) {
		upstream_next_address(pool->upstream);
		stream_free(lease->stream);
		lease->stream = NULL;
		if (lease->tries < pool->upstream->addresses_count && now_of(pool) < lease->deadline &&
		    dial_next(lease, &unused) == OK)
			return;
	}
	pool->figures.failed++;
	lease_end(lease);
	refuse_first(pool, status == REFUSED ? POOL_UNREACHABLE : POOL_OURS, reason);
	staff(pool);
}

/* The handshake, as far as it goes now. */
static void agree(struct lease *lease)
{
	enum status status = stream_secure(lease->stream);
	struct error err;

	if (status == AGAIN)
		return;
	if (status == OK) {
		is_made(lease);
		return;
	}
	stream_explain(lease->stream, &err);
	error_context(&err, "%s", lease->pool->upstream->name);
	connect_fails(lease, status, &err);
}

static void dialled(void *arg, enum status status, int fd, const struct error *reason)
{
	struct lease *lease = arg;
	struct error err;

	lease->dial = NULL;
	lease->ticket = NULL;
	if (status != OK) {
		connect_fails(lease, status, reason);
	} else if (open_stream(lease, fd, &err) != OK) {
		connect_fails(lease, FAILED, &err);
	} else {
		lease_deadline(lease, lease->deadline);
		agree(lease);
	}
}

static enum status dial_new(struct pool *pool, struct error *err)
{
	struct lease *lease = calloc(1, sizeof *lease);
	enum status status;

	if (!lease)
		return error_fail(err, "no memory for a connection to %s", pool->upstream->name);
	lease->pool = pool;
	lease->state = DIALLING;
	lease->keep = pool->upstream->limits.idle;
	lease->born = now_of(pool);
	lease->deadline = lease->born + pool->upstream->limits.connect;
	timer_init(&lease->timer, lease_timer);
	list_init(&lease->in_pool);
	status = dial_next(lease, err);
	if (status != OK) {
		free(lease);
		return status;
	}
	list_add_last(&pool->dialling, &lease->in_pool);
	pool->figures.dialling++;
	return OK;
}

static bool has_room(const struct pool *pool)
{
	return pool->figures.idle + pool->figures.lent + pool->figures.dialling <
	       pool->upstream->limits.most;
}

/* A connection went: another one may be made for those who wait. */
static void staff(struct pool *pool)
{
	struct error err;

	while (!pool->is_ending && pool->figures.dialling < pool->waiting && has_room(pool)) {
		enum status status = dial_new(pool, &err);

		if (status == OK)
			continue;
		refuse_first(pool, status == REFUSED ? POOL_UNREACHABLE : POOL_OURS, &err);
	}
}

/* A byte or the end is there already, though no edge has come yet. TLS may have had something to say to itself. */
static bool is_stale(const struct lease *lease)
{
	struct pollfd asked = {.fd = lease->stream->source.fd, .events = POLLIN | POLLRDHUP};
	size_t got;
	char byte;

	if (poll(&asked, 1, 0) == 0)
		return false;
	lease->stream->drained = false;
	return !lease->pool->upstream->is_secure || asked.revents & POLLRDHUP ||
	       stream_read(lease->stream, &byte, 1, &got) != AGAIN;
}

/* One of the addresses that the upstream has now. */
static bool is_current(struct lease *lease)
{
	const struct upstream *upstream = lease->pool->upstream;

	if (lease->generation == upstream->generation)
		return true;
	if (!upstream_serves_at(upstream, &lease->to))
		return false;
	lease->generation = upstream->generation;
	return true;
}

void pool_heed_addresses(struct pool *pool)
{
	LIST_EACH(link, &pool->idle) {
		struct lease *lease = OWNER_OF(link, struct lease, in_pool);

		if (!is_current(lease))
			lease_end(lease);
	}
}

static struct lease *take_idle(struct pool *pool, enum lease_kind kind)
{
	struct link *link;

	while (kind != LEASE_FRESH && (link = list_first(&pool->idle))) {
		struct lease *lease = OWNER_OF(link, struct lease, in_pool);

		if (now_of(pool) - lease->born < pool->upstream->limits.age &&
		    (kind == LEASE_ANY || !is_stale(lease))) {
			pool->figures.idle--;
			pool->figures.reused++;
			lend(lease);
			return lease;
		}
		lease_end(lease);
	}
	return NULL;
}

/* When the ceiling is all that stands in the way, an idle connection makes room for a fresh one. */
static void make_room(struct pool *pool)
{
	if (!has_room(pool) && !list_is_empty(&pool->idle))
		lease_end(OWNER_OF(pool->idle.previous, struct lease, in_pool));
}

enum status pool_lease(struct pool *pool, struct pool_wait *wait, enum lease_kind kind,
		       struct lease **now, enum pool_failure *why, struct error *err)
{
	struct lease *lease = take_idle(pool, kind);
	enum status status;

	if (lease) {
		*now = lease;
		return OK;
	}
	make_room(pool);
	if (pool->waiting >= pool->upstream->limits.waiting_most) {
		*why = POOL_FULL;
		return error_refuse(err, "%s: too many requests wait for it", pool->upstream->name);
	}
	if (has_room(pool)) {
		status = dial_new(pool, err);
		if (status != OK) {
			*why = status == REFUSED ? POOL_UNREACHABLE : POOL_OURS;
			return status;
		}
	}
	enqueue(pool, wait);
	return AGAIN;
}

/* -- giving back -- */

void lease_set_apart(struct lease *lease)
{
	struct pool *pool = lease->pool;

	assert(lease->state == LENT && !lease->is_apart);
	lease->is_apart = true;
	pool->figures.lent--;
	pool->figures.apart++;
	staff(pool);
}

static void ended_one(struct pool *pool)
{
	if (pool->is_ending)
		free_if_over(pool);
	else
		staff(pool);
}

void lease_return(struct lease *lease, bool clean)
{
	struct pool *pool = lease->pool;

	assert(lease->state == LENT);
	if (!clean || pool->is_ending || lease->is_apart || lease->keep <= 0 ||
	    pool->upstream->limits.idle_most == 0 || !is_current(lease) ||
	    now_of(pool) - lease->born >= pool->upstream->limits.age) {
		lease_end(lease);
		ended_one(pool);
		return;
	}
	lease->served++;
	pool->figures.lent--;
	if (!first_wait(pool) && pool->figures.idle >= pool->upstream->limits.idle_most)
		lease_end(OWNER_OF(pool->idle.previous, struct lease, in_pool));
	place(lease);
}

void lease_cut(struct lease *lease)
{
	struct pool *pool = lease->pool;

	assert(lease->state == LENT);
	stream_reset(lease->stream);
	lease->stream = NULL;
	lease_end(lease);
	ended_one(pool);
}

struct pool_figures pool_figures(const struct pool *pool)
{
	struct pool_figures figures = pool->figures;

	figures.waiting = pool->waiting;
	return figures;
}
