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
/* The same when another program has written into the registry. */
void publish_if_touched(struct authority *authority);
/* One device's certificates anew. */
MUST_CHECK enum status publish_device(struct authority *authority, const uint8_t *device, struct error *err);
/* These (32 bytes each) are revoked: one store each, cannot fail. */
void publish_revoked(struct authority *authority, struct span fingerprints);
/* All certificates of these devices are, whatever the registry says by now. Cannot fail. */
void publish_devices_revoked(struct authority *authority, const uint8_t (*devices)[16], unsigned count);
/* A gateway has the present roster, or has gone: the old one may go when all have. */
void publish_forget_old(struct authority *authority);

#endif
