#include "command/watching.h"

#include <stdio.h>
#include <string.h>

#include "access/watch_rule.h"
#include "base/clock.h"
#include "base/moment.h"
#include "command/asking.h"
#include "door/route.h"

enum { DAY = 86400 };

/* Places --------------------------------------------------------------------- */

static json_t *end_of(const struct watch_span *span)
{
	return span->until ? json_integer(span->until) : json_null();
}

static json_t *describe(const struct site_options *site, const char *location, const struct watch_rule *rule)
{
	json_t *enforced = json_array();
	size_t i;

	for (i = 0; i < rule->enforced_count; i++)
		json_array_append_new(enforced, json_string(rule->enforced[i]));
	return json_pack("{s:s, s:s, s:b, s:o, s:b, s:o, s:o}", "site", site->name, "location", location, "nobody",
			 rule->nobody.is_on, "nobody_until", end_of(&rule->nobody), "known", rule->known.is_on,
			 "known_until", end_of(&rule->known), "enforced", enforced);
}

static bool fill_rule(struct watch_rule *rule, int mode, const struct watch_options *watch, int site_mode,
		      const struct watch_rule *site)
{
	struct rule_options options = {.no_certificate = (enum no_certificate)mode,
				       .watch_until = watch->until.seconds,
				       .not_allowed = (enum no_certificate)watch->not_allowed,
				       .not_allowed_until = watch->not_allowed_until.seconds,
				       .enforced = &watch->enforced};

	memset(rule, 0, sizeof *rule);
	return watch_rule_set(rule, &options, (enum no_certificate)(mode ? mode : site_mode), site, NULL) == OK;
}

/* A location that says nothing of its own is its site. */
static bool is_same(const struct watch_rule *a, const struct watch_rule *b)
{
	struct buffer one, other;
	bool same;

	buffer_init(&one, 65536);
	buffer_init(&other, 65536);
	watch_rule_write(a, &one);
	watch_rule_write(b, &other);
	same = span_equals(buffer_span(&one), buffer_span(&other));
	buffer_release(&one);
	buffer_release(&other);
	return same;
}

static void add_site_places(const struct site_options *site, json_t *places)
{
	struct watch_rule whole, rule;
	size_t i;

	if (fill_rule(&whole, site->no_certificate, &site->watch, 0, NULL) && (whole.nobody.is_on || whole.known.is_on))
		json_array_append_new(places, describe(site, "", &whole));
	for (i = 0; i < site->location_count; i++) {
		const struct location_options *location = &site->locations[i];

		if (fill_rule(&rule, location->no_certificate, &location->watch, site->no_certificate, &whole) &&
		    (rule.nobody.is_on || rule.known.is_on) && !is_same(&rule, &whole))
			json_array_append_new(places, describe(site, location->path, &rule));
		watch_rule_release(&rule);
	}
	watch_rule_release(&whole);
}

json_t *watching_places(const struct door_options *door)
{
	json_t *places = json_array();
	size_t i;

	for (i = 0; i < door->site_count; i++)
		add_site_places(&door->sites[i], places);
	return places;
}

static bool holds(const json_t *place, const char *what, const char *until, int64_t now)
{
	int64_t end = asking_number(place, until);

	return json_is_true(json_object_get(place, what)) && (end == 0 || end > now);
}

bool watching_is_on(const json_t *place)
{
	int64_t now = clock_seconds();

	return holds(place, "nobody", "nobody_until", now) || holds(place, "known", "known_until", now);
}

int64_t watching_end(const json_t *place)
{
	int64_t now = clock_seconds(), nobody = 0, known = 0;

	if (holds(place, "nobody", "nobody_until", now))
		nobody = asking_number(place, "nobody_until");
	if (holds(place, "known", "known_until", now))
		known = asking_number(place, "known_until");
	return nobody && (!known || nobody < known) ? nobody : known;
}

void watching_until_text(int64_t until, char out[static WATCHING_TEXT_SIZE])
{
	int64_t left = until - clock_seconds();
	char text[MOMENT_TEXT_SIZE];

	if (until == 0) {
		snprintf(out, WATCHING_TEXT_SIZE, "without an end");
		return;
	}
	moment_text(until, text);
	if (left <= 0)
		snprintf(out, WATCHING_TEXT_SIZE, "ended %s", text);
	else if (left < 2 * 3600)
		snprintf(out, WATCHING_TEXT_SIZE, "until %s (in %lld minutes)", text, (long long)(left / 60));
	else if (left < 2 * DAY)
		snprintf(out, WATCHING_TEXT_SIZE, "until %s (in %lld hours)", text, (long long)(left / 3600));
	else
		snprintf(out, WATCHING_TEXT_SIZE, "until %s (in %lld days)", text, (long long)(left / DAY));
}

/* Who is ready --------------------------------------------------------------- */

static bool is_watched_site(const json_t *places, const char *name)
{
	const json_t *place;
	size_t i;

	json_array_foreach(places, i, place)
		if (strcmp(asking_text(place, "site"), name) == 0 && watching_is_on(place))
			return true;
	return false;
}

static bool lets_in(const struct value_texts *who, const json_t *groups)
{
	const json_t *group;
	size_t i, j;

	for (i = 0; i < who->count; i++) {
		if (strcmp(who->at[i], "everyone") == 0)
			return true;
		json_array_foreach(groups, j, group)
			if (strcmp(who->at[i], json_string_value(group)) == 0)
				return true;
	}
	return who->count == 0;
}

struct audience {
	const struct door_options *door; /* NULL: everybody */
	const char *site;
	json_t *places;
	bool any_watched;
};

static bool is_of_audience(const struct audience *audience, const json_t *person)
{
	const json_t *groups = json_object_get(person, "groups");
	size_t i;

	if (!audience->door)
		return true;
	for (i = 0; i < audience->door->site_count; i++) {
		const struct site_options *site = &audience->door->sites[i];

		if (audience->site ? strcmp(site->name, audience->site) != 0
				   : audience->any_watched && !is_watched_site(audience->places, site->name))
			continue;
		if (lets_in(&site->who, groups))
			return true;
	}
	return false;
}

static void count_people(const struct audience *audience, const json_t *people, int64_t since, json_t *out)
{
	json_t *missing = json_object_get(out, "missing"), *person;
	json_int_t all = 0, seen = 0;
	size_t i;

	json_array_foreach(people, i, person) {
		if (!is_of_audience(audience, person))
			continue;
		all++;
		if (asking_number(person, "seen") >= since && asking_number(person, "seen") > 0)
			seen++;
		else
			json_array_append_new(missing, json_pack("{s:O, s:O, s:O}", "name", json_object_get(person, "name"),
								 "devices", json_object_get(person, "devices"), "seen",
								 json_object_get(person, "seen")));
	}
	json_object_set_new(out, "people", json_integer(all));
	json_object_set_new(out, "seen", json_integer(seen));
}

int watching_ready(const struct invocation *invocation, const struct door_options *door, const char *site,
		   int64_t since, json_t **out)
{
	struct audience audience = {.door = door, .site = site};
	json_t *people, *place;
	size_t i;
	int outcome = asking_all(invocation, "attendance", json_object(), "people", &people);

	if (outcome != EXIT_DONE)
		return outcome;
	if (door) {
		audience.places = watching_places(door);
		json_array_foreach(audience.places, i, place)
			audience.any_watched |= watching_is_on(place);
	}
	*out = json_pack("{s:i, s:i, s:I, s:[]}", "people", 0, "seen", 0, "since", (json_int_t)since, "missing");
	count_people(&audience, people, since, *out);
	json_decref(audience.places);
	json_decref(people);
	return EXIT_DONE;
}

/* For status ----------------------------------------------------------------- */

static void add_place_problem(const json_t *place, const json_t *ready, json_t *problems)
{
	const char *location = asking_text(place, "location");
	bool nobody = holds(place, "nobody", "nobody_until", clock_seconds());
	char until[WATCHING_TEXT_SIZE], text[600];

	watching_until_text(watching_end(place), until);
	snprintf(text, sizeof text, "%s%s is only watched, %s: %s; %lld of %lld people are ready: \"chatelaine watch\" tells more",
		 asking_text(place, "site"), location, until,
		 nobody ? "requests without a certificate pass" : "devices that are not allowed pass",
		 (long long)asking_number(ready, "seen"), (long long)asking_number(ready, "people"));
	json_array_append_new(problems, json_string(text));
}

json_t *watching_summary(const struct invocation *invocation, const struct door_options *door, json_t *problems)
{
	json_t *places = watching_places(door), *ready = NULL, *place;
	bool any = false;
	size_t i;

	json_array_foreach(places, i, place)
		any |= watching_is_on(place);
	if (!any ||
	    watching_ready(invocation, door, NULL, clock_seconds() - READY_DAYS * DAY, &ready) != EXIT_DONE) {
		json_decref(places);
		return NULL;
	}
	json_array_foreach(places, i, place)
		if (watching_is_on(place))
			add_place_problem(place, ready, problems);
	return json_pack("{s:o, s:o}", "places", places, "ready", ready);
}
