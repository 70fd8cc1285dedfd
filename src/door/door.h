/*
 * door - one worker's door: routes, presence and the roster put together, and
 * hung into http/ as hooks.
 *
 * serve/ makes one a worker, gives it rosters and options as they change, and
 * passes on what the authority says. Whatever would be refused after such a
 * change ends what is live, 256 connections a turn. The TLS questions below
 * need no OpenSSL and keep nothing but the certificate's bytes.
 */
#ifndef DOOR_DOOR_H
#define DOOR_DOOR_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "access/identity.h"
#include "base/error.h"
#include "base/span.h"
#include "door/presence.h"
#include "door/route.h"
#include "stream/tls_context.h"

struct connection;
struct door;
struct http_host;
struct limiter;
struct loop;
struct roster;
struct score_page;
struct tally;
struct tls_peer;

/* A CA certificate of ours: with the key identifier that its leaves name, for Client-Cert-Chain. */
struct door_issuer {
	struct span der;
	struct span key_id; /* subjectKeyIdentifier's octets, 20; how a leaf's issuer is told */
};

struct door_setup {
	struct loop *loop;
	const struct roster *roster; /* NULL: none yet, nobody is known; stays the caller's */
	struct score_page *score;    /* NULL: nothing is counted */
	const struct door_options *options; /* read before door_new returns */
	const struct route_service *services;
	size_t service_count;
	const struct door_issuer *issuers; /* copied */
	size_t issuer_count;
	struct limiter *limiter; /* NULL: nothing is limited */
	size_t stranger_visits;  /* requests under way of those whom nobody knows; 0: no limit */
	/* Who is at the other end of this secured connection; NULL: by stream/tls_stream. Tests say
	 * whom they like. False: not a TLS connection. */
	bool (*peer)(struct connection *connection, struct tls_peer *out);
};

/* REFUSED: the options, by what is wrong with them. */
MUST_CHECK enum status door_new(const struct door_setup *setup, struct door **out, struct error *err);
/* All connections must be gone. NULL is fine. */
void door_free(struct door *door);
/* Sizes, arg and hooks; loop, limits and `secure` are serve's. */
void door_fill_host(struct door *door, struct http_host *host);

/* -- changes; each judges again what is live -- */
/* Another roster from now on; the one before may be freed when this returns. */
void door_use_roster(struct door *door, const struct roster *roster);
/* Other rules, ready made: a reload, a changed allow-file. Takes them; cannot fail, so that a gateway
 * may first make everything else that goes with them. */
void door_use_routes(struct door *door, struct routes *routes);
/* The same from options. On failure the ones before hold. */
MUST_CHECK enum status door_use_options(struct door *door, const struct door_options *options,
					const struct route_service *services, size_t service_count,
					struct error *err);
/* Groups or states changed in the roster without a `lost`. */
void door_judge_all(struct door *door);

/* -- what the authority says; `done` gets the number of ended connections -- */
MUST_CHECK enum status door_lost_device(struct door *door, const uint8_t device[static 16],
					presence_done *done, void *arg, struct error *err);
MUST_CHECK enum status door_lost_certificate(struct door *door, const uint8_t fingerprint[static 32],
					     presence_done *done, void *arg, struct error *err);
size_t door_count_device(const struct door *door, const uint8_t device[static 16]);
/* Who would have been refused; the door's. */
struct tally *door_tally(struct door *door);
/* Devices seen since the last call, each once; at most `most`, the rest stays for the next call. */
size_t door_take_seen(struct door *door, uint8_t (*out)[16], size_t most);

/* -- for stream/tls_context: two of struct tls_hooks, with the door as their arg -- */
enum tls_standing door_on_certificate(void *door, struct span der, const uint8_t fingerprint[32]);
/* Keeps its bytes for the dialects that send them, also of sessions that come from it. */
void door_on_proved(void *door, struct span der, const uint8_t fingerprint[32]);
/* Not-after of a recognised certificate; 0 for others, and while its DER is not at hand though one of
 * the sites' dialects needs it. */
int64_t door_resumable_until(void *door, const uint8_t fingerprint[32]);
/* What the handshake of this site must ask for; the site's number is its index in routes. */
enum tls_asks door_asks(const struct site *site);
/* Borrowed until other ones are in use. */
const struct routes *door_routes(const struct door *door);
/* What the certificate of this fingerprint is worth now. */
enum who door_recognise(const struct door *door, const uint8_t fingerprint[static 32]);

#endif
