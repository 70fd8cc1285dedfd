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

const struct value_kind site_kind_names = {"name", NULL, parse_name, release_names};
const struct value_kind site_kind_files = {"file", NULL, parse_file, release_files};
