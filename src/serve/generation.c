#include <stdlib.h>

#include "base/log.h"
#include "serve/supervisor_parts.h"

/* For a gateway that was told to end: its last words, and a turn or two. */
enum { LAST_WORDS_SECONDS = 5 };

static bool has_duty(const struct part *part, enum duty duty)
{
	return part_is_gateway(part) && part->duty == duty;
}

static unsigned count_free(const struct supervisor *supervisor)
{
	unsigned count = 0, i;

	for (i = GATEWAY_FIRST; i < PARTS_MOST; i++)
		count += supervisor->parts[i].duty == DUTY_NONE;
	return count;
}

/* How many generations drain and are not told to hurry yet; *oldest is the first of them. */
static unsigned count_draining(const struct supervisor *supervisor, uint32_t *oldest)
{
	uint32_t seen[PARTS_MOST];
	unsigned count = 0, i, j;

	for (i = GATEWAY_FIRST; i < PARTS_MOST; i++) {
		const struct part *part = &supervisor->parts[i];

		if (!has_duty(part, DUTY_DRAINS) || part->end_by <= supervisor_now(supervisor) + SECONDS(LAST_WORDS_SECONDS))
			continue;
		for (j = 0; j < count && seen[j] != part->generation;)
			j++;
		if (j == count)
			seen[count++] = part->generation;
		if (count == 1 || part->generation < *oldest)
			*oldest = part->generation;
	}
	return count;
}

static void drain(struct part *part, uint32_t seconds)
{
	part->duty = DUTY_DRAINS;
	part->end_by = supervisor_now(part->supervisor) + SECONDS((int64_t)seconds + LAST_WORDS_SECONDS);
	(void)part_order(part, (struct order){ORDER_DRAIN, seconds}, -1);
}

static void hurry(struct supervisor *supervisor, uint32_t generation)
{
	unsigned i;

	log_say(LOG_WARNING, "drain", "too many generations of gateways drain: the oldest closes its connections now");
	for (i = GATEWAY_FIRST; i < PARTS_MOST; i++)
		if (has_duty(&supervisor->parts[i], DUTY_DRAINS) && supervisor->parts[i].generation == generation)
			drain(&supervisor->parts[i], 0);
}

static bool make_room(struct supervisor *supervisor, unsigned wanted)
{
	uint32_t oldest = 0;
	unsigned draining = count_draining(supervisor, &oldest);
	bool has_room = count_free(supervisor) >= wanted;

	/* One more begins to drain when this one serves. */
	if (draining >= DRAINING_MOST || (!has_room && draining))
		hurry(supervisor, oldest);
	return has_room;
}

enum status generation_begin(struct supervisor *supervisor, const struct prepared *prepared,
			     const struct sockets *sockets, struct error *err)
{
	unsigned left = prepared->plan.workers, i;
	enum status status;

	if (!make_room(supervisor, left))
		return AGAIN;
	supervisor->generation++;
	for (i = GATEWAY_FIRST; i < PARTS_MOST && left; i++) {
		struct part *part = &supervisor->parts[i];

		if (part->duty != DUTY_NONE)
			continue;
		*part = (struct part){.child = {.role = "gateway", .slot = i, .orders = -1},
				      .supervisor = supervisor,
				      .duty = DUTY_COMES,
				      .generation = supervisor->generation};
		status = part_start(part, prepared, sockets, err);
		if (status != OK) {
			generation_abandon(supervisor);
			return FAILED;
		}
		left--;
	}
	return OK;
}

bool generation_is_ready(const struct supervisor *supervisor)
{
	unsigned i;

	for (i = GATEWAY_FIRST; i < PARTS_MOST; i++)
		if (has_duty(&supervisor->parts[i], DUTY_COMES) && supervisor->parts[i].child.state != CHILD_READY)
			return false;
	return true;
}

static void retire(struct part *part)
{
	if (part->child.pid)
		drain(part, part->supervisor->now.plan.drain_seconds);
	else
		part->duty = DUTY_NONE; /* it was to be started again */
}

void generation_take_over(struct supervisor *supervisor)
{
	unsigned i;

	for (i = GATEWAY_FIRST; i < PARTS_MOST; i++) {
		struct part *part = &supervisor->parts[i];

		if (has_duty(part, DUTY_SERVES)) {
			retire(part);
		} else if (has_duty(part, DUTY_COMES)) {
			part->duty = DUTY_SERVES;
			(void)part_order(part, (struct order){ORDER_OPEN, 0}, -1);
		}
	}
	generation_inform_draining(supervisor);
}

void generation_abandon(struct supervisor *supervisor)
{
	unsigned i;

	for (i = GATEWAY_FIRST; i < PARTS_MOST; i++) {
		struct part *part = &supervisor->parts[i];

		if (!has_duty(part, DUTY_COMES))
			continue;
		part->duty = part->child.pid ? DUTY_DRAINS : DUTY_NONE;
		part->end_by = supervisor_now(supervisor);
		part_end(part, "its generation does not come up");
	}
}

void generation_inform_draining(struct supervisor *supervisor)
{
	unsigned i;

	for (i = GATEWAY_FIRST; i < PARTS_MOST; i++)
		if (has_duty(&supervisor->parts[i], DUTY_DRAINS))
			(void)part_order(&supervisor->parts[i], (struct order){ORDER_BUNDLE, supervisor->now.number},
					 supervisor->now.bundle);
}

bool part_is_overdue(const struct part *part)
{
	return has_duty(part, DUTY_DRAINS) && supervisor_now(part->supervisor) > part->end_by;
}
