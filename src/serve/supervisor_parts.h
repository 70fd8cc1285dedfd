/*
 * supervisor_parts - what the supervisor is made of; for supervisor.c and its neighbours:
 *   part.c        one process: started, spoken to, watched, ended
 *   generation.c  gateways of one plan: how they come, serve and drain
 *   reload.c      from changed files to gateways that use them, or to a refusal
 *   upgrade.c     from this version of the program to another, in the same process
 */
#ifndef SERVE_SUPERVISOR_PARTS_H
#define SERVE_SUPERVISOR_PARTS_H

#include "event/loop.h"
#include "event/timer.h"
#include "serve/child.h"
#include "serve/order.h"
#include "serve/preparation.h"
#include "serve/resolver_post.h"
#include "serve/sockets.h"
#include "shm/scoreboard.h"

struct meter;
struct session_store;
struct watch;

/* A part's place is its slot of the scoreboard: the authority 0, gateways from 1 on. */
enum {
	AUTHORITY = 0,
	GATEWAY_FIRST = 1,
	PARTS_MOST = SCOREBOARD_SLOTS_MOST - 1,
	RESOLVER = PARTS_MOST, /* the last slot; it is no part, see resolver_post.h */
	DRAINING_MOST = 4, /* generations; the oldest is ended for a fifth */
};

enum duty {
	DUTY_NONE,   /* nobody's place */
	DUTY_COMES,  /* of the generation that is to serve next; its end is the end of the reload */
	DUTY_SERVES, /* started again when it ends */
	DUTY_DRAINS, /* has a successor: holds what it had, and its end is the end of it */
};

struct part {
	struct child child;
	struct source orders;
	struct supervisor *supervisor;
	enum duty duty;
	uint32_t generation; /* gateways: of which plan; the larger the later */
	uint32_t took;       /* gateways: the number of the files in use */
	uint32_t joined;     /* gateways: its number at the authority; 0: it has no way to it */
	uint32_t resolver;   /* gateways: which resolver it has a way to; 0: none */
	unsigned heard;      /* orders in this second */
	bool is_deaf;        /* its end of the orders is closed: it ends, or it should */
	int64_t end_by;      /* DUTY_DRAINS: killed then */
};

enum reload_step {
	RELOAD_NONE,
	RELOAD_YIELDS, /* to an upgrade */
	RELOAD_READS,  /* a check is under way */
	RELOAD_SWAPS,  /* the serving gateways were told to take `next` */
	RELOAD_WAITS,  /* for places that draining gateways still hold */
	RELOAD_STARTS, /* gateways for `next` are starting */
};

struct reload {
	enum reload_step step;
	struct preparation preparation;
	struct prepared next;   /* from RELOAD_SWAPS on */
	struct sockets sockets; /* of `next`; shares descriptors with the present ones */
	uint32_t number;        /* of the latest files, for ORDER_BUNDLE */
	uint32_t asked, covers; /* requests of ORDER_RELOAD: the latest; the latest that this reload answers */
	unsigned tries;         /* in a row that ended because a part did, whatever the reason */
	bool is_anew;           /* new gateways, whatever has changed: they are of another version */
	bool wants_again;       /* files changed, or somebody asked, meanwhile */
	int64_t give_up_at;     /* mono; while it swaps or waits */
	int access;             /* the access log's file of `next`, if it is another one; or -1 */
};

enum upgrade_step {
	UPGRADE_NONE,
	UPGRADE_PROVES,    /* the other version looks whether it could */
	UPGRADE_AUTHORITY, /* we are it: our authority starts */
	UPGRADE_GATEWAYS,  /* our gateways start */
};

struct handover;

struct upgrade {
	enum upgrade_step step;
	struct child child; /* the proof */
	struct source orders;
	char binary[PATH_MAX]; /* where we were started from: what stands there is the other version */
	char version_before[32];
	int old_binary, report;
	int plan;           /* of the version before, as it was handed over; -1 */
	uint32_t plan_size; /* 0: our own */
	const struct handover *written;
	bool is_wanted, is_proved;
	bool is_replaced;   /* UPGRADE_AUTHORITY: the one before has ended */
	int64_t give_up_at; /* UPGRADE_AUTHORITY */
};

struct supervisor {
	struct loop *loop;
	const char *config;
	struct prepared now;    /* what serves; bundle -1 before the first */
	struct sockets sockets; /* of `now` */
	struct reload reload;
	struct watch *watch;
	struct source signals;
	struct timer second;
	int commands; /* the authority's listening socket */
	int access;   /* the access log's file, or -1 */
	unsigned reopens;  /* of it, in this second */
	bool wants_reopen; /* once more, in the next */
	struct scoreboard *board;
	struct session_store *sessions;
	struct meter *meter;
	struct part parts[PARTS_MOST];
	struct resolver_post resolver;
	struct upgrade upgrade;
	uint32_t generation; /* the latest that was begun */
	int64_t looked_at;   /* mono: the last look after all */
	uint32_t joins;      /* so many numbers were given to gateways */
	bool is_up;          /* every part was ready once: from now on a part that ends is started again */
	bool is_stopping;
	int64_t stop_by;
	int outcome;
};

static inline bool part_is_gateway(const struct part *part)
{
	return part->child.slot >= GATEWAY_FIRST;
}

static inline int64_t supervisor_now(const struct supervisor *supervisor)
{
	return loop_now(supervisor->loop)->mono;
}

/* supervisor.c ------------------------------------------------------------------ */

/* The first plan: sockets, the authority, gateways. NULL: there is none; said already. */
void supervisor_open_house(struct supervisor *supervisor, const struct prepared *prepared);
/* Another file for the access log from now on: takes `fd`, -1 for none, and tells all gateways. */
void supervisor_use_access(struct supervisor *supervisor, int fd);
/* Scoreboard, sessions, meter: new ones. */
MUST_CHECK enum status supervisor_make_memories(struct supervisor *supervisor, struct error *err);
void supervisor_say_ready(const struct supervisor *supervisor);
/* The resolver is for what these files name, from now on. */
void supervisor_use_targets(struct supervisor *supervisor, const struct prepared *prepared);
/* Every part is told to end; what does not is killed in the end. Again: looks whether all are gone. */
void supervisor_stop(struct supervisor *supervisor, int outcome);

/* part.c ------------------------------------------------------------------------ */

/* Starts it with what `prepared` and `sockets` say; its duty is set. On failure it has no process. */
MUST_CHECK enum status part_start(struct part *part, const struct prepared *prepared, const struct sockets *sockets,
				  struct error *err);
/* Its orders are heard from now on; child.orders is set. */
MUST_CHECK enum status part_listen(struct part *part, struct error *err);
/* An order without answer; a part that takes none is ended. False: it was not sent. */
bool part_order(struct part *part, struct order order, int fd);
/* SIGKILL, and why in the log. Nothing when it has no process, or when all is stopping. */
void part_end(struct part *part, const char *why);
/* It was reaped. */
void part_gone(struct part *part, int wait_status);
/* Once a second: is it there, does it move, does it hear us? */
void part_look_after(struct part *part);

/* generation.c ------------------------------------------------------------------ */

/* Starts `prepared->plan.workers` gateways. AGAIN: there are no places; the oldest that drain were told to
 * end, ask again when a part has gone. FAILED: none was started. */
MUST_CHECK enum status generation_begin(struct supervisor *supervisor, const struct prepared *prepared,
					const struct sockets *sockets, struct error *err);
/* All that come are ready. */
bool generation_is_ready(const struct supervisor *supervisor);
/* Those that come open up and serve; those that served drain, under the rules of `now`. */
void generation_take_over(struct supervisor *supervisor);
/* Those that come are ended. */
void generation_abandon(struct supervisor *supervisor);
/* The present files to every gateway that drains: it may not keep what they would refuse. */
void generation_inform_draining(struct supervisor *supervisor);
/* One that drains has had its time. */
bool part_is_overdue(const struct part *part);

/* reload.c ---------------------------------------------------------------------- */

void reload_init(struct supervisor *supervisor);
/* Files may have changed, or somebody asks. Any number of times. */
void reload_want(struct supervisor *supervisor);
/* ORDER_RELOAD from the authority. */
void reload_asked(struct supervisor *supervisor, uint32_t number);
/* What parts say and do that a reload waits for. */
void reload_on_answer(struct part *part, struct order order);
void reload_on_ready(struct part *part);
void reload_on_gone(struct part *part, enum duty was);
/* The upgrade may begin: no reload does until it ends. */
void reload_yield(struct supervisor *supervisor);
/* It was refused: whoever asked hears why, and reloads go on. `report`: complaints about the configuration, or -1. */
void reload_answer_upgrade(struct supervisor *supervisor, const char *why, int report);
/* Once a second. */
void reload_look(struct supervisor *supervisor);
void reload_release(struct supervisor *supervisor);

/* upgrade.c --------------------------------------------------------------------- */

void upgrade_init(struct supervisor *supervisor);
/* Somebody asks; nothing happens while one is under way. */
void upgrade_want(struct supervisor *supervisor);
/* No reload is under way. */
void upgrade_begin(struct supervisor *supervisor);
/* We were another version a moment ago: everything is taken over. False: a start like any other. */
bool upgrade_resume(struct supervisor *supervisor);
bool upgrade_reaped(struct supervisor *supervisor, pid_t pid, int wait_status);
void upgrade_on_ready(struct part *part);
void upgrade_on_gone(struct part *part);
/* It ended because it is of the version before. */
bool upgrade_asked_for_end(const struct part *part);
/* True: the reload was the upgrade's. */
bool upgrade_on_reloaded(struct supervisor *supervisor, bool is_good, const char *why);
void upgrade_look(struct supervisor *supervisor);

#endif
