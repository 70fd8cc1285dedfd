/*
 * revoked_list - what was ever revoked or removed, in a file of its own beside
 * the registry: whoever can write the registry, or puts an older copy of it
 * back, brings nobody back. Lines are only ever added:
 *
 *	device 0123..ef
 *	certificate 0123..ef
 *	person 0123..ef
 *
 * What is noted counts from the commit on (revoked_list_commit), which also
 * brings it to the disk. A crash between the registry's commit and that loses
 * nothing: registry_remember reads both and makes each whole from the other.
 * Owner: the registry; others name kinds by it, no more.
 */
#ifndef REGISTRY_REVOKED_LIST_H
#define REGISTRY_REVOKED_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct revoked_list;

enum revoked_kind { REVOKED_PERSON, REVOKED_DEVICE, REVOKED_CERTIFICATE };
enum { REVOKED_ID_MOST = 32 };
/* 16 for people and devices, 32 for certificates. */
size_t revoked_id_size(enum revoked_kind kind);

struct revoked_entry {
	uint8_t kind;
	uint8_t id[REVOKED_ID_MOST]; /* zeros behind revoked_id_size */
};

/* Reads it all, or makes it (0600). A line cut short by a crash is taken away; *damaged tells how many
 * others cannot be read. REFUSED: it cannot be opened. */
MUST_CHECK enum status revoked_list_open(const char *path, struct revoked_list **out, unsigned *damaged,
					 struct error *err);
void revoked_list_free(struct revoked_list *list); /* NULL is fine */

/* Committed ones only. A NULL list has nothing. */
bool revoked_list_has(const struct revoked_list *list, enum revoked_kind kind, const uint8_t *id);
/* To be committed; once is enough. Harmless with a NULL list. */
MUST_CHECK enum status revoked_list_note(struct revoked_list *list, enum revoked_kind kind, const uint8_t *id,
					 struct error *err);
/* How many were noted; undo forgets the later ones. */
size_t revoked_list_mark(const struct revoked_list *list);
void revoked_list_undo(struct revoked_list *list, size_t mark);
/* They count now and go to the disk; what does not get there is tried again with the next commit. FAILED
 * says that it did not: it is revoked all the same, as the registry says it too. */
MUST_CHECK enum status revoked_list_commit(struct revoked_list *list, struct error *err);

/* Those that count, by number, in the order of the file. NULL: no more. */
const struct revoked_entry *revoked_list_at(const struct revoked_list *list, size_t number);

#endif
