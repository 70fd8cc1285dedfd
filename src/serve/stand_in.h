/*
 * stand_in - port 80 for a while, before there is a door: a process of its own
 * that says what door/street says, for an ACME client's first certificate.
 * Shut in as a gateway is.
 */
#ifndef SERVE_STAND_IN_H
#define SERVE_STAND_IN_H

#include <sys/types.h>

#include "base/error.h"

struct settings;

/* Listens at listen-http of these settings until stand_in_end, or the caller's end. REFUSED: a port is
 * busy, and by whom; the folder cannot be opened. */
MUST_CHECK enum status stand_in_start(const struct settings *settings, pid_t *out, struct error *err);
void stand_in_end(pid_t pid);

#endif
