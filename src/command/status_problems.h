/*
 * status_problems - what is wrong, or soon will be, each with what to do about it.
 *
 * A list of {level, text}: found in the configuration on disk, in what the authority answered to "status", and on the
 * disks. The worst first.
 */
#ifndef COMMAND_STATUS_PROBLEMS_H
#define COMMAND_STATUS_PROBLEMS_H

#include <jansson.h>

#include "command/command.h"

enum problem_level {
	PROBLEM_NOTICE,   /* to know of; no reason to be called at night: --check passes over it */
	PROBLEM_WARNING,
	PROBLEM_CRITICAL, /* people cannot enter, or those can who should not */
};

struct problems {
	struct {
		enum problem_level level;
		json_t *text;
	} *at;
	size_t count;
};

void problems_add(struct problems *problems, enum problem_level level, const char *format, ...) PRINTF_LIKE(3, 4);
void problems_sort(struct problems *problems);
enum problem_level problems_worst(const struct problems *problems); /* PROBLEM_NOTICE for none */
void problems_release(struct problems *problems);

/* `answer` is the authority's; what of the configuration is to be shown (sites, holes, watch) is added to it. */
void problems_find(const struct invocation *invocation, const char *config, bool is_running, json_t *answer,
		   struct problems *out);

#endif
