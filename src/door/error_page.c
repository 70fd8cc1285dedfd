#include "door/error_page.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "http/page.h"

enum { WORD_MOST = 16, VALUES = 7 };

struct error_pages {
	size_t count;
	struct {
		uint16_t status;
		struct span text;
	} at[ERROR_PAGES_MOST];
	char bytes[];
};

static const char *const words[VALUES] = {"code", "id", "contact", "what", "next", "title", "status"};

static size_t find_word(struct span name)
{
	size_t i;

	for (i = 0; i < VALUES; i++)
		if (span_is(name, words[i]))
			break;
	return i;
}

/* The next {word}: what stands before it, and the word. False: *before is all that is left. */
static bool next_word(struct span *rest, struct span *before, struct span *word)
{
	size_t from, to;

	for (from = 0; from < rest->size; from++) {
		if (rest->at[from] != '{')
			continue;
		for (to = from + 1; to < rest->size && rest->at[to] >= 'a' && rest->at[to] <= 'z';)
			to++;
		if (to == from + 1 || to == rest->size || rest->at[to] != '}')
			continue;
		*before = span_make(rest->at, from);
		*word = span_make(rest->at + from + 1, to - from - 1);
		span_skip(rest, to + 1);
		return true;
	}
	*before = *rest;
	rest->size = 0;
	return false;
}

/* -- checking -- */

static size_t line_of(struct span text, const char *at)
{
	size_t line = 1, i;

	for (i = 0; i < (size_t)(at - text.at); i++)
		line += text.at[i] == '\n';
	return line;
}

/* RFC 3629, without surrogates and overlong forms; no controls but tab and line ends. 0: not one. */
static size_t character_size(struct span text, size_t at)
{
	const uint8_t *c = (const uint8_t *)text.at + at;
	size_t left = text.size - at, size, i;

	if (c[0] < 0x80)
		return c[0] >= 0x20 || c[0] == '\t' || c[0] == '\n' || c[0] == '\r';
	size = c[0] >= 0xc2 && c[0] < 0xe0 ? 2 : c[0] >= 0xe0 && c[0] < 0xf0 ? 3 : c[0] >= 0xf0 && c[0] < 0xf5 ? 4 : 0;
	if (size == 0 || size > left)
		return 0;
	for (i = 1; i < size; i++)
		if ((c[i] & 0xc0) != 0x80)
			return 0;
	if ((c[0] == 0xe0 && c[1] < 0xa0) || (c[0] == 0xed && c[1] >= 0xa0) || (c[0] == 0xf0 && c[1] < 0x90) ||
	    (c[0] == 0xf4 && c[1] >= 0x90))
		return 0;
	return size;
}

enum status error_page_check(struct span text, struct error *err)
{
	struct span rest = text, before, word;
	size_t at, size;

	if (text.size == 0)
		return error_refuse(err, "it is empty");
	if (text.size > ERROR_PAGE_MOST)
		return error_refuse(err, "more than %d bytes", ERROR_PAGE_MOST);
	for (at = 0; at < text.size; at += size) {
		size = character_size(text, at);
		if (size == 0)
			return error_refuse(err, "line %zu: not UTF-8 text", line_of(text, text.at + at));
	}
	while (next_word(&rest, &before, &word))
		if (find_word(word) == VALUES)
			return error_refuse(err, "line %zu: there is no {%.*s}; there are {code} {id} {contact} {what} "
					    "{next} {title} {status}",
					    line_of(text, word.at), (int)(word.size < 40 ? word.size : 40), word.at);
	return OK;
}

/* -- making -- */

static enum status check_all(const struct error_page_options *given, size_t *size, struct error *err)
{
	size_t i, j;

	for (i = 0; i < given->count; i++) {
		for (j = 0; j < i; j++)
			if (given->at[j].status == given->at[i].status)
				return error_refuse(err, "error-page: %s and %s are for the same status",
						    given->at[j].file.path, given->at[i].file.path);
		if (error_page_check(given->at[i].file.bytes, err) != OK) {
			error_context(err, "error-page %s", given->at[i].file.path);
			return REFUSED;
		}
		*size += given->at[i].file.bytes.size;
	}
	return OK;
}

enum status error_pages_new(const struct error_page_options *given, struct error_pages **out, struct error *err)
{
	struct error_pages *pages;
	enum status status;
	size_t size = 0, i;
	char *at;

	*out = NULL;
	if (given->count == 0)
		return OK;
	status = check_all(given, &size, err);
	if (status != OK)
		return status;
	pages = calloc(1, sizeof *pages + size);
	if (!pages)
		return error_fail(err, "no memory for error pages");
	at = pages->bytes;
	for (i = 0; i < given->count; i++) {
		struct span bytes = given->at[i].file.bytes;

		memcpy(at, bytes.at, bytes.size);
		pages->at[i].status = given->at[i].status;
		pages->at[i].text = span_make(at, bytes.size);
		at += bytes.size;
	}
	pages->count = given->count;
	*out = pages;
	return OK;
}

void error_pages_free(struct error_pages *pages)
{
	free(pages);
}

/* -- using -- */

static const struct span *find_page(const struct error_pages *pages, uint16_t status)
{
	const struct span *other = NULL;
	size_t i;

	for (i = 0; pages && i < pages->count; i++) {
		if (pages->at[i].status == status)
			return &pages->at[i].text;
		if (pages->at[i].status == 0)
			other = &pages->at[i].text;
	}
	return other;
}

bool error_pages_write(const struct error_pages *pages, const struct refusal_page *page, struct buffer *out)
{
	const struct refusal_row *row = refusal_row(page->why);
	const struct span *text = find_page(pages, page->status);
	struct span rest, before, word;
	char status[8];

	if (!text || !row)
		return false;
	snprintf(status, sizeof status, "%u", page->status);
	const struct span values[VALUES] = {span_of(row->code), page->request, page->contact, span_of(row->sentence),
					    span_of(row->next), span_of(row->title), span_of(status)};

	rest = *text;
	while (next_word(&rest, &before, &word)) {
		size_t which = find_word(word);

		buffer_add(out, before);
		if (which < VALUES)
			page_escape(out, values[which]);
	}
	buffer_add(out, before);
	return true;
}
