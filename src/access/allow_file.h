/*
 * allow_file - the devices that a file names, one a line.
 *
 * A line is a device id, "32 hex digits" or "32 hex digits.d.DOMAIN" with our
 * own trust domain, case does not matter; or somebody of a foreign CA, as
 * "corp/alice@example.com", written exactly as the log and the headers do.
 * "#" starts a comment. CRLF, blank lines, a byte order mark and a missing
 * last newline are fine. A line that is anything else admits nobody and is
 * reported with its number; the others count. A file that could not be read
 * admits nobody. It never changes once made, so any number of readers may
 * hold it.
 */
#ifndef ACCESS_ALLOW_FILE_H
#define ACCESS_ALLOW_FILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

struct allow_file;

enum { ALLOW_FILE_LINES = 1000000, ALLOW_FILE_WARNINGS = 20 };

/* Called for the first ALLOW_FILE_WARNINGS bad lines, then once for the rest, line 0, with their count. */
typedef void allow_file_warn(void *arg, size_t line, const char *text);

/* `domain` is the trust domain. REFUSED: more than ALLOW_FILE_LINES devices. `warn` may be NULL. */
MUST_CHECK enum status allow_file_parse(struct span text, struct span domain, allow_file_warn *warn,
					void *arg, struct allow_file **out, struct error *err);
/* The stand-in for a file that cannot be read: it has nobody. NULL: no memory. */
struct allow_file *allow_file_unreadable(void);
void allow_file_free(struct allow_file *file); /* NULL is fine */

bool allow_file_has(const struct allow_file *file, const uint8_t device[static 16]);
/* `key` is the SHA-256 of "corp/alice@example.com". */
bool allow_file_has_foreign(const struct allow_file *file, const uint8_t key[static 32]);
bool allow_file_is_unreadable(const struct allow_file *file);
size_t allow_file_count(const struct allow_file *file);

#endif
