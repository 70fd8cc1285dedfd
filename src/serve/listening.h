/*
 * listening - the sockets of the house, opened by the supervisor and never
 * closed while it lives, so that no restart of a worker refuses a client.
 */
#ifndef SERVE_LISTENING_H
#define SERVE_LISTENING_H

#include <sys/types.h>

#include "base/address.h"
#include "base/error.h"

/* A listening TCP socket, non-blocking. A busy port is REFUSED with who holds it and the ways on. */
MUST_CHECK enum status listening_open(const struct address *address, int *out, struct error *err);
/* STATE/authority.sock, 0600, owned by `owner`. A stale one is replaced; REFUSED when another
 * chatelaine answers on it. */
MUST_CHECK enum status listening_open_local(const char *path, uid_t owner, gid_t group, int *out,
					    struct error *err);

#endif
