#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "authority/authority.h"
#include "base/clock.h"
#include "base/log.h"
#include "event/passing.h"
#include "serve/supervisor_parts.h"
#include "shm/meter.h"
#include "shm/session_store.h"

enum {
	STILL_SECONDS = 10,
	START_SECONDS = 120, /* an authority reads its whole registry */
	ORDERS_A_TURN = 64,
	ORDERS_A_SECOND = 2048, /* more than the socket keeps of them while we are away */
};

/* Speaking -------------------------------------------------------------------- */

void part_end(struct part *part, const char *why)
{
	if (!part->child.pid || part->supervisor->is_stopping)
		return;
	log_say(LOG_ERROR, "end-part", "%s %u is ended%s: %s", part->child.role, part->child.slot,
		part->duty == DUTY_SERVES ? " and started again" : "", why);
	kill(part->child.pid, SIGKILL);
}

bool part_order(struct part *part, struct order order, int fd)
{
	if (!part->child.pid)
		return false;
	if (order_send(part->child.orders, order, fd) == OK)
		return true;
	part_end(part, "it takes no orders");
	return false;
}

/* A fresh way between this gateway and the authority; either may have been started anew. Tried again
 * each second until it is there. */
static void connect_gateway(struct part *gateway)
{
	struct supervisor *supervisor = gateway->supervisor;
	struct part *authority = &supervisor->parts[AUTHORITY];
	uint32_t number;
	struct error err;
	int ends[2];

	gateway->joined = 0;
	if (!gateway->child.pid || !authority->child.pid)
		return;
	number = ++supervisor->joins % (UINT32_MAX / GATEWAY_SLOTS) * GATEWAY_SLOTS + gateway->child.slot;
	if (passing_pair(ends, &err) != OK) {
		log_say(LOG_ERROR, "start", "%s", err.text);
		return;
	}
	if (order_send(authority->child.orders, (struct order){ORDER_CHANNEL, number}, ends[0]) != OK)
		log_say(LOG_WARNING, "start", "the authority does not take gateway %u", gateway->child.slot);
	else if (part_order(gateway, (struct order){ORDER_CHANNEL, CHANNEL_AUTHORITY}, ends[1])) /* else no revocation would reach it */
		gateway->joined = number;
	close(ends[0]);
	close(ends[1]);
}

/* The authority's word for it is as old as its number: a process that was started since is spared. */
static void kill_gateway(struct supervisor *supervisor, uint32_t number)
{
	unsigned i;

	for (i = GATEWAY_FIRST; i < PARTS_MOST && !supervisor->is_stopping; i++)
		if (supervisor->parts[i].child.pid && supervisor->parts[i].joined == number)
			kill(supervisor->parts[i].child.pid, SIGKILL);
}

static void obey(struct part *part, struct order order)
{
	part->child.alive_at = supervisor_now(part->supervisor);
	if (order.verb == ORDER_READY) {
		part->child.state = CHILD_READY;
		upgrade_on_ready(part);
		reload_on_ready(part);
	} else if (part_is_gateway(part)) {
		if (order.verb == ORDER_TOOK || order.verb == ORDER_KEPT)
			reload_on_answer(part, order);
	} else if (order.verb == ORDER_KILL_GATEWAY && order.number) {
		kill_gateway(part->supervisor, order.number);
	} else if (order.verb == ORDER_RELOAD) {
		reload_asked(part->supervisor, order.number);
	} else if (order.verb == ORDER_UPGRADE) {
		part->supervisor->reload.asked = order.number;
		upgrade_want(part->supervisor);
	}
}

/* A part that was taken over may say what it likes here, but not keep us from the others; and one that can be
 * told nothing any more is none of ours. */
static void on_orders(struct source *source)
{
	struct part *part = OWNER_OF(source, struct part, orders);
	struct order order;
	enum status status;
	unsigned turn = 0;
	int fd;

	while ((status = order_receive(source->fd, &order, &fd)) == OK) {
		if (fd >= 0)
			close(fd);
		if (++part->heard > ORDERS_A_SECOND) {
			part_end(part, "it floods us with orders");
			return;
		}
		obey(part, order);
		if (++turn == ORDERS_A_TURN) {
			loop_again(part->supervisor->loop, source);
			return;
		}
	}
	part->is_deaf = status != AGAIN;
}

enum status part_listen(struct part *part, struct error *err)
{
	part->orders = (struct source){.fd = part->child.orders, .on_ready = on_orders};
	list_init(&part->orders.again);
	return loop_add(part->supervisor->loop, &part->orders, err);
}

/* Starting -------------------------------------------------------------------- */

static void join(struct part *part)
{
	struct supervisor *supervisor = part->supervisor;
	unsigned i;

	for (i = GATEWAY_FIRST; i < PARTS_MOST; i++)
		if ((!part_is_gateway(part) || part == &supervisor->parts[i]) && supervisor->parts[i].duty != DUTY_NONE)
			connect_gateway(&supervisor->parts[i]);
	if (part_is_gateway(part))
		resolver_post_join(&supervisor->resolver, &part->child, &part->resolver);
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

enum status part_start(struct part *part, const struct prepared *prepared, const struct sockets *sockets,
		       struct error *err)
{
	struct supervisor *supervisor = part->supervisor;
	const struct plan *plan = &prepared->plan;
	int descriptors[5 + PLAN_LISTEN_MOST] = {-1, scoreboard_fd(supervisor->board), supervisor->commands, -1, -1};
	unsigned count = 5, i;
	char kinds[PLAN_LISTEN_MOST + 1];
	const char *words[] = {plan->state, NULL};
	enum status status;

	if (part_is_gateway(part)) {
		descriptors[0] = prepared->bundle;
		descriptors[2] = session_store_fd(supervisor->sessions);
		descriptors[3] = open_acme_folder(plan);
		descriptors[4] = meter_fd(supervisor->meter);
		for (i = 0; i < sockets->count; i++) {
			descriptors[count++] = sockets->fds[i];
			kinds[i] = (char)sockets->listen[i].kind;
		}
		kinds[i] = '\0';
		words[0] = kinds;
	}
	status = child_start(&part->child, descriptors, count, part_is_gateway(part) ? plan->gateway : plan->authority,
			     words, err);
	if (descriptors[3] >= 0)
		close(descriptors[3]);
	if (status != OK)
		return status;
	part->is_deaf = false;
	part->resolver = 0;
	part->took = prepared->number;
	status = part_listen(part, err);
	if (status != OK)
		return status;
	if (part_is_gateway(part) && supervisor->access >= 0)
		(void)part_order(part, (struct order){ORDER_ACCESS, 0}, supervisor->access);
	join(part);
	return OK;
}

/* Ending ---------------------------------------------------------------------- */

static void log_gone(const struct part *part, int wait_status)
{
	log_begin(LOG_ERROR, "ended");
	log_text("part", span_of(part->child.role));
	log_number("slot", part->child.slot);
	if (WIFSIGNALED(wait_status))
		log_number("signal", (uint64_t)WTERMSIG(wait_status));
	else
		log_number("exit", (uint64_t)WEXITSTATUS(wait_status));
	if (part->duty == DUTY_SERVES)
		log_number("again_in_ms", (uint64_t)(part->child.again_at - supervisor_now(part->supervisor)) / 1000);
	log_end();
}

/* For status and metrics. */
static void count_restart(const struct part *part)
{
	struct scoreboard *board = part->supervisor->board;

	score_house_add(board, part_is_gateway(part) ? HOUSE_GATEWAYS_RESTARTED : HOUSE_AUTHORITY_RESTARTED, 1);
	score_house_set(board, HOUSE_RESTARTED_AT, (uint64_t)clock_seconds());
}

void part_gone(struct part *part, int wait_status)
{
	struct supervisor *supervisor = part->supervisor;
	enum duty was = part->duty;
	unsigned i;

	loop_remove(supervisor->loop, &part->orders);
	score_leave(scoreboard_page(supervisor->board, part->child.slot));
	meter_leave(supervisor->meter, part->child.slot);
	child_gone(&part->child, supervisor_now(supervisor));
	for (i = GATEWAY_FIRST; i < PARTS_MOST; i++)
		if (!part_is_gateway(part) || part == &supervisor->parts[i])
			supervisor->parts[i].joined = 0;
	if (!part_is_gateway(part))
		supervisor->reload.asked = supervisor->reload.covers = 0; /* the next one has other askers */
	if (supervisor->is_stopping) {
		supervisor_stop(supervisor, supervisor->outcome);
		return;
	}
	/* Before all were up once, the reason will not go away by itself; it has been said. */
	if (!supervisor->is_up) {
		supervisor_stop(supervisor, 1);
		return;
	}
	if (was == DUTY_SERVES)
		count_restart(part);
	if (wait_status != 0 || (was != DUTY_DRAINS && !upgrade_asked_for_end(part)))
		log_gone(part, wait_status);
	if (was == DUTY_SERVES) /* The back-off may be shorter than the second's tick. */
		timer_set(loop_timers(supervisor->loop), &supervisor->second, part->child.again_at);
	else
		part->duty = DUTY_NONE;
	upgrade_on_gone(part);
	reload_on_gone(part, was);
}

static void start_again(struct part *part)
{
	struct supervisor *supervisor = part->supervisor;
	struct error err;

	if (supervisor->is_stopping || part->duty != DUTY_SERVES ||
	    supervisor_now(supervisor) < part->child.again_at)
		return;
	if (part_start(part, &supervisor->now, &supervisor->sockets, &err) == OK)
		return;
	log_say(LOG_ERROR, "start", "%s", err.text);
	part->child.again_at = supervisor_now(supervisor) + SECONDS(1);
}

void part_look_after(struct part *part)
{
	int64_t now = supervisor_now(part->supervisor);
	int still = part->child.state == CHILD_STARTING ? START_SECONDS : STILL_SECONDS;

	part->heard = 0;
	if (!part->child.pid) {
		start_again(part);
		return;
	}
	if (now - part->child.alive_at > SECONDS(still)) {
		log_say(LOG_ERROR, "watchdog", "%s %u has stood still for %d s; it is ended%s", part->child.role,
			part->child.slot, still, part->duty == DUTY_SERVES ? " and started again" : "");
		kill(part->child.pid, SIGKILL);
		part->child.alive_at = now;
	}
	if (part->is_deaf)
		part_end(part, "it has closed its way to us");
	else if (part_is_overdue(part))
		part_end(part, "its time to drain is over");
	else if (part_is_gateway(part) && !part->joined && !part->supervisor->is_stopping)
		connect_gateway(part);
	if (part_is_gateway(part))
		resolver_post_join(&part->supervisor->resolver, &part->child, &part->resolver);
}
