#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "http/h2_parts.h"

/* nghttp2 asks for a few small blocks a request (the stream, each frame that goes, the fields of an
 * answer) and gives them back at once; here they wait for the next one. Powers of two; a block's class
 * is told by malloc_usable_size, so that it has no head and it makes no difference who rounded. A
 * process, single-threaded. */
enum { LEAST_BITS = 5, CLASSES = 11, WAITING_MOST = 4 << 20 };

struct waiting {
	struct waiting *next;
};
static struct waiting *classes[CLASSES];
static size_t waiting_bytes;

static size_t class_size(unsigned class)
{
	return (size_t)1 << (LEAST_BITS + class);
}

/* The least class that holds `size`; CLASSES: none. */
static unsigned class_of(size_t size)
{
	unsigned class = 0;

	while (class < CLASSES && class_size(class) < size)
		class++;
	return class;
}

static void *take(size_t size, void *unused)
{
	unsigned class = class_of(size);
	struct waiting *block;

	(void)unused;
	if (class == CLASSES)
		return malloc(size);
	block = classes[class];
	if (!block)
		return malloc(class_size(class));
	classes[class] = block->next;
	waiting_bytes -= class_size(class);
	return block;
}

static void give(void *memory, void *unused)
{
	struct waiting *block = memory;
	size_t usable;
	unsigned class;

	(void)unused;
	if (!block)
		return;
	usable = malloc_usable_size(block);
	class = class_of(usable);
	/* A class that all of it can serve. */
	if (class < CLASSES && class_size(class) > usable)
		class = class > 0 ? class - 1 : CLASSES;
	if (class >= CLASSES || class_size(class) > usable || usable >= 2 * class_size(class) ||
	    waiting_bytes + class_size(class) > WAITING_MOST) {
		free(block);
		return;
	}
	block->next = classes[class];
	classes[class] = block;
	waiting_bytes += class_size(class);
}

static void *take_zeroed(size_t count, size_t size, void *unused)
{
	void *memory;

	if (size && count > SIZE_MAX / size)
		return NULL;
	memory = take(count * size, unused);
	if (memory)
		memset(memory, 0, count * size);
	return memory;
}

static void *resize(void *memory, size_t size, void *unused)
{
	void *moved;
	size_t usable;

	if (!memory)
		return take(size, unused);
	usable = malloc_usable_size(memory);
	if (size <= usable && size > 0)
		return memory;
	moved = take(size, unused);
	if (!moved)
		return NULL;
	memcpy(moved, memory, usable < size ? usable : size);
	give(memory, unused);
	return moved;
}

nghttp2_mem *h2_memory(void)
{
	static nghttp2_mem memory = {
		.malloc = take, .free = give, .calloc = take_zeroed, .realloc = resize};

	return &memory;
}
