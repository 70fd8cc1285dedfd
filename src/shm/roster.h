/*
 * roster - what each certificate may do, for readers that never wait.
 *
 * An open-addressing table in sealed shared memory, keyed by the SHA-256 of
 * the certificate's DER, with an arena of cards and group sets behind it. One
 * writer (the authority) maps it writable; nobody else can. An entry is
 * immutable but for two words, `verdict` and `card`. Nothing is ever removed:
 * growth, and a restarted authority, make a new roster and hand it over.
 *
 * Readers believe no index and no length in it: what does not fit reads as
 * "not there" or as an empty text. A state they do not know reads as revoked.
 *
 * All spans that come out of it live until roster_free.
 */
#ifndef SHM_ROSTER_H
#define SHM_ROSTER_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "shm/card.h"

enum roster_state {
	ROSTER_ACTIVE = 1,
	ROSTER_SUSPENDED,
	ROSTER_REVOKED,
	ROSTER_PENDING,
	/* Never stored; what roster_judge makes of an active one's dates. */
	ROSTER_NOT_YET,
	ROSTER_EXPIRED,
};

struct roster_entry { /* 64 bytes, a cache line */
	uint8_t fingerprint[32], device[16];
	uint32_t not_before;      /* seconds */
	_Atomic uint32_t card;    /* index into the arena, 0 = none */
	_Atomic uint64_t verdict; /* not_after:32 | group_set:24 | state:8; 0 = empty */
};
_Static_assert(sizeof(struct roster_entry) == 64, "a roster entry is a cache line");

/* What a connection keeps: which entry, and what it said when last read. */
struct standing {
	const struct roster_entry *entry;
	uint64_t generation; /* of the roster that `entry` points into */
	uint64_t verdict;    /* as last read; the fields below are its parts */
	uint32_t card;
	enum roster_state state;
	uint32_t group_set;
	int64_t not_before, not_after; /* seconds since 1970; valid while not_before <= now <= not_after */
	uint8_t fingerprint[32], device[16];
};

struct roster;

/* Readers -------------------------------------------------------------- */

/* Map what the authority handed over. REFUSED: not a sealed roster. `fd` stays the caller's. */
MUST_CHECK enum status roster_open(int fd, struct roster **out, struct error *err);
void roster_free(struct roster *roster); /* NULL is fine */
/* Differs between any two rosters. */
uint64_t roster_generation(const struct roster *roster);

/* The certificate with that SHA-256, whatever its state. False: we never issued it. `*out` is
 * untouched then. At most 64 steps. */
bool roster_find(const struct roster *roster, const uint8_t fingerprint[static 32],
		 struct standing *out);

enum reread { STANDING_SAME, STANDING_CHANGED, STANDING_GONE };
/* Once a request: has anything changed? Same roster: two loads of one cache line. Another roster
 * (after a handover): looked up again. CHANGED: *standing is the new one (state, groups or card).
 * GONE: not in this roster; *standing then says ROSTER_REVOKED. The roster that the standing came
 * from may be freed already. */
enum reread roster_reread(const struct roster *roster, struct standing *standing);

/* The state with the dates taken into account: REVOKED, SUSPENDED, PENDING first, then EXPIRED or
 * NOT_YET, else ACTIVE. `now` in seconds of wall time. */
enum roster_state roster_judge(const struct standing *standing, int64_t now);

/* Who it is. Reads the roster that `standing` was last read from. False: no card (then all of *out
 * is empty): identity headers cannot be made, so refuse. */
bool roster_card(const struct roster *roster, const struct standing *standing, struct card *out);

/* Groups: a set is a number, its members are a row. "admins,staff", sorted, each once; empty for
 * set 0 and for a number out of range. */
struct span roster_groups(const struct roster *roster, uint32_t group_set);
bool roster_set_has(const struct roster *roster, uint32_t group_set, struct span group);

/* When the authority was last heard of (wall microseconds), for roster-max-age. */
int64_t roster_touched_at(const struct roster *roster);
/* How many certificates are in it. */
uint64_t roster_count(const struct roster *roster);

/* The writer ----------------------------------------------------------- */

/* Room for `expected` certificates and at least a fifth more before roster_is_full. */
MUST_CHECK enum status roster_new(uint64_t expected, struct roster **out, struct error *err);
/* To hand out; stays the roster's. */
int roster_fd(const struct roster *roster);

struct roster_row {
	uint8_t fingerprint[32], device[16];
	int64_t not_before, not_after;
	enum roster_state state; /* one that is stored */
	struct span groups;      /* comma-separated names in any order; names hold no comma and no control character */
	struct card card;        /* copied; its dates are taken from the row */
};

/* Adds it, or brings the one of that fingerprint up to date: new card and groups first, then the
 * verdict in one store. AGAIN: full, make a larger roster. REFUSED: names the bad field. */
MUST_CHECK enum status roster_put(struct roster *roster, const struct roster_row *row,
				  struct error *err);
/* One store, no room needed: suspend, resume, revoke. False: it is not in the roster. */
bool roster_set_state(struct roster *roster, const uint8_t fingerprint[static 32],
		      enum roster_state state);
/* The same for whatever has one of these devices in it; how many. For a revocation that must hold whatever the
 * registry says by now. Reads the whole roster but for the parts that were never written. */
unsigned roster_revoke_devices(struct roster *roster, const uint8_t (*devices)[16], unsigned count);
/* Too full to go on for long: make the next one before roster_put says AGAIN. */
bool roster_is_full(const struct roster *roster);
/* "The authority lives", once a second or so. */
void roster_touch(struct roster *roster, int64_t wall);

#endif
