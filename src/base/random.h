/* random - bytes from the kernel. Cannot fail: without them the process ends. */
#ifndef BASE_RANDOM_H
#define BASE_RANDOM_H

#include <stddef.h>
#include <stdint.h>

void random_bytes(void *into, size_t size);
/* Evenly 0 <= x < bound; bound > 0. */
uint32_t random_below(uint32_t bound);

#endif
