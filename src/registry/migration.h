/*
 * migration - the schema as a table of {version, SQL}; each step runs in one
 * transaction of its own. Rows are only ever added at the end.
 */
#ifndef REGISTRY_MIGRATION_H
#define REGISTRY_MIGRATION_H

#include <stddef.h>

#include "base/error.h"

struct sqlite3;

struct migration {
	int version;
	const char *sql;
};

/* The steps of this program; *count of them. */
const struct migration *migration_steps(size_t *count);

/* What it holds now; -1: it was never a registry. */
MUST_CHECK enum status migration_version(struct sqlite3 *db, int *version, struct error *err);
/* Bring `db` (the file at `path`) to the last of `steps`. When it holds an older schema already, a copy
 * PATH.before-VERSION is made first. REFUSED: the file is of a newer program, or not a registry. */
MUST_CHECK enum status migration_run(struct sqlite3 *db, const char *path, const struct migration *steps,
				     size_t count, struct error *err);

#endif
