#include "event/timer.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <cmocka.h>

#include "base/clock.h"

struct probe {
	struct timer timer;
	struct timer_wheel *wheel;
	int fired;
	int64_t now, fired_at, again_in;
};

static int64_t now;

static void on_due(struct timer *timer)
{
	struct probe *probe = OWNER_OF(timer, struct probe, timer);

	probe->fired++;
	probe->fired_at = now;
	if (probe->again_in)
		timer_set(probe->wheel, timer, now + probe->again_in);
}

static void probe_init(struct probe *probe, struct timer_wheel *wheel)
{
	*probe = (struct probe){.wheel = wheel};
	timer_init(&probe->timer, on_due);
}

/* As a loop would: sleep as long as the wheel says, then turn. */
static void sleep_until(struct timer_wheel *wheel, int64_t until)
{
	while (now < until) {
		int wait = timer_wheel_wait(wheel, now, -1);

		assert_true(wait >= 0);
		now += wait ? MILLISECONDS(wait) : 100;
		if (now > until)
			now = until;
		timer_wheel_turn(wheel, now);
	}
}

static void a_timer_fires_once_never_early_and_within_a_tick(void **state)
{
	static const int64_t delays[] = {0,	       1,	       7999,	      8000,	    8001,
					 SECONDS(1),   2040000,	       2048000,	      2056000,	    SECONDS(75),
					 SECONDS(524), SECONDS(600),   SECONDS(3600), SECONDS(86400),
					 SECONDS(134217), SECONDS(200000), SECONDS(30 * 86400)};
	size_t i;
	int64_t start;

	(void)state;
	/* Every phase of the wheel: a deadline must not depend on where it stands. */
	for (start = 0; start < 2100000; start += 99991) {
		for (i = 0; i < sizeof delays / sizeof delays[0]; i++) {
			struct timer_wheel *wheel;
			struct probe probe;
			int64_t due;

			now = SECONDS(1000) + start;
			wheel = timer_wheel_new(now);
			timer_wheel_turn(wheel, now);
			probe_init(&probe, wheel);
			due = now + delays[i];
			timer_set(wheel, &probe.timer, due);
			/* Long waits in jumps, as a sleeping process makes them. */
			if (delays[i] > SECONDS(60)) {
				now = due - SECONDS(30);
				timer_wheel_turn(wheel, now);
				assert_int_equal(probe.fired, 0);
			}
			sleep_until(wheel, due + 20000);
			assert_int_equal(probe.fired, 1);
			assert_true(probe.fired_at >= due);
			assert_true(probe.fired_at <= due + 10000);
			assert_false(timer_is_set(&probe.timer));
			timer_wheel_free(wheel);
		}
	}
}

static void a_moved_timer_fires_at_its_new_time_alone(void **state)
{
	struct timer_wheel *wheel;
	struct probe probe;

	(void)state;
	now = SECONDS(5);
	wheel = timer_wheel_new(now);
	probe_init(&probe, wheel);
	timer_set(wheel, &probe.timer, now + SECONDS(1));
	timer_set(wheel, &probe.timer, now + SECONDS(10));
	sleep_until(wheel, SECONDS(14));
	assert_int_equal(probe.fired, 0);
	timer_set(wheel, &probe.timer, now - SECONDS(3)); /* the past: at the next turn */
	sleep_until(wheel, now + 10000);
	assert_int_equal(probe.fired, 1);
	timer_stop(&probe.timer);
	timer_stop(&probe.timer);
	timer_wheel_free(wheel);
}

static void a_timer_may_set_itself_again(void **state)
{
	struct timer_wheel *wheel;
	struct probe probe;

	(void)state;
	now = SECONDS(5);
	wheel = timer_wheel_new(now);
	probe_init(&probe, wheel);
	probe.again_in = MILLISECONDS(100);
	timer_set(wheel, &probe.timer, now + probe.again_in);
	sleep_until(wheel, now + SECONDS(10));
	assert_in_range(probe.fired, 90, 100);
	timer_stop(&probe.timer);
	timer_wheel_free(wheel);
}

static struct probe pair[2];

static void stop_both(struct timer *timer)
{
	(void)timer;
	pair[0].fired++;
	timer_stop(&pair[0].timer);
	timer_stop(&pair[1].timer);
}

static void one_stopped_by_another_of_the_same_tick_does_not_fire(void **state)
{
	struct timer_wheel *wheel;

	(void)state;
	now = SECONDS(5);
	wheel = timer_wheel_new(now);
	pair[0] = pair[1] = (struct probe){.wheel = wheel};
	timer_init(&pair[0].timer, stop_both);
	timer_init(&pair[1].timer, stop_both);
	timer_set(wheel, &pair[0].timer, now + 10000);
	timer_set(wheel, &pair[1].timer, now + 10000);
	sleep_until(wheel, now + 50000);
	assert_int_equal(pair[0].fired, 1);
	timer_wheel_free(wheel);
}

static void a_thousand_random_timers_keep_their_time(void **state)
{
	static struct probe probes[1000];
	struct timer_wheel *wheel;
	int64_t begun;
	int i;

	(void)state;
	srandom(1);
	begun = now = SECONDS(77) + 12345;
	wheel = timer_wheel_new(now);
	for (i = 0; i < 1000; i++) {
		probe_init(&probes[i], wheel);
		timer_set(wheel, &probes[i].timer, now + random() % SECONDS(700));
	}
	sleep_until(wheel, begun + SECONDS(701));
	for (i = 0; i < 1000; i++) {
		assert_int_equal(probes[i].fired, 1);
		assert_true(probes[i].fired_at >= probes[i].timer.due);
		assert_true(probes[i].fired_at <= probes[i].timer.due + 10000);
	}
	timer_wheel_free(wheel);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_timer_fires_once_never_early_and_within_a_tick),
		cmocka_unit_test(a_moved_timer_fires_at_its_new_time_alone),
		cmocka_unit_test(a_timer_may_set_itself_again),
		cmocka_unit_test(one_stopped_by_another_of_the_same_tick_does_not_fire),
		cmocka_unit_test(a_thousand_random_timers_keep_their_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
