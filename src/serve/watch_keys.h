/*
 * watch_keys - the configuration's words for watching: "watch", "watch until
 * 2026-12-24", in a site and in a location, and how a day without a zone
 * becomes a moment in every process alike.
 */
#ifndef SERVE_WATCH_KEYS_H
#define SERVE_WATCH_KEYS_H

#include "base/buffer.h"
#include "base/error.h"
#include "config/config_value.h"
#include "door/route.h"

/* For rows at IN_SITE(no_certificate), IN_SITE(watch.not_allowed) and the location's; choices as value_of_choice. */
extern const struct value_kind watch_kind_site, watch_kind_site_known;
extern const struct value_kind watch_kind_location, watch_kind_location_known;
#define WATCH_UNTIL "or with an end, in quotes: \"watch until 2026-12-24\" or \"watch until 2026-12-24T08:00\"\n" \
		    "(this machine's time; with Z behind it UTC): from then on it is explain, by itself."

/* Days without a zone are this machine's: settle them, where its files can be read. */
void watch_keys_settle(struct door_options *door);
/* What was settled, for a process that cannot: one line each, in the order of the configuration. */
void watch_keys_note(const struct door_options *door, struct buffer *out);
/* The same in that process. REFUSED: the note is of another configuration. */
MUST_CHECK enum status watch_keys_take(struct door_options *door, struct span note, struct error *err);

#endif
