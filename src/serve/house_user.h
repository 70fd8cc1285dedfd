/*
 * house_user - the users that the parts of the house run as when it is
 * started by root: chatelaine (the authority and its files),
 * chatelaine-gateway (what meets the network) and chatelaine-resolver (what
 * connects to Unix sockets of applications; without it the gateways' user).
 */
#ifndef SERVE_HOUSE_USER_H
#define SERVE_HOUSE_USER_H

#include <stdbool.h>

#include "serve/sandbox.h"

enum house_user { HOUSE_USER_AUTHORITY, HOUSE_USER_GATEWAY, HOUSE_USER_RESOLVER };

/* False: we are not root and stay who we are, or there is no such user. */
bool house_user_find(enum house_user which, struct sandbox_user *out);
/* The same, never without an answer: ourselves when not root; for want of the user, the owner of
 * `state` for the authority, nobody for a gateway, a gateway's for the resolver; *is_fallback set. */
void house_user_choose(enum house_user which, const char *state, struct sandbox_user *out, bool *is_fallback);

#endif
