/*
 * access_file - opens the file (or pipe) of access-log for the supervisor, which hands it to the gateways.
 *
 * Opened to append, 0640, as the owner of the configuration that names it: who may write to a house's
 * configuration is not thereby let into root's files. A pipe that nobody reads is no error; lines are
 * dropped until somebody does.
 */
#ifndef SERVE_ACCESS_FILE_H
#define SERVE_ACCESS_FILE_H

#include "base/error.h"
#include "serve/sandbox.h"

/* *out is the caller's. REFUSED: says what is wrong with the path, and what to do. */
MUST_CHECK enum status access_file_open(const char *path, struct sandbox_user owner, int *out, struct error *err);

#endif
