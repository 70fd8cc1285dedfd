#include "shm/roster.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/random.h"
#include "shm/roster_layout.h"

enum { GROUPS_MOST = 256, ENTRIES_A_PAGE = 4096 / sizeof(struct roster_entry) };

static uint32_t slots_for(uint64_t expected)
{
	uint32_t slots = ROSTER_SLOTS_LEAST;

	/* At half load, so that a search ends after a step or two. */
	while (slots < ROSTER_SLOTS_MOST && slots / 2 < expected)
		slots *= 2;
	return slots;
}

enum status roster_new(uint64_t expected, struct roster **out, struct error *err)
{
	struct roster *roster = calloc(1, sizeof *roster);
	enum status status;

	if (!roster)
		return error_fail(err, "no memory for a roster");
	roster->slots = slots_for(expected);
	roster->group_count = ROSTER_GROUP_ROWS;
	roster->arena_size = (uint64_t)roster->slots * ROSTER_ARENA_A_SLOT;
	status = memory_make(&roster->memory, "roster",
			     roster_memory_size(roster->slots, roster->group_count,
						roster->arena_size),
			     MEMORY_ONE_WRITER, err);
	if (status != OK) {
		free(roster);
		return status;
	}
	roster_lay_out(roster);
	roster->arena_used = 8; /* index 0 is "none" */
	random_bytes(&roster->generation, sizeof roster->generation);
	memcpy(roster->head->magic, roster_magic, sizeof roster_magic);
	roster->head->generation = roster->generation;
	roster->head->arena_size = roster->arena_size;
	roster->head->slots = roster->slots;
	roster->head->group_rows = roster->group_count;
	*out = roster;
	return OK;
}

int roster_fd(const struct roster *roster)
{
	return roster->memory.fd;
}

/* 0: full. */
static uint32_t arena_take(struct roster *roster, size_t size)
{
	uint64_t index = roster->arena_used / 8;

	if (size > roster->arena_size - roster->arena_used)
		return 0;
	roster->arena_used += (size + 7) & ~(uint64_t)7;
	return (uint32_t)index;
}

static int compare_names(const void *a, const void *b)
{
	const struct span *first = a, *second = b;
	size_t common = first->size < second->size ? first->size : second->size;
	int order = common ? memcmp(first->at, second->at, common) : 0;

	return order ? order : (first->size > second->size) - (first->size < second->size);
}

static enum status split_groups(struct span text, struct span names[GROUPS_MOST], size_t *count,
				struct error *err)
{
	struct span name;
	size_t i;

	if (text.size > ROSTER_GROUPS_TEXT_MOST)
		return error_refuse(err, "the groups' names have more than %d bytes",
				    ROSTER_GROUPS_TEXT_MOST);
	for (i = 0; i < text.size; i++)
		if ((unsigned char)text.at[i] < ' ' || text.at[i] == 0x7f)
			return error_refuse(err, "a group's name holds a control character");
	for (*count = 0; span_cut(&text, ',', &name);) {
		name = span_trim(name);
		if (name.size == 0)
			continue;
		if (*count == GROUPS_MOST)
			return error_refuse(err, "more than %d groups", GROUPS_MOST);
		names[(*count)++] = name;
	}
	qsort(names, *count, sizeof names[0], compare_names);
	return OK;
}

/* Sorted, each once: the same set is always the same text. */
static enum status canonical_groups(struct span groups, char *out, size_t *size, struct error *err)
{
	struct span names[GROUPS_MOST];
	size_t count = 0, i, used = 0;
	enum status status = split_groups(groups, names, &count, err);

	for (i = 0; status == OK && i < count; i++) {
		if (i > 0 && span_equals(names[i], names[i - 1]))
			continue;
		if (used)
			out[used++] = ',';
		memcpy(out + used, names[i].at, names[i].size);
		used += names[i].size;
	}
	*size = used;
	return status;
}

/* AGAIN: no row or no arena left. */
static enum status group_set_for(struct roster *roster, struct span groups, uint32_t *set,
				 struct error *err)
{
	char text[ROSTER_GROUPS_TEXT_MOST];
	struct roster_group_row *row;
	size_t size;
	uint32_t i, index;
	enum status status = canonical_groups(groups, text, &size, err);

	*set = 0;
	if (status != OK || size == 0)
		return status;
	for (i = 1; i <= roster->groups_used; i++) {
		if (span_equals(roster_groups(roster, i), span_make(text, size))) {
			*set = i;
			return OK;
		}
	}
	if (roster->groups_used == roster->group_count)
		return AGAIN;
	index = arena_take(roster, size);
	if (!index)
		return AGAIN;
	memcpy(roster->arena + (uint64_t)index * 8, text, size);
	row = &roster->group_rows[roster->groups_used++];
	atomic_store_explicit(&row->index, index, memory_order_relaxed);
	atomic_store_explicit(&row->size, (uint32_t)size, memory_order_release);
	*set = roster->groups_used;
	return OK;
}

static enum status card_for(struct roster *roster, const struct roster_row *row, uint32_t *index,
			    struct error *err)
{
	struct card card = row->card;
	size_t size;

	card.not_before = row->not_before;
	card.not_after = row->not_after;
	size = card_size(&card);
	if (size == 0)
		return error_refuse(err, "the texts of its card have more than %d bytes", CARD_MOST);
	*index = arena_take(roster, size);
	if (!*index)
		return AGAIN;
	card_write(&card, roster->arena + (uint64_t)*index * 8);
	return OK;
}

/* The card that an entry has already, if it says the same: a second publication costs no arena. */
static bool has_card(const struct roster *roster, const struct roster_entry *entry,
		     const struct roster_row *row)
{
	uint64_t offset = (uint64_t)atomic_load_explicit(&entry->card, memory_order_relaxed) * 8;
	char wanted[CARD_MOST];
	struct card card = row->card;
	size_t size;

	card.not_before = row->not_before;
	card.not_after = row->not_after;
	size = card_size(&card);
	if (size == 0 || offset == 0 || offset + size > roster->arena_used)
		return false;
	card_write(&card, wanted);
	return memcmp(roster->arena + offset, wanted, size) == 0;
}

/* That fingerprint's entry, or the empty one to put it in; NULL: 64 steps and neither. */
static struct roster_entry *place_of(const struct roster *roster, const uint8_t fingerprint[32])
{
	uint32_t slot = roster_first_slot(roster, fingerprint);
	int step;

	for (step = 0; step < ROSTER_STEPS_MOST; step++) {
		struct roster_entry *entry = &roster->entries[slot];

		if (atomic_load_explicit(&entry->verdict, memory_order_relaxed) == 0 ||
		    memcmp(entry->fingerprint, fingerprint, sizeof entry->fingerprint) == 0)
			return entry;
		slot = (slot + 1) & (roster->slots - 1);
	}
	return NULL;
}

static uint32_t date(int64_t seconds)
{
	return seconds < 0 ? 0 : seconds > UINT32_MAX ? UINT32_MAX : (uint32_t)seconds;
}

static bool is_storable(enum roster_state state)
{
	return state >= ROSTER_ACTIVE && state <= ROSTER_PENDING;
}

enum status roster_put(struct roster *roster, const struct roster_row *row, struct error *err)
{
	struct roster_entry *entry = place_of(roster, row->fingerprint);
	uint32_t set, card;
	uint64_t verdict;
	bool is_new;
	enum status status;

	if (!entry)
		return AGAIN;
	if (!is_storable(row->state))
		return error_refuse(err, "no certificate is in state %d", (int)row->state);
	is_new = atomic_load_explicit(&entry->verdict, memory_order_relaxed) == 0;
	if (is_new && roster_count(roster) >= roster->slots / 4 * 3)
		return AGAIN;
	if (!is_new && (memcmp(entry->device, row->device, sizeof entry->device) != 0 ||
			entry->not_before != date(row->not_before)))
		return error_refuse(err, "it is in the roster for another device or date");
	TRY(group_set_for(roster, row->groups, &set, err));
	if (is_new || !has_card(roster, entry, row)) {
		TRY(card_for(roster, row, &card, err));
		if (is_new) {
			memcpy(entry->fingerprint, row->fingerprint, sizeof entry->fingerprint);
			memcpy(entry->device, row->device, sizeof entry->device);
			entry->not_before = date(row->not_before);
		}
		atomic_store_explicit(&entry->card, card, memory_order_release);
	}
	verdict = (uint64_t)date(row->not_after) << 32 | (uint64_t)set << 8 | (uint64_t)row->state;
	atomic_store_explicit(&entry->verdict, verdict, memory_order_release);
	if (is_new)
		atomic_store_explicit(&roster->head->count, roster_count(roster) + 1,
				      memory_order_relaxed);
done:
	return status;
}

bool roster_set_state(struct roster *roster, const uint8_t fingerprint[static 32],
		      enum roster_state state)
{
	struct roster_entry *entry = place_of(roster, fingerprint);
	uint64_t verdict = entry ? atomic_load_explicit(&entry->verdict, memory_order_relaxed) : 0;

	if (verdict == 0 || !is_storable(state))
		return false;
	verdict = (verdict & ~(uint64_t)0xff) | (uint64_t)state;
	atomic_store_explicit(&entry->verdict, verdict, memory_order_seq_cst);
	return true;
}

static bool is_among(const uint8_t device[16], const uint8_t (*devices)[16], unsigned count)
{
	unsigned i;

	for (i = 0; i < count; i++)
		if (memcmp(device, devices[i], 16) == 0)
			return true;
	return false;
}

/* Reading a part of shared memory that was never written would make the kernel find memory for it. */
static uint32_t next_written(const struct roster *roster, uint32_t slot)
{
	off_t at = (off_t)(ROSTER_HEAD_SIZE + (size_t)slot * sizeof(struct roster_entry));
	off_t written = lseek(roster->memory.fd, at, SEEK_DATA);

	if (written < 0)
		return errno == ENXIO ? roster->slots : slot;
	if (written <= at)
		return slot;
	return (uint32_t)(((size_t)written - ROSTER_HEAD_SIZE) / sizeof(struct roster_entry));
}

unsigned roster_revoke_devices(struct roster *roster, const uint8_t (*devices)[16], unsigned count)
{
	bool first[256] = {false}; /* most entries are passed by this alone */
	unsigned done = 0, i;
	uint32_t slot;

	for (i = 0; i < count; i++)
		first[devices[i][0]] = true;
	for (slot = 0; count && slot < roster->slots; slot++) {
		struct roster_entry *entry;

		if (slot % ENTRIES_A_PAGE == 0)
			slot = next_written(roster, slot);
		if (slot >= roster->slots)
			break;
		entry = &roster->entries[slot];
		if (!first[entry->device[0]] ||
		    atomic_load_explicit(&entry->verdict, memory_order_relaxed) == 0 ||
		    !is_among(entry->device, devices, count))
			continue;
		done += roster_set_state(roster, entry->fingerprint, ROSTER_REVOKED);
	}
	return done;
}

bool roster_is_full(const struct roster *roster)
{
	return roster_count(roster) >= roster->slots / 5 * 3 ||
	       roster->arena_used >= roster->arena_size / 10 * 9 ||
	       roster->groups_used >= roster->group_count / 10 * 9;
}

void roster_touch(struct roster *roster, int64_t wall)
{
	atomic_store_explicit(&roster->head->touched, (uint64_t)wall, memory_order_relaxed);
}
