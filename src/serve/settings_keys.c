#include "serve/settings_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "access/location.h"
#include "access/policy.h"
#include "base/clock.h"
#include "door/dialect.h"
#include "door/route.h"
#include "http/http_host.h"
#include "serve/site_keys.h"
#include "serve/balancers.h"
#include "serve/foreign_keys.h"
#include "serve/plan.h"
#include "serve/upstream_settings.h"
#include "serve/watch_keys.h"
#include "wire/host_name.h"
#include "wire/url.h"

enum { SITES_MOST = 256, LOCATIONS_MOST = 255 };

/* Kinds of values that the rooms above config/ know --------------------- */

static enum status parse_text_checked(const struct value_context *context, struct span text, void *into,
				      enum status status, struct error *err)
{
	return status == OK ? value_texts.parse(context, text, into, err) : status;
}

static enum status parse_upstream(const struct value_context *context, struct span text, void *into,
				  struct error *err)
{
	struct url url;
	enum status status = url_parse(text, &url, err);

	return parse_text_checked(context, text, into, status, err);
}

static enum status parse_dialect(const struct value_context *context, struct span text, void *into,
				 struct error *err)
{
	unsigned bit;
	enum status status = OK;

	if (!dialect_parse(text, &bit))
		status = error_refuse(err, "\"%.*s\" is no way to tell an application who is there; there are %s",
				      SPAN_PRINT(text), dialect_names());
	return parse_text_checked(context, text, into, status, err);
}

static enum status parse_preset(const struct value_context *context, struct span text, void *into,
				struct error *err)
{
	if (!preset_find(text))
		return error_refuse(err, "no preset \"%.*s\"; there are %s", SPAN_PRINT(text), preset_names());
	return value_text.parse(context, text, into, err);
}

static void release_texts(void *into)
{
	if (value_texts.release)
		value_texts.release(into);
}

static void release_text(void *into)
{
	if (value_text.release)
		value_text.release(into);
}

static const struct value_kind upstream_kind = {"upstream", NULL, parse_upstream, release_texts};
static const struct value_kind dialect_kind = {"dialect", NULL, parse_dialect, release_texts};
static const struct value_kind preset_kind = {"preset", NULL, parse_preset, release_text};

static const struct value_choice modes[] = {{"explain", NO_CERTIFICATE_EXPLAIN},
					    {"drop", NO_CERTIFICATE_DROP},
					    {"watch", NO_CERTIFICATE_WATCH},
					    {"allow", NO_CERTIFICATE_ALLOW},
					    {NULL, 0}};
static const struct value_choice location_modes[] = {{"explain", NO_CERTIFICATE_EXPLAIN},
						     {"watch", NO_CERTIFICATE_WATCH},
						     {"allow", NO_CERTIFICATE_ALLOW},
						     {NULL, 0}};
static const struct value_choice known_modes[] = {{"explain", NO_CERTIFICATE_EXPLAIN},
						  {"watch", NO_CERTIFICATE_WATCH},
						  {NULL, 0}};
static const struct value_choice missing_statuses[] = {{"403", 403}, {"400", 400}, {"401", 401}, {NULL, 0}};

/* Sections --------------------------------------------------------------- */

static void *add_site(void *parent, struct span title, struct error *err)
{
	struct house_settings *house = parent;
	bool is_wildcard = span_starts(title, "*.");
	char folded[sizeof((struct host_name *)0)->text + 2];
	struct host_name name;
	struct site_options *added;
	size_t i;

	if (is_wildcard)
		span_skip(&title, 2);
	if (host_fold_name(title, &name, err) != OK)
		return NULL;
	/* As everybody below compares names. */
	snprintf(folded, sizeof folded, "%s%s", is_wildcard ? "*." : "", name.text);
	if (house->door.site_count == SITES_MOST) {
		(void)error_refuse(err, "at most %d sites", SITES_MOST);
		return NULL;
	}
	for (i = 0; i < house->door.site_count; i++)
		if (strcmp(folded, house->door.sites[i].name) == 0) {
			(void)error_refuse(err, "this site stands here already");
			return NULL;
		}
	/* All at once: the parser holds on to the objects it was given. */
	if (!house->door.sites)
		house->door.sites = calloc(SITES_MOST, sizeof *house->door.sites);
	if (!house->door.sites)
		return NULL;
	added = &house->door.sites[house->door.site_count++];
	added->name = strdup(folded);
	return added;
}

static void *add_location(void *parent, struct span title, struct error *err)
{
	struct site_options *site = parent;
	struct location_options *added;

	if (site->location_count == LOCATIONS_MOST) {
		(void)error_refuse(err, "at most %d locations a site", LOCATIONS_MOST);
		return NULL;
	}
	if (!site->locations)
		site->locations = calloc(LOCATIONS_MOST, sizeof *site->locations);
	if (!site->locations)
		return NULL;
	added = &site->locations[site->location_count];
	added->path = strndup(title.at, title.size);
	if (!added->path || location_check(added->path, err) != OK) {
		free(added->path);
		added->path = NULL;
		return NULL;
	}
	site->location_count++;
	return added;
}

static void *add_foreign_ca(void *parent, struct span title, struct error *err)
{
	return foreign_keys_add(&((struct house_settings *)parent)->door, title, err);
}

#define IN_FOREIGN(field) offsetof(struct foreign_ca_options, field)
#define IN_HOUSE(field) offsetof(struct house_settings, field)
#define IN_SITE(field) offsetof(struct site_options, field)
#define IN_LOCATION(field) offsetof(struct location_options, field)

/* The same four for devices and for addresses; 0 is no limit. */
#define CEILING(whose, field, what, most_of, key_help)                                                      \
	{.key = whose "-" what, .section = "", .is_live = true, .kind = &value_number, .offset = IN_HOUSE(limits.field),     \
	 .standard = most_of, .least = 0, .most = 1000000, .help = key_help "; 0: no limit."},
#define CEILINGS(whose, field, connections_most, open_most, requests_most, handshakes_most, those)          \
	CEILING(whose, field.connections, "connections", connections_most,                                  \
		"Connections at once of one " whose " " those)                                              \
	CEILING(whose, field.open_requests, "open-requests", open_most,                                     \
		"Requests at once of one " whose " " those ", beyond one a connection (429)")                 \
	CEILING(whose, field.requests, "requests", requests_most,                                           \
		"Requests a second of one " whose " " those ",\nwith a burst of ten seconds' worth (429)")     \
	CEILING(whose, field.handshakes, "handshakes", handshakes_most,                                     \
		"TLS handshakes a second of one " whose " " those ",\nwith a burst of ten seconds' worth")
/* What a site and a location may both say. */
#define RULE_ROWS(in, at, as_site)                                                                                     \
	{.key = "allow-from", .section = in, .shape = CONFIG_LIST, .kind = &value_texts, .offset = at(allow_from),     \
	 .example = "192.0.2.0/24",                                                                                    \
	 .help = "Addresses or networks that requests must come from, with a certificate or without; others get 403." as_site}, \
	{.key = "methods", .section = in, .shape = CONFIG_LIST, .kind = &value_names, .offset = at(methods),           \
	 .example = "GET, POST", .help = "Methods that are taken; others get 405. GET includes HEAD." as_site},         \
	{.key = "body-ceiling", .section = in, .kind = &value_size, .offset = at(body_ceiling), .least = 1,            \
	 .most = INT64_MAX, .example = "100M",                                                                         \
	 .help = "Bytes of a request's body, announced or counted as they come; more get 413. No ceiling if not given." as_site}, \
	{.key = "request-headers-set", .section = in, .shape = CONFIG_LIST, .kind = &value_texts,                      \
	 .offset = at(headers.request_set), .example = "X-Tenant: blue",                                               \
	 .help = "Headers for the application, in place of what the client sends under their names." as_site},          \
	{.key = "request-headers-remove", .section = in, .shape = CONFIG_LIST, .kind = &value_texts,                   \
	 .offset = at(headers.request_remove), .example = "Accept-Encoding",                                           \
	 .help = "Headers of the client that the application does not get." as_site},                                   \
	{.key = "response-headers-set", .section = in, .shape = CONFIG_LIST, .kind = &value_texts,                     \
	 .offset = at(headers.response_set), .example = "Strict-Transport-Security: max-age=31536000",                 \
	 .help = "Headers for the client, in place of the application's of their names." as_site},                      \
	{.key = "response-headers-remove", .section = in, .shape = CONFIG_LIST, .kind = &value_texts,                  \
	 .offset = at(headers.response_remove), .example = "X-Powered-By",                                             \
	 .help = "Headers of the application that the client does not get." as_site}

#define INHERITED "\nThe site's if not given."

static const struct config_row rows[] = {
	{.key = "listen", .section = "", .shape = CONFIG_LIST, .kind = &value_addresses, .offset = IN_HOUSE(listen),
	 .is_required = true, .example = "0.0.0.0:443",
	 .help = "Addresses and ports that devices connect to, by TLS."},
	{.key = "listen-http", .section = "", .shape = CONFIG_LIST, .kind = &value_addresses,
	 .offset = IN_HOUSE(listen_http), .example = "0.0.0.0:80",
	 .help = "Addresses and ports for plain HTTP: whoever comes there for a site is sent to https, and the\n"
		 "answers in acme-folder are shown. No application is ever reached by them."},
	{.key = "acme-folder", .section = "", .kind = &value_path, .offset = IN_HOUSE(acme_folder),
	 .example = "/var/lib/chatelaine/acme",
	 .help = "The webroot of certbot, uacme or another ACME client (HTTP-01): files in its folder\n"
		 ".well-known/acme-challenge are shown on listen-http."},
	{.key = "listen-metrics", .section = "", .shape = CONFIG_LIST, .kind = &value_addresses,
	 .offset = IN_HOUSE(listen_metrics), .example = "127.0.0.1:9100",
	 .help = "Where Prometheus reads /metrics, by plain HTTP: on this machine or in a private network only."},
	{.key = "metrics-for-all", .section = "", .kind = &value_boolean, .offset = IN_HOUSE(metrics_for_all),
	 .standard = "no", .help = "yes: listen-metrics may be any address; whoever reaches it reads your sites' names and figures."},
	{.key = "access-log", .section = "", .kind = &access_target_kind, .offset = IN_HOUSE(access_log),
	 .standard = "stderr", .example = "/var/log/chatelaine/access.log",
	 .help = "Where the line of each request goes: stderr (among the other lines), a file, or off. A file is\n"
		 "opened to append by the owner of this configuration, and anew on SIGUSR1."},
	{.key = "access-log-format", .section = "", .kind = &value_of_choice, .choices = access_formats,
	 .offset = IN_HOUSE(access_log.options.format), .standard = "logfmt", .help = "logfmt or json."},
	{.key = "access-log-with", .section = "", .shape = CONFIG_LIST, .kind = &access_with_kind,
	 .offset = IN_HOUSE(access_log.options.with), .example = "query, agent",
	 .help = "What else stands in the line: query (it may hold tokens: whoever reads the log has them too),\n"
		 "agent (the name that the program gives itself)."},
	{.key = "state", .section = "", .kind = &value_path, .offset = IN_HOUSE(state), .is_required = true,
	 .example = "/var/lib/chatelaine", .help = "The folder that \"chatelaine init\" made."},
	{.key = "contact", .section = "", .is_live = true, .kind = &value_text, .offset = IN_HOUSE(door.contact), .least = 1, .most = 200,
	 .example = "it@example.com", .help = "Whom to ask; refusal pages name it."},
	{.key = "workers", .section = "", .kind = &value_number, .offset = IN_HOUSE(workers), .standard = "0",
	 .least = 0, .most = WORKERS_MOST, .help = "Gateway processes; 0: one for each processor."},
	{.key = "drain-time", .section = "", .is_live = true, .kind = &value_duration, .offset = IN_HOUSE(drain_time),
	 .standard = "10m", .least = 0, .most = SECONDS(7 * 86400),
	 .help = "When a change needs new gateways: so long the old ones keep the WebSockets and answers that they\n"
		 "have under way. Then WebSockets are closed with 1012, which lets them come again at once."},
	{.key = "stop-time", .section = "", .is_live = true, .kind = &value_duration, .offset = IN_HOUSE(stop_time),
	 .standard = "10s", .least = 0, .most = SECONDS(3600),
	 .help = "When chatelaine is stopped: so long answers under way may take. WebSockets are told at once (1001)."},
	{.key = "trusted-proxies", .section = "", .is_live = true, .shape = CONFIG_LIST, .kind = &value_texts,
	 .offset = IN_HOUSE(door.trusted_proxies), .example = "10.0.0.5",
	 .help = "Addresses or networks in front of this door whose X-Forwarded-For is kept and added to;\n"
		 "everybody else's is replaced."},
	{.key = "proxy-from", .section = "", .is_live = true, .shape = CONFIG_LIST, .kind = &balancer_kind, .offset = IN_HOUSE(proxy_from),
	 .example = "10.0.0.5",
	 .help = "Balancers (addresses or networks) that pass TLS through and say by the PROXY protocol, v1 or v2,\n"
		 "whose connection it is. From them it must come; from everybody else it is refused."},
	{.key = "roster-max-age", .section = "", .is_live = true, .kind = &value_duration, .offset = IN_HOUSE(door.roster_max_age),
	 .standard = "0s", .least = 0, .most = SECONDS(30 * 86400),
	 .help = "With the authority silent for so long nobody is let in any more; 0s: never on one machine."},
	{.key = "handshake-time", .section = "", .kind = &value_duration, .offset = IN_HOUSE(handshake_time),
	 .standard = "10s", .least = SECONDS(1), .most = SECONDS(120), .help = "For a TLS handshake, in all."},
	{.key = "head-time", .section = "", .kind = &value_duration, .offset = IN_HOUSE(head_time), .standard = "15s",
	 .least = SECONDS(1), .most = SECONDS(120), .help = "For the head of a request, from its first byte to its last."},
	{.key = "idle-time", .section = "", .kind = &value_duration, .offset = IN_HOUSE(idle_time), .standard = "75s",
	 .least = SECONDS(1), .most = SECONDS(3600), .help = "Between requests. Quiet WebSockets are not cut."},
	{.key = "connect-time", .section = "", .is_live = true, .kind = &value_duration, .offset = IN_HOUSE(connect_time),
	 .standard = "5s", .least = MILLISECONDS(100), .most = SECONDS(60), .help = "To connect to the application, TLS included (502)."},
	{.key = "first-byte-time", .section = "", .is_live = true, .kind = &value_duration, .offset = IN_HOUSE(first_byte_time),
	 .standard = "60s", .least = SECONDS(1), .most = SECONDS(3600),
	 .help = "Until the application begins its answer (504)."},
	{.key = "quiet-time", .section = "", .is_live = true, .kind = &value_duration, .offset = IN_HOUSE(quiet_time), .standard = "10m",
	 .least = SECONDS(1), .most = SECONDS(86400),
	 .help = "Silence of the application inside an answer; then it is cut. Quiet WebSockets are not cut."},
	{.key = "connections", .section = "", .kind = &value_number, .offset = IN_HOUSE(connections),
	 .standard = "8000", .least = 16, .most = 1000000,
	 .help = "Connections of clients a worker, at most. Each may need two descriptors. Near it the oldest idle\n"
		 "one without an accepted certificate is closed for each that comes, then the oldest idle one."},
	{.key = "http2", .section = "", .kind = &value_boolean, .offset = IN_HOUSE(http2), .standard = "true",
	 .help = "Offer HTTP/2, with WebSocket over it; HTTP/1.1 is always offered."},
	{.key = "http2-streams", .section = "", .kind = &value_number, .offset = IN_HOUSE(http2_streams),
	 .standard = "100", .least = 1, .most = 1000, .help = "Requests at a time of one HTTP/2 connection."},
	{.key = "http2-resets", .section = "", .kind = &value_number, .offset = IN_HOUSE(http2_resets),
	 .standard = "200", .least = 10, .most = 100000,
	 .help = "Requests that an HTTP/2 client may cancel, or have refused as malformed, within a second;\n"
		 "with more the connection ends (ENHANCE_YOUR_CALM)."},
	{.key = "http2-frames", .section = "", .kind = &value_number, .offset = IN_HOUSE(http2_frames),
	 .standard = "1000", .least = 50, .most = 1000000,
	 .help = "HTTP/2 frames within a second that carry nothing (PING, SETTINGS, PRIORITY, CONTINUATION, empty\n"
		 "DATA, WINDOW_UPDATE beyond what was sent); with more the connection ends."},
	{.key = "reserve", .section = "", .kind = &value_number, .offset = IN_HOUSE(reserve), .standard = "20",
	 .least = 0, .most = 90,
	 .help = "Percent of connections and of requests under way that only accepted certificates may take."},
	{.key = "least-rate", .section = "", .kind = &value_size, .offset = IN_HOUSE(least_rate), .standard = "256",
	 .least = 0, .most = 1 << 20,
	 .help = "Bytes a second that a client must send or take, while it has something to, on average over\n"
		 "idle-time; else it is too slow. WebSockets may be quiet."},
	CEILINGS("device", device, "500", "1000", "2000", "500", "with an accepted certificate")
	CEILINGS("address", address, "1000", "1000", "500", "100", "without one (IPv6: one /56; not loopback)")

	{.key = "site", .section = "", .is_live = true, .shape = CONFIG_SECTION, .add = add_site,
	 .check = upstream_settings_check, .is_required = true,
	 .example = "chat.example.com", .help = "A host name or IP address, and the application behind it."},
	{.key = "also", .section = "site", .shape = CONFIG_LIST, .kind = &site_kind_names, .offset = IN_SITE(also),
	 .example = "www.chat.example.com", .help = "Other names of the same site; the certificate must be for them too."},
	{.key = "preset", .section = "site", .kind = &preset_kind, .offset = IN_SITE(preset), .standard = "generic",
	 .help = "Headers and statuses that an application wants: generic, rocketchat, mattermost, device-list."},
	{.key = "upstream", .section = "site", .shape = CONFIG_LIST, .kind = &upstream_kind,
	 .offset = IN_SITE(upstream), .is_required = true, .example = "http://127.0.0.1:3000",
	 .help = "Where the application listens: http://HOST:PORT, https://HOST:PORT or unix:/PATH. Several are asked in\n"
		 "turn; one that fails is left alone for a while, and a request that only reads is then asked of another."},
	{.key = "upstream-ca", .section = "site", .kind = &value_authorities, .offset = IN_SITE(upstream_ca),
	 .example = "/etc/chatelaine/upstream-ca.pem",
	 .help = "For https:// upstreams, needed: PEM with the CA of their certificate, or with the certificate itself;\n"
		 "\"system\": the public CAs of this machine. Watched."},
	{.key = "upstream-name", .section = "site", .kind = &value_text, .offset = IN_SITE(upstream_name), .least = 1,
	 .most = 253, .example = "app.internal",
	 .help = "The name in their certificate, if it is not the host of the URL."},
	{.key = "upstream-certificate", .section = "site", .kind = &value_file, .offset = IN_SITE(upstream_certificate),
	 .example = "/etc/chatelaine/to-upstream.pem",
	 .help = "Our own certificate for https:// upstreams that ask for one, PEM with its chain. Watched."},
	{.key = "upstream-key", .section = "site", .kind = &value_file, .offset = IN_SITE(upstream_key),
	 .example = "/etc/chatelaine/to-upstream.key", .help = "Its private key, PEM. Watched."},
	{.key = "connect-time", .section = "site", .kind = &value_duration, .offset = IN_SITE(connect_time),
	 .example = "5s", .least = MILLISECONDS(100), .most = SECONDS(60), .help = "As above, for this site."},
	{.key = "first-byte-time", .section = "site", .kind = &value_duration, .offset = IN_SITE(first_byte_time),
	 .example = "60s", .least = SECONDS(1), .most = SECONDS(3600), .help = "As above, for this site."},
	{.key = "quiet-time", .section = "site", .kind = &value_duration, .offset = IN_SITE(quiet_time),
	 .example = "10m", .least = SECONDS(1), .most = SECONDS(86400), .help = "As above, for this site."},
	{.key = "certificate", .section = "site", .shape = CONFIG_LIST, .kind = &site_kind_files, .offset = IN_SITE(certificate),
	 .is_required = true, .example = "/etc/letsencrypt/live/chat.example.com/fullchain.pem",
	 .help = "The site's certificate with its chain, PEM. Watched. Two may be given, {\"rsa.pem\", \"ec.pem\"}, and their\n"
		 "keys in the same order: each client gets the one that it can check."},
	{.key = "key", .section = "site", .shape = CONFIG_LIST, .kind = &site_kind_files, .offset = IN_SITE(key), .is_required = true,
	 .example = "/etc/letsencrypt/live/chat.example.com/privkey.pem", .help = "Its private key, PEM. Watched."},
	{.key = "no-certificate", .section = "site", .kind = &watch_kind_site, .choices = modes,
	 .offset = IN_SITE(no_certificate), .standard = "explain",
	 .help = "What a request without an accepted certificate meets: explain (a page that says what to do),\n"
		 "drop (the handshake is refused), allow (it passes: public), watch (it passes, and \"chatelaine\n"
		 "watch\" tells who would have been refused; revoked and suspended devices stay out),\n" WATCH_UNTIL},
	{.key = "not-allowed", .section = "site", .kind = &watch_kind_site_known, .choices = known_modes,
	 .offset = IN_SITE(watch.not_allowed), .example = "explain",
	 .help = "What a known device meets that `who` or the allow-file does not let in: explain, or watch, with an\n"
		 "end if you like. If not given: watch while no-certificate is watch, else explain."},
	{.key = "enforced", .section = "site", .shape = CONFIG_LIST, .kind = &value_names,
	 .offset = IN_SITE(watch.enforced), .example = "sales",
	 .help = "Groups whose devices are refused already while others are only watched. A request without any\n"
		 "certificate is in no group."},
	{.key = "missing-status", .section = "site", .kind = &value_of_choice, .choices = missing_statuses,
	 .offset = IN_SITE(missing_status), .example = "403",
	 .help = "The HTTP status of that page: 403, 400 or 401; the preset's if not given."},
	{.key = "who", .section = "site", .shape = CONFIG_LIST, .kind = &value_names, .offset = IN_SITE(who),
	 .example = "staff", .help = "Groups that may enter; everyone with a device if not given."},
	{.key = "allow-file", .section = "site", .kind = &value_watched_file, .offset = IN_SITE(allow_file),
	 .example = "/etc/chatelaine/allow.txt",
	 .help = "Device ids, one a line; only these enter. Watched; unreadable means that nobody does. Somebody of a\n"
		 "foreign CA is named as \"corp/alice@example.com\"."},
	{.key = "headers", .section = "site", .shape = CONFIG_LIST, .kind = &dialect_kind, .offset = IN_SITE(dialects),
	 .example = "chatelaine, nginx",
	 .help = "How the application is told who is there: chatelaine, rfc9440, nginx, mattermost, wott, xfcc;\n"
		 "the preset's if not given."},

	RULE_ROWS("site", IN_SITE, ""),
	{.key = "error-page", .section = "site", .shape = CONFIG_LIST, .kind = &site_kind_pages,
	 .offset = IN_SITE(error_pages), .example = "403=/etc/chatelaine/403.html",
	 .help = "Pages of your own for what this door refuses, by HTTP status, \"default=FILE\" for all others. HTML with\n"
		 "style and pictures inside; {code} {id} {contact} {what} {next} {title} {status} are filled in. Watched."},
	{.key = "open", .section = "site", .shape = CONFIG_LIST, .kind = &value_names, .offset = IN_SITE(open),
	 .example = "health", .help = "Places of the preset that are opened to everybody: health, webhooks, oauth-callback,\n"
				      "public-files. None if not given; \"chatelaine status\" shows what is open."},

	{.key = "location", .section = "site", .shape = CONFIG_SECTION, .add = add_location, .example = "/api/info",
	 .help = "Other rules for some paths: \"/x\" is /x and what is under it, \"= /x\" nothing but /x,\n"
		 "\"~ ^/x/v[0-9]+/\" what a regular expression finds (\"~*\": in any case), \"^~ /x\" as \"/x\", but no\n"
		 "expression is asked. Exact ones first, then expressions in their order, then the longest prefix. A path\n"
		 "that an application could read in two ways meets the stricter rule of both."},
	{.key = "no-certificate", .section = "location", .kind = &watch_kind_location, .choices = location_modes,
	 .offset = IN_LOCATION(no_certificate), .example = "allow", .help = "As the site's; drop is for sites only."},
	{.key = "not-allowed", .section = "location", .kind = &watch_kind_location_known, .choices = known_modes,
	 .offset = IN_LOCATION(watch.not_allowed), .example = "explain", .help = "As the site's."},
	{.key = "enforced", .section = "location", .shape = CONFIG_LIST, .kind = &value_names,
	 .offset = IN_LOCATION(watch.enforced), .example = "sales", .help = "As the site's."},
	{.key = "who", .section = "location", .shape = CONFIG_LIST, .kind = &value_names,
	 .offset = IN_LOCATION(who), .example = "admins", .help = "As the site's."},
	{.key = "allow-file", .section = "location", .kind = &value_watched_file, .offset = IN_LOCATION(allow_file),
	 .example = "/etc/chatelaine/allow-api.txt", .help = "As the site's."},
	RULE_ROWS("location", IN_LOCATION, INHERITED),
	{.key = "upstream", .section = "location", .shape = CONFIG_LIST, .kind = &upstream_kind,
	 .offset = IN_LOCATION(upstream), .example = "http://127.0.0.1:3001",
	 .help = "Where another application listens, which answers here. The site's if not given."},

	{.key = "foreign-ca", .section = "", .shape = CONFIG_SECTION, .add = add_foreign_ca, .example = "corp",
	 .help = "A certificate authority that is not ours, whose certificates open some sites. Whoever it names is\n"
		 "called \"corp/alice@example.com\" in headers, logs and allow-files, and is no device of ours."},
	{.key = "certificate", .section = "foreign-ca", .kind = &value_file, .offset = IN_FOREIGN(certificate),
	 .is_required = true, .example = "/etc/chatelaine/corp.pem",
	 .help = "Its roots, PEM: one or more, self-signed. Watched."},
	{.key = "intermediates", .section = "foreign-ca", .kind = &value_file, .offset = IN_FOREIGN(intermediates),
	 .example = "/etc/chatelaine/corp-issuing.pem",
	 .help = "CA certificates between, PEM, for clients that do not send them; and of those that sign a list in\n"
		 "crl. They are not trusted by themselves. Watched."},
	{.key = "sites", .section = "foreign-ca", .shape = CONFIG_LIST, .kind = &value_texts, .offset = IN_FOREIGN(sites),
	 .is_required = true, .example = "chat.example.com", .help = "Where its certificates count; nowhere else."},
	{.key = "identity", .section = "foreign-ca", .kind = &value_of_choice, .choices = foreign_fields,
	 .offset = IN_FOREIGN(field), .is_required = true, .example = "email",
	 .help = "The one field that says who somebody is: email, uri, spiffe or dns of the alternative names, or cn.\n"
		 "It must be there once; a certificate with none or two of them is refused."},
	{.key = "domains", .section = "foreign-ca", .shape = CONFIG_LIST, .kind = &value_texts,
	 .offset = IN_FOREIGN(domains), .example = "example.com",
	 .help = "With identity = \"email\": the domains whose addresses it may name; others are refused. Only with\n"
		 "this the application gets the address as an e-mail address, because one of ours may have the same."},
	{.key = "crl", .section = "foreign-ca", .kind = &value_file, .offset = IN_FOREIGN(crl),
	 .example = "/etc/chatelaine/corp.crl",
	 .help = "What it has revoked: certificate revocation lists, PEM or DER, several in one file. Watched: what a\n"
		 "new one revokes is cut off at once. Fetch it by a timer of your own."},
	{.key = "crl-expired", .section = "foreign-ca", .kind = &value_of_choice, .choices = foreign_crl_expired,
	 .offset = IN_FOREIGN(crl_expired), .standard = "warn",
	 .help = "When a list is out of date: warn (in log and status; what stands in it is refused, the others go on),\n"
		 "or refuse (nobody whose issuer has no list in date gets in)."},
	{.key = "groups", .section = "foreign-ca", .shape = CONFIG_LIST, .kind = &value_names,
	 .offset = IN_FOREIGN(groups), .example = "corp",
	 .help = "Groups of everybody whom it names, for `who` of sites and locations. They may be groups of ours too."},
	{.key = "groups-file", .section = "foreign-ca", .kind = &value_watched_file, .offset = IN_FOREIGN(groups_file),
	 .example = "/etc/chatelaine/corp-groups.txt",
	 .help = "More groups for some: an identity, a space, group,group; one a line. Watched."},
	{.key = "allow-file", .section = "foreign-ca", .kind = &value_watched_file, .offset = IN_FOREIGN(allow_file),
	 .example = "/etc/chatelaine/corp-people.txt",
	 .help = "Identities, one a line; of this CA only these are accepted. Watched; unreadable means that none is."},
};

static void note_fixed(void *out, const struct config_row *row, struct span value)
{
	struct house_settings *house = out;

	if (!house->fixed.ceiling)
		buffer_init(&house->fixed, 4 * CONFIG_TEXT_MOST);
	buffer_printf(&house->fixed, "%s %s %.*s\n", row->section, row->key, SPAN_PRINT(value));
}

const struct config_rows settings_rows = {
	.at = rows, .count = sizeof rows / sizeof *rows, .on_fixed = note_fixed};

void settings_release(struct house_settings *house)
{
	size_t i, j;

	for (i = 0; i < house->door.site_count; i++) {
		struct site_options *site = &house->door.sites[i];

		for (j = 0; j < site->location_count; j++) {
			config_release(&settings_rows, "location", &site->locations[j]);
			free(site->locations[j].path);
		}
		free(site->locations);
		config_release(&settings_rows, "site", site);
		free(site->name);
	}
	free(house->door.sites);
	for (i = 0; i < house->door.foreign_count; i++)
		config_release(&settings_rows, "foreign-ca", &house->door.foreign[i]);
	foreign_keys_free(&house->door);
	buffer_release(&house->fixed);
	config_release(&settings_rows, "", house);
}
