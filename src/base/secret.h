/* secret - bytes that are wiped before they are freed and left out of core dumps: keys, phrases, passwords. */
#ifndef BASE_SECRET_H
#define BASE_SECRET_H

#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct secret {
	size_t size;
	uint8_t bytes[]; /* size of them, then a zero byte */
};

/* Ends the process when there is no memory: nobody goes on without its key. */
struct secret *secret_new(size_t size);
struct secret *secret_copy(struct span bytes);
void secret_free(struct secret *secret); /* NULL is fine */

static inline struct span secret_span(const struct secret *secret)
{
	return span_make(secret->bytes, secret->size);
}

#endif
