#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <cmocka.h>

#include "base/line_ring.h"

static void what_goes_in_comes_out_in_order_and_whole(void **state)
{
	char memory[64], line[40], expected[40];
	struct line_ring ring;
	unsigned written = 0, read = 0, step;
	uint32_t chance = 1;

	(void)state;
	line_ring_init(&ring, memory, sizeof memory);
	for (step = 0; step < 20000; step++) {
		chance = chance * 1664525u + 1013904223u;
		if (chance >> 31) {
			int size = snprintf(line, sizeof line, "%u %.*s\n", written, (int)(chance >> 8) % 20, "xxxxxxxxxxxxxxxxxxxx");

			written += line_ring_add(&ring, span_make(line, (size_t)size));
		} else if (line_ring_waiting(&ring)) {
			struct span rest = line_ring_take(&ring, (chance >> 8) % 64), one;

			assert_true(rest.size > 0 && rest.at[rest.size - 1] == '\n');
			line_ring_taken(&ring, rest.size);
			while (span_cut(&rest, '\n', &one)) {
				snprintf(expected, sizeof expected, "%u ", read++);
				assert_true(span_starts(one, expected));
			}
		}
	}
	assert_true(read > 1000 && written - read < 64 && ring.dropped > 100);
}

static void what_finds_no_room_is_counted(void **state)
{
	char memory[8];
	struct line_ring ring;

	(void)state;
	line_ring_init(&ring, memory, sizeof memory);
	assert_true(line_ring_add(&ring, SPAN("1234567\n")));
	assert_false(line_ring_add(&ring, SPAN("\n")));
	assert_int_equal(ring.dropped, 1);
	line_ring_taken(&ring, 8);
	assert_int_equal(line_ring_waiting(&ring), 0);
	assert_false(line_ring_add(&ring, SPAN("12345678\n")));
	assert_true(line_ring_add(&ring, SPAN("1234567\n")));
}

static void a_write_takes_no_half_line(void **state)
{
	char memory[64];
	struct line_ring ring;

	(void)state;
	line_ring_init(&ring, memory, sizeof memory);
	assert_true(line_ring_add(&ring, SPAN("one\n")));
	assert_true(line_ring_add(&ring, SPAN("three\n")));
	assert_true(span_is(line_ring_take(&ring, 9), "one\n"));
	assert_true(span_is(line_ring_take(&ring, 10), "one\nthree\n"));
	assert_true(span_is(line_ring_take(&ring, 2), "one\n"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(what_goes_in_comes_out_in_order_and_whole),
		cmocka_unit_test(what_finds_no_room_is_counted),
		cmocka_unit_test(a_write_takes_no_half_line),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
