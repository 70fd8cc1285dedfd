/* options - reads "--name VALUE", "--name=VALUE" and "--flag" by a table; what is left are the words. */
#ifndef COMMAND_OPTIONS_H
#define COMMAND_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"

struct option_row {
	const char *name;  /* without the dashes */
	const char **text; /* an option with a value; or */
	bool *flag;        /* one without */
};

/* Takes the options out of argv; the words stay in order, argv[*argc] = NULL. Behind "--" all are words.
 * REFUSED: unknown (with the nearest known one), without its value, said twice. */
MUST_CHECK enum status options_parse(const struct option_row *rows, size_t count, int *argc, char **argv,
				     struct error *err);
/* How many changes make one word the other (Levenshtein, 1966), at most `most` + 1: for "did you mean". */
unsigned word_distance(const char *a, const char *b, unsigned most);

#endif
