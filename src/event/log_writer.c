#include "event/log_writer.h"

#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/line_ring.h"
#include "event/timer.h"

enum { SHARED_MOST = 4096, FILE_MOST = 65536 };

struct log_writer {
	struct loop *loop;
	struct line_ring *ring;
	int fd;
	size_t most;
	bool is_torn;     /* the last write ended within a line: the disk became full */
	int64_t retry_at; /* mono; 0: nothing is wrong */
	struct timer timer;
};

void log_writer_use(struct log_writer *writer, int fd)
{
	struct stat facts;

	writer->fd = fd;
	writer->most = fd >= 0 && fstat(fd, &facts) == 0 && S_ISREG(facts.st_mode) ? FILE_MOST : SHARED_MOST;
	writer->is_torn = false;
	writer->retry_at = 0;
}

/* The rest of a line whose beginning is written already: nobody could put the two together again. */
static void drop_rest(struct log_writer *writer, struct span written, size_t took)
{
	const char *end = memchr(written.at + took, '\n', written.size - took);

	line_ring_taken(writer->ring, took + (end ? (size_t)(end + 1 - (written.at + took)) : 0));
	writer->ring->dropped++;
	writer->is_torn = true;
}

static bool mend(struct log_writer *writer)
{
	if (writer->is_torn && write(writer->fd, "\n", 1) != 1)
		return false;
	writer->is_torn = false;
	return true;
}

/* False: not now. The descriptor may be shared with others (a terminal, a journal), so O_NONBLOCK is not ours
 * to set: poll says whether a write of at most PIPE_BUF bytes would block. */
static bool write_once(struct log_writer *writer)
{
	struct pollfd room = {.fd = writer->fd, .events = POLLOUT};
	struct span bytes = line_ring_take(writer->ring, writer->most);
	ssize_t took;

	if (poll(&room, 1, 0) != 1 || !(room.revents & (POLLOUT | POLLERR)))
		return false;
	took = mend(writer) ? write(writer->fd, bytes.at, bytes.size) : -1;
	if (took < 0 && errno == EINTR)
		return true;
	if (took < 0) {
		if (errno != EAGAIN)
			writer->retry_at = loop_now(writer->loop)->mono + SECONDS(1);
		return false;
	}
	if (took > 0 && bytes.at[took - 1] != '\n')
		drop_rest(writer, bytes, (size_t)took);
	else
		line_ring_taken(writer->ring, (size_t)took);
	return took > 0;
}

static void write_some(struct log_writer *writer)
{
	if (writer->fd < 0 || loop_now(writer->loop)->mono < writer->retry_at)
		return;
	writer->retry_at = 0;
	while (line_ring_waiting(writer->ring) && write_once(writer))
		;
}

static void on_due(struct timer *timer)
{
	struct log_writer *writer = OWNER_OF(timer, struct log_writer, timer);

	write_some(writer);
	log_writer_look(writer); /* what did not fit is tried again */
}

void log_writer_look(struct log_writer *writer)
{
	if (line_ring_waiting(writer->ring) > writer->ring->room / 2)
		write_some(writer);
	if (line_ring_waiting(writer->ring) && !timer_is_set(&writer->timer))
		timer_set(loop_timers(writer->loop), &writer->timer,
			  loop_now(writer->loop)->mono + MILLISECONDS(100));
}

enum status log_writer_start(struct loop *loop, struct line_ring *ring, int fd, struct log_writer **out,
			     struct error *err)
{
	struct log_writer *writer = calloc(1, sizeof *writer);

	if (!writer)
		return error_fail(err, "no memory for the log writer");
	writer->loop = loop;
	writer->ring = ring;
	log_writer_use(writer, fd);
	timer_init(&writer->timer, on_due);
	*out = writer;
	return OK;
}

void log_writer_stop(struct log_writer *writer)
{
	if (!writer)
		return;
	timer_stop(&writer->timer);
	writer->retry_at = 0;
	write_some(writer);
	free(writer);
}
