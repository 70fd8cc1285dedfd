/*
 * watch_rule - whom a rule only watches, and until when: refused he would be,
 * but he passes and is counted.
 *
 * Part of a rule (access/policy), fixed when it is made. Two kinds of requests
 * are watched apart from each other: those without an accepted certificate,
 * and those of known devices that `who` or the allow-file does not let in.
 * What was decided by hand is never watched: a revoked or suspended device
 * stays out, and so does a member of the groups in `enforced`.
 */
#ifndef ACCESS_WATCH_RULE_H
#define ACCESS_WATCH_RULE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "access/policy.h"
#include "base/buffer.h"

/* Until when; zeroed: not at all. */
struct watch_span {
	bool is_on;
	int64_t until; /* seconds since 1970; 0: without an end */
};

struct watch_rule {
	struct watch_span nobody, known;
	bool says_known; /* `not-allowed` was written, so it holds for what inherits */
	char **enforced; /* group names, sorted */
	size_t enforced_count;
};

/* `mode` is what holds for this rule, inherited or not; `site` is NULL for the site's own rule. REFUSED: words
 * that cannot be. Release it also then. */
MUST_CHECK enum status watch_rule_set(struct watch_rule *rule, const struct rule_options *asked,
				      enum no_certificate mode, const struct watch_rule *site, struct error *err);
void watch_rule_release(struct watch_rule *rule);

/* Whom `verdict` (not PASS) refuses: does he pass all the same at `now`? */
bool watch_rule_passes(const struct watch_rule *rule, enum verdict verdict, const struct identity *who,
		       const struct roster *roster, int64_t now);
/* The first end behind `now`; 0: none. */
int64_t watch_rule_next_end(const struct watch_rule *rule, int64_t now);
/* All of it, for the digest of the rules. */
void watch_rule_write(const struct watch_rule *rule, struct buffer *out);

#endif
