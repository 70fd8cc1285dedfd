/*
 * preparation - a configuration read, checked whole, and packed, in a process
 * of its own (the role "check"), so that neither a mistake in a file nor a
 * bug in a parser can stop the house that runs.
 *
 * The child proves the configuration by building what gateways build from it
 * (sites, rules, TLS contexts), then sends three descriptors: the plan, the
 * gateways' bundle, the resolver's targets; and its complaints or warnings, one sentence each, which
 * also go to standard error.
 */
#ifndef SERVE_PREPARATION_H
#define SERVE_PREPARATION_H

#include "event/loop.h"
#include "serve/child.h"
#include "serve/plan.h"

enum { PREPARATION_REPORT = 100 }; /* ORDER_BUNDLE's number for the complaints, with or without the rest */

struct prepared {
	struct plan plan;
	int bundle; /* sealed; the holder's, or -1 */
	int targets; /* what the resolver is for (targets.h); the holder's, or -1: nothing */
	uint32_t number; /* the holder's: which files these are, for ORDER_BUNDLE */
};

/* One at a time; embedded in the supervisor. */
struct preparation {
	struct loop *loop;
	struct child child;
	struct source source;
	struct prepared gathered;
	unsigned parts;
	int report; /* of the latest: its complaints or warnings, a sentence a line; or -1 */
	/* Once: prepared is the callee's to take, or NULL: refused (said on standard error). */
	void (*on_done)(struct preparation *, const struct prepared *);
};

void preparation_init(struct preparation *preparation, struct loop *loop,
		      void (*on_done)(struct preparation *, const struct prepared *));
/* REFUSED while one is under way. */
MUST_CHECK enum status preparation_start(struct preparation *preparation, const char *config,
					 struct error *err);
/* The supervisor reaped this pid; true: it was ours. */
bool preparation_reaped(struct preparation *preparation, pid_t pid, int exit_status);
/* It takes too long: on_done will hear NULL. */
void preparation_stop(struct preparation *preparation);
void preparation_release(struct preparation *preparation);
void prepared_release(struct prepared *prepared);

/* The same without a parent, for "config check". `said` gets every mistake when there are any, else what is right
 * but doubtful; a sentence a line; NULL: nobody asks. *err is the first mistake. */
MUST_CHECK enum status preparation_try(const char *config, struct prepared *out, struct buffer *said,
				       struct error *err);
/* What check_role and upgrade_role do: complaints to standard error and to the supervisor. The plan and the files go
 * there too, or nowhere. The exit status. */
int preparation_report(const char *config, bool sends_files);
enum { PREPARATION_SAYS_MOST = 65536 };

#endif
