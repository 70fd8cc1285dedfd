#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "authority/authority.h"
#include "base/log.h"
#include "pki/crypto_start.h"
#include "serve/post.h"
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
	struct authority_options options = {.state = state, .kill_gateway = on_kill_gateway, .arg = role};
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
