/*
 * ask - a question to another process; the answer comes in a later turn, or
 * not: then FAILED "authority does not answer".
 *
 * At most 256 are under way on a channel. An answer that comes after its
 * deadline, or after ask_forget, is dropped with its descriptor.
 */
#ifndef BRIDGE_ASK_H
#define BRIDGE_ASK_H

#include <jansson.h>
#include <stdint.h>

#include "base/error.h"
#include "bridge/channel.h"
#include "bridge/question.h"

struct question {
	const char *name;
	json_t *words;   /* NULL: no words */
	int fd;          /* or -1; beware: 0 is a descriptor */
	const char *key; /* idempotence key for writers, or NULL; ask_make_key */
};

/* Called exactly once, never from inside ask, unless ask_forget came first. `words` (never NULL on
 * OK, else NULL) and `fd` (or -1) are borrowed for the call: json_incref or dup to keep them. `err`
 * is set when status is not OK: REFUSED by the other side, FAILED there or on the way, AGAIN when it
 * has too much to do. May call ask and ask_forget, and channel_free. */
typedef void answer_fn(void *arg, enum status status, const json_t *words, int fd,
		       const struct error *err);

enum { ASK_UNDER_WAY_MOST = 256, ASK_KEY_SIZE = 33 };

/* Never blocks. Takes words and fd, whatever it returns. AGAIN: 256 are under way or the socket is
 * full, say 503; REFUSED: the channel has closed; with either the function is not called. `ticket`
 * (may be NULL) is for ask_forget. */
MUST_CHECK enum status ask(struct channel *channel, struct question question, int deadline_ms,
			   answer_fn *on_answer, void *arg, uint32_t *ticket);
/* The exchange died: drop the answer, not the deed. Harmless with an old ticket, and with 0, which
 * is never a ticket. */
void ask_forget(struct channel *channel, uint32_t ticket);
/* How many are under way. */
unsigned ask_count(const struct channel *channel);
/* A fresh key, 32 hex digits; the same one again makes a repeated question the same deed. */
void ask_make_key(char out[static ASK_KEY_SIZE]);

/* For commands: no loop, they wait. -------------------------------------- */

/* Connect to a Unix socket by path. REFUSED: nobody listens there. FAILED: it stands still; its queue has been full
 * for five seconds. */
MUST_CHECK enum status ask_connect(const char *path, int *fd, struct error *err);
/* Ask over `socket` and wait at most timeout_ms in all. Takes question's words and fd. On OK *words
 * is the caller's; *fd (if `fd` is not NULL) is the descriptor that came, or -1, the caller's. One question
 * at a time a socket. REFUSED, and AGAIN for "ask later": the answer was no, and says why; FAILED: no answer
 * came, and the socket is of no more use. */
MUST_CHECK enum status ask_wait(int socket, struct question question, int timeout_ms,
				json_t **words, int *fd, struct error *err);
/* The same without a server: runs the table's function in this process, as `role`. An answer that
 * waits for the end of a turn is had by table->settle. `peer` in its logs is "here". */
MUST_CHECK enum status question_dispatch_local(const struct question_table *table, enum role role,
					       struct question question, json_t **words, int *fd,
					       struct error *err);

#endif
