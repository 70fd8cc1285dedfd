#include "relay/tunnel.h"

#include <netinet/in.h>
#include <netinet/tcp.h>
#include <string.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "door/visit.h"
#include "event/loop.h"
#include "http/exchange.h"
#include "http/service.h"
#include "relay/passage.h"
#include "stream/stream.h"
#include "wire/websocket.h"

enum { LAST_WORD_SIZE = 48, PROBE_AFTER = 120, PROBE_EVERY = 30, PROBES = 4 };
#define BOUNDARY_TIME MILLISECONDS(100)
#define HALF_CLOSED_TIME SECONDS(60)
#define STALL_TIME SECONDS(600)

struct tunnel {
	struct relay *relay;
	struct exchange *exchange;
	struct lease *lease; /* NULL: the upstream's side is over */
	struct websocket_follower follower; /* of what goes to the client */
	enum ending why;
	bool is_ending;      /* nothing more but what leads to a boundary */
	bool is_half_closed; /* the client's end has been passed on */
	int64_t stalled_down, stalled_up; /* mono: since when bytes wait and none is taken; 0: none waits */
	int64_t half_closed;              /* mono: since when; 0: it is not */
	uint8_t last_word[LAST_WORD_SIZE];
};

size_t tunnel_size(void)
{
	return sizeof(struct tunnel);
}

/* -- the ends -- */

static void cut_upstream(struct tunnel *tunnel)
{
	struct lease *lease = tunnel->lease;

	tunnel->lease = NULL;
	if (lease)
		lease_cut(lease);
}

static void fail(struct tunnel *tunnel, enum ending why)
{
	cut_upstream(tunnel);
	body_fail(&tunnel->exchange->down, why);
}

struct last_word {
	enum ending why;
	uint16_t code;
	const char *reason;
};

static const struct last_word *last_word_of(enum ending why)
{
	static const struct last_word words[] = {
		{ENDED_EXPIRED, WEBSOCKET_POLICY, "certificate expired"},
		{ENDED_REVOKED, WEBSOCKET_POLICY, "access withdrawn"},
		{ENDED_STOPPING, WEBSOCKET_GOING_AWAY, "closing down"},
		{ENDED_REPLACED, WEBSOCKET_SERVICE_RESTART, "come again"},
	};
	static const struct last_word other = {ENDED_OURS, WEBSOCKET_POLICY, "closing down"};
	size_t i;

	for (i = 0; i < sizeof words / sizeof *words; i++)
		if (words[i].why == why)
			return &words[i];
	return &other;
}

/* The stream to the client stands at a boundary, or its end has been said already. */
static void say_last_word(struct tunnel *tunnel)
{
	struct body *down = &tunnel->exchange->down;
	uint8_t frame[WEBSOCKET_CLOSE_MAX];
	const struct last_word *word = last_word_of(tunnel->why);
	size_t size = 0;

	cut_upstream(tunnel);
	if (!tunnel->follower.closing) {
		size = websocket_close_frame(word->code, span_of(word->reason), frame);
		memcpy(tunnel->last_word, frame, size);
	}
	body_show(down, span_make(tunnel->last_word, size), true);
	exchange_flush(tunnel->exchange);
}

static void hear_end(struct tunnel *tunnel)
{
	struct lease *lease = tunnel->lease;

	tunnel->lease = NULL;
	lease_return(lease, false);
	if (tunnel->is_ending) {
		body_fail(&tunnel->exchange->down, tunnel->why);
		return;
	}
	body_show(&tunnel->exchange->down, SPAN(""), true);
	exchange_flush(tunnel->exchange);
}

/* -- time -- */

static int64_t now_of(const struct tunnel *tunnel)
{
	return loop_now(tunnel->relay->worker->loop)->mono;
}

static int64_t due_of(const struct tunnel *tunnel)
{
	int64_t due = INT64_MAX;

	if (tunnel->half_closed)
		due = tunnel->half_closed + HALF_CLOSED_TIME;
	if (tunnel->stalled_down && tunnel->stalled_down + STALL_TIME < due)
		due = tunnel->stalled_down + STALL_TIME;
	if (tunnel->stalled_up && tunnel->stalled_up + STALL_TIME < due)
		due = tunnel->stalled_up + STALL_TIME;
	return due;
}

/* A revocation has set the last one. */
static void set_deadline(struct tunnel *tunnel)
{
	if (!tunnel->is_ending)
		lease_deadline(tunnel->lease, due_of(tunnel));
}

/* Bytes wait, or wait no more: a quiet tunnel has all the time in the world, one that is stuck has not. */
static void note_stall(struct tunnel *tunnel, int64_t *since, const struct body *body, bool has_moved)
{
	bool waits = body_waiting(body) > 0;

	if (waits == (*since != 0) && !has_moved)
		return;
	*since = waits ? now_of(tunnel) : 0;
	set_deadline(tunnel);
}

/* -- towards the client -- */

/* False: the tunnel has ended. */
static bool pass_down(struct tunnel *tunnel, const char *at, size_t size)
{
	struct body *down = &tunnel->exchange->down;
	struct websocket_follower *follower = &tunnel->follower;
	enum status status = REFUSED;

	if (tunnel->is_ending)
		status = websocket_follow_to_boundary(follower, span_make(at, size), &size, NULL);
	else if (!follower->lost)
		status = websocket_follow(follower, span_make(at, size), NULL);
	body_show(down, span_make(at, size), false);
	body_settle(down);
	if (tunnel->is_ending && status == REFUSED)
		fail(tunnel, tunnel->why);
	else if (tunnel->is_ending && status == OK)
		say_last_word(tunnel);
	return tunnel->lease != NULL && down->flow == FLOW_OPEN;
}

static void pump_down(struct tunnel *tunnel)
{
	struct exchange *exchange = tunnel->exchange;
	char *into = tunnel->relay->worker->receive;
	size_t moved = 0, got, room;

	while (tunnel->lease && (room = body_room(&exchange->down)) > 0) {
		struct stream *stream = tunnel->lease->stream;
		enum status status = stream_read(stream, into, room, &got);

		if (status == AGAIN)
			break;
		if (status != OK) {
			fail(tunnel, tunnel->is_ending ? tunnel->why : ENDED_FAR_SIDE);
			return;
		}
		if (got == 0) {
			hear_end(tunnel);
			return;
		}
		moved += got;
		if (!pass_down(tunnel, into, got))
			return;
		if (!stream_has_pending(stream))
			break;
		if (moved >= RELAY_ALLOWANCE) {
			stream_again(stream);
			break;
		}
	}
	if (moved > 0)
		exchange_flush(exchange);
	if (tunnel->lease)
		note_stall(tunnel, &tunnel->stalled_down, &exchange->down, false);
}

/* -- towards the upstream -- */

/* A WebSocket may still be answered after the client's end, but not for ever. */
static void half_close(struct tunnel *tunnel)
{
	struct lease *lease = tunnel->lease;

	tunnel->is_half_closed = true;
	tunnel->half_closed = now_of(tunnel);
	stream_end_writing(lease->stream);
	set_deadline(tunnel);
}

static void pump_up(struct tunnel *tunnel)
{
	struct body *up = &tunnel->exchange->up;
	size_t moved = 0, taken;
	struct span data;

	if (tunnel->is_ending || !tunnel->lease)
		return;
	while ((data = body_peek(up)).size > 0) {
		enum status status = stream_write_span(tunnel->lease->stream, data, &taken);

		if (status == AGAIN)
			break;
		if (status != OK) {
			fail(tunnel, ENDED_FAR_SIDE);
			return;
		}
		body_consume(up, taken);
		moved += taken;
		if (moved >= RELAY_ALLOWANCE && body_waiting(up) > 0) {
			stream_again(tunnel->lease->stream);
			break;
		}
	}
	note_stall(tunnel, &tunnel->stalled_up, up, moved > 0);
	if (moved > 0 && stream_flush(tunnel->lease->stream) == REFUSED)
		fail(tunnel, ENDED_FAR_SIDE);
	else if (up->flow == FLOW_FAILED)
		fail(tunnel, up->why);
	else if (body_is_over(up) && !tunnel->is_half_closed)
		half_close(tunnel);
}

/* -- what the pool and the exchange say -- */

static void lease_ready(struct lease *lease)
{
	struct tunnel *tunnel = lease->holder;

	pump_up(tunnel);
	pump_down(tunnel);
}

static void lease_late(struct lease *lease)
{
	struct tunnel *tunnel = lease->holder;

	if (!tunnel->is_ending && now_of(tunnel) < due_of(tunnel))
		set_deadline(tunnel);
	else
		fail(tunnel, tunnel->is_ending ? tunnel->why : ENDED_LATE);
}

static void on_up(struct exchange *exchange)
{
	pump_up(exchange->service_state);
}

static void on_room(struct exchange *exchange)
{
	struct tunnel *tunnel = exchange->service_state;

	tunnel->stalled_down = 0;
	pump_down(tunnel);
}

static void cancel(struct exchange *exchange)
{
	cut_upstream(exchange->service_state);
}

static bool revoke(struct exchange *exchange, enum ending why)
{
	struct tunnel *tunnel = exchange->service_state;

	if (!tunnel->lease || tunnel->follower.lost || exchange->down.flow != FLOW_OPEN)
		return false;
	tunnel->is_ending = true;
	tunnel->why = why;
	if (websocket_is_at_boundary(&tunnel->follower)) {
		say_last_word(tunnel);
		return true;
	}
	lease_deadline(tunnel->lease,
		       loop_now(tunnel->relay->worker->loop)->mono + BOUNDARY_TIME);
	pump_down(tunnel);
	return true;
}

static void release(struct exchange *exchange)
{
	struct tunnel *tunnel = exchange->service_state;
	struct relay *relay = tunnel->relay;

	exchange->service_state = NULL;
	cut_upstream(tunnel);
	slab_give(&relay->worker->tunnels, tunnel);
	relay->figures.tunnels--;
	relay_let_go(relay);
}

static const struct service tunnel_service = {
	.name = "tunnel",
	.on_up = on_up,
	.on_room = on_room,
	.cancel = cancel,
	.revoke = revoke,
	.release = release,
};

/* A peer that has vanished is noticed after four minutes; RFC 6455 leaves pings to the ends. */
static void probe_peer(int fd)
{
	const int on = 1, after = PROBE_AFTER, every = PROBE_EVERY, count = PROBES;

	(void)setsockopt(fd, SOL_SOCKET, SO_KEEPALIVE, &on, sizeof on);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPIDLE, &after, sizeof after);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPINTVL, &every, sizeof every);
	(void)setsockopt(fd, IPPROTO_TCP, TCP_KEEPCNT, &count, sizeof count);
}

enum status tunnel_start(struct relay *relay, struct exchange *exchange, struct lease *lease,
			 const struct head *answer, struct span early, struct error *err)
{
	struct tunnel *tunnel = slab_take(&relay->worker->tunnels);

	if (!tunnel)
		return error_refuse(err, "all %zu tunnels are in use", relay->worker->tunnels.ceiling);
	*tunnel = (struct tunnel){.relay = relay, .exchange = exchange, .lease = lease};
	websocket_follow_init(&tunnel->follower, false);
	relay_hold(relay);
	relay->figures.tunnels++;
	lease->holder = tunnel;
	lease->on_ready = lease_ready;
	lease->on_late = lease_late;
	lease_deadline(lease, INT64_MAX);
	lease_set_apart(lease);
	if (lease->stream->source.fd >= 0)
		probe_peer(lease->stream->source.fd);
	exchange->service = &tunnel_service;
	exchange->service_state = tunnel;
	visit_drop_lines(exchange);
	exchange_upgrade(exchange, answer);
	if (early.size > 0)
		(void)pass_down(tunnel, early.at, early.size);
	exchange_flush(exchange);
	/* What came while this was an answer has no edge any more. */
	if (tunnel->lease)
		stream_again(tunnel->lease->stream);
	return OK;
}
