/* terminal - text of others on somebody's terminal: what would move the cursor, colour, or turn the direction of
 * text, and what is no UTF-8, is shown as \xNN. */
#ifndef COMMAND_TERMINAL_H
#define COMMAND_TERMINAL_H

#include <stdio.h>

#include "base/buffer.h"

void terminal_escape(struct buffer *out, struct span text);
/* The same, but ends of lines stay. */
void terminal_escape_lines(struct buffer *out, struct span text);
/* To `stream`, escaped, no line end. */
void terminal_put(FILE *stream, const char *text);

#endif
