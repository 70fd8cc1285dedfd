/*
 * session_store - what it takes to resume a TLS 1.3 session, shared by all
 * gateways. Many writers, nobody waits: sets of eight records, the oldest of
 * a set is overwritten, a reader that meets a writer has a miss.
 *
 * Find does not remove: browsers resume several connections at once and there
 * is no early data to replay. A found record is no proof of anything: its id
 * travels in clear. The caller asks site, epoch, roster, and the binder.
 * Kept out of core dumps. Never mapped by the console.
 */
#ifndef SHM_SESSION_STORE_H
#define SHM_SESSION_STORE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/clock.h"
#include "base/error.h"

enum { SESSION_STORE_LAYOUT = 1 }; /* another one with every change of what a field means, see scoreboard.h */

struct session {
	uint8_t id[32];
	uint8_t secret[48];   /* the PSK; secret_length of it, the rest 0 */
	uint8_t secret_length;
	uint8_t fingerprint[32]; /* SHA-256 of the client's certificate */
	uint16_t cipher, group;  /* IANA numbers */
	uint32_t site, epoch;
	uint32_t age_add;
	uint32_t full_at; /* wall seconds of the full handshake that it all began with */
	uint32_t expiry;  /* wall seconds */
};

struct session_store;

/* Room for about `expected` sessions (152 bytes each). */
MUST_CHECK enum status session_store_new(uint32_t expected, struct session_store **out,
					 struct error *err);
/* To hand to gateways; stays the store's. */
int session_store_fd(const struct session_store *store);
/* REFUSED: not a sealed session store. `fd` stays the caller's. */
MUST_CHECK enum status session_store_open(int fd, struct session_store **out, struct error *err);
/* Opened from another's descriptor: `fd` is its own from now on, for session_store_fd. */
void session_store_keep_fd(struct session_store *store, int fd);
void session_store_free(struct session_store *store); /* NULL is fine */

/* False: lost to another writer or out of date already; the client will make a full handshake. */
bool session_store_put(struct session_store *store, const struct session *session,
		       const struct clock_time *now);
/* False: not there, expired (it is wiped then), or being written. Wipe *out when done with it. */
bool session_store_find(struct session_store *store, const uint8_t id[static 32],
			const struct clock_time *now, struct session *out);
void session_store_remove(struct session_store *store, const uint8_t id[static 32],
			  const struct clock_time *now);
/* Wipes what has expired in the next `sets` sets; goes round. Once a second with 1/600 of
 * session_store_sets leaves no secret longer than ten minutes. */
void session_store_sweep(struct session_store *store, unsigned sets, const struct clock_time *now);
unsigned session_store_sets(const struct session_store *store);

#endif
