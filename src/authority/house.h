/*
 * house - the making of a state folder: registry, root, issuing and next
 * issuing certificate, keys, tokens. All or nothing: what is left behind by a
 * crash in the middle is cleared away by the next house_init.
 *
 * STATE/ (0700; made by root for another user: root's, of his group, 1770, so that he can make files there but not
 * take root's away): registry.db; revoked.list, which holds even when an older registry.db is put back; root.pem, root.key (encrypted under the
 * recovery phrase); issuing.pem, issuing.key; next.pem, next.key; row.key;
 * cli.token; server/SITE.pem and SITE.key; lock. Keys are 0600.
 */
#ifndef AUTHORITY_HOUSE_H
#define AUTHORITY_HOUSE_H

#include <stdbool.h>
#include <sys/types.h>

#include "base/error.h"
#include "base/secret.h"
#include "base/span.h"

struct house_file {
	const char *name; /* in STATE, no slash */
	mode_t mode;
	struct span bytes;
};

struct house_plan {
	const char *state;        /* the folder; made (0700) when it is not there */
	struct span site;         /* host name or IP literal; the trust domain is made from it */
	bool make_server_certificate; /* by our own CA into STATE/server/, when no public one exists */
	const struct house_file *files; /* what else belongs to the house, such as chatelaine.conf; it stays whose the maker is */
	size_t file_count;
	bool change_owner; /* everything but the folder and `files` to owner and group */
	uid_t owner;
	gid_t group;
	/* Show the recovery phrase, or save it; called once, after everything is on the disk and
	 * before it counts. Anything but OK undoes the house. Never NULL. */
	enum status (*reveal)(void *arg, struct span phrase, struct error *err);
	void *arg;
};

/* REFUSED: STATE holds a house already ("use another --state"), the site's name, a path; FAILED: the
 * disk. Takes about a second (scrypt). */
MUST_CHECK enum status house_init(const struct house_plan *plan, struct error *err);
/* The house stands: what a crash at the very end of its making left must not make a later house_init clear it
 * away. */
void house_tidy(const char *state);
/* Whose house it is: who owns the registry; before there is one, the folder. False: nobody's, or not
 * there, or root's although others may write in the folder. */
bool house_owner(const char *state, uid_t *owner, gid_t *group);
/* Root's look at a house that an earlier version made for the user `owner`: the folder and the configuration become
 * root's (the folder sticky), because root obeys it. True: something was changed. */
bool house_mend(const char *state, uid_t owner);
/* Is there one at `state`? */
bool house_exists(const char *state);

#endif
