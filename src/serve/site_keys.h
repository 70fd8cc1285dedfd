/*
 * site_keys - the configuration's words for what a site is called beside its
 * title, and for its certificates: one, or two of different key types.
 */
#ifndef SERVE_SITE_KEYS_H
#define SERVE_SITE_KEYS_H

#include "config/config_value.h"

/* Lists: struct value_texts of folded names; struct file_pair. */
extern const struct value_kind site_kind_names, site_kind_files;

#endif
