#include "serve/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/span.h"
#include "event/passing.h"

enum { DESCRIPTORS_MOST = 32 };

/* Move the descriptors to 3, 4, ... Taken out of the way first, since the ranges may overlap. */
static bool place_descriptors(const int *descriptors, unsigned count)
{
	int away[DESCRIPTORS_MOST], nothing;
	unsigned i;

	for (i = 0; i < count; i++) {
		away[i] = descriptors[i] < 0 ? -1 : fcntl(descriptors[i], F_DUPFD, 3 + DESCRIPTORS_MOST);
		if (descriptors[i] >= 0 && away[i] < 0)
			return false;
	}
	/* A terminal's keys are not for them. */
	nothing = open("/dev/null", O_RDWR);
	if (nothing >= 0 && dup2(nothing, STDIN_FILENO) < 0)
		return false;
	for (i = 0; i < count; i++) {
		close(3 + (int)i);
		if (away[i] >= 0 && dup2(away[i], 3 + (int)i) < 0)
			return false;
	}
	return close_range(3 + count, ~0u, 0) == 0;
}

static _Noreturn void become_role(const char *binary, const char *const arguments[])
{
	static char path[] = "PATH=/usr/bin:/bin", zone[] = "TZ=UTC";
	static char *const environment[] = {path, zone, NULL};
	sigset_t none;

	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (binary) {
		execve(binary, (char *const *)(uintptr_t)arguments, environment);
		fprintf(stderr, "chatelaine: cannot start %s: %s\n", binary, strerror(errno));
		_exit(70);
	}
	execve("/proc/self/exe", (char *const *)(uintptr_t)arguments, environment);
	/* No /proc (a bare chroot): the name we were called by. */
	execve((const char *)getauxval(AT_EXECFN), (char *const *)(uintptr_t)arguments, environment);
	fprintf(stderr, "chatelaine: cannot start myself again: %s\n", strerror(errno));
	_exit(70);
}

enum status child_start(struct child *child, const int *descriptors, unsigned count,
			struct sandbox_user user, const char *const words[], struct error *err)
{
	int ends[2], placed[DESCRIPTORS_MOST];
	char slot[16], supervisor[16], uid[16], gid[16];
	const char *arguments[16] = {"chatelaine", "role", child->role, slot, supervisor, uid, gid};
	enum status status;
	unsigned i;

	if (count + 1 > DESCRIPTORS_MOST)
		return error_fail(err, "too many descriptors for the %s", child->role);
	status = passing_pair(ends, err);
	if (status != OK)
		return status;
	snprintf(slot, sizeof slot, "%u", child->slot);
	snprintf(supervisor, sizeof supervisor, "%d", (int)getpid());
	snprintf(uid, sizeof uid, "%u", (unsigned)user.uid);
	snprintf(gid, sizeof gid, "%u", (unsigned)user.gid);
	for (i = 0; i < 4 && words[i]; i++)
		arguments[7 + i] = words[i];
	placed[0] = ends[1];
	if (count)
		memcpy(placed + 1, descriptors, count * sizeof *descriptors);
	child->pid = fork();
	if (child->pid == 0) {
		if (place_descriptors(placed, count + 1))
			become_role(child->binary, arguments);
		_exit(70);
	}
	close(ends[1]);
	if (child->pid < 0) {
		close(ends[0]);
		return error_fail_errno(err, "cannot start the %s", child->role);
	}
	child->orders = ends[0];
	child->state = CHILD_STARTING;
	child->started = child->alive_at = clock_read().mono;
	return OK;
}

void child_gone(struct child *child, int64_t now)
{
	int64_t wait = MILLISECONDS(100);
	unsigned i;

	if (child->orders >= 0)
		close(child->orders);
	child->orders = -1;
	child->pid = 0;
	child->state = CHILD_GONE;
	child->failures = now - child->started < SECONDS(10) ? child->failures + 1 : 0;
	for (i = 1; i < child->failures && wait < SECONDS(30); i++)
		wait *= 2;
	child->again_at = now + (wait < SECONDS(30) ? wait : SECONDS(30));
}

static bool take_number(const char *text, uint64_t *out)
{
	return span_to_u64(span_of(text), UINT32_MAX, out);
}

enum status role_start_parse(int argc, char **argv, struct role_start *out, struct error *err)
{
	uint64_t slot, supervisor, uid, gid;

	/* argv: role NAME SLOT SUPERVISOR UID GID [WORD] */
	if (argc < 6 || !take_number(argv[2], &slot) || !take_number(argv[3], &supervisor) ||
	    !take_number(argv[4], &uid) || !take_number(argv[5], &gid) ||
	    fcntl(FD_ORDERS, F_SETFD, FD_CLOEXEC))
		return error_refuse(err, "\"role\" is how chatelaine starts its own parts; "
					 "use \"chatelaine serve\"");
	*out = (struct role_start){.slot = (uint32_t)slot,
				   .supervisor = (pid_t)supervisor,
				   .user = {(uid_t)uid, (gid_t)gid}};
	if (argc > 6)
		out->word = argv[6];
	return OK;
}
