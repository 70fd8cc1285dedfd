#include "serve/access_file.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <limits.h>
#include <string.h>
#include <sys/fsuid.h>
#include <sys/stat.h>
#include <unistd.h>

enum { FLAGS = O_APPEND | O_CREAT | O_CLOEXEC | O_NOCTTY | O_NONBLOCK | O_NOFOLLOW, GROUPS_MOST = 256 };

static int open_it(const char *path)
{
	int fd = open(path, O_WRONLY | FLAGS, 0640);

	/* A pipe without a reader. */
	if (fd < 0 && errno == ENXIO)
		fd = open(path, O_RDWR | FLAGS, 0640);
	return fd;
}

/* The capabilities to pass by a file's mode go with the file system user, and come back with it. */
static int open_as(const char *path, struct sandbox_user owner)
{
	gid_t groups[GROUPS_MOST];
	int count, fd, cause;

	if (geteuid() != 0 || owner.uid == 0)
		return open_it(path);
	count = getgroups(GROUPS_MOST, groups);
	if (count < 0 || setgroups(0, NULL))
		return -1;
	setfsgid(owner.gid);
	setfsuid(owner.uid);
	fd = setfsuid((uid_t)-1) == (int)owner.uid ? open_it(path) : (errno = EPERM, -1);
	cause = errno;
	setfsuid(0);
	setfsgid(getegid());
	if (setgroups((size_t)count, groups) && fd >= 0) {
		close(fd);
		fd = -1;
	} else {
		errno = cause;
	}
	return fd;
}

enum status access_file_open(const char *path, struct sandbox_user owner, int *out, struct error *err)
{
	const char *slash = strrchr(path, '/');
	struct stat facts;
	int fd = open_as(path, owner);

	if (fd < 0 && errno == ENOENT)
		return error_refuse(err, "access-log = \"%s\": there is no folder %.*s; make it: install -d -o %u -g adm -m 750 "
				    "%.*s", path, (int)(slash - path), path, (unsigned)owner.uid, (int)(slash - path), path);
	if (fd < 0)
		return error_refuse(err, "access-log = \"%s\": cannot be opened by user %u: %s; it must be a file that this user may "
				    "write, and no link", path, (unsigned)owner.uid, strerror(errno));
	if (fstat(fd, &facts) == 0 && (S_ISREG(facts.st_mode) || S_ISFIFO(facts.st_mode) || S_ISCHR(facts.st_mode))) {
		*out = fd;
		return OK;
	}
	close(fd);
	return error_refuse(err, "access-log = \"%s\" is neither a file nor a pipe", path);
}
