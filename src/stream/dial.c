#include "stream/dial.h"

#include <errno.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/fault.h"
#include "event/timer.h"

#define TRY_AGAIN MILLISECONDS(5)

struct dial {
	struct source source;
	struct loop *loop;
	struct address to;
	struct timer late, again; /* again: the other end's queue is full, unix(7) */
	int64_t deadline;
	struct task ending; /* tells the outcome, then frees */
	dial_fn *on_done;   /* NULL: cancelled */
	void *arg;
	enum status status;
	struct error error;
};

static void run_ending(struct task *task)
{
	struct dial *dial = OWNER_OF(task, struct dial, ending);
	int fd = dial->source.fd;

	if (dial->status != OK && fd >= 0) {
		close(fd);
		fd = -1;
	}
	if (dial->on_done)
		dial->on_done(dial->arg, dial->status, fd, &dial->error);
	else if (fd >= 0)
		close(fd);
	free(dial);
}

static void end(struct dial *dial, enum status status)
{
	dial->status = status;
	timer_stop(&dial->late);
	timer_stop(&dial->again);
	loop_remove(dial->loop, &dial->source);
	loop_post(dial->loop, &dial->ending);
}

static enum status blame(struct dial *dial, int cause)
{
	char text[ADDRESS_TEXT_SIZE];

	address_text(&dial->to, text);
	errno = cause;
	(void)error_fail_errno(&dial->error, "connect to %s", text);
	return cause == EMFILE || cause == ENFILE || cause == ENOMEM || cause == ENOBUFS ||
			       cause == EADDRNOTAVAIL
		       ? FAILED
		       : REFUSED;
}

static void on_ready(struct source *source)
{
	struct dial *dial = OWNER_OF(source, struct dial, source);
	socklen_t size = sizeof(int);
	int cause = 0;

	/* The edge of the birth may come before the connection. */
	if (!(source->ready & (READY_OUT | READY_HANGUP)))
		return;
	source->ready = 0;
	if (getsockopt(source->fd, SOL_SOCKET, SO_ERROR, &cause, &size))
		cause = errno;
	if (!cause) {
		struct address peer;

		/* An unconnected socket reports OUT and HANGUP, too, and no error. */
		size = sizeof peer.un;
		if (getpeername(source->fd, &peer.any, &size)) {
			if (errno == ENOTCONN)
				return;
			cause = errno;
		}
	}
	end(dial, cause ? blame(dial, cause) : OK);
}

static void on_late(struct timer *timer)
{
	struct dial *dial = OWNER_OF(timer, struct dial, late);

	end(dial, blame(dial, ETIMEDOUT));
}

static enum status try_connect(struct dial *dial, struct error *err)
{
	struct timer_wheel *timers = loop_timers(dial->loop);
	enum status status = OK;

	if (connect(dial->source.fd, &dial->to.any, dial->to.size) == 0) {
		end(dial, OK);
	} else if (errno == EINPROGRESS) {
		status = loop_add(dial->loop, &dial->source, err);
		if (status == OK)
			timer_set(timers, &dial->late, dial->deadline);
	} else if (errno == EAGAIN && dial->to.any.sa_family == AF_UNIX) {
		timer_set(timers, &dial->late, dial->deadline);
		timer_set(timers, &dial->again, loop_now(dial->loop)->mono + TRY_AGAIN);
	} else {
		end(dial, blame(dial, errno));
	}
	return status;
}

static void on_again(struct timer *timer)
{
	struct dial *dial = OWNER_OF(timer, struct dial, again);

	if (try_connect(dial, &dial->error) != OK)
		end(dial, FAILED);
}

static enum status open_socket(struct dial *dial, struct error *err)
{
	const int on = 1;
	int family = dial->to.any.sa_family;

	dial->source.fd = FAULT("socket") ? (errno = EMFILE, -1)
					  : socket(family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	if (dial->source.fd < 0)
		return error_fail_errno(err, "cannot open a socket");
	if (family != AF_UNIX)
		(void)setsockopt(dial->source.fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	return OK;
}

enum status dial_start(struct loop *loop, const struct address *to, int64_t deadline, dial_fn *on_done,
		       void *arg, struct dial **out, struct error *err)
{
	struct dial *dial = calloc(1, sizeof *dial);
	enum status status;

	if (!dial)
		return error_fail(err, "no memory for a connection");
	dial->loop = loop;
	dial->to = *to;
	dial->on_done = on_done;
	dial->arg = arg;
	dial->source = (struct source){.fd = -1, .on_ready = on_ready};
	list_init(&dial->source.again);
	timer_init(&dial->late, on_late);
	timer_init(&dial->again, on_again);
	dial->deadline = deadline;
	task_init(&dial->ending, run_ending);
	TRY(open_socket(dial, err));
	TRY(try_connect(dial, err));
	*out = dial;
	dial = NULL;
done:
	if (dial && dial->source.fd >= 0)
		close(dial->source.fd);
	free(dial);
	return status;
}

void dial_cancel(struct dial *dial)
{
	if (!dial)
		return;
	dial->on_done = NULL;
	if (!list_is_empty(&dial->ending.posted))
		return;
	dial->status = REFUSED;
	end(dial, REFUSED);
}
