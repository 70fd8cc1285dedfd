/*
 * command - the words a person can say to the program: one table drives
 * dispatch, help and usage (command_table.c), one file holds each noun.
 */
#ifndef COMMAND_COMMAND_H
#define COMMAND_COMMAND_H

#include <stdbool.h>

#include "base/error.h"

enum {
	EXIT_DONE = 0,        /* done */
	EXIT_REFUSED = 1,     /* refused, or not found */
	EXIT_USAGE = 2,       /* the words were wrong */
	EXIT_UNREACHABLE = 3, /* the running chatelaine does not answer */
};

/* What every command gets; its own options are read by options_parse. */
struct invocation {
	const char *name; /* "device add", for messages */
	char state[4096]; /* --state, CHATELAINE_STATE, or the default */
	bool json;
	int argc; /* what stands behind the name; argv[argc] is NULL */
	char **argv;
};

struct command {
	const char *noun, *verb;    /* verb NULL: the noun is the whole name */
	int (*run)(struct invocation *invocation);
	const char *arguments;      /* as usage shows them */
	const char *help;           /* one line */
	const char *more;           /* NULL, or what --help adds, lines of at most 80 */
	bool hidden;
};

extern const struct command commands[];
extern const unsigned command_count;

/* The program: finds the command, reads --state and --json, runs it. */
int command_main(int argc, char **argv);

/* "chatelaine NAME: TEXT" on standard error; with --json {"error": TEXT} on standard output. Answers
 * EXIT_REFUSED, so that `return command_fail(...)` reads well. */
int command_fail(const struct invocation *invocation, const struct error *err);
/* The same with a line of usage behind it; EXIT_USAGE. */
int command_usage(const struct invocation *invocation, const char *format, ...) PRINTF_LIKE(2, 3);

#endif
