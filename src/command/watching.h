/*
 * watching - what a house only watches, who would have been refused, and who
 * is ready for the day when it is enforced: gathered from the configuration
 * and the authority, for "watch" and "status".
 */
#ifndef COMMAND_WATCHING_H
#define COMMAND_WATCHING_H

#include <jansson.h>
#include <stdint.h>

#include "command/command.h"

struct door_options;

enum { READY_DAYS = 30, WARNED_DAYS = 7 };

/* What is watched: [{site, location, nobody, nobody_until, known, known_until, enforced:[..]}..]. nobody: requests
 * without an accepted certificate; known: devices that `who` or the allow-file does not let in; *_until: seconds,
 * null without an end. Those whose end has passed are listed too. The caller's. */
json_t *watching_places(const struct door_options *door);
/* Does the watch of this place still hold? */
bool watching_is_on(const json_t *place);
/* The earliest end of it that has not passed; 0: none. */
int64_t watching_end(const json_t *place);

/* {people, seen, since, missing:[{name, devices, seen}..]}: active people who may enter one of the watched sites
 * (all sites if none is; `site` alone if not NULL), and who of them was there with a certificate since then. `door`
 * NULL: everybody counts. EXIT_DONE or what was said. The caller's. */
int watching_ready(const struct invocation *invocation, const struct door_options *door, const char *site,
		   int64_t since, json_t **out);

/* For "status": {places, ready} and a problem for each place that is watched; NULL: none is. */
json_t *watching_summary(const struct invocation *invocation, const struct door_options *door, json_t *problems);

/* "without an end", "until 2026-12-24 00:00 CET (in 33 days)", "ended on ...". */
enum { WATCHING_TEXT_SIZE = 128 };
void watching_until_text(int64_t until, char out[static WATCHING_TEXT_SIZE]);

#endif
