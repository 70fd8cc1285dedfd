/* example_parts - what the files of the example application share. */
#ifndef COMMAND_EXAMPLE_PARTS_H
#define COMMAND_EXAMPLE_PARTS_H

#include <stdint.h>

#include "event/timer.h"
#include "http/exchange.h"

struct service;

/* An exchange of the example: begins with http's own part. */
struct example_visit {
	struct exchange exchange;
	struct timer timer;
	uint64_t bytes; /* counted, or still to be sent */
};

static inline struct example_visit *example_visit_of(struct exchange *exchange)
{
	return (struct example_visit *)(void *)exchange;
}

/* Who the door says it is; empty spans without a door. They point into `room`: not to be copied. */
struct example_who {
	struct span person, email, device, groups;
	char room[2048];
};
void example_who(const struct exchange *exchange, struct example_who *out);

/* A number from the query, "bytes=5": `otherwise` without one, at most `most`. */
uint64_t example_query(const struct exchange *exchange, const char *name, uint64_t otherwise,
		       uint64_t most);

/* -- example_pages.c: one service a path; NULL: there is no such page -- */
const struct service *example_page(struct span path);

/* -- example_live.c -- */
extern const struct service example_live; /* echoes, and tells who comes and goes */
extern const struct service example_echo; /* echoes alone */
/* Call when the loop ends and all connections are gone. */
void example_live_release(void);

#endif
