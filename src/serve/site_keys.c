#include "serve/site_keys.h"

#include <stdio.h>

#include "door/route.h"
#include "wire/host_name.h"

static enum status parse_name(const struct value_context *context, struct span text, void *into, struct error *err)
{
	bool is_wildcard = span_starts(text, "*.");
	char folded[sizeof((struct host_name *)0)->text + 2];
	struct host_name name;

	if (is_wildcard)
		span_skip(&text, 2);
	if (host_fold_name(text, &name, err) != OK)
		return REFUSED;
	snprintf(folded, sizeof folded, "%s%s", is_wildcard ? "*." : "", name.text);
	return value_texts.parse(context, span_of(folded), into, err);
}

static void release_names(void *into)
{
	value_texts.release(into);
}

static enum status parse_file(const struct value_context *context, struct span text, void *into, struct error *err)
{
	struct file_pair *pair = into;

	if (pair->first.path && pair->second.path)
		return error_refuse(err, "at most two: one with an RSA key and one with an EC key");
	return value_file.parse(context, text, pair->first.path ? &pair->second : &pair->first, err);
}

static void release_files(void *into)
{
	struct file_pair *pair = into;

	value_file.release(&pair->first);
	value_file.release(&pair->second);
}

static enum status parse_page(const struct value_context *context, struct span text, void *into, struct error *err)
{
	struct error_page_options *pages = into;
	struct span path = text, status;
	uint64_t number = 0;

	if (!span_cut(&path, '=', &status) || path.size == 0 ||
	    (!span_is(status, "default") && (!span_to_u64(status, 599, &number) || number < 400)))
		return error_refuse(err, "write \"403=/etc/chatelaine/403.html\", or \"default=\" for all others");
	if (pages->count == ERROR_PAGES_MOST)
		return error_refuse(err, "at most %d pages", ERROR_PAGES_MOST);
	pages->at[pages->count].status = (uint16_t)number;
	/* Counted at once: what a failed reading left is released. */
	return value_file.parse(context, path, &pages->at[pages->count++].file, err);
}

static void release_pages(void *into)
{
	struct error_page_options *pages = into;

	while (pages->count > 0)
		value_file.release(&pages->at[--pages->count].file);
}

const struct value_kind site_kind_pages = {"page", NULL, parse_page, release_pages};
const struct value_kind site_kind_names = {"name", NULL, parse_name, release_names};
const struct value_kind site_kind_files = {"file", NULL, parse_file, release_files};
