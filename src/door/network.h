/* network - an IP address or a range of them (10.0.0.0/8), as the config writes it. */
#ifndef DOOR_NETWORK_H
#define DOOR_NETWORK_H

#include <stdbool.h>
#include <stdint.h>

#include "base/address.h"
#include "base/error.h"
#include "base/span.h"

struct network {
	uint8_t address[16]; /* IPv4 as ::ffff:a.b.c.d */
	uint8_t bits;
};

/* REFUSED: not one, or bits set behind the prefix. */
MUST_CHECK enum status network_parse(struct span text, struct network *out, struct error *err);
/* False for a Unix socket. */
bool network_has(const struct network *network, const struct address *address);

#endif
