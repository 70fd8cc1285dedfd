#include "pki/recovery.h"

#include <stdio.h>
#include <string.h>

#include "base/buffer.h"
#include "base/random.h"
#include "pki/digest.h"

enum {
	DATA_IN_GROUP = RECOVERY_GROUP_SIZE - 1,
	VALUES = RECOVERY_GROUPS * RECOVERY_GROUP_SIZE,
	ENTROPY_SIZE = 16,
};

static const char alphabet[] = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/* In GF(32) by x^5 + x^2 + 1. */
static uint8_t times(uint8_t a, uint8_t b)
{
	uint8_t product = 0;

	for (; b; b >>= 1) {
		if (b & 1)
			product ^= a;
		a = (uint8_t)(a << 1);
		if (a & 32)
			a ^= 0x25;
	}
	return product;
}

/* A different power of 2 weighs each place, so that one wrong character and any two that changed
 * places always show; the group's number makes groups that changed places show. */
static uint8_t check_of(const uint8_t *values, int group)
{
	uint8_t weight = 2, sum = (uint8_t)(group + 1);
	int i;

	for (i = 0; i < DATA_IN_GROUP; i++, weight = times(weight, 2))
		sum ^= times(values[i], weight);
	return sum;
}

/* The 12 bits that check the whole. */
static unsigned check_of_all(const uint8_t entropy[ENTROPY_SIZE])
{
	uint8_t hash[SHA256_SIZE];

	digest_sha256(span_make(entropy, ENTROPY_SIZE), hash);
	return (unsigned)hash[0] << 4 | hash[1] >> 4;
}

static struct secret *as_text(const uint8_t values[VALUES])
{
	struct secret *text = secret_new(RECOVERY_TEXT_SIZE);
	int i, at = 0;

	for (i = 0; i < VALUES; i++) {
		if (i && i % RECOVERY_GROUP_SIZE == 0)
			text->bytes[at++] = '-';
		text->bytes[at++] = (uint8_t)alphabet[values[i]];
	}
	return text;
}

struct secret *recovery_make(void)
{
	uint8_t bytes[ENTROPY_SIZE + 2], values[VALUES];
	struct secret *text;
	unsigned check;
	int i, bit, at = 0;

	random_bytes(bytes, ENTROPY_SIZE);
	check = check_of_all(bytes);
	bytes[ENTROPY_SIZE] = (uint8_t)(check >> 4);
	bytes[ENTROPY_SIZE + 1] = (uint8_t)(check << 4);
	for (i = 0; i < VALUES; i++) {
		int group = i / RECOVERY_GROUP_SIZE;

		if (i % RECOVERY_GROUP_SIZE == DATA_IN_GROUP) {
			values[i] = check_of(values + i - DATA_IN_GROUP, group);
			continue;
		}
		values[i] = 0;
		for (bit = 0; bit < 5; bit++, at++)
			values[i] = (uint8_t)(values[i] << 1 | (bytes[at / 8] >> (7 - at % 8) & 1));
	}
	text = as_text(values);
	explicit_bzero(bytes, sizeof bytes);
	explicit_bzero(values, sizeof values);
	return text;
}

static int value_of(char c)
{
	const char *found;

	if (c >= 'a' && c <= 'z')
		c = (char)(c - 'a' + 'A');
	if (c == 'O')
		c = '0';
	if (c == 'I' || c == 'L')
		c = '1';
	found = c ? strchr(alphabet, c) : NULL;
	return found ? (int)(found - alphabet) : -1;
}

/* How many bytes of a separator stand here; word processors make dashes of hyphens. */
static size_t separator(struct span at)
{
	const uint8_t *bytes = (const uint8_t *)at.at;

	if (memchr(" \t\r\n-_.,", bytes[0], 8))
		return 1;
	if (at.size >= 2 && bytes[0] == 0xc2 && bytes[1] == 0xa0) /* no-break space */
		return 2;
	if (at.size >= 3 && bytes[0] == 0xe2 && bytes[1] == 0x80 && bytes[2] >= 0x90 &&
	    bytes[2] <= 0x95) /* U+2010 to U+2015 */
		return 3;
	return 0;
}

struct typed {
	uint8_t values[VALUES];
	int count;                  /* of all, may be more than VALUES */
	int groups;                 /* as separated by whoever typed */
	int sizes[RECOVERY_GROUPS]; /* of the first ones */
};

static enum status collect(struct span text, struct typed *typed, struct error *err)
{
	bool is_open = false;

	*typed = (struct typed){0};
	while (text.size) {
		size_t skip = separator(text);
		int value = skip ? 0 : value_of(text.at[0]);
		int group;

		if (skip) {
			is_open = false;
			span_skip(&text, skip);
			continue;
		}
		typed->groups += !is_open;
		is_open = true;
		group = typed->groups > 1 ? typed->groups : typed->count / RECOVERY_GROUP_SIZE + 1;
		if (value < 0 && text.at[0] > ' ' && text.at[0] < 127)
			return error_refuse(err, "group %d: no recovery phrase has a \"%c\" in it",
					    group, text.at[0]);
		if (value < 0)
			return error_refuse(err, "group %d: it may have letters and digits only",
					    group);
		if (typed->count < VALUES)
			typed->values[typed->count] = (uint8_t)value;
		typed->count++;
		if (typed->groups <= RECOVERY_GROUPS)
			typed->sizes[typed->groups - 1]++;
		span_skip(&text, 1);
	}
	return OK;
}

static enum status check_count(const struct typed *typed, struct error *err)
{
	int i;

	if (typed->count == VALUES)
		return OK;
	for (i = 0; i < RECOVERY_GROUPS && typed->groups == RECOVERY_GROUPS; i++)
		if (typed->sizes[i] != RECOVERY_GROUP_SIZE)
			return error_refuse(err, "group %d has %d characters; each group has %d",
					    i + 1, typed->sizes[i], RECOVERY_GROUP_SIZE);
	return error_refuse(err,
			    "there are %d characters; a recovery phrase has %d, in %d groups "
			    "of %d",
			    typed->count, VALUES, RECOVERY_GROUPS, RECOVERY_GROUP_SIZE);
}

static enum status check_groups(const uint8_t values[VALUES], struct error *err)
{
	char wrong[64] = "";
	size_t size = 0;
	int group, count = 0;

	for (group = 0; group < RECOVERY_GROUPS; group++) {
		const uint8_t *at = values + group * RECOVERY_GROUP_SIZE;

		if (check_of(at, group) == at[DATA_IN_GROUP])
			continue;
		size += (size_t)snprintf(wrong + size, sizeof wrong - size, "%s%d",
					 count ? ", " : "", group + 1);
		count++;
	}
	if (count == 0)
		return OK;
	return error_refuse(err,
			    count == 1 ? "group %s has a typing error: look at each of its "
					 "characters"
				       : "groups %s have typing errors, or stand in the wrong "
					 "order",
			    wrong);
}

static enum status check_whole(const uint8_t values[VALUES], struct error *err)
{
	uint8_t bytes[ENTROPY_SIZE + 2] = {0};
	unsigned check, found;
	int i, bit, at = 0;

	for (i = 0; i < VALUES; i++)
		for (bit = 4; bit >= 0 && i % RECOVERY_GROUP_SIZE != DATA_IN_GROUP; bit--, at++)
			bytes[at / 8] |= (uint8_t)((values[i] >> bit & 1) << (7 - at % 8));
	check = check_of_all(bytes);
	found = (unsigned)bytes[ENTROPY_SIZE] << 4 | bytes[ENTROPY_SIZE + 1] >> 4;
	explicit_bzero(bytes, sizeof bytes);
	if (check == found)
		return OK;
	return error_refuse(err, "each group is well formed, but together they are no recovery "
				 "phrase: is one from another phrase?");
}

enum status recovery_read(struct span typed, struct secret **out, struct error *err)
{
	struct typed found;
	enum status status;

	TRY(collect(typed, &found, err));
	TRY(check_count(&found, err));
	TRY(check_groups(found.values, err));
	TRY(check_whole(found.values, err));
	*out = as_text(found.values);
done:
	if (status != OK)
		error_context(err, "recovery phrase");
	explicit_bzero(&found, sizeof found);
	return status;
}
