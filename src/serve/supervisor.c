#include "serve/supervisor.h"

#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "event/service_notice.h"
#include "serve/access_file.h"
#include "serve/listening.h"
#include "serve/supervisor_parts.h"
#include "serve/watch.h"
#include "shm/meter.h"
#include "shm/session_store.h"

enum { SESSIONS_EXPECTED = 100000, STOP_SPARE_SECONDS = 5, STOP_SECONDS_UNKNOWN = 10, REOPENS_A_SECOND = 8 };

/* Ending ------------------------------------------------------------------- */

static bool all_gone(const struct supervisor *supervisor)
{
	unsigned i;

	for (i = 0; i < PARTS_MOST; i++)
		if (supervisor->parts[i].child.pid)
			return false;
	return resolver_post_is_gone(&supervisor->resolver);
}

static uint32_t stop_seconds(const struct supervisor *supervisor)
{
	return supervisor->now.bundle >= 0 ? supervisor->now.plan.stop_seconds : STOP_SECONDS_UNKNOWN;
}

/* Gateways first, so that each connection's last line can still be told to the authority. */
static void tell_to_stop(struct supervisor *supervisor)
{
	struct order stop = {ORDER_STOP, stop_seconds(supervisor)};
	bool gateways_left = false;
	unsigned i;

	for (i = GATEWAY_FIRST; i < PARTS_MOST; i++) {
		if (!supervisor->parts[i].child.pid)
			continue;
		gateways_left = true;
		if (order_send(supervisor->parts[i].child.orders, stop, -1) != OK)
			kill(supervisor->parts[i].child.pid, SIGKILL);
	}
	if (!gateways_left)
		resolver_post_stop(&supervisor->resolver);
	if (!gateways_left && supervisor->parts[AUTHORITY].child.pid &&
	    order_send(supervisor->parts[AUTHORITY].child.orders, stop, -1) != OK)
		kill(supervisor->parts[AUTHORITY].child.pid, SIGKILL);
}

void supervisor_stop(struct supervisor *supervisor, int outcome)
{
	if (!supervisor->is_stopping) {
		supervisor->is_stopping = true;
		supervisor->outcome = outcome;
		supervisor->stop_by = supervisor_now(supervisor) +
				      SECONDS((int64_t)stop_seconds(supervisor) + STOP_SPARE_SECONDS);
		preparation_stop(&supervisor->reload.preparation);
		service_notice("STOPPING=1\nEXTEND_TIMEOUT_USEC=%lld",
			       (long long)(supervisor->stop_by - supervisor_now(supervisor)) + SECONDS(STOP_SPARE_SECONDS));
	}
	tell_to_stop(supervisor);
	if (all_gone(supervisor))
		loop_stop(supervisor->loop);
}

/* The access log ----------------------------------------------------------- */

void supervisor_use_access(struct supervisor *supervisor, int fd)
{
	unsigned i;

	if (supervisor->access >= 0)
		close(supervisor->access);
	supervisor->access = fd;
	for (i = GATEWAY_FIRST; i < PARTS_MOST && fd >= 0; i++)
		(void)part_order(&supervisor->parts[i], (struct order){ORDER_ACCESS, 0}, fd);
}

/* SIGUSR1: it was moved away. On failure the one before is still in use. Not more than so often in a second, for a
 * gateway that stands still for a moment must not be full of orders. */
static void reopen_access(struct supervisor *supervisor)
{
	const struct plan *plan = &supervisor->now.plan;
	struct error err;
	int fd;

	supervisor->wants_reopen = supervisor->reopens >= REOPENS_A_SECOND;
	if (supervisor->now.bundle < 0 || !plan->access_log[0] || supervisor->wants_reopen)
		return;
	supervisor->reopens++;
	if (access_file_open(plan->access_log, plan->access_owner, &fd, &err) == OK)
		supervisor_use_access(supervisor, fd);
	else
		log_say(LOG_ERROR, "access-log", "%s; lines go on where they went", err.text);
}

/* Starting ----------------------------------------------------------------- */

void supervisor_use_targets(struct supervisor *supervisor, const struct prepared *prepared)
{
	int targets = prepared->targets >= 0 ? fcntl(prepared->targets, F_DUPFD_CLOEXEC, 3) : -1;

	resolver_post_use(&supervisor->resolver, scoreboard_fd(supervisor->board), RESOLVER, prepared->plan.resolver,
			  targets);
}

static void on_resolver_started(void *arg)
{
	struct supervisor *supervisor = arg;
	unsigned i;

	for (i = GATEWAY_FIRST; i < PARTS_MOST; i++)
		if (supervisor->parts[i].duty != DUTY_NONE)
			resolver_post_join(&supervisor->resolver, &supervisor->parts[i].child, &supervisor->parts[i].resolver);
}

enum status supervisor_make_memories(struct supervisor *supervisor, struct error *err)
{
	enum status status;

	TRY(scoreboard_new(PARTS_MOST + 1, &supervisor->board, err));
	score_house_set(supervisor->board, HOUSE_STARTED, (uint64_t)clock_seconds());
	score_house_set(supervisor->board, HOUSE_GENERATION, 1);
	TRY(meter_new(scoreboard_slots(supervisor->board), &supervisor->meter, err));
	TRY(session_store_new(SESSIONS_EXPECTED, &supervisor->sessions, err));
done:
	return status;
}

static enum status open_house(struct supervisor *supervisor, struct error *err)
{
	const struct plan *plan = &supervisor->now.plan;
	const struct sockets none = {.count = 0};
	char path[PATH_MAX];
	enum status status;

	TRY(sockets_open(plan, &none, &supervisor->sockets, err));
	if (snprintf(path, sizeof path, "%s/authority.sock", plan->state) >= PATH_MAX)
		return error_refuse(err, "state = \"%s\" is too long", plan->state);
	TRY(listening_open_local(path, plan->authority.uid, plan->authority.gid, &supervisor->commands, err));
	TRY(supervisor_make_memories(supervisor, err));
	if (plan->access_log[0])
		TRY(access_file_open(plan->access_log, plan->access_owner, &supervisor->access, err));
	supervisor->parts[AUTHORITY] = (struct part){.child = {.role = "authority", .slot = AUTHORITY, .orders = -1},
						     .supervisor = supervisor,
						     .duty = DUTY_SERVES};
	TRY(part_start(&supervisor->parts[AUTHORITY], &supervisor->now, &supervisor->sockets, err));
	supervisor_use_targets(supervisor, &supervisor->now);
	TRY(generation_begin(supervisor, &supervisor->now, &supervisor->sockets, err));
	watch_files(supervisor->watch, plan);
done:
	return status;
}

void supervisor_open_house(struct supervisor *supervisor, const struct prepared *prepared)
{
	struct error err;

	if (!prepared) {
		supervisor_stop(supervisor, 1);
		return;
	}
	supervisor->now = *prepared;
	if (prepared->plan.has_no_user)
		log_say(LOG_WARNING, "user", "there is no user chatelaine: the authority runs as root without "
			"capabilities. Better: adduser --system --group chatelaine; adduser --system --group "
			"chatelaine-gateway; chown -R chatelaine: %s", prepared->plan.state);
	if (open_house(supervisor, &err) == OK)
		return;
	fprintf(stderr, "chatelaine: %s\n", err.text);
	supervisor_stop(supervisor, 1);
}

void supervisor_say_ready(const struct supervisor *supervisor)
{
	const struct plan *plan = &supervisor->now.plan;
	char where[ADDRESS_TEXT_SIZE];
	unsigned i;

	log_begin(LOG_INFO, "ready");
	log_number("gateways", plan->workers);
	for (i = 0; i < plan->listen_count; i++) {
		address_text(&plan->listen[i].at, where);
		log_text("listen", span_of(where));
	}
	log_text("state", span_of(plan->state));
	log_end();
	service_notice("READY=1\nMAINPID=%d\nSTATUS=%u gateways serve", (int)getpid(), plan->workers);
}

/* Watching ------------------------------------------------------------------ */

static void reap(struct supervisor *supervisor)
{
	int wait_status;
	unsigned i;
	pid_t pid;

	while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0) {
		if (preparation_reaped(&supervisor->reload.preparation, pid,
				       WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 1))
			continue;
		if (upgrade_reaped(supervisor, pid, wait_status))
			continue;
		if (resolver_post_reaped(&supervisor->resolver, pid, wait_status)) {
			if (supervisor->is_stopping)
				supervisor_stop(supervisor, supervisor->outcome);
			continue;
		}
		for (i = 0; i < PARTS_MOST && supervisor->parts[i].child.pid != pid;)
			i++;
		if (i < PARTS_MOST)
			part_gone(&supervisor->parts[i], wait_status);
	}
}

/* Ctrl-Z, or a machine that was paused: the time that we did not see was not theirs either. */
static void forgive_own_absence(struct supervisor *supervisor)
{
	int64_t now = supervisor_now(supervisor);
	unsigned i;

	for (i = 0; i < PARTS_MOST && now - supervisor->looked_at > SECONDS(3); i++)
		supervisor->parts[i].child.alive_at = now;
	if (now - supervisor->looked_at > SECONDS(3))
		resolver_post_forgive(&supervisor->resolver);
	supervisor->looked_at = now;
}

static void on_second(struct timer *timer)
{
	struct supervisor *supervisor = OWNER_OF(timer, struct supervisor, second);
	int64_t next = supervisor_now(supervisor) + SECONDS(1);
	unsigned i;

	forgive_own_absence(supervisor);
	for (i = 0; i < PARTS_MOST; i++) {
		struct part *part = &supervisor->parts[i];

		if (part->duty == DUTY_NONE)
			continue;
		part_look_after(part);
		if (!part->child.pid && part->child.again_at > supervisor_now(supervisor) && part->child.again_at < next)
			next = part->child.again_at;
	}
	supervisor->reopens = 0;
	if (supervisor->wants_reopen)
		reopen_access(supervisor);
	reload_look(supervisor);
	upgrade_look(supervisor);
	service_notice_alive();
	if (supervisor->is_stopping && supervisor_now(supervisor) > supervisor->stop_by) {
		for (i = 0; i < PARTS_MOST; i++)
			if (supervisor->parts[i].child.pid)
				kill(supervisor->parts[i].child.pid, SIGKILL);
		resolver_post_kill(&supervisor->resolver);
	}
	timer_set(loop_timers(supervisor->loop), timer, next);
}

static void on_change(void *arg)
{
	reload_want(arg);
}

/* Signals --------------------------------------------------------------------- */

static void on_signals(struct source *source)
{
	struct supervisor *supervisor = OWNER_OF(source, struct supervisor, signals);
	struct signalfd_siginfo signal;

	while (read(source->fd, &signal, sizeof signal) == (ssize_t)sizeof signal) {
		if (signal.ssi_signo == SIGCHLD)
			reap(supervisor);
		else if (signal.ssi_signo == SIGHUP)
			reload_want(supervisor);
		else if (signal.ssi_signo == SIGUSR1)
			reopen_access(supervisor);
		else if (signal.ssi_signo == SIGUSR2)
			upgrade_want(supervisor);
		else
			supervisor_stop(supervisor, 0);
	}
}

static enum status watch_signals(struct supervisor *supervisor, struct error *err)
{
	sigset_t wanted;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGCHLD);
	sigaddset(&wanted, SIGHUP);
	sigaddset(&wanted, SIGUSR1);
	sigaddset(&wanted, SIGUSR2);
	sigaddset(&wanted, SIGTERM);
	sigaddset(&wanted, SIGINT);
	signal(SIGPIPE, SIG_IGN);
	if (sigprocmask(SIG_BLOCK, &wanted, NULL))
		return error_fail_errno(err, "cannot watch for signals");
	supervisor->signals =
		(struct source){.fd = signalfd(-1, &wanted, SFD_NONBLOCK | SFD_CLOEXEC), .on_ready = on_signals};
	if (supervisor->signals.fd < 0)
		return error_fail_errno(err, "cannot watch for signals");
	return loop_add(supervisor->loop, &supervisor->signals, err);
}

/* Each client and each of its upstreams is a descriptor. */
static void raise_descriptors(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
		limit.rlim_cur = limit.rlim_max;
		(void)setrlimit(RLIMIT_NOFILE, &limit);
	}
}

static void release(struct supervisor *supervisor)
{
	const struct sockets none = {.count = 0};
	char path[PATH_MAX];

	timer_stop(&supervisor->second);
	watch_free(supervisor->watch);
	resolver_post_release(&supervisor->resolver);
	reload_release(supervisor);
	sockets_close_others(&supervisor->sockets, &none);
	if (supervisor->commands >= 0 &&
	    snprintf(path, sizeof path, "%s/authority.sock", supervisor->now.plan.state) < PATH_MAX)
		unlink(path);
	if (supervisor->commands >= 0)
		close(supervisor->commands);
	if (supervisor->access >= 0)
		close(supervisor->access);
	if (supervisor->signals.fd > 0) {
		loop_remove(supervisor->loop, &supervisor->signals);
		close(supervisor->signals.fd);
	}
	session_store_free(supervisor->sessions);
	meter_free(supervisor->meter);
	scoreboard_free(supervisor->board);
	prepared_release(&supervisor->now);
	loop_free(supervisor->loop);
}

int supervisor_run(const char *config)
{
	static struct supervisor supervisor;
	struct error err;

	supervisor = (struct supervisor){.config = config, .commands = -1, .access = -1, .now = {.bundle = -1, .targets = -1},
					 .outcome = 1};
	log_init("supervisor", LOG_INFO);
	raise_descriptors();
	if (loop_new(&supervisor.loop, &err) != OK) {
		fprintf(stderr, "chatelaine: %s\n", err.text);
		return 1;
	}
	timer_init(&supervisor.second, on_second);
	timer_set(loop_timers(supervisor.loop), &supervisor.second, supervisor_now(&supervisor) + SECONDS(1));
	reload_init(&supervisor);
	upgrade_init(&supervisor);
	resolver_post_init(&supervisor.resolver, supervisor.loop, on_resolver_started, &supervisor);
	if (watch_signals(&supervisor, &err) == OK &&
	    watch_new(supervisor.loop, on_change, &supervisor, &supervisor.watch, &err) == OK) {
		if (upgrade_resume(&supervisor))
			reap(&supervisor); /* whoever ended while nobody listened */
		else
			reload_want(&supervisor);
		if (!supervisor.is_stopping)
			loop_run(supervisor.loop);
	} else {
		fprintf(stderr, "chatelaine: %s\n", err.text);
	}
	release(&supervisor);
	return supervisor.outcome;
}
