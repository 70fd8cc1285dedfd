#include "event/passing.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <cmocka.h>

static int ends[2];

static int set_up(void **state)
{
	struct error err;

	(void)state;
	return passing_pair(ends, &err) == OK ? 0 : -1;
}

static int tear_down(void **state)
{
	(void)state;
	close(ends[0]);
	return close(ends[1]);
}

static void a_descriptor_rides_with_its_bytes(void **state)
{
	char bytes[10];
	int pipe_ends[2], fd;
	size_t got, took;

	(void)state;
	assert_int_equal(pipe(pipe_ends), 0);
	assert_int_equal(passing_send(ends[0], SPAN("abc"), pipe_ends[1], &took), OK);
	assert_int_equal(took, 3);
	assert_int_equal(passing_receive(ends[1], bytes, sizeof bytes, &got, &fd), OK);
	assert_int_equal(got, 3);
	assert_true(fd >= 0);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	assert_int_equal(write(fd, "x", 1), 1);
	assert_int_equal(read(pipe_ends[0], bytes, 1), 1);
	close(fd);
	close(pipe_ends[0]);
	close(pipe_ends[1]);
}

static void nothing_there_is_not_the_end(void **state)
{
	char bytes[10];
	size_t got = 9;
	int fd;

	(void)state;
	assert_int_equal(passing_receive(ends[1], bytes, sizeof bytes, &got, &fd), AGAIN);
	assert_int_equal(fd, -1);
	assert_int_equal(shutdown(ends[0], SHUT_WR), 0);
	assert_int_equal(passing_receive(ends[1], bytes, sizeof bytes, &got, &fd), OK);
	assert_int_equal(got, 0);
}

static void a_full_socket_says_so_and_a_closed_one_too(void **state)
{
	static char bytes[65536];
	enum status status;
	size_t took;

	(void)state;
	do
		status = passing_send(ends[0], span_make(bytes, sizeof bytes), -1, &took);
	while (status == OK);
	assert_int_equal(status, AGAIN);
	close(ends[1]);
	assert_int_equal(passing_send(ends[0], SPAN("x"), -1, &took), REFUSED);
	ends[1] = dup(ends[0]);
}

/* By hand, since passing_send would never do it. */
static void send_descriptors(int count)
{
	union {
		char room[CMSG_SPACE(sizeof(int) * 16)];
		struct cmsghdr aligned;
	} control;
	char byte = 0;
	struct iovec part = {.iov_base = &byte, .iov_len = 1};
	struct msghdr message = {.msg_iov = &part, .msg_iovlen = 1, .msg_control = control.room};
	struct cmsghdr *head;
	int i;

	memset(&control, 0, sizeof control);
	message.msg_controllen = CMSG_SPACE(sizeof(int) * (size_t)count);
	head = CMSG_FIRSTHDR(&message);
	head->cmsg_level = SOL_SOCKET;
	head->cmsg_type = SCM_RIGHTS;
	head->cmsg_len = CMSG_LEN(sizeof(int) * (size_t)count);
	for (i = 0; i < count; i++)
		memcpy(CMSG_DATA(head) + sizeof(int) * (size_t)i, &ends[0], sizeof(int));
	assert_int_equal(sendmsg(ends[0], &message, 0), 1);
}

static void surplus_descriptors_leak_nothing(void **state)
{
	char bytes[10];
	int fd, next_before, next_after;
	size_t got;

	(void)state;
	next_before = dup(0);
	close(next_before);
	send_descriptors(12);
	assert_int_equal(passing_receive(ends[1], bytes, sizeof bytes, &got, &fd), OK);
	assert_true(fd >= 0);
	close(fd);
	next_after = dup(0);
	close(next_after);
	assert_int_equal(next_before, next_after);
}

static void the_kernel_says_who_is_there(void **state)
{
	pid_t pid;
	uid_t uid;

	(void)state;
	assert_int_equal(passing_peer(ends[0], &pid, &uid), OK);
	assert_int_equal(pid, getpid());
	assert_int_equal(uid, getuid());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(a_descriptor_rides_with_its_bytes, set_up, tear_down),
		cmocka_unit_test_setup_teardown(nothing_there_is_not_the_end, set_up, tear_down),
		cmocka_unit_test_setup_teardown(a_full_socket_says_so_and_a_closed_one_too, set_up,
						tear_down),
		cmocka_unit_test_setup_teardown(surplus_descriptors_leak_nothing, set_up, tear_down),
		cmocka_unit_test_setup_teardown(the_kernel_says_who_is_there, set_up, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
