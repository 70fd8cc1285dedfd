/*
 * network - an IP address or a range of them (10.0.0.0/8), as the config
 * writes it. IPv4 in IPv6 (::ffff:10.0.0.1) is IPv4 here; a network of IPv6
 * holds no IPv4 address but as ::/0, which holds all.
 */
#ifndef BASE_NETWORK_H
#define BASE_NETWORK_H

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
enum { NETWORK_BYTES = 16 };
/* The address in the one form that networks are compared in. False for a Unix socket: all zero then. */
bool network_bytes(const struct address *address, uint8_t out[static NETWORK_BYTES]);
bool network_has_bytes(const struct network *network, const uint8_t bytes[static NETWORK_BYTES]);
/* False for a Unix socket. */
bool network_has(const struct network *network, const struct address *address);

#endif
