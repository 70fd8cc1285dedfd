#include "config/config_parse.h"

#include <string.h>

#include "config/config_names.h"
#include "config/config_scan.h"

bool config_quote(struct buffer *out, struct span text)
{
	size_t i;

	for (i = 0; i < text.size; i++)
		if ((unsigned char)text.at[i] < ' ' || text.at[i] == 0x7f)
			return false;
	buffer_add_char(out, '"');
	for (i = 0; i < text.size; i++) {
		if (strchr("\"\\$", text.at[i]))
			buffer_add_char(out, '\\');
		buffer_add_char(out, text.at[i]);
	}
	buffer_add_char(out, '"');
	return true;
}

static void indent(struct buffer *out, unsigned depth)
{
	while (depth--)
		buffer_add_text(out, "    ");
}

static void write_help(struct buffer *out, unsigned depth, const struct config_row *row)
{
	struct span rest = span_of(row->help), line;

	while (span_cut(&rest, '\n', &line)) {
		indent(out, depth);
		buffer_add_text(out, "# ");
		buffer_add(out, line);
		buffer_add_char(out, '\n');
	}
}

static void write_value(struct buffer *out, struct span value)
{
	if (config_is_bare(value))
		buffer_add(out, value);
	else
		(void)config_quote(out, value);
}

static void write_key(struct buffer *out, unsigned depth, const struct config_row *row)
{
	struct span rest = span_of(row->standard ? row->standard : row->example), value;
	bool is_first = true;

	indent(out, depth);
	buffer_printf(out, "#%s = ", row->key);
	if (row->shape == CONFIG_LIST) {
		buffer_add_char(out, '{');
		for (; span_cut(&rest, ',', &value); is_first = false) {
			buffer_add_text(out, is_first ? "" : ", ");
			(void)config_quote(out, span_trim(value));
		}
		buffer_add_char(out, '}');
	} else {
		write_value(out, rest);
	}
	buffer_add_char(out, '\n');
}

static void write_section(const struct config_rows *rows, struct buffer *out, unsigned depth,
			  const char *section)
{
	const struct config_row *row;
	size_t i;

	for (i = 0; (row = config_next_row(rows, section, &i));) {
		if (row->shape == CONFIG_SECTION)
			continue;
		write_help(out, depth, row);
		write_key(out, depth, row);
		buffer_add_char(out, '\n');
	}
	for (i = 0; depth < CONFIG_DEPTH_MOST && (row = config_next_row(rows, section, &i));) {
		if (row->shape != CONFIG_SECTION)
			continue;
		write_help(out, depth, row);
		indent(out, depth);
		buffer_printf(out, "#%s ", row->key);
		(void)config_quote(out, span_of(row->example));
		buffer_add_text(out, " {\n");
		write_section(rows, out, depth + 1, row->key);
		indent(out, depth);
		buffer_add_text(out, "#}\n\n");
	}
}

void config_write_reference(const struct config_rows *rows, struct buffer *out)
{
	write_section(rows, out, 0, "");
}
