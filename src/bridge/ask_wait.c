#include "bridge/ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/clock.h"
#include "bridge/frame.h"
#include "event/passing.h"

enum { TICKET = 1, CHUNK = 16384 };

enum status ask_connect(const char *path, int *fd, struct error *err)
{
	const struct timeval patience = {.tv_sec = 5};
	struct sockaddr_un address = {.sun_family = AF_UNIX};
	size_t size = strlen(path);
	int made;

	if (size == 0 || size >= sizeof address.sun_path)
		return error_refuse(err, "%s: a socket's path has at most %zu bytes", path,
				    sizeof address.sun_path - 1);
	memcpy(address.sun_path, path, size);
	made = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	if (made < 0)
		return error_fail_errno(err, "cannot make a socket");
	/* connect waits where the queue of a process that stands still is full. */
	(void)setsockopt(made, SOL_SOCKET, SO_SNDTIMEO, &patience, sizeof patience);
	if (connect(made, (struct sockaddr *)&address, sizeof address)) {
		enum status status = REFUSED;

		if (errno == EAGAIN)
			status = error_fail(err, "the running chatelaine does not answer at %s", path);
		else
			(void)error_fail_errno(err, "no running chatelaine answers at %s", path);
		close(made);
		return status;
	}
	*fd = made;
	return OK;
}

static enum status wait_for(int socket, short events, int64_t deadline, struct error *err)
{
	for (;;) {
		struct pollfd ready = {.fd = socket, .events = events};
		int64_t left = (deadline - clock_read().mono + 999) / 1000;
		int found = left > 0 ? poll(&ready, 1, left > 60000 ? 60000 : (int)left) : 0;

		if (found > 0)
			return OK;
		if (found < 0 && errno != EINTR)
			return error_fail_errno(err, "cannot wait for an answer");
		if (left <= 0)
			return error_fail(err, "the running chatelaine does not answer");
	}
}

static enum status send_all(int socket, struct span bytes, int fd, int64_t deadline,
			    struct error *err)
{
	while (bytes.size) {
		size_t took;
		enum status status = passing_send(socket, bytes, fd, &took);

		if (status == AGAIN) {
			status = wait_for(socket, POLLOUT, deadline, err);
			if (status != OK)
				return status;
			continue;
		}
		if (status != OK)
			return error_fail(err, "the running chatelaine has closed the connection");
		fd = took ? -1 : fd;
		span_skip(&bytes, took);
	}
	return OK;
}

/* More of the frame. The first descriptor is kept, others are closed. */
static enum status receive_some(int socket, struct buffer *in, size_t most, int *kept,
				int64_t deadline, struct error *err)
{
	size_t ask = most < CHUNK ? most : CHUNK, got;
	char *into = buffer_reserve(in, ask);
	int fd;
	enum status status;

	if (!into)
		return error_fail(err, "no memory for the answer");
	status = passing_receive(socket, into, ask, &got, &fd);
	if (status == AGAIN)
		return wait_for(socket, POLLIN, deadline, err);
	if (status == OK && fd >= 0) {
		if (*kept < 0)
			*kept = fd;
		else
			close(fd);
	}
	if (status != OK || got == 0)
		return error_fail(err, "the running chatelaine has closed the connection");
	buffer_grew(in, got);
	return OK;
}

static enum status receive_frame(int socket, struct buffer *in, int *fd, int64_t deadline,
				 struct error *err)
{
	struct frame_head head;
	enum status status;

	while (in->size < FRAME_HEAD_SIZE)
		TRY(receive_some(socket, in, FRAME_HEAD_SIZE - in->size, fd, deadline, err));
	TRY(frame_read_head(buffer_span(in), &head, err));
	while (in->size < FRAME_HEAD_SIZE + head.size)
		TRY(receive_some(socket, in, FRAME_HEAD_SIZE + head.size - in->size, fd, deadline,
				 err));
	if (!head.is_answer || head.ticket != TICKET)
		return error_fail(err, "the running chatelaine answered something else");
	if (!head.has_descriptor && *fd >= 0) {
		close(*fd);
		*fd = -1;
	}
done:
	return status;
}

static enum status read_answer(struct span text, json_t **words, struct error *err)
{
	const json_t *borrowed;
	json_t *frame = NULL;
	enum status status;

	TRY(frame_read_words(text, &frame, err));
	status = frame_read_answer(frame, &borrowed, err);
	if (status == FAILED)
		status = REFUSED; /* the other side's failure, which it told us of */
	if (status != OK)
		goto done;
	*words = json_incref((json_t *)(uintptr_t)borrowed);
done:
	json_decref(frame);
	return status;
}

enum status ask_wait(int socket, struct question question, int timeout_ms, json_t **words, int *fd,
		     struct error *err)
{
	int64_t deadline = clock_read().mono + MILLISECONDS(timeout_ms);
	struct buffer out, in;
	struct span text;
	json_t *frame;
	int received = -1;
	enum status status;

	frame_init();
	buffer_init(&out, FRAME_HEAD_SIZE + FRAME_WORDS_MOST);
	buffer_init(&in, FRAME_HEAD_SIZE + FRAME_WORDS_MOST);
	frame = frame_question(question.name, question.words, question.key);
	TRY(frame_write(&out, TICKET, false, question.fd >= 0, frame, err));
	TRY(send_all(socket, buffer_span(&out), question.fd, deadline, err));
	TRY(receive_frame(socket, &in, &received, deadline, err));
	text = buffer_span(&in);
	span_skip(&text, FRAME_HEAD_SIZE);
	TRY(read_answer(text, words, err));
	if (fd) {
		*fd = received;
		received = -1;
	}
done:
	if (received >= 0)
		close(received);
	buffer_wipe(&out);
	buffer_wipe(&in);
	json_decref(frame);
	json_decref(question.words);
	if (question.fd >= 0)
		close(question.fd);
	return status;
}

enum status question_dispatch_local(const struct question_table *table, enum role role,
				    struct question question, json_t **words, int *fd,
				    struct error *err)
{
	struct answer_local local;
	struct answer *pending;
	json_t *frame;
	enum status status;

	frame_init();
	frame = frame_question(question.name, question.words, question.key);
	question_run_local(table, role, frame, question.fd, &local, &pending);
	if (!local.done && table->settle)
		table->settle(table->house);
	if (local.done) {
		status = local.status;
		if (status != OK && err)
			*err = local.err;
	} else {
		question_give_up(pending);
		status = error_fail(err, "\"%s\" was not answered", question.name);
	}
	if (status == OK) {
		*words = local.words;
		local.words = NULL;
		if (fd) {
			*fd = local.fd;
			local.fd = -1;
		}
	}
	if (local.fd >= 0)
		close(local.fd);
	json_decref(local.words);
	json_decref(frame);
	json_decref(question.words);
	if (question.fd >= 0)
		close(question.fd);
	return status;
}
