#include "config/config_parse.h"

#include <confuse.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "config/config_names.h"
#include "config/config_scan.h"

/* Ours, beyond libconfuse's own flags: the key was given already. */
enum { GIVEN = 1 << 24, VALUES_MOST = 65536, PATH_ROOM = 300 };

struct reading {
	const struct config_rows *rows;
	const char *name;
	struct config_files *files;
	void *out;
	struct error *err;
	struct buffer *all;  /* every complaint, or NULL: the first one is enough */
	unsigned complaints;
	struct {             /* what could not be parsed: to be left out by the next try */
		char key[PATH_ROOM];
		unsigned line;
	} wrong;
	bool is_said;        /* what stopped the parser has been said */
	unsigned values;
	char *line_and_value; /* what on_value handed to libconfuse last */
};

/* libconfuse has one lexer a process and no user data: so one reading a time, too. */
static struct reading *current;

/* Complaints ------------------------------------------------------------ */

/* The first one is the error; all are for whoever wants them. */
static enum status submit(struct reading *reading, const struct error *one)
{
	if (reading->complaints++ == 0)
		*reading->err = *one;
	if (reading->all && reading->complaints <= CONFIG_COMPLAINTS_MOST)
		buffer_printf(reading->all, "%s\n", one->text);
	return REFUSED;
}

static bool has_heard_enough(const struct reading *reading)
{
	return reading->complaints && (!reading->all || reading->complaints >= CONFIG_COMPLAINTS_MOST);
}

static void word_complaint(const struct reading *reading, unsigned line, struct error *out, const char *format,
			   va_list args) PRINTF_LIKE(4, 0);

static void word_complaint(const struct reading *reading, unsigned line, struct error *out, const char *format,
			   va_list args)
{
	char text[400];

	vsnprintf(text, sizeof text, format, args);
	if (line)
		(void)error_refuse(out, "%s:%u: %s", reading->name, line, text);
	else
		(void)error_refuse(out, "%s: %s", reading->name, text);
}

static enum status complain(struct reading *reading, unsigned line, const char *format, ...)
	PRINTF_LIKE(3, 4);

static enum status complain(struct reading *reading, unsigned line, const char *format, ...)
{
	struct error one;
	va_list args;

	if (has_heard_enough(reading))
		return REFUSED;
	va_start(args, format);
	word_complaint(reading, line, &one, format, args);
	va_end(args);
	return submit(reading, &one);
}

/* A complaint of the parser's, which stops there: the statement is left out when it is tried again. */
static void remember_wrong(struct reading *reading, const char *key, unsigned line)
{
	snprintf(reading->wrong.key, sizeof reading->wrong.key, "%s", key);
	reading->wrong.line = line;
}

static const char *section_of(const cfg_t *cfg)
{
	return cfg->title ? cfg->name : "";
}

static const char *kind_of_title(const cfg_t *cfg, const char *title)
{
	const cfg_opt_t *opt;
	unsigned i;

	for (opt = cfg->opts; opt->name; opt++)
		for (i = 0; opt->type == CFGT_SEC && i < opt->nvalues; i++)
			if (strcmp(opt->values[i]->section->title, title) == 0)
				return opt->name;
	return "section";
}

/* libconfuse's few remaining complaints, in our words. config_scan has seen to all that is about
 * form. */
static void on_error(cfg_t *cfg, const char *format, va_list args)
{
	unsigned line = (unsigned)cfg->line;
	const char *name = strstr(format, "'%s'") ? va_arg(args, const char *) : "";
	struct error one;

	if (current->is_said) /* by on_value, which failed for it */
		return;
	current->is_said = true;
	remember_wrong(current, name, line);
	if (strstr(format, "no such option")) {
		(void)error_refuse(&one, "%s:%u: unknown key \"%.64s\"", current->name, line, name);
		config_suggest(current->rows, section_of(cfg), name, &one);
		(void)submit(current, &one);
	} else if (strstr(format, "duplicate title")) {
		(void)complain(current, line, "%s \"%.100s\" is there twice",
			       kind_of_title(cfg, name), name);
	} else if (strstr(format, "missing title")) {
		(void)complain(current, line, "%s is a section: %s \"...\" { }", name, name);
	} else if (strstr(format, "missing equal sign")) {
		(void)complain(current, line, "%s takes a value: %s = ...", name, name);
	} else if (strstr(format, "unexpected token")) {
		(void)complain(current, line, "one value is expected here, not a list");
	} else {
		(void)complain(current, line, "cannot be understood");
	}
}

/* The tree -------------------------------------------------------------- */

/* Each value is kept as "LINE:VALUE": libconfuse forgets where it read it. */
static int on_value(cfg_t *cfg, cfg_opt_t *opt, const char *value, void *result)
{
	size_t room = strlen(value) + 16;

	if (opt->nvalues <= 1) {
		if (opt->flags & GIVEN) {
			(void)complain(current, (unsigned)cfg->line, "%s is given twice", opt->name);
			remember_wrong(current, opt->name, (unsigned)cfg->line);
			current->is_said = true;
			return -1;
		}
		opt->flags |= GIVEN;
	}
	if (++current->values > VALUES_MOST) {
		(void)complain(current, (unsigned)cfg->line, "more than %d values", VALUES_MOST);
		current->is_said = true;
		return -1;
	}
	free(current->line_and_value);
	current->line_and_value = malloc(room);
	if (!current->line_and_value)
		return -1;
	snprintf(current->line_and_value, room, "%u:%s", (unsigned)cfg->line, value);
	*(const char **)result = current->line_and_value;
	return 0;
}

static void free_options(cfg_opt_t *options)
{
	cfg_opt_t *opt;

	for (opt = options; opt && opt->name; opt++)
		free_options(opt->subopts);
	free(options);
}

/* libconfuse's table for a section's rows, in their order. NULL: no memory. */
static cfg_opt_t *make_options(const struct config_rows *rows, const char *section)
{
	cfg_opt_t *options = calloc(rows->count + 1, sizeof *options), *opt = options;
	const struct config_row *row;
	size_t i = 0;

	while (options && (row = config_next_row(rows, section, &i))) {
		*opt = (cfg_opt_t){.name = row->key, .type = CFGT_STR, .parsecb = on_value};
		if (row->shape == CONFIG_LIST)
			opt->flags = CFGF_LIST;
		if (row->shape == CONFIG_SECTION) {
			*opt = (cfg_opt_t){.name = row->key,
					   .type = CFGT_SEC,
					   .flags = CFGF_MULTI | CFGF_TITLE | CFGF_NO_TITLE_DUPES,
					   .subopts = make_options(rows, row->key)};
			if (!opt->subopts) {
				free_options(options);
				return NULL;
			}
		}
		opt++;
	}
	return options;
}

/* Where a quoted or bare word, or a { } with all in it, ends that begins at `at`. */
static size_t end_of_value(struct span text, size_t at)
{
	size_t depth = 0;
	bool is_quoted = false;

	for (; at < text.size; at++) {
		char c = text.at[at];

		if (is_quoted && c == '\\')
			at++;
		else if (c == '"')
			is_quoted = !is_quoted;
		else if (is_quoted)
			continue;
		else if (c == '{')
			depth++;
		else if (c == '}' && depth <= 1)
			return at + depth; /* the one that is around is not its */
		else if (c == '}')
			depth--;
		else if (depth == 0 && strchr(" \t\r\n", c))
			return at;
	}
	return text.size;
}

static size_t skip_blanks(struct span text, size_t at)
{
	while (at < text.size && strchr(" \t\r\n", text.at[at]))
		at++;
	return at;
}

/* The last `key` as a word of its own before `end`; the text's size: none. */
static size_t find_key(struct span text, struct span key, size_t end)
{
	size_t at;

	for (at = end; key.size && at-- > 0;)
		if (text.size - at > key.size && memcmp(text.at + at, key.at, key.size) == 0 &&
		    (at == 0 || strchr(" \t\r\n{}", text.at[at - 1])) && strchr(" \t\r\n={", text.at[at + key.size]))
			return at;
	return text.size;
}

/* Blanks the last statement `key = value`, or `key "title" { }`, that begins in `line` or before; lines stay where
 * they are. False: there is none. */
static bool leave_out(struct buffer *clean, const char *key, unsigned line)
{
	struct span text = buffer_span(clean);
	size_t at = 0, from, to;

	for (; at < text.size && line; at++)
		line -= text.at[at] == '\n';
	from = find_key(text, span_of(key), at);
	if (from == text.size)
		return false;
	to = skip_blanks(text, from + strlen(key));
	if (text.at[to] == '=')
		to = end_of_value(text, skip_blanks(text, to + 1));
	else
		to = text.at[to] == '{' ? end_of_value(text, to)
					: end_of_value(text, skip_blanks(text, end_of_value(text, to)));
	for (at = from; at < to; at++)
		if (clean->at[at] != '\n')
			clean->at[at] = ' ';
	return true;
}

/* One try at the text; *out is the tree as far as it went. */
static enum status parse_tree(struct reading *reading, const struct buffer *clean, cfg_t **out)
{
	cfg_opt_t *options = make_options(reading->rows, "");
	enum status status = OK;

	*out = options ? cfg_init(options, CFGF_NONE) : NULL;
	free_options(options);
	if (!*out)
		return error_fail(reading->err, "%s: no memory", reading->name);
	cfg_set_error_function(*out, on_error);
	reading->is_said = false;
	reading->wrong.key[0] = 0;
	if (cfg_parse_buf(*out, buffer_text(clean)) == CFG_SUCCESS)
		return OK;
	status = reading->is_said ? REFUSED : complain(reading, 0, "cannot be understood");
	return status;
}

static enum status read_tree(struct reading *reading, struct span text, cfg_t **out)
{
	struct buffer clean;
	enum status status;

	*out = NULL;
	buffer_init(&clean, CONFIG_TEXT_MOST + 16);
	status = config_scan(reading->name, text, &clean, reading->err);
	if (status != OK) {
		/* Its brackets and quotes are not right: what else it says cannot be known. */
		struct error one = *reading->err;

		(void)submit(reading, &one);
	} else {
		status = parse_tree(reading, &clean, out);
		while (status == REFUSED && !has_heard_enough(reading) &&
		       leave_out(&clean, reading->wrong.key, reading->wrong.line)) {
			cfg_free(*out);
			status = parse_tree(reading, &clean, out);
		}
	}
	buffer_release(&clean);
	return status;
}

/* Values ---------------------------------------------------------------- */

struct place {
	const struct place *around;
	const cfg_t *cfg;
	bool is_live;
};

static void tell_fixed(struct reading *reading, const struct place *place, const struct config_row *row,
		       struct span value)
{
	if (reading->rows->on_fixed && !place->is_live && !row->is_live)
		reading->rows->on_fixed(reading->out, row, value);
}

static void write_path(const struct place *place, char *out, size_t room)
{
	size_t used;

	out[0] = 0;
	if (place->around)
		write_path(place->around, out, room);
	used = strlen(out);
	if (place->cfg->title)
		snprintf(out + used, room - used, "%s \"%.100s\": ", place->cfg->name,
			 place->cfg->title);
}

static enum status complain_of_value(struct reading *reading, const struct place *place,
				     const struct config_row *row, unsigned line,
				     const char *value, enum status status, const struct error *why)
{
	char path[PATH_ROOM];

	write_path(place, path, sizeof path);
	if (why->text[0])
		(void)complain(reading, line, "%s%s: \"%.80s\": %.200s", path, row->key, value,
			       why->text);
	else
		(void)complain(reading, line, "%s%s: \"%.80s\" is no %s; write %s", path, row->key,
			       value, row->kind->name,
			       row->kind->allowed ? row->kind->allowed : "another");
	return status;
}

static enum status read_values(struct reading *reading, const struct place *place,
			       const struct config_row *row, const cfg_opt_t *opt, void *object)
{
	struct value_context context = {.row = row, .files = reading->files};
	enum status worst = OK;
	unsigned i;

	for (i = 0; i < opt->nvalues; i++) {
		struct error why = {""};
		char *value;
		unsigned line = (unsigned)strtoul(opt->values[i]->string, &value, 10);
		enum status status;

		value++; /* the colon */
		tell_fixed(reading, place, row, span_of(value));
		status = row->kind->parse(&context, span_of(value), (char *)object + row->offset,
					  &why);
		if (status != OK)
			worst = complain_of_value(reading, place, row, line, value, status, &why);
		if (has_heard_enough(reading))
			break;
	}
	return worst;
}

static enum status read_default(const struct config_row *row, struct config_files *files,
				void *object, struct error *err)
{
	struct value_context context = {.row = row, .files = files};
	struct span rest = span_of(row->standard), value;
	enum status status = OK;

	while (status == OK && span_cut(&rest, row->shape == CONFIG_LIST ? ',' : 0, &value))
		status = row->kind->parse(&context, span_trim(value), (char *)object + row->offset,
					  err);
	if (status == OK)
		return OK;
	error_context(err, "the default of %s, %s", row->key, row->standard);
	return FAILED;
}

static enum status missing(struct reading *reading, const struct place *place,
			   const struct config_row *row)
{
	char path[PATH_ROOM];
	const char *open = row->shape == CONFIG_LIST ? "{\"" : "\"";
	const char *close = row->shape == CONFIG_LIST ? "\"}" : "\"";

	write_path(place, path, sizeof path);
	if (row->shape == CONFIG_SECTION)
		return complain(reading, 0, "%sno %s is there: %s \"%s\" { }", path, row->key,
				row->key, row->example ? row->example : "...");
	return complain(reading, place->around ? (unsigned)place->cfg->line : 0,
			"%s%s is missing: %s = %s%s%s", path, row->key, row->key, open,
			row->example ? row->example : "...", close);
}

static enum status read_keys(struct reading *reading, const struct place *place,
			     const char *section, void *object)
{
	const cfg_opt_t *opt = place->cfg->opts;
	const struct config_row *row;
	size_t i = 0;
	enum status worst = OK;

	for (; !has_heard_enough(reading) && (row = config_next_row(reading->rows, section, &i)); opt++) {
		bool is_given = opt->nvalues && (row->shape == CONFIG_SECTION || opt->values[0]->string);
		enum status status = OK;

		if (!is_given && row->is_required)
			status = missing(reading, place, row);
		else if (row->shape == CONFIG_SECTION)
			continue;
		else if (is_given)
			status = read_values(reading, place, row, opt, object);
		else if (row->standard)
			status = read_default(row, reading->files, object, reading->err);
		if (status != OK)
			worst = status;
	}
	return worst;
}

static enum status read_object(struct reading *reading, const struct place *place,
			       const char *section, void *object);

static enum status read_section(struct reading *reading, const struct place *around,
				const struct config_row *row, const cfg_t *cfg, void *parent)
{
	struct place place = {.around = around, .cfg = cfg, .is_live = around->is_live || row->is_live};
	struct error why = {""};
	char path[PATH_ROOM];
	void *object = row->add(parent, span_of(cfg->title), &why);
	enum status status = object ? read_object(reading, &place, row->key, object) : REFUSED;

	tell_fixed(reading, around, row, span_of(cfg->title));
	if (object && status == OK && row->check)
		status = row->check(object, &why);
	if (status != OK && why.text[0]) {
		write_path(&place, path, sizeof path);
		(void)complain(reading, (unsigned)cfg->line, "%s%.300s", path, why.text);
	}
	return status;
}

/* The keys first: what a section's `add` looks at is there then. */
static enum status read_object(struct reading *reading, const struct place *place,
			       const char *section, void *object)
{
	const cfg_opt_t *opt = place->cfg->opts;
	const struct config_row *row;
	size_t i = 0;
	enum status worst = read_keys(reading, place, section, object), status;

	for (; (worst == OK || reading->all) && (row = config_next_row(reading->rows, section, &i)); opt++) {
		unsigned nth;

		for (nth = 0; row->shape == CONFIG_SECTION && nth < opt->nvalues && !has_heard_enough(reading); nth++) {
			status = read_section(reading, place, row, opt->values[nth]->section, object);
			if (status != OK)
				worst = status;
		}
	}
	return worst;
}

enum status config_parse(const struct config_rows *rows, const char *name, struct span text,
			 struct config_files *files, void *out, struct error *err)
{
	return config_parse_all(rows, name, text, files, out, NULL, err);
}

enum status config_parse_all(const struct config_rows *rows, const char *name, struct span text,
			     struct config_files *files, void *out, struct buffer *complaints, struct error *err)
{
	struct error unheard;
	struct reading reading = {
		.rows = rows, .name = name, .files = files, .out = out, .all = complaints, .err = err ? err : &unheard};
	struct place place = {.around = NULL};
	cfg_t *cfg = NULL;
	enum status status;

	current = &reading;
	TRY(read_tree(&reading, text, &cfg));
	place.cfg = cfg;
	status = read_object(&reading, &place, "", out);
	/* Something was left out, and is no good whatever the rest is. */
	if (status == OK && reading.complaints)
		status = REFUSED;
	if (status == OK && rows->check) {
		struct error one = {""};

		status = rows->check(out, &one);
		error_context(&one, "%s", name);
		if (status != OK)
			(void)submit(&reading, &one);
	}
done:
	current = NULL;
	if (cfg)
		cfg_free(cfg);
	free(reading.line_and_value);
	return status;
}

enum status config_defaults(const struct config_rows *rows, const char *section, void *object,
			    struct error *err)
{
	const struct config_row *row;
	size_t i = 0;
	enum status status = OK;

	while (status == OK && (row = config_next_row(rows, section, &i)))
		if (row->shape != CONFIG_SECTION && row->standard)
			status = read_default(row, NULL, object, err);
	return status;
}

void config_release(const struct config_rows *rows, const char *section, void *object)
{
	const struct config_row *row;
	size_t i = 0;

	while ((row = config_next_row(rows, section, &i)))
		if (row->shape != CONFIG_SECTION && row->kind->release)
			row->kind->release((char *)object + row->offset);
}
