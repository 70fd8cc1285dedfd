/*
 * address - an IP address with port, or the path of a Unix socket; and names
 * with port as people write them.
 */
#ifndef BASE_ADDRESS_H
#define BASE_ADDRESS_H

#include <netinet/in.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/error.h"
#include "base/span.h"

struct address {
	union {
		struct sockaddr any;
		struct sockaddr_in in;
		struct sockaddr_in6 in6;
		struct sockaddr_un un;
	};
	socklen_t size;
};

enum { ADDRESS_TEXT_SIZE = 128 };

/* "127.0.0.1:443", "[::]:443", "unix:/run/x.sock". REFUSED names what is wrong. */
MUST_CHECK enum status address_parse(struct span text, struct address *out, struct error *err);
/* An IP literal without port ("::1", "10.0.0.1", "[::1]"); port 0. */
bool address_parse_ip(struct span text, struct address *out);
/* As address_parse reads it. Terminated. */
void address_text(const struct address *address, char out[static ADDRESS_TEXT_SIZE]);
/* The address without port; v4-mapped IPv6 as IPv4; "unix" for a Unix socket. */
void address_ip_text(const struct address *address, char out[static ADDRESS_TEXT_SIZE]);
uint16_t address_port(const struct address *address); /* 0 for a Unix socket */
void address_set_port(struct address *address, uint16_t port);
bool address_is_loopback(const struct address *address);
/* Equal but for the port; v4-mapped equals IPv4. */
bool address_is_same_host(const struct address *a, const struct address *b);

#endif
