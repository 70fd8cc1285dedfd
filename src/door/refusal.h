/*
 * refusal - every way in which the door says no, in one table: code, HTTP
 * status, a sentence, what to do next. Pages, JSON, the log's `why=` and
 * `chatelaine explain` all read the same row.
 */
#ifndef DOOR_REFUSAL_H
#define DOOR_REFUSAL_H

#include <stdbool.h>
#include <stdint.h>

#include "access/identity.h"
#include "base/buffer.h"
#include "base/span.h"

struct exchange;

enum refusal {
	REFUSAL_NONE,
	REFUSAL_NO_CERTIFICATE,      /* C01 403 (400, 401 by the site) */
	REFUSAL_EXPIRED,             /* C02 */
	REFUSAL_NOT_YET,             /* C03 */
	REFUSAL_REVOKED,             /* C04 */
	REFUSAL_SUSPENDED,           /* C05 */
	REFUSAL_UNKNOWN,             /* C06 */
	REFUSAL_PENDING,             /* C07 */
	REFUSAL_NOT_ALLOWED,         /* C08 */
	REFUSAL_NOT_ON_FILE,         /* C09 */
	REFUSAL_FILE_UNREADABLE,     /* C10 */
	REFUSAL_HOST_UNKNOWN,        /* C11 421 */
	REFUSAL_HOST_MISMATCH,       /* C12 421 */
	REFUSAL_ROSTER_TOO_OLD,      /* C13 503 */
	REFUSAL_NOT_FROM_THERE,      /* C14 403 */
	REFUSAL_BAD_REQUEST,         /* C20 400 */
	REFUSAL_TIMEOUT,             /* C21 408 */
	REFUSAL_TOO_LARGE,           /* C22 413 */
	REFUSAL_TARGET_TOO_LONG,     /* C23 414 */
	REFUSAL_EXPECTATION,         /* C24 417 */
	REFUSAL_HEAD_TOO_LARGE,      /* C25 431 */
	REFUSAL_NOT_IMPLEMENTED,     /* C26 501 */
	REFUSAL_VERSION,             /* C27 505 */
	REFUSAL_PLAIN_HTTP,          /* C28 400 */
	REFUSAL_TUNNEL,              /* C29 400 */
	REFUSAL_UPSTREAM_DOWN,       /* C30 502 */
	REFUSAL_UPSTREAM_SLOW,       /* C31 504 */
	REFUSAL_UPSTREAM_BROKEN,     /* C32 502 */
	REFUSAL_UNAVAILABLE,         /* C33 503 */
	REFUSAL_NOT_FOUND,           /* C34 404 */
	REFUSAL_METHOD,              /* C35 405 */
	REFUSAL_CLOSED,              /* C36 503: ended while live by a change of rules or a reload */
	REFUSAL_TOO_MANY,            /* C37 429 */
	REFUSAL_FOREIGN_PATH,        /* C50 403: of a foreign CA, from here on */
	REFUSAL_FOREIGN_PURPOSE,     /* C51 */
	REFUSAL_FOREIGN_REVOKED,     /* C52 */
	REFUSAL_FOREIGN_LIST,        /* C53 503 */
	REFUSAL_FOREIGN_NO_IDENTITY, /* C54 */
	REFUSAL_FOREIGN_NOT_ON_FILE, /* C55 */
	REFUSAL_FOREIGN_FILE,        /* C56 */
	REFUSAL_COUNT,
};

struct refusal_row {
	const char *code; /* "C01" */
	uint16_t status;
	const char *title;    /* a few words */
	const char *sentence; /* what happened, to the person at the browser */
	const char *next;     /* what to do */
	const char *admin;    /* for `chatelaine explain`: what the keeper of the door looks at */
};

const struct refusal_row *refusal_row(enum refusal why); /* NULL for NONE */
/* "C08", any case; REFUSAL_NONE when there is no such code. */
enum refusal refusal_find(struct span code);
enum refusal refusal_of_who(enum who who); /* NONE for WHO_KNOWN */
/* The row of the bad-request family for a status that the parser chose; BAD_REQUEST when there is none. */
enum refusal refusal_of_status(unsigned status);
/* The text of `chatelaine explain CODE`. False: no such code, nothing added. */
bool refusal_explain(struct span code, struct buffer *out);

struct refusal_page {
	enum refusal why;
	uint16_t status;     /* what goes on the status line; the row's unless the site says otherwise */
	struct span contact; /* whom to ask; may be empty */
	struct span request; /* the request's id; may be empty */
	struct span url;     /* where to go instead; may be empty */
};
/* The body. HTML has the url, JSON: {"code","status","title","error","next","contact","request"}, with
 * "error" as "message" and "status" as "status_code" again: applications' clients look there. */
void refusal_write_html(struct buffer *out, const struct refusal_page *page);
void refusal_write_json(struct buffer *out, const struct refusal_page *page);
/* True when Accept names application/json (or a +json type) with no less weight than HTML, and not behind it; `otherwise`
 * when it names neither. */
bool refusal_wants_json(struct span accept, bool otherwise);

/* Answer this exchange, which is a visit of the door, with the refusal's page: services call it for
 * 502, 503, 504. Nothing of an answer may have been sent yet. */
void refusal_answer(struct exchange *exchange, enum refusal why);

#endif
