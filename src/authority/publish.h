/*
 * publish - from registry rows to roster entries. Only rows that are believed
 * get there; the others are kept as sentences.
 */
#ifndef AUTHORITY_PUBLISH_H
#define AUTHORITY_PUBLISH_H

#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

struct authority;

/* A new roster with all that the registry grants, in place of the present one; gateways get it. */
MUST_CHECK enum status publish_all(struct authority *authority, struct error *err);
/* One device's certificates anew. */
MUST_CHECK enum status publish_device(struct authority *authority, const uint8_t *device, struct error *err);
/* These (32 bytes each) are revoked: one store each, cannot fail. */
void publish_revoked(struct authority *authority, struct span fingerprints);
/* A gateway has the present roster, or has gone: the old one may go when all have. */
void publish_forget_old(struct authority *authority);

#endif
