/*
 * crowd - one worker's connections in the order in which they would have to
 * go, and the order in which handshakes have their turn.
 *
 * Near the ceiling of connections the oldest idle stranger goes for each that
 * comes: one in its handshake, or one without an accepted certificate and
 * without a request under way; then the oldest idle of all. Strangers who have
 * shaken hands never take more than limits.strangers; the rest is for those
 * whom the door knows. Nobody with a request under way is closed for another.
 *
 * A handshake costs as much as thirty requests. So its steps have a queue: some
 * each turn, after what is ready on open connections; familiar addresses before
 * strangers. A flood makes strangers wait, and nobody else.
 */
#ifndef HTTP_CROWD_H
#define HTTP_CROWD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/list.h"
#include "event/loop.h"

struct connection;

enum {
	CROWD_STEPS_A_TURN = 8,  /* of handshakes */
	CROWD_QUEUE_MOST = 1024, /* strangers who wait for a step: about a second */
	CROWD_BEYOND = 256,      /* connections above the ceiling, until those that must go are gone */
};

struct crowd {
	struct link shaking, strangers, known; /* connection.in_crowd: in the handshake; idle. Oldest first */
	struct link familiar_wait, stranger_wait; /* connection.in_queue */
	struct source turn;
	size_t settled_strangers, waiting_strangers;
	uint64_t evicted; /* so far */
};

void crowd_init(struct crowd *crowd);
/* Before another one: closes one that must go. False: none can go. */
bool crowd_make_room(struct crowd *crowd, size_t present, size_t most);
void crowd_arrive(struct connection *connection);
/* The handshake is over and the door has looked: strangers beyond `most` make room for each other. */
void crowd_settle(struct connection *connection, bool is_known, size_t most);
/* One request more, one less, is under way. */
void crowd_begin(struct connection *connection);
void crowd_finish(struct connection *connection);
/* It goes: twice is harmless. */
void crowd_leave(struct connection *connection);
/* Its handshake has something to do: connection_shake is called soon, at the latest when it is its turn. */
void crowd_queue(struct connection *connection);

#endif
