/*
 * name_asker - getaddrinfo(3) in a process of its own, because it blocks for
 * as long as it likes, and because it reads what strangers answer.
 *
 * A child of the resolver, made by fork before the resolver has a sandbox, and
 * gone with it. It has one pipe, a line a name and a line back, and may read
 * what /etc says of names and speak to name servers; nothing else. One name
 * at a time.
 */
#ifndef SERVE_NAME_ASKER_H
#define SERVE_NAME_ASKER_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"
#include "base/error.h"
#include "event/loop.h"
#include "relay/upstream.h"
#include "serve/sandbox.h"

struct name_answer {
	const char *host;
	struct address addresses[UPSTREAM_ADDRESSES]; /* without ports */
	size_t count;      /* 0: none, see trouble */
	const char *trouble; /* "Name or service not known" */
};

/* Embedded in its owner. */
struct name_asker {
	struct source source;
	struct loop *loop;
	void (*on_answer)(void *arg, const struct name_answer *answer);
	void (*on_gone)(void *arg); /* it has ended: nobody answers any more */
	void *arg;
	bool is_asking;
	size_t size;
	char line[4096];
};

/* Forks: call with nothing open that the child may not have. The callbacks are the owner's to set. */
MUST_CHECK enum status name_asker_start(struct name_asker *asker, struct loop *loop, struct sandbox_user user,
					struct error *err);
/* Not while it is asking. `host` is a folded name. */
void name_asker_ask(struct name_asker *asker, const char *host);

#endif
