#include "authority/state_lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <time.h>
#include <unistd.h>

/* Two seconds: a command without a server, or an authority that is just ending, needs less. */
enum { TRIES = 100 };

static enum status refuse_held(const char *state, int fd, struct error *err)
{
	char holder[32] = "";
	ssize_t got = pread(fd, holder, sizeof holder - 1, 0);

	if (got <= 0)
		snprintf(holder, sizeof holder, "unknown");
	return error_refuse(err, "%s is in use by process %s (a running chatelaine); ask that one, or stop it "
			    "first", state, holder);
}

enum status state_lock_take(const char *state, int *out, struct error *err)
{
	const struct timespec pause = {.tv_nsec = 20 * 1000000};
	char path[PATH_MAX], holder[32];
	int fd, size, tries, held;

	if (snprintf(path, sizeof path, "%s/lock", state) >= PATH_MAX)
		return error_refuse(err, "the path is too long: %s", state);
	fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		(void)error_fail_errno(err, "cannot open %s", path);
		return REFUSED;
	}
	for (tries = 0; (held = flock(fd, LOCK_EX | LOCK_NB)) && errno == EWOULDBLOCK && tries < TRIES; tries++)
		nanosleep(&pause, NULL);
	if (held) {
		enum status status = errno == EWOULDBLOCK ? refuse_held(state, fd, err)
							  : error_fail_errno(err, "cannot lock %s", path);

		close(fd);
		return status;
	}
	/* The number is for people; the lock holds without it, so a full disk does not matter. */
	size = snprintf(holder, sizeof holder, "%d", (int)getpid());
	if (ftruncate(fd, 0) || pwrite(fd, holder, (size_t)size, 0) != size)
		errno = 0;
	*out = fd;
	return OK;
}
