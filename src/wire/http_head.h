/*
 * http_head - the head of an HTTP/1 request or answer, read strictly (RFC 9112).
 *
 * Nothing is copied and nothing allocated: every span in a struct head points
 * into the bytes it was parsed from, and lives as long as they do. What could
 * be read in two ways is refused, never repaired: a line ends in CRLF, there is
 * one Host, one framing, no folding, no space before a colon, no list in
 * Content-Length, no control character anywhere. What goes on is written anew
 * from this form, never copied.
 *
 * Knows nothing of sites, rules, or what a field's value means beyond framing
 * and connection handling.
 */
#ifndef WIRE_HTTP_HEAD_H
#define WIRE_HTTP_HEAD_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "wire/field_name.h"

enum { HEAD_FIELDS_MAX = 100 };

enum head_kind { REQUEST_HEAD, ANSWER_HEAD, TRAILERS };

struct head_limits {
	uint32_t bytes;  /* the whole head with its last CRLF */
	uint32_t target; /* the request target */
	uint16_t fields; /* at most HEAD_FIELDS_MAX */
};
extern const struct head_limits head_limits_default; /* 16 KiB, 8 KiB, 100 fields */
extern const struct head_limits trailer_limits;      /* 4 KiB, -, 32 fields */

/* Why a head was refused: the number is the HTTP status that tells the client. */
enum head_refusal {
	HEAD_FINE = 0,
	HEAD_BAD = 400,
	HEAD_URI_TOO_LONG = 414,
	HEAD_BAD_EXPECTATION = 417,
	HEAD_TOO_LARGE = 431,
	HEAD_NOT_IMPLEMENTED = 501, /* CONNECT, TRACE, a transfer coding other than chunked */
	HEAD_BAD_VERSION = 505,
};

enum method {
	METHOD_OTHER, /* any other upper-case word: PROPFIND, REPORT */
	METHOD_GET,
	METHOD_HEAD,
	METHOD_POST,
	METHOD_PUT,
	METHOD_DELETE,
	METHOD_OPTIONS,
	METHOD_PATCH,
};

enum framing {
	BODY_NONE,        /* no body can follow */
	BODY_LENGTH,      /* `length` bytes follow; may be 0 */
	BODY_CHUNKED,     /* until the chunked decoder is done */
	BODY_UNTIL_CLOSE, /* answers only */
};

struct field {
	struct span name, value; /* the value without white space around it; any byte but controls; may be empty */
	uint8_t known;           /* enum known_field */
	uint8_t flags;           /* enum field_flag; FIELD_HOP_BY_HOP also for what Connection names */
};

/* May be large (4 KB): owned by an exchange, borrowed by everybody else. Start a new connection with
 * head_init; after that it may be parsed into again and again. */
struct head {
	/* The reader's cursor: how many bytes hold no end of a head yet. 0 at the start of each head. */
	size_t scanned;
	enum head_refusal refusal; /* set with REFUSED */

	uint8_t kind;    /* enum head_kind */
	uint8_t minor;   /* of HTTP/1.x: 0 or 1 */
	uint8_t method;  /* enum method */
	uint8_t framing; /* enum framing; of an answer: after head_answer_framing */
	bool keep_alive; /* RFC 9112 section 9.3; of an answer BODY_UNTIL_CLOSE makes it false */
	bool expects_continue; /* Expect: 100-continue, and a body follows */
	bool is_websocket; /* a whole RFC 6455 section 4.1 request, or an answer 101 that takes it up */
	bool has_length, has_chunked; /* Content-Length, Transfer-Encoding: chunked were there */
	uint16_t code;   /* of an answer: 100 to 599 */
	uint16_t field_count;
	uint64_t length; /* Content-Length, at most INT64_MAX; 0 without */
	uint64_t seen;   /* bit 1 << enum known_field for each known field that is there */

	struct span method_name; /* "GET"; upper-case letters and '-' */
	struct span target;      /* as on the line */
	struct span path;        /* the target's path and query: "/x?y"; "*" for OPTIONS * */
	struct span host;        /* Host's value, and the target's authority; "" only in HTTP/1.0 */
	struct span reason;      /* of an answer; may be empty */
	struct field fields[HEAD_FIELDS_MAX];
};

/* Only what parsing needs is set: not the fields. */
void head_init(struct head *head);

/*
 * Parse one head from the start of `bytes`. OK: *used is its size with the empty line; the body starts
 * there. AGAIN: not all there yet; call again with the same start and more bytes. Arrival byte by byte
 * costs linear time, because out->scanned remembers. REFUSED: out->refusal says which answer; close
 * after it. One empty line before a request is skipped (RFC 9112 section 2.2).
 * An answer's framing also needs head_answer_framing.
 */
MUST_CHECK enum status head_parse(struct span bytes, enum head_kind kind,
				  const struct head_limits *limits, struct head *out, size_t *used,
				  struct error *err);

/*
 * Where the body of an answer ends (RFC 9112 section 6.3): sets framing, length and keep_alive, given
 * the request's method and whether it was a WebSocket request. REFUSED: a 101 that nobody asked for or
 * that is not a WebSocket's, 1xx or 204 with a body. Of an answer to HEAD and of a 304, `length` stays
 * what Content-Length said, though no body follows.
 */
MUST_CHECK enum status head_answer_framing(struct head *answer, enum method asked,
					   bool asked_websocket, struct error *err);

/*
 * Parse a trailer section, from behind the last chunk's line to its empty line: only kind, fields,
 * field_count and seen are set. OK with field_count 0 for a lone CRLF. REFUSED also when a field stands
 * there that frames the message. Others that must not stand there (RFC 9110 section 6.5.1) get
 * FIELD_HOP_BY_HOP, so that nobody passes them on. AGAIN and out->scanned as in head_parse.
 */
MUST_CHECK enum status head_parse_trailers(struct span bytes, const struct head_limits *limits,
					   struct head *out, size_t *used, struct error *err);

/* The first field of that kind, or NULL. */
const struct field *head_find(const struct head *head, enum known_field known);
/* Its value, or an empty span. */
struct span head_value(const struct head *head, enum known_field known);
/* The first field of that literal name in any case; for what enum known_field lacks. */
const struct field *head_find_name(const struct head *head, const char *name);
/* True when `option` is an element, parameters aside, of the comma list in any field of that kind:
 * "text/html" in "Accept: application/json, text/html;q=0.9". */
bool head_lists(const struct head *head, enum known_field known, const char *option);

/* The bytes from which the head was parsed were copied to `to`: move all spans along. */
void head_move(struct head *head, struct span from, const char *to);

static inline bool head_has(const struct head *head, enum known_field known)
{
	return head->seen >> known & 1;
}

/* True when no body byte follows. */
static inline bool head_is_bodiless(const struct head *head)
{
	return head->framing == BODY_NONE || (head->framing == BODY_LENGTH && head->length == 0);
}

enum method method_of(struct span name);

#endif
