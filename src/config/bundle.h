/*
 * bundle - a set of named bytes in memory that nobody can change: the config
 * text and every file it names, as handed to a worker. A file that could not
 * be read is in it too, as the sentence that says why.
 *
 * Holds private keys: kept out of core dumps, wiped by nobody but the kernel
 * when the last holder lets go. The receiver trusts the seals, not the
 * contents: everything is checked on opening.
 */
#ifndef CONFIG_BUNDLE_H
#define CONFIG_BUNDLE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/span.h"

enum bundle_kind {
	BUNDLE_FILE = 1, /* bytes of a file */
	BUNDLE_TROUBLE,  /* bytes are why it could not be read, for people */
	BUNDLE_NOTE,     /* bytes of ours (a worker's settings), no file */
};

struct bundle_entry {
	struct span name; /* a file's path as the config spells it; 1-4096 bytes without NUL, unique */
	struct span bytes;
	enum bundle_kind kind;
};

enum { BUNDLE_ENTRIES_MOST = 4096, BUNDLE_NAME_MOST = 4096, BUNDLE_BYTES_MOST = 64 << 20 };

struct bundle;

/* A sealed memfd with these entries (copied), close-on-exec, the caller's. REFUSED: too many, too
 * large, a name twice. */
MUST_CHECK enum status bundle_make(const struct bundle_entry *entries, size_t count, int *fd,
				   struct error *err);
/* `fd` stays the caller's. REFUSED: not sealed, or damaged, and where. Spans live until bundle_free. */
MUST_CHECK enum status bundle_open(int fd, struct bundle **out, struct error *err);
void bundle_free(struct bundle *bundle); /* NULL is fine */

/* NULL: no such name. */
const struct bundle_entry *bundle_find(const struct bundle *bundle, const char *name);
size_t bundle_count(const struct bundle *bundle);
const struct bundle_entry *bundle_at(const struct bundle *bundle, size_t index);

/* Over borrowed memory, for tests and fuzzing. */
MUST_CHECK enum status bundle_parse(struct span bytes, struct bundle **out, struct error *err);

#endif
