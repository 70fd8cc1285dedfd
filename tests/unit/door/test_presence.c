#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "door/presence.h"
#include "event/loop.h"
#include "shm/roster.h"

enum { MANY = 1000 };

static const uint8_t alice[16] = {1}, bob[16] = {2};
static const uint8_t first[32] = {1}, second[32] = {2};

struct fixture {
	struct loop *loop;
	struct presence *presence;
	struct presence_mark marks[MANY];
	size_t ended, visited, done_calls, done_count;
	bool leaves;
	enum refusal why;
};

static bool on_end(void *arg, struct presence_mark *mark, enum refusal why)
{
	struct fixture *fixture = arg;

	fixture->ended++;
	fixture->why = why;
	if (fixture->leaves)
		presence_leave(fixture->presence, mark);
	return true;
}

static void on_visit(void *arg, struct presence_mark *mark)
{
	struct fixture *fixture = arg;

	fixture->visited++;
	if (fixture->leaves)
		presence_leave(fixture->presence, mark);
}

static void on_done(void *arg, size_t count)
{
	struct fixture *fixture = arg;

	fixture->done_calls++;
	fixture->done_count = count;
}

static int set_up(void **state)
{
	struct fixture *fixture = calloc(1, sizeof *fixture);
	struct error err;

	assert_int_equal(loop_new(&fixture->loop, &err), OK);
	assert_int_equal(presence_new(fixture->loop, on_end, fixture, &fixture->presence, &err), OK);
	*state = fixture;
	return 0;
}

static int tear_down(void **state)
{
	struct fixture *fixture = *state;
	size_t i;

	for (i = 0; i < MANY; i++)
		if (fixture->marks[i].is_here)
			presence_leave(fixture->presence, &fixture->marks[i]);
	assert_int_equal(presence_count(fixture->presence), 0);
	presence_free(fixture->presence);
	loop_free(fixture->loop);
	free(fixture);
	return 0;
}

static void turn(struct fixture *fixture)
{
	(void)loop_turn(fixture->loop, 0);
}

static void close_device(struct fixture *fixture, const uint8_t *device, const uint8_t *fingerprint)
{
	struct error err;

	assert_int_equal(presence_close(fixture->presence, device, fingerprint, REFUSAL_REVOKED, on_done, fixture, &err),
			 OK);
}

static void closing_a_device_ends_its_connections_and_no_others(void **state)
{
	struct fixture *fixture = *state;
	size_t i;

	for (i = 0; i < 10; i++)
		presence_enter(fixture->presence, &fixture->marks[i], i % 2 ? alice : bob, first);
	presence_enter(fixture->presence, &fixture->marks[10], NULL, first);
	assert_int_equal(presence_count_device(fixture->presence, alice), 5);
	close_device(fixture, alice, NULL);
	assert_int_equal(fixture->done_calls, 0);
	turn(fixture);
	assert_int_equal(fixture->done_calls, 1);
	assert_int_equal(fixture->done_count, 5);
	assert_int_equal(fixture->ended, 5);
	assert_int_equal(fixture->why, REFUSAL_REVOKED);
	assert_int_equal(presence_count_device(fixture->presence, alice), 0);
	assert_int_equal(presence_count_device(fixture->presence, bob), 5);
	for (i = 0; i < 11; i++)
		assert_int_equal(fixture->marks[i].is_ended, i < 10 && i % 2);
}

static void closing_one_certificate_leaves_the_others_of_the_device(void **state)
{
	struct fixture *fixture = *state;

	presence_enter(fixture->presence, &fixture->marks[0], alice, first);
	presence_enter(fixture->presence, &fixture->marks[1], alice, second);
	close_device(fixture, alice, second);
	turn(fixture);
	assert_int_equal(fixture->done_count, 1);
	assert_false(fixture->marks[0].is_ended);
	assert_true(fixture->marks[1].is_ended);
}

static void closing_somebody_who_is_not_here_is_done_at_once(void **state)
{
	struct fixture *fixture = *state;

	close_device(fixture, alice, NULL);
	turn(fixture);
	assert_int_equal(fixture->done_calls, 1);
	assert_int_equal(fixture->done_count, 0);
}

static void a_thousand_connections_are_closed_256_a_turn(void **state)
{
	struct fixture *fixture = *state;
	size_t i;

	for (i = 0; i < MANY; i++)
		presence_enter(fixture->presence, &fixture->marks[i], alice, first);
	close_device(fixture, alice, NULL);
	for (i = 1; i <= 3; i++) {
		turn(fixture);
		assert_int_equal(fixture->ended, i * PRESENCE_A_TURN);
		assert_int_equal(fixture->done_calls, 0);
	}
	turn(fixture);
	assert_int_equal(fixture->ended, MANY);
	assert_int_equal(fixture->done_count, MANY);
}

static void marks_may_leave_while_they_are_ended(void **state)
{
	struct fixture *fixture = *state;
	size_t i;

	fixture->leaves = true;
	for (i = 0; i < 600; i++)
		presence_enter(fixture->presence, &fixture->marks[i], i % 3 ? alice : bob, first);
	close_device(fixture, alice, NULL);
	close_device(fixture, bob, NULL);
	for (i = 0; i < 4; i++)
		turn(fixture);
	assert_int_equal(fixture->done_calls, 2);
	assert_int_equal(fixture->ended, 600);
	assert_int_equal(presence_count(fixture->presence), 0);
}

static void each_visits_everybody_once_256_a_turn(void **state)
{
	struct fixture *fixture = *state;
	size_t i;

	for (i = 0; i < MANY; i++)
		presence_enter(fixture->presence, &fixture->marks[i], i % 2 ? alice : NULL, first);
	presence_each(fixture->presence, on_visit, fixture);
	turn(fixture);
	assert_int_equal(fixture->visited, PRESENCE_A_TURN);
	/* One that waits goes, one that was visited goes: neither is met again. */
	presence_leave(fixture->presence, &fixture->marks[0]);
	presence_leave(fixture->presence, &fixture->marks[MANY - 1]);
	for (i = 0; i < 6; i++)
		turn(fixture);
	assert_int_equal(fixture->visited, MANY - 1);
}

static void each_begun_anew_visits_everybody_again(void **state)
{
	struct fixture *fixture = *state;
	size_t i;

	for (i = 0; i < 300; i++)
		presence_enter(fixture->presence, &fixture->marks[i], alice, first);
	presence_each(fixture->presence, on_visit, fixture);
	turn(fixture);
	fixture->visited = 0;
	presence_each(fixture->presence, on_visit, fixture);
	for (i = 0; i < 4; i++)
		turn(fixture);
	assert_int_equal(fixture->visited, 300);
}

static void leaving_inside_a_walk_is_no_trouble(void **state)
{
	struct fixture *fixture = *state;
	size_t i;

	fixture->leaves = true;
	for (i = 0; i < 300; i++)
		presence_enter(fixture->presence, &fixture->marks[i], alice, first);
	presence_each(fixture->presence, on_visit, fixture);
	turn(fixture);
	turn(fixture);
	assert_int_equal(presence_count(fixture->presence), 0);
}

static void presence_may_be_freed_with_work_under_way(void **state)
{
	struct fixture *fixture = *state;
	struct presence *other;
	struct error err;

	assert_int_equal(presence_new(fixture->loop, on_end, fixture, &other, &err), OK);
	assert_int_equal(presence_close(other, alice, NULL, REFUSAL_REVOKED, on_done, fixture, &err), OK);
	presence_free(other);
	turn(fixture);
	assert_int_equal(fixture->done_calls, 0);
}

/* The authority stores the word, then tells; the gateway enters, then reads. Whatever the order of
 * the four, one of them sees the other. */
enum step { GATEWAY, AUTHORITY };

static void run_order(struct fixture *fixture, const enum step order[4])
{
	struct roster_row row = {.not_after = 4000000000, .state = ROSTER_ACTIVE};
	struct presence_mark mark;
	struct standing standing;
	struct roster *roster = NULL;
	bool let_in = false, ended;
	int gateway = 0, authority = 0, i;
	struct error err;

	memcpy(row.fingerprint, first, sizeof first);
	memcpy(row.device, alice, sizeof alice);
	assert_int_equal(roster_new(4, &roster, &err), OK);
	assert_int_equal(roster_put(roster, &row, &err), OK);
	fixture->ended = 0;
	for (i = 0; i < 4; i++) {
		if (order[i] == GATEWAY && gateway++ == 0) {
			presence_enter(fixture->presence, &mark, alice, first);
		} else if (order[i] == GATEWAY) {
			assert_true(roster_find(roster, first, &standing));
			let_in = standing.state == ROSTER_ACTIVE;
		} else if (authority++ == 0) {
			assert_true(roster_set_state(roster, first, ROSTER_REVOKED));
		} else {
			close_device(fixture, alice, NULL);
			turn(fixture);
		}
	}
	ended = fixture->ended == 1;
	assert_true(!let_in || ended);
	presence_leave(fixture->presence, &mark);
	roster_free(roster);
}

static void in_every_order_a_revocation_and_a_handshake_meet(void **state)
{
	static const enum step orders[6][4] = {
		{GATEWAY, GATEWAY, AUTHORITY, AUTHORITY}, {GATEWAY, AUTHORITY, GATEWAY, AUTHORITY},
		{GATEWAY, AUTHORITY, AUTHORITY, GATEWAY}, {AUTHORITY, GATEWAY, GATEWAY, AUTHORITY},
		{AUTHORITY, GATEWAY, AUTHORITY, GATEWAY}, {AUTHORITY, AUTHORITY, GATEWAY, GATEWAY},
	};
	size_t i;

	for (i = 0; i < 6; i++)
		run_order(*state, orders[i]);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(closing_a_device_ends_its_connections_and_no_others, set_up, tear_down),
		cmocka_unit_test_setup_teardown(closing_one_certificate_leaves_the_others_of_the_device, set_up, tear_down),
		cmocka_unit_test_setup_teardown(closing_somebody_who_is_not_here_is_done_at_once, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_thousand_connections_are_closed_256_a_turn, set_up, tear_down),
		cmocka_unit_test_setup_teardown(marks_may_leave_while_they_are_ended, set_up, tear_down),
		cmocka_unit_test_setup_teardown(each_visits_everybody_once_256_a_turn, set_up, tear_down),
		cmocka_unit_test_setup_teardown(each_begun_anew_visits_everybody_again, set_up, tear_down),
		cmocka_unit_test_setup_teardown(leaving_inside_a_walk_is_no_trouble, set_up, tear_down),
		cmocka_unit_test_setup_teardown(presence_may_be_freed_with_work_under_way, set_up, tear_down),
		cmocka_unit_test_setup_teardown(in_every_order_a_revocation_and_a_handshake_meet, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
