/*
 * asking - one question to the authority, wherever it is: the running one
 * over STATE/authority.sock, else the state folder opened in this process.
 * The same table answers in both cases.
 */
#ifndef COMMAND_ASKING_H
#define COMMAND_ASKING_H

#include <jansson.h>

#include "command/command.h"

/* Takes `words`. On EXIT_DONE *answer is the caller's to json_decref; else the failure has been said. */
int asking(const struct invocation *invocation, const char *question, json_t *words, json_t **answer);
/* The same for a question that may take so long. */
int asking_within(const struct invocation *invocation, const char *question, json_t *words, int wait_ms,
		  json_t **answer);
/* One question to the running authority, nothing printed. Takes `words`. REFUSED: nobody is there, or it refuses;
 * FAILED: it ended before it answered. */
enum status asking_try(const struct invocation *invocation, const char *question, json_t *words, int wait_ms,
		       json_t **answer, struct error *err);
/* A list that comes in pages: all of `list` in the answers to `question`, each asked with `words` (taken)
 * and where the one before ended. On EXIT_DONE *all is the caller's. */
int asking_all(const struct invocation *invocation, const char *question, json_t *words, const char *list,
	       json_t **all);
/* Prints an answer for --json. Takes it. */
int asking_print_json(json_t *answer);
/* A line on standard error when gateways did not answer a revocation in time. */
void asking_warn_silent(const json_t *answer);
/* A string of the answer, "" when it is not there. Borrowed. */
const char *asking_text(const json_t *answer, const char *key);
int64_t asking_number(const json_t *answer, const char *key);
/* "2027-11-21" from seconds since 1970; "never" for 0. */
enum { DAY_TEXT_SIZE = 32 };
void asking_day(int64_t seconds, char out[static DAY_TEXT_SIZE]);

#endif
