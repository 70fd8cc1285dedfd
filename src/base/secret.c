#include "base/secret.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Pages of its own, so that MADV_DONTDUMP and mlock hit nothing else. */
static size_t pages(size_t size)
{
	return (sizeof(struct secret) + size + 1 + 4095) & ~(size_t)4095;
}

struct secret *secret_new(size_t size)
{
	struct secret *secret = mmap(NULL, pages(size), PROT_READ | PROT_WRITE,
				     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (secret == MAP_FAILED)
		abort();
	madvise(secret, pages(size), MADV_DONTDUMP);
	(void)mlock(secret, pages(size)); /* the limit may be low; swap is then the admin's choice */
	secret->size = size;
	return secret;
}

struct secret *secret_copy(struct span bytes)
{
	struct secret *secret = secret_new(bytes.size);

	if (bytes.size)
		memcpy(secret->bytes, bytes.at, bytes.size);
	return secret;
}

void secret_free(struct secret *secret)
{
	size_t size;

	if (!secret)
		return;
	size = pages(secret->size);
	explicit_bzero(secret, size);
	munmap(secret, size);
}
