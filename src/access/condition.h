/*
 * condition - what a rule asks of a request beside who sends it: from which
 * networks it comes, and by which method. Part of a rule (access/policy).
 */
#ifndef ACCESS_CONDITION_H
#define ACCESS_CONDITION_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/network.h"
#include "base/span.h"

struct buffer;
struct value_texts;

enum { CONDITION_NETWORKS = 1024, CONDITION_METHODS = 16 };

struct condition {
	struct network *networks;
	size_t network_count; /* 0: from anywhere */
	char *methods;        /* "GET, HEAD, POST", as Allow says it; NULL: any */
};

/* What is empty or NULL is as in `site`; that is NULL for the site's own. Release it also after REFUSED. */
MUST_CHECK enum status condition_set(struct condition *condition, const struct value_texts *from,
				     const struct value_texts *methods, const struct condition *site,
				     struct error *err);
void condition_release(struct condition *condition);
/* `address` as network_bytes has it; NULL: not known, and then only a rule without networks is content. */
bool condition_holds_from(const struct condition *condition, const uint8_t *address);
bool condition_takes(const struct condition *condition, struct span method);
/* All of it, for the digest of the rules. */
void condition_write(const struct condition *condition, struct buffer *out);

#endif
