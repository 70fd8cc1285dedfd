/*
 * field_name - what the name of a header field means, told in one look.
 *
 * A name is folded while it is scanned: letters to lower case, every other
 * character that a token may hold (`_`, `.`, `!`, ...) to `-`. That is what
 * CGI, WSGI, PHP and their kin do to it later, so `X_SSL.Client-Verify` is
 * X-SSL-Client-Verify here too. The folded name is looked up in one table.
 *
 * A name that folds to a known one but is spelled otherwise is a *twin*: it has
 * the flags of the known one and FIELD_TWIN, but its `known` is FIELD_OTHER, so
 * nobody takes it for the real one. A twin of a field that frames a message
 * (FIELD_FRAMING) makes a request ambiguous; head_parse refuses it.
 *
 * Knows no dialect's meaning, only that a name belongs to one.
 */
#ifndef WIRE_FIELD_NAME_H
#define WIRE_FIELD_NAME_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum known_field {
	FIELD_OTHER, /* not in the table, or a twin; its flags still count */
	FIELD_ACCEPT,
	FIELD_ACCEPT_ENCODING,
	FIELD_AUTHORIZATION,
	FIELD_CACHE_CONTROL,
	FIELD_CONNECTION,
	FIELD_CONTENT_ENCODING,
	FIELD_CONTENT_LENGTH,
	FIELD_CONTENT_RANGE,
	FIELD_CONTENT_TYPE,
	FIELD_COOKIE,
	FIELD_DATE,
	FIELD_ETAG,
	FIELD_EXPECT,
	FIELD_FORWARDED,
	FIELD_HOST,
	FIELD_HTTP2_SETTINGS,
	FIELD_IF_MODIFIED_SINCE,
	FIELD_IF_NONE_MATCH,
	FIELD_KEEP_ALIVE,
	FIELD_LAST_MODIFIED,
	FIELD_LOCATION,
	FIELD_MAX_FORWARDS,
	FIELD_ORIGIN,
	FIELD_PROXY, /* httpoxy: becomes HTTP_PROXY in a CGI program's environment */
	FIELD_PROXY_AUTHENTICATE,
	FIELD_PROXY_AUTHENTICATION_INFO,
	FIELD_PROXY_AUTHORIZATION,
	FIELD_PROXY_CONNECTION,
	FIELD_RANGE,
	FIELD_REFERER,
	FIELD_RETRY_AFTER,
	FIELD_SEC_WEBSOCKET_ACCEPT,
	FIELD_SEC_WEBSOCKET_EXTENSIONS,
	FIELD_SEC_WEBSOCKET_KEY,
	FIELD_SEC_WEBSOCKET_PROTOCOL,
	FIELD_SEC_WEBSOCKET_VERSION,
	FIELD_SERVER,
	FIELD_SET_COOKIE,
	FIELD_STRICT_TRANSPORT_SECURITY,
	FIELD_TE,
	FIELD_TRAILER,
	FIELD_TRANSFER_ENCODING,
	FIELD_UPGRADE,
	FIELD_USER_AGENT,
	FIELD_VARY,
	FIELD_VIA,
	FIELD_WWW_AUTHENTICATE,
	FIELD_X_FORWARDED_FOR,
	FIELD_X_FORWARDED_HOST,
	FIELD_X_FORWARDED_PROTO,
	FIELD_X_REAL_IP,
	FIELD_X_REQUEST_ID,
	FIELD_KNOWN_COUNT /* at most 64: struct head keeps a bit for each */
};

enum field_flag {
	/* RFC 9110 section 7.6.1, by name or because Connection names it: never passed on. */
	FIELD_HOP_BY_HOP = 1,
	/* Host, Content-Length, Transfer-Encoding: written anew from the parsed form, never copied. */
	FIELD_FRAMING = 2,
	/* Says who the client is, in some dialect: stripped from every client, set by us alone. */
	FIELD_IDENTITY = 4,
	/* Says what a proxy saw (address, scheme, URL): stripped unless the peer is a trusted proxy. */
	FIELD_FORWARDING = 8,
	/* Folds to a known name but is spelled otherwise. */
	FIELD_TWIN = 16,
	/* RFC 9110 section 6.5.1: must not stand in a trailer section. */
	FIELD_NO_TRAILER = 32
};

/* What is not copied from a client's request to the upstream, and from its answer to the client. */
enum {
	FIELD_NOT_FORWARDED = FIELD_HOP_BY_HOP | FIELD_FRAMING | FIELD_IDENTITY | FIELD_FORWARDING,
	FIELD_NOT_RETURNED = FIELD_HOP_BY_HOP | FIELD_FRAMING
};

struct field_class {
	uint8_t known; /* enum known_field */
	uint8_t flags; /* enum field_flag */
};

/* Classify a name that may have come from anywhere (HTTP/2, configuration, Connection's options).
 * false: not a token (RFC 9110 section 5.6.2) or empty; *out is then FIELD_OTHER without flags. */
bool field_classify(struct span name, struct field_class *out);
/* How the name is written when we write it: "Content-Length". "" for FIELD_OTHER. */
struct span field_known_name(enum known_field known);

/* For scanners: the folded form of each byte, 0 if it may not stand in a token. */
extern const uint8_t field_fold[256];
/* Classify a name of which every byte is known to have a field_fold. */
struct field_class field_lookup(struct span name);

static inline bool field_is_token(struct span text)
{
	size_t i;

	for (i = 0; i < text.size; i++)
		if (!field_fold[(uint8_t)text.at[i]])
			return false;
	return text.size > 0;
}

#endif
