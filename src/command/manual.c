#include "command/manual.h"

#include <stdio.h>

#include "base/roff.h"
#include "command/command.h"
#include "command/options.h"
#include "serve/settings_keys.h"

static void write_command(struct buffer *out, const struct command *command)
{
	roff_add_between(out, ".TP\n.B ", command->noun, "");
	if (command->verb)
		roff_add_between(out, " ", command->verb, "");
	if (*command->arguments)
		roff_add_between(out, " \\fR", command->arguments, "\\fP");
	roff_add_between(out, "\n", command->help, ".\n");
	if (command->more)
		roff_add_between(out, ".RS\n.PP\n.nf\n", command->more, "\n.fi\n.RE\n");
}

static int print(struct invocation *invocation, void (*write)(struct buffer *out))
{
	struct buffer text;
	struct error err;

	if (options_parse(NULL, 0, &invocation->argc, invocation->argv, &err) != OK)
		return command_usage(invocation, "%s", err.text);
	buffer_init(&text, 1 << 20);
	write(&text);
	fputs(buffer_text(&text), stdout);
	buffer_release(&text);
	return EXIT_DONE;
}

static void write_commands(struct buffer *out)
{
	unsigned i;

	for (i = 0; i < command_count; i++)
		if (!commands[i].hidden)
			write_command(out, &commands[i]);
}

static void write_keys(struct buffer *out)
{
	config_write_manual(&settings_rows, out);
}

int command_manual_commands(struct invocation *invocation)
{
	return print(invocation, write_commands);
}

int command_manual_keys(struct invocation *invocation)
{
	return print(invocation, write_keys);
}
