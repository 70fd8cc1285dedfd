/*
 * header_rules - header lines that a site or location sets or takes away,
 * towards the application and towards the client.
 *
 * Made and checked when the config is read; used without memory or search in
 * more than a few names. What says who is there, where the client is, or where
 * a message ends can neither be set nor taken away: those lines are ours.
 * Setting a field takes the place of all of that name that were there.
 */
#ifndef DOOR_HEADER_RULES_H
#define DOOR_HEADER_RULES_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/span.h"
#include "config/config_value.h"

struct field;
struct head;
struct header_rules;

/* As the config gives them: "Name: value", and names. */
struct header_options {
	struct value_texts request_set, request_remove, response_set, response_remove;
};

enum { HEADER_RULES_MOST = 32 };

/* An empty list is as in `site` (NULL: none). *out is NULL when there is nothing to do. REFUSED: the key, the
 * line, and why not. */
MUST_CHECK enum status header_rules_new(const struct header_options *given, const struct header_options *site,
					struct header_rules **out, struct error *err);
void header_rules_free(struct header_rules *rules); /* NULL is fine */

/* Whole lines to be put behind a request's own; may be empty. */
struct span header_rules_lines(const struct header_rules *rules);
/* May this field of the client go on to the application? */
bool header_rules_keeps(const struct header_rules *rules, const struct field *field);
/* May this one of the application's, which may be a trailer, go on to the client? */
bool header_rules_returns(const struct header_rules *rules, const struct field *field);
/* Only takes away: for a head that comes before the answer. */
void header_rules_thin_out(const struct header_rules *rules, struct head *answer);
/* Takes away and adds in place. False: too many fields; then nothing was added. The head borrows from the rules. */
bool header_rules_answer(const struct header_rules *rules, struct head *answer);

#endif
