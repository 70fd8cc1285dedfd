/*
 * plan - what the supervisor must know of a configuration, in fixed shapes,
 * made by the check role. Nothing in it is parsed; a plan crosses as a sealed
 * memory descriptor with two bundles (see preparation.h).
 */
#ifndef SERVE_PLAN_H
#define SERVE_PLAN_H

#include <limits.h>
#include <stdint.h>

#include "base/address.h"
#include "serve/sandbox.h"

enum { PLAN_LISTEN_MOST = 16, PLAN_WATCHED_MOST = 128, WORKERS_MOST = 64 };

/* What is spoken on a listening socket; the letter tells a gateway, one for each descriptor from FD_LISTEN on. */
enum listen_kind { LISTEN_TLS = 't', LISTEN_HTTP = 'h', LISTEN_METRICS = 'm' };

struct plan_listen {
	struct address at;
	uint32_t kind; /* enum listen_kind */
};

struct plan {
	uint32_t size; /* of this struct: both ends are the same binary */
	uint32_t workers;
	uint32_t drain_seconds, stop_seconds; /* config: drain-time, stop-time */
	uint8_t fixed[32]; /* digest of all that running gateways cannot take a change of */
	uint32_t listen_count, watched_count;
	struct plan_listen listen[PLAN_LISTEN_MOST];
	struct sandbox_user gateway, authority, resolver;
	uint32_t needs_resolver; /* an upstream is a name or a Unix socket: targets.h */
	uint32_t has_no_user; /* root, but nobody made the user chatelaine: the files' owner is used */
	char access_log[PATH_MAX]; /* a path, or "" */
	struct sandbox_user access_owner; /* who opens it: the configuration's owner */
	char state[PATH_MAX];
	char acme_folder[PATH_MAX]; /* empty: none */
	char watched[PLAN_WATCHED_MOST][PATH_MAX]; /* files that the bundles hold, and the config file */
	uint8_t is_alone[PLAN_WATCHED_MOST];       /* no other file changes with it: no need to wait for one */
};

#endif
