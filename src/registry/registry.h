/*
 * registry - people, devices, certificates and the audit chain, in one SQLite
 * file (WAL, synchronous=FULL). The truth about who may come in.
 *
 * Invariants: every row that grants access carries a MAC under the row key
 * (row_mac.h); whoever can write the file cannot make a row that is believed.
 * What was revoked stays so, whatever row is put back (revoked_list.h).
 * Nothing is readable by others before registry_commit said OK.
 *
 * One process owns it at a time (authority's lock), one thread uses it. It
 * blocks (fsync): for the authority and for commands, never for a gateway.
 * It must not know rosters, channels, JSON or X.509.
 */
#ifndef REGISTRY_REGISTRY_H
#define REGISTRY_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "registry/revoked_list.h"

enum {
	REGISTRY_ID_SIZE = 16,
	REGISTRY_ID_TEXT = 2 * REGISTRY_ID_SIZE + 1, /* hex, terminated */
	REGISTRY_KEY_SIZE = 32,
	FINGERPRINT_SIZE = 32,
	SERIAL_SIZE = 20, /* big-endian, top bit clear, never all zero: 159 random bits */
	TRUST_DOMAIN_SIZE = 254,
};

struct registry;

/* Make the file at `path` (0600) with its tables; `trust_domain` is fixed here for good. The file is
 * closed and complete (no -wal beside it) when this says OK. REFUSED: it exists. A failure removes
 * what it made. `row_key` is REGISTRY_KEY_SIZE bytes. */
MUST_CHECK enum status registry_create(const char *path, struct span row_key, struct span trust_domain,
				       struct error *err);
/* Open and check: a damaged file, one of a newer program, or one whose row key is another one is
 * REFUSED with a sentence that says which. An older schema is brought up to date, after a copy
 * PATH.before-VERSION. Caller frees *out with registry_free. `row_key` is copied. */
MUST_CHECK enum status registry_open(const char *path, struct span row_key, struct registry **out,
				     struct error *err);
void registry_free(struct registry *registry); /* NULL is fine; an open transaction is rolled back */

const char *registry_trust_domain(const struct registry *registry);
/* This authority's id in the audit chain. */
const uint8_t *registry_authority_id(const struct registry *registry);

/* Keep the list of what was revoked at `path` too, from now on; first make each whole from the other.
 * Once, before anything is read. REFUSED: the list cannot be read. */
struct registry_memory {
	unsigned put_back; /* rows that said otherwise (an older copy): they are revoked again */
	unsigned damaged;  /* lines of the list that cannot be read */
};
MUST_CHECK enum status registry_remember(struct registry *registry, const char *path,
					 struct registry_memory *out, struct error *err);
/* Within a transaction: revoked for good, even where its row is not believed and stays as it is. Saving a
 * record as revoked (a person: as removed) does this too. */
MUST_CHECK enum status registry_note_revoked(struct registry *registry, enum revoked_kind kind,
					     const uint8_t *id, struct error *err);
/* Has another program written into the file since this was last asked? Not within a transaction. */
bool registry_was_touched(struct registry *registry);

/* A transaction, and within it marks that can be undone one by one (savepoints, nested as a stack).
 * FAILED with a sentence on a full disk, a lock held for 5 s, an I/O error; registry_commit that
 * failed has rolled everything back. */
MUST_CHECK enum status registry_begin(struct registry *registry, struct error *err);
MUST_CHECK enum status registry_commit(struct registry *registry, struct error *err);
void registry_rollback(struct registry *registry);
bool registry_is_in_transaction(const struct registry *registry);
MUST_CHECK enum status registry_mark(struct registry *registry, struct error *err);
MUST_CHECK enum status registry_keep_mark(struct registry *registry, struct error *err);
void registry_undo_mark(struct registry *registry);

/* Ceiling of the file in pages of 4 KiB; 0: none. For tests of a full disk. */
MUST_CHECK enum status registry_limit_pages(struct registry *registry, unsigned pages, struct error *err);

struct registry_counts {
	uint64_t people, devices, certificates, audit_records; /* people: not removed; devices and certificates: not revoked */
};
MUST_CHECK enum status registry_count(struct registry *registry, struct registry_counts *out,
				      struct error *err);

/* A random id that nobody has to type. */
void registry_new_id(uint8_t out[static REGISTRY_ID_SIZE]);

#endif
