/*
 * resolver_post - the supervisor's care for the resolver: it is there while
 * an upstream is a name or a Unix socket, is started again when it ends, and
 * each gateway has a way to it. The house opens and goes on without it; what
 * needs it waits.
 */
#ifndef SERVE_RESOLVER_POST_H
#define SERVE_RESOLVER_POST_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "event/loop.h"
#include "event/timer.h"
#include "serve/child.h"
#include "serve/sandbox.h"

/* Embedded in the supervisor. */
struct resolver_post {
	struct child child;
	struct source orders;
	struct loop *loop;
	struct timer second;
	void (*on_started)(void *arg); /* a new one: the gateways have no way to it yet */
	void *arg;
	struct sandbox_user user;
	int scoreboard, targets; /* targets: ours; -1: none is needed */
	uint32_t starts;         /* the number of this one; 0: never */
	unsigned heard;
	bool is_deaf, is_stopping;
};

void resolver_post_init(struct resolver_post *post, struct loop *loop, void (*on_started)(void *), void *arg);
/* What it is for from now on; `targets` is the post's to close; -1: nothing, and it ends. `slot`: its page. */
void resolver_post_use(struct resolver_post *post, int scoreboard, uint32_t slot, struct sandbox_user user, int targets);
/* A way between it and this gateway, unless `*joined` says that there is one; sets it. */
void resolver_post_join(struct resolver_post *post, const struct child *gateway, uint32_t *joined);
/* The supervisor reaped this pid; true: it was ours. */
bool resolver_post_reaped(struct resolver_post *post, pid_t pid, int wait_status);
/* For good. */
void resolver_post_stop(struct resolver_post *post);
void resolver_post_kill(const struct resolver_post *post);
bool resolver_post_is_gone(const struct resolver_post *post);
/* Our process was away: its silence meanwhile is forgiven. */
void resolver_post_forgive(struct resolver_post *post);
void resolver_post_release(struct resolver_post *post);

#endif
