#include "serve/watch_report.h"

#include <jansson.h>

#include "base/encode.h"
#include "base/log.h"
#include "bridge/ask.h"
#include "door/client_kind.h"
#include "door/tally.h"
#include "event/loop.h"

enum { ROWS_A_TIME = 128, ASK_MS = 5000, FIRST_SECONDS = 1, EACH_SECONDS = 60, AGAIN_SECONDS = 5 };

static void set(struct watch_report *report, int64_t due)
{
	timer_set(loop_timers(report->loop), &report->timer, due);
}

static int64_t now(const struct watch_report *report)
{
	return loop_now(report->loop)->mono;
}

static void on_first(void *arg)
{
	struct watch_report *report = arg;
	int64_t soon = now(report) + SECONDS(FIRST_SECONDS), next = report->last + SECONDS(EACH_SECONDS);

	if (!report->is_asking && !timer_is_set(&report->timer))
		set(report, report->last && next > soon ? next : soon);
}

static json_t *words_of(const struct tally_row *row)
{
	json_t *words = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:I, s:I}", "site", row->site, "location",
				  row->location, "path", row->path, "address", row->source, "client",
				  client_kind_at(row->client_kind)->name, "code", row->code, "times",
				  (json_int_t)row->count, "first", (json_int_t)row->first, "last",
				  (json_int_t)row->last);
	char device[33];

	if (row->has_device) {
		hex_write(row->device, sizeof row->device, device);
		json_object_set_new(words, "device", json_string(device));
	}
	return words;
}

static void tell_some(struct watch_report *report);

static void on_told(void *arg, enum status status, const json_t *words, int fd, const struct error *err)
{
	struct watch_report *report = arg;

	(void)words;
	(void)fd;
	report->is_asking = false;
	if (report->is_stopped)
		return;
	if (status != OK)
		log_say(LOG_WARNING, "watched", "%s", err->text);
	/* What was refused would be refused again, for ever. */
	tally_told(report->tally, status == OK || status == REFUSED);
	if (status == OK || status == REFUSED) {
		tell_some(report);
		return;
	}
	(void)tally_end(report->tally);
	set(report, now(report) + SECONDS(AGAIN_SECONDS));
}

static void end_report(struct watch_report *report)
{
	report->last = now(report);
	if (tally_end(report->tally))
		set(report, report->last + SECONDS(EACH_SECONDS));
}

static void tell_some(struct watch_report *report)
{
	static struct tally_row rows[ROWS_A_TIME]; /* too large for the stack; one report a process */
	struct question question = {.name = "watched", .fd = -1};
	uint64_t uncounted = tally_take_uncounted(report->tally);
	size_t count = tally_take(report->tally, rows, ROWS_A_TIME), i;
	json_t *list;

	if (count == 0 && uncounted == 0) {
		end_report(report);
		return;
	}
	list = json_array();
	for (i = 0; i < count; i++)
		json_array_append_new(list, words_of(&rows[i]));
	question.words = json_pack("{s:o, s:I}", "rows", list, "uncounted", (json_int_t)uncounted);
	report->is_asking = true;
	if (ask(*report->authority, question, ASK_MS, on_told, report, NULL) == OK)
		return;
	report->is_asking = false;
	tally_told(report->tally, false);
	(void)tally_end(report->tally);
	set(report, now(report) + SECONDS(AGAIN_SECONDS));
}

static void on_due(struct timer *timer)
{
	struct watch_report *report = OWNER_OF(timer, struct watch_report, timer);

	if (!*report->authority) {
		set(report, now(report) + SECONDS(AGAIN_SECONDS));
		return;
	}
	tally_begin(report->tally);
	tell_some(report);
}

void watch_report_start(struct watch_report *report, struct loop *loop, struct tally *tally,
			struct channel *const *authority)
{
	*report = (struct watch_report){.loop = loop, .tally = tally, .authority = authority};
	timer_init(&report->timer, on_due);
	tally_on_first(tally, on_first, report);
}

void watch_report_hurry(struct watch_report *report)
{
	if (!timer_is_set(&report->timer) || report->is_asking)
		return;
	timer_stop(&report->timer);
	on_due(&report->timer);
}

void watch_report_stop(struct watch_report *report)
{
	report->is_stopped = true;
	if (!report->tally)
		return;
	timer_stop(&report->timer);
	tally_on_first(report->tally, NULL, NULL);
}
