/*
 * tls_memory - OpenSSL's allocations. With SSL_MODE_RELEASE_BUFFERS each
 * record gives its 17 KB buffer back, which would be a malloc and a free a
 * record; here blocks of 4 to 128 KB wait on free lists instead, so that a
 * keep-alive request allocates nothing. A process, single-threaded; at most
 * 4 MB wait.
 */
#ifndef STREAM_TLS_MEMORY_H
#define STREAM_TLS_MEMORY_H

#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

struct tls_memory_counts {
	uint64_t asked;        /* allocations that OpenSSL made */
	uint64_t from_system;  /* of which malloc or realloc was called */
	size_t waiting_bytes;  /* on the free lists now */
};

/* The first thing a process does with OpenSSL, before pki/crypto_start. FAILED: OpenSSL has
 * allocated already. */
MUST_CHECK enum status tls_memory_start(struct error *err);
const struct tls_memory_counts *tls_memory_count(void);
/* Give the waiting blocks back to the system. */
void tls_memory_trim(void);

#endif
