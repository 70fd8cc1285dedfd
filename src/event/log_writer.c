#include "event/log_writer.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <unistd.h>

#include "base/log.h"
#include "event/timer.h"

struct log_writer {
	struct loop *loop;
	int fd;
	struct timer timer;
};

/* The descriptor may be shared with others (a terminal, a journal), so O_NONBLOCK is not ours to
 * set: poll says whether a write of at most PIPE_BUF bytes would block. */
static void write_some(struct log_writer *writer)
{
	while (log_waiting()) {
		struct pollfd room = {.fd = writer->fd, .events = POLLOUT};
		struct span bytes = log_take();
		ssize_t took;

		if (poll(&room, 1, 0) != 1 || !(room.revents & (POLLOUT | POLLERR)))
			return;
		took = write(writer->fd, bytes.at, bytes.size > 4096 ? 4096 : bytes.size);
		if (took < 0 && errno != EINTR && errno != EAGAIN)
			took = (ssize_t)bytes.size; /* nowhere to go: drop, do not spin */
		if (took > 0)
			log_taken((size_t)took);
	}
}

static void on_due(struct timer *timer)
{
	struct log_writer *writer = OWNER_OF(timer, struct log_writer, timer);

	write_some(writer);
	log_writer_look(writer); /* what did not fit is tried again */
}

void log_writer_look(struct log_writer *writer)
{
	if (log_waiting() > LOG_RING_SIZE / 2)
		write_some(writer);
	if (log_waiting() && !timer_is_set(&writer->timer))
		timer_set(loop_timers(writer->loop), &writer->timer,
			  loop_now(writer->loop)->mono + MILLISECONDS(100));
}

enum status log_writer_start(struct loop *loop, int fd, struct log_writer **out, struct error *err)
{
	struct log_writer *writer = calloc(1, sizeof *writer);

	if (!writer)
		return error_fail(err, "no memory for the log writer");
	writer->loop = loop;
	writer->fd = fd;
	timer_init(&writer->timer, on_due);
	log_gather(true);
	*out = writer;
	return OK;
}

void log_writer_stop(struct log_writer *writer)
{
	if (!writer)
		return;
	timer_stop(&writer->timer);
	write_some(writer);
	log_gather(false);
	free(writer);
}
