/*
 * digest - hashes, MACs and keys made from keys.
 *
 * These cannot fail: when libcrypto has no memory or no SHA-256 the process
 * ends, as with random bytes, because nobody could go on without them.
 */
#ifndef PKI_DIGEST_H
#define PKI_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

enum { SHA256_SIZE = 32, SHA1_SIZE = 20 };

void digest_sha256(struct span bytes, uint8_t out[static SHA256_SIZE]);
/* Of the parts one behind the other; lengths are the caller's to mix in. */
void digest_sha256_parts(const struct span *parts, size_t count, uint8_t out[static SHA256_SIZE]);
/* Only for Sec-WebSocket-Accept (RFC 6455 section 4.2.2), which asks for it. */
void digest_sha1(struct span bytes, uint8_t out[static SHA1_SIZE]);

/* RFC 2104 with SHA-256. */
void digest_hmac_sha256(struct span key, struct span bytes, uint8_t out[static SHA256_SIZE]);
void digest_hmac_sha256_parts(struct span key, const struct span *parts, size_t count,
			      uint8_t out[static SHA256_SIZE]);
/* HKDF-SHA-256 (RFC 5869) without salt: `size` <= 255 * 32 bytes from a key that is already random,
 * different for each `purpose` ("registry rows 1"). */
void digest_derive(struct span key, const char *purpose, void *out, size_t size);

/* In constant time for equal sizes; the sizes themselves are no secret. */
bool digest_equals(struct span a, struct span b);

#endif
