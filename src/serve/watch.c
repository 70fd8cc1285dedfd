#include "serve/watch.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "base/log.h"
#include "event/timer.h"

struct watch {
	struct loop *loop;
	struct source source;
	struct timer quiet, hourly;
	int64_t latest; /* mono: a change that waits is told by then; 0: none waits */
	void (*on_change)(void *arg);
	void *arg;
	unsigned count;
	char names[PLAN_WATCHED_MOST][NAME_MAX + 1];
	int folders[PLAN_WATCHED_MOST]; /* inotify's numbers; several names may share one */
	bool is_alone[PLAN_WATCHED_MOST];
	bool is_slow; /* one that waits does not stand alone */
};

static bool is_watched(struct watch *watch, const struct inotify_event *event)
{
	unsigned i;

	for (i = 0; i < watch->count; i++)
		if (watch->folders[i] == event->wd && strcmp(watch->names[i], event->name) == 0) {
			watch->is_slow |= !watch->is_alone[i];
			return true;
		}
	return false;
}

/* A key and its certificate change one after the other: wait until nothing moves, but not for ever, for the
 * line of a lost device may have gone from a list meanwhile. */
static void wait_for_quiet(struct watch *watch)
{
	int64_t now = loop_now(watch->loop)->mono;
	int64_t due = now + (watch->is_slow ? SECONDS(1) : MILLISECONDS(250));

	if (watch->latest == 0)
		watch->latest = now + SECONDS(3);
	timer_set(loop_timers(watch->loop), &watch->quiet, due < watch->latest ? due : watch->latest);
}

static void on_ready(struct source *source)
{
	struct watch *watch = OWNER_OF(source, struct watch, source);
	union {
		char room[8192];
		struct inotify_event aligned;
	} events;
	bool changed = false;
	ssize_t got;

	while ((got = read(source->fd, events.room, sizeof events.room)) > 0) {
		ssize_t at = 0;

		while (at < got) {
			const struct inotify_event *event = (const void *)(events.room + at);

			watch->is_slow |= (event->mask & IN_Q_OVERFLOW) != 0;
			changed |= event->mask & IN_Q_OVERFLOW || (event->len && is_watched(watch, event));
			at += (ssize_t)(sizeof *event + event->len);
		}
	}
	if (changed)
		wait_for_quiet(watch);
}

static void on_quiet(struct timer *timer)
{
	struct watch *watch = OWNER_OF(timer, struct watch, quiet);

	watch->latest = 0;
	watch->is_slow = false;
	watch->on_change(watch->arg);
}

static void on_hour(struct timer *timer)
{
	struct watch *watch = OWNER_OF(timer, struct watch, hourly);

	timer_set(loop_timers(watch->loop), timer, loop_now(watch->loop)->mono + SECONDS(3600));
	watch->on_change(watch->arg);
}

enum status watch_new(struct loop *loop, void (*on_change)(void *arg), void *arg, struct watch **out,
		      struct error *err)
{
	struct watch *watch = calloc(1, sizeof *watch);
	enum status status;

	if (!watch)
		return error_fail(err, "no memory to watch files");
	*watch = (struct watch){.loop = loop, .on_change = on_change, .arg = arg};
	timer_init(&watch->quiet, on_quiet);
	timer_init(&watch->hourly, on_hour);
	timer_set(loop_timers(loop), &watch->hourly, loop_now(loop)->mono + SECONDS(3600));
	watch->source = (struct source){.fd = inotify_init1(IN_NONBLOCK | IN_CLOEXEC), .on_ready = on_ready};
	list_init(&watch->source.again);
	if (watch->source.fd < 0)
		status = error_fail_errno(err, "cannot watch files");
	else
		status = loop_add(loop, &watch->source, err);
	if (status == OK)
		*out = watch;
	else
		watch_free(watch);
	return status;
}

static void add_file(struct watch *watch, const char *path, bool is_alone)
{
	const char *slash = strrchr(path, '/');
	char folder[PATH_MAX];

	if (!slash || strlen(slash + 1) > NAME_MAX)
		return;
	snprintf(folder, sizeof folder, "%.*s", slash == path ? 1 : (int)(slash - path), path);
	snprintf(watch->names[watch->count], sizeof watch->names[0], "%s", slash + 1);
	watch->is_alone[watch->count] = is_alone;
	watch->folders[watch->count] =
		inotify_add_watch(watch->source.fd, folder,
				  IN_CLOSE_WRITE | IN_MOVED_TO | IN_MOVED_FROM | IN_CREATE | IN_DELETE |
					  IN_ATTRIB);
	if (watch->folders[watch->count] < 0)
		log_say(LOG_WARNING, "watch", "cannot watch folder %s: %s; changes are seen within an hour",
			folder, strerror(errno));
	else
		watch->count++;
}

void watch_files(struct watch *watch, const struct plan *plan)
{
	unsigned i;

	/* The folders of before stay watched: they cost nothing, and their names are gone. */
	watch->count = 0;
	for (i = 0; i < plan->watched_count; i++)
		add_file(watch, plan->watched[i], plan->is_alone[i]);
}

void watch_free(struct watch *watch)
{
	if (!watch)
		return;
	timer_stop(&watch->quiet);
	timer_stop(&watch->hourly);
	if (watch->source.fd >= 0) {
		loop_remove(watch->loop, &watch->source);
		close(watch->source.fd);
	}
	free(watch);
}
