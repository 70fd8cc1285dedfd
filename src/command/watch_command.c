#include "command/watch_command.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/moment.h"
#include "command/asking.h"
#include "command/options.h"
#include "command/serve.h"
#include "command/table.h"
#include "command/watch_advice.h"
#include "command/watching.h"
#include "door/refusal.h"
#include "pki/crypto_start.h"
#include "serve/settings.h"
#include "wire/host_name.h"

enum { DAY = 86400, SHOWN_ROWS = 50, SHOWN_PEOPLE = 20, FOLLOW_MS = 2000, TIMES_TEXT = 24 };

struct watch_request {
	const char *site; /* NULL: every one */
	int64_t since;    /* of rows; 0: all */
	json_t *places, *ready, *rows; /* the most frequent first */
};

/* Words ------------------------------------------------------------------------ */

static bool read_age(struct span text, int64_t *out)
{
	static const struct {
		char unit;
		int64_t seconds;
	} units[] = {{'d', DAY}, {'h', 3600}, {'m', 60}, {'s', 1}};
	uint64_t count;
	size_t i;

	for (i = 0; i < sizeof units / sizeof *units && text.size > 1; i++) {
		if (text.at[text.size - 1] != units[i].unit ||
		    !span_to_u64(span_make(text.at, text.size - 1), 36500, &count))
			continue;
		*out = clock_seconds() - (int64_t)count * units[i].seconds;
		return true;
	}
	return false;
}

static bool read_since(const char *text, int64_t *out)
{
	struct moment moment;

	if (read_age(span_of(text), out))
		return true;
	if (!moment_parse(span_of(text), &moment))
		return false;
	*out = moment.is_local ? moment_settle(moment.seconds) : moment.seconds;
	return true;
}

/* Gathering -------------------------------------------------------------------- */

static int most_frequent_first(const void *a, const void *b)
{
	json_int_t one = asking_number(*(json_t *const *)a, "times"), other = asking_number(*(json_t *const *)b, "times");

	return one == other ? 0 : one < other ? 1 : -1;
}

static void sort_rows(json_t **rows)
{
	size_t count = json_array_size(*rows), i;
	json_t **at = calloc(count + 1, sizeof *at), *sorted = json_array();

	for (i = 0; at && i < count; i++)
		at[i] = json_array_get(*rows, i);
	if (at)
		qsort(at, count, sizeof *at, most_frequent_first);
	for (i = 0; at && i < count; i++)
		json_array_append(sorted, at[i]);
	free(at);
	json_decref(*rows);
	*rows = sorted;
}

static int ask_rows(const struct invocation *invocation, const struct watch_request *asked, json_t **rows)
{
	json_t *words = json_pack("{s:I}", "since", (json_int_t)asked->since);

	if (asked->site)
		json_object_set_new(words, "site", json_string(asked->site));
	return asking_all(invocation, "watch", words, "rows", rows);
}

static void keep_site(json_t *places, const char *site)
{
	size_t i;

	for (i = json_array_size(places); site && i-- > 0;)
		if (strcmp(asking_text(json_array_get(places, i), "site"), site) != 0)
			json_array_remove(places, i);
}

static bool has_site(const struct door_options *door, const char *site)
{
	size_t i;

	for (i = 0; i < door->site_count; i++)
		if (strcmp(door->sites[i].name, site) == 0)
			return true;
	return false;
}

/* Without a configuration that can be read the figures are still there. */
static int gather(const struct invocation *invocation, const char *config, struct watch_request *asked)
{
	int64_t since = asked->since ? asked->since : clock_seconds() - READY_DAYS * DAY;
	const struct door_options *door = NULL;
	struct settings *settings = NULL;
	struct error err;
	char path[4200];
	int outcome;

	config_path(invocation, config, path, sizeof path);
	if (settings_load(path, &settings, &err) == OK)
		door = settings_door(settings);
	else
		fprintf(stderr, "warning: %s\n", err.text);
	if (door && asked->site && !has_site(door, asked->site))
		fprintf(stderr, "warning: there is no site %s in %s\n", asked->site, path);
	asked->places = door ? watching_places(door) : json_array();
	keep_site(asked->places, asked->site);
	outcome = ask_rows(invocation, asked, &asked->rows);
	if (outcome == EXIT_DONE) {
		sort_rows(&asked->rows);
		outcome = watching_ready(invocation, door, asked->site, since, &asked->ready);
	}
	settings_free(settings);
	return outcome;
}

static void release(struct watch_request *asked)
{
	json_decref(asked->places);
	json_decref(asked->ready);
	json_decref(asked->rows);
}

/* Printing ----------------------------------------------------------------------- */

/* Whatever got into the registry, a terminal obeys nothing of it. */
static void clean(const char *text, char *out, size_t room)
{
	size_t i;

	snprintf(out, room, "%s", text);
	for (i = 0; out[i]; i++)
		if ((unsigned char)out[i] < ' ' || out[i] == 0x7f ||
		    ((unsigned char)out[i] == 0xc2 && (unsigned char)out[i + 1] < 0xa0))
			out[i] = '?';
}

static void print_text(const char *text)
{
	char line[1024];

	clean(text, line, sizeof line);
	fputs(line, stdout);
}

static void print_span(const json_t *place, const char *what, const char *until, const char *words)
{
	char text[WATCHING_TEXT_SIZE];

	if (!json_is_true(json_object_get(place, what)))
		return;
	watching_until_text(asking_number(place, until), text);
	printf("watched   %s%s: %s, %s\n", asking_text(place, "site"), asking_text(place, "location"), words, text);
}

static void print_places(const json_t *places)
{
	const json_t *place, *group;
	size_t i, j;

	if (json_array_size(places) == 0)
		puts("watched   nothing: no site or location has no-certificate = watch");
	json_array_foreach(places, i, place) {
		print_span(place, "nobody", "nobody_until", "requests without a certificate pass");
		print_span(place, "known", "known_until", "known devices pass that `who` or the allow-file does not let in");
		json_array_foreach(json_object_get(place, "enforced"), j, group)
			printf("enforced  %s%s: group %s\n", asking_text(place, "site"), asking_text(place, "location"),
			       json_string_value(group));
	}
}

static void print_missing(const json_t *person)
{
	int64_t seen = asking_number(person, "seen");
	char day[DAY_TEXT_SIZE];

	print_text(asking_text(person, "name"));
	asking_day(seen, day);
	if (asking_number(person, "devices") == 0)
		fputs(" (no device)", stdout);
	else if (!seen)
		fputs(" (has a device, was never here with it)", stdout);
	else
		printf(" (last here %s)", day);
}

static void print_ready(const json_t *ready)
{
	const json_t *missing = json_object_get(ready, "missing"), *person;
	char since[DAY_TEXT_SIZE];
	size_t i;

	asking_day(asking_number(ready, "since"), since);
	printf("ready     %lld of %lld people seen with a certificate since %s\n", (long long)asking_number(ready, "seen"),
	       (long long)asking_number(ready, "people"), since);
	json_array_foreach(missing, i, person) {
		fputs("not yet   ", stdout);
		if (i == SHOWN_PEOPLE) {
			printf("and %zu more; --json tells all\n", json_array_size(missing) - i);
			break;
		}
		print_missing(person);
		putchar('\n');
	}
}

static const struct column columns[] = {{"TIMES", 7}, {"LAST", 20}, {"SITE", 20}, {"PATH", 24},
					{"FROM", 18}, {"WITH", 18}, {"WHO", 16}, {"WHY", 10}};
enum { COLUMNS = sizeof columns / sizeof *columns };

static void print_row(const json_t *row, json_int_t times)
{
	const struct refusal_row *why = refusal_row(refusal_find(span_of(asking_text(row, "code"))));
	char count[TIMES_TEXT], last[CLOCK_TEXT_SIZE], path[128], who[256], where[512], site[512];

	snprintf(count, sizeof count, "%lld", (long long)times);
	clock_text(asking_number(row, "last"), last);
	clean(asking_text(row, "path"), path, sizeof path);
	clean(asking_text(row, asking_text(row, "name")[0] ? "name" : "device"), who, sizeof who);
	snprintf(where, sizeof where, "%.255s%.200s", asking_text(row, "site"), asking_text(row, "location"));
	clean(where, site, sizeof site);
	table_row(columns, COLUMNS, (const char *const[]){count, last, site, path, asking_text(row, "address"),
							   asking_text(row, "client"), who,
							   why ? why->title : asking_text(row, "code")});
}

static void print_rows(const json_t *rows)
{
	const json_t *row;
	size_t i;

	if (json_array_size(rows) == 0) {
		puts("\nNobody was met who would have been refused.");
		return;
	}
	puts("\nPassed, and would have been refused:");
	table_head(columns, COLUMNS);
	json_array_foreach(rows, i, row) {
		if (i == SHOWN_ROWS) {
			printf("and %zu rows more; --json tells all\n", json_array_size(rows) - i);
			break;
		}
		print_row(row, asking_number(row, "times"));
	}
}

static void print_advice(const json_t *advice)
{
	const json_t *entry;
	size_t i;

	if (json_array_size(advice))
		puts("\nWhat to do:");
	json_array_foreach(advice, i, entry) {
		struct span rest = span_of(json_string_value(entry)), line;
		const char *begin = " -  ";

		while (span_cut(&rest, '\n', &line)) {
			char text[1024];

			snprintf(text, sizeof text, "%.*s", SPAN_PRINT(line));
			fputs(begin, stdout);
			print_text(text);
			putchar('\n');
			begin = "    ";
		}
	}
}

/* What a person should see before the rest. */
static json_t *warnings_of(const struct watch_request *asked)
{
	int64_t missing = (int64_t)json_array_size(json_object_get(asked->ready, "missing"));
	json_t *out = json_array(), *place;
	char text[700];
	size_t i;

	json_array_foreach(asked->places, i, place) {
		const char *site = asking_text(place, "site"), *location = asking_text(place, "location");
		int64_t end = watching_end(place);

		text[0] = 0;
		if (!watching_is_on(place))
			snprintf(text, sizeof text, "%s%s is enforced already, its day has come; write explain in place of "
				 "\"watch until ...\"", site, location);
		else if (end == 0)
			snprintf(text, sizeof text, "%s%s is watched without an end, so nothing is enforced there; choose a "
				 "day: no-certificate = \"watch until 2026-12-24\"", site, location);
		else if (end - clock_seconds() < WARNED_DAYS * DAY && missing > 0)
			snprintf(text, sizeof text, "%s%s is enforced in %lld hours, and %lld people are not ready", site,
				 location, (long long)((end - clock_seconds()) / 3600), (long long)missing);
		if (text[0])
			json_array_append_new(out, json_string(text));
	}
	return out;
}

static int print_all(const struct invocation *invocation, const struct watch_request *asked)
{
	json_t *advice = watch_advice(asked->rows), *warnings = warnings_of(asked), *entry;
	size_t i;

	if (invocation->json)
		return asking_print_json(json_pack("{s:o, s:O, s:O, s:O, s:o}", "warnings", warnings, "places", asked->places,
						   "ready", asked->ready, "rows", asked->rows, "advice", advice));
	json_array_foreach(warnings, i, entry)
		printf("WARNING   %s\n", json_string_value(entry));
	print_places(asked->places);
	print_ready(asked->ready);
	print_rows(asked->rows);
	print_advice(advice);
	json_decref(warnings);
	json_decref(advice);
	return EXIT_DONE;
}

/* Following ----------------------------------------------------------------------- */

static void key_of(const json_t *row, char *out, size_t room)
{
	snprintf(out, room, "%s\n%s\n%s\n%s\n%s\n%s\n%s", asking_text(row, "site"), asking_text(row, "location"),
		 asking_text(row, "path"), asking_text(row, "address"), asking_text(row, "client"),
		 asking_text(row, "code"), asking_text(row, "device"));
}

/* Rows with more times than before; `known` holds at most as many as the registry has. */
static void show_new(const struct invocation *invocation, const json_t *rows, json_t *known, bool is_shown)
{
	const json_t *row;
	size_t i;

	json_array_foreach(rows, i, row) {
		json_int_t times = asking_number(row, "times"), more;
		char key[1200];

		key_of(row, key, sizeof key);
		more = times - json_integer_value(json_object_get(known, key));
		json_object_set_new(known, key, json_integer(times));
		/* After a reset it begins anew. */
		if (more < 0)
			more = times;
		if (!is_shown || more == 0)
			continue;
		if (invocation->json) {
			json_t *line = json_copy((json_t *)(uintptr_t)row);

			json_object_set_new(line, "more", json_integer(more));
			(void)json_dumpf(line, stdout, JSON_COMPACT | JSON_PRESERVE_ORDER);
			putchar('\n');
			json_decref(line);
		} else {
			print_row(row, more);
		}
	}
}

/* Until the reader goes, or Ctrl-C. */
static int follow(const struct invocation *invocation, struct watch_request *asked)
{
	json_t *known = json_object();
	int outcome = EXIT_DONE;

	show_new(invocation, asked->rows, known, false);
	if (!invocation->json)
		puts("\nFrom now on (Ctrl-C ends this):");
	while (fflush(stdout) == 0 && !ferror(stdout)) {
		json_t *rows;

		(void)poll(NULL, 0, FOLLOW_MS);
		outcome = ask_rows(invocation, asked, &rows);
		if (outcome != EXIT_DONE)
			break;
		/* Evicted ones are forgotten here too. */
		if (json_object_size(known) > 4 * json_array_size(rows) + 1000)
			json_object_clear(known), show_new(invocation, rows, known, false);
		show_new(invocation, rows, known, true);
		json_decref(rows);
	}
	json_decref(known);
	return outcome;
}

/* The command ----------------------------------------------------------------------- */

static int forget(const struct invocation *invocation, const char *site)
{
	json_t *answer, *words = json_object();
	int outcome;

	if (site)
		json_object_set_new(words, "site", json_string(site));
	outcome = asking(invocation, "watch-reset", words, &answer);
	if (outcome != EXIT_DONE)
		return outcome;
	if (invocation->json)
		return asking_print_json(answer);
	printf("%lld rows are forgotten; counting begins anew.\n", (long long)asking_number(answer, "forgotten"));
	json_decref(answer);
	return EXIT_DONE;
}

int command_watch(struct invocation *invocation)
{
	const char *site = NULL, *since = NULL, *config = NULL;
	bool follows = false, resets = false;
	const struct option_row rows[] = {{"site", &site, NULL}, {"since", &since, NULL}, {"config", &config, NULL},
					  {"follow", NULL, &follows}, {"reset", NULL, &resets}};
	struct watch_request asked = {0};
	struct host_name folded;
	struct error err;
	int outcome;

	if (options_parse(rows, 5, &invocation->argc, invocation->argv, &err) != OK)
		return command_usage(invocation, "%s", err.text);
	if (invocation->argc > 0)
		return command_usage(invocation, "\"%s\": no such word here", invocation->argv[0]);
	if (since && !read_since(since, &asked.since))
		return command_usage(invocation, "--since %s: write 1d, 12h, 30m, or a day like 2026-11-20", since);
	if (resets && (since || follows))
		return command_usage(invocation, "--reset stands alone, or with --site");
	/* As the configuration has it. */
	asked.site = site && host_fold_name(span_of(site), &folded, NULL) == OK ? folded.text : site;
	if (resets)
		return forget(invocation, asked.site);
	if (crypto_start(&err) != OK)
		return command_fail(invocation, &err);
	outcome = gather(invocation, config, &asked);
	if (outcome == EXIT_DONE && !(follows && invocation->json))
		outcome = print_all(invocation, &asked);
	if (outcome == EXIT_DONE && follows)
		outcome = follow(invocation, &asked);
	release(&asked);
	return outcome;
}
