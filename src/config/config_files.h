/*
 * config_files - where the files that a config names come from: the disk
 * (supervisor's check, commands), a bundle (workers), a map (tests). Whoever
 * parses does not know which.
 */
#ifndef CONFIG_CONFIG_FILES_H
#define CONFIG_CONFIG_FILES_H

#include <stddef.h>

#include "base/error.h"
#include "base/span.h"

struct bundle;
struct bundle_entry;
struct config_files;

enum { CONFIG_FILES_MOST = 1024, CONFIG_FILE_MOST = 16 << 20 };

/* Reads from the disk, each path once; remembers what it read, and what it could not. */
MUST_CHECK enum status config_files_from_disk(struct config_files **out, struct error *err);
/* `bundle` is borrowed. A path that is not in it is REFUSED. */
MUST_CHECK enum status config_files_from_bundle(const struct bundle *bundle,
						struct config_files **out, struct error *err);
struct config_map_entry {
	const char *path, *text; /* text NULL: cannot be read */
};
/* `entries` ends with {NULL, NULL}; borrowed. */
MUST_CHECK enum status config_files_from_map(const struct config_map_entry *entries,
					     struct config_files **out, struct error *err);
/* The bytes live until config_files_free. REFUSED: says why, with the path. */
MUST_CHECK enum status config_files_load(struct config_files *files, const char *path,
					 struct span *bytes, struct error *err);
/* What a bundle for the same config must hold, from the disk kind: all that was asked for. `*count`
 * of them; borrowed until the next load. */
const struct bundle_entry *config_files_loaded(const struct config_files *files, size_t *count);
/* Overwrites what it read (keys). NULL is fine. */
void config_files_free(struct config_files *files);

#endif
