#include "door/route.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "door/dialect.h"
#include "door/rule_set.h"
#include "base/network.h"
#include "pki/digest.h"
#include "shm/scoreboard.h"
#include "wire/host_name.h"
#include "wire/target.h"

enum { SITES_MOST = 1024, NAMES_MOST = 256, NETWORKS_MOST = 256 };

struct named {
	struct span name;
	bool is_wildcard;
	const struct site *site;
};

struct routes {
	unsigned references;
	struct site *sites; /* as in the config */
	struct named *by_name; /* of all their names */
	size_t count, name_count;
	const struct site *strictest;
	struct foreign_ca *foreign[FOREIGN_CAS_MOST];
	size_t foreign_count;
	struct network *trusted;
	size_t trusted_count;
	char *contact, *domain;
	int64_t roster_max_age;
	uint8_t digest[SHA256_SIZE];
};

/* -- a site -- */

static enum status set_name(struct site_name *out, const char *name, struct error *err)
{
	struct span text = span_of(name);
	struct host_name host;
	char *copy;

	out->is_wildcard = span_starts(text, "*.");
	if (out->is_wildcard)
		span_skip(&text, 2);
	if (host_fold_name(text, &host, err) != OK)
		return REFUSED;
	if (out->is_wildcard && host.kind != HOST_DNS)
		return error_refuse(err, "a wildcard stands before names, not before IP addresses");
	copy = malloc(host.size + 2u);
	if (!copy)
		return error_fail(err, "no memory for a site");
	copy[0] = '.';
	memcpy(copy + 1, host.text, host.size + 1u);
	out->memory = copy;
	out->text = out->is_wildcard ? span_make(copy, host.size + 1u) : span_make(copy + 1, host.size);
	return OK;
}

static enum status set_names(struct site *site, const struct site_options *given, struct error *err)
{
	enum status status;
	size_t i;

	if (given->also.count > NAMES_MOST)
		return error_refuse(err, "also: more than %d names", NAMES_MOST);
	site->names = calloc(given->also.count + 1, sizeof *site->names);
	if (!site->names)
		return error_fail(err, "no memory for a site");
	for (i = 0; i <= given->also.count; i++) {
		site->name_count++;
		TRY(set_name(&site->names[i], i ? given->also.at[i - 1] : given->name, err));
	}
	site->name = site->names[0].text;
	site->is_wildcard = site->names[0].is_wildcard;
done:
	return status;
}

static enum status set_dialects(struct site *site, const struct value_texts *given,
				struct error *err)
{
	size_t i;

	site->dialects = given->count ? 0 : site->preset->dialects;
	for (i = 0; i < given->count; i++) {
		unsigned bit;

		if (!dialect_parse(span_of(given->at[i]), &bit))
			return error_refuse(err, "no dialect \"%s\"; there are %s", given->at[i],
					    dialect_names());
		site->dialects |= bit;
	}
	if ((site->dialects & DIALECT_NGINX) && (site->dialects & DIALECT_MATTERMOST))
		return error_refuse(err, "dialects nginx and mattermost give one header two "
					 "values; choose one of them");
	return OK;
}

static enum status set_preset(struct site *site, const struct site_options *given,
			      struct error *err)
{
	const char *name = given->preset ? given->preset : "generic";

	site->preset = preset_find(span_of(name));
	if (!site->preset)
		return error_refuse(err, "no preset \"%s\"; there are %s", name, preset_names());
	if (site->preset->needs_allow_file && !given->allow_file.path)
		return error_refuse(err, "preset \"%s\" needs an allow-file: one device id a line",
				    name);
	site->missing_status = given->missing_status ? (uint16_t)given->missing_status
						     : site->preset->missing_status;
	if (site->missing_status != 400 && site->missing_status != 401 &&
	    site->missing_status != 403)
		return error_refuse(err, "missing-status is 403, 400 or 401, not %d",
				    given->missing_status);
	return set_dialects(site, &given->dialects, err);
}

static bool is_row_of(const struct route_service *row, const struct site_options *given)
{
	return !row->site || strcmp(row->site, given->name) == 0;
}

static int longest_first(const void *a, const void *b)
{
	size_t one = ((const struct site_route *)a)->path.size,
	       other = ((const struct site_route *)b)->path.size;

	return one == other ? 0 : one < other ? 1 : -1;
}

static enum status set_services(struct site *site, const struct site_options *given,
				const struct route_service *rows, size_t count, struct error *err)
{
	size_t i;

	site->routes = calloc(count + 1, sizeof *site->routes);
	if (!site->routes)
		return error_fail(err, "no memory for a site's services");
	for (i = 0; i < count; i++) {
		char *path;

		if (!rows[i].path || !is_row_of(&rows[i], given))
			continue;
		path = strdup(rows[i].path);
		if (!path)
			return error_fail(err, "no memory for a site's services");
		site->routes[site->route_count++] =
			(struct site_route){.path = span_of(path), .service = rows[i].service};
	}
	qsort(site->routes, site->route_count, sizeof *site->routes, longest_first);
	return OK;
}

static void site_release(struct site *site)
{
	size_t i;

	rule_set_free(site->rules);
	error_pages_free(site->error_pages);
	free((void *)site->foreign);
	for (i = 0; i < site->route_count; i++)
		free((char *)(uintptr_t)site->routes[i].path.at);
	free(site->routes);
	for (i = 0; i < site->name_count; i++)
		free(site->names[i].memory);
	free(site->names);
}

/* -- all of them -- */

static int compare_names(struct span a, struct span b)
{
	if (a.size != b.size)
		return a.size < b.size ? -1 : 1;
	return memcmp(a.at, b.at, a.size);
}

static int compare_named(const void *a, const void *b)
{
	return compare_names(((const struct named *)a)->name, ((const struct named *)b)->name);
}

static enum status index_names(struct routes *routes, struct error *err)
{
	size_t count = 0, i, j;

	for (i = 0; i < routes->count; i++)
		count += routes->sites[i].name_count;
	routes->by_name = calloc(count, sizeof *routes->by_name);
	if (!routes->by_name)
		return error_fail(err, "no memory for routes");
	for (i = 0; i < routes->count; i++)
		for (j = 0; j < routes->sites[i].name_count; j++) {
			const struct site_name *name = &routes->sites[i].names[j];

			routes->by_name[routes->name_count++] =
				(struct named){name->text, name->is_wildcard, &routes->sites[i]};
		}
	qsort(routes->by_name, count, sizeof *routes->by_name, compare_named);
	for (i = 1; i < count; i++)
		if (span_equals(routes->by_name[i - 1].name, routes->by_name[i].name))
			return error_refuse(err, "site \"%.*s\": it is there twice",
					    SPAN_PRINT(routes->by_name[i].name));
	return OK;
}

/* -- foreign CAs -- */

static struct site *find_named(struct routes *routes, const struct door_options *options, const char *name)
{
	bool is_wildcard = strncmp(name, "*.", 2) == 0;
	struct host_name host;
	size_t i;

	if (host_fold_name(span_of(is_wildcard ? name + 2 : name), &host, NULL) != OK)
		return NULL;
	for (i = 0; i < options->site_count; i++) {
		struct site *site = &routes->sites[i];
		struct span bare = site->name;

		if (site->is_wildcard)
			span_skip(&bare, 1);
		if (site->is_wildcard == is_wildcard && span_equals(bare, host_span(&host)))
			return site;
	}
	return NULL;
}

static enum status let_in_at(struct routes *routes, const struct door_options *options, struct foreign_ca *ca,
			     const char *name, struct error *err)
{
	struct site *site = find_named(routes, options, name);

	if (!site)
		return error_refuse(err, "sites: there is no site \"%s\"", name);
	if (!site->foreign)
		site->foreign = calloc(FOREIGN_CAS_MOST, sizeof(struct foreign_ca *));
	if (!site->foreign)
		return error_fail(err, "no memory for foreign CAs");
	if (site->foreign_count > 0 && site->foreign[site->foreign_count - 1] == ca)
		return error_refuse(err, "sites: \"%s\" stands there twice", name);
	site->foreign[site->foreign_count++] = ca;
	return OK;
}

static enum status add_foreign(struct routes *routes, const struct door_options *options,
			       const struct foreign_ca_options *given, struct error *err)
{
	enum status status;
	size_t i;

	TRY(foreign_ca_new(given, &routes->foreign[routes->foreign_count], err));
	routes->foreign_count++;
	for (i = 0; i < given->sites.count; i++) {
		status = let_in_at(routes, options, routes->foreign[routes->foreign_count - 1], given->sites.at[i], err);
		if (status != OK) {
			error_context(err, "foreign-ca \"%s\"", given->name);
			return status;
		}
	}
done:
	return status;
}

/* A site without any keeps the digest of its policy. */
static void sum_up(struct site *site)
{
	struct span parts[1 + FOREIGN_CAS_MOST];
	size_t i;

	memcpy(site->digest, policy_digest(site->policy), sizeof site->digest);
	if (site->foreign_count == 0)
		return;
	parts[0] = span_make(policy_digest(site->policy), POLICY_DIGEST_SIZE);
	for (i = 0; i < site->foreign_count; i++)
		parts[1 + i] = span_make(foreign_ca_digest(site->foreign[i]), SHA256_SIZE);
	digest_sha256_parts(parts, 1 + i, site->digest);
}

static enum status set_foreign(struct routes *routes, const struct door_options *options, struct error *err)
{
	enum status status = OK;
	size_t i;

	if (options->foreign_count > FOREIGN_CAS_MOST)
		return error_refuse(err, "more than %d foreign CAs", FOREIGN_CAS_MOST);
	for (i = 0; i < options->foreign_count && status == OK; i++)
		status = add_foreign(routes, options, &options->foreign[i], err);
	for (i = 0; i < routes->count; i++)
		sum_up(&routes->sites[i]);
	return status;
}

/* Sites with equal rules get one class; the strictest is asked for when a client names none. */
static void compare_rules(struct routes *routes)
{
	size_t i, j;

	for (i = 0; i < routes->count; i++) {
		struct site *site = &routes->sites[i];

		for (j = 0; memcmp(routes->sites[j].digest, site->digest, sizeof site->digest) != 0;)
			j++;
		site->rules_class = (unsigned)j;
		site->number = (uint32_t)i;
		if (!routes->strictest ||
		    policy_mode(site->policy) < policy_mode(routes->strictest->policy))
			routes->strictest = site;
	}
}

static enum status make_digest(struct routes *routes, struct error *err)
{
	struct span *parts = calloc(routes->count + routes->name_count, sizeof *parts);
	size_t count = 0, i, j;

	if (!parts)
		return error_fail(err, "no memory for routes");
	for (i = 0; i < routes->count; i++) {
		const struct site *site = &routes->sites[i];

		parts[count++] = span_make(site->digest, POLICY_DIGEST_SIZE);
		/* Terminated: names hold no byte 0, digests have one size, and the first name is always there; so no
		 * two lists look alike. */
		for (j = 0; j < site->name_count; j++)
			parts[count++] = span_make(site->names[j].text.at, site->names[j].text.size + 1);
	}
	digest_sha256_parts(parts, count, routes->digest);
	free(parts);
	return OK;
}

static enum status set_trusted(struct routes *routes, const struct value_texts *given,
			       struct error *err)
{
	if (given->count > NETWORKS_MOST)
		return error_refuse(err, "more than %d trusted proxies", NETWORKS_MOST);
	routes->trusted = calloc(given->count + 1, sizeof *routes->trusted);
	if (!routes->trusted)
		return error_fail(err, "no memory for trusted proxies");
	for (; routes->trusted_count < given->count; routes->trusted_count++) {
		if (network_parse(span_of(given->at[routes->trusted_count]),
				  &routes->trusted[routes->trusted_count], err) != OK) {
			error_context(err, "trusted-proxies");
			return REFUSED;
		}
	}
	return OK;
}

static enum status add_site(struct routes *routes, const struct site_options *given,
			    const struct route_service *services, size_t service_count,
			    struct error *err)
{
	struct site *site = &routes->sites[routes->count++];
	enum status status;

	TRY(set_names(site, given, err));
	TRY(set_preset(site, given, err));
	TRY(rule_set_new(given, site->preset, span_of(routes->domain), services, service_count, &site->rules,
			 err));
	site->policy = rule_set_policy(site->rules);
	TRY(error_pages_new(&given->error_pages, &site->error_pages, err));
	TRY(set_services(site, given, services, service_count, err));
done:
	if (status != OK)
		error_context(err, "site \"%s\"", given->name);
	return status;
}

static enum status fill(struct routes *routes, const struct door_options *options,
			const struct route_service *services, size_t service_count,
			struct error *err)
{
	enum status status = OK;
	size_t i;

	routes->roster_max_age = options->roster_max_age;
	routes->sites = calloc(options->site_count, sizeof *routes->sites);
	routes->contact = strdup(options->contact ? options->contact : "");
	routes->domain = strdup(options->domain ? options->domain : "");
	if (!routes->sites || !routes->contact || !routes->domain)
		return error_fail(err, "no memory for routes");
	TRY(set_trusted(routes, &options->trusted_proxies, err));
	for (i = 0; i < options->site_count; i++)
		TRY(add_site(routes, &options->sites[i], services, service_count, err));
	TRY(index_names(routes, err));
	TRY(set_foreign(routes, options, err));
	compare_rules(routes);
	TRY(make_digest(routes, err));
done:
	return status;
}

enum status routes_new(const struct door_options *options, const struct route_service *services,
		       size_t service_count, struct routes **out, struct error *err)
{
	struct routes *routes;
	enum status status;

	if (options->site_count == 0)
		return error_refuse(
			err,
			"there is no site: write one, as in site \"chat.example.com\" { ... }");
	if (options->site_count > SITES_MOST)
		return error_refuse(err, "more than %d sites", SITES_MOST);
	routes = calloc(1, sizeof *routes);
	if (!routes)
		return error_fail(err, "no memory for routes");
	routes->references = 1;
	status = fill(routes, options, services, service_count, err);
	if (status == OK)
		*out = routes;
	else
		routes_release(routes);
	return status;
}

struct routes *routes_hold(struct routes *routes)
{
	routes->references++;
	return routes;
}

void routes_count_on(struct routes *routes, struct score_page *page)
{
	size_t i;

	for (i = 0; i < routes->count; i++) {
		const struct site *site = &routes->sites[i];
		char name[256];

		/* As the configuration writes it: "*.example.com" is not "example.com". */
		snprintf(name, sizeof name, "%s%.*s", site->is_wildcard ? "*" : "", SPAN_PRINT(site->name));
		routes->sites[i].score = score_site_of(page, span_of(name));
	}
}

void routes_release(struct routes *routes)
{
	size_t i;

	if (!routes || --routes->references > 0)
		return;
	for (i = 0; i < routes->count; i++)
		site_release(&routes->sites[i]);
	for (i = 0; i < routes->foreign_count; i++)
		foreign_ca_free(routes->foreign[i]);
	free(routes->sites);
	free(routes->by_name);
	free(routes->trusted);
	free(routes->contact);
	free(routes->domain);
	free(routes);
}

/* -- finding -- */

static const struct named *find_name(const struct routes *routes, struct span name)
{
	size_t from = 0, to = routes->name_count;

	while (from < to) {
		size_t middle = from + (to - from) / 2;
		int order = compare_names(name, routes->by_name[middle].name);

		if (order == 0)
			return &routes->by_name[middle];
		if (order < 0)
			to = middle;
		else
			from = middle + 1;
	}
	return NULL;
}

const struct site *routes_find(const struct routes *routes, struct span host)
{
	const struct named *named = find_name(routes, host);
	const char *dot;

	if (named && !named->is_wildcard)
		return named->site;
	dot = host.size ? memchr(host.at, '.', host.size) : NULL;
	if (!dot || dot == host.at)
		return NULL;
	named = find_name(routes, span_make(dot, host.size - (size_t)(dot - host.at)));
	return named && named->is_wildcard ? named->site : NULL;
}

const struct site *routes_find_handshake(const struct routes *routes, struct span server_name)
{
	const struct site *site = server_name.size ? routes_find(routes, server_name) : NULL;

	return site ? site : routes->strictest;
}

const struct service *site_service(const struct site *site, struct span path, unsigned rule)
{
	const struct service *own = rule_set_service(site->rules, rule);
	size_t i;

	/* What is ours on every site stays so: a location changes applications, no more. */
	for (i = 0; i < site->route_count; i++)
		if (site->routes[i].path.size > 1 && path_is_under(path, site->routes[i].path))
			return site->routes[i].service;
		else if (site->routes[i].path.size == 1)
			return own ? own : site->routes[i].service;
	return own;
}

bool routes_trusts(const struct routes *routes, const struct address *peer)
{
	size_t i;

	for (i = 0; i < routes->trusted_count; i++)
		if (network_has(&routes->trusted[i], peer))
			return true;
	return false;
}

int64_t routes_next_change(const struct routes *routes, int64_t now)
{
	int64_t next = 0;
	size_t i;

	for (i = 0; i < routes->count; i++) {
		int64_t end = policy_next_change(routes->sites[i].policy, now);

		if (end > 0 && (next == 0 || end < next))
			next = end;
	}
	return next;
}

void routes_forget(struct routes *routes)
{
	size_t i;

	for (i = 0; i < routes->count; i++)
		policy_forget(routes->sites[i].policy);
}

struct span routes_contact(const struct routes *routes)
{
	return span_of(routes->contact);
}

struct span routes_domain(const struct routes *routes)
{
	return span_of(routes->domain);
}

int64_t routes_roster_max_age(const struct routes *routes)
{
	return routes->roster_max_age;
}

const uint8_t *routes_digest(const struct routes *routes)
{
	return routes->digest;
}

uint32_t routes_epoch(const struct routes *routes)
{
	uint32_t epoch;

	memcpy(&epoch, routes->digest, sizeof epoch);
	return epoch;
}

size_t routes_site_count(const struct routes *routes)
{
	return routes->count;
}

const struct site *routes_site(const struct routes *routes, size_t index)
{
	return &routes->sites[index];
}
