/*
 * walk - the rooms that a request goes through, as a table: IDENTIFY (who),
 * LIMIT (how much), AUTHORIZE (which site, which rule, may he), SERVE (by
 * which service), LEFT (what is written down).
 *
 * A room does one thing and names the next one. Nothing here waits or
 * allocates on the way of an ordinary request; each request reads the
 * roster's word anew.
 */
#ifndef DOOR_WALK_H
#define DOOR_WALK_H

#include "door/refusal.h"
#include "door/visit.h"

struct guest;

/* The request's head is complete: ends in a service that is open, the refusal's page among them. */
void walk_begin(struct visit *visit, struct guest *guest);
/* There is no request that could be walked: only the refusal's page. */
void walk_refuse(struct visit *visit, struct guest *guest, enum refusal why);
/* Would this live visit be refused now, under the door's present routes and roster? NONE: no. */
enum refusal walk_judge_again(struct visit *visit);
/* Its head goes away: remember what judging and the log will want. */
void walk_into_tunnel(struct visit *visit);
/* The exchange is over: its line in the log, its counters. */
void walk_end(struct visit *visit);
const char *walk_room_name(enum room room);

#endif
