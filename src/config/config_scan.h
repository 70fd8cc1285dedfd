/*
 * config_scan - looks at the form of a config text before libconfuse does:
 * brackets, quotes, what a key may look like; and hands on a text in which
 * nothing surprising is left: no comment, no NUL, no "${" that would be read
 * from the environment. Knows no key.
 */
#ifndef CONFIG_CONFIG_SCAN_H
#define CONFIG_CONFIG_SCAN_H

#include "base/buffer.h"
#include "base/error.h"
#include "base/span.h"

/* `out` gets the text with blanks for comments, line by line as long as before. REFUSED:
 * "NAME:LINE: what". */
MUST_CHECK enum status config_scan(const char *name, struct span text, struct buffer *out,
				   struct error *err);
/* May stand in a config without quotes. */
bool config_is_bare(struct span text);

#endif
