#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "event/service_notice.h"
#include "serve/access_file.h"
#include "serve/reload_report.h"
#include "serve/supervisor_parts.h"
#include "serve/watch.h"

/*
 * NONE -> READS -> NONE                  refused, or nothing has changed
 *               -> SWAPS -> NONE         in place: every serving gateway says that it took the files; one
 *                                        that does not, and all take those of before back
 *               -> WAITS -> STARTS       new gateways, which take over when all are ready; one that ends
 *                        -> NONE         before that, and all of them go
 */

enum { READ_SECONDS = 120, SWAP_SECONDS = 30, WAIT_SECONDS = 60, START_SECONDS = 120, TRIES_MOST = 3 };

static void begin(struct supervisor *supervisor);

/* An upgrade that waits comes first: its files are read by the other version. */
static void go_on(struct supervisor *supervisor)
{
	if (supervisor->upgrade.is_wanted)
		reload_yield(supervisor);
	else if (supervisor->reload.wants_again)
		reload_want(supervisor);
}

/* The end of one ---------------------------------------------------------------- */

static unsigned count_duty(const struct supervisor *supervisor, enum duty duty)
{
	unsigned count = 0, i;

	for (i = GATEWAY_FIRST; i < PARTS_MOST; i++)
		count += supervisor->parts[i].duty == duty && supervisor->parts[i].child.pid;
	return count;
}

static void tell_authority(struct supervisor *supervisor, struct reload_report *report)
{
	struct reload *reload = &supervisor->reload;
	int fd = reload->covers ? reload_report_pack(report) : -1;

	if (fd < 0)
		return;
	/* An authority that is gone has no askers. */
	(void)part_order(&supervisor->parts[AUTHORITY], (struct order){ORDER_RELOADED, reload->covers}, fd);
	close(fd);
	reload->covers = 0;
}

static void log_outcome(const struct reload_report *report)
{
	static const char *const names[] = {"refused", "nothing-changed", "in-place", "new-gateways"};

	log_begin(report->outcome == RELOADED_REFUSED ? LOG_ERROR : LOG_INFO, "reload");
	log_text("outcome", span_of(names[report->outcome]));
	log_number("gateways", report->gateways);
	log_number("draining", report->draining);
	log_end();
}

/* For status and metrics. */
static void note_reload(struct supervisor *supervisor, enum reload_outcome outcome)
{
	bool is_good = outcome != RELOADED_REFUSED;

	score_house_set(supervisor->board, HOUSE_RELOAD_AT, (uint64_t)clock_seconds());
	score_house_set(supervisor->board, HOUSE_RELOAD_FAILED, !is_good);
	if (outcome != RELOADED_NOTHING)
		score_house_add(supervisor->board, is_good ? HOUSE_GENERATION : HOUSE_RELOADS_FAILED, 1);
}

/* Opened before anything was changed, used when all else is. */
static void use_access(struct supervisor *supervisor, enum reload_outcome outcome)
{
	struct reload *reload = &supervisor->reload;

	if (reload->access >= 0 && outcome != RELOADED_REFUSED)
		supervisor_use_access(supervisor, reload->access);
	else if (reload->access >= 0)
		close(reload->access);
	reload->access = -1;
}

static enum status open_access(struct supervisor *supervisor, const struct plan *plan, struct error *err)
{
	if (!plan->access_log[0] || strcmp(plan->access_log, supervisor->now.plan.access_log) == 0)
		return OK;
	if (supervisor->reload.access >= 0)
		close(supervisor->reload.access);
	supervisor->reload.access = -1;
	return access_file_open(plan->access_log, plan->access_owner, &supervisor->reload.access, err);
}

/* `text` may be NULL: the check's own words, if it had any. */
static void finish(struct supervisor *supervisor, enum reload_outcome outcome, const char *text)
{
	static struct reload_report report;
	struct reload *reload = &supervisor->reload;

	memset(&report, 0, sizeof report);
	report.size = sizeof report;
	report.outcome = outcome;
	report.gateways = count_duty(supervisor, DUTY_SERVES);
	report.draining = count_duty(supervisor, DUTY_DRAINS);
	if (text)
		snprintf(report.text, sizeof report.text, "%s\n", text);
	else if (reload->preparation.report >= 0 &&
		 pread(reload->preparation.report, report.text, sizeof report.text - 1, 0) < 0)
		report.text[0] = 0;
	note_reload(supervisor, outcome);
	use_access(supervisor, outcome);
	if (outcome == RELOADED_REFUSED && reload->next.bundle >= 0)
		supervisor_use_targets(supervisor, &supervisor->now);
	log_outcome(&report);
	service_notice("READY=1\nSTATUS=%u gateways serve%s", report.gateways,
		       outcome == RELOADED_REFUSED ? "; the last reload was refused, see the log" : "");
	tell_authority(supervisor, &report);
	prepared_release(&reload->next);
	reload->step = RELOAD_NONE;
	reload->is_anew = false;
	if (outcome != RELOADED_REFUSED)
		reload->tries = 0;
	if (upgrade_on_reloaded(supervisor, outcome != RELOADED_REFUSED, report.text) && outcome == RELOADED_REFUSED)
		return;
	go_on(supervisor);
}

static void refuse(struct supervisor *supervisor, const char *text)
{
	if (text)
		log_say(LOG_ERROR, "reload", "%s; the configuration before still holds", text);
	finish(supervisor, RELOADED_REFUSED, text);
}

/* A part ended in the middle: that may have been the files' doing, or not. */
static void try_again(struct supervisor *supervisor, const char *why)
{
	struct reload *reload = &supervisor->reload;

	if (++reload->tries >= TRIES_MOST) {
		reload->tries = 0;
		refuse(supervisor, why);
		return;
	}
	log_say(LOG_WARNING, "reload", "%s; tried again", why);
	prepared_release(&reload->next);
	reload->step = RELOAD_NONE;
	begin(supervisor);
}

/* In place ---------------------------------------------------------------------- */

static void send_files(struct part *part, const struct prepared *files)
{
	(void)part_order(part, (struct order){ORDER_BUNDLE, files->number}, files->bundle);
}

static void send_all(struct supervisor *supervisor, struct prepared *files)
{
	unsigned i;

	files->number = ++supervisor->reload.number;
	for (i = GATEWAY_FIRST; i < PARTS_MOST; i++)
		if (supervisor->parts[i].duty == DUTY_SERVES && supervisor->parts[i].child.state == CHILD_READY)
			send_files(&supervisor->parts[i], files);
}

/* One that is starting gets them when it is ready. */
static bool all_took(const struct supervisor *supervisor)
{
	unsigned i;

	for (i = GATEWAY_FIRST; i < PARTS_MOST; i++)
		if (supervisor->parts[i].duty == DUTY_SERVES && supervisor->parts[i].child.state == CHILD_READY &&
		    supervisor->parts[i].took != supervisor->reload.number)
			return false;
	return true;
}

static bool names_other_files(const struct plan *before, const struct plan *after)
{
	unsigned i, j;

	for (i = 0; i < after->watched_count; i++) {
		for (j = 0; j < before->watched_count && strcmp(before->watched[j], after->watched[i]) != 0;)
			j++;
		if (j == before->watched_count)
			return true;
	}
	return false;
}

static void be_present(struct supervisor *supervisor)
{
	struct reload *reload = &supervisor->reload;
	bool is_newly_watched = names_other_files(&supervisor->now.plan, &reload->next.plan);

	prepared_release(&supervisor->now);
	supervisor->now = reload->next;
	reload->next.bundle = reload->next.targets = -1;
	watch_files(supervisor->watch, &supervisor->now.plan);
	/* They were read before they were watched, and may have changed between. */
	reload->wants_again |= is_newly_watched;
}

static void look_at_swap(struct supervisor *supervisor)
{
	if (!all_took(supervisor))
		return;
	be_present(supervisor);
	generation_inform_draining(supervisor);
	finish(supervisor, RELOADED_IN_PLACE, NULL);
}

static void swap(struct supervisor *supervisor)
{
	supervisor->reload.step = RELOAD_SWAPS;
	supervisor->reload.give_up_at = supervisor_now(supervisor) + SECONDS(SWAP_SECONDS);
	send_all(supervisor, &supervisor->reload.next);
	look_at_swap(supervisor);
}

void reload_on_answer(struct part *part, struct order order)
{
	struct supervisor *supervisor = part->supervisor;
	bool is_serving = part->duty == DUTY_SERVES, swaps = supervisor->reload.step == RELOAD_SWAPS;

	/* It may let in nobody by rules that are no more, whatever has come after the files that it does not take. */
	if (order.verb == ORDER_KEPT && part->duty == DUTY_DRAINS)
		(void)part_order(part, (struct order){ORDER_DRAIN, 0}, -1);
	if (order.number != supervisor->reload.number)
		return;
	if (order.verb == ORDER_TOOK) {
		part->took = order.number;
		if (swaps && is_serving)
			look_at_swap(supervisor);
	} else if (swaps && is_serving) {
		send_all(supervisor, &supervisor->now);
		refuse(supervisor, "a gateway cannot use the new files (see the log)");
	} else if (part->duty != DUTY_DRAINS) {
		part_end(part, "it does not take the files that hold");
	}
}

/* Anew -------------------------------------------------------------------------- */

static void abandon(struct supervisor *supervisor)
{
	generation_abandon(supervisor);
	sockets_close_others(&supervisor->reload.sockets, &supervisor->sockets);
}

static void start(struct supervisor *supervisor)
{
	struct reload *reload = &supervisor->reload;
	struct error err;
	enum status status = generation_begin(supervisor, &reload->next, &reload->sockets, &err);

	if (status == AGAIN)
		return;
	if (status != OK) {
		abandon(supervisor);
		refuse(supervisor, err.text);
		return;
	}
	reload->step = RELOAD_STARTS;
	reload->give_up_at = supervisor_now(supervisor) + SECONDS(START_SECONDS);
}

static void start_anew(struct supervisor *supervisor)
{
	struct reload *reload = &supervisor->reload;
	struct error err;

	if (sockets_open(&reload->next.plan, &supervisor->sockets, &reload->sockets, &err) != OK) {
		refuse(supervisor, err.text);
		return;
	}
	reload->next.number = ++reload->number;
	reload->step = RELOAD_WAITS;
	reload->give_up_at = supervisor_now(supervisor) + SECONDS(WAIT_SECONDS);
	start(supervisor);
}

static void take_over(struct supervisor *supervisor)
{
	struct reload *reload = &supervisor->reload;
	struct sockets before = supervisor->sockets;

	be_present(supervisor);
	supervisor->sockets = reload->sockets;
	reload->sockets.count = 0;
	generation_take_over(supervisor);
	sockets_close_others(&before, &supervisor->sockets);
	finish(supervisor, RELOADED_ANEW, NULL);
}

/* The first ones of all: nothing is before them. */
static void look_at_first(struct supervisor *supervisor)
{
	if (!generation_is_ready(supervisor) || supervisor->parts[AUTHORITY].child.state != CHILD_READY)
		return;
	supervisor->is_up = true;
	generation_take_over(supervisor);
	supervisor_say_ready(supervisor);
	supervisor->reload.step = RELOAD_NONE;
	go_on(supervisor);
}

void reload_on_ready(struct part *part)
{
	struct supervisor *supervisor = part->supervisor;
	struct reload *reload = &supervisor->reload;

	const struct prepared *wanted;

	if (supervisor->is_stopping)
		return;
	if (!supervisor->is_up) {
		look_at_first(supervisor);
	} else if (part->duty == DUTY_COMES) {
		if (reload->step == RELOAD_STARTS && generation_is_ready(supervisor))
			take_over(supervisor);
	} else if (part_is_gateway(part) && part->duty == DUTY_SERVES) {
		/* The files before the first client. */
		wanted = reload->step == RELOAD_SWAPS ? &reload->next : &supervisor->now;
		if (part->took != wanted->number)
			send_files(part, wanted);
		(void)part_order(part, (struct order){ORDER_OPEN, 0}, -1);
	}
}

void reload_on_gone(struct part *part, enum duty was)
{
	struct supervisor *supervisor = part->supervisor;
	struct reload *reload = &supervisor->reload;

	if (reload->step == RELOAD_WAITS) {
		start(supervisor);
	} else if (reload->step == RELOAD_STARTS && was == DUTY_COMES) {
		abandon(supervisor);
		try_again(supervisor, "a gateway ended while it started with the new configuration");
	} else if (reload->step == RELOAD_SWAPS && was == DUTY_SERVES && part_is_gateway(part)) {
		send_all(supervisor, &supervisor->now);
		try_again(supervisor, "a gateway ended while it took the new files");
	}
}

void reload_look(struct supervisor *supervisor)
{
	struct reload *reload = &supervisor->reload;
	bool is_late = supervisor_now(supervisor) > reload->give_up_at;

	if (supervisor->is_stopping || !supervisor->is_up)
		return;
	if (reload->step == RELOAD_READS && supervisor_now(supervisor) > reload->preparation.child.started + SECONDS(READ_SECONDS)) {
		log_say(LOG_ERROR, "files", "reading the configuration takes longer than %d s; given up", READ_SECONDS);
		preparation_stop(&reload->preparation);
	} else if (reload->step == RELOAD_SWAPS && is_late) {
		send_all(supervisor, &supervisor->now);
		refuse(supervisor, "the gateways did not take the new files in time");
	} else if ((reload->step == RELOAD_WAITS || reload->step == RELOAD_STARTS) && is_late) {
		abandon(supervisor);
		refuse(supervisor, reload->step == RELOAD_WAITS ? "the old gateways made no room for new ones in time"
								: "the new gateways were not ready in time");
	} else if (reload->step == RELOAD_WAITS) {
		start(supervisor);
	}
}

/* What the files say -------------------------------------------------------------- */

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

static bool needs_new_gateways(const struct plan *before, const struct plan *after)
{
	return before->workers != after->workers || before->listen_count != after->listen_count ||
	       memcmp(before->listen, after->listen, sizeof before->listen) != 0 ||
	       memcmp(before->fixed, after->fixed, sizeof before->fixed) != 0;
}

static void use(struct supervisor *supervisor, const struct prepared *prepared)
{
	struct reload *reload = &supervisor->reload;
	struct error err;

	reload->next = *prepared;
	/* Before any gateway has the files; what was named before stays known for a while. */
	supervisor_use_targets(supervisor, prepared);
	if (strcmp(supervisor->now.plan.state, prepared->plan.state) != 0) {
		refuse(supervisor, "another state folder is another house: stop chatelaine and start it with that one");
	} else if (open_access(supervisor, &prepared->plan, &err) != OK) {
		refuse(supervisor, err.text);
	} else if (reload->is_anew || needs_new_gateways(&supervisor->now.plan, &prepared->plan)) {
		start_anew(supervisor);
	} else if (is_same_memory(supervisor->now.bundle, prepared->bundle)) {
		watch_files(supervisor->watch, &prepared->plan);
		finish(supervisor, RELOADED_NOTHING, NULL);
	} else {
		swap(supervisor);
	}
}

static void on_prepared(struct preparation *preparation, const struct prepared *prepared)
{
	struct supervisor *supervisor = OWNER_OF(preparation, struct supervisor, reload.preparation);
	struct prepared unwanted;

	if (supervisor->is_stopping) {
		if (prepared) {
			unwanted = *prepared;
			prepared_release(&unwanted);
		}
	} else if (supervisor->now.bundle < 0) {
		supervisor->reload.step = RELOAD_STARTS;
		supervisor_open_house(supervisor, prepared);
	} else if (prepared) {
		use(supervisor, prepared);
	} else {
		log_say(LOG_ERROR, "files", "the changed files are not right (see above); the ones before still hold");
		finish(supervisor, RELOADED_REFUSED, NULL);
	}
}

static void begin(struct supervisor *supervisor)
{
	struct reload *reload = &supervisor->reload;
	struct error err;

	reload->wants_again = false;
	if (reload->asked)
		reload->covers = reload->asked;
	reload->asked = 0;
	reload->step = RELOAD_READS;
	if (supervisor->is_up)
		service_notice("RELOADING=1\nMONOTONIC_USEC=%lld", (long long)supervisor_now(supervisor));
	if (preparation_start(&reload->preparation, supervisor->config, &err) == OK)
		return;
	log_say(LOG_ERROR, "files", "%s", err.text);
	reload->step = RELOAD_NONE;
	if (supervisor->is_up)
		finish(supervisor, RELOADED_REFUSED, err.text);
	else
		supervisor_stop(supervisor, 1);
}

void reload_init(struct supervisor *supervisor)
{
	supervisor->reload = (struct reload){.next = {.bundle = -1, .targets = -1}, .access = -1};
	preparation_init(&supervisor->reload.preparation, supervisor->loop, on_prepared);
}

void reload_want(struct supervisor *supervisor)
{
	/* Between two versions: the gateways are of the one before and could not read what ours would pack. */
	if (supervisor->reload.step != RELOAD_NONE || supervisor->is_stopping || supervisor->upgrade.step == UPGRADE_AUTHORITY)
		supervisor->reload.wants_again = true;
	else
		begin(supervisor);
}

void reload_yield(struct supervisor *supervisor)
{
	struct reload *reload = &supervisor->reload;

	if (reload->asked)
		reload->covers = reload->asked;
	reload->asked = 0;
	reload->step = RELOAD_YIELDS;
	upgrade_begin(supervisor);
}

void reload_answer_upgrade(struct supervisor *supervisor, const char *why, int report)
{
	static struct reload_report answer;

	memset(&answer, 0, sizeof answer);
	answer.size = sizeof answer;
	answer.outcome = RELOADED_REFUSED;
	answer.gateways = count_duty(supervisor, DUTY_SERVES);
	if (report < 0 || pread(report, answer.text, sizeof answer.text - 1, 0) <= 0)
		snprintf(answer.text, sizeof answer.text, "%s\n", why);
	tell_authority(supervisor, &answer);
	supervisor->reload.step = RELOAD_NONE;
	go_on(supervisor);
}

void reload_asked(struct supervisor *supervisor, uint32_t number)
{
	supervisor->reload.asked = number;
	reload_want(supervisor);
}

void reload_release(struct supervisor *supervisor)
{
	struct reload *reload = &supervisor->reload;

	sockets_close_others(&reload->sockets, &supervisor->sockets);
	use_access(supervisor, RELOADED_REFUSED);
	prepared_release(&reload->next);
	preparation_release(&reload->preparation);
}
