#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/log.h"
#include "event/service_notice.h"
#include "pki/crypto_start.h"
#include "serve/handover.h"
#include "serve/preparation.h"
#include "serve/role.h"
#include "serve/supervisor_parts.h"
#include "serve/watch.h"
#include "shm/meter.h"
#include "shm/session_store.h"

/*
 * In the version that runs:  NONE -> PROVES   the other one, as a child, reads what it would be handed and the
 *                                             configuration; if it cannot, nothing has happened
 *                                 -> execve   this process is the other version now; sockets and parts are as they were
 * In the other one:          AUTHORITY        its authority takes the place of the one before
 *                            -> GATEWAYS      new gateways, as by a reload; the old ones drain
 *                            -> NONE
 * When it does not come up, it returns by execve to the binary that it kept open.
 */

enum { PROVE_SECONDS = 120, AUTHORITY_SECONDS = 120 };

/* Where we were started from: the path, not the file, because another one will stand there. */
void upgrade_init(struct supervisor *supervisor)
{
	struct upgrade *upgrade = &supervisor->upgrade;
	const char *name = (const char *)getauxval(AT_EXECFN);
	char here[PATH_MAX / 2];

	*upgrade = (struct upgrade){.child = {.role = "upgrade", .orders = -1}, .old_binary = -1, .report = -1, .plan = -1};
	if (name && name[0] == '/')
		snprintf(upgrade->binary, sizeof upgrade->binary, "%s", name);
	else if (name && getcwd(here, sizeof here))
		snprintf(upgrade->binary, sizeof upgrade->binary, "%s/%.2000s", here, name);
}

/* Handing over ------------------------------------------------------------------- */

static int descriptor_of(const void *bytes, size_t size)
{
	int fd = memfd_create("plan", MFD_CLOEXEC);

	if (fd >= 0 && write(fd, bytes, size) != (ssize_t)size) {
		close(fd);
		return -1;
	}
	return fd;
}

static void put_parts(const struct supervisor *supervisor, struct handover *out)
{
	unsigned i;

	for (i = 0; i < PARTS_MOST; i++) {
		const struct part *part = &supervisor->parts[i];

		if (part->duty == DUTY_NONE || (!part->child.pid && part->duty != DUTY_SERVES))
			continue;
		out->parts[out->part_count++] = (struct handover_part){
			.slot = i,
			.duty = part->duty,
			.generation = part->generation,
			.took = part->took,
			.joined = part->joined,
			.state = part->child.state,
			.pid = part->child.pid,
			.orders = part->child.pid ? part->child.orders : -1,
			.started = part->child.started,
			.alive_at = part->child.alive_at,
			.end_by = part->end_by,
		};
	}
}

static enum status write_down(struct supervisor *supervisor, const char *why, int *fd, struct error *err)
{
	static struct handover handover;
	const struct plan *plan = &supervisor->now.plan;
	struct upgrade *upgrade = &supervisor->upgrade;
	unsigned i;

	handover_begin(&handover);
	handover.is_return = why != NULL;
	snprintf(handover.why, sizeof handover.why, "%s", why ? why : "");
	snprintf(handover.binary, sizeof handover.binary, "%s", upgrade->binary);
	handover.old_binary = upgrade->old_binary;
	if (upgrade->plan < 0)
		upgrade->plan = descriptor_of(plan, sizeof *plan);
	handover.plan = upgrade->plan;
	handover.plan_size = upgrade->plan_size ? upgrade->plan_size : sizeof *plan;
	handover.bundle = supervisor->now.bundle;
	handover.targets = supervisor->now.targets;
	handover.number = supervisor->reload.number;
	snprintf(handover.state, sizeof handover.state, "%s", plan->state);
	handover.gateway = plan->gateway;
	handover.authority = plan->authority;
	handover.resolver = plan->resolver;
	handover.workers = plan->workers;
	handover.drain_seconds = plan->drain_seconds;
	handover.stop_seconds = plan->stop_seconds;
	handover.socket_count = supervisor->sockets.count;
	for (i = 0; i < supervisor->sockets.count; i++) {
		handover.listen[i] = supervisor->sockets.listen[i];
		handover.sockets[i] = supervisor->sockets.fds[i];
	}
	handover.commands = supervisor->commands;
	handover.access = supervisor->access;
	handover.scoreboard = scoreboard_fd(supervisor->board);
	handover.sessions = session_store_fd(supervisor->sessions);
	handover.meter = meter_fd(supervisor->meter);
	handover.generation = supervisor->generation;
	handover.joins = supervisor->joins;
	put_parts(supervisor, &handover);
	upgrade->written = &handover;
	return handover_write(&handover, fd, err);
}

/* Only comes back when it could not be done. */
static void execute(const struct supervisor *supervisor, const struct handover *written, int fd, struct error *err)
{
	char number[16];
	const char *const words[] = {"chatelaine", "serve", "--config", supervisor->config, NULL};
	char *const *arguments = (char *const *)(uintptr_t)words;

	snprintf(number, sizeof number, "%d", fd);
	setenv(HANDOVER_VARIABLE, number, 1);
	handover_keep_open(written, true);
	if (written->is_return)
		(void)syscall(SYS_execveat, written->old_binary, "", arguments, environ, AT_EMPTY_PATH);
	else
		execve(written->binary, arguments, environ);
	(void)error_fail_errno(err, "cannot become %s", written->is_return ? "the version before" : written->binary);
	handover_keep_open(written, false);
	unsetenv(HANDOVER_VARIABLE);
}

/* Only comes back when it could not be done. */
static void become(struct supervisor *supervisor, const char *why, struct error *err)
{
	int fd = -1;

	if (write_down(supervisor, why, &fd, err) != OK)
		return;
	service_notice("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)supervisor_now(supervisor));
	resolver_post_kill(&supervisor->resolver); /* it is nobody's kin: the other one starts its own */
	execute(supervisor, supervisor->upgrade.written, fd, err);
	close(fd);
}

/* Proving ------------------------------------------------------------------------- */

static void on_proving(struct source *source)
{
	struct upgrade *upgrade = OWNER_OF(source, struct upgrade, orders);
	struct order order;
	int fd;

	while (order_receive(source->fd, &order, &fd) == OK) {
		if (order.verb == ORDER_READY && order.number == HANDOVER_LAYOUT)
			upgrade->is_proved = true;
		if (order.verb == ORDER_BUNDLE && order.number == PREPARATION_REPORT && fd >= 0 && upgrade->report < 0)
			upgrade->report = fd;
		else if (fd >= 0)
			close(fd);
	}
}

static void forget_proof(struct upgrade *upgrade)
{
	if (upgrade->report >= 0)
		close(upgrade->report);
	upgrade->report = -1;
	upgrade->is_proved = false;
}

static void refuse(struct supervisor *supervisor, const char *why)
{
	struct upgrade *upgrade = &supervisor->upgrade;

	log_say(LOG_ERROR, "upgrade", "%s; version " VERSION " goes on", why);
	upgrade->step = UPGRADE_NONE;
	if (upgrade->plan >= 0)
		close(upgrade->plan);
	upgrade->plan = -1;
	reload_answer_upgrade(supervisor, why, upgrade->report);
	forget_proof(upgrade);
}

static enum status start_proof(struct supervisor *supervisor, struct error *err)
{
	struct upgrade *upgrade = &supervisor->upgrade;
	const char *const words[] = {supervisor->config, NULL};
	struct sandbox_user ourselves = {getuid(), getgid()};
	enum status status;
	int handover;

	if (upgrade->old_binary < 0)
		upgrade->old_binary = open("/proc/self/exe", O_RDONLY | O_CLOEXEC);
	if (upgrade->old_binary < 0)
		return error_fail_errno(err, "cannot keep the present version open to return to");
	upgrade->plan = -1;
	upgrade->plan_size = 0;
	status = write_down(supervisor, NULL, &handover, err);
	if (status != OK)
		return status;
	upgrade->child.binary = upgrade->binary;
	status = child_start(&upgrade->child, &handover, 1, ourselves, words, err);
	close(handover);
	if (status != OK)
		return status;
	upgrade->orders = (struct source){.fd = upgrade->child.orders, .on_ready = on_proving};
	list_init(&upgrade->orders.again);
	return loop_add(supervisor->loop, &upgrade->orders, err);
}

void upgrade_begin(struct supervisor *supervisor)
{
	struct upgrade *upgrade = &supervisor->upgrade;
	struct error err;

	upgrade->is_wanted = false;
	upgrade->step = UPGRADE_PROVES;
	log_say(LOG_INFO, "upgrade", "from version " VERSION " to %s", upgrade->binary);
	if (start_proof(supervisor, &err) != OK)
		refuse(supervisor, err.text);
}

void upgrade_want(struct supervisor *supervisor)
{
	if (!supervisor->is_up || supervisor->is_stopping || supervisor->upgrade.step != UPGRADE_NONE)
		return;
	supervisor->upgrade.is_wanted = true;
	if (supervisor->reload.step == RELOAD_NONE)
		reload_yield(supervisor);
}

bool upgrade_reaped(struct supervisor *supervisor, pid_t pid, int wait_status)
{
	struct upgrade *upgrade = &supervisor->upgrade;
	struct error err;

	if (pid == 0 || pid != upgrade->child.pid)
		return false;
	on_proving(&upgrade->orders);
	loop_remove(supervisor->loop, &upgrade->orders);
	child_gone(&upgrade->child, supervisor_now(supervisor));
	if (supervisor->is_stopping)
		return true;
	if (wait_status != 0 || !upgrade->is_proved) {
		(void)error_refuse(&err, upgrade->report >= 0 ? "%s finds the configuration wrong"
							      : "%s is no version that can take over here (see above)", upgrade->binary);
		refuse(supervisor, err.text);
		return true;
	}
	become(supervisor, NULL, &err);
	refuse(supervisor, err.text);
	return true;
}

int upgrade_role(int argc, char **argv)
{
	static struct handover handover;
	struct role_start start;
	struct buffer weaker;
	struct error err = {""};
	int outcome;

	buffer_init(&weaker, 512);

	if (role_start_parse(argc, argv, &start, &err) != OK || !start.word ||
	    handover_read(FD_BUNDLE, start.supervisor, &handover, &err) != OK || crypto_start(&err) != OK ||
	    sandbox_tie(start.supervisor, &err) != OK || sandbox_check(&weaker, &err) != OK) {
		fprintf(stderr, "chatelaine: %s\n", err.text);
		return 2;
	}
	outcome = preparation_report(start.word, false);
	if (outcome == 0 && order_send(FD_ORDERS, (struct order){ORDER_READY, HANDOVER_LAYOUT}, -1) != OK)
		return 1;
	return outcome;
}

/* Taking over ---------------------------------------------------------------------- */

static void go_back(struct supervisor *supervisor, const char *why)
{
	struct error err;

	log_say(LOG_ERROR, "upgrade", "%s; going back to version %s", why, supervisor->upgrade.version_before);
	generation_abandon(supervisor);
	become(supervisor, why, &err);
	log_say(LOG_ERROR, "upgrade", "%s; going on as version " VERSION, err.text);
	supervisor->upgrade.step = UPGRADE_NONE;
}

/* Nothing of it was touched, and what we hold is half of it: what was handed over goes back as it came. */
static void give_back(const struct supervisor *supervisor, struct handover *handover, const char *why)
{
	struct error err;
	int fd;

	if (handover->is_return) {
		log_say(LOG_ERROR, "upgrade", "%s; neither version can go on: everything ends", why);
		return;
	}
	log_say(LOG_ERROR, "upgrade", "%s; going back to version %s", why, handover->version);
	handover->is_return = true;
	snprintf(handover->why, sizeof handover->why, "%s", why);
	snprintf(handover->version, sizeof handover->version, "%s", VERSION);
	if (handover_write(handover, &fd, &err) == OK)
		execute(supervisor, handover, fd, &err);
	log_say(LOG_ERROR, "upgrade", "%s; everything ends", err.text);
}

static enum status take_memories(struct supervisor *supervisor, const struct handover *from, struct error *err)
{
	enum status status;

	if (!handover_has_our_shapes(from)) {
		log_say(LOG_INFO, "upgrade", "shared memory has another shape: counters and sessions begin anew");
		return supervisor_make_memories(supervisor, err);
	}
	TRY(scoreboard_open(from->scoreboard, &supervisor->board, err));
	scoreboard_keep_fd(supervisor->board, from->scoreboard);
	TRY(session_store_open(from->sessions, &supervisor->sessions, err));
	session_store_keep_fd(supervisor->sessions, from->sessions);
	TRY(meter_open(from->meter, &supervisor->meter, err));
	meter_keep_fd(supervisor->meter, from->meter);
	if (scoreboard_slots(supervisor->board) != PARTS_MOST + 1)
		return error_refuse(err, "the scoreboard has %u places", scoreboard_slots(supervisor->board));
done:
	return status;
}

/* Of our own kind it is the plan; of another we know what is written down beside it. */
static void take_plan(struct supervisor *supervisor, const struct handover *from)
{
	struct plan *plan = &supervisor->now.plan;

	if (from->plan_size != sizeof *plan || pread(from->plan, plan, sizeof *plan, 0) != (ssize_t)sizeof *plan ||
	    plan->size != sizeof *plan)
		memset(plan, 0, sizeof *plan);
	snprintf(plan->state, sizeof plan->state, "%s", from->state);
	plan->gateway = from->gateway;
	plan->authority = from->authority;
	plan->resolver = from->resolver;
	plan->workers = from->workers;
	plan->drain_seconds = from->drain_seconds;
	plan->stop_seconds = from->stop_seconds;
	supervisor->now.bundle = from->bundle;
	supervisor->now.targets = from->targets;
	supervisor->now.number = supervisor->reload.number = from->number;
}

static enum status take_parts(struct supervisor *supervisor, const struct handover *from, struct error *err)
{
	enum status status;
	uint32_t i;

	for (i = 0; i < from->part_count; i++) {
		const struct handover_part *one = &from->parts[i];
		struct part *part = one->slot < PARTS_MOST ? &supervisor->parts[one->slot] : NULL;

		if (!part || one->duty > DUTY_DRAINS || one->state > CHILD_READY)
			return error_refuse(err, "part %u of the handover is of no known kind", one->slot);
		*part = (struct part){.child = {.role = one->slot == AUTHORITY ? "authority" : "gateway",
						.slot = one->slot,
						.state = (enum child_state)one->state,
						.pid = one->pid,
						.orders = one->orders,
						.started = one->started,
						.alive_at = supervisor_now(supervisor)},
				      .supervisor = supervisor,
				      .duty = (enum duty)one->duty,
				      .generation = one->generation,
				      .took = one->took,
				      .joined = one->joined,
				      .end_by = one->end_by};
		if (part->child.pid) {
			status = part_listen(part, err);
			if (status != OK)
				return status;
		}
	}
	return OK;
}

static enum status take_over(struct supervisor *supervisor, const struct handover *from, struct error *err)
{
	struct upgrade *upgrade = &supervisor->upgrade;
	enum status status;
	uint32_t i;

	snprintf(upgrade->binary, sizeof upgrade->binary, "%s", from->binary);
	snprintf(upgrade->version_before, sizeof upgrade->version_before, "%s", from->version);
	upgrade->old_binary = from->old_binary;
	upgrade->plan = from->plan;
	upgrade->plan_size = from->plan_size;
	take_plan(supervisor, from);
	supervisor->commands = from->commands;
	supervisor->access = from->access;
	supervisor->generation = from->generation;
	supervisor->joins = from->joins;
	for (i = 0; i < from->socket_count; i++) {
		supervisor->sockets.listen[i] = from->listen[i];
		supervisor->sockets.fds[i] = from->sockets[i];
		supervisor->sockets.count++;
	}
	TRY(take_memories(supervisor, from, err));
	TRY(take_parts(supervisor, from, err));
	supervisor->is_up = true;
done:
	return status;
}

/* We are the version that nothing went wrong with, again. */
static void be_back(struct supervisor *supervisor, const struct handover *from)
{
	log_say(LOG_ERROR, "upgrade", "version %s did not come up: %s; version " VERSION " goes on", from->version, from->why);
	supervisor->upgrade.step = UPGRADE_NONE;
	close(supervisor->upgrade.old_binary);
	supervisor->upgrade.old_binary = -1;
	service_notice("READY=1\nMAINPID=%d\nSTATUS=version " VERSION " goes on; see the log", (int)getpid());
	supervisor_use_targets(supervisor, &supervisor->now);
	watch_files(supervisor->watch, &supervisor->now.plan);
	if (supervisor->upgrade.plan >= 0)
		close(supervisor->upgrade.plan);
	supervisor->upgrade.plan = -1;
	reload_want(supervisor); /* what changed meanwhile was the other one's to see */
}

bool upgrade_resume(struct supervisor *supervisor)
{
	static struct handover handover;
	const char *number = getenv(HANDOVER_VARIABLE);
	struct error err;
	int fd;

	if (!number)
		return false;
	fd = (int)strtol(number, NULL, 10);
	unsetenv(HANDOVER_VARIABLE);
	if (handover_read(fd, getpid(), &handover, &err) != OK) {
		log_say(LOG_WARNING, "upgrade", "%s", err.text);
		return false;
	}
	close(fd);
	handover_keep_open(&handover, false);
	if (take_over(supervisor, &handover, &err) != OK) {
		give_back(supervisor, &handover, err.text);
		exit(70);
	}
	/* The authority of another version has to go either way. */
	supervisor->upgrade.is_replaced = supervisor->parts[AUTHORITY].child.pid == 0;
	(void)part_order(&supervisor->parts[AUTHORITY], (struct order){ORDER_STOP, 0}, -1);
	if (handover.is_return) {
		be_back(supervisor, &handover);
	} else {
		log_say(LOG_INFO, "upgrade", "version " VERSION " takes over from %s", handover.version);
		supervisor->upgrade.step = UPGRADE_AUTHORITY;
		supervisor->upgrade.give_up_at = supervisor_now(supervisor) + SECONDS(AUTHORITY_SECONDS);
	}
	return true;
}

void upgrade_on_ready(struct part *part)
{
	struct supervisor *supervisor = part->supervisor;
	struct upgrade *upgrade = &supervisor->upgrade;

	/* One who was starting at the exec may say so late: ours is younger. */
	if (upgrade->step != UPGRADE_AUTHORITY || part_is_gateway(part) || !upgrade->is_replaced)
		return;
	upgrade->step = UPGRADE_GATEWAYS;
	supervisor->reload.is_anew = true;
	reload_want(supervisor);
}

bool upgrade_asked_for_end(const struct part *part)
{
	const struct upgrade *upgrade = &part->supervisor->upgrade;

	return upgrade->step == UPGRADE_AUTHORITY && !part_is_gateway(part) && !upgrade->is_replaced;
}

void upgrade_on_gone(struct part *part)
{
	struct upgrade *upgrade = &part->supervisor->upgrade;

	if (upgrade->step != UPGRADE_AUTHORITY || part_is_gateway(part))
		return;
	if (upgrade->is_replaced)
		go_back(part->supervisor, "its authority does not start");
	upgrade->is_replaced = true;
}

bool upgrade_on_reloaded(struct supervisor *supervisor, bool is_good, const char *why)
{
	struct upgrade *upgrade = &supervisor->upgrade;
	char sentence[500];

	if (upgrade->step != UPGRADE_GATEWAYS)
		return false;
	if (!is_good) {
		snprintf(sentence, sizeof sentence, "%.*s", why ? (int)strcspn(why, "\n") : 0, why ? why : "");
		go_back(supervisor, sentence[0] ? sentence : "its gateways do not start");
		return true;
	}
	upgrade->step = UPGRADE_NONE;
	close(upgrade->old_binary);
	if (upgrade->plan >= 0)
		close(upgrade->plan);
	upgrade->old_binary = upgrade->plan = -1;
	service_notice("MAINPID=%d\nSTATUS=version " VERSION " serves", (int)getpid());
	log_say(LOG_INFO, "upgrade", "version " VERSION " serves; gateways of version %s drain", upgrade->version_before);
	return true;
}

void upgrade_look(struct supervisor *supervisor)
{
	struct upgrade *upgrade = &supervisor->upgrade;
	int64_t now = supervisor_now(supervisor);

	/* Without a process it is reaped and all is stopping; and pid 0 would be everybody. */
	if (upgrade->step == UPGRADE_PROVES && upgrade->child.pid && now > upgrade->child.started + SECONDS(PROVE_SECONDS))
		kill(upgrade->child.pid, SIGKILL);
	else if (upgrade->step == UPGRADE_AUTHORITY && now > upgrade->give_up_at)
		go_back(supervisor, "its authority is not ready in time");
}
