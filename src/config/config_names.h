/* config_names - rows by section and key, and which known key a mistyped one was meant to be. */
#ifndef CONFIG_CONFIG_NAMES_H
#define CONFIG_CONFIG_NAMES_H

#include "config/config_parse.h"

/* The next row of `section` from *index on; NULL: no more. */
const struct config_row *config_next_row(const struct config_rows *rows, const char *section,
					 size_t *index);
/* Adds to `err` what may be meant: ' (did you mean "x"?)', or in which section it belongs. */
void config_suggest(const struct config_rows *rows, const char *section, const char *key,
		    struct error *err);

#endif
