/*
 * page - small answers from memory: embedded files, filled templates, and the service that sends
 * them. The only place that turns text into HTML.
 *
 * A template holds {{name}} (escaped), {{#name}} ... {{/name}} (shown if the name's value is not
 * empty) and {{include:FILE}} (an embedded file as it is, not filled). A name without a value becomes
 * nothing. refusal.html takes title, sentence, next, contact, code, request, status, url.
 */
#ifndef HTTP_PAGE_H
#define HTTP_PAGE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/span.h"

struct exchange;

/* web/, turned into C by script/embed; ends with a row of zeros. */
struct embedded {
	const char *name;
	struct span bytes;
};
extern const struct embedded embedded_files[];
/* NULL: no such file in web/. */
const struct embedded *embedded_find(const char *name);

struct page_value {
	const char *name;
	struct span value;
	bool is_html; /* goes in as it is; only for text that was escaped already */
};
/* & < > " ' become entities; control characters but tab, CR and LF become U+FFFD. */
void page_escape(struct buffer *out, struct span text);
void page_fill(struct buffer *out, struct span template, const struct page_value *values,
	       size_t count);

struct page_field {
	struct span name, value; /* no CR, LF, NUL: such a field is left out */
};
struct page {
	unsigned status;
	struct span type; /* "text/html; charset=utf-8" */
	struct span body; /* copied unless `lasts`; at most 256 KB */
	bool lasts;       /* the body's memory stays for ever (embedded files, literals) */
	const struct page_field *fields;
	size_t field_count;
};
/* Answer a fresh exchange (PHASE_OPEN): hands it over to the page service, which sends it. Right for
 * HEAD; adds Cache-Control: no-store and X-Content-Type-Options: nosniff, and for HTML a
 * Content-Security-Policy that allows inline style and nothing else, unless `fields` has them. */
void page_send(struct exchange *exchange, const struct page *page);
/* The short form; `body` is copied. */
void page_answer(struct exchange *exchange, unsigned status, struct span type, struct span body);

#endif
