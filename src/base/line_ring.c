#include "base/line_ring.h"

void line_ring_init(struct line_ring *ring, char *at, size_t room)
{
	*ring = (struct line_ring){.at = at, .room = room};
}

/* Where `size` bytes may go in one piece; SIZE_MAX: nowhere. head == tail means empty, so that behind the
 * wrap one byte stays free. */
static size_t place_for(const struct line_ring *ring, size_t size)
{
	if (ring->head < ring->tail)
		return size < ring->tail - ring->head ? ring->head : SIZE_MAX;
	if (size <= ring->room - ring->head)
		return ring->head;
	return size < ring->tail ? 0 : SIZE_MAX;
}

bool line_ring_add(struct line_ring *ring, struct span line)
{
	size_t place = place_for(ring, line.size);

	if (place == SIZE_MAX) {
		ring->dropped++;
		return false;
	}
	if (place < ring->head && ring->head >= ring->tail)
		ring->wrap = ring->head;
	memcpy(ring->at + place, line.at, line.size);
	ring->head = place + line.size;
	return true;
}

struct span line_ring_take(const struct line_ring *ring, size_t most)
{
	size_t end = ring->head < ring->tail ? ring->wrap : ring->head;
	struct span all = span_make(ring->at + ring->tail, end - ring->tail);
	const char *last;

	if (all.size <= most)
		return all;
	last = memrchr(all.at, '\n', most);
	if (!last)
		last = memchr(all.at, '\n', all.size);
	return last ? span_make(all.at, (size_t)(last + 1 - all.at)) : all;
}

void line_ring_taken(struct line_ring *ring, size_t count)
{
	ring->tail += count;
	if (ring->tail == ring->head)
		ring->tail = ring->head = 0;
	else if (ring->head < ring->tail && ring->tail == ring->wrap)
		ring->tail = 0;
}

size_t line_ring_waiting(const struct line_ring *ring)
{
	return ring->head < ring->tail ? ring->wrap - ring->tail + ring->head : ring->head - ring->tail;
}
