/*
 * loop - one thread's turn: readiness, timers, posted work.
 *
 * A source is edge-triggered for IN, OUT and RDHUP from loop_add to its
 * closing: there is no EPOLL_CTL_MOD. A handler works until it is drained or
 * has used its allowance; in the second case it MUST call loop_again, or the
 * edge is lost and the stream stops for good.
 *
 * Closing: loop_remove the source, close the descriptor, and free the memory
 * in a posted task, never inside a handler: events of the same turn may still
 * name it (the loop skips removed sources of this turn, so removal is enough
 * to be called no more).
 */
#ifndef EVENT_LOOP_H
#define EVENT_LOOP_H

#include <stdbool.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/list.h"

struct loop;
struct timer_wheel;

enum { READY_IN = 1, READY_OUT = 2, READY_HANGUP = 4 /* RDHUP, HUP or ERR: read until it says why */ };

struct source {
	int fd;
	uint8_t ready;                     /* READY_ bits since the handler last cleared them */
	void (*on_ready)(struct source *); /* never NULL */
	struct link again;                 /* owner: loop.again */
};

struct task {
	void (*run)(struct task *);
	struct link posted; /* owner: loop.tasks */
};

MUST_CHECK enum status loop_new(struct loop **out, struct error *err);
/* All sources removed, all timers stopped; runs the tasks that are still posted. NULL is fine. */
void loop_free(struct loop *loop);

/* `source` is the caller's, fd and on_ready set; it stays where it is until loop_remove. */
MUST_CHECK enum status loop_add(struct loop *loop, struct source *source, struct error *err);
/* Takes it out; the fd stays open. Harmless when it is not in. */
void loop_remove(struct loop *loop, struct source *source);
/* Run its handler once more after the other ready ones; idempotent. */
void loop_again(struct loop *loop, struct source *source);

/* Set up a task once before its first loop_post. */
void task_init(struct task *task, void (*run)(struct task *));
/* Run at the end of this turn: closing, flushing, freeing. Idempotent while posted. A task may
 * free itself; tasks posted by tasks run in the same turn. */
void loop_post(struct loop *loop, struct task *task);
void task_cancel(struct task *task);

/* One turn: waits at most wait_ms (-1: until something happens), less when timers or again-sources
 * are due. False once loop_stop was called. Tests drive it by hand with 0. */
bool loop_turn(struct loop *loop, int wait_ms);
void loop_run(struct loop *loop); /* turns until loop_stop */
void loop_stop(struct loop *loop);

/* The time of this turn; read once. */
const struct clock_time *loop_now(const struct loop *loop);
struct timer_wheel *loop_timers(struct loop *loop);
/* Called at the end of every turn, after the posted tasks: the watchdog's word, the log. NULL: nothing. */
void loop_on_turn(struct loop *loop, void (*at_end)(void *arg), void *arg);

#endif
