#include "access/watch_rule.h"

#include <stdlib.h>
#include <string.h>

#include "access/foreign_ca.h"
#include "config/config_value.h"
#include "shm/roster.h"

/* -- building -- */

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum status copy_enforced(struct watch_rule *rule, char *const *names, size_t count, struct error *err)
{
	size_t i;

	if (count == 0)
		return OK;
	if (count > POLICY_GROUPS)
		return error_refuse(err, "enforced: more than %d groups", POLICY_GROUPS);
	rule->enforced = calloc(count, sizeof *rule->enforced);
	for (i = 0; i < count && rule->enforced; i++) {
		/* Whoever is enforced for everyone wants no watch at all. */
		if (strcmp(names[i], "everyone") == 0)
			return error_refuse(err, "enforced: not everyone; write explain in place of watch");
		rule->enforced[i] = strdup(names[i]);
		if (!rule->enforced[i])
			return error_fail(err, "no memory for a rule's groups");
		rule->enforced_count++;
	}
	if (!rule->enforced)
		return error_fail(err, "no memory for a rule's groups");
	qsort(rule->enforced, count, sizeof *rule->enforced, compare_texts);
	return OK;
}

enum status watch_rule_set(struct watch_rule *rule, const struct rule_options *asked, enum no_certificate mode,
			   const struct watch_rule *site, struct error *err)
{
	bool inherits_mode = site && asked->no_certificate == NO_CERTIFICATE_INHERIT;

	if (asked->not_allowed != NO_CERTIFICATE_INHERIT && asked->not_allowed != NO_CERTIFICATE_EXPLAIN &&
	    asked->not_allowed != NO_CERTIFICATE_WATCH)
		return error_refuse(err, "not-allowed: explain or watch");
	rule->nobody = inherits_mode ? site->nobody
				     : (struct watch_span){mode == NO_CERTIFICATE_WATCH, asked->watch_until};
	rule->says_known = asked->not_allowed != NO_CERTIFICATE_INHERIT;
	if (rule->says_known) {
		rule->known = (struct watch_span){asked->not_allowed == NO_CERTIFICATE_WATCH,
						  asked->not_allowed_until};
	} else if (site && site->says_known) {
		rule->known = site->known;
		rule->says_known = true;
	} else {
		/* Who could drop his certificate and pass should not be refused for showing it. */
		rule->known = rule->nobody;
	}
	if (asked->enforced && asked->enforced->count > 0)
		return copy_enforced(rule, asked->enforced->at, asked->enforced->count, err);
	return site ? copy_enforced(rule, site->enforced, site->enforced_count, err) : OK;
}

void watch_rule_release(struct watch_rule *rule)
{
	while (rule->enforced_count > 0)
		free(rule->enforced[--rule->enforced_count]);
	free(rule->enforced);
	rule->enforced = NULL;
}

/* -- deciding -- */

static bool holds(const struct watch_span *span, int64_t now)
{
	return span->is_on && (span->until == 0 || now < span->until);
}

static bool is_enforced(const struct watch_rule *rule, const struct identity *who, const struct roster *roster)
{
	size_t i;

	for (i = 0; who->foreign && i < rule->enforced_count; i++)
		if (foreign_groups_have(who->foreign->groups, span_of(rule->enforced[i])))
			return true;
	/* Whom a foreign CA names badly has no group. */
	if (!roster || who->foreign || who->who == WHO_NO_CERTIFICATE || who->who == WHO_UNKNOWN ||
	    who->who >= WHO_FOREIGN_BAD_PATH)
		return false;
	for (i = 0; i < rule->enforced_count; i++)
		if (roster_set_has(roster, who->group_set, span_of(rule->enforced[i])))
			return true;
	return false;
}

bool watch_rule_passes(const struct watch_rule *rule, enum verdict verdict, const struct identity *who,
		       const struct roster *roster, int64_t now)
{
	if (!holds(verdict == VERDICT_NOBODY ? &rule->nobody : &rule->known, now))
		return false;
	if (who->who == WHO_REVOKED || who->who == WHO_SUSPENDED || who->who == WHO_ROSTER_TOO_OLD ||
	    who->who == WHO_FOREIGN_REVOKED || who->who == WHO_FOREIGN_LIST)
		return false;
	return !is_enforced(rule, who, roster);
}

static int64_t earlier_end(int64_t best, const struct watch_span *span, int64_t now)
{
	if (!span->is_on || span->until <= now)
		return best;
	return best == 0 || span->until < best ? span->until : best;
}

int64_t watch_rule_next_end(const struct watch_rule *rule, int64_t now)
{
	return earlier_end(earlier_end(0, &rule->nobody, now), &rule->known, now);
}

void watch_rule_write(const struct watch_rule *rule, struct buffer *out)
{
	size_t i;

	buffer_printf(out, "%d %lld %d %lld %zu ", rule->nobody.is_on, (long long)rule->nobody.until,
		      rule->known.is_on, (long long)rule->known.until, rule->enforced_count);
	for (i = 0; i < rule->enforced_count; i++)
		buffer_printf(out, "%zu:%s", strlen(rule->enforced[i]), rule->enforced[i]);
}
