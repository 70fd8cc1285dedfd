#include "base/slab.h"

#include <assert.h>
#include <stdlib.h>

struct free_slab {
	struct free_slab *next;
};

void slabs_init(struct slabs *slabs, size_t size, size_t ceiling, size_t keep)
{
	if (size < sizeof(struct free_slab))
		size = sizeof(struct free_slab);
	*slabs = (struct slabs){.size = size, .ceiling = ceiling, .keep = keep};
}

void slabs_release(struct slabs *slabs)
{
	assert(slabs->taken == 0);
	while (slabs->free_list) {
		struct free_slab *slab = slabs->free_list;

		slabs->free_list = slab->next;
		free(slab);
	}
	slabs->kept = 0;
}

void *slab_take(struct slabs *slabs)
{
	struct free_slab *slab = slabs->free_list;

	if (slabs->taken == slabs->ceiling)
		return NULL;
	if (slab) {
		slabs->free_list = slab->next;
		slabs->kept--;
	} else {
		slab = malloc(slabs->size);
		if (!slab)
			return NULL;
	}
	slabs->taken++;
	return slab;
}

void slab_give(struct slabs *slabs, void *given)
{
	struct free_slab *slab = given;

	if (!slab)
		return;
	assert(slabs->taken > 0);
	slabs->taken--;
	if (slabs->kept >= slabs->keep) {
		free(slab);
		return;
	}
	slab->next = slabs->free_list;
	slabs->free_list = slab;
	slabs->kept++;
}
