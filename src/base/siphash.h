/* siphash - SipHash-2-4, a keyed 64-bit hash (Aumasson and Bernstein, 2012): tables and checks that an outsider must not steer. */
#ifndef BASE_SIPHASH_H
#define BASE_SIPHASH_H

#include <stddef.h>
#include <stdint.h>

uint64_t siphash(const uint8_t key[16], const void *bytes, size_t size);

#endif
