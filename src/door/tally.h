/*
 * tally - who would have been refused, counted: a table of fixed size for what
 * one worker has not told the authority yet.
 *
 * A row is one site, location, beginning of a path, address (IPv6: its /56),
 * reason, kind of client and device; the same again adds one. One address has
 * at most TALLY_PATHS_A_SOURCE rows, the rest of what it does is counted in
 * one more with the path "*"; a full table only counts what it had no row for.
 * All of its text is visible ASCII, whatever clients send. No memory is asked
 * for after tally_new.
 *
 * Telling: tally_take gives rows and remembers how much it told, tally_told
 * says whether that arrived; what did not is told again.
 */
#ifndef DOOR_TALLY_H
#define DOOR_TALLY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

enum {
	TALLY_ROWS = 1024,
	TALLY_PATHS_A_SOURCE = 32,
	TALLY_SITE_SIZE = 256,
	TALLY_PATH_SIZE = 80,
	TALLY_SOURCE_SIZE = 52,
	TALLY_CODE_SIZE = 8,
};

struct tally;

struct tally_event {
	struct span site;
	const char *location; /* NULL: the site's own rule */
	struct span path;     /* normalised */
	struct span client;   /* an IP address */
	const char *code;     /* of the refusal */
	unsigned client_kind; /* door/client_kind */
	const uint8_t *device; /* 16 bytes, NULL: nobody known */
	int64_t now;          /* seconds */
};

struct tally_row {
	char site[TALLY_SITE_SIZE], location[TALLY_PATH_SIZE], path[TALLY_PATH_SIZE], source[TALLY_SOURCE_SIZE];
	char code[TALLY_CODE_SIZE];
	unsigned client_kind;
	uint8_t device[16];
	bool has_device;
	uint64_t count; /* since it was last told */
	int64_t first, last;
};

/* `on_first` (may be NULL) is called when something is there to be told after there was nothing. */
MUST_CHECK enum status tally_new(void (*on_first)(void *arg), void *arg, struct tally **out, struct error *err);
void tally_free(struct tally *tally); /* NULL is fine */
void tally_on_first(struct tally *tally, void (*on_first)(void *arg), void *arg);

void tally_add(struct tally *tally, const struct tally_event *event);

/* Up to `most` rows that were not given since tally_begin; 0: that was all. */
void tally_begin(struct tally *tally);
size_t tally_take(struct tally *tally, struct tally_row *out, size_t most);
/* Refused requests for which there was no row, since they were last told; they go with the rows taken now. */
uint64_t tally_take_uncounted(struct tally *tally);
/* What was taken has arrived, or has not. */
void tally_told(struct tally *tally, bool arrived);
/* The telling is over: what was told gives its room back. True: something waits for the next one; else on_first
 * will say when. */
bool tally_end(struct tally *tally);

/* The beginning of a path as rows have it: two segments, "*" for what looks like an id or a token. */
void tally_path(struct span path, char out[static TALLY_PATH_SIZE]);
/* An address as rows have it: "10.0.0.5", "2001:db8:0:1200::/56". */
void tally_source(struct span client, char out[static TALLY_SOURCE_SIZE]);

#endif
