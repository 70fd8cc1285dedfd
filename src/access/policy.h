/*
 * policy - who may reach which path of one site.
 *
 * A policy is a rule for the site and one for each location under it; which
 * location a path lies in, access/location says. A path that an upstream might
 * read in two ways (a second reading, a location's name in other letters, one
 * slash more or less at its end) must satisfy every rule it might meet. It never changes once made: to reload,
 * make a new one and swap the pointer; only its memory of verdicts by group set
 * changes, and that belongs to the one thread of its worker.
 */
#ifndef ACCESS_POLICY_H
#define ACCESS_POLICY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "access/identity.h"
#include "base/error.h"
#include "base/span.h"

struct allow_file;
struct policy;
struct roster;
struct value_texts;

/* What a request without an accepted certificate meets, laxest last. */
enum no_certificate {
	NO_CERTIFICATE_INHERIT, /* as the site; for a site: explain */
	NO_CERTIFICATE_DROP,    /* handshake refused; sites only */
	NO_CERTIFICATE_EXPLAIN, /* an answer that a person can read */
	NO_CERTIFICATE_WATCH,   /* let pass, and say who would have been refused; `explain` from its end on */
	NO_CERTIFICATE_ALLOW,   /* public */
};

/* "drop", "explain", "watch", "allow". */
bool no_certificate_parse(struct span word, enum no_certificate *out);

/* One rule as the config gives it; everything is borrowed for the call. */
struct rule_options {
	const char *path; /* the location's title, see access/location; NULL for the site */
	enum no_certificate no_certificate;
	int64_t watch_until; /* of WATCH: seconds since 1970; 0: without an end */
	/* What a known device meets whom `who` or the allow-file does not let in: EXPLAIN or WATCH. INHERIT: as the
	 * site says, and if it says nothing WATCH for as long as no_certificate is that. */
	enum no_certificate not_allowed;
	int64_t not_allowed_until;
	/* Groups for whose members nothing is watched: they are refused already. Empty or NULL: inherit. */
	const struct value_texts *enforced;
	/* Group names, "everyone" may be among them; empty or NULL: inherit, for a site everyone. */
	const struct value_texts *who;
	/* Must outlive the policy; NULL: inherit, for a site none. */
	const struct allow_file *allow_file;
	const char *allow_path; /* its name in the config, for the digest */
	/* Networks that requests must come from, and methods they may have; empty or NULL: inherit, for a site any. */
	const struct value_texts *allow_from, *methods;
	uint64_t body_ceiling; /* bytes; 0: inherit, for a site none */
};

enum { POLICY_RULES = 256, POLICY_GROUPS = 64, POLICY_DIGEST_SIZE = 32 };

/* `rules[0]` is the site's. REFUSED: a location twice, one that does not begin with "/" or is not
 * normal, "drop" for a location, too many. */
MUST_CHECK enum status policy_new(const struct rule_options *rules, size_t count, struct policy **out,
				  struct error *err);
void policy_free(struct policy *policy); /* NULL is fine */

enum verdict {
	VERDICT_PASS,
	VERDICT_NOBODY,          /* refused for what identity->who says */
	VERDICT_NOT_ALLOWED,     /* known, but in none of the groups */
	VERDICT_NOT_ON_FILE,     /* known, but the allow-file does not name it */
	VERDICT_FILE_UNREADABLE, /* the allow-file cannot be read: nobody passes */
	VERDICT_NOT_FROM_THERE,  /* not from a network of the rule's allow-from; never only watched */
	VERDICT_METHOD,          /* may come in, but not by this method; never only watched */
};

struct judgement {
	enum verdict verdict;
	bool passes; /* also with another verdict than PASS: under "watch", where it is only remembered */
	const char *location; /* whose rule it was; NULL: the site's own. The policy's */
	const char *methods;  /* of VERDICT_METHOD: "GET, HEAD". The policy's */
	unsigned rule;        /* index of the one that the path met as it goes on: how it is served */
	uint64_t body_ceiling; /* the lowest of those it might meet; 0: none */
};

/* What somebody asks for. */
struct errand {
	struct span path, other; /* the normalised path, its second reading (wire/target) or empty */
	struct span method;
	const uint8_t *from; /* the client's address as base/network has it; NULL: not known */
};

/* Decide. Cannot fail and does not block. `roster` is where group_set is looked up; may be NULL for nobody. `now` is seconds
 * since 1970. Under "watch" a revoked or suspended device is refused all the same, for that was decided already;
 * so is whom a roster that is too old cannot tell from one. */
struct judgement policy_decide(struct policy *policy, const struct errand *errand, const struct identity *who,
			       const struct roster *roster, int64_t now);
/* Whether any rule has an allow-from, so that errand.from is looked at. */
bool policy_asks_address(const struct policy *policy);
/* The first end of a watch behind `now`; 0: none. What passed before may be refused from then on. */
int64_t policy_next_change(const struct policy *policy, int64_t now);
/* Forget the verdicts by group set: the roster is another one, or a group set changed. */
void policy_forget(struct policy *policy);

/* The site's own mode, never INHERIT. */
enum no_certificate policy_mode(const struct policy *policy);
/* Whether any request of the site may need a certificate, so that the handshake must ask for one. */
bool policy_asks(const struct policy *policy);
/* SHA-256 over modes with their ends, who, allow-file, allow-from, methods and locations: equal digests are equal rules, at any time. */
const uint8_t *policy_digest(const struct policy *policy);

#endif
