#include "command/options.h"

#include <string.h>

unsigned word_distance(const char *a, const char *b, unsigned most)
{
	unsigned row[64], above, left, i, j;
	size_t width = strlen(b);

	if (width >= 63 || strlen(a) >= 63)
		return most + 1;
	for (j = 0; j <= width; j++)
		row[j] = j;
	for (i = 0; a[i]; i++) {
		above = row[0];
		row[0] = i + 1;
		for (j = 0; j < width; j++) {
			left = above + (a[i] != b[j]);
			above = row[j + 1];
			if (above + 1 < left)
				left = above + 1;
			if (row[j] + 1 < left)
				left = row[j] + 1;
			row[j + 1] = left;
		}
	}
	return row[width] > most ? most + 1 : row[width];
}

static const struct option_row *find_row(const struct option_row *rows, size_t count, const char *name,
					 size_t size)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (strlen(rows[i].name) == size && memcmp(rows[i].name, name, size) == 0)
			return &rows[i];
	return NULL;
}

static enum status refuse_unknown(const struct option_row *rows, size_t count, const char *word,
				  struct error *err)
{
	const char *nearest = NULL;
	unsigned best = 3;
	size_t i;

	for (i = 0; i < count; i++) {
		unsigned distance = word_distance(word + 2, rows[i].name, 3);

		if (distance < best) {
			best = distance;
			nearest = rows[i].name;
		}
	}
	if (nearest)
		return error_refuse(err, "unknown option %s; did you mean --%s?", word, nearest);
	return error_refuse(err, "unknown option %s", word);
}

/* One option at argv[at]; *used says how many words it took. */
static enum status parse_one(const struct option_row *rows, size_t count, int argc, char **argv, int at,
			     int *used, struct error *err)
{
	const char *name = argv[at] + 2, *equals = strchr(name, '=');
	size_t size = equals ? (size_t)(equals - name) : strlen(name);
	const struct option_row *row = find_row(rows, count, name, size);

	*used = 1;
	if (!row)
		return refuse_unknown(rows, count, argv[at], err);
	if (row->flag) {
		if (equals)
			return error_refuse(err, "--%s takes no value", row->name);
		*row->flag = true;
		return OK;
	}
	if (*row->text)
		return error_refuse(err, "--%s is given twice", row->name);
	if (equals) {
		*row->text = equals + 1;
		return OK;
	}
	if (at + 1 >= argc)
		return error_refuse(err, "--%s needs a value", row->name);
	*row->text = argv[at + 1];
	*used = 2;
	return OK;
}

enum status options_parse(const struct option_row *rows, size_t count, int *argc, char **argv,
			  struct error *err)
{
	int at = 0, words = 0, used;
	enum status status;

	while (at < *argc) {
		if (strcmp(argv[at], "--") == 0) {
			at++;
			break;
		}
		if (argv[at][0] == '-' && argv[at][1] && argv[at][1] != '-')
			return error_refuse(err, "unknown option %s; options begin with two dashes", argv[at]);
		if (strncmp(argv[at], "--", 2) != 0) {
			argv[words++] = argv[at++];
			continue;
		}
		status = parse_one(rows, count, *argc, argv, at, &used, err);
		if (status != OK)
			return status;
		at += used;
	}
	while (at < *argc)
		argv[words++] = argv[at++];
	*argc = words;
	argv[words] = NULL;
	return OK;
}
