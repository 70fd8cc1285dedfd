/* file - whole files, in and out. For start-up and commands, never for the loop. */
#ifndef BASE_FILE_H
#define BASE_FILE_H

#include <stddef.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/span.h"

/* Adds the file's bytes to `out`. REFUSED: not there, unreadable, not a file, or larger than
 * out's ceiling; the text names the path and why. */
MUST_CHECK enum status file_load(const char *path, struct buffer *out, struct error *err);
/* The same from an open descriptor, from its present offset to its end. */
MUST_CHECK enum status file_load_fd(int fd, struct buffer *out, struct error *err);
/* The plain file `name` ("a/b/c") below the folder that `folder` is open on, wherever that is; no link is
 * followed and nothing leads out of it (openat2(2), RESOLVE_BENEATH). REFUSED: not there, or as above. */
MUST_CHECK enum status file_load_beneath(int folder, const char *name, struct buffer *out, struct error *err);
/* All or nothing: a temporary file beside it, fsync, rename, fsync of the folder. A file that is
 * there is replaced. REFUSED: the path; FAILED: the disk. */
MUST_CHECK enum status file_save(const char *path, mode_t mode, struct span bytes, struct error *err);
/* As file_save, but REFUSED when the path exists. */
MUST_CHECK enum status file_save_new(const char *path, mode_t mode, struct span bytes, struct error *err);
/* Make the folder and the ones above it. Fine when it is there. */
MUST_CHECK enum status folder_make(const char *path, mode_t mode, struct error *err);
/* fsync of the folder that holds `path`. */
MUST_CHECK enum status folder_sync(const char *path, struct error *err);

#endif
