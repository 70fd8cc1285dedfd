/*
 * deed_record - writers come with an idempotence key, so that a question
 * asked again after a crash is the same deed. Only the key's hash is kept,
 * with what was asked and the id of what came of it; never a secret.
 */
#ifndef REGISTRY_DEED_RECORD_H
#define REGISTRY_DEED_RECORD_H

#include "registry/registry.h"

struct deed_record {
	uint8_t key[32];   /* SHA-256 of the asker's key */
	uint8_t asked[32]; /* SHA-256 of question and words */
	char question[33];
	uint8_t subject[REGISTRY_ID_SIZE];
	int64_t at;
};

MUST_CHECK enum status deed_record_add(struct registry *registry, const struct deed_record *deed,
				       struct error *err);
/* *found false: nobody did it yet. */
MUST_CHECK enum status deed_record_find(struct registry *registry, const uint8_t key[static 32],
					struct deed_record *out, bool *found, struct error *err);
/* Forget those older than `before`. */
MUST_CHECK enum status deed_record_expire(struct registry *registry, int64_t before, struct error *err);

#endif
