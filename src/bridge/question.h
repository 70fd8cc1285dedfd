/*
 * question - what one process may ask another: tables of {name, who may ask,
 * what it does, function}. The table is the whole attack surface between two
 * processes. Who asks is known by the descriptor that the question came over,
 * never by a field in it.
 *
 * A function answers exactly once, inside the call or in a later turn, by
 * answer_send, answer_refuse or answer_fail, which end the life of the
 * `struct answer`. An unknown question and one from the wrong role get the same
 * word, "refused", so that asking reveals nothing.
 *
 * Questions are limited by the second and channel (GCRA); what is too early
 * waits in order. QUESTION_URGENT ones (revoke, suspend) pass by the queue.
 */
#ifndef BRIDGE_QUESTION_H
#define BRIDGE_QUESTION_H

#include <jansson.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "bridge/channel.h"

/* Bits; one asker is exactly one of them. */
enum role {
	ROLE_STRANGER = 1, /* a local socket that has not yet shown its token */
	ROLE_CLI = 2,
	ROLE_GATEWAY = 4,
	ROLE_CONSOLE = 8,
	ROLE_AUTHORITY = 16,
	ROLE_SUPERVISOR = 32,
	ROLE_RESOLVER = 64,
};
const char *role_name(enum role role);

enum question_effect {
	QUESTION_READS,
	QUESTION_WRITES,
	QUESTION_REVEALS, /* its answer holds a secret: never logged */
};
enum { QUESTION_URGENT = 1 };

struct answer;

struct question_row {
	const char *name;
	unsigned who; /* role bits */
	enum question_effect effect;
	unsigned flags;
	/* `words` (an object, perhaps empty) and `fd` (or -1) are borrowed for the call: json_incref
	 * or dup what must last. `house` is the table's. */
	void (*answer)(void *house, struct answer *answer, const json_t *words, int fd);
};

struct question_table {
	const struct question_row *rows;
	size_t count;
	void *house;
	/* Someone asked what he may not, or what nobody knows: for the log. May be NULL. `name` is
	 * the asker's text, at most 64 bytes, printable. */
	void (*on_refused)(void *house, enum role role, const char *peer, const char *name);
	/* Only for question_dispatch_local: finish what the function left for the end of the turn
	 * (the group commit). May be NULL. */
	void (*settle)(void *house);
};

/* NULL: no such row. */
const struct question_row *question_find(const struct question_table *table, const char *name);

struct question_limits {
	unsigned per_second, burst;
	unsigned held; /* at most so many wait for their time; 0: 256 */
};

/* From now on questions on `channel` are answered from `table` (borrowed for the channel's life),
 * as asked by `role`. NULL limits: 200 a second, 400 at once. Once a channel. Lives as long as the
 * channel. */
MUST_CHECK enum status question_serve(struct channel *channel, const struct question_table *table,
				      enum role role, const struct question_limits *limits,
				      struct error *err);

/* The answer's side ----------------------------------------------------- */

/* Each ends `answer`. `words` (NULL: an empty object) and `fd` (or -1) are borrowed. When the asker
 * has gone meanwhile the answer goes nowhere, which is fine. */
void answer_send(struct answer *answer, const json_t *words, int fd);
void answer_refuse(struct answer *answer, const struct error *why);
void answer_fail(struct answer *answer, const struct error *why);
/* By status; OK counts as FAILED. AGAIN: too much to do, ask later. */
void answer_error(struct answer *answer, enum status status, const struct error *why);

enum role answer_role(const struct answer *answer);
const char *answer_name(const struct answer *answer); /* the question's */
const char *answer_peer(const struct answer *answer);
/* Idempotence key of a writer: 1-64 of A-Z a-z 0-9 _ -; NULL: none. The same key means the same deed. */
const char *answer_key(const struct answer *answer);
/* The asker's channel has closed: nobody will hear the answer (the deed stays done). */
bool answer_is_unheard(const struct answer *answer);
/* How it was asked here, without a channel: see question_dispatch_local. `answer` is the caller's
 * until answer_send and the like; used by bridge/ask alone. */
struct answer_local {
	bool done;
	enum status status;
	json_t *words;
	int fd;
	struct error err;
};
void question_run_local(const struct question_table *table, enum role role, json_t *frame, int fd,
			struct answer_local *into, struct answer **pending);
/* Whoever waited for it has given up. */
void question_give_up(struct answer *pending);

/* The asker has proved to be more than ROLE_STRANGER: its channel has this role from now on. */
void answer_promote(struct answer *answer, enum role role);

/* Reading words; both name the field in the text. ----------------------- */

/* A string of 1..most bytes without control characters. Missing: REFUSED. Borrowed from `words`. */
MUST_CHECK enum status words_text(const json_t *words, const char *field, size_t most,
				  const char **out, struct error *err);
/* The same, but tabs and line ends may be in it: PEM. */
MUST_CHECK enum status words_block(const json_t *words, const char *field, size_t most,
				   const char **out, struct error *err);
/* As words_text, but *out = NULL when it is not there or null. An empty string is "not there" too. */
MUST_CHECK enum status words_text_maybe(const json_t *words, const char *field, size_t most,
					const char **out, struct error *err);
MUST_CHECK enum status words_number(const json_t *words, const char *field, int64_t least,
				    int64_t most, int64_t *out, struct error *err);
/* Missing or null: false. */
MUST_CHECK enum status words_flag(const json_t *words, const char *field, bool *out,
				  struct error *err);
/* 2 * size hex digits. */
MUST_CHECK enum status words_hex(const json_t *words, const char *field, void *out, size_t size,
				 struct error *err);

#endif
