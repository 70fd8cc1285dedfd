#include "command/asking.h"

#include <errno.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "authority/authority.h"
#include "authority/house.h"
#include "base/clock.h"
#include "bridge/ask.h"
#include "bridge/frame.h"
#include "command/terminal.h"

enum { WAIT_MS = 5000 };

/* Root opens a house as its owner: no file of root's is left in it, and none that its owner may not read is read
 * for it. *was_root says that become_root is to follow. */
static enum status become_owner(const char *state, bool *was_root, struct error *err)
{
	uid_t owner;
	gid_t group;

	*was_root = false;
	if (geteuid() != 0)
		return OK;
	if (!house_owner(state, &owner, &group))
		return error_refuse(err, "the registry in %s belongs to nobody but root, though others may write there; give it to "
				    "the authority: chown chatelaine: %s/registry.db*", state, state);
	if (owner == 0)
		return OK;
	if (setegid(group) || seteuid(owner)) {
		(void)error_fail_errno(err, "cannot become the owner of %s (user %u)", state, (unsigned)owner);
		(void)!setegid(0);
		return FAILED;
	}
	*was_root = true;
	return OK;
}

static enum status become_root(bool was_root, enum status status, struct error *err)
{
	if (was_root && (seteuid(0) || setegid(0)))
		return error_fail_errno(err, "cannot become root again");
	return status;
}

static enum status load_token(const char *state, char out[static CLI_TOKEN_TEXT], struct error *err)
{
	enum status status;
	bool was_root;

	status = become_owner(state, &was_root, err);
	if (status == OK)
		status = become_root(was_root, authority_load_token(state, out, err), err);
	return status;
}

static bool is_clean(struct span text, struct buffer *clean)
{
	buffer_clear(clean);
	terminal_escape_lines(clean, text);
	return clean->size == text.size;
}

/* A taken-over authority sends what it likes: no terminal obeys its texts. Lines and what is in base 64 stay as they are. */
static void make_harmless(json_t *words, struct buffer *clean)
{
	const char *key;
	json_t *value;
	size_t i;

	if (json_is_string(words) &&
	    !is_clean(span_make(json_string_value(words), json_string_length(words)), clean))
		json_string_setn(words, buffer_text(clean), clean->size);
	json_array_foreach(words, i, value)
		make_harmless(value, clean);
	json_object_foreach(words, key, value)
		make_harmless(value, clean);
}

static void make_answer_harmless(json_t *answer)
{
	struct buffer clean;

	buffer_init(&clean, 4 * FRAME_WORDS_MOST);
	make_harmless(answer, &clean);
	buffer_wipe(&clean);
}

/* The running one. *is_there is false when nobody listens. */
static enum status ask_running(const struct invocation *invocation, const char *question, json_t *words,
			       int wait_ms, json_t **answer, bool *is_there, struct error *err)
{
	struct question hello = {.name = "hello", .fd = -1}, asked = {.name = question, .fd = -1};
	char path[sizeof invocation->state + 32], token[CLI_TOKEN_TEXT];
	json_t *greeting = NULL;
	enum status status;
	int socket = -1;

	snprintf(path, sizeof path, "%s/authority.sock", invocation->state);
	status = ask_connect(path, &socket, err);
	*is_there = status != REFUSED;
	if (status != OK)
		return status;
	TRY(load_token(invocation->state, token, err));
	hello.words = json_pack("{s:s}", "token", token);
	explicit_bzero(token, sizeof token);
	TRY(ask_wait(socket, hello, WAIT_MS, &greeting, NULL, err));
	/* The key of a repeated question rides beside its words. */
	asked.key = json_string_value(json_object_get(words, "key"));
	asked.words = json_incref(words);
	status = ask_wait(socket, asked, wait_ms, answer, NULL, err);
	if (status == OK)
		make_answer_harmless(*answer);
done:
	json_decref(greeting);
	close(socket);
	return status;
}

static enum status ask_here(const struct invocation *invocation, const char *question, json_t *words,
			    json_t **answer, struct error *err)
{
	struct authority_options options = {.state = invocation->state};
	struct authority *authority = NULL;
	enum status status;
	bool was_root;

	status = become_owner(invocation->state, &was_root, err);
	if (status != OK)
		return status;
	status = authority_open(&options, &authority, err);
	if (status == OK)
		status = authority_answer_now(authority, question, words, answer, err);
	authority_free(authority);
	return become_root(was_root, status, err);
}

/* Why there is no house to be seen: another user's folder, or none. */
static enum status refuse_no_house(const char *state, struct error *err)
{
	const struct passwd *owner;
	struct stat facts;

	if (access(state, X_OK) == 0 || errno != EACCES || stat(state, &facts))
		return error_refuse(err, "%s holds no chatelaine; make one with \"chatelaine init SITE --to URL\", "
				    "or name another folder with --state", state);
	owner = getpwuid(facts.st_uid);
	return error_refuse(err, "you may not look into %s; ask as its owner (%s) or as root, or name another folder "
			    "with --state", state, owner ? owner->pw_name : "a user without a name");
}

enum status asking_try(const struct invocation *invocation, const char *question, json_t *words, int wait_ms,
		       json_t **answer, struct error *err)
{
	bool is_there;
	enum status status = ask_running(invocation, question, words, wait_ms, answer, &is_there, err);

	json_decref(words);
	return status;
}

int asking(const struct invocation *invocation, const char *question, json_t *words, json_t **answer)
{
	return asking_within(invocation, question, words, WAIT_MS, answer);
}

int asking_within(const struct invocation *invocation, const char *question, json_t *words, int wait_ms,
		  json_t **answer)
{
	struct error err = {""};
	enum status status;
	bool is_there;

	if (!words) {
		(void)error_refuse(&err, "the arguments must be UTF-8 text");
		return command_fail(invocation, &err);
	}
	status = ask_running(invocation, question, words, wait_ms, answer, &is_there, &err);
	if (!is_there && !house_exists(invocation->state)) {
		status = refuse_no_house(invocation->state, &err);
	} else if (!is_there) {
		status = ask_here(invocation, question, words, answer, &err);
	}
	json_decref(words);
	if (status == OK)
		return EXIT_DONE;
	(void)command_fail(invocation, &err);
	return status == FAILED && is_there ? EXIT_UNREACHABLE : EXIT_REFUSED;
}

int asking_all(const struct invocation *invocation, const char *question, json_t *words, const char *list,
	       json_t **all)
{
	json_t *gathered = json_array(), *answer;
	char after[256] = "";
	int outcome;

	do {
		json_object_set_new(words, "after", json_string(after));
		outcome = asking(invocation, question, json_incref(words), &answer);
		if (outcome != EXIT_DONE)
			break;
		json_array_extend(gathered, json_object_get(answer, list));
		snprintf(after, sizeof after, "%s", asking_text(answer, "next"));
		json_decref(answer);
	} while (after[0]);
	json_decref(words);
	if (outcome == EXIT_DONE)
		*all = gathered;
	else
		json_decref(gathered);
	return outcome;
}

int asking_print_json(json_t *answer)
{
	int outcome = json_dumpf(answer, stdout, JSON_INDENT(2) | JSON_PRESERVE_ORDER);

	putchar('\n');
	json_decref(answer);
	return outcome == 0 ? EXIT_DONE : EXIT_REFUSED;
}

const char *asking_text(const json_t *answer, const char *key)
{
	const char *text = json_string_value(json_object_get(answer, key));

	return text ? text : "";
}

int64_t asking_number(const json_t *answer, const char *key)
{
	return json_integer_value(json_object_get(answer, key));
}

void asking_day(int64_t seconds, char out[static DAY_TEXT_SIZE])
{
	char text[CLOCK_TEXT_SIZE];

	if (seconds == 0) {
		snprintf(out, DAY_TEXT_SIZE, "never");
		return;
	}
	clock_text(seconds, text);
	snprintf(out, DAY_TEXT_SIZE, "%.10s", text);
}

static void warn_of(const json_t *gateways, const char *sentence)
{
	const json_t *number;
	size_t i;

	if (json_array_size(gateways) == 0)
		return;
	fprintf(stderr, "warning: %s:", sentence);
	json_array_foreach(gateways, i, number)
		fprintf(stderr, " %lld", (long long)json_integer_value(number));
	fputs("\n", stderr);
}

void asking_warn_silent(const json_t *answer)
{
	warn_of(json_object_get(answer, "silent"), "these gateways did not confirm in time and were ended");
	warn_of(json_object_get(answer, "not_ended"), "these gateways have not ended yet, and connections that they held may "
		"still be open; start chatelaine again if \"chatelaine status\" names them in a minute's time");
}
