/*
 * sha1 - RFC 3174, for Sec-WebSocket-Accept alone (RFC 6455 section 1.3), where
 * it proves nothing but that the server speaks WebSocket. Never for security.
 */
#ifndef WIRE_SHA1_H
#define WIRE_SHA1_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

enum { SHA1_SIZE = 20, SHA1_INPUT_MAX = 119 };

/* Hash the parts one behind the other; together at most SHA1_INPUT_MAX bytes. */
void sha1(const struct span *parts, size_t count, uint8_t out[static SHA1_SIZE]);

#endif
