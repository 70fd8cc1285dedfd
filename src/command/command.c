#include "command/command.h"

#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "command/options.h"
#include "command/terminal.h"

enum { FAILURE_MOST = 1 << 20 };

static void print_command(const struct command *command)
{
	char name[256];

	snprintf(name, sizeof name, "%s%s%s %s", command->noun, command->verb ? " " : "",
		 command->verb ? command->verb : "", command->arguments);
	if (strlen(name) <= 30)
		printf("  %-30s  %s\n", name, command->help);
	else
		printf("  %s\n  %-30s  %s\n", name, "", command->help);
}

static int print_help(void)
{
	unsigned i;

	puts("chatelaine - a mutual-TLS front door: only your own people's devices get in\n\n"
	     "usage: chatelaine COMMAND [ARGUMENTS] [--state FOLDER] [--json]\n");
	for (i = 0; i < command_count; i++)
		if (!commands[i].hidden)
			print_command(&commands[i]);
	puts("\nA device is named by its id, a unique beginning of it, or PERSON/LABEL.\n"
	     "The state folder is --state, else $CHATELAINE_STATE, else /var/lib/chatelaine for root\n"
	     "and ~/.local/state/chatelaine for others. \"chatelaine COMMAND --help\" tells more.\n"
	     "Exit: 0 done, 1 refused or not found, 2 wrong words, 3 the running chatelaine is out of reach.");
	return EXIT_DONE;
}

static int print_usage_of(const struct command *command)
{
	printf("usage: chatelaine %s%s%s %s\n\n%s\n", command->noun, command->verb ? " " : "",
	       command->verb ? command->verb : "", command->arguments, command->help);
	if (command->more)
		printf("\n%s\n", command->more);
	return EXIT_DONE;
}

static const struct command *find_command(int argc, char **argv, int *words)
{
	unsigned i;

	for (i = 0; i < command_count; i++) {
		if (argc < 2 || strcmp(argv[1], commands[i].noun) != 0)
			continue;
		if (!commands[i].verb || (argc > 2 && strcmp(argv[2], commands[i].verb) == 0)) {
			*words = commands[i].verb ? 3 : 2;
			return &commands[i];
		}
	}
	return NULL;
}

static int say_unknown(int argc, char **argv)
{
	const char *nearest = NULL;
	bool is_noun = false;
	unsigned best = 3, i;

	for (i = 0; i < command_count; i++) {
		unsigned distance = word_distance(argv[1], commands[i].noun, 3);

		if (distance < best && !commands[i].hidden) {
			best = distance;
			nearest = commands[i].noun;
		}
		is_noun |= distance == 0;
	}
	if (is_noun) {
		fprintf(stderr, "chatelaine: \"%s\" needs one of:\n", argv[1]);
		for (i = 0; i < command_count; i++)
			if (strcmp(commands[i].noun, argv[1]) == 0)
				fprintf(stderr, "  %s %s %s\n", commands[i].noun,
					commands[i].verb ? commands[i].verb : "", commands[i].arguments);
	} else {
		fprintf(stderr, "chatelaine: unknown command \"%s\"%s%s%s; see \"chatelaine help\"\n",
			argv[1], nearest ? "; did you mean \"" : "", nearest ? nearest : "",
			nearest ? "\"?" : "");
	}
	(void)argc;
	return EXIT_USAGE;
}

static void choose_state(struct invocation *invocation, const char *said)
{
	const char *other = getenv("CHATELAINE_STATE"), *xdg = getenv("XDG_STATE_HOME");
	const char *home = getenv("HOME");

	if (said)
		snprintf(invocation->state, sizeof invocation->state, "%s", said);
	else if (other && *other)
		snprintf(invocation->state, sizeof invocation->state, "%s", other);
	else if (geteuid() == 0)
		snprintf(invocation->state, sizeof invocation->state, "/var/lib/chatelaine");
	else if (xdg && *xdg == '/')
		snprintf(invocation->state, sizeof invocation->state, "%s/chatelaine", xdg);
	else
		snprintf(invocation->state, sizeof invocation->state, "%s/.local/state/chatelaine",
			 home && *home ? home : ".");
}

/* --state and --json may stand anywhere; they are taken out before the command reads its own. */
static int take_common(struct invocation *invocation, bool *help)
{
	const char *state = NULL;
	int from, to = 0;

	for (from = 0; from < invocation->argc; from++) {
		char *word = invocation->argv[from];

		if (strcmp(word, "--") == 0) {
			while (from < invocation->argc)
				invocation->argv[to++] = invocation->argv[from++];
			break;
		}
		if (strcmp(word, "--json") == 0)
			invocation->json = true;
		else if (strcmp(word, "--help") == 0 || strcmp(word, "-h") == 0)
			*help = true;
		else if (strncmp(word, "--state=", 8) == 0)
			state = word + 8;
		else if (strcmp(word, "--state") == 0 && from + 1 < invocation->argc)
			state = invocation->argv[++from];
		else if (strcmp(word, "--state") == 0)
			return command_usage(invocation, "--state needs a folder");
		else
			invocation->argv[to++] = word;
	}
	invocation->argc = to;
	invocation->argv[to] = NULL;
	if (state && !*state)
		return command_usage(invocation, "--state needs a folder");
	choose_state(invocation, state);
	return EXIT_DONE;
}

int command_main(int argc, char **argv)
{
	const struct command *command;
	struct invocation invocation = {0};
	char name[64];
	bool help = false;
	int words = 0, wrong;

	if (argc < 2) {
		print_help();
		return EXIT_USAGE;
	}
	if (strcmp(argv[1], "help") == 0 || strcmp(argv[1], "--help") == 0 || strcmp(argv[1], "-h") == 0)
		return print_help();
	if (strcmp(argv[1], "--version") == 0 || strcmp(argv[1], "version") == 0) {
		puts("chatelaine " VERSION);
		return EXIT_DONE;
	}
	command = find_command(argc, argv, &words);
	if (!command)
		return say_unknown(argc, argv);
	snprintf(name, sizeof name, "%s%s%s", command->noun, command->verb ? " " : "",
		 command->verb ? command->verb : "");
	invocation.name = name;
	invocation.argc = argc - words;
	invocation.argv = argv + words;
	wrong = take_common(&invocation, &help);
	if (wrong)
		return wrong;
	return help ? print_usage_of(command) : command->run(&invocation);
}

static void print_failure(const struct invocation *invocation, const char *text)
{
	struct buffer clean;

	/* It may hold a stranger's words, or half a character. */
	buffer_init(&clean, FAILURE_MOST);
	terminal_escape_lines(&clean, span_of(text));
	text = buffer_text(&clean);
	fprintf(stderr, "chatelaine %s: %s\n", invocation->name, text);
	if (invocation->json) {
		json_t *words = json_pack("{s:s}", "error", text);

		if (words && json_dumpf(words, stdout, JSON_INDENT(2)) == 0)
			putchar('\n');
		json_decref(words);
	}
	buffer_release(&clean);
}

int command_fail(const struct invocation *invocation, const struct error *err)
{
	print_failure(invocation, err->text);
	return EXIT_REFUSED;
}

int command_usage(const struct invocation *invocation, const char *format, ...)
{
	char text[512];
	va_list args;
	unsigned i;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	print_failure(invocation, text);
	for (i = 0; i < command_count; i++) {
		char name[64];

		snprintf(name, sizeof name, "%s%s%s", commands[i].noun, commands[i].verb ? " " : "",
			 commands[i].verb ? commands[i].verb : "");
		if (strcmp(name, invocation->name) == 0)
			fprintf(stderr, "usage: chatelaine %s %s\n", name, commands[i].arguments);
	}
	return EXIT_USAGE;
}
