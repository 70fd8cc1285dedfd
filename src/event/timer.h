/*
 * timer - deadlines on an intrusive wheel. Setting, moving and stopping cost
 * a few stores. Resolution 8 ms; a timer never fires early.
 *
 * The hot path does not re-arm: it moves its own deadline field and lets the
 * timer fire early for it, whose handler sets itself again for the rest.
 */
#ifndef EVENT_TIMER_H
#define EVENT_TIMER_H

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

struct timer {
	int64_t due; /* mono microseconds; meaningful while set */
	void (*on_due)(struct timer *);
	struct link slot; /* owner: timer_wheel */
};

struct timer_wheel;

void timer_init(struct timer *timer, void (*on_due)(struct timer *));
/* Fires at the first turn at or after `due`; moves it when it is set already. */
void timer_set(struct timer_wheel *wheel, struct timer *timer, int64_t due);
/* Harmless when not set. on_due is called with the timer already stopped. */
void timer_stop(struct timer *timer);
static inline bool timer_is_set(const struct timer *timer)
{
	return !list_is_empty(&timer->slot);
}

/* For event/loop only. */
struct timer_wheel *timer_wheel_new(int64_t now);
void timer_wheel_free(struct timer_wheel *wheel);
/* Milliseconds until it is worth calling timer_wheel_turn, at most `most`; -1 is "never". */
int timer_wheel_wait(const struct timer_wheel *wheel, int64_t now, int most);
void timer_wheel_turn(struct timer_wheel *wheel, int64_t now);

#endif
