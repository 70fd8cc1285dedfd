/*
 * device_record - one row of table device: what a person holds in the hand.
 * Never deleted. A label is unique among a person's devices that are not
 * revoked. Ask `is_authentic` before granting anything by it.
 */
#ifndef REGISTRY_DEVICE_RECORD_H
#define REGISTRY_DEVICE_RECORD_H

#include "registry/registry.h"
#include "shm/card.h"

enum device_state { DEVICE_PENDING, DEVICE_ACTIVE, DEVICE_SUSPENDED, DEVICE_REVOKED };

enum { DEVICE_LABEL_SIZE = 49, REASON_SIZE = 201 };

struct device_record {
	uint8_t id[REGISTRY_ID_SIZE];
	uint8_t person[REGISTRY_ID_SIZE];
	bool has_person;
	char label[DEVICE_LABEL_SIZE];
	enum device_kind kind;
	enum device_state state;
	int64_t created, changed;
	char reason[REASON_SIZE]; /* why suspended or revoked; "" */
	int64_t seen;             /* last seen by a gateway, 0 never; outside the MAC */
	bool is_authentic;
	bool was_put_back; /* set by reading: the row says otherwise, but it was revoked once (revoked_list.h) */
};

const char *device_state_name(enum device_state state);

/* REFUSED: the person has an unrevoked device of that label. */
MUST_CHECK enum status device_record_add(struct registry *registry, const struct device_record *device,
					 struct error *err);
MUST_CHECK enum status device_record_save(struct registry *registry, const struct device_record *device,
					  struct error *err);
/* REFUSED "no such device". */
MUST_CHECK enum status device_record_load(struct registry *registry, const uint8_t id[REGISTRY_ID_SIZE],
					  struct device_record *out, struct error *err);
/* Those whose id begins with `prefix` (1 to 32 hex digits): up to `most`, *count tells how many. */
MUST_CHECK enum status device_record_find_prefix(struct registry *registry, struct span prefix,
						 struct device_record *out, size_t most, size_t *count,
						 struct error *err);
/* A person's device by label (case folded): the unrevoked one, else the one revoked last. REFUSED: none. */
MUST_CHECK enum status device_record_find_label(struct registry *registry,
						const uint8_t person[REGISTRY_ID_SIZE], struct span label,
						struct device_record *out, struct error *err);
/* Up to `most` by id, those behind `after` (NULL from the start), of `person` or (NULL) of everybody. */
MUST_CHECK enum status device_record_list(struct registry *registry, const uint8_t *person,
					  const uint8_t *after, struct device_record *out, size_t most,
					  size_t *count, struct error *err);
/* Remember when it was last there. An unknown device is ignored. */
MUST_CHECK enum status device_record_set_seen(struct registry *registry, const uint8_t id[REGISTRY_ID_SIZE],
					      int64_t seconds, struct error *err);

#endif
