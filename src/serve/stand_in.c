#include "serve/stand_in.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/log.h"
#include "door/door.h"
#include "door/street.h"
#include "event/loop.h"
#include "http/http_host.h"
#include "serve/house_user.h"
#include "serve/listening.h"
#include "serve/plan.h"
#include "serve/sandbox.h"
#include "serve/settings.h"
#include "serve/settings_keys.h"
#include "stream/listener.h"

struct stand_in {
	struct loop *loop;
	struct door *door;
	struct street *street;
	struct listener *listeners[PLAN_LISTEN_MOST];
	int sockets[PLAN_LISTEN_MOST], folder;
	unsigned count;
};

static void on_accept(void *arg, int fd, const struct address *peer)
{
	street_accept(((struct stand_in *)arg)->street, fd, peer);
}

static enum status shut_in(const struct stand_in *stand_in, const char *state, pid_t parent, struct error *err)
{
	struct sandbox_user user;
	struct buffer weaker;
	bool is_fallback;
	enum status status;

	house_user_choose(HOUSE_USER_GATEWAY, state, &user, &is_fallback);
	buffer_init(&weaker, 512);
	status = sandbox_drop(user, err);
	if (status == OK)
		status = sandbox_tie(parent, err);
	if (status == OK)
		status = sandbox_gateway(stand_in->folder, &weaker, err);
	buffer_release(&weaker);
	return status;
}

static enum status stand(struct stand_in *stand_in, const struct settings *settings, pid_t parent,
			 struct error *err)
{
	struct door_setup setup = {.options = settings_door(settings)};
	struct street_setup street = {.https_port = settings_https_port(settings), .challenges = stand_in->folder};
	enum status status;
	unsigned i;

	TRY(loop_new(&stand_in->loop, err));
	setup.loop = street.loop = stand_in->loop;
	TRY(door_new(&setup, &stand_in->door, err));
	street.door = stand_in->door;
	http_limits_default(&street.limits);
	TRY(street_new(&street, &stand_in->street, err));
	TRY(shut_in(stand_in, settings_house(settings)->state, parent, err));
	for (i = 0; i < stand_in->count; i++)
		TRY(listener_start(stand_in->loop, stand_in->sockets[i], on_accept, stand_in,
				   &stand_in->listeners[i], err));
	loop_run(stand_in->loop);
done:
	return status;
}

static enum status open_all(struct stand_in *stand_in, const struct house_settings *house, struct error *err)
{
	enum status status = OK;
	size_t i;

	stand_in->folder = open(house->acme_folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (stand_in->folder < 0)
		return error_refuse(err, "acme-folder %s: %s", house->acme_folder, strerror(errno));
	for (i = 0; i < house->listen_http.count && i < PLAN_LISTEN_MOST && status == OK; i++) {
		status = listening_open(&house->listen_http.at[i], &stand_in->sockets[i], err);
		if (status == OK)
			stand_in->count++;
	}
	return status;
}

enum status stand_in_start(const struct settings *settings, pid_t *out, struct error *err)
{
	struct stand_in stand_in = {0};
	enum status status = open_all(&stand_in, settings_house(settings), err);
	pid_t parent = getpid(), pid;
	unsigned i;

	if (status == OK) {
		pid = fork();
		if (pid == 0) {
			if (stand(&stand_in, settings, parent, err) != OK)
				log_say(LOG_ERROR, "stand-in", "%s", err->text);
			_exit(70);
		}
		if (pid < 0)
			status = error_fail_errno(err, "cannot start a process for port 80");
		else
			*out = pid;
	}
	for (i = 0; i < stand_in.count; i++)
		close(stand_in.sockets[i]);
	if (stand_in.folder >= 0)
		close(stand_in.folder);
	return status;
}

void stand_in_end(pid_t pid)
{
	kill(pid, SIGKILL);
	while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
		;
}
