#include "stream/listener.h"

#include <errno.h>
#include <fcntl.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "event/timer.h"

enum { ACCEPTS_A_TURN = 64 };
#define REST MILLISECONDS(100)

struct listener {
	struct source source;
	struct loop *loop;
	void (*on_accept)(void *arg, int fd, const struct address *peer);
	void *arg;
	struct timer rest;   /* set while descriptors or memory are short */
	struct task freeing;
	struct listener_counts counts;
	int reserve;         /* given up to turn somebody away when there is no other descriptor */
	bool paused, stopped;
};

static void keep_reserve(struct listener *listener)
{
	/* Any descriptor will do, and a gateway can open none. */
	if (listener->reserve < 0)
		listener->reserve = fcntl(listener->source.fd, F_DUPFD_CLOEXEC, 0);
}

/* Better closed at once than waiting in a backlog that nobody empties. */
static void turn_away(struct listener *listener)
{
	int count, fd;

	if (listener->reserve < 0)
		return;
	close(listener->reserve);
	listener->reserve = -1;
	for (count = 0; count < ACCEPTS_A_TURN; count++) {
		fd = accept4(listener->source.fd, NULL, NULL, SOCK_CLOEXEC);
		if (fd < 0)
			break;
		close(fd);
		listener->counts.turned_away++;
	}
	keep_reserve(listener);
}

static int accept_one(struct listener *listener, struct address *peer)
{
	if (FAULT("accept")) {
		errno = EMFILE;
		return -1;
	}
	memset(peer, 0, sizeof *peer);
	peer->size = sizeof peer->un;
	return accept4(listener->source.fd, &peer->any, &peer->size, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

static void rest(struct listener *listener)
{
	turn_away(listener);
	timer_set(loop_timers(listener->loop), &listener->rest, loop_now(listener->loop)->mono + REST);
}

static void on_ready(struct source *source)
{
	struct listener *listener = OWNER_OF(source, struct listener, source);
	struct address peer;
	int count, fd;

	source->ready = 0;
	for (count = 0; count < ACCEPTS_A_TURN; count++) {
		if (listener->paused || listener->stopped || timer_is_set(&listener->rest))
			return;
		fd = accept_one(listener, &peer);
		if (fd >= 0) {
			listener->counts.accepted++;
			listener->on_accept(listener->arg, fd, &peer);
			continue;
		}
		if (errno == EAGAIN || errno == EWOULDBLOCK)
			return;
		if (errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM) {
			rest(listener);
			return;
		}
		/* What else accept(2) reports is the death of one connection: the next, please. */
	}
	if (!listener->stopped)
		loop_again(listener->loop, source);
}

static void on_rested(struct timer *timer)
{
	struct listener *listener = OWNER_OF(timer, struct listener, rest);

	keep_reserve(listener);
	loop_again(listener->loop, &listener->source);
}

/* Linux hands these down from the listening socket: no call a connection. */
static void set_heritage(int fd)
{
	static const struct {
		int level, name, value;
	} options[] = {
		{IPPROTO_TCP, TCP_NODELAY, 1},	  {SOL_SOCKET, SO_KEEPALIVE, 1},
		{IPPROTO_TCP, TCP_KEEPIDLE, 120}, {IPPROTO_TCP, TCP_KEEPINTVL, 30},
		{IPPROTO_TCP, TCP_KEEPCNT, 4},
	};
	size_t i;

	/* A Unix socket has none of them, and works. */
	for (i = 0; i < sizeof options / sizeof options[0]; i++)
		(void)setsockopt(fd, options[i].level, options[i].name, &options[i].value,
				 sizeof options[i].value);
}

static void run_freeing(struct task *task)
{
	free(OWNER_OF(task, struct listener, freeing));
}

enum status listener_start(struct loop *loop, int fd,
			   void (*on_accept)(void *arg, int fd, const struct address *peer), void *arg,
			   struct listener **out, struct error *err)
{
	struct listener *listener = calloc(1, sizeof *listener);
	enum status status = OK;
	int listening = 0;
	socklen_t size = sizeof listening;

	if (!listener)
		return error_fail(err, "no memory for a listener");
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listening, &size) || !listening) {
		status = error_fail(err, "descriptor %d is not a listening socket", fd);
		goto done;
	}
	if (fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK)) {
		status = error_fail_errno(err, "cannot make listening descriptor %d non-blocking", fd);
		goto done;
	}
	set_heritage(fd);
	listener->loop = loop;
	listener->source = (struct source){.fd = fd, .on_ready = on_ready};
	listener->on_accept = on_accept;
	listener->arg = arg;
	listener->reserve = -1;
	timer_init(&listener->rest, on_rested);
	task_init(&listener->freeing, run_freeing);
	TRY(loop_add(loop, &listener->source, err));
	keep_reserve(listener);
	*out = listener;
	listener = NULL;
done:
	free(listener);
	return status;
}

void listener_pause(struct listener *listener)
{
	listener->paused = true;
}

void listener_resume(struct listener *listener)
{
	if (!listener->paused)
		return;
	listener->paused = false;
	loop_again(listener->loop, &listener->source);
}

const struct listener_counts *listener_count(const struct listener *listener)
{
	return &listener->counts;
}

void listener_stop(struct listener *listener)
{
	if (!listener || listener->stopped)
		return;
	listener->stopped = true;
	timer_stop(&listener->rest);
	loop_remove(listener->loop, &listener->source);
	close(listener->source.fd);
	if (listener->reserve >= 0)
		close(listener->reserve);
	loop_post(listener->loop, &listener->freeing);
}
