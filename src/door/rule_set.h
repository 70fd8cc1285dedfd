/*
 * rule_set - everything that the keys of a site and of its locations say,
 * taken from the options: who may, and how those who may are served. Part of a
 * site (door/route).
 *
 * A preset's openings become locations behind the site's own ones.
 */
#ifndef DOOR_RULE_SET_H
#define DOOR_RULE_SET_H

#include <stddef.h>

#include "base/error.h"
#include "base/span.h"

struct allow_file;
struct buffer;
struct header_rules;
struct policy;
struct preset;
struct route_service;
struct rule_set;
struct service;
struct site_options;

/* `domain` is the trust domain, for allow-files. REFUSED: what is wrong, without the site's name. */
MUST_CHECK enum status rule_set_new(const struct site_options *given, const struct preset *preset, struct span domain,
				    const struct route_service *rows, size_t row_count, struct rule_set **out,
				    struct error *err);
void rule_set_free(struct rule_set *rules); /* NULL is fine */

struct policy *rule_set_policy(const struct rule_set *rules);
/* Of judgement.rule. NULL: nothing to do. */
const struct header_rules *rule_set_headers(const struct rule_set *rules, unsigned rule);
/* The location's own application; NULL: the site's. */
const struct service *rule_set_service(const struct rule_set *rules, unsigned rule);

/* The places of a site where somebody without a certificate gets in, one line each:
 * "chat.example.com: = /livez (open = health)\n". For status and the log. */
void rule_set_tell_holes(const struct site_options *given, struct buffer *out);

#endif
