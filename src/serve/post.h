/*
 * post - what every role on a loop has: the supervisor's orders, the
 * watchdog's word, the log, and an end when told so or left alone.
 */
#ifndef SERVE_POST_H
#define SERVE_POST_H

#include "event/loop.h"
#include "event/timer.h"
#include "serve/child.h"
#include "serve/order.h"

struct log_writer;
struct score_page;
struct scoreboard;

struct post {
	struct loop *loop;
	struct role_start start;
	struct scoreboard *board;
	struct score_page *page;
	struct log_writer *log, *access; /* access: the role's, looked after here; NULL: none */
	struct source orders;
	struct timer pulse; /* a turn at least every two seconds: the watchdog waits for ten */
	/* An order for the role; `fd` is its to close. ORDER_STOP comes here too when the supervisor is gone. */
	void (*on_order)(struct post *, struct order order, int fd);
	void (*on_pulse)(struct post *); /* every two seconds, for figures that nobody else keeps; NULL: nothing */
	uint64_t dropped; /* log lines, as the scoreboard knows */
};

/* Reads the words, opens loop, scoreboard and log; logs as `name`.SLOT. */
MUST_CHECK enum status post_init(struct post *post, const char *name, int argc, char **argv,
				 void (*on_order)(struct post *, struct order, int fd), struct error *err);
/* Tell the supervisor that we serve. */
void post_ready(struct post *post);
void post_release(struct post *post);

#endif
