/*
 * visit - one exchange on its walk through the door, and the guest: one
 * connection as the door knows it.
 *
 * The guest lies behind struct connection, the visit begins with its struct
 * exchange; http/ allocates both without knowing them. A visit holds the
 * routes it was walked under, so that its site stays while it lives.
 */
#ifndef DOOR_VISIT_H
#define DOOR_VISIT_H

#include <stdbool.h>
#include <stdint.h>

#include "access/identity.h"
#include "access/limit.h"
#include "base/network.h"
#include "base/span.h"
#include "door/refusal.h"
#include "http/exchange.h"

struct connection;
struct door;
struct guest;
struct header_rules;
struct routes;
struct site;

/* Copied when a tunnel's head goes away: for its line in the log, and to judge it again. */
struct visit_memory {
	struct span method, host, path, other;
	uint8_t from[NETWORK_BYTES];
	bool has_from;
	char bytes[];
};

enum room { ROOM_IDENTIFY, ROOM_LIMIT, ROOM_AUTHORIZE, ROOM_SERVE, ROOM_LEFT };

struct visit {
	struct exchange exchange; /* first: the two have one address */
	struct guest *guest;
	struct routes *routes;    /* held; NULL before IDENTIFY and for unreadable requests */
	const struct site *site;  /* in routes; NULL: the Host names none */
	struct link in_guest;     /* owner: guest.visits */
	struct visit_memory *memory; /* of a tunnel: what its head said; NULL before */
	struct identity who;
	enum room room;
	enum refusal why;         /* of a refusal; else NONE */
	enum refusal watched;     /* passed, but for this it would have been refused */
	const char *methods;      /* of REFUSAL_METHOD: what Allow says; of the routes. NULL: not known */
	uint16_t rule;            /* judgement.rule */
	bool is_served;           /* SERVE was reached: judged again when things change */
	bool is_tunnel;
	bool is_ended;            /* by a rule that changed, and its connection goes on */
	bool is_open, is_counted_open, is_strangers; /* see ceiling.c */
	uint8_t retry_after;      /* seconds, of a 429 */
	struct limit_party counted_as;
};

static inline struct visit *visit_of(struct exchange *exchange)
{
	return (struct visit *)(void *)exchange;
}

/* The header lines that only we may set, identity and forwarding, each with CRLF, no empty line
 * behind them: write them last into the request that goes upstream. Valid until control returns to
 * the loop. Prepared once a connection and ready inside `open`; asked for in a later turn it may be
 * {NULL, 0}: it cannot be said any more, so answer REFUSAL_UNAVAILABLE. Not after exchange_upgrade. */
struct span visit_lines(struct exchange *exchange);
/* What the site's and location's header rules change on the way; NULL: nothing. Lives as long as the visit. */
const struct header_rules *visit_header_rules(const struct exchange *exchange);
/* Whose request it is, by address: the other end of the connection, or who a trusted proxy says it is, as
 * X-Real-IP has it. False: nobody can tell, because the proxy's word makes no sense. */
bool visit_client_address(const struct visit *visit, uint8_t out[static NETWORK_BYTES]);
/* A tunnel needs them no more: give their memory back. */
void visit_drop_lines(struct exchange *exchange);
/* For services that show who is there (the example, enroll): text, borrowed until control returns
 * to the loop; empty when nobody is known. */
struct visit_facts {
	struct span device, person, email, label;
	bool is_known;
};
void visit_facts(struct exchange *exchange, struct visit_facts *out);

#endif
