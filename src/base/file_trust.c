#include "base/file_trust.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"

enum { LINKS_MOST = 16 };

struct walk {
	const char *path; /* as asked for, for people */
	int folder;       /* open on where we are */
	struct stat facts;     /* of that folder */
	bool is_roots;    /* so far nobody else had a hand in it */
	unsigned links;
	char rest[PATH_MAX]; /* what is still to be walked */
};

static bool others_may_write(const struct stat *facts)
{
	return facts->st_mode & 02 || (facts->st_mode & 020 && facts->st_gid != 0);
}

static bool is_roots(const struct walk *walk, const struct stat *entry)
{
	bool is_open = others_may_write(&walk->facts);

	if (!walk->is_roots || entry->st_uid != 0)
		return false;
	/* In a sticky folder others can add names, but not take root's away; a second name is as good as theirs. */
	return !is_open || (walk->facts.st_mode & S_ISVTX && (S_ISDIR(entry->st_mode) || entry->st_nlink == 1));
}

static enum status go_to_root(struct walk *walk, struct error *err)
{
	int folder = open("/", O_PATH | O_DIRECTORY | O_CLOEXEC);

	if (walk->folder >= 0)
		close(walk->folder);
	walk->folder = folder;
	if (folder < 0 || fstat(folder, &walk->facts))
		return error_fail_errno(err, "cannot open /");
	walk->is_roots = walk->facts.st_uid == 0 && !others_may_write(&walk->facts);
	return OK;
}

/* The next name of `rest` into `name`; false: there is none. */
static bool next_name(struct walk *walk, char name[static NAME_MAX + 1])
{
	char *from = walk->rest, *end;
	size_t size;

	while (*from == '/')
		from++;
	end = strchr(from, '/');
	size = end ? (size_t)(end - from) : strlen(from);
	if (size == 0 || size > NAME_MAX)
		return false;
	memcpy(name, from, size);
	name[size] = 0;
	memmove(walk->rest, from + size, strlen(from + size) + 1);
	return true;
}

static enum status follow(struct walk *walk, const char *name, const struct stat *entry, struct error *err)
{
	char target[PATH_MAX], rest[PATH_MAX];
	ssize_t size;

	if (!is_roots(walk, entry))
		return error_refuse(err, "%s is reached by a link (%s) that root did not make; name the file itself",
				    walk->path, name);
	if (++walk->links > LINKS_MOST)
		return error_refuse(err, "%s: too many links", walk->path);
	size = readlinkat(walk->folder, name, target, sizeof target - 1);
	if (size < 0)
		return error_fail_errno(err, "cannot read the link %s", walk->path);
	target[size] = 0;
	if ((size_t)snprintf(rest, sizeof rest, "%s/%s", target, walk->rest) >= sizeof rest)
		return error_refuse(err, "%s: the links on the way are too long", walk->path);
	memcpy(walk->rest, rest, strlen(rest) + 1);
	return target[0] == '/' ? go_to_root(walk, err) : OK;
}

static enum status enter(struct walk *walk, const char *name, const struct stat *entry, struct error *err)
{
	int folder = openat(walk->folder, name, O_PATH | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	struct stat facts;

	if (folder < 0 || fstat(folder, &facts)) {
		(void)error_fail_errno(err, "cannot open %s", walk->path);
		if (folder >= 0)
			close(folder);
		return REFUSED;
	}
	if (facts.st_dev != entry->st_dev || facts.st_ino != entry->st_ino) {
		close(folder);
		return error_refuse(err, "%s is being changed", walk->path);
	}
	/* ".." of root's way is on root's way. */
	walk->is_roots = strcmp(name, "..") == 0 ? walk->is_roots : is_roots(walk, &facts);
	close(walk->folder);
	walk->folder = folder;
	walk->facts = facts;
	return OK;
}

static enum status judge(const struct walk *walk, const struct stat *file, enum file_power power, struct error *err)
{
	bool is_his = file->st_uid == walk->facts.st_uid || (file->st_uid == 0 && file->st_nlink == 1);

	if (power == FILE_COMMANDS && (!is_roots(walk, file) || others_may_write(file)))
		return error_refuse(err, "others than root could write %s, and root would obey it. If you trust what it says: "
				    "chown root %s; chmod go-w %s; and keep it in a folder that is root's", walk->path,
				    walk->path, walk->path);
	if (walk->is_roots && !others_may_write(&walk->facts))
		return OK; /* a name that root gave */
	if (!S_ISREG(file->st_mode) || !is_his)
		return error_refuse(err, "%s lies in a folder that others than root may write, and belongs to somebody else "
				    "(user %u); put it into a folder of root's", walk->path, (unsigned)file->st_uid);
	return OK;
}

static enum status open_last(struct walk *walk, const char *name, enum file_power power, int *out, struct error *err)
{
	int fd = openat(walk->folder, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
	enum status status;
	struct stat facts;

	if (fd < 0 || fstat(fd, &facts)) {
		(void)error_fail_errno(err, "cannot open %s", walk->path);
		if (fd >= 0)
			close(fd);
		return REFUSED;
	}
	status = judge(walk, &facts, power, err);
	if (status == OK)
		*out = fd;
	else
		close(fd);
	return status;
}

static enum status open_trusted(const char *path, enum file_power power, int *out, struct error *err)
{
	struct walk walk = {.path = path, .folder = -1};
	char name[NAME_MAX + 1];
	enum status status;
	struct stat entry;

	if (path[0] != '/' || strlen(path) >= sizeof walk.rest)
		return error_refuse(err, "%s is no absolute path", path);
	memcpy(walk.rest, path, strlen(path) + 1);
	TRY(go_to_root(&walk, err));
	status = error_refuse(err, "%s is a folder, not a file", path);
	while (next_name(&walk, name)) {
		if (fstatat(walk.folder, name, &entry, AT_SYMLINK_NOFOLLOW)) {
			(void)error_fail_errno(err, "cannot open %s", path);
			status = REFUSED;
			goto done;
		}
		if (S_ISLNK(entry.st_mode)) {
			TRY(follow(&walk, name, &entry, err));
		} else if (S_ISDIR(entry.st_mode)) {
			TRY(enter(&walk, name, &entry, err));
		} else if (walk.rest[strspn(walk.rest, "/")]) {
			errno = ENOTDIR;
			(void)error_fail_errno(err, "cannot open %s", path);
			status = REFUSED;
			goto done;
		} else {
			TRY(open_last(&walk, name, power, out, err));
			goto done;
		}
		status = error_refuse(err, "%s is a folder, not a file", path);
	}
done:
	if (walk.folder >= 0)
		close(walk.folder);
	return status;
}

enum status file_trust(const char *path, enum file_power power, struct error *err)
{
	enum status status;
	int fd;

	if (geteuid() != 0)
		return OK;
	status = open_trusted(path, power, &fd, err);
	if (status == OK)
		close(fd);
	return status;
}

enum status file_load_trusted(const char *path, enum file_power power, struct buffer *out, struct error *err)
{
	enum status status;
	int fd;

	if (geteuid() != 0)
		return file_load(path, out, err);
	status = open_trusted(path, power, &fd, err);
	if (status != OK)
		return status;
	status = file_load_fd(fd, out, err);
	if (status != OK)
		error_context(err, "%s", path);
	close(fd);
	return status;
}
