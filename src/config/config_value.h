/*
 * config_value - kinds of values in the config: how each is read from text,
 * what may stand there, how it is let go. Rooms with a value of their own (an
 * upstream's URL) make another `struct value_kind`.
 */
#ifndef CONFIG_CONFIG_VALUE_H
#define CONFIG_CONFIG_VALUE_H

#include <stddef.h>
#include <stdint.h>

#include "base/address.h"
#include "base/error.h"
#include "base/span.h"

struct config_row;
struct config_files;

/* Given to every kind: the row (its limits, its choices) and the files. */
struct value_context {
	const struct config_row *row;
	struct config_files *files; /* NULL: none to be read */
};

struct value_kind {
	const char *name;    /* "duration" */
	const char *allowed; /* "a number and ms, s, m, h or d, like 75s"; NULL: the kind's own error says all */
	/* Into row->offset of the object, which is zero before the first call. A list row gets one call
	 * a value and appends. REFUSED: *err is why, without place or key; an empty text means "see
	 * `allowed`". */
	enum status (*parse)(const struct value_context *context, struct span text, void *into,
			     struct error *err);
	void (*release)(void *into); /* NULL: nothing to free */
};

struct value_choice {
	const char *name;
	int value;
};

/* What lists of texts and addresses become; zeroed = empty. */
struct value_texts {
	char **at;
	size_t count;
};
struct value_addresses {
	struct address *at;
	size_t count;
};
/* A named file: its path as written and its bytes (borrowed from the config_files). */
struct value_file {
	char *path;        /* NULL: the key was not given */
	struct span bytes; /* at == NULL: could not be read, see trouble */
	char *trouble;     /* NULL: none */
};
enum { VALUE_LIST_MOST = 4096 };

/* The comment is the type of the field at row->offset. */
extern const struct value_kind value_text;         /* char *, 1-4096 bytes; row->least, most limit it */
extern const struct value_kind value_texts;        /* struct value_texts (list) */
extern const struct value_kind value_name;         /* char *: 1-64 of letters, digits, . _ - */
extern const struct value_kind value_names;        /* struct value_texts of such */
extern const struct value_kind value_path;         /* char *: absolute, no "..", no trailing slash */
extern const struct value_kind value_number;       /* uint64_t within row->least..row->most (0, 0: any) */
extern const struct value_kind value_size;         /* uint64_t bytes: 16384, 16K, 4M, 1G; limits as number */
extern const struct value_kind value_duration;     /* int64_t microseconds: 500ms, 75s, 5m, 12h, 30d; limits in us */
extern const struct value_kind value_boolean;      /* bool: yes, no, true, false, on, off */
extern const struct value_kind value_of_choice;    /* int, of row->choices */
extern const struct value_kind value_address;      /* struct address: 127.0.0.1:443, [::1]:443, unix:/path */
extern const struct value_kind value_addresses;    /* struct value_addresses (list) */
extern const struct value_kind value_file;         /* struct value_file; unreadable is an error */
extern const struct value_kind value_watched_file; /* struct value_file; unreadable is trouble, no error */

#endif
