/* door_parts - the insides of door and guest, for the files of this room alone. */
#ifndef DOOR_DOOR_PARTS_H
#define DOOR_DOOR_PARTS_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "base/buffer.h"
#include "base/list.h"
#include "door/door.h"
#include "door/visit.h"
#include "event/timer.h"
#include "shm/roster.h"

struct der_cache;
struct foreign_guest;

enum { SEEN_ROOM = 4096, IP_TEXT_SIZE = 46, ISSUERS_MOST = 16 };

struct kept_issuer {
	struct span der, key_id;
};

struct door {
	struct loop *loop;
	const struct roster *roster;
	struct score_page *score;
	struct score_site *nowhere; /* for requests that name no site of ours */
	struct routes *routes;
	uint64_t routes_number; /* another one after each change, so that nothing remembers a freed site */
	struct presence *presence;
	struct tally *tally;
	struct timer dates; /* the next end of a watch, or a look at the clock before it */
	int64_t dates_heeded; /* seconds: ends up to here are in force on what is live */
	struct der_cache *der_cache;
	bool needs_der; /* a dialect of some site sends certificates */
	bool (*peer)(struct connection *connection, struct tls_peer *out);
	struct kept_issuer issuers[ISSUERS_MOST];
	size_t issuer_count;
	uint8_t (*seen)[16]; /* SEEN_ROOM of them; all zero: free */
	size_t seen_count;
	struct limiter *limiter;
	size_t stranger_visits, stranger_visits_most;
	struct turned_away {
		uint64_t count; /* since the last line */
		int64_t said_at;
	} turned_away;
	uint64_t seen_round;
};

/* What the prepared lines were made from; when all of it is as before, they still hold. */
struct lines_key {
	uint64_t routes_number, generation;
	const struct site *site;
	uint32_t card, group_set;
	bool is_known, is_foreign;
};

struct guest {
	struct presence_mark mark;
	struct door *door;
	struct link visits; /* struct visit.in_guest */
	struct standing standing; /* meaningful when is_found */
	struct foreign_guest *foreign; /* what a foreign CA says; counts while not is_found. NULL: none was asked */
	bool has_certificate, is_found, is_known, is_secure, is_trusted_proxy; /* is_known: when last asked */
	bool lines_hold;
	bool is_entered;          /* the limiter counts the connection, as `party` */
	struct limit_party party; /* its address, then its device */
	unsigned open_visits;
	char ip[IP_TEXT_SIZE];
	uint8_t fingerprint[32];
	const struct site *handshake; /* whose rules the handshake asked for; of routes_number */
	bool has_unknown_name;        /* the handshake was for a name that no site has; of routes_number */
	uint64_t routes_number;
	uint64_t seen_round;
	int64_t ends_after; /* the not-after that the connection ends with; 0: none yet */
	enum refusal ended_for;
	struct lines_key lines_of;
	uint32_t lines_host_at, lines_host_size;
	struct buffer lines;
};

/* Who it is at this moment: one reading of the roster's word. */
struct identity guest_identify(struct guest *guest);
/* Of the present routes. */
const struct site *guest_handshake_site(struct guest *guest);
/* Who asks, as the application is told: behind a trusted proxy the one that it names. `room` holds CLIENT_ROOM. */
enum { CLIENT_ROOM = 4096 };
struct span visit_client(const struct visit *visit, char *room);
/* It passed, but for `visit->watched` it would have been refused, by the rule of this location (NULL: the site's). */
void visit_note_watched(const struct visit *visit, const char *location);
/* Prepare visit_lines. NONE, or why this visit cannot be served. */
enum refusal visit_prepare_lines(struct visit *visit);

#endif
