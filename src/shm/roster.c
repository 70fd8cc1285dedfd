#include "shm/roster.h"

#include <stdlib.h>
#include <string.h>

#include "shm/roster_layout.h"

const char roster_magic[8] = "CHTROST1";

size_t roster_memory_size(uint32_t slots, uint32_t group_rows, uint64_t arena_size)
{
	return ROSTER_HEAD_SIZE + (size_t)slots * sizeof(struct roster_entry) +
	       (size_t)group_rows * sizeof(struct roster_group_row) + arena_size;
}

void roster_lay_out(struct roster *roster)
{
	char *at = roster->memory.at;

	roster->head = (void *)at;
	at += ROSTER_HEAD_SIZE;
	roster->entries = (void *)at;
	at += (size_t)roster->slots * sizeof *roster->entries;
	roster->group_rows = (void *)at;
	at += (size_t)roster->group_count * sizeof *roster->group_rows;
	roster->arena = at;
}

static enum status check_head(struct roster *roster, struct error *err)
{
	struct roster_head head;

	memcpy(&head, roster->memory.at, sizeof head);
	if (memcmp(head.magic, roster_magic, sizeof head.magic) != 0)
		return error_refuse(err, "it is none");
	if (head.slots < ROSTER_SLOTS_LEAST || head.slots > ROSTER_SLOTS_MOST ||
	    (head.slots & (head.slots - 1)) || head.group_rows > ROSTER_GROUP_ROWS ||
	    head.arena_size > roster->memory.size ||
	    roster_memory_size(head.slots, head.group_rows, head.arena_size) != roster->memory.size)
		return error_refuse(err, "its head is damaged");
	roster->slots = head.slots;
	roster->group_count = head.group_rows;
	roster->arena_size = head.arena_size;
	roster->generation = head.generation;
	return OK;
}

enum status roster_open(int fd, struct roster **out, struct error *err)
{
	struct roster *roster = calloc(1, sizeof *roster);
	enum status status;

	if (!roster)
		return error_fail(err, "no memory for a roster");
	TRY(memory_map(&roster->memory, fd, ROSTER_HEAD_SIZE, (size_t)1 << 40, MEMORY_ONE_WRITER,
		       err));
	TRY(check_head(roster, err));
	roster_lay_out(roster);
	*out = roster;
	roster = NULL;
done:
	if (status != OK)
		error_context(err, "roster");
	roster_free(roster);
	return status;
}

void roster_free(struct roster *roster)
{
	if (!roster)
		return;
	memory_release(&roster->memory);
	free(roster);
}

uint64_t roster_generation(const struct roster *roster)
{
	return roster->generation;
}

static void fill(struct standing *out, const struct roster_entry *entry, uint64_t verdict)
{
	unsigned state = verdict & 0xff;

	out->entry = entry;
	out->verdict = verdict;
	/* After the verdict: a card is published before it. */
	out->card = atomic_load_explicit(&entry->card, memory_order_acquire);
	out->state = state >= ROSTER_ACTIVE && state <= ROSTER_PENDING ? (enum roster_state)state
								       : ROSTER_REVOKED;
	out->group_set = verdict >> 8 & 0xffffff;
	out->not_after = (int64_t)(verdict >> 32);
	out->not_before = entry->not_before;
}

bool roster_find(const struct roster *roster, const uint8_t fingerprint[static 32],
		 struct standing *out)
{
	uint32_t slot = roster_first_slot(roster, fingerprint);
	int step;

	for (step = 0; step < ROSTER_STEPS_MOST; step++) {
		const struct roster_entry *entry = &roster->entries[slot];
		uint64_t verdict = atomic_load_explicit(&entry->verdict, memory_order_acquire);

		if (verdict == 0)
			return false;
		if (memcmp(entry->fingerprint, fingerprint, sizeof entry->fingerprint) == 0) {
			fill(out, entry, verdict);
			out->generation = roster->generation;
			memcpy(out->fingerprint, fingerprint, sizeof out->fingerprint);
			memcpy(out->device, entry->device, sizeof out->device);
			return true;
		}
		slot = (slot + 1) & (roster->slots - 1);
	}
	return false;
}

/* Where two rosters give a set or a card another number, a change is reported though there may be
 * none; that costs one rebuilt header. */
static enum reread look_up_again(const struct roster *roster, struct standing *standing)
{
	uint8_t fingerprint[32];

	memcpy(fingerprint, standing->fingerprint, sizeof fingerprint);
	if (roster_find(roster, fingerprint, standing))
		return STANDING_CHANGED;
	standing->state = ROSTER_REVOKED;
	standing->card = 0;
	standing->group_set = 0;
	return STANDING_GONE;
}

enum reread roster_reread(const struct roster *roster, struct standing *standing)
{
	uint64_t verdict;

	if (standing->generation != roster->generation)
		return look_up_again(roster, standing);
	verdict = atomic_load_explicit(&standing->entry->verdict, memory_order_acquire);
	if (verdict == standing->verdict &&
	    atomic_load_explicit(&standing->entry->card, memory_order_acquire) == standing->card)
		return STANDING_SAME;
	fill(standing, standing->entry, verdict);
	return STANDING_CHANGED;
}

enum roster_state roster_judge(const struct standing *standing, int64_t now)
{
	if (standing->state != ROSTER_ACTIVE)
		return standing->state;
	if (now > standing->not_after)
		return ROSTER_EXPIRED;
	return now < standing->not_before ? ROSTER_NOT_YET : ROSTER_ACTIVE;
}

bool roster_card(const struct roster *roster, const struct standing *standing, struct card *out)
{
	uint64_t offset = (uint64_t)standing->card * 8;

	if (standing->generation == roster->generation && standing->card &&
	    offset < roster->arena_size &&
	    card_read(roster->arena + offset, roster->arena_size - offset, out))
		return true;
	*out = (struct card){.device = {"", 0}};
	return false;
}

struct span roster_groups(const struct roster *roster, uint32_t group_set)
{
	const struct roster_group_row *row;
	uint64_t offset;
	uint32_t size;

	if (group_set == 0 || group_set > roster->group_count)
		return SPAN("");
	row = &roster->group_rows[group_set - 1];
	size = atomic_load_explicit(&row->size, memory_order_acquire);
	offset = (uint64_t)atomic_load_explicit(&row->index, memory_order_relaxed) * 8;
	if (offset >= roster->arena_size || size > roster->arena_size - offset)
		return SPAN("");
	return span_make(roster->arena + offset, size);
}

bool roster_set_has(const struct roster *roster, uint32_t group_set, struct span group)
{
	struct span rest = roster_groups(roster, group_set), name;

	while (span_cut(&rest, ',', &name))
		if (span_equals(name, group))
			return true;
	return false;
}

int64_t roster_touched_at(const struct roster *roster)
{
	return (int64_t)atomic_load_explicit(&roster->head->touched, memory_order_relaxed);
}

uint64_t roster_count(const struct roster *roster)
{
	return atomic_load_explicit(&roster->head->count, memory_order_relaxed);
}
