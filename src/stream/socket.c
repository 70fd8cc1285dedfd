#include "stream/socket.h"

#include <errno.h>
#include <sys/socket.h>

static struct socket_counts counts;
static size_t receive_limit, send_limit;

const struct socket_counts *socket_count(void)
{
	return &counts;
}

#ifdef WITH_FAULTS
void socket_squeeze(size_t receive_most, size_t send_most)
{
	receive_limit = receive_most;
	send_limit = send_most;
}
#endif

enum status socket_receive(int fd, void *into, size_t room, size_t *got, bool *short_read)
{
	ssize_t n;

	if (receive_limit && room > receive_limit)
		room = receive_limit;
	do {
		counts.receives++;
		n = recv(fd, into, room, 0);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) {
		counts.receives_empty++;
		return AGAIN;
	}
	if (n < 0)
		return REFUSED;
	*got = (size_t)n;
	*short_read = (size_t)n < room;
	return OK;
}

/* The first bytes of the first piece that has any. */
static void squeeze(struct msghdr *message, struct iovec *piece)
{
	while (message->msg_iovlen > 1 && message->msg_iov->iov_len == 0) {
		message->msg_iov++;
		message->msg_iovlen--;
	}
	*piece = *message->msg_iov;
	if (piece->iov_len > send_limit)
		piece->iov_len = send_limit;
	message->msg_iov = piece;
	message->msg_iovlen = 1;
}

enum status socket_send(int fd, const struct iovec *pieces, int count, size_t *took, bool *full)
{
	struct msghdr message = {.msg_iov = (struct iovec *)(uintptr_t)pieces,
				 .msg_iovlen = (size_t)count};
	struct iovec piece;
	size_t asked = 0, i;
	ssize_t n;

	if (send_limit && count > 0)
		squeeze(&message, &piece);
	for (i = 0; i < (size_t)message.msg_iovlen; i++)
		asked += message.msg_iov[i].iov_len;
	do {
		counts.sends++;
		n = sendmsg(fd, &message, MSG_NOSIGNAL);
	} while (n < 0 && errno == EINTR);
	if (n < 0 && (errno == EAGAIN || errno == EWOULDBLOCK || errno == ENOBUFS)) {
		counts.sends_empty++;
		return AGAIN;
	}
	if (n < 0)
		return REFUSED;
	*took = (size_t)n;
	*full = (size_t)n < asked;
	return OK;
}
