/*
 * config_edit - changes the value of one key in one site of a configuration
 * file, and nothing else of it: comments, order and spaces stay.
 */
#ifndef COMMAND_CONFIG_EDIT_H
#define COMMAND_CONFIG_EDIT_H

#include <stdbool.h>

#include "base/buffer.h"
#include "base/span.h"

/* Adds `text` to `out` with key = "value" in the block of this site. False: there is no such line of its
 * own, or the value cannot be written; `out` is of no use then. What was read back afterwards decides. */
bool config_edit_site(struct span text, struct span site, const char *key, const char *value,
		      struct buffer *out);

#endif
