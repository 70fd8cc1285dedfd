#include "serve/front.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "door/door.h"
#include "event/loop.h"
#include "http/http_host.h"
#include "relay/relay.h"
#include "relay/upstream.h"
#include "serve/balancers.h"
#include "serve/settings.h"
#include "serve/settings_keys.h"
#include "serve/upstream_settings.h"
#include "wire/host_name.h"

/* A site's relay; shared by the fronts that came after one another with the same text. */
struct shared_relay {
	struct relay *relay;
	unsigned holders;
};

struct front {
	const struct settings *settings;
	struct shared_relay **relays; /* one a site, then those of locations with their own */
	size_t site_count;
	struct route_service *services;
	size_t count;
	struct tls_context *tls;
	struct balancers *balancers;
};

static struct shared_relay *relay_for(struct relay_worker *worker, const struct settings *settings,
				      const struct site_options *site, const struct value_texts *upstream,
				      struct error *err)
{
	struct shared_relay *shared = calloc(1, sizeof *shared);
	char **urls = calloc(upstream->count + 1, sizeof *urls); /* NULL behind the last */
	struct relay_options options = {.upstreams = urls};
	enum status status = FAILED;

	upstream_settings_fill(settings, site, &options);
	if (shared && urls) {
		memcpy(urls, upstream->at, upstream->count * sizeof *urls);
		status = relay_new(worker, &options, &shared->relay, err);
	}
	free(urls);
	if (status != OK) {
		free(shared);
		return NULL;
	}
	shared->holders = 1;
	return shared;
}

/* The first answer; later ones are the resolver's, and fresher. */
static void resolve(struct relay *relay, const struct settings *settings)
{
	struct upstream *upstream;
	size_t i;

	for (i = 0; (upstream = relay_upstream(relay, i)); i++)
		if (!upstream_has_address(upstream))
			settings_resolve(settings, upstream);
}

/* With the same text the sites are the same ones in the same order. */
static const struct site_options *same_site(const struct front *front, const struct front *same,
					    const struct site_options *site)
{
	return &settings_door(same->settings)->sites[site - settings_door(front->settings)->sites];
}

/* `location` NULL: the site's own. */
static enum status add_relay(struct front *front, struct relay_worker *worker, struct front *same,
			     const struct site_options *site, const struct location_options *location,
			     struct error *err)
{
	struct shared_relay *shared;
	const struct site_options *before = same ? same_site(front, same, site) : NULL;

	if (before && upstream_settings_equal(site, before)) {
		shared = same->relays[front->count];
		shared->holders++;
	} else {
		shared = relay_for(worker, front->settings, site, location ? &location->upstream : &site->upstream, err);
	}
	if (!shared) {
		if (location)
			error_context(err, "location \"%s\"", location->path);
		error_context(err, "site \"%s\"", site->name);
		return REFUSED;
	}
	resolve(shared->relay, front->settings);
	front->relays[front->count] = shared;
	front->services[front->count++] =
		(struct route_service){.site = site->name, .path = location ? NULL : "/",
				       .location = location ? location->path : NULL,
				       .service = relay_service(shared->relay)};
	return OK;
}

/* Sites first, so that a site's number is its relay's. */
static enum status add_relays(struct front *front, struct relay_worker *worker, struct front *same, struct error *err)
{
	const struct door_options *door = settings_door(front->settings);
	enum status status = OK;
	size_t i, j;

	for (i = 0; i < door->site_count; i++)
		TRY(add_relay(front, worker, same, &door->sites[i], NULL, err));
	for (i = 0; i < door->site_count; i++)
		for (j = 0; j < door->sites[i].location_count; j++)
			if (door->sites[i].locations[j].upstream.count > 0)
				TRY(add_relay(front, worker, same, &door->sites[i], &door->sites[i].locations[j],
					      err));
done:
	return status;
}

static size_t count_relays(const struct door_options *door)
{
	size_t count = door->site_count, i, j;

	for (i = 0; i < door->site_count; i++)
		for (j = 0; j < door->sites[i].location_count; j++)
			count += door->sites[i].locations[j].upstream.count > 0;
	return count;
}

enum status front_new(struct relay_worker *worker, const struct settings *settings, struct front *before,
		      struct front **out, struct error *err)
{
	const struct door_options *door = settings_door(settings);
	struct front *front = calloc(1, sizeof *front);
	bool is_same = before && span_equals(settings_text(settings), settings_text(before->settings));
	enum status status;

	if (front) {
		front->settings = settings;
		front->site_count = door->site_count;
		front->relays = calloc(count_relays(door), sizeof *front->relays);
		front->services = calloc(count_relays(door), sizeof *front->services);
	}
	if (!front || !front->relays || !front->services) {
		front_free(front);
		return error_fail(err, "no memory for the sites");
	}
	TRY(balancers_new(&settings_house(settings)->proxy_from, &front->balancers, err));
	TRY(add_relays(front, worker, is_same ? before : NULL, err));
	*out = front;
	front = NULL;
done:
	front_free(front);
	return status == OK ? OK : REFUSED;
}

const struct route_service *front_services(const struct front *front, size_t *count)
{
	*count = front->count;
	return front->services;
}

unsigned front_servers_down(const struct front *front, size_t site)
{
	struct upstream *upstream;
	unsigned down = 0;
	size_t i;

	for (i = 0; site < front->site_count && (upstream = relay_upstream(front->relays[site]->relay, i)); i++)
		down += upstream->downs > 0;
	return down;
}

void front_resolve(struct front *front, const char *host, const struct address *addresses, size_t count)
{
	size_t i;

	for (i = 0; i < front->count; i++)
		relay_resolve(front->relays[i]->relay, host, addresses, count);
}

struct tls_context *front_tls(const struct front *front)
{
	return front->tls;
}

bool front_awaits_proxy(const struct front *front, const struct address *peer)
{
	return balancers_have(front->balancers, peer);
}

void front_free(struct front *front)
{
	size_t i;

	if (!front)
		return;
	for (i = 0; i < front->count; i++) {
		struct shared_relay *shared = front->relays[i];

		if (--shared->holders > 0)
			continue;
		relay_retire(shared->relay);
		free(shared);
	}
	tls_context_free(front->tls);
	balancers_free(front->balancers);
	free(front->relays);
	free(front->services);
	free(front);
}

static enum status check_name(const struct site_options *site, const char *name, const char *path,
			      const struct tls_credentials *credentials, struct error *err)
{
	if (tls_credentials_cover(credentials, span_of(name)))
		return OK;
	if (name == site->name)
		return error_refuse(err, "site \"%s\": the certificate in %s is not for that name; get one that is, "
				    "or name the site as the certificate does", name, path);
	return error_refuse(err, "site \"%s\": the certificate in %s is not for \"%s\", which also names it; get one "
			    "for all its names, or make a site of that one", site->name, path, name);
}

static enum status load_credentials(const struct site_options *site, const struct value_file *certificate,
				    const struct value_file *key, struct tls_credentials **out, struct error *err)
{
	struct tls_credentials_facts facts;
	enum status status = tls_credentials_load(certificate->bytes, key->bytes, out, err);
	int64_t now = clock_seconds();
	size_t i;

	if (status != OK) {
		error_context(err, "site \"%s\": certificate %s, key %s", site->name, certificate->path, key->path);
		return status;
	}
	TRY(check_name(site, site->name, certificate->path, *out, err));
	for (i = 0; i < site->also.count; i++)
		TRY(check_name(site, site->also.at[i], certificate->path, *out, err));
	tls_credentials_tell(*out, &facts);
	if (facts.not_after < now)
		log_say(LOG_WARNING, "certificate", "site \"%s\": the certificate in %s has expired; browsers will refuse it",
			site->name, certificate->path);
	else if (facts.not_after < now + 7 * 86400)
		log_say(LOG_WARNING, "certificate", "site \"%s\": the certificate in %s expires within a week",
			site->name, certificate->path);
done:
	return status;
}

static enum status load_both(const struct site_options *site, struct tls_site *out, struct error *err)
{
	const struct value_file *second = &site->certificate.second;
	enum status status;

	if (!second->path != !site->key.second.path)
		return error_refuse(err, "site \"%s\": %s; each certificate needs its key, in the same order", site->name,
				    second->path ? "two certificates and one key" : "two keys and one certificate");
	TRY(load_credentials(site, &site->certificate.first, &site->key.first, &out->credentials[0], err));
	if (second->path)
		TRY(load_credentials(site, second, &site->key.second, &out->credentials[1], err));
done:
	return status;
}

/* Clients that name no site (an IP address typed in, a bare probe): the first IP site answers, else
 * the first; by the strictest mode. */
static const struct tls_site *unnamed_site(const struct tls_site *sites, size_t count)
{
	struct host_name host;
	size_t i;

	for (i = 0; i < count; i++)
		if (host_fold_name(sites[i].names[0], &host, NULL) == OK && host.kind != HOST_DNS)
			return &sites[i];
	return &sites[0];
}

/* What tls_site points at: the CAs' trust, in the site's order. */
static enum status fill_foreign(const struct site *site, struct tls_site *out, struct error *err)
{
	struct foreign_trust **all;

	out->foreign = NULL;
	out->foreign_count = 0;
	if (site->foreign_count == 0)
		return OK;
	all = calloc(site->foreign_count, sizeof(struct foreign_trust *));
	if (!all)
		return error_fail(err, "no memory for foreign CAs");
	for (; out->foreign_count < site->foreign_count; out->foreign_count++)
		all[out->foreign_count] = foreign_ca_trust(site->foreign[out->foreign_count]);
	out->foreign = all;
	return OK;
}

static size_t count_names(const struct door_options *options)
{
	size_t count = 0, i;

	for (i = 0; i < options->site_count; i++)
		count += 1 + options->sites[i].also.count;
	return count;
}

static enum status fill_sites(const struct front *front, const struct routes *routes, struct tls_site *sites,
			      struct span *names, struct error *err)
{
	const struct door_options *options = settings_door(front->settings);
	enum status status = OK;
	size_t i, j;

	for (i = 0; i < options->site_count; i++) {
		const struct site_options *site = &options->sites[i];

		sites[i] = (struct tls_site){.number = (uint32_t)i,
					     .names = names,
					     .names_count = 1 + site->also.count,
					     .asks = door_asks(routes_site(routes, i))};
		*names++ = span_of(site->name);
		for (j = 0; j < site->also.count; j++)
			*names++ = span_of(site->also.at[j]);
		TRY(fill_foreign(routes_site(routes, i), &sites[i], err));
		TRY(load_both(site, &sites[i], err));
	}
done:
	return status;
}

enum status front_secure(struct front *front, const struct routes *routes, const struct tls_hooks *hooks,
			 struct error *err)
{
	static const char *const protocols[] = {"h2", "http/1.1", NULL};
	struct tls_context_options options = {.sites_count = front->site_count, .protocols = protocols + (settings_house(front->settings)->http2 ? 0 : 1), .hooks = *hooks};
	struct tls_site *sites = calloc(front->site_count, sizeof *sites);
	struct span *names = calloc(count_names(settings_door(front->settings)), sizeof *names), authorities[8];
	const struct door_issuer *issuers;
	struct tls_context *made = NULL;
	enum status status;
	size_t count, i;

	if (!sites || !names) {
		status = error_fail(err, "no memory for TLS");
		goto done;
	}
	TRY(fill_sites(front, routes, sites, names, err));
	/* One epoch for all: any change of rules costs each client one full handshake, no more. */
	options.epoch = routes_epoch(routes);
	issuers = settings_issuers(front->settings, &count);
	for (i = 0; i < count && i < 8; i++)
		authorities[i] = issuers[i].der;
	options.client_authorities = authorities;
	options.client_authorities_count = i;
	options.sites = sites;
	options.no_name = *unnamed_site(sites, front->site_count);
	options.no_name.foreign = NULL; /* that was the other site's */
	options.no_name.number = TLS_SITE_NO_NAME;
	options.no_name.asks = door_asks(routes_find_handshake(routes, SPAN("")));
	TRY(fill_foreign(routes_find_handshake(routes, SPAN("")), &options.no_name, err));
	options.unknown_name = options.no_name;
	options.unknown_name.number = TLS_SITE_UNKNOWN_NAME;
	TRY(tls_context_new(&options, &made, err));
	tls_context_free(front->tls);
	front->tls = made;
done:
	for (i = 0; sites && i < front->site_count; i++) {
		tls_credentials_free(sites[i].credentials[0]);
		tls_credentials_free(sites[i].credentials[1]);
		free((void *)(uintptr_t)sites[i].foreign);
	}
	free((void *)(uintptr_t)options.no_name.foreign);
	free(sites);
	free(names);
	return status;
}

void front_complain(const struct settings *settings, struct buffer *complaints)
{
	const struct door_options *options = settings_door(settings);
	struct error err;
	size_t i;

	for (i = 0; i < options->site_count; i++) {
		struct tls_site tried = {.credentials = {NULL, NULL}};

		if (load_both(&options->sites[i], &tried, &err) != OK)
			buffer_printf(complaints, "%s\n", err.text);
		tls_credentials_free(tried.credentials[0]);
		tls_credentials_free(tried.credentials[1]);
	}
}

/* A proof shakes no hands. */
static void keep_no_session(void *arg, const struct tls_session *session)
{
	(void)arg;
	(void)session;
}

static bool find_no_session(void *arg, const uint8_t id[TLS_SESSION_ID_SIZE], struct tls_session *out)
{
	(void)arg;
	(void)id;
	(void)out;
	return false;
}

enum status front_prove(const struct settings *settings, struct error *err)
{
	struct tls_hooks hooks = {.on_certificate = door_on_certificate,
				  .resumable_until = door_resumable_until,
				  .on_session_new = keep_no_session,
				  .on_session_find = find_no_session};
	struct relay_worker_options worker_options = {.exchanges = 1, .tunnels = 1};
	struct relay_worker *worker = NULL;
	struct front *front = NULL;
	struct door *door = NULL;
	struct loop *loop = NULL;
	struct door_setup setup = {.options = settings_door(settings)};
	enum status status;

	TRY(loop_new(&loop, err));
	worker_options.loop = setup.loop = loop;
	TRY(relay_worker_new(&worker_options, &worker, err));
	TRY(front_new(worker, settings, NULL, &front, err));
	setup.services = front_services(front, &setup.service_count);
	TRY(door_new(&setup, &door, err));
	hooks.arg = door;
	TRY(front_secure(front, door_routes(door), &hooks, err));
done:
	door_free(door);
	front_free(front);
	if (loop)
		(void)loop_turn(loop, 0);
	relay_worker_free(worker);
	loop_free(loop);
	return status;
}
