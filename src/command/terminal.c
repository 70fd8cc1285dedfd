#include "command/terminal.h"

#include <string.h>

#include "base/utf8.h"

enum { LINE_MOST = 65536 };

void terminal_escape(struct buffer *out, struct span text)
{
	while (text.size) {
		uint32_t character;
		unsigned size = utf8_take(text, &character), i;

		if (size && !utf8_is_control(character))
			buffer_add(out, span_make(text.at, size));
		else
			for (i = 0; i < (size ? size : 1); i++)
				buffer_printf(out, "\\x%02x", (unsigned char)text.at[i]);
		span_skip(&text, size ? size : 1);
	}
}

void terminal_escape_lines(struct buffer *out, struct span text)
{
	while (text.size) {
		const char *end = memchr(text.at, '\n', text.size);
		size_t size = end ? (size_t)(end - text.at) : text.size;

		terminal_escape(out, span_make(text.at, size));
		if (end)
			buffer_add_text(out, "\n");
		span_skip(&text, size + (end != NULL));
	}
}

void terminal_put(FILE *stream, const char *text)
{
	struct buffer line;

	buffer_init(&line, LINE_MOST);
	terminal_escape(&line, span_of(text));
	(void)fwrite(buffer_text(&line), 1, line.size, stream);
	buffer_release(&line);
}
