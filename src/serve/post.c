#include "serve/post.h"

#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/line_ring.h"
#include "base/log.h"
#include "event/log_writer.h"
#include "shm/scoreboard.h"

static void on_turn(void *arg)
{
	struct post *post = arg;

	if (post->log)
		log_writer_look(post->log);
	if (post->access)
		log_writer_look(post->access);
}

static void on_pulse(struct timer *timer)
{
	struct post *post = OWNER_OF(timer, struct post, pulse);

	score_add(post->page, SCORE_LOG_DROPPED, log_ring()->dropped - post->dropped);
	post->dropped = log_ring()->dropped;
	if (post->on_pulse)
		post->on_pulse(post);
	/* A supervisor that is stopped reads later; the word is then as good as this one. */
	(void)!order_send(FD_ORDERS, (struct order){ORDER_ALIVE, 0}, -1);
	timer_set(loop_timers(post->loop), timer, loop_now(post->loop)->mono + SECONDS(2));
}

static void on_orders(struct source *source)
{
	struct post *post = OWNER_OF(source, struct post, orders);
	struct order order;
	enum status status;
	int fd;

	while ((status = order_receive(source->fd, &order, &fd)) == OK)
		post->on_order(post, order, fd);
	/* Nobody left to answer to: end with it. */
	if (status != AGAIN)
		post->on_order(post, (struct order){ORDER_STOP, 0}, -1);
}

/* A pipe is shared with others who write to it: room that poll saw may be gone a moment later, and only a
 * description of our own may be set not to block. */
static int log_descriptor(void)
{
	struct stat facts;
	int own = -1;

	if (fstat(STDERR_FILENO, &facts) == 0 && S_ISFIFO(facts.st_mode))
		own = open("/proc/self/fd/2", O_WRONLY | O_NONBLOCK | O_CLOEXEC);
	return own >= 0 ? own : STDERR_FILENO;
}

enum status post_init(struct post *post, const char *name, int argc, char **argv,
		      void (*on_order)(struct post *, struct order, int fd), struct error *err)
{
	char role[32];
	enum status status;

	*post = (struct post){.on_order = on_order};
	/* A peer that goes while we write is an errno, and the terminal's Ctrl-C is the supervisor's. */
	signal(SIGPIPE, SIG_IGN);
	signal(SIGINT, SIG_IGN);
	signal(SIGHUP, SIG_IGN);
	signal(SIGUSR1, SIG_IGN); /* "pkill -USR1 chatelaine" means the supervisor */
	TRY(role_start_parse(argc, argv, &post->start, err));
	if (post->start.slot)
		snprintf(role, sizeof role, "%s.%u", name, post->start.slot);
	else
		snprintf(role, sizeof role, "%s", name);
	log_init(role, LOG_INFO);
	TRY(scoreboard_open(FD_SCOREBOARD, &post->board, err));
	if (post->start.slot >= scoreboard_slots(post->board))
		return error_fail(err, "no slot %u on the scoreboard", post->start.slot);
	post->page = scoreboard_page(post->board, post->start.slot);
	score_claim(post->page, post->start.slot, getpid(), clock_read().wall);
	TRY(loop_new(&post->loop, err));
	TRY(log_writer_start(post->loop, log_ring(), log_descriptor(), &post->log, err));
	log_gather(true);
	loop_on_turn(post->loop, on_turn, post);
	timer_init(&post->pulse, on_pulse);
	timer_set(loop_timers(post->loop), &post->pulse, loop_now(post->loop)->mono + SECONDS(2));
	post->orders = (struct source){.fd = FD_ORDERS, .on_ready = on_orders};
	TRY(loop_add(post->loop, &post->orders, err));
done:
	return status;
}

void post_ready(struct post *post)
{
	if (order_send(FD_ORDERS, (struct order){ORDER_READY, 0}, -1) != OK)
		loop_stop(post->loop);
}

void post_release(struct post *post)
{
	if (!post->loop)
		return;
	loop_remove(post->loop, &post->orders);
	timer_stop(&post->pulse);
	loop_on_turn(post->loop, NULL, NULL);
	log_writer_stop(post->log);
	log_gather(false);
	loop_free(post->loop);
	scoreboard_free(post->board);
}
