#include "event/timer.h"

#include <stdlib.h>

/*
 * Three levels of 256 slots: 8 ms, 2 s and 9 min a slot. What is farther away
 * than 38 hours waits in the last slot and is looked at again there.
 */
enum { TICK = 8000, LEVELS = 3, SLOTS = 256, SLOT_BITS = 8 };

struct timer_wheel {
	int64_t tick; /* all before it have fired */
	struct link slots[LEVELS][SLOTS];
};

struct timer_wheel *timer_wheel_new(int64_t now)
{
	struct timer_wheel *wheel = calloc(1, sizeof *wheel);
	int level, slot;

	if (!wheel)
		return NULL;
	wheel->tick = now / TICK;
	for (level = 0; level < LEVELS; level++)
		for (slot = 0; slot < SLOTS; slot++)
			list_init(&wheel->slots[level][slot]);
	return wheel;
}

void timer_wheel_free(struct timer_wheel *wheel)
{
	free(wheel);
}

void timer_init(struct timer *timer, void (*on_due)(struct timer *))
{
	timer->due = 0;
	timer->on_due = on_due;
	list_init(&timer->slot);
}

void timer_stop(struct timer *timer)
{
	list_remove(&timer->slot);
}

void timer_set(struct timer_wheel *wheel, struct timer *timer, int64_t due)
{
	int64_t tick = due / TICK + 1; /* the first tick that is not early */
	int64_t ahead;
	int level = 0;

	list_remove(&timer->slot);
	timer->due = due;
	if (tick < wheel->tick)
		tick = wheel->tick;
	ahead = tick - wheel->tick;
	while (level < LEVELS - 1 && ahead >= (int64_t)1 << (SLOT_BITS * (level + 1)))
		level++;
	if (ahead >= (int64_t)1 << (SLOT_BITS * LEVELS))
		tick = wheel->tick + ((int64_t)1 << (SLOT_BITS * LEVELS)) - 1;
	list_add_last(&wheel->slots[level][tick >> (SLOT_BITS * level) & (SLOTS - 1)], &timer->slot);
}

int timer_wheel_wait(const struct timer_wheel *wheel, int64_t now, int most)
{
	int64_t ahead, wait;

	/* Nothing in the near level: the next cascade is the next thing to do. */
	for (ahead = 0; ahead < SLOTS; ahead++) {
		int64_t tick = wheel->tick + ahead;

		if (!list_is_empty(&wheel->slots[0][tick & (SLOTS - 1)]))
			break;
		if ((tick & (SLOTS - 1)) == 0)
			break;
	}
	wait = ((wheel->tick + ahead) * TICK - now + 999) / 1000;
	if (wait < 0)
		wait = 0;
	return most >= 0 && wait > most ? most : (int)wait;
}

/* The timers of a farther slot move to where they belong now. */
static void cascade(struct timer_wheel *wheel, int level)
{
	struct link *slot = &wheel->slots[level][wheel->tick >> (SLOT_BITS * level) & (SLOTS - 1)];
	struct link moved;

	if (list_is_empty(slot))
		return;
	moved = *slot;
	moved.next->previous = moved.previous->next = &moved;
	list_init(slot);
	while (!list_is_empty(&moved)) {
		struct timer *timer = OWNER_OF(list_first(&moved), struct timer, slot);

		timer_set(wheel, timer, timer->due);
	}
}

void timer_wheel_turn(struct timer_wheel *wheel, int64_t now)
{
	while (wheel->tick <= now / TICK) {
		struct link *slot = &wheel->slots[0][wheel->tick & (SLOTS - 1)];
		struct link due;

		if ((wheel->tick & ((1 << (2 * SLOT_BITS)) - 1)) == 0)
			cascade(wheel, 2);
		if ((wheel->tick & (SLOTS - 1)) == 0)
			cascade(wheel, 1);
		list_init(&due);
		if (!list_is_empty(slot)) {
			due = *slot;
			due.next->previous = due.previous->next = &due;
			list_init(slot);
		}
		wheel->tick++;
		while (!list_is_empty(&due)) {
			struct timer *timer = OWNER_OF(list_first(&due), struct timer, slot);

			list_remove(&timer->slot);
			if (timer->due > now)
				timer_set(wheel, timer, timer->due);
			else
				timer->on_due(timer);
		}
	}
}
