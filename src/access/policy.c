#include "access/policy.h"

#include <stdlib.h>
#include <string.h>

#include "access/allow_file.h"
#include "access/condition.h"
#include "access/foreign_ca.h"
#include "access/location.h"
#include "access/watch_rule.h"
#include "base/buffer.h"
#include "config/config_value.h"
#include "pki/digest.h"
#include "shm/roster.h"

enum { REMEMBERED_SETS = 64, DIGEST_TEXT_MOST = 1 << 20, READINGS = 4, PATTERN_BYTES = 4 << 20 };

enum memory { FORGOTTEN, HAS_NONE, HAS_ONE };

struct rule {
	struct location location; /* without a title: the site */
	unsigned index; /* in the rules as they were given */
	enum no_certificate mode;
	char **groups; /* sorted; NULL: everyone */
	size_t group_count;
	const struct allow_file *allow_file; /* borrowed */
	char *allow_path;
	struct watch_rule watch;
	struct condition condition;
	uint64_t body_ceiling; /* 0: none */
	struct {
		uint32_t set;
		enum memory says;
	} memory[REMEMBERED_SETS];
};

struct policy {
	size_t count;
	bool asks_address; /* some rule has an allow-from */
	uint8_t digest[POLICY_DIGEST_SIZE];
	struct rule rules[]; /* the site's, then locations in the order of asking */
};

static const struct {
	const char *word;
	enum no_certificate mode;
} modes[] = {
	{"drop", NO_CERTIFICATE_DROP},
	{"explain", NO_CERTIFICATE_EXPLAIN},
	{"watch", NO_CERTIFICATE_WATCH},
	{"allow", NO_CERTIFICATE_ALLOW},
};

bool no_certificate_parse(struct span word, enum no_certificate *out)
{
	size_t i;

	for (i = 0; i < sizeof modes / sizeof modes[0]; i++) {
		if (span_is(word, modes[i].word)) {
			*out = modes[i].mode;
			return true;
		}
	}
	return false;
}

/* -- building -- */

static int compare_texts(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static enum status copy_groups(const struct value_texts *who, struct rule *rule, struct error *err)
{
	size_t i;

	if (who->count > POLICY_GROUPS)
		return error_refuse(err, "who: more than %d groups", POLICY_GROUPS);
	for (i = 0; i < who->count; i++)
		if (strcmp(who->at[i], "everyone") == 0)
			return OK;
	rule->groups = calloc(who->count, sizeof *rule->groups);
	if (!rule->groups)
		return error_fail(err, "no memory for a rule's groups");
	for (i = 0; i < who->count; i++) {
		rule->groups[i] = strdup(who->at[i]);
		if (!rule->groups[i])
			return error_fail(err, "no memory for a rule's groups");
		rule->group_count++;
	}
	qsort(rule->groups, rule->group_count, sizeof *rule->groups, compare_texts);
	return OK;
}

static enum status inherit_groups(const struct rule *site, struct rule *rule, struct error *err)
{
	struct value_texts same = {.at = site->groups, .count = site->group_count};

	return site->groups ? copy_groups(&same, rule, err) : OK;
}

static enum status set_location(struct policy *policy, size_t index, const char *title,
				struct error *err)
{
	struct rule *rule = &policy->rules[index];
	enum status status = location_parse(title, &rule->location, err);
	size_t i;

	for (i = 1; i < index && status == OK; i++)
		if (location_is_same(&policy->rules[i].location, &rule->location))
			status = error_refuse(err, "location \"%s\": it is there twice", title);
	return status;
}

static enum status set_rule(struct policy *policy, size_t index, const struct rule_options *asked,
			    struct error *err)
{
	struct rule *rule = &policy->rules[index], *site = &policy->rules[0];
	bool is_site = index == 0;
	enum status status;

	if (!is_site)
		TRY(set_location(policy, index, asked->path, err));
	rule->mode = asked->no_certificate;
	if (rule->mode == NO_CERTIFICATE_INHERIT)
		rule->mode = is_site ? NO_CERTIFICATE_EXPLAIN : site->mode;
	else if (!is_site && rule->mode == NO_CERTIFICATE_DROP)
		return error_refuse(err,
				    "location \"%s\": no-certificate = drop is for sites only: the "
				    "handshake is over "
				    "before a path is known; write explain",
				    asked->path);
	else if (!is_site && site->mode == NO_CERTIFICATE_DROP &&
		 rule->mode != NO_CERTIFICATE_EXPLAIN)
		return error_refuse(
			err,
			"location \"%s\": nobody without a certificate gets so far in a site with "
			"no-certificate = drop; write explain for the site",
			asked->path);
	rule->index = (unsigned)index;
	rule->body_ceiling = asked->body_ceiling || is_site ? asked->body_ceiling : site->body_ceiling;
	if (condition_set(&rule->condition, asked->allow_from, asked->methods,
			  is_site ? NULL : &site->condition, err) != OK) {
		if (!is_site)
			error_context(err, "location \"%s\"", asked->path);
		return REFUSED;
	}
	policy->asks_address |= rule->condition.network_count > 0;
	TRY(watch_rule_set(&rule->watch, asked, rule->mode, is_site ? NULL : &site->watch, err));
	if (asked->who && asked->who->count > 0)
		TRY(copy_groups(asked->who, rule, err));
	else if (!is_site)
		TRY(inherit_groups(site, rule, err));
	rule->allow_file = asked->allow_file;
	if (rule->allow_file)
		rule->allow_path = strdup(asked->allow_path ? asked->allow_path : "");
	else if (!is_site && site->allow_file) {
		rule->allow_file = site->allow_file;
		rule->allow_path = strdup(site->allow_path);
	}
	if (rule->allow_file && !rule->allow_path)
		return error_fail(err, "no memory for an allow-file's path");
	status = OK;
done:
	return status;
}

static int as_asked(const void *a, const void *b)
{
	const struct rule *one = a, *other = b;
	int order = location_order(&one->location, &other->location);

	return order ? order : one->index < other->index ? -1 : 1;
}

/* Each worker has them: a policy must not cost what a request could not. */
static enum status check_tables(const struct policy *policy, struct error *err)
{
	size_t bytes = 0, i;

	for (i = 1; i < policy->count; i++)
		bytes += location_bytes(&policy->rules[i].location);
	return bytes <= PATTERN_BYTES
		       ? OK
		       : error_refuse(err, "the regular expressions of the locations need %zu KB of tables; at most "
					   "%d are given, so write simpler ones or prefixes",
				      bytes >> 10, PATTERN_BYTES >> 10);
}

/* Each text with its length in front, so that no two rules have one spelling. */
static void put(struct buffer *out, const char *text)
{
	buffer_printf(out, "%zu:%s", text ? strlen(text) : 0, text ? text : "");
}

static enum status make_digest(struct policy *policy, struct error *err)
{
	struct buffer text;
	size_t i, j;
	enum status status = OK;

	buffer_init(&text, DIGEST_TEXT_MOST);
	for (i = 0; i < policy->count; i++) {
		const struct rule *rule = &policy->rules[i];

		put(&text, rule->location.title);
		buffer_printf(&text, "%d %d %zu ", (int)rule->mode, rule->groups != NULL,
			      rule->group_count);
		for (j = 0; j < rule->group_count; j++)
			put(&text, rule->groups[j]);
		buffer_printf(&text, "%d ", rule->allow_file != NULL);
		put(&text, rule->allow_path);
		watch_rule_write(&rule->watch, &text);
		condition_write(&rule->condition, &text);
	}
	if (buffer_is_whole(&text))
		digest_sha256(buffer_span(&text), policy->digest);
	else
		status = error_refuse(err, "rules of more than %d bytes", DIGEST_TEXT_MOST);
	buffer_release(&text);
	return status;
}

enum status policy_new(const struct rule_options *rules, size_t count, struct policy **out,
		       struct error *err)
{
	struct policy *policy;
	enum status status = OK;

	if (count == 0 || count > POLICY_RULES)
		return error_refuse(err, "more than %d locations", POLICY_RULES - 1);
	policy = calloc(1, sizeof *policy + count * sizeof policy->rules[0]);
	if (!policy)
		return error_fail(err, "no memory for a policy");
	while (policy->count < count) {
		policy->count++;
		TRY(set_rule(policy, policy->count - 1, &rules[policy->count - 1], err));
	}
	qsort(policy->rules + 1, count - 1, sizeof policy->rules[0], as_asked);
	TRY(check_tables(policy, err));
	TRY(make_digest(policy, err));
	*out = policy;
	policy = NULL;
done:
	policy_free(policy);
	return status;
}

void policy_free(struct policy *policy)
{
	size_t i, j;

	if (!policy)
		return;
	for (i = 0; i < policy->count; i++) {
		struct rule *rule = &policy->rules[i];

		for (j = 0; j < rule->group_count; j++)
			free(rule->groups[j]);
		free(rule->groups);
		watch_rule_release(&rule->watch);
		free(rule->allow_path);
		location_release(&rule->location);
		condition_release(&rule->condition);
	}
	free(policy);
}

/* -- deciding -- */

/* Exact ones; the longest prefix; patterns, unless that prefix is final. */
static struct rule *find_rule(struct policy *policy, const struct reading *reading)
{
	struct rule *best = &policy->rules[0];
	size_t i;

	for (i = 1; i < policy->count; i++) {
		struct rule *rule = &policy->rules[i];

		/* A shorter prefix than the one that was found. */
		if (rule->location.kind == LOCATION_PREFIX && best != &policy->rules[0])
			continue;
		if (!location_holds(&rule->location, reading))
			continue;
		if (rule->location.kind != LOCATION_PREFIX || rule->location.is_final)
			return rule;
		best = rule;
	}
	return best;
}

static bool has_group(const struct rule *rule, uint32_t set, const struct roster *roster)
{
	size_t i;

	if (!roster)
		return false;
	for (i = 0; i < rule->group_count; i++)
		if (roster_set_has(roster, set, span_of(rule->groups[i])))
			return true;
	return false;
}

static bool has_foreign_group(const struct rule *rule, const struct foreign_person *person)
{
	size_t i;

	for (i = 0; i < rule->group_count; i++)
		if (foreign_groups_have(person->groups, span_of(rule->groups[i])))
			return true;
	return false;
}

static bool is_in_groups(struct rule *rule, const struct identity *who, const struct roster *roster)
{
	uint32_t set = who->group_set;
	size_t at = set % REMEMBERED_SETS;

	if (!rule->groups)
		return true;
	if (who->foreign)
		return has_foreign_group(rule, who->foreign);
	if (rule->memory[at].says == FORGOTTEN || rule->memory[at].set != set) {
		rule->memory[at].set = set;
		rule->memory[at].says = has_group(rule, set, roster) ? HAS_ONE : HAS_NONE;
	}
	return rule->memory[at].says == HAS_ONE;
}

static bool is_on_file(const struct allow_file *file, const struct identity *who)
{
	return who->foreign ? allow_file_has_foreign(file, who->foreign->key) : allow_file_has(file, who->device);
}

static enum verdict judge(struct rule *rule, const struct identity *who,
			  const struct roster *roster)
{
	if (rule->mode == NO_CERTIFICATE_ALLOW)
		return VERDICT_PASS;
	if (!identity_is_known(who))
		return VERDICT_NOBODY;
	if (rule->allow_file && allow_file_is_unreadable(rule->allow_file))
		return VERDICT_FILE_UNREADABLE;
	if (!is_in_groups(rule, who, roster))
		return VERDICT_NOT_ALLOWED;
	if (rule->allow_file && !is_on_file(rule->allow_file, who))
		return VERDICT_NOT_ON_FILE;
	return VERDICT_PASS;
}

/* An upstream may read the path in any of these ways; each must be fine. The first is how it goes on. */
static size_t find_readings(struct policy *policy, const struct errand *errand,
			    struct rule *readings[static READINGS])
{
	const struct reading each[READINGS] = {
		{errand->path, false}, {errand->path, true}, {errand->other, false}, {errand->other, true}};
	size_t count = policy->count == 1 ? 1 : errand->other.size > 0 ? READINGS : READINGS / 2, i;

	for (i = 0; i < count; i++)
		readings[i] = find_rule(policy, &each[i]);
	return count;
}

static void refuse(struct judgement *judgement, const struct rule *rule, enum verdict verdict)
{
	judgement->verdict = verdict;
	judgement->passes = false;
	judgement->location = rule->location.title;
	judgement->methods = rule->condition.methods;
}

struct judgement policy_decide(struct policy *policy, const struct errand *errand, const struct identity *who,
			       const struct roster *roster, int64_t now)
{
	struct judgement judgement = {.verdict = VERDICT_PASS, .passes = true};
	struct rule *readings[READINGS];
	size_t count = find_readings(policy, errand, readings), i;

	judgement.rule = readings[0]->index;
	for (i = 0; i < count && judgement.passes; i++) {
		const struct rule *rule = readings[i];
		enum verdict verdict;

		if (i > 0 && rule == readings[i - 1])
			continue;
		if (rule->body_ceiling > 0 &&
		    (judgement.body_ceiling == 0 || rule->body_ceiling < judgement.body_ceiling))
			judgement.body_ceiling = rule->body_ceiling;
		if (!condition_holds_from(&rule->condition, errand->from)) {
			refuse(&judgement, rule, VERDICT_NOT_FROM_THERE);
			break;
		}
		verdict = judge(readings[i], who, roster);
		if (verdict != VERDICT_PASS) {
			refuse(&judgement, rule, verdict);
			judgement.passes = watch_rule_passes(&rule->watch, verdict, who, roster, now);
		}
		/* Last, so that strangers do not learn of it. */
		if (judgement.passes && !condition_takes(&rule->condition, errand->method))
			refuse(&judgement, rule, VERDICT_METHOD);
	}
	return judgement;
}

bool policy_asks_address(const struct policy *policy)
{
	return policy->asks_address;
}

int64_t policy_next_change(const struct policy *policy, int64_t now)
{
	int64_t next = 0;
	size_t i;

	for (i = 0; i < policy->count; i++) {
		int64_t end = watch_rule_next_end(&policy->rules[i].watch, now);

		if (end > 0 && (next == 0 || end < next))
			next = end;
	}
	return next;
}

void policy_forget(struct policy *policy)
{
	size_t i;

	for (i = 0; i < policy->count; i++)
		memset(policy->rules[i].memory, 0, sizeof policy->rules[i].memory);
}

enum no_certificate policy_mode(const struct policy *policy)
{
	return policy->rules[0].mode;
}

bool policy_asks(const struct policy *policy)
{
	size_t i;

	for (i = 0; i < policy->count; i++)
		if (policy->rules[i].mode != NO_CERTIFICATE_ALLOW)
			return true;
	return false;
}

const uint8_t *policy_digest(const struct policy *policy)
{
	return policy->digest;
}
