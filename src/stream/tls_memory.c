#include "stream/tls_memory.h"

#include <malloc.h>
#include <stdlib.h>

#include <openssl/crypto.h>

/* A block belongs to the class of whole 4 KB steps that it can hold, which malloc_usable_size tells:
 * no header, and it makes no difference who rounded. Class 0 is that of the few bytes a packet being
 * written takes, three times a record. */
enum { STEP = 4096, CLASSES = 32, SMALL = 64, WAITING_MOST = 4 << 20, SMALL_WAITING_MOST = 256 };

struct waiting {
	struct waiting *next;
};

static struct waiting *classes[CLASSES + 1];
static struct tls_memory_counts counts;

static unsigned small_waiting;

static size_t class_size(size_t class)
{
	return class ? class * STEP : SMALL;
}

static void *take(size_t size, const char *file, int line)
{
	size_t class = size <= SMALL ? 0 : (size + STEP - 1) / STEP;
	struct waiting *block;

	(void)file;
	(void)line;
	if (size == 0)
		return NULL;
	counts.asked++;
	/* The sizes between are quick in malloc, and no record needs them. */
	if ((size > SMALL && size <= STEP / 2) || class > CLASSES) {
		counts.from_system++;
		return malloc(size);
	}
	block = classes[class];
	if (!block) {
		counts.from_system++;
		return malloc(class_size(class));
	}
	classes[class] = block->next;
	counts.waiting_bytes -= class_size(class);
	small_waiting -= class == 0;
	return block;
}

/* Which class can use a block of so many bytes; -1: none, or it has enough. */
static int class_for(size_t usable)
{
	size_t class = usable / STEP;

	if (usable >= SMALL && usable < 2 * SMALL)
		return small_waiting < SMALL_WAITING_MOST ? 0 : -1;
	if (class == 0 || class > CLASSES || counts.waiting_bytes + class_size(class) > WAITING_MOST)
		return -1;
	return (int)class;
}

static void give(void *memory, const char *file, int line)
{
	struct waiting *block = memory;
	int class;

	(void)file;
	(void)line;
	if (!block)
		return;
	class = class_for(malloc_usable_size(block));
	if (class < 0) {
		free(block);
		return;
	}
	block->next = classes[class];
	classes[class] = block;
	counts.waiting_bytes += class_size((size_t)class);
	small_waiting += class == 0;
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
	size_t class;

	small_waiting = 0;
	for (class = 0; class <= CLASSES; class++)
		while (classes[class]) {
			struct waiting *block = classes[class];

			classes[class] = block->next;
			counts.waiting_bytes -= class_size(class);
			free(block);
		}
}
