#include "base/span.h"

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool span_is_nocase(struct span a, const char *text)
{
	size_t i;

	if (strlen(text) != a.size)
		return false;
	for (i = 0; i < a.size; i++)
		if (lower(a.at[i]) != lower(text[i]))
			return false;
	return true;
}

bool span_starts(struct span a, const char *prefix)
{
	size_t size = strlen(prefix);

	return a.size >= size && memcmp(a.at, prefix, size) == 0;
}

bool span_ends(struct span a, const char *suffix)
{
	size_t size = strlen(suffix);

	return a.size >= size && memcmp(a.at + a.size - size, suffix, size) == 0;
}

struct span span_trim(struct span a)
{
	while (a.size && (a.at[0] == ' ' || a.at[0] == '\t'))
		span_skip(&a, 1);
	while (a.size && (a.at[a.size - 1] == ' ' || a.at[a.size - 1] == '\t'))
		a.size--;
	return a;
}

bool span_cut(struct span *rest, char separator, struct span *part)
{
	const char *found;

	if (!rest->at)
		return false;
	found = rest->size ? memchr(rest->at, separator, rest->size) : NULL;
	if (found) {
		*part = span_make(rest->at, (size_t)(found - rest->at));
		span_skip(rest, part->size + 1);
		return true;
	}
	*part = *rest;
	*rest = (struct span){NULL, 0};
	return part->size > 0;
}

bool span_to_u64(struct span a, uint64_t most, uint64_t *out)
{
	uint64_t value = 0;
	size_t i;

	if (a.size == 0)
		return false;
	for (i = 0; i < a.size; i++) {
		unsigned digit = (unsigned)(unsigned char)a.at[i] - '0';

		if (digit > 9 || value > (UINT64_MAX - digit) / 10)
			return false;
		value = value * 10 + digit;
		if (value > most)
			return false;
	}
	*out = value;
	return true;
}
