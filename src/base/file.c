#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/fault.h"
#include "base/random.h"

enum status file_load_fd(int fd, struct buffer *out, struct error *err)
{
	for (;;) {
		size_t ask = out->ceiling - out->size < 65536 ? out->ceiling - out->size : 65536;
		char *end = buffer_reserve(out, ask);
		char surplus;
		ssize_t got;

		if (!end)
			return error_fail(err, "no memory");
		got = ask ? read(fd, end, ask) : read(fd, &surplus, 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_fail_errno(err, "cannot read");
		if (got == 0)
			return OK;
		if (ask == 0)
			return error_refuse(err, "larger than %zu bytes", out->ceiling);
		buffer_grew(out, (size_t)got);
	}
}

enum status file_load(const char *path, struct buffer *out, struct error *err)
{
	enum status status;
	struct stat facts;
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK);

	if (fd < 0) {
		(void)error_fail_errno(err, "cannot open %s", path);
		return REFUSED;
	}
	if (fstat(fd, &facts) == 0 && S_ISDIR(facts.st_mode)) {
		status = error_refuse(err, "%s is a folder, not a file", path);
	} else {
		status = file_load_fd(fd, out, err);
		if (status != OK)
			error_context(err, "%s", path);
	}
	close(fd);
	return status;
}

enum status file_load_beneath(int folder, const char *name, struct buffer *out, struct error *err)
{
	struct open_how how = {.flags = O_RDONLY | O_CLOEXEC | O_NOCTTY | O_NONBLOCK,
			       .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS};
	int fd = (int)syscall(SYS_openat2, folder, name, &how, sizeof how);
	enum status status;
	struct stat facts;

	if (fd < 0) {
		(void)error_fail_errno(err, "cannot open %s", name);
		return REFUSED;
	}
	if (fstat(fd, &facts) || !S_ISREG(facts.st_mode)) {
		status = error_refuse(err, "%s is not a file", name);
	} else {
		status = file_load_fd(fd, out, err);
		if (status != OK)
			error_context(err, "%s", name);
	}
	close(fd);
	return status;
}

static enum status write_all(int fd, struct span bytes)
{
	while (bytes.size) {
		ssize_t took = FAULT("write") ? (errno = ENOSPC, -1) : write(fd, bytes.at, bytes.size);

		if (took < 0 && errno == EINTR)
			continue;
		if (took < 0)
			return FAILED;
		span_skip(&bytes, (size_t)took);
	}
	return FAULT("fsync") ? (errno = EIO, FAILED) : fsync(fd) == 0 ? OK : FAILED;
}

enum status folder_sync(const char *path, struct error *err)
{
	char folder[PATH_MAX];
	const char *slash = strrchr(path, '/');
	int fd, outcome;

	if (!slash)
		snprintf(folder, sizeof folder, ".");
	else
		snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path), path);
	fd = open(folder, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0)
		return error_fail_errno(err, "cannot open folder %s", folder);
	outcome = FAULT("fsync") ? (errno = EIO, -1) : fsync(fd);
	close(fd);
	return outcome == 0 ? OK : error_fail_errno(err, "cannot sync folder %s", folder);
}

static enum status save(const char *path, mode_t mode, struct span bytes, bool replace,
			struct error *err)
{
	char temporary[PATH_MAX];
	unsigned tag;
	int fd;

	random_bytes(&tag, sizeof tag);
	if (snprintf(temporary, sizeof temporary, "%s.%08x.new", path, tag) >= PATH_MAX)
		return error_refuse(err, "the path is too long: %s", path);
	fd = open(temporary, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, mode);
	if (fd < 0) {
		(void)error_fail_errno(err, "cannot create %s", temporary);
		return REFUSED;
	}
	if (write_all(fd, bytes) != OK) {
		(void)error_fail_errno(err, "cannot write %s", path);
		close(fd);
		unlink(temporary);
		return FAILED;
	}
	close(fd);
	/* link refuses to replace, rename does not. */
	if (replace ? rename(temporary, path) : link(temporary, path)) {
		(void)error_fail_errno(err, "cannot create %s", path);
		unlink(temporary);
		return REFUSED;
	}
	if (!replace)
		unlink(temporary);
	return folder_sync(path, err);
}

enum status file_save(const char *path, mode_t mode, struct span bytes, struct error *err)
{
	return save(path, mode, bytes, true, err);
}

enum status file_save_new(const char *path, mode_t mode, struct span bytes, struct error *err)
{
	return save(path, mode, bytes, false, err);
}

enum status folder_make(const char *path, mode_t mode, struct error *err)
{
	char partial[PATH_MAX];
	struct stat facts;
	size_t i, size = strlen(path);

	if (size == 0 || size >= sizeof partial)
		return error_refuse(err, "not a usable path: \"%s\"", path);
	for (i = 1; i <= size; i++) {
		if (path[i] != '/' && path[i] != 0)
			continue;
		snprintf(partial, sizeof partial, "%.*s", (int)i, path);
		if (mkdir(partial, i == size ? mode : 0755) == 0 || errno == EEXIST)
			continue;
		(void)error_fail_errno(err, "cannot make folder %s", partial);
		return REFUSED;
	}
	if (stat(path, &facts) || !S_ISDIR(facts.st_mode))
		return error_refuse(err, "%s is there and is not a folder", path);
	return OK;
}
