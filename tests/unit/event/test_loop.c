#include "event/loop.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/resource.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

#include "base/line_ring.h"
#include "base/log.h"
#include "event/log_writer.h"
#include "event/timer.h"
#include "support/set_clock.h"

struct end {
	struct source source;
	struct loop *loop;
	int other; /* the descriptor at the far side */
	int calls, again_left;
	struct end *removes;
};

static char order[64];

static void on_ready(struct source *source)
{
	struct end *end = OWNER_OF(source, struct end, source);

	end->calls++;
	source->ready = 0;
	if (end->removes) {
		loop_remove(end->loop, &end->removes->source);
		end->removes = NULL;
	}
	if (end->again_left > 0) {
		end->again_left--;
		loop_again(end->loop, source);
	}
}

static void end_open(struct end *end, struct loop *loop)
{
	struct error err;
	int fds[2];

	*end = (struct end){.loop = loop};
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, fds), 0);
	end->source = (struct source){.fd = fds[0], .on_ready = on_ready};
	end->other = fds[1];
	assert_int_equal(loop_add(loop, &end->source, &err), OK);
}

static void end_close(struct end *end)
{
	loop_remove(end->loop, &end->source);
	close(end->source.fd);
	close(end->other);
}

static struct loop *loop_made(void)
{
	struct loop *loop;
	struct error err;

	set_clock_begin();
	assert_int_equal(loop_new(&loop, &err), OK);
	return loop;
}

static void an_edge_is_told_once(void **state)
{
	struct loop *loop = loop_made();
	struct end end;

	(void)state;
	end_open(&end, loop);
	assert_true(loop_turn(loop, 0)); /* born writable */
	assert_int_equal(end.calls, 1);
	assert_true(loop_turn(loop, 0));
	assert_int_equal(end.calls, 1);
	assert_int_equal(write(end.other, "x", 1), 1);
	assert_true(loop_turn(loop, 0));
	assert_true(loop_turn(loop, 0));
	assert_int_equal(end.calls, 2); /* it was not read, and yet */
	end_close(&end);
	loop_free(loop);
}

static void who_asks_again_comes_after_the_others_and_once_a_turn(void **state)
{
	struct loop *loop = loop_made();
	struct end greedy, modest;

	(void)state;
	end_open(&greedy, loop);
	end_open(&modest, loop);
	greedy.again_left = 100;
	assert_true(loop_turn(loop, 0));
	assert_int_equal(modest.calls, 1);
	assert_int_equal(greedy.calls, 2); /* its edge, and one more after the others */
	assert_int_equal(write(modest.other, "x", 1), 1);
	assert_true(loop_turn(loop, 1000)); /* does not wait while someone asked again */
	assert_int_equal(modest.calls, 2);
	assert_int_equal(greedy.calls, 3);
	end_close(&greedy);
	end_close(&modest);
	loop_free(loop);
}

static void asking_again_twice_is_asking_once(void **state)
{
	struct loop *loop = loop_made();
	struct end end;

	(void)state;
	end_open(&end, loop);
	assert_true(loop_turn(loop, 0));
	loop_again(loop, &end.source);
	loop_again(loop, &end.source);
	assert_true(loop_turn(loop, 0));
	assert_true(loop_turn(loop, 0));
	assert_int_equal(end.calls, 2);
	end_close(&end);
	loop_free(loop);
}

static void a_source_removed_by_another_of_the_same_turn_is_not_called(void **state)
{
	struct loop *loop = loop_made();
	struct end a, b;

	(void)state;
	end_open(&a, loop);
	end_open(&b, loop);
	a.removes = &b;
	b.removes = &a;
	assert_true(loop_turn(loop, 0));
	assert_int_equal(a.calls + b.calls, 1);
	end_close(&a);
	end_close(&b);
	loop_free(loop);
}

struct remover {
	struct timer timer;
	struct end *end;
};

static void remove_late(struct timer *timer)
{
	struct end *end = OWNER_OF(timer, struct remover, timer)->end;

	loop_remove(end->loop, &end->source);
}

static void a_source_removed_by_a_timer_of_the_same_turn_is_not_called(void **state)
{
	struct loop *loop = loop_made();
	struct remover remover;
	struct end end;

	(void)state;
	end_open(&end, loop);
	assert_int_equal(write(end.other, "x", 1), 1);
	assert_true(loop_turn(loop, 0)); /* a turn before this one had an event */
	end.calls = 0;
	remover.end = &end;
	timer_init(&remover.timer, remove_late);
	timer_set(loop_timers(loop), &remover.timer, loop_now(loop)->mono + MILLISECONDS(10));
	set_clock_advance(MILLISECONDS(20));
	assert_int_equal(write(end.other, "x", 1), 1);
	assert_true(loop_turn(loop, 0));
	assert_false(timer_is_set(&remover.timer));
	assert_int_equal(end.calls, 0);
	end_close(&end);
	loop_free(loop);
}

static void one_removed_from_the_again_list_is_not_called_either(void **state)
{
	struct loop *loop = loop_made();
	struct end a, b;

	(void)state;
	end_open(&a, loop);
	end_open(&b, loop);
	assert_true(loop_turn(loop, 0));
	a.removes = &b;
	loop_again(loop, &a.source);
	loop_again(loop, &b.source);
	assert_true(loop_turn(loop, 0));
	assert_int_equal(a.calls, 2);
	assert_int_equal(b.calls, 1);
	end_close(&a);
	end_close(&b);
	loop_free(loop);
}

struct note {
	struct task task;
	struct loop *loop;
	struct note *posts;
	char letter;
};

static void on_task(struct task *task)
{
	struct note *note = OWNER_OF(task, struct note, task);
	size_t used = strlen(order);

	order[used] = note->letter;
	order[used + 1] = 0;
	if (note->posts)
		loop_post(note->loop, &note->posts->task);
}

static void tasks_run_at_the_end_of_the_turn_in_order_and_once(void **state)
{
	struct loop *loop = loop_made();
	struct note c = {.loop = loop, .letter = 'c'}, b = {.loop = loop, .letter = 'b'},
		    a = {.loop = loop, .letter = 'a', .posts = &c};

	(void)state;
	order[0] = 0;
	task_init(&a.task, on_task);
	task_init(&b.task, on_task);
	task_init(&c.task, on_task);
	loop_post(loop, &a.task);
	loop_post(loop, &b.task);
	loop_post(loop, &a.task);
	assert_true(loop_turn(loop, 1000));
	assert_string_equal(order, "abc"); /* c was posted by a: the same turn */
	loop_post(loop, &b.task);
	task_cancel(&b.task);
	assert_true(loop_turn(loop, 0));
	assert_string_equal(order, "abc");
	loop_post(loop, &b.task);
	loop_free(loop); /* what is still posted runs: it may be someone's free */
	assert_string_equal(order, "abcb");
}

static int beats;

static void count_beat(void *arg)
{
	(void)arg;
	beats++;
}

static void add_a_hundred(struct timer *timer)
{
	(void)timer;
	beats += 100;
}

static void time_stands_still_within_a_turn(void **state)
{
	struct loop *loop = loop_made();
	struct timer timer;
	int64_t before;

	(void)state;
	beats = 0;
	loop_on_turn(loop, count_beat, NULL);
	timer_init(&timer, add_a_hundred);
	timer_set(loop_timers(loop), &timer, loop_now(loop)->mono + SECONDS(1));
	assert_true(loop_turn(loop, 0));
	before = loop_now(loop)->mono;
	set_clock_advance(SECONDS(2));
	assert_int_equal(loop_now(loop)->mono, before);
	assert_true(loop_turn(loop, 0));
	assert_int_equal(loop_now(loop)->mono, before + SECONDS(2));
	assert_int_equal(beats, 102);
	loop_stop(loop);
	assert_false(loop_turn(loop, -1));
	loop_free(loop);
}

static void look(void *arg)
{
	log_writer_look(arg);
}

static void gathered_lines_are_written_after_100_ms(void **state)
{
	struct loop *loop = loop_made();
	struct log_writer *writer;
	struct error err;
	char line[300];
	int ends[2];

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(log_writer_start(loop, log_ring(), ends[1], &writer, &err), OK);
	log_gather(true);
	loop_on_turn(loop, look, writer);
	assert_true(loop_turn(loop, 0));
	log_say(LOG_INFO, "hello", "there");
	assert_true(loop_turn(loop, 0));
	assert_true(line_ring_waiting(log_ring()) > 0);
	set_clock_advance(MILLISECONDS(120));
	assert_true(loop_turn(loop, 0));
	assert_int_equal(line_ring_waiting(log_ring()), 0);
	assert_true(read(ends[0], line, sizeof line) > 0);
	assert_non_null(strstr(line, "event=hello text=there\n"));
	log_writer_stop(writer);
	log_gather(false);
	close(ends[0]);
	close(ends[1]);
	loop_free(loop);
}

static void a_half_full_ring_is_written_at_the_end_of_the_turn(void **state)
{
	struct loop *loop = loop_made();
	struct log_writer *writer;
	struct error err;
	char line[65536];
	int ends[2], i;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(log_writer_start(loop, log_ring(), ends[1], &writer, &err), OK);
	log_gather(true);
	loop_on_turn(loop, look, writer);
	for (i = 0; line_ring_waiting(log_ring()) <= LOG_RING_SIZE / 2; i++)
		log_say(LOG_INFO, "busy", "%d", i);
	assert_true(loop_turn(loop, 0));
	assert_int_equal(line_ring_waiting(log_ring()), 0);
	assert_true(read(ends[0], line, sizeof line) >= LOG_RING_SIZE / 2);
	log_writer_stop(writer);
	log_gather(false);
	close(ends[0]);
	close(ends[1]);
	loop_free(loop);
}

static void a_pipe_that_nobody_reads_stops_no_one(void **state)
{
	struct loop *loop = loop_made();
	struct log_writer *writer;
	struct error err;
	int ends[2], i;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	assert_int_equal(log_writer_start(loop, log_ring(), ends[1], &writer, &err), OK);
	log_gather(true);
	loop_on_turn(loop, look, writer);
	for (i = 0; i < 5000; i++) {
		log_say(LOG_INFO, "busy", "%d", i);
		assert_true(loop_turn(loop, 0));
	}
	assert_true(line_ring_waiting(log_ring()) <= LOG_RING_SIZE);
	log_writer_stop(writer);
	log_gather(false);
	while (line_ring_waiting(log_ring()))
		line_ring_taken(log_ring(), line_ring_take(log_ring(), SIZE_MAX).size);
	close(ends[0]);
	close(ends[1]);
	loop_free(loop);
}

static void a_full_disk_keeps_what_finds_room_and_a_new_file_takes_it(void **state)
{
	struct loop *loop = loop_made();
	struct log_writer *writer;
	struct line_ring ring;
	struct error err;
	char memory[4096], text[200] = "", path[] = "/tmp/chatelaine-ring.XXXXXX";
	int full = open("/dev/full", O_WRONLY), file = mkstemp(path), i;

	(void)state;
	assert_true(full >= 0 && file >= 0);
	line_ring_init(&ring, memory, sizeof memory);
	assert_int_equal(log_writer_start(loop, &ring, full, &writer, &err), OK);
	loop_on_turn(loop, look, writer);
	assert_true(line_ring_add(&ring, SPAN("first\n")));
	for (i = 0; i < 50; i++) {
		set_clock_advance(MILLISECONDS(120));
		assert_true(loop_turn(loop, 0));
	}
	assert_int_equal(line_ring_waiting(&ring), 6);
	assert_int_equal(ring.dropped, 0);
	log_writer_use(writer, file);
	set_clock_advance(MILLISECONDS(120));
	assert_true(loop_turn(loop, 0));
	assert_int_equal(line_ring_waiting(&ring), 0);
	assert_int_equal(pread(file, text, sizeof text, 0), 6);
	assert_string_equal(text, "first\n");
	log_writer_stop(writer);
	unlink(path);
	close(file);
	close(full);
	loop_free(loop);
}

/* A limit on the file's size, as a disk that becomes full within a line. */
static void a_line_that_was_cut_is_not_glued_to_the_next(void **state)
{
	struct rlimit before, small;
	struct loop *loop = loop_made();
	struct log_writer *writer;
	struct line_ring ring;
	struct error err;
	char memory[4096], text[200] = "", path[] = "/tmp/chatelaine-ring.XXXXXX";
	int file = mkstemp(path);

	(void)state;
	signal(SIGXFSZ, SIG_IGN);
	assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
	small = (struct rlimit){.rlim_cur = 12, .rlim_max = before.rlim_max};
	line_ring_init(&ring, memory, sizeof memory);
	assert_int_equal(log_writer_start(loop, &ring, file, &writer, &err), OK);
	loop_on_turn(loop, look, writer);
	assert_true(line_ring_add(&ring, SPAN("the first\n")));
	assert_true(line_ring_add(&ring, SPAN("the second\n")));
	assert_true(line_ring_add(&ring, SPAN("the third\n")));
	assert_true(loop_turn(loop, 0)); /* sets the timer */
	set_clock_advance(MILLISECONDS(120));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &small), 0);
	assert_true(loop_turn(loop, 0));
	assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
	set_clock_advance(SECONDS(2));
	assert_true(loop_turn(loop, 0));
	set_clock_advance(SECONDS(2));
	assert_true(loop_turn(loop, 0));
	assert_int_equal(line_ring_waiting(&ring), 0);
	assert_int_equal(ring.dropped, 1);
	assert_true(pread(file, text, sizeof text, 0) > 0);
	assert_string_equal(text, "the first\nth\nthe third\n");
	log_writer_stop(writer);
	unlink(path);
	close(file);
	loop_free(loop);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_edge_is_told_once),
		cmocka_unit_test(who_asks_again_comes_after_the_others_and_once_a_turn),
		cmocka_unit_test(asking_again_twice_is_asking_once),
		cmocka_unit_test(a_source_removed_by_another_of_the_same_turn_is_not_called),
		cmocka_unit_test(a_source_removed_by_a_timer_of_the_same_turn_is_not_called),
		cmocka_unit_test(one_removed_from_the_again_list_is_not_called_either),
		cmocka_unit_test(tasks_run_at_the_end_of_the_turn_in_order_and_once),
		cmocka_unit_test(time_stands_still_within_a_turn),
		cmocka_unit_test(gathered_lines_are_written_after_100_ms),
		cmocka_unit_test(a_half_full_ring_is_written_at_the_end_of_the_turn),
		cmocka_unit_test(a_pipe_that_nobody_reads_stops_no_one),
		cmocka_unit_test(a_full_disk_keeps_what_finds_room_and_a_new_file_takes_it),
		cmocka_unit_test(a_line_that_was_cut_is_not_glued_to_the_next),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
