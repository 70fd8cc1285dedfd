#include "config/config_value.h"

#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "config/config_files.h"
#include "config/config_parse.h"

enum { TEXT_MOST = 4096, NAME_MOST = 64 };

/* Nothing of its own to say: see `allowed`. */
static enum status no_good(struct error *err)
{
	return error_refuse(err, "%s", "");
}

static char *copy_of(struct span text)
{
	char *copy = malloc(text.size + 1);

	if (copy) {
		if (text.size)
			memcpy(copy, text.at, text.size);
		copy[text.size] = 0;
	}
	return copy;
}

/* Texts ----------------------------------------------------------------- */

static enum status check_text(const struct value_context *context, struct span text,
			      struct error *err)
{
	int64_t least = context->row->least ? context->row->least : 1;
	int64_t most = context->row->most ? context->row->most : TEXT_MOST;

	if (text.size == 0)
		return error_refuse(err, "it is empty");
	if ((int64_t)text.size < least || (int64_t)text.size > most)
		return error_refuse(err, "it has %zu bytes, %lld to %lld are allowed", text.size,
				    (long long)least, (long long)most);
	return OK;
}

static enum status check_name(struct span text, struct error *err)
{
	size_t i;

	if (text.size == 0 || text.size > NAME_MOST)
		return no_good(err);
	for (i = 0; i < text.size; i++) {
		char c = text.at[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
		      c == '.' || c == '_' || c == '-'))
			return no_good(err);
	}
	return OK;
}

static enum status set_text(struct span text, char **into, struct error *err)
{
	char *copy = copy_of(text);

	if (!copy)
		return error_fail(err, "no memory");
	free(*into);
	*into = copy;
	return OK;
}

static enum status append_text(struct span text, struct value_texts *into, struct error *err)
{
	char **grown;

	if (into->count == VALUE_LIST_MOST)
		return error_refuse(err, "more than %d of them", VALUE_LIST_MOST);
	grown = reallocarray(into->at, into->count + 1, sizeof *grown);
	if (!grown)
		return error_fail(err, "no memory");
	into->at = grown;
	grown[into->count] = copy_of(text);
	if (!grown[into->count])
		return error_fail(err, "no memory");
	into->count++;
	return OK;
}

static enum status parse_text(const struct value_context *context, struct span text, void *into,
			      struct error *err)
{
	enum status status = check_text(context, text, err);

	return status == OK ? set_text(text, into, err) : status;
}

static enum status parse_texts(const struct value_context *context, struct span text, void *into,
			       struct error *err)
{
	enum status status = check_text(context, text, err);

	return status == OK ? append_text(text, into, err) : status;
}

static enum status parse_name(const struct value_context *context, struct span text, void *into,
			      struct error *err)
{
	enum status status = check_name(text, err);

	(void)context;
	return status == OK ? set_text(text, into, err) : status;
}

static enum status parse_names(const struct value_context *context, struct span text, void *into,
			       struct error *err)
{
	enum status status = check_name(text, err);

	(void)context;
	return status == OK ? append_text(text, into, err) : status;
}

static void release_text(void *into)
{
	char **text = into;

	free(*text);
	*text = NULL;
}

static void release_texts(void *into)
{
	struct value_texts *texts = into;

	while (texts->count)
		free(texts->at[--texts->count]);
	free(texts->at);
	texts->at = NULL;
}

const struct value_kind value_text = {
	.name = "text", .parse = parse_text, .release = release_text};
const struct value_kind value_texts = {
	.name = "text", .parse = parse_texts, .release = release_texts};
#define NAME_ALLOWED "1 to 64 letters, digits, dots, dashes and underscores"
const struct value_kind value_name = {.name = "name",
				      .allowed = NAME_ALLOWED,
				      .parse = parse_name,
				      .release = release_text};
const struct value_kind value_names = {.name = "name",
				       .allowed = NAME_ALLOWED,
				       .parse = parse_names,
				       .release = release_texts};

/* Paths and files ------------------------------------------------------- */

static bool is_path(struct span text)
{
	struct span rest = text, part;

	if (text.size < 2 || text.size > TEXT_MOST - 1 || text.at[0] != '/' ||
	    text.at[text.size - 1] == '/')
		return false;
	while (span_cut(&rest, '/', &part))
		if (span_is(part, ".."))
			return false;
	return true;
}

static enum status parse_path(const struct value_context *context, struct span text, void *into,
			      struct error *err)
{
	(void)context;
	return is_path(text) ? set_text(text, into, err) : no_good(err);
}

#define PATH_ALLOWED "a path from / on, without \"..\" and without a slash at its end"
const struct value_kind value_path = {.name = "path",
				      .allowed = PATH_ALLOWED,
				      .parse = parse_path,
				      .release = release_text};

static enum status parse_file(const struct value_context *context, struct span text, void *into,
			      struct error *err)
{
	struct value_file *file = into;
	enum status status;

	if (!is_path(text))
		return no_good(err);
	status = set_text(text, &file->path, err);
	if (status != OK)
		return status;
	if (!context->files)
		return error_fail(err, "there are no files to be read here");
	return config_files_load(context->files, file->path, &file->bytes, err);
}

static enum status parse_watched_file(const struct value_context *context, struct span text,
				      void *into, struct error *err)
{
	struct value_file *file = into;
	struct error trouble = {""};
	enum status status = parse_file(context, text, into, &trouble);

	/* No path at all is the config's fault, an unreadable file is the day's. */
	if (status == REFUSED && file->path)
		return set_text(span_of(trouble.text), &file->trouble, err);
	if (status != OK && err)
		*err = trouble;
	return status;
}

static void release_file(void *into)
{
	struct value_file *file = into;

	free(file->path);
	free(file->trouble);
	*file = (struct value_file){NULL, {NULL, 0}, NULL};
}

const struct value_kind value_file = {.name = "file",
				      .allowed = PATH_ALLOWED,
				      .parse = parse_file,
				      .release = release_file};
const struct value_kind value_watched_file = {.name = "file",
					      .allowed = PATH_ALLOWED,
					      .parse = parse_watched_file,
					      .release = release_file};

/* Numbers --------------------------------------------------------------- */

struct unit {
	const char *name;
	uint64_t factor;
};

static const struct unit no_units[] = {{"", 1}, {NULL, 0}};
static const struct unit size_units[] = {
	{"", 1}, {"K", 1 << 10}, {"M", 1 << 20}, {"G", 1 << 30}, {NULL, 0}};
static const struct unit duration_units[] = {{"ms", 1000},
					     {"s", SECONDS(1)},
					     {"m", SECONDS(60)},
					     {"h", SECONDS(3600)},
					     {"d", SECONDS(86400)},
					     {NULL, 0}};

/* Digits and a unit. False: not of that form, or larger than an int64_t. */
static bool read_amount(struct span text, const struct unit *units, uint64_t *out)
{
	struct span digits = text, unit;

	while (digits.size && (digits.at[digits.size - 1] < '0' || digits.at[digits.size - 1] > '9'))
		digits.size--;
	unit = span_make(text.at + digits.size, text.size - digits.size);
	for (; units->name; units++) {
		if (!span_is(unit, units->name))
			continue;
		if (!span_to_u64(digits, INT64_MAX / units->factor, out))
			return false;
		*out *= units->factor;
		return true;
	}
	return false;
}

/* As one would write it: 75s, 16K. */
static void write_amount(int64_t value, const struct unit *units, char *out, size_t room)
{
	const struct unit *best = units, *unit;

	for (unit = units; unit->name; unit++)
		if (value && (uint64_t)value % unit->factor == 0 && unit->factor >= best->factor)
			best = unit;
	if (!best->name[0] || (uint64_t)value % best->factor == 0)
		snprintf(out, room, "%lld%s", (long long)value / (long long)best->factor, best->name);
	else
		snprintf(out, room, "%lld", (long long)value);
}

static enum status check_range(const struct config_row *row, uint64_t value,
			       const struct unit *units, struct error *err)
{
	char least[32], most[32];

	if (row->least == 0 && row->most == 0)
		return OK;
	if ((int64_t)value >= row->least && (int64_t)value <= row->most)
		return OK;
	write_amount(row->least, units, least, sizeof least);
	write_amount(row->most, units, most, sizeof most);
	return error_refuse(err, "it is out of range; %s to %s are allowed", least, most);
}

static enum status parse_amount(const struct value_context *context, struct span text,
				const struct unit *units, uint64_t *into, struct error *err)
{
	uint64_t value;
	enum status status;

	if (!read_amount(text, units, &value))
		return no_good(err);
	status = check_range(context->row, value, units, err);
	if (status == OK)
		*into = value;
	return status;
}

static enum status parse_number(const struct value_context *context, struct span text, void *into,
				struct error *err)
{
	return parse_amount(context, text, no_units, into, err);
}

static enum status parse_size(const struct value_context *context, struct span text, void *into,
			      struct error *err)
{
	return parse_amount(context, text, size_units, into, err);
}

static enum status parse_duration(const struct value_context *context, struct span text, void *into,
				  struct error *err)
{
	uint64_t value;
	enum status status = parse_amount(context, text, duration_units, &value, err);

	if (status == OK)
		*(int64_t *)into = (int64_t)value;
	return status;
}

const struct value_kind value_number = {
	.name = "number", .allowed = "a whole number", .parse = parse_number};
const struct value_kind value_size = {
	.name = "size",
	.allowed = "a number of bytes, perhaps with K, M or G, like 16K",
	.parse = parse_size};
const struct value_kind value_duration = {
	.name = "duration",
	.allowed = "a number and ms, s, m, h or d, like 75s or 12h",
	.parse = parse_duration};

/* Choices --------------------------------------------------------------- */

static enum status parse_boolean(const struct value_context *context, struct span text, void *into,
				 struct error *err)
{
	static const struct value_choice words[] = {{"yes", 1},	 {"no", 0}, {"true", 1}, {"false", 0},
						    {"on", 1},	 {"off", 0}, {NULL, 0}};
	const struct value_choice *word;

	(void)context;
	for (word = words; word->name; word++) {
		if (span_is(text, word->name)) {
			*(bool *)into = word->value;
			return OK;
		}
	}
	return no_good(err);
}

static enum status parse_choice(const struct value_context *context, struct span text, void *into,
				struct error *err)
{
	const struct value_choice *choice;
	struct buffer names;
	enum status status;

	for (choice = context->row->choices; choice->name; choice++) {
		if (span_is(text, choice->name)) {
			*(int *)into = choice->value;
			return OK;
		}
	}
	buffer_init(&names, 400);
	for (choice = context->row->choices; choice->name; choice++) {
		if (choice != context->row->choices)
			buffer_add_text(&names, choice[1].name ? ", " : " or ");
		buffer_add_text(&names, choice->name);
	}
	status = error_refuse(err, "it must be %s", buffer_text(&names));
	buffer_release(&names);
	return status;
}

const struct value_kind value_boolean = {
	.name = "yes or no", .allowed = "yes or no", .parse = parse_boolean};
const struct value_kind value_of_choice = {.name = "choice", .parse = parse_choice};

/* Addresses ------------------------------------------------------------- */

static enum status strip_quote(enum status status, struct error *err)
{
	/* address_parse quotes the text itself, and so does whoever reports us. */
	char *rest = status == REFUSED && err ? strstr(err->text, "\": ") : NULL;

	if (rest)
		memmove(err->text, rest + 3, strlen(rest + 3) + 1);
	return status;
}

static enum status parse_address(const struct value_context *context, struct span text, void *into,
				 struct error *err)
{
	(void)context;
	return strip_quote(address_parse(text, into, err), err);
}

static enum status parse_addresses(const struct value_context *context, struct span text,
				   void *into, struct error *err)
{
	struct value_addresses *list = into;
	struct address address, *grown;
	enum status status = parse_address(context, text, &address, err);

	if (status != OK)
		return status;
	if (list->count == VALUE_LIST_MOST)
		return error_refuse(err, "more than %d of them", VALUE_LIST_MOST);
	grown = reallocarray(list->at, list->count + 1, sizeof *grown);
	if (!grown)
		return error_fail(err, "no memory");
	list->at = grown;
	grown[list->count++] = address;
	return OK;
}

static void release_addresses(void *into)
{
	struct value_addresses *list = into;

	free(list->at);
	*list = (struct value_addresses){NULL, 0};
}

const struct value_kind value_address = {.name = "address", .parse = parse_address};
const struct value_kind value_addresses = {
	.name = "address", .parse = parse_addresses, .release = release_addresses};
