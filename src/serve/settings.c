#include "serve/settings.h"

#include <errno.h>
#include <netdb.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/file.h"
#include "base/file_trust.h"
#include "base/log.h"
#include "config/bundle.h"
#include "config/config_files.h"
#include "door/rule_set.h"
#include "http/http_host.h"
#include "pki/certificate.h"
#include "pki/digest.h"
#include "relay/upstream.h"
#include "serve/foreign_keys.h"
#include "serve/house_user.h"
#include "serve/metrics_gate.h"
#include "serve/port_holder.h"
#include "serve/settings_keys.h"
#include "serve/watch_keys.h"
#include "wire/url.h"

/* Names of what a bundle holds beside the files; a path begins with "/", these do not. */
#define NOTE_TEXT "note:config"
#define NOTE_NAME "note:config-name"
#define NOTE_DOMAIN "note:trust-domain"
#define NOTE_ISSUERS "note:issuers"
#define NOTE_DIGEST "note:digest"
#define NOTE_DAYS "note:days"

enum { ISSUERS_MOST = 8, RESOLVED_MOST = 256, DOMAIN_SIZE = 256, NOTES = 6, DAYS_MOST = 4 << 20 };

struct settings {
	struct house_settings house;
	struct config_files *files;
	uint64_t digest;
	struct buffer text, issuers_pem;
	char name[PATH_MAX]; /* of the config, for messages */
	char domain[DOMAIN_SIZE];
	struct certificate_list issuer_list;
	struct door_issuer issuers[ISSUERS_MOST];
	size_t issuer_count;
	/* Names of upstreams and what they resolved to. */
	struct resolved {
		char host[UPSTREAM_NAME_SIZE];
		struct address addresses[UPSTREAM_ADDRESSES];
		size_t count;
	} *resolved;
	size_t resolved_count;
};

void settings_free(struct settings *settings)
{
	if (!settings)
		return;
	settings_release(&settings->house);
	config_files_free(settings->files);
	certificate_list_release(&settings->issuer_list);
	buffer_release(&settings->text);
	buffer_release(&settings->issuers_pem);
	free(settings->resolved);
	free(settings);
}

static enum status fill_issuers(struct settings *settings, struct error *err)
{
	struct certificate_list *list = &settings->issuer_list;
	size_t i;

	if (certificate_list_parse(buffer_span(&settings->issuers_pem), ISSUERS_MOST, list, err) != OK) {
		error_context(err, "the house's own certificates in %s", settings->house.state);
		return REFUSED;
	}
	for (i = 0; i < list->count; i++)
		settings->issuers[i] = (struct door_issuer){.der = certificate_der(list->at[i]),
							    .key_id = certificate_key_id(list->at[i])};
	settings->issuer_count = list->count;
	return OK;
}

/* What the state folder adds: the CA's public certificates and the trust domain. */
static enum status load_state(struct settings *settings, struct error *err)
{
	static const char *const names[] = {"issuing.pem", "next.pem", "root.pem"};
	char path[PATH_MAX];
	struct buffer domain;
	enum status status;
	unsigned i;

	for (i = 0; i < 3; i++) {
		snprintf(path, sizeof path, "%.4000s/%s", settings->house.state, names[i]);
		status = file_load(path, &settings->issuers_pem, err);
		if (status != OK) {
			error_context(err, "state = \"%s\" holds no chatelaine (make one with \"chatelaine init\")",
				      settings->house.state);
			return status;
		}
	}
	snprintf(path, sizeof path, "%.4000s/trust-domain", settings->house.state);
	buffer_init(&domain, DOMAIN_SIZE - 1);
	status = file_load(path, &domain, err);
	while (domain.size && domain.at[domain.size - 1] == '\n')
		domain.size--;
	snprintf(settings->domain, sizeof settings->domain, "%.*s", (int)domain.size, buffer_text(&domain));
	buffer_release(&domain);
	return status;
}

static struct settings *settings_new(void)
{
	struct settings *settings = calloc(1, sizeof *settings);

	if (settings) {
		buffer_init(&settings->text, CONFIG_TEXT_MOST);
		buffer_init(&settings->issuers_pem, CERTIFICATE_TEXT_MAX);
	}
	return settings;
}

static const struct resolved *find_resolved(const struct settings *settings, const char *host)
{
	size_t i;

	for (i = 0; i < settings->resolved_count; i++)
		if (strcmp(settings->resolved[i].host, host) == 0)
			return &settings->resolved[i];
	return NULL;
}

static struct resolved *add_resolved(struct settings *settings, const char *host)
{
	struct resolved *grown;

	if (settings->resolved_count == RESOLVED_MOST)
		return NULL;
	grown = realloc(settings->resolved, (settings->resolved_count + 1) * sizeof *grown);
	if (!grown)
		return NULL;
	settings->resolved = grown;
	grown += settings->resolved_count++;
	memset(grown, 0, sizeof *grown);
	snprintf(grown->host, sizeof grown->host, "%s", host);
	return grown;
}

static void resolve_host(struct settings *settings, const char *host)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM, .ai_family = AF_UNSPEC}, *found = NULL, *each;
	struct resolved *resolved = find_resolved(settings, host) ? NULL : add_resolved(settings, host);
	int trouble;

	if (!resolved)
		return;
	/* A name server that is away keeps nobody waiting here; the resolver asks with more patience. */
	(void)setenv("RES_OPTIONS", "timeout:1 attempts:1", 1);
	trouble = getaddrinfo(host, NULL, &hints, &found);
	if (trouble)
		/* Not a reason to stay shut: it may come up later, and other sites have theirs. */
		log_say(LOG_WARNING, "resolve", "upstream name %s: %s; requests get 502 until the resolver finds it", host,
			gai_strerror(trouble));
	for (each = found; each && resolved->count < UPSTREAM_ADDRESSES; each = each->ai_next) {
		struct address *address = &resolved->addresses[resolved->count];

		if (each->ai_addrlen > sizeof address->in6)
			continue;
		memcpy(&address->any, each->ai_addr, each->ai_addrlen);
		address->size = each->ai_addrlen;
		resolved->count++;
	}
	if (found)
		freeaddrinfo(found);
}

static void resolve_texts(struct settings *settings, const struct value_texts *upstream)
{
	size_t i;

	for (i = 0; i < upstream->count; i++) {
		struct url url;

		if (url_parse(span_of(upstream->at[i]), &url, NULL) == OK && url.scheme != URL_UNIX &&
		    url.host.kind == HOST_DNS)
			resolve_host(settings, url.host.text);
	}
}

static void resolve_upstreams(struct settings *settings)
{
	size_t i, j;

	for (i = 0; i < settings->house.door.site_count; i++) {
		const struct site_options *site = &settings->house.door.sites[i];

		resolve_texts(settings, &site->upstream);
		for (j = 0; j < site->location_count; j++)
			resolve_texts(settings, &site->locations[j].upstream);
	}
}

/* In whatever order the files were named. */
static uint64_t digest_of(const struct settings *settings)
{
	size_t count, i;
	const struct bundle_entry *files = config_files_loaded(settings->files, &count);
	uint8_t hash[SHA256_SIZE];
	uint64_t digest, part;

	digest_sha256(buffer_span(&settings->text), hash);
	memcpy(&digest, hash, sizeof digest);
	for (i = 0; i < count; i++) {
		digest_sha256(files[i].name, hash);
		memcpy(&part, hash, sizeof part);
		digest_sha256(files[i].bytes, hash);
		memcpy(hash + 8, &part, sizeof part);
		digest_sha256(span_make(hash, 16), hash);
		memcpy(&part, hash, sizeof part);
		digest += part;
	}
	return digest;
}

enum status settings_load(const char *path, struct settings **out, struct error *err)
{
	return settings_load_all(path, NULL, out, err);
}

enum status settings_load_all(const char *path, struct buffer *complaints, struct settings **out, struct error *err)
{
	struct settings *settings = settings_new();
	enum status status;

	if (!settings)
		return error_fail(err, "no memory for the configuration");
	snprintf(settings->name, sizeof settings->name, "%s", path);
	TRY(file_load_trusted(path, FILE_COMMANDS, &settings->text, err));
	TRY(config_files_from_disk(&settings->files, err));
	TRY(config_parse_all(&settings_rows, path, buffer_span(&settings->text), settings->files, &settings->house,
			     complaints, err));
	watch_keys_settle(&settings->house.door);
	TRY(load_state(settings, err));
	settings->house.door.domain = settings->domain;
	settings->digest = digest_of(settings);
	TRY(fill_issuers(settings, err));
	resolve_upstreams(settings);
	*out = settings;
	settings = NULL;
done:
	settings_free(settings);
	return status;
}

static enum status note(const struct bundle *bundle, const char *name, struct span *out, struct error *err)
{
	const struct bundle_entry *entry = bundle_find(bundle, name);

	if (!entry)
		return error_fail(err, "the bundle lacks %s", name);
	*out = entry->bytes;
	return OK;
}

/* "note:addresses HOST" holds "ADDRESS:PORT" texts, one a line. */
static void unpack_resolved(struct settings *settings, const struct bundle *bundle)
{
	size_t i;

	for (i = 0; i < bundle_count(bundle); i++) {
		const struct bundle_entry *entry = bundle_at(bundle, i);
		struct span rest = entry->bytes, line;
		char host[UPSTREAM_NAME_SIZE];
		struct resolved *resolved;

		if (!span_starts(entry->name, "note:addresses "))
			continue;
		snprintf(host, sizeof host, "%.*s", (int)entry->name.size - 15, entry->name.at + 15);
		resolved = add_resolved(settings, host);
		while (resolved && span_cut(&rest, '\n', &line) && resolved->count < UPSTREAM_ADDRESSES)
			if (address_parse(line, &resolved->addresses[resolved->count], NULL) == OK)
				resolved->count++;
	}
}

enum status settings_unpack(const struct bundle *bundle, struct settings **out, struct error *err)
{
	struct settings *settings = settings_new();
	struct span text = {0}, name = {0}, domain = {0}, issuers = {0}, days = {0}, digest = {0};
	enum status status;

	if (!settings)
		return error_fail(err, "no memory for the configuration");
	TRY(note(bundle, NOTE_TEXT, &text, err));
	TRY(note(bundle, NOTE_NAME, &name, err));
	TRY(note(bundle, NOTE_DOMAIN, &domain, err));
	TRY(note(bundle, NOTE_ISSUERS, &issuers, err));
	TRY(note(bundle, NOTE_DIGEST, &digest, err));
	if (digest.size == sizeof settings->digest)
		memcpy(&settings->digest, digest.at, sizeof settings->digest);
	TRY(note(bundle, NOTE_DAYS, &days, err));
	buffer_add(&settings->text, text);
	buffer_add(&settings->issuers_pem, issuers);
	snprintf(settings->name, sizeof settings->name, "%.*s", SPAN_PRINT(name));
	snprintf(settings->domain, sizeof settings->domain, "%.*s", SPAN_PRINT(domain));
	TRY(config_files_from_bundle(bundle, &settings->files, err));
	TRY(config_parse(&settings_rows, settings->name, text, settings->files, &settings->house, err));
	TRY(watch_keys_take(&settings->house.door, days, err));
	settings->house.door.domain = settings->domain;
	TRY(fill_issuers(settings, err));
	unpack_resolved(settings, bundle);
	*out = settings;
	settings = NULL;
done:
	settings_free(settings);
	return status;
}

static enum status plan_listening(const struct house_settings *house, const char *path, struct plan *out,
				  struct error *err)
{
	const struct {
		const struct value_addresses *addresses;
		enum listen_kind kind;
	} lists[] = {{&house->listen, LISTEN_TLS},
		     {&house->listen_http, LISTEN_HTTP},
		     {&house->listen_metrics, LISTEN_METRICS}};
	size_t list, i;

	for (list = 0; list < sizeof lists / sizeof *lists; list++)
		for (i = 0; i < lists[list].addresses->count; i++) {
			const struct address *address = &lists[list].addresses->at[i];

			if (out->listen_count == PLAN_LISTEN_MOST)
				return error_refuse(err, "%s: at most %d listening addresses", path, PLAN_LISTEN_MOST);
			if (lists[list].kind == LISTEN_METRICS && !house->metrics_for_all &&
			    metrics_gate_admits(address, err) != OK) {
				error_context(err, "%s", path);
				return REFUSED;
			}
			out->listen[out->listen_count++] = (struct plan_listen){*address, lists[list].kind};
		}
	return OK;
}

/* Beside the keys: what a gateway learns from the state folder when it starts. */
static void digest_fixed(const struct settings *settings, uint8_t out[static SHA256_SIZE])
{
	const struct span parts[] = {buffer_span(&settings->house.fixed), buffer_span(&settings->issuers_pem),
				     span_of(settings->domain)};

	digest_sha256_parts(parts, sizeof parts / sizeof *parts, out);
}

/* What is watched: the config and every file it names. The state folder's own server certificates are
 * among them. */
enum status settings_plan(const struct settings *settings, const char *path, struct plan *out,
			  struct error *err)
{
	const struct house_settings *house = &settings->house;
	const struct bundle_entry *files;
	bool is_fallback;
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	enum status status;
	size_t count, i;

	memset(out, 0, sizeof *out);
	out->size = sizeof *out;
	out->drain_seconds = (uint32_t)(house->drain_time / SECONDS(1));
	out->stop_seconds = (uint32_t)(house->stop_time / SECONDS(1));
	digest_fixed(settings, out->fixed);
	out->workers = (uint32_t)(house->workers ? house->workers : processors > 0 ? (uint64_t)processors : 1);
	if (out->workers > WORKERS_MOST)
		out->workers = WORKERS_MOST;
	status = plan_listening(house, path, out, err);
	if (status != OK)
		return status;
	snprintf(out->acme_folder, sizeof out->acme_folder, "%s", house->acme_folder ? house->acme_folder : "");
	access_keys_plan(&house->access_log, path, out);
	snprintf(out->state, sizeof out->state, "%s", house->state);
	house_user_choose(HOUSE_USER_AUTHORITY, house->state, &out->authority, &is_fallback);
	out->has_no_user = is_fallback;
	house_user_choose(HOUSE_USER_GATEWAY, house->state, &out->gateway, &is_fallback);
	house_user_choose(HOUSE_USER_RESOLVER, house->state, &out->resolver, &is_fallback);
	snprintf(out->watched[out->watched_count++], PATH_MAX, "%s", path);
	files = config_files_loaded(settings->files, &count);
	for (i = 0; i < count; i++) {
		if (out->watched_count == PLAN_WATCHED_MOST) {
			log_say(LOG_WARNING, "watch", "more than %d files; the rest is looked at hourly",
				PLAN_WATCHED_MOST);
			break;
		}
		out->is_alone[out->watched_count] = foreign_keys_is_alone(&house->door, files[i].name);
		snprintf(out->watched[out->watched_count++], PATH_MAX, "%.*s", SPAN_PRINT(files[i].name));
	}
	return OK;
}

static void write_addresses(const struct resolved *resolved, struct buffer *out)
{
	size_t i;

	for (i = 0; i < resolved->count; i++) {
		struct address address = resolved->addresses[i];
		char text[ADDRESS_TEXT_SIZE];

		address_set_port(&address, 1); /* a literal is written with one; the upstream knows its own */
		address_text(&address, text);
		buffer_printf(out, "%s\n", text);
	}
}

enum status settings_pack(const struct settings *settings, int *bundle, struct error *err)
{
	struct buffer days;
	struct bundle_entry notes[NOTES] = {
		{SPAN(NOTE_TEXT), buffer_span(&settings->text), BUNDLE_NOTE},
		{SPAN(NOTE_NAME), span_of(settings->name), BUNDLE_NOTE},
		{SPAN(NOTE_DOMAIN), span_of(settings->domain), BUNDLE_NOTE},
		{SPAN(NOTE_ISSUERS), buffer_span(&settings->issuers_pem), BUNDLE_NOTE},
		{SPAN(NOTE_DIGEST), span_make(&settings->digest, sizeof settings->digest), BUNDLE_NOTE},
	};
	size_t file_count, count = NOTES, i;
	const struct bundle_entry *files = config_files_loaded(settings->files, &file_count);
	struct bundle_entry *entries = calloc(NOTES + file_count + settings->resolved_count, sizeof *entries);
	struct buffer *texts_of = calloc(2 * settings->resolved_count + 1, sizeof *texts_of);
	enum status status;

	if (!entries || !texts_of) {
		free(entries);
		free(texts_of);
		return error_fail(err, "no memory to pack the configuration");
	}
	buffer_init(&days, DAYS_MOST);
	watch_keys_note(&settings->house.door, &days);
	notes[NOTES - 1] = (struct bundle_entry){SPAN(NOTE_DAYS), buffer_span(&days), BUNDLE_NOTE};
	memcpy(entries, notes, sizeof notes);
	for (i = 0; i < file_count; i++)
		entries[count++] = files[i];
	for (i = 0; i < settings->resolved_count; i++) {
		struct buffer *name = &texts_of[2 * i], *addresses = name + 1;

		buffer_init(name, 512);
		buffer_init(addresses, 4096);
		buffer_printf(name, "note:addresses %s", settings->resolved[i].host);
		write_addresses(&settings->resolved[i], addresses);
		entries[count++] = (struct bundle_entry){buffer_span(name), buffer_span(addresses), BUNDLE_NOTE};
	}
	status = bundle_make(entries, count, bundle, err);
	for (i = 0; i < 2 * settings->resolved_count; i++)
		buffer_release(&texts_of[i]);
	free(texts_of);
	buffer_release(&days);
	free(entries);
	return status;
}

const struct house_settings *settings_house(const struct settings *settings)
{
	return &settings->house;
}

const struct door_options *settings_door(const struct settings *settings)
{
	return &settings->house.door;
}

const struct door_issuer *settings_issuers(const struct settings *settings, size_t *count)
{
	*count = settings->issuer_count;
	return settings->issuers;
}

uint64_t settings_digest(const struct settings *settings)
{
	return settings->digest;
}

const struct access_options *settings_access_log(const struct settings *settings)
{
	return &settings->house.access_log.options;
}

struct span settings_text(const struct settings *settings)
{
	return buffer_span(&settings->text);
}

void settings_limits(const struct settings *settings, struct http_limits *http,
		     struct upstream_limits *upstream)
{
	const struct house_settings *house = &settings->house;

	http_limits_default(http);
	http->handshake_time = house->handshake_time;
	http->head_time = house->head_time;
	http->idle_time = house->idle_time;
	http->connections = house->connections;
	http->h2_streams = (uint32_t)house->http2_streams;
	http->h2_resets = (uint32_t)house->http2_resets;
	http->h2_frames = (uint32_t)house->http2_frames;
	http->strangers = house->connections * (100 - house->reserve) / 100;
	http->least_rate = house->least_rate;
	*upstream = upstream_limits_default();
	upstream->connect = house->connect_time;
	upstream->first_byte = house->first_byte_time;
	upstream->quiet = house->quiet_time;
}

uint16_t settings_https_port(const struct settings *settings)
{
	const struct value_addresses *listen = &settings->house.listen;
	size_t i;

	for (i = 0; i < listen->count; i++)
		if (address_port(&listen->at[i]) == 443)
			return 443;
	return address_port(&listen->at[0]);
}

void settings_resolve(const struct settings *settings, struct upstream *upstream)
{
	const struct resolved *resolved = upstream->host[0] ? find_resolved(settings, upstream->host) : NULL;

	if (resolved)
		upstream_resolve(upstream, resolved->addresses, resolved->count);
}

static void tell_side_doors(const struct settings *settings, const char *site, const struct value_texts *texts,
			    struct buffer *out)
{
	size_t i;

	for (i = 0; i < texts->count; i++) {
		struct upstream_limits limits = upstream_limits_default();
		struct address where;
		struct upstream upstream;
		char text[ADDRESS_TEXT_SIZE];

		if (upstream_init(&upstream, span_of(texts->at[i]), &limits, NULL) != OK)
			continue;
		settings_resolve(settings, &upstream);
		if (!upstream_has_address(&upstream) || !side_door_is_open(upstream_address(&upstream), &where))
			continue;
		address_text(&where, text);
		buffer_printf(out, "the application behind %s also listens on %s, where anyone who "
			      "reaches this machine gets in without a certificate; bind it to 127.0.0.1\n",
			      site, text);
	}
}

void settings_side_doors(const struct settings *settings, struct buffer *out)
{
	size_t i, j;

	for (i = 0; i < settings->house.door.site_count; i++) {
		const struct site_options *site = &settings->house.door.sites[i];

		tell_side_doors(settings, site->name, &site->upstream, out);
		for (j = 0; j < site->location_count; j++)
			tell_side_doors(settings, site->name, &site->locations[j].upstream, out);
	}
}

void settings_holes(const struct settings *settings, struct buffer *out)
{
	size_t i;

	for (i = 0; i < settings->house.door.site_count; i++)
		rule_set_tell_holes(&settings->house.door.sites[i], out);
}
