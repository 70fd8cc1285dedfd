/*
 * turn - group commit: what one turn of the loop is asked is one transaction,
 * at most 64 questions or 5 ms. Each deed has a savepoint of its own, and takes
 * effect (roster, gateways, answer) only after the commit.
 *
 * Readers' answers wait too while a transaction is open: nobody hears of what
 * may still be undone.
 */
#ifndef AUTHORITY_TURN_H
#define AUTHORITY_TURN_H

#include <jansson.h>

#include "base/buffer.h"
#include "base/list.h"
#include "bridge/question.h"
#include "registry/registry.h"

struct authority;

enum { DEED_DEVICES_MOST = 128 };

/* One question from its function to its answer. */
struct deed {
	struct authority *authority;
	struct answer *answer;
	struct link in_turn; /* owner: authority.deeds */
	json_t *words;       /* the answer's */
	bool writes;
	/* After the commit: bring these in the roster up to date; `ends` too: close what is live of them. */
	uint8_t devices[DEED_DEVICES_MOST][REGISTRY_ID_SIZE];
	unsigned device_count;
	bool ends;
	bool counts_live; /* ask the gateways how many connections devices[0] has */
	bool rebuilds;    /* rows that are not believed were met: the whole roster is made anew */
	char why[32];                /* what gateways are told */
	struct buffer fingerprints;  /* of what was revoked, 32 bytes each: needs no disk afterwards */
};

/* Does the work and fills deed->words. Anything but OK undoes it. */
typedef enum status deed_fn(struct authority *authority, struct deed *deed, const json_t *words,
			    struct error *err);
/* The same deed was done before and is asked again: fill the words for `subject`. */
typedef enum status deed_again_fn(struct authority *authority, struct deed *deed,
				  const uint8_t subject[REGISTRY_ID_SIZE], const json_t *words,
				  struct error *err);

/* Answers `answer` sooner or later. */
void turn_read(struct authority *authority, struct answer *answer, const json_t *words, deed_fn *read);
/* With `again` NULL the deed is harmless to do twice. */
void turn_write(struct authority *authority, struct answer *answer, const json_t *words, deed_fn *write,
		deed_again_fn *again);
/* Within a deed: remember what the idempotence key stands for; and the audit line. */
MUST_CHECK enum status turn_remember(struct deed *deed, const uint8_t subject[REGISTRY_ID_SIZE],
				     const json_t *words, struct error *err);
MUST_CHECK enum status turn_audit(struct deed *deed, const char *subject, struct error *err,
				  const char *detail, ...) PRINTF_LIKE(4, 5);
void deed_touch(struct deed *deed, const uint8_t device[REGISTRY_ID_SIZE]);

/* Commit now, and do what follows. Harmless when nothing waits. */
void turn_commit(struct authority *authority);


#endif
