/*
 * location - one place of a site that has a rule of its own, as the config
 * names it, and which paths lie in it.
 *
 *   "= /x"    the path /x and no other
 *   "/x"      /x and what is under it, on a segment boundary: not /xy
 *   "^~ /x"   the same, and no regular expression is asked any more
 *   "~ RE"    what access/pattern finds; "~* RE" the same in any case
 *
 * Asked in this order: the exact ones; the longest of the prefixes, which
 * decides at once if it is ^~; the regular expressions as they stand in the
 * config, of which the first decides; then the longest prefix.
 */
#ifndef ACCESS_LOCATION_H
#define ACCESS_LOCATION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/span.h"

struct buffer;
struct pattern;

enum location_kind { LOCATION_EXACT, LOCATION_PREFIX, LOCATION_PATTERN }; /* in the order of asking */

struct location {
	char *title; /* as one writes it, in one spelling; a prefix without a slash at its end. NULL: the site */
	enum location_kind kind;
	bool is_final;              /* ^~ */
	const char *path;           /* in title: of EXACT and PREFIX */
	struct pattern *pattern, *any_case; /* of PATTERN */
};

/* How an upstream may read a path. */
struct reading {
	struct span path;
	bool is_liberal; /* /Admin is /admin, and a slash at the end is there or not: /admin/ is /admin */
};

/* REFUSED: not a plain path, a bad expression, the whole site. `out` is to be released all the same. */
MUST_CHECK enum status location_parse(const char *title, struct location *out, struct error *err);
/* The same, to know whether it can be. Without the title in the error. */
MUST_CHECK enum status location_check(const char *title, struct error *err);
void location_release(struct location *location);
bool location_holds(const struct location *location, const struct reading *reading);
/* Before 0, the same 0, or after: the order of asking. Two patterns are left as they stand. */
int location_order(const struct location *one, const struct location *other);
bool location_is_same(const struct location *one, const struct location *other);
/* What its tables cost. */
size_t location_bytes(const struct location *location);

#endif
