#include "door/rule_set.h"

#include <stdlib.h>
#include <string.h>

#include "access/allow_file.h"
#include "access/policy.h"
#include "base/buffer.h"
#include "base/log.h"
#include "door/header_rules.h"
#include "door/route.h"

struct rule_set {
	struct policy *policy;
	size_t count; /* rules with lines or a service of their own: the site's, and each location's */
	struct header_rules **headers;
	const struct service **services;
	struct allow_file **allow_files;
	size_t allow_file_count;
};

/* -- allow-files -- */

static void warn_of_line(void *arg, size_t line, const char *text)
{
	log_begin(LOG_WARNING, "allow-file-line");
	log_text("file", span_of(arg));
	if (line > 0)
		log_number("line", line);
	log_text("text", span_of(text));
	log_end();
}

static enum status read_allow_file(struct rule_set *rules, const char *site, const struct value_file *given,
				   struct span domain, const struct allow_file **out, struct error *err)
{
	struct allow_file *file = NULL;
	enum status status = OK;

	*out = NULL;
	if (!given->path)
		return OK;
	if (!given->bytes.at) {
		log_begin(LOG_WARNING, "allow-file-unreadable");
		log_text("file", span_of(given->path));
		log_text("site", span_of(site));
		log_text("text", span_of(given->trouble ? given->trouble : "cannot be read"));
		log_text("effect", SPAN("everybody is refused there"));
		log_end();
		file = allow_file_unreadable();
		if (!file)
			return error_fail(err, "no memory for an allow-file");
	} else {
		status = allow_file_parse(given->bytes, domain, warn_of_line, given->path, &file, err);
		if (status != OK)
			error_context(err, "allow-file %s", given->path);
	}
	if (status == OK)
		*out = rules->allow_files[rules->allow_file_count++] = file;
	return status;
}

/* -- rules -- */

static struct rule_options rule_of(const char *path, int mode, const struct watch_options *watch,
				   const struct value_texts *who, const struct value_file *file,
				   const struct allow_file *allow_file)
{
	return (struct rule_options){.path = path,
				     .no_certificate = (enum no_certificate)mode,
				     .watch_until = watch->until.seconds,
				     .not_allowed = (enum no_certificate)watch->not_allowed,
				     .not_allowed_until = watch->not_allowed_until.seconds,
				     .enforced = &watch->enforced,
				     .who = who,
				     .allow_file = allow_file,
				     .allow_path = file->path};
}

static enum status read_rules(struct rule_set *rules, const struct site_options *given, struct span domain,
			      struct rule_options *out, struct error *err)
{
	const struct allow_file *file;
	enum status status;
	size_t i;

	TRY(read_allow_file(rules, given->name, &given->allow_file, domain, &file, err));
	out[0] = rule_of(NULL, given->no_certificate, &given->watch, &given->who, &given->allow_file, file);
	out[0].allow_from = &given->allow_from;
	out[0].methods = &given->methods;
	out[0].body_ceiling = given->body_ceiling;
	for (i = 0; i < given->location_count; i++) {
		const struct location_options *location = &given->locations[i];

		TRY(read_allow_file(rules, given->name, &location->allow_file, domain, &file, err));
		out[i + 1] = rule_of(location->path, location->no_certificate, &location->watch, &location->who,
				     &location->allow_file, file);
		out[i + 1].allow_from = &location->allow_from;
		out[i + 1].methods = &location->methods;
		out[i + 1].body_ceiling = location->body_ceiling;
	}
done:
	return status;
}

/* -- openings -- */

static bool is_open(const struct site_options *given, const char *name)
{
	size_t i;

	for (i = 0; i < given->open.count; i++)
		if (strcmp(given->open.at[i], name) == 0)
			return true;
	return false;
}

static enum status check_openings(const struct site_options *given, const struct preset *preset, struct error *err)
{
	char names[PRESET_OPENINGS_TEXT];
	size_t i, j;

	for (i = 0; i < given->open.count; i++) {
		for (j = 0; j < preset->opening_count; j++)
			if (strcmp(given->open.at[i], preset->openings[j].name) == 0)
				break;
		if (j < preset->opening_count)
			continue;
		preset_opening_names(preset, names);
		return error_refuse(err, "open: preset \"%s\" has no opening \"%s\"; there %s%s", preset->name,
				    given->open.at[i], names[0] ? "are " : "is none; write a location", names);
	}
	return OK;
}

static size_t add_openings(const struct site_options *given, const struct preset *preset, struct rule_options *out)
{
	size_t count = 0, i;

	for (i = 0; i < preset->opening_count; i++) {
		const struct opening *opening = &preset->openings[i];

		if (!is_open(given, opening->name))
			continue;
		out[count++] = (struct rule_options){.path = opening->location,
						     .no_certificate = NO_CERTIFICATE_ALLOW,
						     .methods = &opening->methods};
	}
	return count;
}

static enum status set_policy(struct rule_set *rules, const struct site_options *given, const struct preset *preset,
			      struct span domain, struct error *err)
{
	struct rule_options *all = calloc(rules->count + preset->opening_count, sizeof *all);
	enum status status;
	size_t count;

	if (!all)
		return error_fail(err, "no memory for rules");
	TRY(read_rules(rules, given, domain, all, err));
	TRY(check_openings(given, preset, err));
	count = rules->count + add_openings(given, preset, all + rules->count);
	TRY(policy_new(all, count, &rules->policy, err));
done:
	free(all);
	return status;
}

/* -- how it is served -- */

static enum status set_headers(struct rule_set *rules, const struct site_options *given, struct error *err)
{
	enum status status;
	size_t i;

	TRY(header_rules_new(&given->headers, NULL, &rules->headers[0], err));
	for (i = 0; i < given->location_count; i++) {
		status = header_rules_new(&given->locations[i].headers, &given->headers, &rules->headers[i + 1], err);
		if (status != OK) {
			error_context(err, "location \"%s\"", given->locations[i].path);
			return status;
		}
	}
done:
	return status;
}

static void set_services(struct rule_set *rules, const struct site_options *given, const struct route_service *rows,
			 size_t row_count)
{
	size_t i, j;

	for (i = 0; i < row_count; i++)
		for (j = 0; rows[i].location && j < given->location_count; j++)
			if (strcmp(rows[i].location, given->locations[j].path) == 0 &&
			    (!rows[i].site || strcmp(rows[i].site, given->name) == 0))
				rules->services[j + 1] = rows[i].service;
}

enum status rule_set_new(const struct site_options *given, const struct preset *preset, struct span domain,
			 const struct route_service *rows, size_t row_count, struct rule_set **out, struct error *err)
{
	struct rule_set *rules;
	enum status status;

	if (given->location_count >= POLICY_RULES)
		return error_refuse(err, "more than %d locations", POLICY_RULES - 1);
	rules = calloc(1, sizeof *rules);
	if (!rules)
		return error_fail(err, "no memory for rules");
	rules->count = given->location_count + 1;
	rules->headers = calloc(rules->count, sizeof *rules->headers);
	rules->services = calloc(rules->count, sizeof *rules->services);
	rules->allow_files = calloc(rules->count, sizeof *rules->allow_files);
	if (!rules->headers || !rules->services || !rules->allow_files) {
		status = error_fail(err, "no memory for rules");
		goto done;
	}
	TRY(set_policy(rules, given, preset, domain, err));
	TRY(set_headers(rules, given, err));
	set_services(rules, given, rows, row_count);
	*out = rules;
	rules = NULL;
done:
	rule_set_free(rules);
	return status;
}

void rule_set_free(struct rule_set *rules)
{
	size_t i;

	if (!rules)
		return;
	policy_free(rules->policy);
	for (i = 0; i < rules->allow_file_count; i++)
		allow_file_free(rules->allow_files[i]);
	for (i = 0; rules->headers && i < rules->count; i++)
		header_rules_free(rules->headers[i]);
	free(rules->allow_files);
	free(rules->headers);
	free(rules->services);
	free(rules);
}

struct policy *rule_set_policy(const struct rule_set *rules)
{
	return rules->policy;
}

const struct header_rules *rule_set_headers(const struct rule_set *rules, unsigned rule)
{
	return rules->headers[rule < rules->count ? rule : 0];
}

const struct service *rule_set_service(const struct rule_set *rules, unsigned rule)
{
	return rule < rules->count ? rules->services[rule] : NULL;
}

/* -- holes -- */

static void tell_limits(const struct value_texts *methods, const struct value_texts *from, struct buffer *out)
{
	size_t i;

	for (i = 0; i < methods->count; i++)
		buffer_printf(out, "%s%s", i ? ", " : "; only ", methods->at[i]);
	for (i = 0; i < from->count && i < 8; i++)
		buffer_printf(out, "%s%s", i ? ", " : "; only from ", from->at[i]);
	if (from->count > 8)
		buffer_printf(out, " and %zu more", from->count - 8);
	buffer_add_char(out, '\n');
}

static const struct value_texts *own_or(const struct value_texts *own, const struct value_texts *site)
{
	return own->count ? own : site;
}

void rule_set_tell_holes(const struct site_options *given, struct buffer *out)
{
	const struct preset *preset = preset_find(span_of(given->preset ? given->preset : "generic"));
	size_t i;

	if (given->no_certificate == NO_CERTIFICATE_ALLOW) {
		buffer_printf(out, "%s: all of it (no-certificate = allow)", given->name);
		tell_limits(&given->methods, &given->allow_from, out);
	}
	for (i = 0; i < given->location_count; i++) {
		const struct location_options *location = &given->locations[i];

		if (location->no_certificate != NO_CERTIFICATE_ALLOW)
			continue;
		buffer_printf(out, "%s: %s (no-certificate = allow)", given->name, location->path);
		tell_limits(own_or(&location->methods, &given->methods),
			    own_or(&location->allow_from, &given->allow_from), out);
	}
	for (i = 0; preset && i < preset->opening_count; i++) {
		const struct opening *opening = &preset->openings[i];

		if (!is_open(given, opening->name))
			continue;
		buffer_printf(out, "%s: %s (open = %s)", given->name, opening->location, opening->name);
		tell_limits(own_or(&opening->methods, &given->methods), &given->allow_from, out);
	}
}
