#include "serve/sandbox.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <linux/landlock.h>
#include <netinet/in.h>
#include <seccomp.h>
#include <signal.h>
#include <stdint.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A sanitizer's run-time asks for more than the program does: to find leaks at the end it reads
 * /proc/self and traces itself. */
#if defined(__SANITIZE_ADDRESS__)
#define IS_SANITIZED 1
#elif defined(__has_feature)
#if __has_feature(address_sanitizer)
#define IS_SANITIZED 1
#endif
#endif
#ifndef IS_SANITIZED
#define IS_SANITIZED 0
#endif

enum status sandbox_drop(struct sandbox_user user, struct error *err)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct none[_LINUX_CAPABILITY_U32S_3] = {{0}};
	int capability;

	if (geteuid() == 0 && user.uid != 0) {
		if (setgroups(0, NULL) || setresgid(user.gid, user.gid, user.gid) ||
		    setresuid(user.uid, user.uid, user.uid))
			return error_fail_errno(err, "cannot become user %u", (unsigned)user.uid);
		if (setuid(0) == 0)
			return error_fail(err, "could become root again");
	}
	/* Root without capabilities is left where no user was made for the role: a name in the files' owner. */
	for (capability = 0; geteuid() == 0 && capability < 64; capability++)
		(void)prctl(PR_CAPBSET_DROP, capability, 0, 0, 0);
	if (syscall(SYS_capset, &head, none))
		return error_fail_errno(err, "cannot give up capabilities");
	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return error_fail_errno(err, "cannot forbid new privileges");
	return OK;
}

enum status sandbox_tie(pid_t supervisor, struct error *err)
{
	struct rlimit none = {0, 0};

	if (prctl(PR_SET_PDEATHSIG, SIGKILL))
		return error_fail_errno(err, "cannot tie this process to its supervisor");
	/* It may have died before the line above. */
	if (getppid() != supervisor)
		return error_fail(err, "the supervisor is gone");
	if (prctl(PR_SET_DUMPABLE, IS_SANITIZED) || setrlimit(RLIMIT_CORE, &none))
		return error_fail_errno(err, "cannot forbid core dumps");
	return OK;
}

/* What each version of Landlock knows of files; asking for more is an error. */
static uint64_t known_rights(int version)
{
	uint64_t rights = (1u << 13) - 1; /* version 1: execute .. make_sym */

	if (version >= 2)
		rights |= 1u << 13; /* refer */
	if (version >= 3)
		rights |= 1u << 14; /* truncate */
	return rights;
}

/* The open folders (-1 is none) and what is below may be used as `rights` say, and no other file. */
static enum status restrict_files(const int *folders, size_t count, uint64_t rights, struct buffer *weaker,
				  struct error *err)
{
	int version = (int)syscall(SYS_landlock_create_ruleset, NULL, 0, LANDLOCK_CREATE_RULESET_VERSION);
	struct landlock_ruleset_attr all = {.handled_access_fs = known_rights(version)};
	struct landlock_path_beneath_attr below = {.allowed_access = all.handled_access_fs & rights};
	enum status status = OK;
	int rules;
	size_t i;

	if (IS_SANITIZED || version < 1) {
		buffer_add_text(weaker, IS_SANITIZED ? "a sanitized build runs without Landlock; "
						     : "this kernel has no Landlock; ");
		return OK;
	}
	rules = (int)syscall(SYS_landlock_create_ruleset, &all, sizeof all, 0);
	if (rules < 0)
		return error_fail_errno(err, "cannot make Landlock rules");
	for (i = 0; i < count && status == OK; i++) {
		below.parent_fd = folders[i];
		if (folders[i] >= 0 && syscall(SYS_landlock_add_rule, rules, LANDLOCK_RULE_PATH_BENEATH, &below, 0))
			status = error_fail_errno(err, "cannot allow a folder by Landlock");
	}
	if (status == OK && syscall(SYS_landlock_restrict_self, rules, 0))
		status = error_fail_errno(err, "cannot put Landlock rules in force");
	close(rules);
	return status;
}

/* What any process needs to compute, wait and end. */
static const int common_calls[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(close), SCMP_SYS(dup),
	SCMP_SYS(fstat), SCMP_SYS(poll), SCMP_SYS(ppoll),
	SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait), SCMP_SYS(epoll_create1),
	SCMP_SYS(munmap), SCMP_SYS(madvise), SCMP_SYS(mremap), SCMP_SYS(brk), SCMP_SYS(mlock),
	SCMP_SYS(munlock), SCMP_SYS(futex), SCMP_SYS(clock_gettime), SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(getrandom), SCMP_SYS(exit),
	SCMP_SYS(exit_group), SCMP_SYS(rt_sigreturn), SCMP_SYS(rt_sigaction),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(restart_syscall), SCMP_SYS(getpid), SCMP_SYS(gettid),
	SCMP_SYS(getuid), SCMP_SYS(geteuid), SCMP_SYS(sched_yield),
	SCMP_SYS(recvmsg), SCMP_SYS(sendmsg), SCMP_SYS(recvfrom), SCMP_SYS(sendto),
	SCMP_SYS(shutdown), SCMP_SYS(getsockopt), SCMP_SYS(sysinfo),
};

/* No lseek, no pwrite, no ftruncate: the access log is added to and never rewritten, whoever rules a gateway. */
static const int gateway_calls[] = {
	SCMP_SYS(accept4), SCMP_SYS(connect), SCMP_SYS(setsockopt), SCMP_SYS(getsockname),
	SCMP_SYS(getpeername),
};

static const int check_calls[] = {
	SCMP_SYS(openat), SCMP_SYS(newfstatat), SCMP_SYS(stat), SCMP_SYS(lstat), SCMP_SYS(access), SCMP_SYS(faccessat),
	SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getdents64), SCMP_SYS(pread64),
	SCMP_SYS(pwrite64), SCMP_SYS(lseek), SCMP_SYS(ftruncate), SCMP_SYS(memfd_create), SCMP_SYS(statx), SCMP_SYS(getcwd),
	SCMP_SYS(getppid), SCMP_SYS(getegid), SCMP_SYS(getgid), SCMP_SYS(sched_getaffinity), SCMP_SYS(prlimit64),
	SCMP_SYS(uname), SCMP_SYS(umask), SCMP_SYS(statfs), SCMP_SYS(fstatfs), SCMP_SYS(eventfd2), SCMP_SYS(openat2),
};

static const int resolver_calls[] = {SCMP_SYS(connect), SCMP_SYS(getpeername), SCMP_SYS(pread64)};

static const int name_asker_calls[] = {
	SCMP_SYS(connect), SCMP_SYS(bind), SCMP_SYS(setsockopt), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	SCMP_SYS(sendmmsg), SCMP_SYS(recvmmsg), SCMP_SYS(openat), SCMP_SYS(newfstatat), SCMP_SYS(stat), SCMP_SYS(lstat),
	SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink), SCMP_SYS(readlinkat),
	SCMP_SYS(pread64), SCMP_SYS(lseek), SCMP_SYS(statx), SCMP_SYS(uname), SCMP_SYS(getppid),
};

static const int authority_calls[] = {
	SCMP_SYS(accept4), SCMP_SYS(openat), SCMP_SYS(newfstatat), SCMP_SYS(stat), SCMP_SYS(lstat),
	SCMP_SYS(lseek), SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(pread64),
	SCMP_SYS(pwrite64), SCMP_SYS(fsync), SCMP_SYS(fdatasync), SCMP_SYS(ftruncate),
	SCMP_SYS(fallocate), SCMP_SYS(unlink), SCMP_SYS(unlinkat), SCMP_SYS(rename),
	SCMP_SYS(renameat), SCMP_SYS(renameat2), SCMP_SYS(link), SCMP_SYS(linkat), SCMP_SYS(mkdir),
	SCMP_SYS(mkdirat), SCMP_SYS(fchmod), SCMP_SYS(fchmodat), SCMP_SYS(fchown), SCMP_SYS(flock),
	SCMP_SYS(getdents64), SCMP_SYS(readlink), SCMP_SYS(readlinkat), SCMP_SYS(getcwd),
	SCMP_SYS(memfd_create), SCMP_SYS(statx), SCMP_SYS(statfs), SCMP_SYS(fstatfs),
	SCMP_SYS(umask), SCMP_SYS(utimensat), SCMP_SYS(getppid), SCMP_SYS(setitimer),
};

static int allow_all(scmp_filter_ctx filter, const int *calls, size_t count)
{
	size_t i;
	int failed = 0;

	for (i = 0; i < count; i++)
		failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, calls[i], 0);
	return failed;
}

/* Memory, but none that can be run. */
static int allow_memory(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mmap), 1,
				SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0)) |
	       seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(mprotect), 1,
				SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

/* To ourselves only: abort(3). Users may be shared, and started without root they all are. */
static int allow_signals_to_itself(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(tgkill), 1,
				SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
}

/* Not F_SETOWN and F_SETSIG, by which the kernel sends signals to others. */
static int allow_descriptor_flags(scmp_filter_ctx filter)
{
	static const int commands[] = {F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL, F_GETLK,
				       F_SETLK, F_SETLKW, F_ADD_SEALS, F_GET_SEALS};
	int failed = 0;
	size_t i;

	for (i = 0; i < sizeof commands / sizeof *commands; i++)
		failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
					   SCMP_A1(SCMP_CMP_EQ, (scmp_datum_t)commands[i], 0));
	return failed;
}

/* glibc's fstat; with this flag and a name it tells at most that a file is there. */
static int allow_facts_of_descriptors(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(newfstatat), 1,
				SCMP_A3(SCMP_CMP_EQ, AT_EMPTY_PATH, 0));
}

/* TCP alone: no datagram leaves from here, such as a question to a name server. */
static int allow_tcp(scmp_filter_ctx filter)
{
	static const int families[] = {AF_INET, AF_INET6}, protocols[] = {0, IPPROTO_TCP};
	const scmp_datum_t kind = 0xffffffffu & ~(scmp_datum_t)(SOCK_NONBLOCK | SOCK_CLOEXEC);
	int failed = 0, i;

	for (i = 0; i < 4; i++)
		failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 3,
					   SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i / 2], 0),
					   SCMP_A1(SCMP_CMP_MASKED_EQ, kind, SOCK_STREAM),
					   SCMP_A2(SCMP_CMP_EQ, (scmp_datum_t)protocols[i % 2], 0));
	return failed;
}

/* A Unix socket to somewhere, but no pair of them and none to listen on: bind is no call of these roles. */
static int allow_unix(scmp_filter_ctx filter)
{
	return seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1, SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
}

/* UDP and TCP to name servers; netlink tells which families this machine has addresses of; some name services
 * are daemons with a Unix socket. */
static int allow_names(scmp_filter_ctx filter)
{
	static const int families[] = {AF_INET, AF_INET6, AF_NETLINK};
	int failed = allow_unix(filter), i;

	for (i = 0; i < 3; i++)
		failed |= seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
					   SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)families[i], 0));
	return failed | seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1, SCMP_A1(SCMP_CMP_EQ, FIONREAD, 0));
}

enum reach { REACH_NOTHING, REACH_TCP, REACH_UNIX, REACH_NAMES };

static int allow_reach(scmp_filter_ctx filter, enum reach reach)
{
	static int (*const allow[])(scmp_filter_ctx) = {
		[REACH_TCP] = allow_tcp, [REACH_UNIX] = allow_unix, [REACH_NAMES] = allow_names};

	return reach == REACH_NOTHING ? 0 : allow[reach](filter);
}

/* Of files those below this one descriptor; Landlock holds to it when the path does not. */
static int allow_reading_below(scmp_filter_ctx filter, int folder)
{
	return folder < 0 ? 0
			  : seccomp_rule_add(filter, SCMP_ACT_ALLOW, SCMP_SYS(openat2), 1,
					     SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)folder, 0));
}

static enum status restrict_calls(const int *calls, size_t count, enum reach reach, int folder,
				  struct buffer *weaker, struct error *err)
{
	scmp_filter_ctx filter;
	int failed;

	if (IS_SANITIZED || prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0) {
		buffer_add_text(weaker, IS_SANITIZED ? "a sanitized build runs without seccomp; "
						     : "this kernel has no seccomp; ");
		return OK;
	}
	/* An errno, not a kill: a surprise in a library is then a failed call in the log, not an outage. */
	filter = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	if (!filter)
		return error_fail(err, "cannot make a system call filter");
	failed = allow_all(filter, common_calls, sizeof common_calls / sizeof *common_calls) |
		 allow_all(filter, calls, count) | allow_memory(filter) |
		 allow_reach(filter, reach) | allow_reading_below(filter, folder) | allow_facts_of_descriptors(filter) |
		 allow_signals_to_itself(filter) | allow_descriptor_flags(filter) | seccomp_load(filter);
	seccomp_release(filter);
	return failed ? error_fail(err, "cannot put the system call filter in force") : OK;
}

enum status sandbox_gateway(int challenges, struct buffer *weaker, struct error *err)
{
	enum status status = restrict_files(&challenges, 1, LANDLOCK_ACCESS_FS_READ_FILE, weaker, err);

	if (status != OK)
		return status;
	return restrict_calls(gateway_calls, sizeof gateway_calls / sizeof *gateway_calls, REACH_TCP, challenges,
			      weaker, err);
}

enum status sandbox_authority(const char *state, struct buffer *weaker, struct error *err)
{
	int folder = open(state, O_PATH | O_CLOEXEC | O_DIRECTORY);
	enum status status;

	if (folder < 0)
		return error_fail_errno(err, "cannot open %s", state);
	status = restrict_files(&folder, 1, ~(uint64_t)LANDLOCK_ACCESS_FS_EXECUTE, weaker, err);
	close(folder);
	if (status != OK)
		return status;
	return restrict_calls(authority_calls, sizeof authority_calls / sizeof *authority_calls, REACH_NOTHING, -1,
			      weaker, err);
}

enum status sandbox_resolver(struct buffer *weaker, struct error *err)
{
	enum status status = restrict_files(NULL, 0, 0, weaker, err);

	if (status != OK)
		return status;
	return restrict_calls(resolver_calls, sizeof resolver_calls / sizeof *resolver_calls, REACH_UNIX, -1, weaker,
			      err);
}

enum status sandbox_name_asker(struct buffer *weaker, struct error *err)
{
	/* Folders, because these files are replaced by others of the same name. */
	static const char *const paths[] = {"/etc", "/run/systemd/resolve", "/run/resolvconf", "/run/NetworkManager",
					    "/run/nscd"};
	int folders[sizeof paths / sizeof *paths];
	enum status status;
	size_t i;

	for (i = 0; i < sizeof paths / sizeof *paths; i++)
		folders[i] = open(paths[i], O_PATH | O_CLOEXEC | O_DIRECTORY);
	status = restrict_files(folders, i, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR, weaker, err);
	while (i-- > 0)
		if (folders[i] >= 0)
			close(folders[i]);
	if (status != OK)
		return status;
	return restrict_calls(name_asker_calls, sizeof name_asker_calls / sizeof *name_asker_calls, REACH_NAMES, -1,
			      weaker, err);
}

enum status sandbox_check(struct buffer *weaker, struct error *err)
{
	/* Of root's powers, the one to read any file: keys are for few eyes. */
	const uint32_t reading = 1u << CAP_DAC_READ_SEARCH;
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct reads[_LINUX_CAPABILITY_U32S_3] = {{.effective = reading, .permitted = reading}};
	int folder = open("/", O_PATH | O_CLOEXEC | O_DIRECTORY);
	enum status status;

	if (folder < 0)
		return error_fail_errno(err, "cannot open /");
	if (geteuid() == 0 && syscall(SYS_capset, &head, reads))
		status = error_fail_errno(err, "cannot give up capabilities");
	else if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		status = error_fail_errno(err, "cannot forbid new privileges");
	else
		status = restrict_files(&folder, 1, LANDLOCK_ACCESS_FS_READ_FILE | LANDLOCK_ACCESS_FS_READ_DIR, weaker, err);
	close(folder);
	if (status != OK)
		return status;
	return restrict_calls(check_calls, sizeof check_calls / sizeof *check_calls, REACH_NOTHING, -1, weaker, err);
}
