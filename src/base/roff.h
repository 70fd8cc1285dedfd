/*
 * roff - text as man(7) wants it, for the manual pages that are written from the program's own tables.
 */
#ifndef BASE_ROFF_H
#define BASE_ROFF_H

#include "base/buffer.h"
#include "base/span.h"

/* `text` so that it is printed as it stands: backslashes, dashes, and dots and quotes at a line's
 * beginning lose their meaning. A newline stays one. */
void roff_add(struct buffer *out, struct span text);
/* The same of a C string, between two pieces of markup that are added as they are. */
void roff_add_between(struct buffer *out, const char *before, const char *text, const char *after);

#endif
