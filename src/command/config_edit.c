#include "command/config_edit.h"

#include <string.h>

#include "config/config_parse.h"

/* How many blocks a line opens, less those it closes; braces in texts and comments, and those of lists,
 * which close on their line, count nothing. */
static int depth_of(struct span line)
{
	bool in_text = false;
	int depth = 0;
	size_t i;

	for (i = 0; i < line.size; i++) {
		char byte = line.at[i];

		if (byte == '\\' && in_text)
			i++;
		else if (byte == '"')
			in_text = !in_text;
		else if (in_text)
			continue;
		else if (byte == '#' || (byte == '/' && i + 1 < line.size && line.at[i + 1] == '/'))
			break;
		else if (byte == '{')
			depth++;
		else if (byte == '}')
			depth--;
	}
	return depth;
}

/* site "NAME" { */
static bool opens_site(struct span line, struct span site)
{
	struct span rest = span_trim(line), name = {0};

	if (!span_starts(rest, "site"))
		return false;
	span_skip(&rest, 4);
	rest = span_trim(rest);
	if (rest.size && rest.at[0] == '"') {
		span_skip(&rest, 1);
		return span_cut(&rest, '"', &name) && name.size == site.size &&
		       strncasecmp(name.at, site.at, site.size) == 0;
	}
	return false;
}

static bool is_line_of(struct span line, const char *key)
{
	struct span rest = span_trim(line);

	if (!span_starts(rest, key))
		return false;
	span_skip(&rest, strlen(key));
	rest = span_trim(rest);
	return rest.size && rest.at[0] == '=';
}

static bool write_line(struct buffer *out, struct span line, const char *value)
{
	struct span before = line;

	before.size = (size_t)((const char *)memchr(line.at, '=', line.size) - line.at);
	buffer_add(out, before);
	buffer_add_text(out, "= ");
	return config_quote(out, span_of(value));
}

bool config_edit_site(struct span text, struct span site, const char *key, const char *value,
		      struct buffer *out)
{
	bool is_inside = false, is_done = false;
	struct span line;
	int depth = 0;

	while (span_cut(&text, '\n', &line)) {
		int more = depth_of(line);

		if (depth == 0 && opens_site(line, site))
			is_inside = true;
		if (is_inside && depth == 1 && more == 0 && !is_done && is_line_of(line, key)) {
			is_done = true;
			if (!write_line(out, line, value))
				return false;
		} else {
			buffer_add(out, line);
		}
		buffer_add_char(out, '\n');
		depth += more;
		if (depth == 0)
			is_inside = false;
	}
	return is_done && buffer_is_whole(out);
}
