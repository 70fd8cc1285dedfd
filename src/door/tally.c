#include "door/tally.h"

#include <arpa/inet.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/random.h"
#include "base/siphash.h"
#include "door/client_kind.h"
#include "wire/target.h"

/* A key is its parts with a line end behind each, then kind and device. */
enum {
	SLOTS = 2 * TALLY_ROWS,
	KEY_MOST = TALLY_SITE_SIZE + 1 + 2 * TALLY_PATH_SIZE + TALLY_SOURCE_SIZE + TALLY_CODE_SIZE + 2 + 16,
	SEGMENT_MOST = 32,
	ID_LEAST = 16,
	SEGMENTS = 2,
	DETAILS_MOST = TALLY_ROWS / 4 * 3, /* the rest is for one row an address */
};

struct slot {
	uint64_t hash;
	uint16_t size;    /* of the key; 0: free */
	uint16_t details; /* of the row for all of an address: how many others it has */
	bool is_taken;    /* given since tally_begin */
	uint64_t count, told;
	int64_t first, last;
	char key[KEY_MOST];
};

struct tally {
	struct slot *slots, *spare;
	size_t count, at; /* rows; where tally_take goes on */
	uint64_t uncounted, uncounted_told;
	uint8_t secret[16];
	bool is_waiting; /* on_first was called, and not all was told since */
	void (*on_first)(void *arg);
	void *arg;
};

enum status tally_new(void (*on_first)(void *arg), void *arg, struct tally **out, struct error *err)
{
	struct tally *tally = calloc(1, sizeof *tally);

	if (!tally)
		return error_fail(err, "no memory for the tally");
	/* Pages that nothing is counted in are never touched. */
	tally->slots = calloc(SLOTS, sizeof *tally->slots);
	tally->spare = calloc(SLOTS, sizeof *tally->spare);
	if (!tally->slots || !tally->spare) {
		tally_free(tally);
		return error_fail(err, "no memory for the tally");
	}
	random_bytes(tally->secret, sizeof tally->secret);
	tally_on_first(tally, on_first, arg);
	*out = tally;
	return OK;
}

void tally_free(struct tally *tally)
{
	if (!tally)
		return;
	free(tally->slots);
	free(tally->spare);
	free(tally);
}

void tally_on_first(struct tally *tally, void (*on_first)(void *arg), void *arg)
{
	tally->on_first = on_first;
	tally->arg = arg;
}

/* -- what a row says -- */

/* A message's, a room's or a user's number, a token: of these there are too many to count each, and some are
 * secret. */
static bool is_id(struct span segment)
{
	bool has_digit = false, has_upper = false, has_lower = false, has_other = false;
	size_t i;

	for (i = 0; i < segment.size; i++) {
		char c = segment.at[i];

		has_digit |= c >= '0' && c <= '9';
		has_upper |= c >= 'A' && c <= 'Z';
		has_lower |= c >= 'a' && c <= 'z';
		has_other |= !((c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z'));
	}
	if (segment.size > SEGMENT_MOST || (has_digit && !has_upper && !has_lower && !has_other))
		return true;
	return segment.size >= ID_LEAST && (has_digit || (has_upper && has_lower && !has_other));
}

static size_t copy_visible(struct span text, char *out, size_t room)
{
	size_t size = text.size < room ? text.size : room, i;

	for (i = 0; i < size; i++)
		out[i] = text.at[i] > ' ' && text.at[i] < 0x7f ? text.at[i] : '?';
	return size;
}

void tally_path(struct span path, char out[static TALLY_PATH_SIZE])
{
	struct span rest = path, segment;
	size_t used = 0, taken = 0;

	/* "*" of OPTIONS has no segments. */
	while (taken < SEGMENTS && rest.size > 0 && rest.at[0] == '/' && path_next_segment(&rest, &segment)) {
		if (segment.size == 0)
			continue;
		out[used++] = '/';
		used += is_id(segment) ? copy_visible(SPAN("*"), out + used, 1)
				       : copy_visible(segment, out + used, SEGMENT_MOST);
		taken++;
	}
	if (used == 0)
		out[used++] = '/';
	out[used] = 0;
}

void tally_source(struct span client, char out[static TALLY_SOURCE_SIZE])
{
	struct address address;
	size_t size;

	if (memchr(client.at, ':', client.size) && address_parse_ip(client, &address) &&
	    address.any.sa_family == AF_INET6 && !IN6_IS_ADDR_V4MAPPED(&address.in6.sin6_addr)) {
		memset(address.in6.sin6_addr.s6_addr + 7, 0, 9);
		if (inet_ntop(AF_INET6, &address.in6.sin6_addr, out, INET6_ADDRSTRLEN)) {
			memcpy(out + strlen(out), "/56", sizeof "/56");
			return;
		}
	}
	size = copy_visible(client, out, TALLY_SOURCE_SIZE - 1);
	out[size] = 0;
}

struct key {
	size_t size;
	char at[KEY_MOST];
};

static void put(struct key *key, struct span text, size_t most)
{
	key->size += copy_visible(text, key->at + key->size, most - 1);
	key->at[key->size++] = '\n';
}

static void make_key(const struct tally_event *event, const char *path, const char *source, bool for_all,
		     struct key *out)
{
	out->size = 0;
	/* A wildcard's name is kept without its asterisk. */
	if (event->site.size > 0 && event->site.at[0] == '.')
		out->at[out->size++] = '*';
	put(out, event->site, TALLY_SITE_SIZE - 1);
	put(out, span_of(for_all ? "" : event->location), TALLY_PATH_SIZE);
	put(out, span_of(path), TALLY_PATH_SIZE);
	put(out, span_of(source), TALLY_SOURCE_SIZE);
	put(out, span_of(event->code), TALLY_CODE_SIZE);
	out->at[out->size++] = (char)event->client_kind;
	if (event->device && !for_all) {
		memcpy(out->at + out->size, event->device, 16);
		out->size += 16;
	}
}

static void take_part(struct span *rest, char *out)
{
	struct span part = {"", 0};

	(void)span_cut(rest, '\n', &part);
	if (part.size > 0)
		memcpy(out, part.at, part.size);
	out[part.size] = 0;
}

/* Parts hold no line end, so that the last one stands before kind and device. */
static void read_key(const struct slot *slot, struct tally_row *out)
{
	struct span rest = span_make(slot->key, slot->size);

	take_part(&rest, out->site);
	take_part(&rest, out->location);
	take_part(&rest, out->path);
	take_part(&rest, out->source);
	take_part(&rest, out->code);
	out->client_kind = (unsigned char)rest.at[0];
	out->has_device = rest.size == 17;
	if (out->has_device)
		memcpy(out->device, rest.at + 1, 16);
}

/* -- the table -- */

static struct slot *probe(struct slot *slots, uint64_t hash, const char *key, size_t size)
{
	size_t i = hash % SLOTS;

	/* Never more than half full. */
	while (slots[i].size > 0 &&
	       (slots[i].hash != hash || slots[i].size != size || memcmp(slots[i].key, key, size) != 0))
		i = (i + 1) % SLOTS;
	return &slots[i];
}

/* NULL: not there, and not to be made, or there is no room. */
static struct slot *find(struct tally *tally, const struct key *key, bool may_make)
{
	uint64_t hash = siphash(tally->secret, key->at, key->size);
	struct slot *slot = probe(tally->slots, hash, key->at, key->size);

	if (slot->size > 0)
		return slot;
	if (!may_make || tally->count == TALLY_ROWS)
		return NULL;
	tally->count++;
	*slot = (struct slot){.hash = hash, .size = (uint16_t)key->size};
	memcpy(slot->key, key->at, key->size);
	return slot;
}

static void count_in(struct slot *slot, int64_t now)
{
	if (slot->count++ == 0)
		slot->first = now;
	slot->last = now;
}

/* Clients can say they are of any kind: an address has one such row, and one limit, for all of them. */
static struct slot *find_all_of(struct tally *tally, const struct tally_event *event, const char *source)
{
	struct tally_event any = *event;
	struct key key;

	any.client_kind = CLIENT_KIND_OTHER;
	make_key(&any, "*", source, true, &key);
	return find(tally, &key, true);
}

static struct slot *find_row(struct tally *tally, const struct tally_event *event)
{
	char path[TALLY_PATH_SIZE], source[TALLY_SOURCE_SIZE];
	struct slot *slot, *all;
	struct key key;

	tally_path(event->path, path);
	tally_source(event->client, source);
	make_key(event, path, source, false, &key);
	slot = find(tally, &key, false);
	if (slot)
		return slot;
	all = find_all_of(tally, event, source);
	if (!all || all->details == TALLY_PATHS_A_SOURCE || tally->count >= DETAILS_MOST)
		return all;
	slot = find(tally, &key, true);
	all->details++;
	return slot;
}

void tally_add(struct tally *tally, const struct tally_event *event)
{
	struct slot *slot = find_row(tally, event);

	if (slot)
		count_in(slot, event->now);
	else
		tally->uncounted++;
	if (tally->is_waiting)
		return;
	tally->is_waiting = true;
	if (tally->on_first)
		tally->on_first(tally->arg);
}

/* -- telling -- */

/* Rows of which all was told give their room back. */
bool tally_end(struct tally *tally)
{
	struct slot *swept = tally->spare;
	size_t i;

	memset(swept, 0, SLOTS * sizeof *swept);
	tally->count = 0;
	for (i = 0; i < SLOTS; i++) {
		struct slot *slot = &tally->slots[i];

		if (slot->size == 0 || slot->count == 0)
			continue;
		slot->details = 0;
		*probe(swept, slot->hash, slot->key, slot->size) = *slot;
		tally->count++;
	}
	tally->spare = tally->slots;
	tally->slots = swept;
	return tally->is_waiting = tally->count > 0 || tally->uncounted > 0;
}

void tally_begin(struct tally *tally)
{
	size_t i;

	tally->at = 0;
	for (i = 0; i < SLOTS; i++)
		tally->slots[i].is_taken = false;
}

size_t tally_take(struct tally *tally, struct tally_row *out, size_t most)
{
	size_t taken = 0;

	for (; tally->at < SLOTS && taken < most; tally->at++) {
		struct slot *slot = &tally->slots[tally->at];

		if (slot->size == 0 || slot->count == 0 || slot->is_taken)
			continue;
		read_key(slot, &out[taken]);
		out[taken].count = slot->told = slot->count;
		out[taken].first = slot->first;
		out[taken].last = slot->last;
		slot->is_taken = true;
		taken++;
	}
	return taken;
}

uint64_t tally_take_uncounted(struct tally *tally)
{
	return tally->uncounted_told = tally->uncounted;
}

void tally_told(struct tally *tally, bool arrived)
{
	size_t i;

	for (i = 0; i < SLOTS; i++) {
		struct slot *slot = &tally->slots[i];

		if (slot->told == 0)
			continue;
		if (arrived) {
			slot->count -= slot->told;
			slot->first = slot->last;
		}
		slot->told = 0;
	}
	if (arrived)
		tally->uncounted -= tally->uncounted_told;
	tally->uncounted_told = 0;
}
