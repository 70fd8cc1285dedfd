#include "event/loop.h"

#include <assert.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "event/timer.h"

enum { EVENTS_A_TURN = 256 };

struct loop {
	int epoll;
	bool stopped;
	struct clock_time now;
	struct timer_wheel *wheel;
	struct link again, tasks;
	void (*at_end)(void *arg);
	void *at_end_arg;
	struct epoll_event events[EVENTS_A_TURN];
	int events_count, events_at; /* of the turn under way */
};

enum status loop_new(struct loop **out, struct error *err)
{
	struct loop *loop = calloc(1, sizeof *loop);

	if (!loop)
		return error_fail(err, "no memory for an event loop");
	loop->now = clock_read();
	loop->epoll = epoll_create1(EPOLL_CLOEXEC);
	loop->wheel = timer_wheel_new(loop->now.mono);
	list_init(&loop->again);
	list_init(&loop->tasks);
	if (loop->epoll < 0 || !loop->wheel) {
		enum status status = error_fail_errno(err, "cannot make an event loop");

		loop_free(loop);
		return status;
	}
	*out = loop;
	return OK;
}

static void run_tasks(struct loop *loop)
{
	while (!list_is_empty(&loop->tasks)) {
		struct task *task = OWNER_OF(list_first(&loop->tasks), struct task, posted);

		list_remove(&task->posted);
		task->run(task);
	}
}

void loop_free(struct loop *loop)
{
	if (!loop)
		return;
	run_tasks(loop);
	timer_wheel_free(loop->wheel);
	if (loop->epoll >= 0)
		close(loop->epoll);
	free(loop);
}

enum status loop_add(struct loop *loop, struct source *source, struct error *err)
{
	struct epoll_event event = {.events = EPOLLIN | EPOLLOUT | EPOLLRDHUP | EPOLLET,
				    .data.ptr = source};

	assert(source->on_ready);
	source->ready = 0;
	list_init(&source->again);
	if (epoll_ctl(loop->epoll, EPOLL_CTL_ADD, source->fd, &event))
		return error_fail_errno(err, "cannot watch descriptor %d", source->fd);
	return OK;
}

void loop_remove(struct loop *loop, struct source *source)
{
	int i;

	list_remove(&source->again);
	(void)epoll_ctl(loop->epoll, EPOLL_CTL_DEL, source->fd, NULL);
	for (i = loop->events_at; i < loop->events_count; i++)
		if (loop->events[i].data.ptr == source)
			loop->events[i].data.ptr = NULL;
}

void loop_again(struct loop *loop, struct source *source)
{
	if (list_is_empty(&source->again))
		list_add_last(&loop->again, &source->again);
}

void task_init(struct task *task, void (*run)(struct task *))
{
	task->run = run;
	list_init(&task->posted);
}

void loop_post(struct loop *loop, struct task *task)
{
	if (list_is_empty(&task->posted))
		list_add_last(&loop->tasks, &task->posted);
}

void task_cancel(struct task *task)
{
	list_remove(&task->posted);
}

static uint8_t ready_bits(uint32_t events)
{
	return (uint8_t)((events & EPOLLIN ? READY_IN : 0) | (events & EPOLLOUT ? READY_OUT : 0) |
			 (events & (EPOLLRDHUP | EPOLLHUP | EPOLLERR) ? READY_HANGUP : 0));
}

/* Only those that waited when the round began: one that asks again waits for the next turn. */
static void run_again(struct loop *loop)
{
	struct link round;

	if (list_is_empty(&loop->again))
		return;
	round = loop->again;
	round.next->previous = round.previous->next = &round;
	list_init(&loop->again);
	while (!list_is_empty(&round)) {
		struct source *source = OWNER_OF(list_first(&round), struct source, again);

		list_remove(&source->again);
		source->on_ready(source);
	}
}

bool loop_turn(struct loop *loop, int wait_ms)
{
	int wait = list_is_empty(&loop->again) && list_is_empty(&loop->tasks) && !loop->stopped
			   ? timer_wheel_wait(loop->wheel, clock_read().mono, wait_ms)
			   : 0;

	do
		loop->events_count = epoll_wait(loop->epoll, loop->events, EVENTS_A_TURN, wait);
	while (loop->events_count < 0 && errno == EINTR && wait_ms < 0);
	loop->now = clock_read();
	/* None is delivered yet: what a timer removes must find its event here. */
	loop->events_at = 0;
	timer_wheel_turn(loop->wheel, loop->now.mono);
	while (loop->events_at < loop->events_count) {
		struct epoll_event *event = &loop->events[loop->events_at++];
		struct source *source = event->data.ptr;

		if (!source)
			continue;
		source->ready |= ready_bits(event->events);
		source->on_ready(source);
	}
	loop->events_count = 0;
	run_again(loop);
	run_tasks(loop);
	if (loop->at_end)
		loop->at_end(loop->at_end_arg);
	return !loop->stopped;
}

void loop_run(struct loop *loop)
{
	while (loop_turn(loop, -1))
		;
}

void loop_stop(struct loop *loop)
{
	loop->stopped = true;
}

const struct clock_time *loop_now(const struct loop *loop)
{
	return &loop->now;
}

struct timer_wheel *loop_timers(struct loop *loop)
{
	return loop->wheel;
}

void loop_on_turn(struct loop *loop, void (*at_end)(void *arg), void *arg)
{
	loop->at_end = at_end;
	loop->at_end_arg = arg;
}
