#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "authority/authority.h"
#include "base/log.h"
#include "pki/crypto_start.h"
#include "serve/post.h"
#include "serve/reload_report.h"
#include "serve/role.h"
#include "serve/sandbox.h"
#include "stream/listener.h"

struct authority_post {
	struct post post;
	struct authority *authority;
	struct listener *commands;
};

static void on_kill_gateway(void *arg, unsigned gateway)
{
	(void)arg;
	/* A supervisor that is gone ends us all. */
	if (order_send(FD_ORDERS, (struct order){ORDER_KILL_GATEWAY, gateway}, -1) != OK)
		log_say(LOG_ERROR, "gateway", "the supervisor cannot be told");
}

static void on_reload(void *arg, unsigned number)
{
	(void)arg;
	if (order_send(FD_ORDERS, (struct order){ORDER_RELOAD, number}, -1) != OK)
		log_say(LOG_ERROR, "reload", "the supervisor cannot be told");
}

static void on_upgrade(void *arg, unsigned number)
{
	(void)arg;
	if (order_send(FD_ORDERS, (struct order){ORDER_UPGRADE, number}, -1) != OK)
		log_say(LOG_ERROR, "upgrade", "the supervisor cannot be told");
}

static void tell_reloaded(struct authority_post *role, uint32_t number, int report)
{
	static const char *const outcomes[RELOAD_OUTCOMES] = {
		[RELOADED_REFUSED] = "refused",
		[RELOADED_NOTHING] = "nothing-changed",
		[RELOADED_IN_PLACE] = "in-place",
		[RELOADED_ANEW] = "new-gateways",
	};
	static struct reload_report read;
	struct error err;
	json_t *words, *said;

	if (reload_report_unpack(report, &read, &err) != OK) {
		read = (struct reload_report){.outcome = RELOADED_REFUSED};
		snprintf(read.text, sizeof read.text, "%s\n", err.text);
	}
	said = json_string(read.text); /* NULL: a name in it is no UTF-8 */
	words = json_pack("{s:s, s:i, s:i, s:o}", "outcome", outcomes[read.outcome], "gateways", (int)read.gateways,
			  "draining", (int)read.draining, "said", said ? said : json_string("see the log"));
	authority_reloaded(role->authority, number, words);
	json_decref(words);
}

static void on_command(void *arg, int fd, const struct address *peer)
{
	struct authority_post *role = arg;
	struct error err;

	(void)peer;
	if (authority_add_cli(role->authority, fd, &err) != OK)
		log_say(LOG_WARNING, "command", "%s", err.text);
}

static void on_order(struct post *post, struct order order, int fd)
{
	struct authority_post *role = OWNER_OF(post, struct authority_post, post);
	struct error err;

	switch (order.verb) {
	case ORDER_CHANNEL:
		if (fd >= 0 && authority_add_gateway(role->authority, order.number, fd, &err) != OK)
			log_say(LOG_ERROR, "gateway", "%s", err.text);
		return; /* the authority has it */
	case ORDER_RELOADED:
		if (fd >= 0)
			tell_reloaded(role, order.number, fd);
		break;
	case ORDER_STOP:
		loop_stop(post->loop);
		break;
	default:
		break;
	}
	if (fd >= 0)
		close(fd);
}

static enum status open_house(struct authority_post *role, const char *state, struct error *err)
{
	struct authority_options options = {.state = state, .kill_gateway = on_kill_gateway, .reload = on_reload, .upgrade = on_upgrade, .board = role->post.board, .arg = role};
	enum status status = authority_open(&options, &role->authority, err);

	if (status != OK)
		return status;
	return authority_attach(role->authority, role->post.loop, err);
}

static enum status start(struct authority_post *role, int argc, char **argv, struct error *err)
{
	struct buffer weaker;
	enum status status;

	buffer_init(&weaker, 512);
	TRY(post_init(&role->post, "authority", argc, argv, on_order, err));
	TRY(crypto_start(err));
	TRY(sandbox_drop(role->post.start.user, err));
	TRY(sandbox_tie(role->post.start.supervisor, err));
	TRY(sandbox_authority(role->post.start.word, &weaker, err));
	if (weaker.size)
		log_say(LOG_WARNING, "sandbox", "%s", buffer_text(&weaker));
	TRY(open_house(role, role->post.start.word, err));
	TRY(listener_start(role->post.loop, FD_SESSIONS, on_command, role, &role->commands, err));
	post_ready(&role->post);
done:
	buffer_release(&weaker);
	return status;
}

int authority_role(int argc, char **argv)
{
	static struct authority_post role;
	struct error err = {""};

	if (start(&role, argc, argv, &err) != OK) {
		log_gather(false);
		log_say(LOG_ERROR, "start", "%s", err.text);
		return 1;
	}
	loop_run(role.post.loop);
	listener_stop(role.commands);
	authority_free(role.authority);
	post_release(&role.post);
	return 0;
}
