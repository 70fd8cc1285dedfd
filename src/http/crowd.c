#include "http/crowd.h"

#include "http/connection_parts.h"
#include "http/transport.h"

static struct connection *oldest(struct link *list)
{
	return list_is_empty(list) ? NULL : OWNER_OF(list_first(list), struct connection, in_crowd);
}

static struct crowd *crowd_of(const struct connection *connection)
{
	return &connection->host->crowd;
}

/* -- the queue of handshakes -- */

static struct connection *next_in_line(struct crowd *crowd)
{
	struct link *line = &crowd->familiar_wait;
	struct connection *connection;

	if (list_is_empty(line)) {
		line = &crowd->stranger_wait;
		if (list_is_empty(line))
			return NULL;
		crowd->waiting_strangers--;
	}
	connection = OWNER_OF(list_first(line), struct connection, in_queue);
	list_remove(&connection->in_queue);
	return connection;
}

static void on_turn(struct source *source)
{
	struct crowd *crowd = OWNER_OF(source, struct crowd, turn);
	struct http_host *host = OWNER_OF(crowd, struct http_host, crowd);
	struct connection *connection;
	int steps;

	for (steps = 0; steps < CROWD_STEPS_A_TURN; steps++) {
		connection = next_in_line(crowd);
		if (!connection)
			return;
		connection_shake(connection);
	}
	if (!list_is_empty(&crowd->familiar_wait) || !list_is_empty(&crowd->stranger_wait))
		loop_again(host->loop, &crowd->turn);
}

void crowd_queue(struct connection *connection)
{
	struct crowd *crowd = crowd_of(connection);

	if (!list_is_empty(&connection->in_queue))
		return;
	if (!connection->is_familiar)
		crowd->waiting_strangers++;
	list_add_last(connection->is_familiar ? &crowd->familiar_wait : &crowd->stranger_wait,
		      &connection->in_queue);
	loop_again(connection->host->loop, &crowd->turn);
}

static void leave_queue(struct connection *connection)
{
	if (list_is_empty(&connection->in_queue))
		return;
	if (!connection->is_familiar)
		crowd_of(connection)->waiting_strangers--;
	list_remove(&connection->in_queue);
}

/* -- who must go -- */

static void evict(struct crowd *crowd, struct connection *connection)
{
	crowd->evicted++;
	connection_abort(connection, ENDED_OURS);
}

static struct connection *oldest_stranger(struct crowd *crowd)
{
	struct connection *shaking = oldest(&crowd->shaking), *idle = oldest(&crowd->strangers);

	if (!shaking || !idle)
		return shaking ? shaking : idle;
	return shaking->idle_since < idle->idle_since ? shaking : idle;
}

void crowd_init(struct crowd *crowd)
{
	*crowd = (struct crowd){.turn = {.fd = -1, .on_ready = on_turn}};
	list_init(&crowd->shaking);
	list_init(&crowd->strangers);
	list_init(&crowd->known);
	list_init(&crowd->familiar_wait);
	list_init(&crowd->stranger_wait);
	list_init(&crowd->turn.again);
}

bool crowd_make_room(struct crowd *crowd, size_t present, size_t most)
{
	struct connection *victim;

	if (present < most)
		return true;
	victim = oldest_stranger(crowd);
	if (!victim)
		victim = oldest(&crowd->known);
	if (victim)
		evict(crowd, victim);
	return victim != NULL;
}

static void place(struct connection *connection, struct link *list)
{
	list_remove(&connection->in_crowd);
	connection->idle_since = connection_now(connection);
	list_add_last(list, &connection->in_crowd);
}

void crowd_arrive(struct connection *connection)
{
	list_init(&connection->in_crowd);
	list_init(&connection->in_queue);
	place(connection, &crowd_of(connection)->shaking);
}

static void go_idle(struct connection *connection)
{
	struct crowd *crowd = crowd_of(connection);

	place(connection, connection->is_known ? &crowd->known : &crowd->strangers);
}

void crowd_settle(struct connection *connection, bool is_known, size_t most)
{
	struct crowd *crowd = crowd_of(connection);
	struct connection *victim;

	if (connection->is_settled && connection->is_known == is_known)
		return;
	if (connection->is_settled && !connection->is_known)
		crowd->settled_strangers--;
	connection->is_settled = true;
	connection->is_known = is_known;
	if (connection->live == 0)
		go_idle(connection);
	if (is_known || ++crowd->settled_strangers <= most)
		return;
	victim = oldest(&crowd->strangers);
	evict(crowd, victim ? victim : connection);
}

void crowd_begin(struct connection *connection)
{
	if (connection->live++ == 0)
		list_remove(&connection->in_crowd);
}

void crowd_finish(struct connection *connection)
{
	if (--connection->live == 0 && connection->is_settled)
		go_idle(connection);
}

void crowd_leave(struct connection *connection)
{
	leave_queue(connection);
	list_remove(&connection->in_crowd);
	if (connection->is_settled && !connection->is_known)
		crowd_of(connection)->settled_strangers--;
	connection->is_settled = false;
}
