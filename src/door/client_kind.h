/*
 * client_kind - which family of programs a User-Agent speaks of, by a table of
 * our own words: nothing of what a client says is kept.
 *
 * A guess for people who look for forgotten programs; anyone can say anything,
 * so no rule may ask it.
 */
#ifndef DOOR_CLIENT_KIND_H
#define DOOR_CLIENT_KIND_H

#include "base/span.h"

enum client_sort {
	CLIENT_SILENT, /* says nothing */
	CLIENT_BROWSER,
	CLIENT_APP,     /* an application's own program on a phone or a desktop */
	CLIENT_MONITOR, /* a probe that asks whether something lives */
	CLIENT_PROGRAM, /* a script or a library */
	CLIENT_CRAWLER,
	CLIENT_OTHER,
};

struct client_kind {
	const char *needle; /* what stands in the User-Agent, in any case */
	const char *name;   /* what people call it; at most CLIENT_NAME_MOST bytes of visible ASCII and spaces */
	enum client_sort sort;
};

enum {
	CLIENT_KIND_OTHER = 1, /* the index of a program that nobody knows, or of several */
	CLIENT_NAME_MOST = 32,
	CLIENT_TEXT_MOST = 512, /* bytes of a User-Agent that are looked at */
};

/* An index into the table; what it means is in client_kind_at. Never fails. */
unsigned client_kind_find(struct span user_agent);
const struct client_kind *client_kind_at(unsigned index); /* of an index too large: CLIENT_OTHER's row */
/* By name, for what another process wrote; unknown: CLIENT_OTHER's row. */
const struct client_kind *client_kind_named(struct span name);

#endif
