/*
 * settings - a configuration as the program uses it: parsed by the one table
 * of keys (settings_keys.c), from disk with the files it names (check role,
 * commands), or from the bundle that was made of them (gateways).
 */
#ifndef SERVE_SETTINGS_H
#define SERVE_SETTINGS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/span.h"
#include "door/door.h"
#include "door/route.h"
#include "serve/plan.h"

struct access_options;
struct bundle;
struct house_settings;
struct http_limits;
struct settings;
struct upstream;
struct upstream_limits;

/* From disk, with the files it names and what the state folder adds. REFUSED: file, line, key, remedy. */
MUST_CHECK enum status settings_load(const char *path, struct settings **out, struct error *err);
/* The same, and `complaints` gets every mistake in the text, a sentence a line; *err is the first. */
MUST_CHECK enum status settings_load_all(const char *path, struct buffer *complaints, struct settings **out,
					 struct error *err);
/* From what settings_pack made; the bundle must outlive it. */
MUST_CHECK enum status settings_unpack(const struct bundle *bundle, struct settings **out,
				       struct error *err);
void settings_free(struct settings *settings); /* NULL is fine */

MUST_CHECK enum status settings_plan(const struct settings *settings, const char *path, struct plan *out,
				     struct error *err);
/* A sealed descriptor for the gateways, the caller's. */
MUST_CHECK enum status settings_pack(const struct settings *settings, int *bundle, struct error *err);

/* What the rooms below are built from; borrowed. */
const struct house_settings *settings_house(const struct settings *settings);
const struct door_options *settings_door(const struct settings *settings);
const struct door_issuer *settings_issuers(const struct settings *settings, size_t *count);
/* Of the config and all files that it names, as they were read: differs when something changed. */
uint64_t settings_digest(const struct settings *settings);
const struct access_options *settings_access_log(const struct settings *settings);
struct span settings_text(const struct settings *settings); /* the config's bytes: equal or changed */
void settings_limits(const struct settings *settings, struct http_limits *http,
		     struct upstream_limits *upstream);
/* The port that browsers use: 443 if we listen there. */
uint16_t settings_https_port(const struct settings *settings);
/* The addresses that the check found for this upstream's name, if it has one. */
void settings_resolve(const struct settings *settings, struct upstream *upstream);

/* "status" and "serve" warn of these: one sentence a line. */
void settings_side_doors(const struct settings *settings, struct buffer *out);
/* Where somebody without a certificate gets in because the configuration says so; one place a line. */
void settings_holes(const struct settings *settings, struct buffer *out);

#endif
