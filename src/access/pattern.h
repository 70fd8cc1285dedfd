/*
 * pattern - a regular expression over paths, in time linear in the path.
 *
 * Compiled once, when the config is read, into a table of states: matching is
 * one look into the table for each character, without memory and whatever the
 * expression. So a path that somebody chose with care costs no more than any
 * other. (POSIX regexec and PCRE go back over what they have read, and may
 * take exponential time.) An expression that needs a larger table is refused.
 *
 * What is known: literals, . [a-z] [^/] \d \w \s \D \W \S, \ before any other
 * sign, ( ) (?: ) | * + ? {2} {2,} {2,4}, ^ and $. It is searched for anywhere in
 * the path unless ^ and $ bind it. Refused, by name: references back, looking
 * ahead or behind, (?i) and other options, possessive repetition.
 */
#ifndef ACCESS_PATTERN_H
#define ACCESS_PATTERN_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/span.h"

struct pattern;

enum { PATTERN_TEXT_MOST = 512, PATTERN_STATES_MOST = 1024 };

/* REFUSED: what is wrong, at which character; also one that no path can match. */
MUST_CHECK enum status pattern_new(struct span text, bool any_case, struct pattern **out,
				   struct error *err);
void pattern_free(struct pattern *pattern); /* NULL is fine */
/* With `slash_behind` the path is read as if a slash stood at its end. */
bool pattern_matches(const struct pattern *pattern, struct span path, bool slash_behind);
/* Of its tables: a policy has a ceiling for all of them. */
size_t pattern_bytes(const struct pattern *pattern);

#endif
