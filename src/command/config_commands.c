#include "command/config_commands.h"

#include <stdio.h>
#include <string.h>

#include "command/asking.h"
#include "command/options.h"
#include "command/serve.h"
#include "pki/crypto_start.h"
#include "serve/preparation.h"

/* A check, and then gateways that start: each has its own limit, far below this. */
enum { RELOAD_MS = 400000 };

static json_t *lines_as_json(struct span lines)
{
	json_t *array = json_array();
	struct span line;

	while (span_cut(&lines, '\n', &line))
		json_array_append_new(array, json_stringn(line.at, line.size));
	return array;
}

static void print_lines(FILE *where, const char *before, struct span lines)
{
	struct span line;

	while (span_cut(&lines, '\n', &line))
		fprintf(where, "%s%.*s\n", before, SPAN_PRINT(line));
}

static int tell_check(const struct invocation *invocation, const char *path, bool is_good, struct span said)
{
	int outcome = is_good ? EXIT_DONE : EXIT_REFUSED;

	if (invocation->json) {
		(void)asking_print_json(json_pack("{s:s, s:b, s:o}", "config", path, "good", is_good,
						  is_good ? "warnings" : "mistakes", lines_as_json(said)));
		return outcome;
	}
	print_lines(stderr, is_good ? "warning: " : "", said);
	if (is_good)
		printf("%s is good\n", path);
	return outcome;
}

int command_config_check(struct invocation *invocation)
{
	char path[CONFIG_PATH_ROOM];
	struct prepared prepared;
	struct buffer said;
	struct error err;
	int outcome = take_config(invocation, path);

	if (outcome)
		return outcome;
	if (crypto_start(&err) != OK)
		return command_fail(invocation, &err);
	buffer_init(&said, PREPARATION_SAYS_MOST);
	if (preparation_try(path, &prepared, &said, &err) == OK) {
		prepared_release(&prepared);
		outcome = tell_check(invocation, path, true, buffer_span(&said));
	} else {
		outcome = tell_check(invocation, path, false, buffer_span(&said));
	}
	buffer_release(&said);
	return outcome;
}

static void tell_reload(const json_t *answer, const char *outcome)
{
	long long gateways = (long long)asking_number(answer, "gateways");
	long long draining = (long long)asking_number(answer, "draining");

	if (strcmp(outcome, "nothing-changed") == 0)
		puts("nothing has changed");
	else if (strcmp(outcome, "in-place") == 0)
		printf("taken up in place by %lld gateways; no connection was touched but those that the new rules refuse\n",
		       gateways);
	else
		printf("%lld new gateways serve; %lld old ones keep the WebSockets and answers that they have for drain-time\n",
		       gateways, draining);
}

int command_config_reload(struct invocation *invocation)
{
	const char *outcome, *said;
	json_t *answer;
	struct error err;
	bool is_refused;
	int wrong;

	if (options_parse(NULL, 0, &invocation->argc, invocation->argv, &err) != OK)
		return command_usage(invocation, "%s", err.text);
	wrong = asking_within(invocation, "reload", json_object(), RELOAD_MS, &answer);
	if (wrong)
		return wrong;
	outcome = asking_text(answer, "outcome");
	said = asking_text(answer, "said");
	is_refused = strcmp(outcome, "refused") == 0;
	if (invocation->json) {
		json_object_set_new(answer, "said", lines_as_json(span_of(said)));
		(void)asking_print_json(answer);
		return is_refused ? EXIT_REFUSED : EXIT_DONE;
	}
	print_lines(stderr, is_refused ? "" : "warning: ", span_of(said));
	if (is_refused)
		fputs("chatelaine config reload: refused; what was before still holds\n", stderr);
	else
		tell_reload(answer, outcome);
	json_decref(answer);
	return is_refused ? EXIT_REFUSED : EXIT_DONE;
}

/* The running version, or "" with *err. */
static enum status ask_version(const struct invocation *invocation, char *out, size_t size, struct error *err)
{
	json_t *answer = NULL;
	enum status status = asking_try(invocation, "status", json_object(), RELOAD_MS, &answer, err);

	snprintf(out, size, "%s", status == OK ? asking_text(answer, "version") : "");
	json_decref(answer);
	return status;
}

/* A reload is answered when the upgrade has come to its end, one way or the other; each authority that ends on the way
 * takes the question with it. */
static enum status wait_for_the_end(const struct invocation *invocation, char *version, size_t size, struct error *err)
{
	enum status status = FAILED;
	json_t *answer;
	int tries;

	for (tries = 0; tries < 4 && status == FAILED; tries++) {
		answer = NULL;
		status = asking_try(invocation, "reload", json_object(), RELOAD_MS, &answer, err);
		json_decref(answer);
	}
	return status == OK ? ask_version(invocation, version, size, err) : status;
}

static int tell_upgrade(const struct invocation *invocation, const char *before, const char *after)
{
	bool is_ours = strcmp(after, VERSION) == 0 || strcmp(after, before) != 0;

	if (invocation->json)
		(void)asking_print_json(json_pack("{s:s, s:s, s:b}", "before", before, "version", after, "good", is_ours));
	else if (is_ours)
		printf("version %s serves; the gateways of before (version %s) finish what they have\n", after, before);
	else
		fprintf(stderr, "chatelaine upgrade: the new version did not come up; version %s goes on (the log says why)\n",
			after);
	return is_ours ? EXIT_DONE : EXIT_REFUSED;
}

int command_upgrade(struct invocation *invocation)
{
	char before[64], after[64];
	json_t *answer = NULL;
	enum status status;
	struct error err;

	if (options_parse(NULL, 0, &invocation->argc, invocation->argv, &err) != OK)
		return command_usage(invocation, "%s", err.text);
	if (ask_version(invocation, before, sizeof before, &err) != OK)
		return command_fail(invocation, &err);
	status = asking_try(invocation, "upgrade", json_object(), RELOAD_MS, &answer, &err);
	if (status == OK) {
		print_lines(stderr, "", span_of(asking_text(answer, "said")));
		json_decref(answer);
		(void)error_refuse(&err, "refused; version %s goes on", before);
		return command_fail(invocation, &err);
	}
	if (status != FAILED || wait_for_the_end(invocation, after, sizeof after, &err) != OK)
		return command_fail(invocation, &err);
	return tell_upgrade(invocation, before, after);
}
