/*
 * person_record - one row of table person. A person is never deleted: removed
 * is a state, so that a certificate's owner can always be named.
 *
 * Names and e-mails are unique among those not removed (ASCII case folded).
 * Whoever reads a record asks `is_authentic` before granting anything by it.
 */
#ifndef REGISTRY_PERSON_RECORD_H
#define REGISTRY_PERSON_RECORD_H

#include "registry/registry.h"

enum person_role { ROLE_MEMBER, ROLE_ADMIN };
enum person_state { PERSON_ACTIVE, PERSON_SUSPENDED, PERSON_REMOVED };

enum { PERSON_NAME_SIZE = 65, PERSON_EMAIL_SIZE = 255, PERSON_GROUPS_SIZE = 1025 };

struct person_record {
	uint8_t id[REGISTRY_ID_SIZE];
	char name[PERSON_NAME_SIZE];
	char email[PERSON_EMAIL_SIZE];
	char groups[PERSON_GROUPS_SIZE]; /* "a,b,c": sorted, no doubles; "" is none */
	enum person_role role;
	enum person_state state;
	int64_t created, changed; /* seconds since 1970 */
	bool is_authentic;        /* set by reading: the row's MAC is right */
	bool was_put_back; /* set by reading: the row says otherwise, but it was removed once (revoked_list.h) */
};

const char *person_role_name(enum person_role role);
const char *person_state_name(enum person_state state);

/* REFUSED: name or e-mail taken. The row's MAC is computed here. */
MUST_CHECK enum status person_record_add(struct registry *registry, const struct person_record *person,
					 struct error *err);
/* Everything but id and created. */
MUST_CHECK enum status person_record_save(struct registry *registry, const struct person_record *person,
					  struct error *err);
/* REFUSED "no such person"; `out` untouched. */
MUST_CHECK enum status person_record_load(struct registry *registry, const uint8_t id[REGISTRY_ID_SIZE],
					  struct person_record *out, struct error *err);
/* By name or e-mail (case folded) of those not removed, or by 32 hex digits. REFUSED names `text`. */
MUST_CHECK enum status person_record_find(struct registry *registry, struct span text,
					  struct person_record *out, struct error *err);
/* What a list is ordered by: the name, ASCII case folded. */
void person_record_fold(const char *name, char out[static PERSON_NAME_SIZE]);
/* Up to `most` by name, those behind `after` ("" from the start; a folded name), without the removed;
 * *count tells how many. */
MUST_CHECK enum status person_record_list(struct registry *registry, const char *after,
					  struct person_record *out, size_t most, size_t *count,
					  struct error *err);

#endif
