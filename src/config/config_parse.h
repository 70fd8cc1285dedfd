/*
 * config_parse - text into structs by a table of rows. Mechanism only: it
 * knows no key. The only user of libconfuse, which never prints, never reads
 * a file, never sees the environment from here.
 *
 * Every complaint is "NAME:LINE: [section "title": ]KEY: what is wrong; what
 * may stand there", and for a name that nobody knows the nearest one that is.
 * A key given twice, a section with the title of another, an empty list and a
 * bracket that nobody closed are errors too.
 */
#ifndef CONFIG_CONFIG_PARSE_H
#define CONFIG_CONFIG_PARSE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/span.h"
#include "config/config_value.h"

struct config_files;

enum config_shape {
	CONFIG_ONE,
	CONFIG_LIST,    /* key = {"a", "b"}; one bare value is a list of one. Needs a kind that appends */
	CONFIG_SECTION, /* key "title" { ... } */
};

struct config_row {
	const char *key;
	const char *section; /* "" at the top, else the key of the section that it stands in */
	enum config_shape shape;
	bool is_required;    /* no default and no sense without */
	const struct value_kind *kind; /* not for sections */
	size_t offset;                 /* in the section's object */
	const char *standard;          /* default, as one would write it; a list's parted by ", "; NULL: field stays 0 */
	const char *help;              /* sentences for the reference; \n parts lines */
	int64_t least, most;           /* limits of numbers, sizes, durations, text lengths; 0, 0: the kind's */
	const struct value_choice *choices; /* for value_of_choice; ends with {NULL, 0} */
	const char *example;           /* for the reference when there is no default; a section's title */
	/* Of rows at the top: what runs takes a change of it (of a section: of all in it) as it is. Where
	 * this is not said, on_fixed hears of each value. */
	bool is_live;

	/* Sections only: a new, zeroed object in `parent` (the object around it) with this title;
	 * NULL with *err: the title is no good. The parent owns it. */
	void *(*add)(void *parent, struct span title, struct error *err);
	/* Sections only, may be NULL: all keys are read; do they agree? */
	enum status (*check)(void *object, struct error *err);
};

struct config_rows {
	const struct config_row *at;
	size_t count;
	/* As `check`, for the whole. May be NULL. */
	enum status (*check)(void *out, struct error *err);
	/* Each value given for a row that is not live, and each title of such a section, in the table's
	 * order. May be NULL. */
	void (*on_fixed)(void *out, const struct config_row *row, struct span value);
};

enum { CONFIG_TEXT_MOST = 1 << 20, CONFIG_DEPTH_MOST = 4 };

/* Fills `out` (zeroed by the caller; the object of section ""). `name` stands in error texts.
 * `files` may be NULL when no row reads any. On failure `out` may be partly filled: release it all
 * the same. */
MUST_CHECK enum status config_parse(const struct config_rows *rows, const char *name,
				    struct span text, struct config_files *files, void *out,
				    struct error *err);
/* The same, but it goes on after a mistake: `complaints` gets every one, a sentence a line, at most
 * CONFIG_COMPLAINTS_MOST; *err is the first. For people who mend a file, not to use what it gives. */
enum { CONFIG_COMPLAINTS_MOST = 50 };
MUST_CHECK enum status config_parse_all(const struct config_rows *rows, const char *name, struct span text,
					struct config_files *files, void *out, struct buffer *complaints,
					struct error *err);
/* The defaults alone, for one section's object: what a file without a key would give. Required keys
 * are not asked for. */
MUST_CHECK enum status config_defaults(const struct config_rows *rows, const char *section,
				       void *object, struct error *err);
/* Frees what the kinds allocated in this one object; the objects themselves, and their children's
 * values, are for their owner (who calls it for each). Fields are zero after. */
void config_release(const struct config_rows *rows, const char *section, void *object);

/* Every key with its help, commented out with its default: the reference and the sample. */
void config_write_reference(const struct config_rows *rows, struct buffer *out);
/* The same for chatelaine.conf(5): man(7) text, a subsection a section. */
void config_write_manual(const struct config_rows *rows, struct buffer *out);
/* A text as it must be written in a config: quoted and escaped. False: it cannot be (a control
 * character, "${"). */
bool config_quote(struct buffer *out, struct span text);

#endif
