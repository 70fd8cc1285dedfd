/*
 * route - which site a host name means, which rules it has, which service
 * answers a path.
 *
 * Built from the config in one go and never changed; visits hold the routes
 * they were walked under, so a reload swaps the pointer and the last visit
 * frees the old. The structs *_options are what the config's keys fill.
 */
#ifndef DOOR_ROUTE_H
#define DOOR_ROUTE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "access/foreign_ca.h"
#include "access/policy.h"
#include "base/address.h"
#include "base/error.h"
#include "base/moment.h"
#include "base/span.h"
#include "config/config_value.h"
#include "door/error_page.h"
#include "door/header_rules.h"

struct score_page;
struct score_site;
struct rule_set;
struct service;

/* What goes with the word "watch" in a site or a location; see struct rule_options. */
struct watch_options {
	struct moment until, not_allowed_until; /* settled (not is_local); 0: without an end */
	int not_allowed;                        /* enum no_certificate */
	struct value_texts enforced;
};

/* Zero is "not given" everywhere. Borrowed for routes_new; the files' bytes are copied. */
struct location_options {
	char *path; /* its title: "/x", "= /x", "^~ /x", "~ ^/x[0-9]"; see access/location */
	int no_certificate; /* enum no_certificate */
	struct watch_options watch;
	struct value_texts who;
	struct value_file allow_file; /* value_watched_file: unreadable refuses, and says so */
	struct value_texts allow_from, methods;
	uint64_t body_ceiling; /* bytes */
	struct header_options headers;
	/* Not the door's: read by serve/ and relay/. */
	struct value_texts upstream; /* none: the site's */
};

/* A file, or two; the first is meant where there is no word of two. */
struct file_pair {
	union {
		struct value_file first;
		struct {
			char *path;
			struct span bytes;
			char *trouble;
		};
	};
	struct value_file second; /* without a path: there is none */
};

struct site_options {
	char *name;   /* host name, "*.example.com", or an IP address; no port */
	struct value_texts also; /* further names, as name */
	char *preset; /* NULL: "generic" */
	int no_certificate;
	struct watch_options watch;
	struct value_texts who;
	struct value_file allow_file;
	struct value_texts dialects; /* none: the preset's */
	int missing_status;          /* 0: the preset's; 403, 400 or 401 */
	struct value_texts allow_from, methods;
	uint64_t body_ceiling; /* bytes */
	struct header_options headers;
	struct value_texts open; /* names of the preset's openings */
	struct error_page_options error_pages;
	struct location_options *locations;
	size_t location_count;
	/* Not the door's: read by serve/ and relay/. */
	struct value_texts upstream;
	struct value_file upstream_ca, upstream_certificate, upstream_key;
	char *upstream_name;                                /* NULL: as the URL says */
	int64_t connect_time, first_byte_time, quiet_time; /* 0: the house's */
	struct file_pair certificate, key;
};

struct door_options {
	char *contact;  /* on refusal pages; may be NULL */
	char *domain;   /* the trust domain, "" while unknown */
	struct value_texts trusted_proxies; /* IP addresses or networks (10.0.0.0/8) whose X-Forwarded-For is kept */
	struct site_options *sites;
	size_t site_count;
	struct foreign_ca_options *foreign; /* the CAs that are not ours, dearest first */
	size_t foreign_count;
	int64_t roster_max_age; /* microseconds; 0: never too old */
};

/* What answers: the longest row of a site that the path lies in. serve/ makes the table. */
struct route_service {
	const char *site; /* a site's name; NULL: every site */
	const char *path; /* "/" is the site's last resort; "/x/" takes what is under it, "/x" itself too */
	const struct service *service; /* outlives the routes */
	const char *location; /* path is NULL: in place of "/", for what meets the rule of this location */
};

struct site_route {
	struct span path;
	const struct service *service;
};

struct site_name {
	struct span text; /* as struct site's */
	bool is_wildcard;
	char *memory;
};

struct site {
	struct span name;  /* folded; without "*" for a wildcard: ".example.com" */
	bool is_wildcard;
	uint32_t number;   /* its place in the config, from 0: for TLS sessions */
	struct rule_set *rules;
	struct policy *policy; /* of the rules */
	struct error_pages *error_pages; /* NULL: the built-in one */
	struct foreign_ca **foreign; /* the routes'; whose certificates count here, dearest first */
	size_t foreign_count;
	uint8_t digest[POLICY_DIGEST_SIZE]; /* of policy and foreign CAs: equal digests are equal rules */
	unsigned rules_class; /* sites with equal rules have equal classes */
	unsigned dialects;
	const struct preset *preset;
	uint16_t missing_status;
	struct site_route *routes; /* longest path first */
	size_t route_count;
	struct site_name *names; /* the first is `name`; then those that `also` gave */
	size_t name_count;
	struct score_site *score; /* where it is counted; NULL: nowhere */
};

struct routes;

/* Checks everything and names what is wrong (REFUSED). An unreadable allow-file is no error: its
 * site refuses everybody, and a warning is logged. */
MUST_CHECK enum status routes_new(const struct door_options *options,
				  const struct route_service *services, size_t service_count,
				  struct routes **out, struct error *err);
struct routes *routes_hold(struct routes *routes);
/* Each site is counted by its name on this page from now on; NULL: not at all. */
void routes_count_on(struct routes *routes, struct score_page *page);
void routes_release(struct routes *routes); /* NULL is fine */

/* Of all sites' names and rules: equal in every worker with equal options. For tls_context_options. */
uint32_t routes_epoch(const struct routes *routes);

/* By a folded host name (wire/host_name): exact, then wildcard of one label. NULL: none. */
const struct site *routes_find(const struct routes *routes, struct span host);
/* The site whose rules hold for a handshake: by server name, and for none or an unknown one the
 * strictest. Never NULL. */
const struct site *routes_find_handshake(const struct routes *routes, struct span server_name);
/* NULL: no service there. `path` is normalised; `rule` is the judgement's. */
const struct service *site_service(const struct site *site, struct span path, unsigned rule);
bool routes_trusts(const struct routes *routes, const struct address *peer);
struct span routes_contact(const struct routes *routes);
struct span routes_domain(const struct routes *routes);
int64_t routes_roster_max_age(const struct routes *routes);
/* SHA-256 of all names and rules. */
const uint8_t *routes_digest(const struct routes *routes);
/* The first end of a watch of any site behind `now`, seconds; 0: none. */
int64_t routes_next_change(const struct routes *routes, int64_t now);
/* Verdicts by group set that were remembered: the roster is another one. */
void routes_forget(struct routes *routes);
size_t routes_site_count(const struct routes *routes);
const struct site *routes_site(const struct routes *routes, size_t index);

/* A place that has to be open to those without a certificate, if one wants what it is for. */
struct opening {
	const char *name;           /* several may share one: "webhooks" */
	const char *location;       /* its title */
	struct value_texts methods; /* none: any */
};

/* What a kind of application wants; site options win over it. */
struct preset {
	const char *name;
	unsigned dialects;
	uint16_t missing_status;
	const char *extra_lines;  /* forwarding headers beyond the usual, with CRLF; "" for none */
	const char *api_prefix;   /* of paths whose refusals are JSON unless HTML is asked for; NULL: none */
	const char *json_path;    /* a path whose refusal is JSON with json_status; NULL: none */
	uint16_t json_status;
	bool needs_allow_file;    /* a site without one is refused */
	const char *note;         /* for the config that init writes */
	const struct opening *openings; /* all shut until the site names them */
	size_t opening_count;
};
enum { PRESET_OPENINGS_TEXT = 256 };
const struct preset *preset_find(struct span name); /* NULL: no such */
const char *preset_names(void);                     /* "generic, rocketchat, ..." */
/* "webhooks, health"; "" for none. */
void preset_opening_names(const struct preset *preset, char out[static PRESET_OPENINGS_TEXT]);

#endif
