#include "base/random.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/random.h>

void random_bytes(void *into, size_t size)
{
	char *at = into;

	while (size) {
		ssize_t got = getrandom(at, size > 256 ? 256 : size, 0);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			abort();
		at += got;
		size -= (size_t)got;
	}
}

uint32_t random_below(uint32_t bound)
{
	uint32_t skip = (uint32_t)-bound % bound; /* 2^32 mod bound: values below it are biased */
	uint32_t value;

	do
		random_bytes(&value, sizeof value);
	while (value < skip);
	return value % bound;
}
