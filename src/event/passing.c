#include "event/passing.h"

#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DESCRIPTORS_MOST = 8 };

enum status passing_pair(int ends[2], struct error *err)
{
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends))
		return error_fail_errno(err, "cannot make a socket pair");
	return OK;
}

enum status passing_send(int socket, struct span bytes, int fd, size_t *took)
{
	struct iovec part = {.iov_base = (void *)(uintptr_t)bytes.at, .iov_len = bytes.size};
	union {
		char room[CMSG_SPACE(sizeof(int))];
		struct cmsghdr aligned;
	} control = {{0}};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1};
	struct cmsghdr *head;
	ssize_t sent;

	if (fd >= 0) {
		message.msg_control = control.room;
		message.msg_controllen = sizeof control.room;
		head = CMSG_FIRSTHDR(&message);
		head->cmsg_level = SOL_SOCKET;
		head->cmsg_type = SCM_RIGHTS;
		head->cmsg_len = CMSG_LEN(sizeof(int));
		memcpy(CMSG_DATA(head), &fd, sizeof fd);
	}
	do
		sent = sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT);
	while (sent < 0 && errno == EINTR);
	if (sent < 0)
		return errno == EAGAIN ? AGAIN : REFUSED;
	*took = (size_t)sent;
	return OK;
}

static int take_descriptors(struct msghdr *message)
{
	struct cmsghdr *head;
	int kept = -1;

	for (head = CMSG_FIRSTHDR(message); head; head = CMSG_NXTHDR(message, head)) {
		size_t count, i;

		if (head->cmsg_level != SOL_SOCKET || head->cmsg_type != SCM_RIGHTS)
			continue;
		count = (head->cmsg_len - CMSG_LEN(0)) / sizeof(int);
		for (i = 0; i < count; i++) {
			int fd;

			memcpy(&fd, CMSG_DATA(head) + i * sizeof fd, sizeof fd);
			if (kept < 0)
				kept = fd;
			else
				close(fd);
		}
	}
	return kept;
}

enum status passing_receive(int socket, void *into, size_t room, size_t *got, int *fd)
{
	struct iovec part = {.iov_base = into, .iov_len = room};
	union {
		char room[CMSG_SPACE(sizeof(int) * DESCRIPTORS_MOST)];
		struct cmsghdr aligned;
	} control;
	struct msghdr message = {.msg_iov = &part,
				 .msg_iovlen = 1,
				 .msg_control = control.room,
				 .msg_controllen = sizeof control.room};
	ssize_t received;

	*fd = -1;
	do
		received = recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
	while (received < 0 && errno == EINTR);
	if (received < 0)
		return errno == EAGAIN ? AGAIN : REFUSED;
	*fd = take_descriptors(&message);
	*got = (size_t)received;
	return OK;
}

enum status passing_peer(int socket, pid_t *pid, uid_t *uid)
{
	struct ucred who;
	socklen_t size = sizeof who;

	if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &who, &size))
		return FAILED;
	*pid = who.pid;
	*uid = who.uid;
	return OK;
}
