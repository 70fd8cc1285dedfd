#include "shm/card.h"

#include <string.h>

enum { TEXTS = 11 };

/* As it lies in the arena: this head, then the texts one after the other. */
struct stored {
	int64_t not_before, not_after;
	uint16_t sizes[TEXTS];
	uint8_t kind, is_admin;
};
_Static_assert(sizeof(struct stored) == 40, "no hole in it that would carry old memory");

static const size_t text_at[TEXTS] = {
	offsetof(struct card, device),	      offsetof(struct card, person),
	offsetof(struct card, email),	      offsetof(struct card, label),
	offsetof(struct card, subject),	      offsetof(struct card, subject_slash),
	offsetof(struct card, slash_trouble), offsetof(struct card, issuer),
	offsetof(struct card, serial),	      offsetof(struct card, uri),
	offsetof(struct card, dns),
};

static const char *const kinds[KIND_COUNT] = {
	[KIND_OTHER] = "other",	  [KIND_PHONE] = "phone",   [KIND_LAPTOP] = "laptop",
	[KIND_SERVER] = "server", [KIND_SHARED] = "shared",
};

const char *device_kind_name(enum device_kind kind)
{
	return kinds[(unsigned)kind < KIND_COUNT ? kind : KIND_OTHER];
}

bool device_kind_parse(struct span name, enum device_kind *out)
{
	int kind;

	for (kind = 0; kind < KIND_COUNT; kind++) {
		if (span_is(name, kinds[kind])) {
			*out = (enum device_kind)kind;
			return true;
		}
	}
	return false;
}

static struct span text_of(const struct card *card, int i)
{
	return *(const struct span *)(const void *)((const char *)card + text_at[i]);
}

size_t card_size(const struct card *card)
{
	size_t size = sizeof(struct stored);
	int i;

	for (i = 0; i < TEXTS; i++) {
		struct span text = text_of(card, i);

		if (text.size > CARD_MOST - size)
			return 0;
		size += text.size;
	}
	return size;
}

void card_write(const struct card *card, void *at)
{
	struct stored head = {.not_before = card->not_before,
			      .not_after = card->not_after,
			      .kind = (uint8_t)card->kind,
			      .is_admin = card->is_admin};
	char *texts = (char *)at + sizeof head;
	int i;

	for (i = 0; i < TEXTS; i++) {
		struct span text = text_of(card, i);

		head.sizes[i] = (uint16_t)text.size;
		if (text.size)
			memcpy(texts, text.at, text.size);
		texts += text.size;
	}
	memcpy(at, &head, sizeof head);
}

bool card_read(const void *at, size_t room, struct card *out)
{
	struct stored head;
	const char *texts = (const char *)at + sizeof head;
	struct card card;
	int i;

	if (room < sizeof head)
		return false;
	memcpy(&head, at, sizeof head);
	room -= sizeof head;
	card = (struct card){.not_before = head.not_before,
			     .not_after = head.not_after,
			     .kind = head.kind < KIND_COUNT ? (enum device_kind)head.kind : KIND_OTHER,
			     .is_admin = head.is_admin == 1};
	for (i = 0; i < TEXTS; i++) {
		if (head.sizes[i] > room)
			return false;
		*(struct span *)(void *)((char *)&card + text_at[i]) = span_make(texts, head.sizes[i]);
		texts += head.sizes[i];
		room -= head.sizes[i];
	}
	*out = card;
	return true;
}
