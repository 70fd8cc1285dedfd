#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authority/answers.h"
#include "authority/authority_handle.h"
#include "authority/command_channel.h"
#include "authority/house_files.h"
#include "base/encode.h"
#include "base/log.h"
#include "bridge/channel.h"
#include "event/passing.h"
#include "pki/digest.h"

/* One command at the local socket: a stranger until it has shown the token. */
struct command_channel {
	struct authority *authority;
	struct channel *channel;
	struct timer hello; /* set until it has */
	struct link in_authority; /* owner: authority.commands */
};

static void forget(struct command_channel *command)
{
	timer_stop(&command->hello);
	list_remove(&command->in_authority);
	command->authority->command_count--;
	channel_free(command->channel);
	free(command);
}

static void on_closed(void *arg, struct channel *channel, const char *why)
{
	(void)channel;
	(void)why;
	forget(arg);
}

static void on_no_hello(struct timer *timer)
{
	struct command_channel *command = OWNER_OF(timer, struct command_channel, hello);

	log_say(LOG_WARNING, "command-refused", "%s: no hello", channel_peer(command->channel));
	channel_break(command->channel, "it said no hello");
}

/* Root, our own user, and whose folder it is: the socket's mode says the same, this does not rely on it. */
static bool may_ask(const struct authority *authority, uid_t uid)
{
	struct stat facts;

	return uid == 0 || uid == geteuid() || (stat(authority->state, &facts) == 0 && facts.st_uid == uid);
}

enum status authority_add_cli(struct authority *authority, int fd, struct error *err)
{
	/* A hello is enough for a stranger; a try at the token a second would do for nobody. */
	static const struct question_limits limits = {.per_second = 50, .burst = 200};
	struct command_channel *command = calloc(1, sizeof *command);
	char peer[32];
	enum status status;
	uid_t uid;
	pid_t pid;

	if (!command || authority->command_count >= COMMANDS_MOST || passing_peer(fd, &pid, &uid) != OK) {
		close(fd);
		free(command);
		return error_refuse(err, "too many commands at once");
	}
	if (!may_ask(authority, uid)) {
		close(fd);
		free(command);
		return error_refuse(err, "user %u may not ask", (unsigned)uid);
	}
	command->authority = authority;
	list_init(&command->in_authority);
	timer_init(&command->hello, on_no_hello);
	snprintf(peer, sizeof peer, "uid %u pid %d", (unsigned)uid, (int)pid);
	TRY(channel_new(authority->loop, fd, peer, on_closed, command, &command->channel, err));
	TRY(question_serve(command->channel, &authority->table, ROLE_STRANGER, &limits, err));
	list_add_last(&authority->commands, &command->in_authority);
	authority->command_count++;
	timer_set(loop_timers(authority->loop), &command->hello,
		  loop_now(authority->loop)->mono + MILLISECONDS(HELLO_MS));
	return OK;
done:
	channel_free(command->channel);
	free(command);
	return status;
}

/* The one whose channel has this name; two commands of one process cannot be told apart, and need not. */
static void stop_hello_timers(struct authority *authority, const char *peer)
{
	LIST_EACH(it, &authority->commands) {
		struct command_channel *command = OWNER_OF(it, struct command_channel, in_authority);

		if (strcmp(channel_peer(command->channel), peer) == 0)
			timer_stop(&command->hello);
	}
}

void answer_hello(void *house, struct answer *answer, const json_t *words, int fd)
{
	struct authority *authority = house;
	uint8_t shown[TOKEN_SIZE];
	struct error err;
	enum status status;

	(void)fd;
	status = words_hex(words, "token", shown, sizeof shown, &err);
	if (status == OK && !digest_equals(span_make(shown, sizeof shown), secret_span(authority->token)))
		status = error_refuse(&err, "this is not the token of %s/%s", authority->state, TOKEN_FILE);
	explicit_bzero(shown, sizeof shown);
	if (status != OK) {
		log_say(LOG_WARNING, "command-refused", "%s: wrong token", answer_peer(answer));
		answer_error(answer, status, &err);
		return;
	}
	stop_hello_timers(authority, answer_peer(answer));
	answer_promote(answer, ROLE_CLI);
	answer_send(answer, NULL, -1);
}

void command_channel_close_all(struct authority *authority)
{
	while (!list_is_empty(&authority->commands))
		forget(OWNER_OF(list_first(&authority->commands), struct command_channel, in_authority));
}

enum status authority_load_token(const char *state, char out[static CLI_TOKEN_TEXT], struct error *err)
{
	struct secret *token = NULL;
	enum status status;

	TRY(house_load_hex(state, TOKEN_FILE, TOKEN_SIZE, &token, err));
	hex_write(token->bytes, TOKEN_SIZE, out);
done:
	secret_free(token);
	return status;
}
