/*
 * audit_record - what was done, by whom, to what: one chain an authority,
 * each record with the SHA-256 of the one before it, written in the
 * transaction of the deed. A changed, missing or added record shows against
 * the head; the head shows against a copy kept elsewhere.
 */
#ifndef REGISTRY_AUDIT_RECORD_H
#define REGISTRY_AUDIT_RECORD_H

#include "registry/registry.h"

enum { AUDIT_HASH_SIZE = 32 };

struct audit_entry {
	struct span who;     /* "cli uid 0 pid 812", "gateway 2" */
	struct span what;    /* "device-add" */
	struct span subject; /* id or name of what it was done to */
	struct span detail;  /* one line for people; no secrets */
};

/* Inside a transaction. */
MUST_CHECK enum status audit_record_add(struct registry *registry, int64_t seconds,
					const struct audit_entry *entry, struct error *err);

struct audit_head {
	uint64_t count;
	uint8_t hash[AUDIT_HASH_SIZE]; /* of the last record; zero when there is none */
};
MUST_CHECK enum status audit_record_head(struct registry *registry, struct audit_head *out, struct error *err);
/* When the last one was written, seconds; 0: there is none. */
MUST_CHECK enum status audit_record_newest(struct registry *registry, int64_t *out, struct error *err);
/* Walk the whole chain. REFUSED names the first record that does not fit. */
MUST_CHECK enum status audit_record_verify(struct registry *registry, struct audit_head *out,
					   struct error *err);

#endif
