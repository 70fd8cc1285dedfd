#include "serve/access_keys.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "serve/plan.h"

static enum status parse_target(const struct value_context *context, struct span text, void *into, struct error *err)
{
	struct access_settings *settings = into;

	settings->options.target = span_is(text, "stderr") ? ACCESS_MAIN : span_is(text, "off") ? ACCESS_OFF : ACCESS_FILE;
	if (settings->options.target != ACCESS_FILE)
		return OK;
	if (!span_starts(text, "/"))
		return error_refuse(err, "\"%.*s\" is neither stderr nor off nor a path that begins with \"/\"",
				    SPAN_PRINT(text));
	return value_path.parse(context, text, &settings->path, err);
}

static void release_target(void *into)
{
	struct access_settings *settings = into;

	free(settings->path);
	settings->path = NULL;
}

const struct value_kind access_target_kind = {"access log", NULL, parse_target, release_target};

static enum status parse_with(const struct value_context *context, struct span text, void *into, struct error *err)
{
	unsigned *with = into;

	(void)context;
	if (span_is(text, "query"))
		*with |= ACCESS_QUERY;
	else if (span_is(text, "agent"))
		*with |= ACCESS_AGENT;
	else
		return error_refuse(err, "\"%.*s\" is nothing that the access log knows; there are query and agent",
				    SPAN_PRINT(text));
	return OK;
}

const struct value_kind access_with_kind = {"access log's part", NULL, parse_with, NULL};
const struct value_choice access_formats[] = {{"logfmt", ACCESS_LOGFMT}, {"json", ACCESS_JSON}, {NULL, 0}};

void access_keys_plan(const struct access_settings *settings, const char *config, struct plan *out)
{
	struct stat facts;

	out->access_owner = (struct sandbox_user){geteuid(), getegid()};
	if (!settings->path)
		return;
	snprintf(out->access_log, sizeof out->access_log, "%s", settings->path);
	if (stat(config, &facts) == 0)
		out->access_owner = (struct sandbox_user){facts.st_uid, facts.st_gid};
}
