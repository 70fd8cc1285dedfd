/*
 * site_keys - the configuration's words for what a site is called beside its
 * title, for its certificates (one, or two of different key types), and for its
 * error pages.
 */
#ifndef SERVE_SITE_KEYS_H
#define SERVE_SITE_KEYS_H

#include "config/config_value.h"

/* Lists: struct value_texts of folded names; struct file_pair; struct error_page_options. */
extern const struct value_kind site_kind_names, site_kind_files, site_kind_pages;

#endif
