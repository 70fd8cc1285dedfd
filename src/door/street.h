/*
 * street - what is said in front of the door: plain HTTP on port 80. No
 * certificate, no identity, no application: a request for one of our sites is
 * sent to the same address by https, and the answers to a certificate
 * authority's questions (ACME, RFC 8555 section 8.3) are shown from one
 * folder. Everything else is 404 and names no site.
 *
 * Each answer ends its connection. Knows the door for its sites' names alone.
 */
#ifndef DOOR_STREET_H
#define DOOR_STREET_H

#include <stdint.h>

#include "base/error.h"
#include "http/http_host.h"

struct address;
struct door;
struct loop;
struct street;

struct street_setup {
	struct loop *loop;
	const struct door *door;  /* outlives the street */
	struct http_limits limits;
	uint16_t https_port;      /* where the redirect leads; 443 is not written */
	int challenges;           /* the folder, open; stays the caller's; -1: none */
};

MUST_CHECK enum status street_new(const struct street_setup *setup, struct street **out, struct error *err);
/* Somebody came by this connected socket; takes `fd`, closes it when there are too many. */
void street_accept(struct street *street, int fd, const struct address *peer);
/* For http_host_drain and _end. */
struct http_host *street_host(struct street *street);
/* All connections must be gone. NULL is fine. */
void street_free(struct street *street);

#endif
