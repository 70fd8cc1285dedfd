/*
 * sandbox - what a process gives up before it meets the outside: user,
 * capabilities, files (Landlock), system calls (seccomp), core dumps, and
 * life without its supervisor.
 *
 * What a kernel cannot do is left out and reported once in `weaker`; what
 * fails though the kernel can do it is an error: no role runs half naked.
 */
#ifndef SERVE_SANDBOX_H
#define SERVE_SANDBOX_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/error.h"

/* The user that a role runs as; taken from root only. */
struct sandbox_user {
	uid_t uid;
	gid_t gid;
};

/* Give up root for `user` (nothing to do when we are not root), all capabilities, and the way back. */
MUST_CHECK enum status sandbox_drop(struct sandbox_user user, struct error *err);
/* A gateway: no file but those below the open folder `challenges` (-1: none), to be read; no Unix socket, no
 * new program; TCP, its descriptors and memory. */
MUST_CHECK enum status sandbox_gateway(int challenges, struct buffer *weaker, struct error *err);
/* The authority: files below `state` alone, no network, no new program. */
MUST_CHECK enum status sandbox_authority(const char *state, struct buffer *weaker, struct error *err);
/* The resolver: no file, no network, no new program; connects to Unix sockets. */
MUST_CHECK enum status sandbox_resolver(struct buffer *weaker, struct error *err);
/* Its child that asks for names: reads /etc and where resolv.conf may lie, speaks to name servers, UDP and TCP. */
MUST_CHECK enum status sandbox_name_asker(struct buffer *weaker, struct error *err);
/* The check, before it reads a configuration: files are read and nothing else is done to them; no network, no new
 * program. It stays the user that it is, because it reads keys. */
MUST_CHECK enum status sandbox_check(struct buffer *weaker, struct error *err);
/* End when the supervisor ends, leave no core with keys in it. For every role, after sandbox_drop. */
MUST_CHECK enum status sandbox_tie(pid_t supervisor, struct error *err);

#endif
