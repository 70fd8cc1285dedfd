/* sentence - what SQLite says by number, for people: full, damaged, locked, read-only. */
#ifndef REGISTRY_SENTENCE_H
#define REGISTRY_SENTENCE_H

#include "base/error.h"

struct sqlite3;

/* REFUSED when the file or the row is to blame (not a registry, damaged, taken), else FAILED. */
enum status sentence(struct sqlite3 *db, int code, struct error *err);

#endif
