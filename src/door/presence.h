/*
 * presence - who is connected to this worker now, by device.
 *
 * A mark sits inside each connection's guest. The rule that makes revocation
 * certain: enter, THEN read the roster. The authority stores the word, then
 * tells us; so either our reading sees the word, or the telling finds the mark.
 *
 * Closing and walking go 256 marks a turn; marks that leave or enter meanwhile
 * are no trouble. It knows no connections: its owner's function ends them.
 */
#ifndef DOOR_PRESENCE_H
#define DOOR_PRESENCE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/list.h"
#include "door/refusal.h"

struct loop;
struct presence;

enum { PRESENCE_A_TURN = 256 };

struct presence_mark {
	struct link by_device; /* owner: presence.buckets; alone for those without device */
	struct link in_all;    /* owner: presence.all, or presence.left while a walk goes on */
	uint8_t device[16], fingerprint[32];
	bool has_device, is_here, is_ended;
};

/* Ends the mark's connection; called once a mark. False: it was ending already and is not counted. May
 * call presence_leave for this mark only. */
typedef bool presence_end(void *arg, struct presence_mark *mark, enum refusal why);
/* One mark of a walk; may call presence_leave for this mark only. */
typedef void presence_visit(void *arg, struct presence_mark *mark);
typedef void presence_done(void *arg, size_t count);

MUST_CHECK enum status presence_new(struct loop *loop, presence_end *end, void *arg,
				    struct presence **out, struct error *err);
/* All marks must have left; jobs under way are dropped without their `done`. NULL is fine. */
void presence_free(struct presence *presence);

/* The mark is the caller's and stays put until presence_leave. NULL device: somebody unknown. */
void presence_enter(struct presence *presence, struct presence_mark *mark, const uint8_t *device,
		    const uint8_t *fingerprint);
void presence_leave(struct presence *presence, struct presence_mark *mark); /* twice is harmless */

/* Ends every connection of the device; with `fingerprint`, only those that showed this certificate.
 * `done` (may be NULL) is called in a later round with how many were ended, when all have been. */
MUST_CHECK enum status presence_close(struct presence *presence, const uint8_t device[static 16],
				      const uint8_t *fingerprint, enum refusal why,
				      presence_done *done, void *arg, struct error *err);
/* Visits every mark that is here now, in later rounds. Started again while under way, it begins anew. */
void presence_each(struct presence *presence, presence_visit *visit, void *arg);

/* Every mark that has a device, at once; is_first: of its device. Nothing may be changed meanwhile. */
typedef void presence_look(void *arg, const struct presence_mark *mark, bool is_first);
void presence_each_known(const struct presence *presence, presence_look *look, void *arg);

size_t presence_count(const struct presence *presence); /* all marks */
size_t presence_count_device(const struct presence *presence, const uint8_t device[static 16]);

#endif
