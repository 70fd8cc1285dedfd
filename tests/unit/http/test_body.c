#include "http/http_house.h"

struct ends {
	struct body body;
	struct slabs slabs;
	struct loop *loop;
	unsigned bytes, rooms;
	size_t eats; /* how many bytes the consumer takes in a notice */
};

static void on_bytes(void *arg)
{
	struct ends *ends = arg;
	size_t left = ends->eats;

	ends->bytes++;
	while (left > 0 && body_peek(&ends->body).size > 0) {
		size_t now = body_peek(&ends->body).size < left ? body_peek(&ends->body).size : left;

		body_consume(&ends->body, now);
		left -= now;
	}
}

static void on_room(void *arg)
{
	struct ends *ends = arg;

	ends->rooms++;
}

static void begin(struct ends *ends)
{
	struct error err;

	*ends = (struct ends){0};
	assert_int_equal(loop_new(&ends->loop, &err), OK);
	slabs_init(&ends->slabs, 16, 2, 2);
	body_init(&ends->body, ends->loop, &ends->slabs);
	ends->body.on_bytes = on_bytes;
	ends->body.on_room = on_room;
	ends->body.consumer = ends->body.producer = ends;
}

static void end(struct ends *ends)
{
	body_release(&ends->body);
	body_release(&ends->body);
	(void)loop_turn(ends->loop, 0);
	slabs_release(&ends->slabs);
	loop_free(ends->loop);
}

static void a_prompt_consumer_costs_no_copy_and_no_notice(void **state)
{
	struct ends ends;

	(void)state;
	begin(&ends);
	ends.eats = 100;
	body_show(&ends.body, SPAN("0123456789012345678901234567890"), false);
	body_settle(&ends.body);
	assert_int_equal(ends.slabs.taken, 0);
	assert_int_equal(ends.bytes, 1);
	assert_int_equal(body_room(&ends.body), 16);
	(void)loop_turn(ends.loop, 0);
	assert_int_equal(ends.rooms, 0);
	end(&ends);
}

static void what_is_left_is_spilled_and_room_is_told_later(void **state)
{
	struct ends ends;

	(void)state;
	begin(&ends);
	ends.eats = 4;
	body_show(&ends.body, SPAN("0123456789"), false);
	body_settle(&ends.body);
	assert_int_equal(ends.slabs.taken, 1);
	assert_int_equal(body_room(&ends.body), 10);
	body_show(&ends.body, SPAN("abcdefghij"), false);
	body_settle(&ends.body);
	assert_int_equal(body_waiting(&ends.body), 12);
	assert_true(span_is(body_peek(&ends.body), "89abcdefghij"));
	assert_int_equal(body_room(&ends.body), 4);
	body_consume(&ends.body, 11);
	assert_int_equal(ends.rooms, 0);
	(void)loop_turn(ends.loop, 0);
	assert_int_equal(ends.rooms, 1);
	body_consume(&ends.body, 1);
	assert_int_equal(ends.slabs.taken, 0);
	end(&ends);
}

static void the_last_byte_ends_it_and_room_is_told_no_more(void **state)
{
	struct ends ends;

	(void)state;
	begin(&ends);
	body_show(&ends.body, SPAN("abc"), true);
	body_settle(&ends.body);
	assert_false(body_is_over(&ends.body));
	assert_int_equal(body_room(&ends.body), 0);
	body_consume(&ends.body, 3);
	assert_true(body_is_over(&ends.body));
	body_fail(&ends.body, ENDED_FAR_SIDE);
	(void)loop_turn(ends.loop, 0);
	assert_int_equal(ends.rooms, 0);
	assert_int_equal(ends.body.flow, FLOW_ENDED);
	end(&ends);
}

static void a_failure_drops_what_waits_and_is_told_later(void **state)
{
	struct ends ends;

	(void)state;
	begin(&ends);
	body_show(&ends.body, SPAN("abc"), false);
	body_settle(&ends.body);
	body_fail(&ends.body, ENDED_LATE);
	assert_int_equal(ends.bytes, 1);
	assert_int_equal(body_waiting(&ends.body), 0);
	assert_int_equal(ends.slabs.taken, 0);
	(void)loop_turn(ends.loop, 0);
	assert_int_equal(ends.bytes, 2);
	assert_int_equal(ends.body.why, ENDED_LATE);
	assert_false(body_is_over(&ends.body));
	body_show(&ends.body, SPAN("more"), false);
	assert_int_equal(body_waiting(&ends.body), 0);
	end(&ends);
}

static void without_a_slab_the_body_fails(void **state)
{
	struct ends ends;

	(void)state;
	begin(&ends);
	ends.slabs.ceiling = 0;
	body_show(&ends.body, SPAN("abc"), true);
	body_settle(&ends.body);
	assert_int_equal(ends.body.flow, FLOW_FAILED);
	assert_int_equal(ends.body.why, ENDED_OURS);
	end(&ends);
}

static void a_released_body_gives_no_notice(void **state)
{
	struct ends ends;

	(void)state;
	begin(&ends);
	body_fail(&ends.body, ENDED_LATE);
	body_release(&ends.body);
	(void)loop_turn(ends.loop, 0);
	assert_int_equal(ends.bytes, 0);
	end(&ends);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_prompt_consumer_costs_no_copy_and_no_notice),
		cmocka_unit_test(what_is_left_is_spilled_and_room_is_told_later),
		cmocka_unit_test(the_last_byte_ends_it_and_room_is_told_no_more),
		cmocka_unit_test(a_failure_drops_what_waits_and_is_told_later),
		cmocka_unit_test(without_a_slab_the_body_fails),
		cmocka_unit_test(a_released_body_gives_no_notice),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
