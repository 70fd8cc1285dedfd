#include "serve/supervisor.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "authority/authority.h"
#include "base/clock.h"
#include "base/log.h"
#include "event/passing.h"
#include "event/timer.h"
#include "serve/child.h"
#include "serve/listening.h"
#include "serve/order.h"
#include "serve/preparation.h"
#include "serve/watch.h"
#include "shm/scoreboard.h"
#include "shm/session_store.h"

enum {
	SESSIONS_EXPECTED = 100000,
	STILL_SECONDS = 10,
	START_SECONDS = 120, /* an authority reads its whole registry */
	STOP_SECONDS = 10,
	ORDERS_A_TURN = 64,
	ORDERS_A_SECOND = 2048, /* more than the socket keeps of them while we are away */
	AUTHORITY = 0,
};

struct supervisor;

/* A child and its orders on the loop. */
struct post_of {
	struct child child;
	struct source orders;
	struct supervisor *supervisor;
	uint32_t joined; /* a gateway's number at the authority; 0: it has no way to it */
	unsigned heard;  /* orders in this second */
	bool is_deaf;    /* its end of the orders is closed: it ends, or it should */
};

struct supervisor {
	struct loop *loop;
	const char *config;
	struct prepared prepared;
	struct preparation preparation;
	struct watch *watch;
	struct source signals;
	struct timer second;
	int listeners[PLAN_LISTEN_MOST], commands;
	struct scoreboard *board;
	struct session_store *sessions;
	struct post_of posts[1 + WORKERS_MOST]; /* [0] the authority, then the gateways */
	unsigned count;
	int64_t looked_at; /* mono: the last look after all */
	uint32_t joins;    /* so many numbers were given to gateways */
	bool is_up;       /* every part was ready once: from now on a part that ends is started again */
	bool wants_again; /* files changed while a preparation was under way */
	bool is_stopping;
	int64_t stop_by;
	int outcome;
};

static bool is_gateway(const struct post_of *post)
{
	return post->child.slot != AUTHORITY;
}

static int64_t now_of(const struct supervisor *supervisor)
{
	return loop_now(supervisor->loop)->mono;
}

/* Ending ------------------------------------------------------------------- */

static bool all_gone(const struct supervisor *supervisor)
{
	unsigned i;

	for (i = 0; i < supervisor->count; i++)
		if (supervisor->posts[i].child.pid)
			return false;
	return true;
}

/* Gateways first, so that each connection's last line can still be told to the authority. */
static void tell_to_stop(struct supervisor *supervisor)
{
	bool gateways_left = false;
	unsigned i;

	for (i = 1; i < supervisor->count; i++) {
		if (!supervisor->posts[i].child.pid)
			continue;
		gateways_left = true;
		if (order_send(supervisor->posts[i].child.orders, (struct order){ORDER_STOP, 0}, -1) != OK)
			kill(supervisor->posts[i].child.pid, SIGKILL);
	}
	if (!gateways_left && supervisor->posts[AUTHORITY].child.pid &&
	    order_send(supervisor->posts[AUTHORITY].child.orders, (struct order){ORDER_STOP, 0}, -1) != OK)
		kill(supervisor->posts[AUTHORITY].child.pid, SIGKILL);
}

static void stop(struct supervisor *supervisor, int outcome)
{
	if (!supervisor->is_stopping) {
		supervisor->is_stopping = true;
		supervisor->outcome = outcome;
		supervisor->stop_by = now_of(supervisor) + SECONDS(STOP_SECONDS);
	}
	tell_to_stop(supervisor);
	if (all_gone(supervisor))
		loop_stop(supervisor->loop);
}

/* Starting ----------------------------------------------------------------- */

static void on_orders(struct source *source);

static void end_part(struct post_of *post, const char *why)
{
	if (!post->child.pid || post->supervisor->is_stopping)
		return;
	log_say(LOG_ERROR, "end-part", "%s %u is ended and started again: %s", post->child.role, post->child.slot, why);
	kill(post->child.pid, SIGKILL);
}

/* A fresh way between this gateway and the authority; either may have been started anew. Tried again
 * each second until it is there. */
static void connect_gateway(struct supervisor *supervisor, struct post_of *gateway)
{
	struct post_of *authority = &supervisor->posts[AUTHORITY];
	uint32_t number = ++supervisor->joins % (UINT32_MAX / GATEWAY_SLOTS) * GATEWAY_SLOTS + gateway->child.slot;
	struct error err;
	int ends[2];

	gateway->joined = 0;
	if (!gateway->child.pid || !authority->child.pid)
		return;
	if (passing_pair(ends, &err) != OK) {
		log_say(LOG_ERROR, "start", "%s", err.text);
		return;
	}
	if (order_send(authority->child.orders, (struct order){ORDER_CHANNEL, number}, ends[0]) != OK)
		log_say(LOG_WARNING, "start", "the authority does not take gateway %u", gateway->child.slot);
	else if (order_send(gateway->child.orders, (struct order){ORDER_CHANNEL, 0}, ends[1]) == OK)
		gateway->joined = number;
	else /* No revocation would reach it. */
		end_part(gateway, "it takes no orders");
	close(ends[0]);
	close(ends[1]);
}

/* Opened here, because a gateway may not be able to walk there. -1: none, and its answers are 404. */
static int open_acme_folder(const struct plan *plan)
{
	int folder;

	if (!plan->acme_folder[0])
		return -1;
	folder = open(plan->acme_folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (folder < 0)
		log_say(LOG_WARNING, "acme", "acme-folder = \"%s\" cannot be opened: %s; no answer in it is shown",
			plan->acme_folder, strerror(errno));
	return folder;
}

static enum status start_post(struct supervisor *supervisor, struct post_of *post, struct error *err)
{
	const struct plan *plan = &supervisor->prepared.plan;
	int descriptors[4 + PLAN_LISTEN_MOST] = {-1, scoreboard_fd(supervisor->board), supervisor->commands, -1};
	unsigned count = 4, i;
	char listeners[PLAN_LISTEN_MOST + 1];
	const char *words[] = {plan->state, NULL};
	enum status status;

	if (is_gateway(post)) {
		descriptors[0] = supervisor->prepared.bundle;
		descriptors[2] = session_store_fd(supervisor->sessions);
		descriptors[3] = open_acme_folder(plan);
		for (i = 0; i < plan->listen_count; i++) {
			descriptors[count++] = supervisor->listeners[i];
			listeners[i] = (char)plan->listen[i].kind;
		}
		listeners[i] = '\0';
		words[0] = listeners;
	}
	status = child_start(&post->child, descriptors, count, is_gateway(post) ? plan->gateway : plan->authority,
			     words, err);
	if (descriptors[3] >= 0)
		close(descriptors[3]);
	if (status != OK)
		return status;
	post->is_deaf = false;
	post->orders = (struct source){.fd = post->child.orders, .on_ready = on_orders};
	status = loop_add(supervisor->loop, &post->orders, err);
	if (status != OK)
		return status;
	for (i = 1; i < supervisor->count; i++)
		if (!is_gateway(post) || post == &supervisor->posts[i])
			connect_gateway(supervisor, &supervisor->posts[i]);
	return OK;
}

static void say_ready(struct supervisor *supervisor)
{
	const struct plan *plan = &supervisor->prepared.plan;
	char where[ADDRESS_TEXT_SIZE];
	unsigned i;

	for (i = 0; i < supervisor->count; i++)
		if (supervisor->posts[i].child.state != CHILD_READY)
			return;
	if (supervisor->is_up)
		return;
	supervisor->is_up = true;
	log_begin(LOG_INFO, "ready");
	log_number("gateways", plan->workers);
	for (i = 0; i < plan->listen_count; i++) {
		address_text(&plan->listen[i].at, where);
		log_text("listen", span_of(where));
	}
	log_text("state", span_of(plan->state));
	log_end();
}

/* The authority's word for it is as old as its number: a process that was started since is spared. */
static void kill_gateway(struct supervisor *supervisor, uint32_t number)
{
	unsigned i;

	for (i = 1; i < supervisor->count && !supervisor->is_stopping; i++)
		if (supervisor->posts[i].child.pid && supervisor->posts[i].joined == number)
			kill(supervisor->posts[i].child.pid, SIGKILL);
}

static void obey(struct post_of *post, struct order order)
{
	struct supervisor *supervisor = post->supervisor;

	post->child.alive_at = now_of(supervisor);
	if (order.verb == ORDER_READY) {
		post->child.state = CHILD_READY;
		say_ready(supervisor);
	} else if (order.verb == ORDER_KILL_GATEWAY && !is_gateway(post) && order.number) {
		kill_gateway(supervisor, order.number);
	}
}

/* A part that was taken over may say what it likes here, but not keep us from the others; and one that can be
 * told nothing any more is none of ours. */
static void on_orders(struct source *source)
{
	struct post_of *post = OWNER_OF(source, struct post_of, orders);
	struct order order;
	enum status status;
	unsigned turn = 0;
	int fd;

	while ((status = order_receive(source->fd, &order, &fd)) == OK) {
		if (fd >= 0)
			close(fd);
		if (++post->heard > ORDERS_A_SECOND) {
			end_part(post, "it floods us with orders");
			return;
		}
		obey(post, order);
		if (++turn == ORDERS_A_TURN) {
			loop_again(post->supervisor->loop, source);
			return;
		}
	}
	post->is_deaf = status != AGAIN;
}

/* Children that ended ------------------------------------------------------- */

static void on_gone(struct supervisor *supervisor, struct post_of *post, int wait_status)
{
	unsigned i;

	loop_remove(supervisor->loop, &post->orders);
	score_leave(scoreboard_page(supervisor->board, post->child.slot));
	child_gone(&post->child, now_of(supervisor));
	for (i = 1; i < supervisor->count; i++)
		if (!is_gateway(post) || post == &supervisor->posts[i])
			supervisor->posts[i].joined = 0;
	if (supervisor->is_stopping) {
		stop(supervisor, supervisor->outcome);
		return;
	}
	/* Before all were up once, the reason will not go away by itself; it has been said. */
	if (!supervisor->is_up) {
		stop(supervisor, 1);
		return;
	}
	score_house_add(supervisor->board, is_gateway(post) ? HOUSE_GATEWAYS_RESTARTED : HOUSE_AUTHORITY_RESTARTED, 1);
	score_house_set(supervisor->board, HOUSE_RESTARTED_AT, (uint64_t)clock_seconds());
	log_begin(LOG_ERROR, "ended");
	log_text("part", span_of(post->child.role));
	log_number("slot", post->child.slot);
	if (WIFSIGNALED(wait_status))
		log_number("signal", (uint64_t)WTERMSIG(wait_status));
	else
		log_number("exit", (uint64_t)WEXITSTATUS(wait_status));
	log_number("again_in_ms", (uint64_t)(post->child.again_at - now_of(supervisor)) / 1000);
	log_end();
	/* The back-off may be shorter than the second's tick. */
	timer_set(loop_timers(supervisor->loop), &supervisor->second, post->child.again_at);
}

static void reap(struct supervisor *supervisor)
{
	int wait_status;
	unsigned i;
	pid_t pid;

	while ((pid = waitpid(-1, &wait_status, WNOHANG)) > 0) {
		if (preparation_reaped(&supervisor->preparation, pid,
				       WIFEXITED(wait_status) ? WEXITSTATUS(wait_status) : 1))
			continue;
		for (i = 0; i < supervisor->count; i++)
			if (supervisor->posts[i].child.pid == pid)
				on_gone(supervisor, &supervisor->posts[i], wait_status);
	}
}

static void look_after(struct supervisor *supervisor, struct post_of *post)
{
	int64_t now = now_of(supervisor);
	int still = post->child.state == CHILD_STARTING ? START_SECONDS : STILL_SECONDS;
	struct error err;

	post->heard = 0;

	if (!post->child.pid) {
		if (!supervisor->is_stopping && now >= post->child.again_at &&
		    start_post(supervisor, post, &err) != OK) {
			log_say(LOG_ERROR, "start", "%s", err.text);
			post->child.again_at = now + SECONDS(1);
		}
		return;
	}
	if (now - post->child.alive_at > SECONDS(still)) {
		log_say(LOG_ERROR, "watchdog", "%s %u has stood still for %d s; it is ended and started again",
			post->child.role, post->child.slot, still);
		kill(post->child.pid, SIGKILL);
		post->child.alive_at = now;
	}
	if (post->is_deaf)
		end_part(post, "it has closed its way to us");
	else if (is_gateway(post) && !post->joined && !supervisor->is_stopping)
		connect_gateway(supervisor, post);
}

/* Ctrl-Z, or a machine that was paused: the time that we did not see was not theirs either. */
static void forgive_own_absence(struct supervisor *supervisor)
{
	int64_t now = now_of(supervisor);
	unsigned i;

	for (i = 0; i < supervisor->count && now - supervisor->looked_at > SECONDS(3); i++)
		supervisor->posts[i].child.alive_at = now;
	supervisor->looked_at = now;
}

static void on_second(struct timer *timer)
{
	struct supervisor *supervisor = OWNER_OF(timer, struct supervisor, second);
	int64_t next = now_of(supervisor) + SECONDS(1);
	unsigned i;

	forgive_own_absence(supervisor);
	for (i = 0; i < supervisor->count; i++) {
		struct child *child = &supervisor->posts[i].child;

		look_after(supervisor, &supervisor->posts[i]);
		if (!child->pid && child->again_at > now_of(supervisor) && child->again_at < next)
			next = child->again_at;
	}
	if (supervisor->is_stopping && now_of(supervisor) > supervisor->stop_by) {
		for (i = 0; i < supervisor->count; i++)
			if (supervisor->posts[i].child.pid)
				kill(supervisor->posts[i].child.pid, SIGKILL);
	}
	timer_set(loop_timers(supervisor->loop), timer, next);
}

/* Configuration -------------------------------------------------------------- */

static bool is_same_memory(int a, int b)
{
	struct stat first, second;
	void *one, *other;
	bool same;

	if (fstat(a, &first) || fstat(b, &second) || first.st_size != second.st_size)
		return false;
	one = mmap(NULL, (size_t)first.st_size, PROT_READ, MAP_SHARED, a, 0);
	other = mmap(NULL, (size_t)first.st_size, PROT_READ, MAP_SHARED, b, 0);
	same = one != MAP_FAILED && other != MAP_FAILED && memcmp(one, other, (size_t)first.st_size) == 0;
	if (one != MAP_FAILED)
		munmap(one, (size_t)first.st_size);
	if (other != MAP_FAILED)
		munmap(other, (size_t)first.st_size);
	return same;
}

static void prepare(struct supervisor *supervisor)
{
	struct error err;

	if (supervisor->preparation.child.pid)
		supervisor->wants_again = true;
	else if (preparation_start(&supervisor->preparation, supervisor->config, &err) != OK)
		log_say(LOG_ERROR, "files", "%s", err.text);
}

static void use_again(struct supervisor *supervisor, const struct prepared *prepared)
{
	const struct plan *before = &supervisor->prepared.plan, *after = &prepared->plan;
	unsigned i;

	if (memcmp(before->listen, after->listen, sizeof before->listen) != 0 || strcmp(before->state, after->state) != 0 ||
	    before->workers != after->workers)
		log_say(LOG_WARNING, "files", "listen, state and workers change at the next start only");
	watch_files(supervisor->watch, after);
	if (is_same_memory(supervisor->prepared.bundle, prepared->bundle)) {
		close(prepared->bundle);
		return;
	}
	close(supervisor->prepared.bundle);
	supervisor->prepared.bundle = prepared->bundle;
	for (i = 1; i < supervisor->count; i++)
		if (supervisor->posts[i].child.pid &&
		    order_send(supervisor->posts[i].child.orders, (struct order){ORDER_BUNDLE, 0},
			       prepared->bundle) != OK)
			log_say(LOG_WARNING, "files", "gateway %u does not take orders", i);
}

static enum status open_house(struct supervisor *supervisor, struct error *err)
{
	const struct plan *plan = &supervisor->prepared.plan;
	char path[PATH_MAX];
	enum status status;
	unsigned i;

	for (i = 0; i < plan->listen_count; i++)
		TRY(listening_open(&plan->listen[i].at, &supervisor->listeners[i], err));
	if (snprintf(path, sizeof path, "%s/authority.sock", plan->state) >= PATH_MAX)
		return error_refuse(err, "state = \"%s\" is too long", plan->state);
	TRY(listening_open_local(path, plan->authority.uid, plan->authority.gid, &supervisor->commands, err));
	TRY(scoreboard_new(1 + plan->workers, &supervisor->board, err));
	score_house_set(supervisor->board, HOUSE_STARTED, (uint64_t)clock_seconds());
	score_house_set(supervisor->board, HOUSE_GENERATION, 1);
	TRY(session_store_new(SESSIONS_EXPECTED, &supervisor->sessions, err));
	supervisor->count = 1 + plan->workers;
	for (i = 0; i < supervisor->count; i++)
		supervisor->posts[i] =
			(struct post_of){.child = {.role = i == AUTHORITY ? "authority" : "gateway", .slot = i, .orders = -1},
					 .supervisor = supervisor};
	for (i = 0; i < supervisor->count; i++)
		TRY(start_post(supervisor, &supervisor->posts[i], err));
	watch_files(supervisor->watch, plan);
done:
	return status;
}

/* For status and metrics. */
static void note_reload(struct supervisor *supervisor, bool is_good)
{
	score_house_set(supervisor->board, HOUSE_RELOAD_AT, (uint64_t)clock_seconds());
	score_house_set(supervisor->board, HOUSE_RELOAD_FAILED, !is_good);
	score_house_add(supervisor->board, is_good ? HOUSE_GENERATION : HOUSE_RELOADS_FAILED, 1);
}

static void on_prepared(struct preparation *preparation, const struct prepared *prepared)
{
	struct supervisor *supervisor = OWNER_OF(preparation, struct supervisor, preparation);
	bool is_first = supervisor->prepared.bundle < 0;
	struct error err;

	if (prepared && is_first) {
		supervisor->prepared = *prepared;
		if (prepared->plan.has_no_user)
			log_say(LOG_WARNING, "user", "there is no user chatelaine: the authority runs as root without "
				"capabilities. Better: adduser --system --group chatelaine; adduser --system --group "
				"chatelaine-gateway; chown -R chatelaine: %s", prepared->plan.state);
		if (open_house(supervisor, &err) != OK) {
			fprintf(stderr, "chatelaine: %s\n", err.text);
			stop(supervisor, 1);
		}
	} else if (prepared) {
		note_reload(supervisor, true);
		use_again(supervisor, prepared);
	} else if (is_first) {
		stop(supervisor, 1);
	} else {
		note_reload(supervisor, false);
		log_say(LOG_ERROR, "files", "the changed files are not right (see above); the ones before still hold");
	}
	if (supervisor->wants_again) {
		supervisor->wants_again = false;
		prepare(supervisor);
	}
}

static void on_change(void *arg)
{
	prepare(arg);
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
			prepare(supervisor);
		else
			stop(supervisor, 0);
	}
}

static enum status watch_signals(struct supervisor *supervisor, struct error *err)
{
	sigset_t wanted;

	sigemptyset(&wanted);
	sigaddset(&wanted, SIGCHLD);
	sigaddset(&wanted, SIGHUP);
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
	char path[PATH_MAX];
	unsigned i;

	timer_stop(&supervisor->second);
	watch_free(supervisor->watch);
	for (i = 0; i < PLAN_LISTEN_MOST; i++)
		if (supervisor->listeners[i] >= 0)
			close(supervisor->listeners[i]);
	if (supervisor->commands >= 0 &&
	    snprintf(path, sizeof path, "%s/authority.sock", supervisor->prepared.plan.state) < PATH_MAX)
		unlink(path);
	if (supervisor->commands >= 0)
		close(supervisor->commands);
	if (supervisor->signals.fd > 0) {
		loop_remove(supervisor->loop, &supervisor->signals);
		close(supervisor->signals.fd);
	}
	session_store_free(supervisor->sessions);
	scoreboard_free(supervisor->board);
	prepared_release(&supervisor->prepared);
	loop_free(supervisor->loop);
}

int supervisor_run(const char *config)
{
	static struct supervisor supervisor;
	struct error err;
	unsigned i;

	supervisor = (struct supervisor){.config = config, .commands = -1, .prepared = {.bundle = -1}, .outcome = 1};
	for (i = 0; i < PLAN_LISTEN_MOST; i++)
		supervisor.listeners[i] = -1;
	log_init("supervisor", LOG_INFO);
	raise_descriptors();
	if (loop_new(&supervisor.loop, &err) != OK) {
		fprintf(stderr, "chatelaine: %s\n", err.text);
		return 1;
	}
	timer_init(&supervisor.second, on_second);
	timer_set(loop_timers(supervisor.loop), &supervisor.second, now_of(&supervisor) + SECONDS(1));
	preparation_init(&supervisor.preparation, supervisor.loop, on_prepared);
	if (watch_signals(&supervisor, &err) == OK &&
	    watch_new(supervisor.loop, on_change, &supervisor, &supervisor.watch, &err) == OK &&
	    preparation_start(&supervisor.preparation, config, &err) == OK)
		loop_run(supervisor.loop);
	else
		fprintf(stderr, "chatelaine: %s\n", err.text);
	release(&supervisor);
	return supervisor.outcome;
}
