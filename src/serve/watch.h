/*
 * watch - files that may change under us: certificates, allow-files, the
 * config. Their folders are watched (a rename replaces the file, not its
 * bytes); `on_change` comes once, after a second of quiet, or a quarter of it
 * when only files changed that stand alone. The hourly look covers file
 * systems that tell nothing (inotify(7)).
 */
#ifndef SERVE_WATCH_H
#define SERVE_WATCH_H

#include "event/loop.h"
#include "serve/plan.h"

struct watch;

MUST_CHECK enum status watch_new(struct loop *loop, void (*on_change)(void *arg), void *arg, struct watch **out, struct error *err);
/* These files from now on, in place of those before. A folder that cannot be watched is logged; the hourly look remains. */
void watch_files(struct watch *watch, const struct plan *plan);
void watch_free(struct watch *watch); /* NULL is fine */

#endif
