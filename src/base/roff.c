#include "base/roff.h"

void roff_add(struct buffer *out, struct span text)
{
	bool is_line_start = true;
	size_t i;

	for (i = 0; i < text.size; i++) {
		char byte = text.at[i];

		if (is_line_start && (byte == '.' || byte == '\''))
			buffer_add_text(out, "\\&");
		if (byte == '\\')
			buffer_add_text(out, "\\e");
		else if (byte == '-')
			buffer_add_text(out, "\\-");
		else
			buffer_add_char(out, byte);
		is_line_start = byte == '\n';
	}
}

void roff_add_between(struct buffer *out, const char *before, const char *text, const char *after)
{
	buffer_add_text(out, before);
	roff_add(out, span_of(text));
	buffer_add_text(out, after);
}
