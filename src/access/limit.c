#include "access/limit.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/network.h"
#include "shm/meter.h"

enum { V4_FROM = 12, V6_KEPT = 7 /* bytes: /56 */ };

/* One party has a clock or a count of each. */
enum purpose { REQUESTS = 1, HANDSHAKES, CONNECTIONS, OPEN_REQUESTS, FAMILIAR };

struct rates {
	struct meter_rate requests, handshakes;
};

struct limiter {
	struct meter *meter;
	unsigned slot;
	struct limit_options options;
	struct rates address, device;
};

enum status limiter_new(struct meter *meter, unsigned slot, struct limiter **out, struct error *err)
{
	struct limiter *limiter;

	if (slot >= meter_slots(meter))
		return error_fail(err, "slot %u is beyond the meter's %u", slot, meter_slots(meter));
	limiter = calloc(1, sizeof *limiter);
	if (!limiter)
		return error_fail(err, "no memory for the limits");
	limiter->meter = meter;
	limiter->slot = slot;
	meter_claim(meter, slot);
	*out = limiter;
	return OK;
}

void limiter_free(struct limiter *limiter)
{
	free(limiter);
}

static struct rates rates_of(const struct limit_ceilings *ceilings)
{
	return (struct rates){.requests = meter_rate(ceilings->requests, LIMIT_BURST),
			      .handshakes = meter_rate(ceilings->handshakes, LIMIT_BURST)};
}

void limiter_use(struct limiter *limiter, const struct limit_options *options)
{
	limiter->options = *options;
	limiter->address = rates_of(&options->address);
	limiter->device = rates_of(&options->device);
}

/* -- parties -- */

static bool is_v4(const uint8_t bytes[static NETWORK_BYTES])
{
	static const uint8_t mapped[V4_FROM] = {0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0xff, 0xff};

	return memcmp(bytes, mapped, sizeof mapped) == 0;
}

struct limit_party limit_address(const struct limiter *limiter, const struct address *address)
{
	struct limit_party party = {.is_counted = false};
	uint8_t bytes[NETWORK_BYTES];

	if (!limiter || address_is_loopback(address) || !network_bytes(address, bytes))
		return party;
	if (!is_v4(bytes))
		memset(bytes + V6_KEPT, 0, sizeof bytes - V6_KEPT);
	party.is_counted = true;
	party.hash = meter_hash(limiter->meter, bytes, sizeof bytes);
	return party;
}

struct limit_party limit_device(const struct limiter *limiter, const uint8_t device[static 16])
{
	struct limit_party party = {.is_counted = limiter != NULL, .is_device = true};
	uint8_t bytes[17] = "d"; /* no address has so many */

	if (!limiter)
		return party;
	memcpy(bytes + 1, device, 16);
	party.hash = meter_hash(limiter->meter, bytes, sizeof bytes);
	return party;
}

static uint64_t hash_for(const struct limit_party *party, enum purpose purpose)
{
	return party->hash ^ (uint64_t)purpose * UINT64_C(0x9e3779b97f4a7c15);
}

static const struct limit_ceilings *ceilings_of(const struct limiter *limiter, const struct limit_party *party)
{
	return party->is_device ? &limiter->options.device : &limiter->options.address;
}

static const struct rates *party_rates(const struct limiter *limiter, const struct limit_party *party)
{
	return party->is_device ? &limiter->device : &limiter->address;
}

/* -- questions -- */

bool limit_handshake(struct limiter *limiter, const struct limit_party *party, int64_t now)
{
	int64_t wait;

	return !party->is_counted || meter_take(limiter->meter, hash_for(party, HANDSHAKES),
						party_rates(limiter, party)->handshakes, now, &wait);
}

bool limit_has_room(const struct limiter *limiter, const struct limit_party *party)
{
	uint64_t most = party->is_counted ? ceilings_of(limiter, party)->connections : 0;

	return most == 0 || meter_count(limiter->meter, hash_for(party, CONNECTIONS)) < most;
}

bool limit_enter(struct limiter *limiter, const struct limit_party *party)
{
	return party->is_counted && meter_add(limiter->meter, limiter->slot, hash_for(party, CONNECTIONS));
}

void limit_leave(struct limiter *limiter, const struct limit_party *party)
{
	meter_remove(limiter->meter, limiter->slot, hash_for(party, CONNECTIONS));
}

bool limit_request(struct limiter *limiter, const struct limit_party *party, int64_t now, int64_t *wait)
{
	return !party->is_counted || meter_take(limiter->meter, hash_for(party, REQUESTS),
						party_rates(limiter, party)->requests, now, wait);
}

bool limit_open(struct limiter *limiter, const struct limit_party *party, bool *is_counted)
{
	uint64_t most = ceilings_of(limiter, party)->open_requests, hash = hash_for(party, OPEN_REQUESTS);

	*is_counted = false;
	if (!party->is_counted || most == 0)
		return true;
	if (meter_count(limiter->meter, hash) >= most)
		return false;
	*is_counted = meter_add(limiter->meter, limiter->slot, hash);
	return true;
}

void limit_close(struct limiter *limiter, const struct limit_party *party)
{
	meter_remove(limiter->meter, limiter->slot, hash_for(party, OPEN_REQUESTS));
}

/* -- those who were here -- */

void limit_befriend(struct limiter *limiter, const struct limit_party *address, int64_t now)
{
	uint64_t hash = hash_for(address, FAMILIAR);

	/* Renewed once a day is enough: half a mark's life is left at worst. */
	if (address->is_counted &&
	    !meter_is_marked(limiter->meter, hash, now + SECONDS(86400 * (LIMIT_FAMILIAR_DAYS - 1))))
		meter_mark(limiter->meter, hash, now, now + SECONDS(86400 * LIMIT_FAMILIAR_DAYS));
}

bool limit_is_familiar(const struct limiter *limiter, const struct limit_party *address, int64_t now)
{
	return !address->is_counted || meter_is_marked(limiter->meter, hash_for(address, FAMILIAR), now);
}
