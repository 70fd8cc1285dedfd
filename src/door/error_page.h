/*
 * error_page - a site's own pages for what the door refuses: templates from
 * the config's files, checked when they are read.
 *
 * A template is HTML in UTF-8. {code} {id} {contact} {what} {next} {title}
 * {status} stand for what the built-in page says, escaped. Any other lower-case
 * word in braces is a mistake; braces with anything else in them (CSS, scripts)
 * mean themselves.
 */
#ifndef DOOR_ERROR_PAGE_H
#define DOOR_ERROR_PAGE_H

#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "config/config_value.h"
#include "door/refusal.h"

enum { ERROR_PAGES_MOST = 24, ERROR_PAGE_MOST = 65536 };

/* As the config gives them. */
struct error_page_options {
	struct {
		uint16_t status; /* 0: for those that no other one is for */
		struct value_file file;
	} at[ERROR_PAGES_MOST];
	size_t count;
};

struct error_pages;

/* REFUSED: the file, the line, and what is wrong. *out is NULL for none. The bytes are copied. */
MUST_CHECK enum status error_pages_new(const struct error_page_options *given, struct error_pages **out,
				       struct error *err);
void error_pages_free(struct error_pages *pages); /* NULL is fine */
/* False: there is none for this status (or `pages` is NULL), nothing was added. */
bool error_pages_write(const struct error_pages *pages, const struct refusal_page *page, struct buffer *out);
/* One template: is it right? Without the file's name in the error. */
MUST_CHECK enum status error_page_check(struct span text, struct error *err);

#endif
