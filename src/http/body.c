#include "http/body.h"

#include <assert.h>
#include <string.h>

enum { OWES_BYTES = 1, OWES_ROOM = 2, IS_SHOWING = 4 };

const char *ending_name(enum ending ending)
{
	static const char *const names[] = {
		[ENDED_DONE] = "done",
		[ENDED_CLIENT_GONE] = "client-gone",
		[ENDED_CLIENT_BAD] = "client-bad",
		[ENDED_LATE] = "late",
		[ENDED_FAR_SIDE] = "far-side",
		[ENDED_REVOKED] = "revoked",
		[ENDED_EXPIRED] = "expired",
		[ENDED_STOPPING] = "stopping",
		[ENDED_REPLACED] = "replaced",
		[ENDED_OURS] = "ours",
	};

	return names[ending];
}

static void give_notice(struct task *task)
{
	struct body *body = OWNER_OF(task, struct body, notice);
	uint8_t owed = body->owed;

	body->owed = 0;
	/* The consumer first: what it takes makes the room that the producer is told about. */
	if (owed & OWES_BYTES && body->on_bytes)
		body->on_bytes(body->consumer);
	if (owed & OWES_ROOM && body->flow == FLOW_OPEN && body->on_room)
		body->on_room(body->producer);
}

void body_init(struct body *body, struct loop *loop, struct slabs *slabs)
{
	*body = (struct body){.slabs = slabs, .loop = loop};
	task_init(&body->notice, give_notice);
}

static void give_spill(struct body *body)
{
	slab_give(body->slabs, body->spill);
	body->spill = NULL;
	body->spill_from = body->spill_to = 0;
}

void body_release(struct body *body)
{
	if (!body->slabs)
		return;
	task_cancel(&body->notice);
	give_spill(body);
	body->window = (struct span){NULL, 0};
	body->owed = 0;
}

void body_show(struct body *body, struct span bytes, bool last)
{
	if (body->flow == FLOW_FAILED)
		return;
	assert(body->flow == FLOW_OPEN && body->window.size == 0);
	body->window = bytes;
	if (last)
		body->flow = FLOW_ENDED;
	if (!body->on_bytes || (bytes.size == 0 && !last))
		return;
	body->owed |= IS_SHOWING;
	body->on_bytes(body->consumer);
	body->owed &= (uint8_t)~IS_SHOWING;
}

void body_settle(struct body *body)
{
	size_t size = body->window.size;

	if (size == 0)
		return;
	if (!body->spill) {
		body->spill = slab_take(body->slabs);
		if (!body->spill) {
			body->flow = FLOW_OPEN;
			body_fail(body, ENDED_OURS);
			return;
		}
	}
	if (body->spill_from > 0 && size > body->slabs->size - body->spill_to) {
		memmove(body->spill, body->spill + body->spill_from,
			body->spill_to - body->spill_from);
		body->spill_to -= body->spill_from;
		body->spill_from = 0;
	}
	assert(size <= body->slabs->size - body->spill_to);
	memcpy(body->spill + body->spill_to, body->window.at, size);
	body->spill_to += size;
	body->window = (struct span){NULL, 0};
}

size_t body_waiting(const struct body *body)
{
	return body->spill_to - body->spill_from + body->window.size;
}

size_t body_room(const struct body *body)
{
	size_t waiting = body_waiting(body);

	return body->flow == FLOW_OPEN && waiting < body->slabs->size ? body->slabs->size - waiting
								      : 0;
}

void body_fail(struct body *body, enum ending why)
{
	if (body->flow != FLOW_OPEN)
		return;
	body->flow = FLOW_FAILED;
	body->why = why;
	body->window = (struct span){NULL, 0};
	give_spill(body);
	body_notify(body);
}

void body_notify(struct body *body)
{
	body->owed |= OWES_BYTES;
	loop_post(body->loop, &body->notice);
}

struct span body_peek(const struct body *body)
{
	if (body->spill_from < body->spill_to)
		return span_make(body->spill + body->spill_from, body->spill_to - body->spill_from);
	return body->window;
}

void body_consume(struct body *body, size_t count)
{
	if (count == 0)
		return;
	if (body->spill_from < body->spill_to) {
		assert(count <= body->spill_to - body->spill_from);
		body->spill_from += count;
		if (body->spill_from == body->spill_to)
			give_spill(body);
	} else {
		assert(count <= body->window.size);
		span_skip(&body->window, count);
	}
	/* A producer that is showing sees the room by itself. */
	if (body->flow != FLOW_OPEN || body->owed & IS_SHOWING || !body->on_room)
		return;
	body->owed |= OWES_ROOM;
	loop_post(body->loop, &body->notice);
}
