/*
 * upstream_settings - what a site says of the servers behind it: where they
 * are, how long they are waited for, how they are believed. From the config's
 * structs to relay_options; and what the resolver is needed for.
 */
#ifndef SERVE_UPSTREAM_SETTINGS_H
#define SERVE_UPSTREAM_SETTINGS_H

#include <stdbool.h>

#include "base/error.h"
#include "base/span.h"
#include "config/config_value.h"

struct buffer;
struct house_settings;
struct relay_options;
struct settings;
struct site_options;

/* value_file with one word more: "system" is the file of the public roots. */
extern const struct value_kind value_authorities;

/* Do a site's keys agree? For the table of keys. REFUSED names the key that is missing or idle. */
MUST_CHECK enum status upstream_settings_check(void *site, struct error *err);
/* All but `upstreams`; borrowed from the settings. */
void upstream_settings_fill(const struct settings *settings, const struct site_options *site,
			    struct relay_options *out);
/* The files are the same too: a relay made of one goes on for the other. Texts are compared by the caller. */
bool upstream_settings_equal(const struct site_options *one, const struct site_options *other);

/* Calls for the URL of each upstream of each site. */
void upstream_settings_each(const struct house_settings *house, void (*on_url)(void *arg, struct span url), void *arg);

#endif
