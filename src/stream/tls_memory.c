#include "stream/tls_memory.h"

#include <malloc.h>
#include <stdlib.h>

#include <openssl/crypto.h>

/* A block belongs to the class of whole 4 KB steps that it can hold, which malloc_usable_size tells:
 * no header, and it makes no difference who rounded. */
enum { STEP = 4096, CLASSES = 32, WAITING_MOST = 4 << 20 };

struct waiting {
	struct waiting *next;
};

static struct waiting *classes[CLASSES + 1];
static struct tls_memory_counts counts;

static void *take(size_t size, const char *file, int line)
{
	size_t class = (size + STEP - 1) / STEP;
	struct waiting *block;

	(void)file;
	(void)line;
	if (size == 0)
		return NULL;
	counts.asked++;
	/* Small ones are quick in malloc, which keeps lists of its own for them. */
	if (size <= STEP / 2 || class > CLASSES) {
		counts.from_system++;
		return malloc(size);
	}
	block = classes[class];
	if (!block) {
		counts.from_system++;
		return malloc(class * STEP);
	}
	classes[class] = block->next;
	counts.waiting_bytes -= class * STEP;
	return block;
}

static void give(void *memory, const char *file, int line)
{
	struct waiting *block = memory;
	size_t class;

	(void)file;
	(void)line;
	if (!block)
		return;
	class = malloc_usable_size(block) / STEP;
	if (class == 0 || class > CLASSES || counts.waiting_bytes + class * STEP > WAITING_MOST) {
		free(block);
		return;
	}
	block->next = classes[class];
	classes[class] = block;
	counts.waiting_bytes += class * STEP;
}

static void *resize(void *memory, size_t size, const char *file, int line)
{
	if (!memory)
		return take(size, file, line);
	if (size == 0) {
		give(memory, file, line);
		return NULL;
	}
	counts.asked++;
	counts.from_system++;
	return realloc(memory, size);
}

enum status tls_memory_start(struct error *err)
{
	if (!CRYPTO_set_mem_functions(take, resize, give))
		return error_fail(err, "OpenSSL has allocated memory before tls_memory_start");
	return OK;
}

const struct tls_memory_counts *tls_memory_count(void)
{
	return &counts;
}

void tls_memory_trim(void)
{
	int class;

	for (class = 1; class <= CLASSES; class++)
		while (classes[class]) {
			struct waiting *block = classes[class];

			classes[class] = block->next;
			counts.waiting_bytes -= (size_t)class * STEP;
			free(block);
		}
}
