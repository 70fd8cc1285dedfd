/*
 * host_name - the name of a host in the one form that Host, SNI, authority
 * and configuration are compared in.
 *
 * Letters in lower case, one trailing dot dropped, the port apart, IP literals
 * in canonical form without brackets (v4-mapped IPv6 as IPv4). What is left of
 * other spellings is refused: empty labels, labels over 63 or names over 253
 * characters, numbers that some resolver would take for an address ("127.1",
 * "0x7f.1"), zones, percent signs, anything not letter, digit, '-', '_', '.'.
 */
#ifndef WIRE_HOST_NAME_H
#define WIRE_HOST_NAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

enum host_kind { HOST_DNS, HOST_IPV4, HOST_IPV6 };

struct host_name {
	char text[254]; /* terminated */
	uint8_t size;
	uint8_t kind;  /* enum host_kind */
	uint16_t port; /* 0: none was written */
};

/* "Chat.Example.com.:443", "[::1]:8443", "10.0.0.1". REFUSED says what is wrong; *out untouched. */
MUST_CHECK enum status host_fold(struct span host, struct host_name *out, struct error *err);
/* The same without a port: for SNI and configuration; an IPv6 address may stand without brackets. */
MUST_CHECK enum status host_fold_name(struct span host, struct host_name *out, struct error *err);
/* Same name; ports are not compared. */
bool host_equals(const struct host_name *a, const struct host_name *b);

static inline struct span host_span(const struct host_name *host)
{
	return (struct span){host->text, host->size};
}

#endif
