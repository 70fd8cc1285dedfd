#include "door/present.h"

#include <string.h>

#include "door/door_parts.h"
#include "door/presence.h"
#include "http/connection.h"

struct counting {
	struct present *out;
	size_t most, count, total;
};

/* One device's marks come one after another but for those that share its bucket. */
static void count_mark(void *arg, const struct presence_mark *mark, bool is_first)
{
	struct counting *counting = arg;
	struct guest *guest = (struct guest *)(void *)((char *)(uintptr_t)mark - offsetof(struct guest, mark));
	size_t i;

	counting->total += is_first;
	for (i = counting->count; i > 0 && memcmp(counting->out[i - 1].device, mark->device, sizeof mark->device) != 0;)
		i--;
	if (i == 0) {
		if (!is_first || counting->count == counting->most)
			return;
		i = ++counting->count;
		counting->out[i - 1] = (struct present){.connections = 0};
		memcpy(counting->out[i - 1].device, mark->device, sizeof mark->device);
	}
	counting->out[i - 1].connections++;
	counting->out[i - 1].requests += connection_exchanges(connection_of_guest(guest));
}

size_t door_present(const struct door *door, struct present *out, size_t most, size_t *total)
{
	struct counting counting = {.out = out, .most = most};

	presence_each_known(door->presence, count_mark, &counting);
	*total = counting.total;
	return counting.count;
}
