/*
 * reload_report - what became of a reload, for whoever asked: made by the supervisor in memory, handed to the
 * authority with ORDER_RELOADED, told by it to the command.
 */
#ifndef SERVE_RELOAD_REPORT_H
#define SERVE_RELOAD_REPORT_H

#include <stdint.h>

#include "base/error.h"

enum reload_outcome {
	RELOADED_REFUSED,  /* the text says why; what was before still holds */
	RELOADED_NOTHING,  /* nothing had changed */
	RELOADED_IN_PLACE, /* the running gateways took it */
	RELOADED_ANEW,     /* new gateways serve, the old ones drain */
	RELOAD_OUTCOMES,
};

enum { REPORT_TEXT_MOST = 32768 };

struct reload_report {
	uint32_t size; /* of this struct: both ends are the same binary, or nothing is read */
	uint32_t outcome;
	uint32_t gateways, draining;
	char text[REPORT_TEXT_MOST]; /* sentences, one a line: complaints, or warnings; terminated */
};

/* A descriptor with it, the caller's; -1: no memory. */
int reload_report_pack(const struct reload_report *report);
MUST_CHECK enum status reload_report_unpack(int fd, struct reload_report *out, struct error *err);

#endif
