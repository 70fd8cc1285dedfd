/*
 * proxy_line - the header of the PROXY protocol, version 1 (text) and 2
 * (binary), with which a balancer says whose connection it passes on
 * (haproxy.org, proxy-protocol.txt). Strict: what the text does not allow is
 * refused. Knows nothing of who may say so.
 */
#ifndef WIRE_PROXY_LINE_H
#define WIRE_PROXY_LINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/address.h"
#include "base/error.h"
#include "base/span.h"

enum {
	PROXY_LINE_TEXT_MOST = 107, /* version 1, CRLF included */
	PROXY_LINE_MOST = 2048,     /* version 2, of which the text asks for 536 at least; TLVs need the rest */
};

struct proxy_line {
	bool has_client;       /* false: UNKNOWN, LOCAL (a health check), or not a TCP client's */
	struct address client; /* with port; meaningful when has_client */
};

/* OK: the first *used of `bytes` are a header. AGAIN: they are the beginning of one. REFUSED: neither;
 * *err says what is wrong. Never more than PROXY_LINE_MOST bytes are needed. TLVs are checked for
 * their lengths and skipped. */
MUST_CHECK enum status proxy_line_parse(struct span bytes, struct proxy_line *out, size_t *used,
					struct error *err);
/* Do these bytes, the first of a connection, begin as a header of either version does? At least 6 of
 * text or 5 of binary are needed for a yes: no TLS and no HTTP begins so. */
bool proxy_line_begins(struct span bytes);

#endif
