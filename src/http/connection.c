#include "http/connection.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "event/loop.h"
#include "http/connection_parts.h"
#include "http/transport.h"
#include "stream/stream.h"
#include "stream/tls_stream.h"

enum { PLAIN_ANSWER_MOST = 65536 };

static size_t guest_offset(void)
{
	size_t aligned = alignof(max_align_t), h1 = transport_h1_size(), h2 = transport_h2_size();

	return ((h1 > h2 ? h1 : h2) + aligned - 1) / aligned * aligned;
}

size_t connection_size(const struct http_host *host)
{
	return sizeof(struct connection) + guest_offset() + host->guest_size;
}

struct http_host *connection_host(const struct connection *connection)
{
	return connection->host;
}

void *connection_guest(struct connection *connection)
{
	return connection->rest + guest_offset();
}

struct connection *connection_of_guest(void *guest)
{
	return OWNER_OF((char *)guest - guest_offset(), struct connection, rest);
}

void *connection_listener(const struct connection *connection)
{
	return connection->listener;
}

struct stream *connection_stream(struct connection *connection)
{
	return connection->stream;
}

const struct address *connection_peer(const struct connection *connection)
{
	return &connection->peer;
}

bool connection_is_secure(const struct connection *connection)
{
	return connection->is_secure;
}

uint64_t connection_id(const struct connection *connection)
{
	return connection->id;
}

int64_t connection_born(const struct connection *connection)
{
	return connection->born;
}

uint64_t connection_exchanges(const struct connection *connection)
{
	return connection->exchanges;
}

void connection_count_exchange(struct connection *connection)
{
	connection->exchanges++;
	crowd_begin(connection);
}

void connection_lose_exchange(struct connection *connection)
{
	crowd_finish(connection);
}

void connection_settle(struct connection *connection, bool is_known)
{
	if (connection->state <= CONNECTION_OPEN)
		crowd_settle(connection, is_known, connection->host->limits.strangers);
}

void connection_set_familiar(struct connection *connection)
{
	connection->is_familiar = true;
}

bool connection_is_proxied(const struct connection *connection)
{
	return connection->is_proxied;
}

bool connection_is_ending(const struct connection *connection)
{
	return connection->state >= CONNECTION_ENDING;
}

int64_t connection_now(const struct connection *connection)
{
	return loop_now(connection->host->loop)->mono;
}

bool connection_may_read(const struct connection *connection)
{
	return connection->state == CONNECTION_OPEN;
}

bool connection_may_write(const struct connection *connection)
{
	return connection->state == CONNECTION_OPEN ||
	       (connection->state == CONNECTION_ENDING && connection->last_word);
}

static void post(struct connection *connection)
{
	loop_post(connection->host->loop, &connection->work);
}

bool connection_still_listens(const struct connection *connection)
{
	const struct stream *stream = connection->stream;

	return !stream->ended && !stream->hung_up && stream->failure == STREAM_WELL;
}

void connection_tidy(struct connection *connection)
{
	connection->tidies = true;
	post(connection);
}

void connection_be_tunnel(struct connection *connection)
{
	connection->is_tunnel = true;
}

void connection_again(struct connection *connection)
{
	stream_again(connection->stream);
}

void connection_flush(struct connection *connection)
{
	/* What it says is known at the next read or write. */
	(void)stream_flush(connection->stream);
}

/* -- deadlines -- */

static int64_t next_due(const struct connection *connection)
{
	bool has_end = connection->state <= CONNECTION_OPEN;

	return has_end && connection->end < connection->deadline ? connection->end
								 : connection->deadline;
}

/* A later deadline leaves the timer alone: it fires early and sets itself again. */
static void arm(struct connection *connection)
{
	int64_t due = next_due(connection);

	if (due == INT64_MAX || (timer_is_set(&connection->timer) && connection->timer.due <= due))
		return;
	timer_set(loop_timers(connection->host->loop), &connection->timer, due);
}

void connection_deadline(struct connection *connection, int64_t mono)
{
	/* Those of the way out are nobody else's to move. */
	if (connection->state > CONNECTION_OPEN)
		return;
	connection->deadline = mono;
	arm(connection);
}

static void set_deadline_in(struct connection *connection, int64_t time)
{
	connection->deadline = connection_now(connection) + time;
	arm(connection);
}

void connection_set_end(struct connection *connection, int64_t mono)
{
	connection->end = mono;
	arm(connection);
}

/* -- the way out -- */

static void start_closing(struct connection *connection, enum ending why, bool resets)
{
	if (connection->state >= CONNECTION_CLOSING)
		return;
	if (connection->state != CONNECTION_ENDING)
		connection->why = why;
	connection->state = CONNECTION_CLOSING;
	crowd_leave(connection);
	connection->resets = resets;
	set_deadline_in(connection, connection->why == ENDED_REVOKED || connection->why == ENDED_EXPIRED
					    ? connection->host->limits.revoke_time
					    : connection->host->limits.idle_time);
	post(connection);
}

void connection_close(struct connection *connection, enum ending why)
{
	start_closing(connection, why, false);
}

void connection_abort(struct connection *connection, enum ending why)
{
	start_closing(connection, why, true);
}

/* A client that takes the last answer slowly has no more time than one for a last word. */
static void hurry(struct connection *connection)
{
	const int64_t time = connection->host->limits.revoke_time;

	if (connection->deadline > connection_now(connection) + time)
		set_deadline_in(connection, time);
}

void connection_end(struct connection *connection, enum ending why)
{
	if (connection->state <= CONNECTION_HANDSHAKE) {
		start_closing(connection, why, true);
	} else if (connection->state == CONNECTION_OPEN) {
		connection->state = CONNECTION_ENDING;
		connection->why = why;
		connection->ends = true;
		set_deadline_in(connection, connection->host->limits.revoke_time);
		post(connection);
	} else if (connection->state == CONNECTION_CLOSING) {
		hurry(connection);
	}
}

void connection_drain(struct connection *connection)
{
	connection->drains = true;
	if (connection->state == CONNECTION_OPEN)
		connection->transport->ops->drain(connection->transport);
}

static void drop(struct connection *connection)
{
	struct http_host *host = connection->host;
	struct slabs *slabs = &host->connections;

	connection->state = CONNECTION_CLOSED;
	timer_stop(&connection->timer);
	task_cancel(&connection->work);
	list_remove(&connection->in_host);
	crowd_leave(connection);
	slab_give(slabs, connection);
	http_host_breathe(host);
}

static void close_now(struct connection *connection)
{
	if (connection->resets)
		stream_reset(connection->stream);
	else
		stream_free(connection->stream);
	connection->stream = NULL;
	connection->state = CONNECTION_CLOSED;
	post(connection);
}

/* Browsers end without close_notify: after the handshake that is no failure, and an exchange which it
 * cuts short says so itself. */
static bool has_failed(const struct connection *connection, const struct transport *transport)
{
	const uint8_t failure = connection->stream->failure;

	return failure != STREAM_WELL && !(transport && failure == STREAM_CUT);
}

/* Nothing flows any more: the exchanges go, then the guest; the stream ends as well as it can. */
static void tell_closed(struct connection *connection)
{
	struct transport *transport = connection->transport;
	struct http_host *host = connection->host;
	struct error err = {""};

	if (connection->is_closed_told)
		return;
	connection->is_closed_told = true;
	connection->transport = NULL;
	if (transport)
		transport->ops->release(transport, connection->why);
	if (connection->trouble)
		err = *connection->trouble;
	else if (connection->blame)
		(void)error_refuse(&err, "%s", connection->blame);
	else if (has_failed(connection, transport))
		stream_explain(connection->stream, &err);
	free(connection->trouble);
	connection->trouble = NULL;
	if (host->on_closed)
		host->on_closed(connection, connection->why, &err);
}

static void finish(struct connection *connection)
{
	if (connection->resets) {
		close_now(connection);
		return;
	}
	if (!connection->is_flushed) {
		enum status status = stream_flush(connection->stream);

		if (status == AGAIN)
			return;
		connection->is_flushed = true;
		set_deadline_in(connection, connection->host->limits.linger_time);
	}
	if (stream_finish(connection->stream) != AGAIN)
		close_now(connection);
}

static void begin_ending(struct connection *connection)
{
	struct transport *transport = connection->transport;

	connection->ends = false;
	connection->last_word = true;
	if (transport->ops->revoke(transport, connection->why))
		return;
	connection->last_word = false;
	start_closing(connection, connection->why, false);
}

static void do_work(struct task *task)
{
	struct connection *connection = OWNER_OF(task, struct connection, work);

	if (connection->state == CONNECTION_ENDING && connection->ends)
		begin_ending(connection);
	if (connection->tidies && connection_may_write(connection)) {
		connection->tidies = false;
		connection->transport->ops->tidy(connection->transport);
	}
	if (connection->state == CONNECTION_CLOSING) {
		tell_closed(connection);
		finish(connection);
	} else if (connection->state == CONNECTION_CLOSED) {
		drop(connection);
		return;
	}
	if (connection->state < CONNECTION_CLOSING)
		connection_flush(connection);
}

void connection_blame(struct connection *connection, const char *text)
{
	connection->blame = text;
}

/* -- reading and writing, for transports -- */

static enum status lose(struct connection *connection)
{
	connection_abort(connection, ENDED_CLIENT_GONE);
	return REFUSED;
}

enum status connection_read(struct connection *connection, char *into, size_t room, size_t *got)
{
	enum status status;

	if (!connection_may_read(connection))
		return REFUSED;
	status = stream_read(connection->stream, into, room, got);
	return status == OK || status == AGAIN ? status : lose(connection);
}

enum status connection_write(struct connection *connection, const struct iovec *parts, int count,
			     size_t *taken)
{
	enum status status;

	if (!connection_may_write(connection))
		return REFUSED;
	status = stream_write(connection->stream, parts, count, taken);
	return status == OK || status == AGAIN ? status : lose(connection);
}

/* -- the states -- */

static void open_up(struct connection *connection)
{
	struct http_host *host = connection->host;

	connection->is_secure = connection->is_tls;
	connection->state = CONNECTION_OPEN;
	set_deadline_in(connection, host->limits.idle_time);
	connection->transport = span_is(stream_protocol(connection->stream), "h2")
					? transport_h2_init(connection->rest, connection)
					: transport_h1_init(connection->rest, connection);
	if (host->on_secured)
		host->on_secured(connection);
	if (!connection->is_settled)
		connection_settle(connection, false);
	if (connection->state == CONNECTION_OPEN && connection->drains)
		connection->transport->ops->drain(connection->transport);
}

static void answer_in_clear(struct connection *connection)
{
	struct buffer answer;

	buffer_init(&answer, PLAIN_ANSWER_MOST);
	plain_answer(connection, tls_stream_clear_bytes(connection->stream), &answer);
	if (tls_stream_answer_clear(connection->stream, buffer_span(&answer)) != OK)
		connection->resets = true;
	buffer_release(&answer);
}

void connection_shake(struct connection *connection)
{
	enum status status = stream_secure(connection->stream);

	if (status == AGAIN)
		return;
	if (status == OK) {
		open_up(connection);
		if (connection_may_read(connection))
			connection->transport->ops->on_readable(connection->transport);
		if (connection->state == CONNECTION_OPEN)
			connection_flush(connection);
		return;
	}
	if (connection->stream->failure == STREAM_IN_CLEAR && preface_is_strangers(connection))
		connection->resets = true;
	else if (connection->stream->failure == STREAM_IN_CLEAR)
		answer_in_clear(connection);
	start_closing(connection, ENDED_CLIENT_BAD, connection->resets);
}

/* Plain connections shake no hands and wait for nobody. */
static void handshake_ready(struct connection *connection)
{
	if (connection->is_tls)
		crowd_queue(connection);
	else
		connection_shake(connection);
}

static bool meet(struct connection *connection)
{
	struct http_host *host = connection->host;

	if (!host->on_peer || host->on_peer(connection))
		return true;
	start_closing(connection, ENDED_OURS, true);
	return false;
}

static void preface_ready(struct connection *connection)
{
	enum status status = preface_read(connection);

	if (status == AGAIN)
		return;
	if (status != OK) {
		start_closing(connection, ENDED_CLIENT_BAD, true);
		return;
	}
	connection->state = CONNECTION_HANDSHAKE;
	if (meet(connection))
		handshake_ready(connection);
}

static void open_ready(struct connection *connection)
{
	const struct transport_ops *ops = connection->transport->ops;

	ops->on_writable(connection->transport);
	if (connection_may_read(connection))
		ops->on_readable(connection->transport);
	if (connection->state == CONNECTION_OPEN)
		connection_flush(connection);
}

static void ending_ready(struct connection *connection)
{
	if (connection->last_word)
		connection->transport->ops->on_writable(connection->transport);
}

static void closing_ready(struct connection *connection)
{
	/* Before the posted work has run, the exchanges are still there. */
	if (connection->is_closed_told)
		finish(connection);
}

static void reset_late(struct connection *connection)
{
	connection->resets = true;
	start_closing(connection, ENDED_LATE, true);
	post(connection);
}

static void open_late(struct connection *connection)
{
	connection->transport->ops->on_late(connection->transport);
	if (connection->state == CONNECTION_OPEN)
		connection_flush(connection);
}

static void ending_late(struct connection *connection)
{
	start_closing(connection, connection->why, true);
}

static void closing_late(struct connection *connection)
{
	if (!connection->is_flushed)
		connection->resets = true;
	tell_closed(connection);
	close_now(connection);
}

static const struct {
	const char *name;
	void (*on_ready)(struct connection *);
	void (*on_late)(struct connection *);
} states[] = {
	[CONNECTION_PREFACE] = {"preface", preface_ready, reset_late},
	[CONNECTION_HANDSHAKE] = {"handshake", handshake_ready, reset_late},
	[CONNECTION_OPEN] = {"open", open_ready, open_late},
	[CONNECTION_ENDING] = {"ending", ending_ready, ending_late},
	[CONNECTION_CLOSING] = {"closing", closing_ready, closing_late},
	[CONNECTION_CLOSED] = {"closed", NULL, NULL},
};

static void on_stream_ready(void *owner)
{
	struct connection *connection = owner;

	if (states[connection->state].on_ready)
		states[connection->state].on_ready(connection);
}

static void on_timer(struct timer *timer)
{
	struct connection *connection = OWNER_OF(timer, struct connection, timer);
	int64_t now = connection_now(connection);

	if (connection->state <= CONNECTION_OPEN && now >= connection->end)
		connection_end(connection, ENDED_EXPIRED);
	else if (now >= connection->deadline && states[connection->state].on_late)
		states[connection->state].on_late(connection);
	else
		arm(connection);
}

enum status connection_new(struct http_host *host, const struct connection_birth *birth,
			   struct connection **out, struct error *err)
{
	bool has_room = crowd_make_room(&host->crowd, host->connections.taken, host->limits.connections);
	struct connection *connection = has_room ? slab_take(&host->connections) : NULL;
	enum status status;

	if (!connection) {
		stream_free(birth->stream);
		return error_refuse(err, "%zu connections are open, which is the most, and none is idle",
				    host->connections.taken);
	}
	if (host->connections.taken > host->most)
		host->most = host->connections.taken;
	memset(connection, 0, connection_size(host));
	connection->host = host;
	connection->stream = birth->stream;
	connection->is_tls = birth->is_tls;
	connection->peer = birth->peer;
	connection->is_proxied = birth->is_proxied;
	connection->state = birth->is_proxied ? CONNECTION_PREFACE : CONNECTION_HANDSHAKE;
	connection->listener = birth->listener;
	connection->born = connection_now(connection);
	connection->id = host->next_id++;
	connection->end = INT64_MAX;
	timer_init(&connection->timer, on_timer);
	task_init(&connection->work, do_work);
	list_add_last(&host->live, &connection->in_host);
	crowd_arrive(connection);
	set_deadline_in(connection, host->limits.handshake_time);
	status = stream_start(birth->stream, host->loop, on_stream_ready, connection, err);
	if (status != OK) {
		stream_free(birth->stream);
		drop(connection);
		return status;
	}
	*out = connection;
	if (!birth->is_proxied)
		(void)meet(connection);
	return OK;
}
