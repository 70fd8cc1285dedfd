/*
 * target - the path and query of a request, in the one form that rules and
 * upstream both see.
 *
 * What is forwarded is `path`, then "?" and `query` if has_query: never the
 * target as it came. In `path`
 *  - %XX of unreserved characters is decoded, other %XX have upper-case digits
 *    (RFC 3986 section 6.2.2),
 *  - "." and ".." segments are gone (section 5.2.4), however they were encoded;
 *    climbing above "/" is refused,
 *  - everything else is as it came; "//" is kept.
 * The query is as it came.
 *
 * A path that some server would read differently (see enum target_doubt) has
 * two readings; target_other_reading gives the second, as the most liberal
 * server would see it. Judge it by the stricter rule of both, or refuse it.
 *
 * Refused here, whatever the rules: '#', spaces, controls, non-ASCII, a broken
 * % sequence, %00, and segments such as "..;x".
 */
#ifndef WIRE_TARGET_H
#define WIRE_TARGET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

enum target_doubt {
	TARGET_ENCODED_SLASH = 1,    /* %2F */
	TARGET_BACKSLASH = 2,        /* \ or %5C */
	TARGET_DOUBLE_ENCODED = 4,   /* %25 in front of two hex digits or a u */
	TARGET_ENCODED_CONTROL = 8,  /* %01 to %1F, %7F */
	TARGET_PARAMETER = 16,       /* ; or %3B: cut off by servlet containers */
	TARGET_EMPTY_SEGMENT = 32,   /* //: merged by many */
	TARGET_OVERLONG = 64,        /* %C0%AF and such: UTF-8 that only a sloppy decoder takes */
	TARGET_ENCODED_DELIMITER = 128 /* %40, %3F, any other visible character that could stand as it is */
};

struct target {
	struct span path;  /* starts with '/', or is "*"; in `room` or in the input */
	struct span query; /* in the input; without '?' */
	bool has_query;    /* "/x?" has an empty one */
	uint8_t doubts;    /* enum target_doubt; 0: one reading */
};

/* `text` is struct head's `path`. `room` needs as many bytes as text has and lives as long as *out; it
 * is left alone when the path was normal already. REFUSED: see above; answer 400. */
MUST_CHECK enum status target_parse(struct span text, char *room, size_t room_size, struct target *out,
				    struct error *err);

static inline bool target_is_ambiguous(const struct target *target)
{
	return target->doubts != 0;
}

/* The path as the most liberal server might read it: decoded until nothing changes, \ as /, parameters
 * and what a decoded ? or # begins cut off, // merged, dots resolved, case kept; of UTF-8 in more
 * bytes than need be, the character that it means. Written into room (path.size bytes are enough).
 * REFUSED: it climbs above "/", or holds a control character. */
MUST_CHECK enum status target_other_reading(const struct target *target, char *room, size_t room_size,
					    struct span *out, struct error *err);

/* True when `path` is `prefix` or below it, on a segment boundary: "/api" holds "/api", "/api/" and
 * "/api/x", not "/apix". A slash at the end of `prefix` says nothing more: "/api/" also holds "/api".
 * "/" holds all. */
bool path_is_under(struct span path, struct span prefix);
/* Cut the next segment off `rest`, which starts with '/' or is empty. "/a//b" gives "a", "", "b"; "/"
 * gives "". false: none left. */
bool path_next_segment(struct span *rest, struct span *segment);
/* The whole path against a pattern: '#' is one or more digits, '*' any run of characters but '/' (also
 * none); all else is itself. "/api/v#/users/websocket". */
bool path_matches(struct span path, const char *pattern);

#endif
