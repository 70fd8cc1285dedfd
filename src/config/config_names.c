#include "config/config_names.h"

#include <stdio.h>
#include <string.h>

enum { KEY_MOST = 64 };

const struct config_row *config_next_row(const struct config_rows *rows, const char *section,
					 size_t *index)
{
	while (*index < rows->count) {
		const struct config_row *row = &rows->at[(*index)++];

		if (strcmp(row->section, section) == 0)
			return row;
	}
	return NULL;
}

static unsigned least_of(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/* Optimal string alignment: insertions, deletions, changes and swapped neighbours. */
static unsigned distance(const char *a, const char *b)
{
	unsigned rows[3][KEY_MOST + 1];
	size_t size_a = strlen(a), size_b = strlen(b), i, j;

	if (size_a > KEY_MOST || size_b > KEY_MOST)
		return KEY_MOST;
	for (j = 0; j <= size_b; j++)
		rows[0][j] = (unsigned)j;
	for (i = 1; i <= size_a; i++) {
		unsigned *now = rows[i % 3], *before = rows[(i + 2) % 3], *earlier = rows[(i + 1) % 3];

		now[0] = (unsigned)i;
		for (j = 1; j <= size_b; j++) {
			now[j] = least_of(before[j - 1] + (a[i - 1] != b[j - 1]),
					  least_of(before[j], now[j - 1]) + 1);
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = least_of(now[j], earlier[j - 2] + 1);
		}
	}
	return rows[size_a % 3][size_b];
}

static const char *nearest(const struct config_rows *rows, const char *section, const char *key)
{
	unsigned best_distance = strlen(key) < 5 ? 1 : strlen(key) / 3;
	const struct config_row *row;
	const char *best = NULL;
	size_t i = 0;

	while ((row = config_next_row(rows, section, &i))) {
		unsigned d = distance(key, row->key);

		if (d <= best_distance) {
			best = row->key;
			best_distance = d ? d - 1 : 0;
		}
	}
	return best;
}

static const struct config_row *elsewhere(const struct config_rows *rows, const char *key)
{
	size_t i;

	for (i = 0; i < rows->count; i++)
		if (strcmp(rows->at[i].key, key) == 0)
			return &rows->at[i];
	return NULL;
}

void config_suggest(const struct config_rows *rows, const char *section, const char *key,
		    struct error *err)
{
	const struct config_row *other = elsewhere(rows, key);
	const char *near = nearest(rows, section, key);
	size_t used;

	if (!err)
		return;
	used = strlen(err->text);
	if (other && other->section[0])
		snprintf(err->text + used, sizeof err->text - used,
			 " (it belongs inside %s \"...\" { })", other->section);
	else if (other)
		snprintf(err->text + used, sizeof err->text - used,
			 " (it belongs outside of all sections; is a } missing above?)");
	else if (near)
		snprintf(err->text + used, sizeof err->text - used, " (did you mean \"%s\"?)", near);
}
