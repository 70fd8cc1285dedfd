#include "command/status.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "bridge/ask.h"
#include "command/asking.h"
#include "command/options.h"
#include "command/serve.h"
#include "command/status_problems.h"
#include "command/terminal.h"
#include "door/refusal.h"
#include "pki/crypto_start.h"

enum { TOP_REFUSALS = 8, PRESENT_SHOWN = 20 };

static bool is_running(const struct invocation *invocation)
{
	char path[4200];
	int fd;

	snprintf(path, sizeof path, "%s/authority.sock", invocation->state);
	if (ask_connect(path, &fd, NULL) != OK)
		return false;
	close(fd);
	return true;
}

/* Gathering ------------------------------------------------------------------- */

/* The authority numbers them; people and programs know the codes. */
static void name_refusals(json_t *figures)
{
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(figures, "refusals"), i, row) {
		json_int_t number = asking_number(row, "row");
		bool is_known = number > REFUSAL_NONE && number < REFUSAL_COUNT;
		const struct refusal_row *refusal = is_known ? refusal_row((enum refusal)number) : NULL;

		json_object_set_new(row, "code", json_string(refusal ? refusal->code : "?"));
		json_object_set_new(row, "title", json_string(refusal ? refusal->title : "?"));
		json_object_del(row, "row");
	}
}

/* What goes out by --json. EXIT_DONE, or what was said. */
static int gather(const struct invocation *invocation, const char *config, json_t **out, enum problem_level *worst)
{
	bool running = is_running(invocation);
	json_t *answer, *present = NULL, *texts, *levels;
	struct problems problems;
	int outcome;
	size_t i;

	outcome = asking(invocation, "status", json_object(), &answer);
	if (outcome != EXIT_DONE)
		return outcome;
	if (running && asking(invocation, "present", json_object(), &present) == EXIT_DONE)
		json_object_set_new(answer, "present", present);
	name_refusals(json_object_get(answer, "figures"));
	problems_find(invocation, config, running, answer, &problems);
	texts = json_array();
	levels = json_array();
	for (i = 0; i < problems.count; i++) {
		json_array_append(texts, problems.at[i].text);
		json_array_append_new(levels, json_integer(problems.at[i].level));
	}
	*worst = problems_worst(&problems);
	problems_release(&problems);
	json_object_set_new(answer, "running", json_boolean(running));
	json_object_set_new(answer, "problems", texts);
	json_object_set_new(answer, "levels", levels);
	*out = answer;
	return EXIT_DONE;
}

/* Printing -------------------------------------------------------------------- */

static void print_line(const char *title, const char *text)
{
	printf("%-13s ", title);
	terminal_put(stdout, text);
	putchar('\n');
}

static void print_problems(const json_t *answer)
{
	static const char *const names[] = {"notice", "WARNING", "CRITICAL"};
	json_t *text;
	size_t i;

	json_array_foreach(json_object_get(answer, "problems"), i, text) {
		json_int_t level = json_integer_value(json_array_get(json_object_get(answer, "levels"), i));

		print_line(names[level >= 0 && level < 3 ? level : 0], json_string_value(text));
	}
}

static void print_sites(const json_t *answer)
{
	json_t *site, *figures;
	char line[900];
	size_t i, j;

	json_array_foreach(json_object_get(answer, "sites"), i, site) {
		snprintf(line, sizeof line, "%s -> %s", asking_text(site, "site"), asking_text(site, "upstream"));
		json_array_foreach(json_object_get(answer, "site_figures"), j, figures) {
			size_t size = strlen(line);

			if (strcmp(asking_text(figures, "site"), asking_text(site, "site")) != 0)
				continue;
			snprintf(line + size, sizeof line - size, "  requests %lld (+%lld), refused %lld (+%lld), WebSockets %lld",
				 (long long)asking_number(figures, "requests"), (long long)asking_number(figures, "recent"),
				 (long long)asking_number(figures, "refused"),
				 (long long)asking_number(figures, "refused_recent"),
				 (long long)asking_number(figures, "websockets_open"));
		}
		print_line("site", line);
	}
}

static int by_recent(const void *a, const void *b)
{
	const json_t *one = *(json_t *const *)a, *other = *(json_t *const *)b;
	int64_t first = asking_number(one, "recent"), second = asking_number(other, "recent");

	if (first != second)
		return first < second ? 1 : -1;
	return (asking_number(one, "count") < asking_number(other, "count")) -
	       (asking_number(one, "count") > asking_number(other, "count"));
}

static void print_refusals(const json_t *figures)
{
	const json_t *list = json_object_get(figures, "refusals");
	json_t *rows[128];
	char line[300];
	size_t count = 0;

	while (count < json_array_size(list) && count < sizeof rows / sizeof *rows) {
		rows[count] = json_array_get(list, count);
		count++;
	}
	if (count)
		qsort(rows, count, sizeof *rows, by_recent);
	for (size_t i = 0; i < count && i < TOP_REFUSALS; i++) {
		snprintf(line, sizeof line, "%s %s: %lld (+%lld)", asking_text(rows[i], "code"), asking_text(rows[i], "title"),
			 (long long)asking_number(rows[i], "count"), (long long)asking_number(rows[i], "recent"));
		print_line("refused", line);
	}
}

static void print_present(const json_t *present)
{
	const json_t *list = json_object_get(present, "devices");
	json_t *device;
	char line[400];
	size_t i;

	json_array_foreach(list, i, device) {
		if (i == PRESENT_SHOWN)
			break;
		snprintf(line, sizeof line, "%s/%s  connections %lld, requests on them %lld", asking_text(device, "person"),
			 asking_text(device, "label"), (long long)asking_number(device, "connections"),
			 (long long)asking_number(device, "requests"));
		print_line("connected", line);
	}
	if (json_array_size(list) > i || asking_number(present, "more"))
		printf("%-13s and %lld more devices\n", "", (long long)(json_array_size(list) - i + (size_t)asking_number(present, "more")));
}

static void print_figures(const json_t *answer)
{
	const json_t *figures = json_object_get(answer, "figures");

	if (!figures)
		return;
	printf("connections   %lld open, %lld in all; handshakes full %lld, resumed %lld, failed %lld\n",
	       (long long)asking_number(figures, "connections_open"), (long long)asking_number(figures, "connections"),
	       (long long)asking_number(figures, "handshakes_full"), (long long)asking_number(figures, "handshakes_resumed"),
	       (long long)asking_number(figures, "handshakes_failed"));
	printf("requests      %lld (+ %lld in the last %lld s), %lld under way, WebSockets %lld\n",
	       (long long)asking_number(figures, "requests"), (long long)asking_number(figures, "requests_recent"),
	       (long long)asking_number(figures, "recent_seconds"), (long long)asking_number(figures, "requests_open"),
	       (long long)asking_number(figures, "websockets_open"));
	print_refusals(figures);
	print_present(json_object_get(answer, "present"));
}

static void print_open(const json_t *answer)
{
	json_t *entry;
	char line[1200];
	size_t i;

	json_array_foreach(json_object_get(answer, "open"), i, entry)
		print_line("open to all", json_string_value(entry));
	json_array_foreach(json_object_get(answer, "foreign_cas"), i, entry) {
		snprintf(line, sizeof line, "%s at %s: %s", asking_text(entry, "foreign_ca"), asking_text(entry, "sites"),
			 asking_text(entry, "facts"));
		print_line("foreign CA", line);
	}
}

static void print_status(const json_t *answer)
{
	const json_t *gateways = json_object_get(answer, "gateways");

	print_problems(answer);
	printf("running       %s\n", json_is_true(json_object_get(answer, "running")) ? "yes" : "no");
	print_sites(answer);
	print_open(answer);
	print_figures(answer);
	printf("people        %lld\ndevices       %lld\ncertificates  %lld\n", (long long)asking_number(answer, "people"),
	       (long long)asking_number(answer, "devices"), (long long)asking_number(answer, "certificates"));
	printf("gateways      %zu\n", json_array_size(gateways));
	printf("audit         %lld records, head %s\n", (long long)asking_number(answer, "audit_records"),
	       asking_text(answer, "audit_head"));
	print_line("trust domain", asking_text(answer, "site_trust_domain"));
}

/* The ways to say it ------------------------------------------------------------ */

/* One line and an exit status, as monitoring plugins say it. */
static int check(const json_t *answer, enum problem_level worst)
{
	static const char *const names[] = {"OK", "WARNING", "CRITICAL"};
	const json_t *problems = json_object_get(answer, "problems"), *levels = json_object_get(answer, "levels");
	const json_t *figures = json_object_get(answer, "figures");
	size_t counted = 0, i;

	for (i = 0; i < json_array_size(levels); i++)
		counted += json_integer_value(json_array_get(levels, i)) > PROBLEM_NOTICE;
	printf("CHATELAINE %s - ", names[worst]);
	if (counted)
		terminal_put(stdout, json_string_value(json_array_get(problems, 0)));
	else
		printf("%lld connections, %zu gateways", (long long)asking_number(figures, "connections_open"),
		       json_array_size(json_object_get(answer, "gateways")));
	if (counted > 1)
		printf(" (and %zu more: chatelaine status)", counted - 1);
	printf(" | connections=%lld requests=%lldc\n", (long long)asking_number(figures, "connections_open"),
	       (long long)asking_number(figures, "requests"));
	return (int)worst;
}

static volatile sig_atomic_t wants_to_stop;

static void on_stop(int signal)
{
	(void)signal;
	wants_to_stop = 1;
}

static int say(const struct invocation *invocation, const char *config, bool checks, bool repeats)
{
	enum problem_level worst;
	json_t *answer;
	int outcome = gather(invocation, config, &answer, &worst);

	if (outcome != EXIT_DONE) {
		if (checks)
			printf("CHATELAINE UNKNOWN - the state of %s cannot be read\n", invocation->state);
		return checks ? EXIT_UNREACHABLE : outcome;
	}
	if (repeats && !invocation->json && isatty(STDOUT_FILENO))
		fputs("\033[H\033[2J", stdout);
	if (checks) {
		outcome = check(answer, worst);
	} else if (invocation->json && repeats) {
		json_dumpf(answer, stdout, JSON_COMPACT); /* one a line */
		putchar('\n');
	} else if (invocation->json) {
		return asking_print_json(answer);
	} else {
		print_status(answer);
	}
	json_decref(answer);
	return outcome;
}

/* Each second until Ctrl-C; on a terminal in place, else one after the other. */
static int watch(const struct invocation *invocation, const char *config)
{
	struct sigaction stop = {.sa_handler = on_stop};
	bool is_terminal = isatty(STDOUT_FILENO) && !invocation->json;
	int outcome = EXIT_DONE;

	sigaction(SIGINT, &stop, NULL);
	sigaction(SIGTERM, &stop, NULL);
	while (!wants_to_stop && outcome == EXIT_DONE) {
		outcome = say(invocation, config, false, true);
		if (!is_terminal && !invocation->json)
			putchar('\n');
		if (fflush(stdout))
			return EXIT_DONE; /* nobody reads any more */
		if (!wants_to_stop && outcome == EXIT_DONE)
			(void)poll(NULL, 0, 1000);
	}
	return wants_to_stop ? EXIT_DONE : outcome;
}

int command_status(struct invocation *invocation)
{
	bool watches = false, checks = false;
	const char *said = NULL;
	const struct option_row options[] = {{"watch", NULL, &watches}, {"check", NULL, &checks}, {"config", &said, NULL}};
	char config[4200];
	struct error err;

	if (options_parse(options, sizeof options / sizeof *options, &invocation->argc, invocation->argv, &err) != OK)
		return command_usage(invocation, "%s", err.text);
	if (invocation->argc > 0)
		return command_usage(invocation, "it takes no words, only --watch, --check and --config FILE");
	if (watches && checks)
		return command_usage(invocation, "--watch goes on, --check says one line: choose one");
	if (crypto_start(&err) != OK)
		return command_fail(invocation, &err);
	config_path(invocation, said, config, sizeof config);
	return watches ? watch(invocation, config) : say(invocation, config, checks, false);
}
