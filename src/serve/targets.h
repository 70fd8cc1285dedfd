/*
 * targets - what the resolver is there for: the host names of upstreams, and
 * their Unix sockets. In a fixed shape, made by the check role, handed to the
 * resolver as a memory descriptor; nobody parses it.
 */
#ifndef SERVE_TARGETS_H
#define SERVE_TARGETS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"

struct settings;

enum { TARGETS_MOST = 256, TARGET_SIZE = 264 };
enum target_kind { TARGET_NAME = 'n', TARGET_SOCKET = 's' };

struct targets {
	uint32_t count;
	struct target {
		uint32_t kind; /* enum target_kind */
		char text[TARGET_SIZE]; /* a folded host name; an absolute path; terminated */
	} at[TARGETS_MOST];
};

/* REFUSED: more than TARGETS_MOST. */
MUST_CHECK enum status targets_gather(const struct settings *settings, struct targets *out, struct error *err);
bool targets_have(const struct targets *targets, enum target_kind kind, const char *text);

/* A descriptor of the caller's. */
MUST_CHECK enum status targets_pack(const struct targets *targets, int *fd, struct error *err);
MUST_CHECK enum status targets_unpack(int fd, struct targets *out, struct error *err);

#endif
