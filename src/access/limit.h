/*
 * limit - how much one device, or one network address, may have of the door:
 * connections at once, requests at once, requests and handshakes a second.
 *
 * Who shows an accepted certificate is counted as its device, so that people
 * behind one address (a household, an office, a provider's NAT) do not share
 * a ceiling; everybody else as the address: IPv4 by itself, IPv6 by its /56.
 * Loopback and Unix sockets are no address: who comes from there is a tunnel or
 * proxy of this machine, with all its clients (let it say whose they are by the
 * PROXY protocol).
 *
 * All workers count together (shm/meter). Without a meter nothing is limited.
 */
#ifndef ACCESS_LIMIT_H
#define ACCESS_LIMIT_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "base/error.h"

struct limiter;
struct meter;

/* 0: no limit. Rates allow a burst of LIMIT_BURST seconds' worth. */
struct limit_ceilings {
	uint64_t connections, open_requests; /* at once */
	uint64_t requests, handshakes;       /* a second */
};
struct limit_options {
	struct limit_ceilings address, device;
};
enum { LIMIT_BURST = 10, LIMIT_FAMILIAR_DAYS = 7 };

/* Who is counted. Zeroed: nobody, who has no limits. */
struct limit_party {
	uint64_t hash;
	bool is_counted, is_device;
};

/* `meter` is borrowed; `slot` is this worker's and is claimed. */
MUST_CHECK enum status limiter_new(struct meter *meter, unsigned slot, struct limiter **out, struct error *err);
void limiter_free(struct limiter *limiter); /* NULL is fine */
/* From now on these; nothing is limited before. */
void limiter_use(struct limiter *limiter, const struct limit_options *options);

/* A NULL limiter knows nobody. */
struct limit_party limit_address(const struct limiter *limiter, const struct address *address);
struct limit_party limit_device(const struct limiter *limiter, const uint8_t device[static 16]);

/* Below are no allocation, no system call; times are mono microseconds. */
/* One handshake more at `now`? */
bool limit_handshake(struct limiter *limiter, const struct limit_party *party, int64_t now);
/* Has this party fewer connections than it may? */
bool limit_has_room(const struct limiter *limiter, const struct limit_party *party);
/* One connection more, one less. False: it cannot be counted, and must not be left. */
bool limit_enter(struct limiter *limiter, const struct limit_party *party);
void limit_leave(struct limiter *limiter, const struct limit_party *party);
/* One request more at `now`? False: *wait microseconds until there may be. One compare-and-swap. */
bool limit_request(struct limiter *limiter, const struct limit_party *party, int64_t now, int64_t *wait);
/* Requests at once beyond the first of each connection. False: too many. *is_counted: limit_close is owed. */
bool limit_open(struct limiter *limiter, const struct limit_party *party, bool *is_counted);
void limit_close(struct limiter *limiter, const struct limit_party *party);

/* An address from which a device came: its handshakes go before those of strangers for a week. */
void limit_befriend(struct limiter *limiter, const struct limit_party *address, int64_t now);
bool limit_is_familiar(const struct limiter *limiter, const struct limit_party *address, int64_t now);

#endif
