/*
 * doubts - what a configuration may say, and hardly means: said by "config check" and after a reload,
 * refused by nobody.
 */
#ifndef SERVE_DOUBTS_H
#define SERVE_DOUBTS_H

#include "base/buffer.h"

struct settings;

/* Adds a sentence a line. */
void doubts_write(const struct settings *settings, struct buffer *out);

#endif
