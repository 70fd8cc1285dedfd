/*
 * channel - frames to and from one other process over a Unix stream socket,
 * both ways, on the loop.
 *
 * Never blocks. What the socket does not take waits in a queue with a ceiling.
 * A frame that breaks a rule (length, JSON, depth, a descriptor too many)
 * closes the channel with a reason: nobody goes on talking to a process that
 * lies. Questions and answers go to an ear each: bridge/ask hears the answers,
 * bridge/question hears the questions.
 *
 * Owner: whoever called channel_new. on_closed is called once, in a turn of its
 * own, when the other side has gone or lied; the owner then calls
 * channel_free, there or later. channel_free itself calls no on_closed.
 */
#ifndef BRIDGE_CHANNEL_H
#define BRIDGE_CHANNEL_H

#include <jansson.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "event/loop.h"

struct channel;

/* `why`: "the other side closed", "sent a frame of 5000000 bytes", ... */
typedef void channel_closed_fn(void *arg, struct channel *channel, const char *why);

/* Takes `fd` (a connected Unix stream socket; made non-blocking), also on failure. `peer` names the
 * other side in error texts and logs ("authority"); copied. */
MUST_CHECK enum status channel_new(struct loop *loop, int fd, const char *peer,
				   channel_closed_fn *on_closed, void *arg, struct channel **out,
				   struct error *err);
/* Asks under way fail, answers owed are dropped, what is queued is lost, the socket closes. Memory
 * goes at the end of the turn. NULL is fine. */
void channel_free(struct channel *channel);
/* Closes as if the other side had: on_closed follows. */
void channel_break(struct channel *channel, const char *why);

/* Another descriptor of the same socket, the caller's; -1: none. While it is open the other end sees no end. */
int channel_hold(const struct channel *channel);
const char *channel_peer(const struct channel *channel);
struct loop *channel_loop(const struct channel *channel);
bool channel_is_open(const struct channel *channel);
/* Bytes that wait to be sent. */
size_t channel_waiting(const struct channel *channel);

/* For bridge/ask and bridge/question ------------------------------------ */

enum channel_ear_kind { CHANNEL_ANSWERS, CHANNEL_QUESTIONS };
struct channel_ear {
	/* `frame` and `fd` (or -1) are borrowed for the call. */
	void (*on_frame)(struct channel_ear *ear, uint32_t ticket, json_t *frame, int fd);
	/* The channel is closing; no more sending. Called once, before the ear is let go. */
	void (*on_closed)(struct channel_ear *ear, const char *why);
};
void channel_set_ear(struct channel *channel, enum channel_ear_kind kind, struct channel_ear *ear);
struct channel_ear *channel_ear(const struct channel *channel, enum channel_ear_kind kind);
/* A frame without an ear for it closes the channel. AGAIN: the queue is full. REFUSED: closed or
 * the frame is too large. `frame` is borrowed; `fd` (or -1) too, it is duplicated if it must wait. */
MUST_CHECK enum status channel_send(struct channel *channel, uint32_t ticket, bool is_answer,
				    const json_t *frame, int fd, struct error *err);

#endif
