#include "serve/watch_keys.h"

#include <stddef.h>

#include "access/policy.h"

/* -- values -- */

static enum status parse_watch(const struct value_context *context, struct span text, int *mode, struct moment *until,
			       struct error *err)
{
	struct span day = text;

	if (!span_starts(text, "watch ")) {
		enum status status = value_of_choice.parse(context, text, mode, err);

		if (status == REFUSED)
			error_context(err, "it is neither one of these nor \"watch until DATE\"");
		return status;
	}
	span_skip(&day, sizeof "watch" - 1);
	day = span_trim(day);
	if (!span_starts(day, "until "))
		return error_refuse(err, "write watch, or \"watch until 2026-12-24\"");
	span_skip(&day, sizeof "until" - 1);
	day = span_trim(day);
	if (!moment_parse(day, until))
		return error_refuse(err, "\"%.*s\" is no day; write it as 2026-12-24, 2026-12-24T08:00, or "
				    "2026-12-24T08:00Z for UTC", SPAN_PRINT(day));
	*mode = NO_CERTIFICATE_WATCH;
	return OK;
}

/* The row points at the mode; its end stands elsewhere in the same object. */
#define KIND(function, type, mode_field, until_field)                                                               \
	static enum status function(const struct value_context *context, struct span text, void *into,             \
				    struct error *err)                                                             \
	{                                                                                                          \
		struct type *object = (struct type *)(void *)((char *)into - offsetof(struct type, mode_field));   \
                                                                                                                   \
		return parse_watch(context, text, into, &object->until_field, err);                                \
	}

KIND(parse_site, site_options, no_certificate, watch.until)
KIND(parse_site_known, site_options, watch.not_allowed, watch.not_allowed_until)
KIND(parse_location, location_options, no_certificate, watch.until)
KIND(parse_location_known, location_options, watch.not_allowed, watch.not_allowed_until)

const struct value_kind watch_kind_site = {.name = "choice", .parse = parse_site};
const struct value_kind watch_kind_site_known = {.name = "choice", .parse = parse_site_known};
const struct value_kind watch_kind_location = {.name = "choice", .parse = parse_location};
const struct value_kind watch_kind_location_known = {.name = "choice", .parse = parse_location_known};

/* -- settling -- */

typedef bool each_moment(void *arg, struct moment *moment);

static bool each_of(struct watch_options *watch, each_moment *each, void *arg)
{
	return each(arg, &watch->until) && each(arg, &watch->not_allowed_until);
}

static bool each_of_all(struct door_options *door, each_moment *each, void *arg)
{
	size_t i, j;

	for (i = 0; i < door->site_count; i++) {
		struct site_options *site = &door->sites[i];

		if (!each_of(&site->watch, each, arg))
			return false;
		for (j = 0; j < site->location_count; j++)
			if (!each_of(&site->locations[j].watch, each, arg))
				return false;
	}
	return true;
}

static bool settle(void *arg, struct moment *moment)
{
	(void)arg;
	if (moment->is_local)
		*moment = (struct moment){.seconds = moment_settle(moment->seconds)};
	return true;
}

void watch_keys_settle(struct door_options *door)
{
	(void)each_of_all(door, settle, NULL);
}

static bool note(void *arg, struct moment *moment)
{
	if (moment->seconds)
		buffer_printf(arg, "%lld\n", (long long)moment->seconds);
	return true;
}

void watch_keys_note(const struct door_options *door, struct buffer *out)
{
	/* Nothing is written into it. */
	(void)each_of_all((struct door_options *)(uintptr_t)door, note, out);
}

static bool take(void *arg, struct moment *moment)
{
	struct span line;
	uint64_t seconds;

	if (!moment->seconds)
		return true;
	if (!span_cut(arg, '\n', &line) || !span_to_u64(line, INT64_MAX, &seconds))
		return false;
	*moment = (struct moment){.seconds = (int64_t)seconds};
	return true;
}

enum status watch_keys_take(struct door_options *door, struct span note_text, struct error *err)
{
	struct span rest = note_text;

	if (!each_of_all(door, take, &rest) || rest.size > 0)
		return error_refuse(err, "the days of the configuration were noted for another one");
	return OK;
}
