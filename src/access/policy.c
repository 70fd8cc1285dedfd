#include "access/policy.h"

#include <stdlib.h>
#include <string.h>

#include "access/allow_file.h"
#include "access/watch_rule.h"
#include "base/buffer.h"
#include "config/config_value.h"
#include "pki/digest.h"
#include "shm/roster.h"
#include "wire/target.h"

enum { REMEMBERED_SETS = 64, PATH_MOST = 1024, DIGEST_TEXT_MOST = 1 << 20, READINGS = 4 };

enum memory { FORGOTTEN, HAS_NONE, HAS_ONE };

struct rule {
	char *path; /* without a slash at its end; NULL for the site */
	enum no_certificate mode;
	char **groups; /* sorted; NULL: everyone */
	size_t group_count;
	const struct allow_file *allow_file; /* borrowed */
	char *allow_path;
	struct watch_rule watch;
	struct {
		uint32_t set;
		enum memory says;
	} memory[REMEMBERED_SETS];
};

struct policy {
	size_t count;
	uint8_t digest[POLICY_DIGEST_SIZE];
	struct rule rules[]; /* the site's, then locations, longest path first */
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

static enum status check_path(const char *path, struct error *err)
{
	char room[PATH_MOST];
	struct target target;

	if (path[0] != '/')
		return error_refuse(err, "location \"%s\": begin it with /", path);
	if (strlen(path) >= PATH_MOST)
		return error_refuse(err, "location: more than %d characters", PATH_MOST - 1);
	if (target_parse(span_of(path), room, sizeof room, &target, err) != OK) {
		error_context(err, "location \"%s\"", path);
		return REFUSED;
	}
	if (target.has_query || target_is_ambiguous(&target) || !span_is(target.path, path))
		return error_refuse(
			err,
			"location \"%s\": not a plain path; write it without ., .., //, ;, ? or %%",
			path);
	if (strcmp(path, "/") == 0)
		return error_refuse(
			err, "location \"/\": that is the whole site; write its keys in the site");
	return OK;
}

static enum status set_path(struct policy *policy, size_t index, const char *path,
			    struct error *err)
{
	struct rule *rule = &policy->rules[index];
	enum status status;
	size_t i, size;

	TRY(check_path(path, err));
	rule->path = strdup(path);
	if (!rule->path)
		return error_fail(err, "no memory for a location");
	size = strlen(rule->path);
	while (size > 1 && rule->path[size - 1] == '/')
		rule->path[--size] = 0;
	for (i = 1; i < index; i++)
		if (strcmp(policy->rules[i].path, rule->path) == 0)
			return error_refuse(err, "location \"%s\": it is there twice", path);
done:
	return status;
}

static enum status set_rule(struct policy *policy, size_t index, const struct rule_options *asked,
			    struct error *err)
{
	struct rule *rule = &policy->rules[index], *site = &policy->rules[0];
	bool is_site = index == 0;
	enum status status;

	if (!is_site)
		TRY(set_path(policy, index, asked->path, err));
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

static int longest_first(const void *a, const void *b)
{
	const struct rule *one = a, *other = b;
	size_t one_size = strlen(one->path), other_size = strlen(other->path);

	if (one_size != other_size)
		return one_size < other_size ? 1 : -1;
	return strcmp(one->path, other->path);
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

		put(&text, rule->path);
		buffer_printf(&text, "%d %d %zu ", (int)rule->mode, rule->groups != NULL,
			      rule->group_count);
		for (j = 0; j < rule->group_count; j++)
			put(&text, rule->groups[j]);
		buffer_printf(&text, "%d ", rule->allow_file != NULL);
		put(&text, rule->allow_path);
		watch_rule_write(&rule->watch, &text);
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
	qsort(policy->rules + 1, count - 1, sizeof policy->rules[0], longest_first);
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
		free(rule->path);
	}
	free(policy);
}

/* -- deciding -- */

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

/* As path_is_under, for servers to whom /Admin and /admin are one. */
static bool is_under_nocase(struct span path, const char *prefix)
{
	size_t i;

	for (i = 0; prefix[i]; i++)
		if (i == path.size || lower(path.at[i]) != lower(prefix[i]))
			return false;
	return i == path.size || path.at[i] == '/';
}

static struct rule *find_rule(struct policy *policy, struct span path, bool any_case)
{
	size_t i;

	for (i = 1; i < policy->count; i++) {
		struct rule *rule = &policy->rules[i];

		if (any_case ? is_under_nocase(path, rule->path)
			     : path_is_under(path, span_of(rule->path)))
			return rule;
	}
	return &policy->rules[0];
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

static bool is_in_groups(struct rule *rule, uint32_t set, const struct roster *roster)
{
	size_t at = set % REMEMBERED_SETS;

	if (!rule->groups)
		return true;
	if (rule->memory[at].says == FORGOTTEN || rule->memory[at].set != set) {
		rule->memory[at].set = set;
		rule->memory[at].says = has_group(rule, set, roster) ? HAS_ONE : HAS_NONE;
	}
	return rule->memory[at].says == HAS_ONE;
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
	if (!is_in_groups(rule, who->group_set, roster))
		return VERDICT_NOT_ALLOWED;
	if (rule->allow_file && !allow_file_has(rule->allow_file, who->device))
		return VERDICT_NOT_ON_FILE;
	return VERDICT_PASS;
}

/* An upstream may read the path in any of these ways; each must be fine. */
static size_t find_readings(struct policy *policy, struct span path, struct span other,
			    struct rule *readings[static READINGS])
{
	size_t count = 0;

	readings[count++] = find_rule(policy, path, false);
	if (policy->count == 1)
		return count;
	readings[count++] = find_rule(policy, path, true);
	if (other.size > 0) {
		readings[count++] = find_rule(policy, other, false);
		readings[count++] = find_rule(policy, other, true);
	}
	return count;
}

struct judgement policy_decide(struct policy *policy, struct span path, struct span other,
			       const struct identity *who, const struct roster *roster, int64_t now)
{
	struct judgement judgement = {.verdict = VERDICT_PASS, .passes = true};
	struct rule *readings[READINGS];
	size_t count = find_readings(policy, path, other, readings), i;

	for (i = 0; i < count; i++) {
		enum verdict verdict = judge(readings[i], who, roster);

		if (verdict == VERDICT_PASS)
			continue;
		judgement.verdict = verdict;
		judgement.location = readings[i]->path;
		judgement.passes = watch_rule_passes(&readings[i]->watch, verdict, who, roster, now);
		if (!judgement.passes)
			break;
	}
	return judgement;
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
