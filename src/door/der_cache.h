/*
 * der_cache - the bytes of certificates that were seen in a full handshake,
 * by fingerprint, for the dialects that send them on: a resumed session has
 * none. At most `ceiling` of them; the one not used for longest goes.
 */
#ifndef DOOR_DER_CACHE_H
#define DOOR_DER_CACHE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

struct der_cache;

enum { DER_CACHE_CEILING = 4096, DER_CACHE_BYTES = 16384 /* of one; a larger one is not kept */ };

MUST_CHECK enum status der_cache_new(size_t ceiling, struct der_cache **out, struct error *err);
void der_cache_free(struct der_cache *cache); /* NULL is fine */

/* Copied. Without memory it is just not kept. */
void der_cache_add(struct der_cache *cache, const uint8_t fingerprint[static 32], struct span der);
/* Borrowed until the next der_cache_add; empty: not there. Counts as use. */
struct span der_cache_find(struct der_cache *cache, const uint8_t fingerprint[static 32]);
size_t der_cache_count(const struct der_cache *cache);

#endif
