/*
 * client_h1 - HTTP/1.1 towards an upstream, as a codec: bytes in, bytes out, no stream, no
 * allocation. relay/ owns the connection and the memory.
 *
 * Requests are written anew from the parsed form: nothing of the client's bytes goes on but method,
 * normalised target, Host, and the fields that the filter lets through. Answers are read as
 * strictly as requests (RFC 9112): what is ambiguous ends the connection. A byte behind an answer
 * is a surplus byte, and the connection may not be used again.
 *
 * One struct for one request and its answer; client_h1_init before each.
 */
#ifndef HTTP_CLIENT_H1_H
#define HTTP_CLIENT_H1_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/error.h"
#include "base/span.h"
#include "http/framer.h"
#include "wire/chunked.h"
#include "wire/http_head.h"

struct client_request {
	const struct head *head; /* method, fields and framing are taken from it */
	struct span target;      /* origin form, normalised: what wire/target says to forward */
	struct span host;        /* the Host field's value as the client sent it */
	/* May the field go on? Never asked about those that the codec handles itself: Host,
	 * hop-by-hop and all that Connection names, Content-Length, Transfer-Encoding, Expect, and
	 * identity fields of every dialect, which never go on.
	 * Trailer and TE go on only as "TE: trailers". NULL: all. */
	bool (*keeps)(void *arg, const struct field *field);
	void *arg;
	struct span prepared[2]; /* blocks of whole lines, appended as they are: identity; forwarding */
	bool upgrade;            /* WebSocket: Connection: Upgrade, Upgrade: websocket (RFC 6455) */
};

enum client_step { CLIENT_HEAD, CLIENT_BODY, CLIENT_TUNNEL, CLIENT_OVER };

struct client_h1 {
	struct framer framer;     /* the request's body, on its way out */
	struct chunked chunked;   /* the answer's, on its way in */
	uint64_t left;            /* of an answer with a length */
	size_t scanned;           /* of a head that is not complete yet */
	uint8_t step;             /* enum client_step */
	uint8_t framing;          /* enum framing, of the answer */
	uint8_t method;           /* enum method, of the request */
	bool asked_upgrade, keep_alive, surplus;
};

void client_h1_init(struct client_h1 *client);

/* Writes the head into `into`. REFUSED: it does not fit; nothing is to be sent. The head goes out
 * in front of the first body bytes: *into must stay until client_h1_took has passed it. */
MUST_CHECK enum status client_h1_request(struct client_h1 *client,
					 const struct client_request *request, char *into,
					 size_t room, struct error *err);
/* What to write now: the head's rest, then body bytes (framer.h). trailers: lines, when ended. */
int client_h1_gather(struct client_h1 *client, struct span data, bool ended, struct span trailers,
		     struct iovec parts[static FRAMER_PARTS]);
/* How many of `data` are used up by `taken` written bytes. */
size_t client_h1_took(struct client_h1 *client, size_t taken);
bool client_h1_is_sent(const struct client_h1 *client);

enum client_news {
	NEWS_NONE,    /* more bytes are needed; keep what is left and append to it */
	NEWS_INTERIM, /* a 1xx but 101: *answer is filled */
	NEWS_ANSWER,  /* the final head: *answer is filled; also 101 */
	NEWS_BYTES,   /* body bytes, or raw ones after a 101 */
	NEWS_OVER,    /* the answer is complete */
};
struct client_event {
	enum client_news news;
	struct span bytes;   /* of NEWS_BYTES; in the given memory */
	bool last;           /* NEWS_BYTES, NEWS_ANSWER: the answer ends with this; no NEWS_OVER follows */
	struct span trailers;/* with `last` or NEWS_OVER: lines as received, validated; in the given memory */
};
/* Reads from [at, at + size), moves *used forward. Chunked bodies are put together in place, so the
 * memory is written to. Call until NEWS_NONE or the answer is over. REFUSED: garbage; end the
 * connection. *answer is filled on NEWS_INTERIM and NEWS_ANSWER, points into the memory, and may be one
 * struct for the whole worker. A head that is not complete is not used up: the caller keeps it
 * contiguous and calls with more; above 16 KB it is REFUSED. */
MUST_CHECK enum status client_h1_read(struct client_h1 *client, char *at, size_t size, size_t *used,
				      struct head *answer, struct client_event *event,
				      struct error *err);
/* The upstream closed. OK: that was the body's end (until-close). REFUSED: too early. */
MUST_CHECK enum status client_h1_closed(struct client_h1 *client, struct error *err);
/* After the answer: the request was sent whole, no surplus byte, both sides keep the connection. */
bool client_h1_is_reusable(const struct client_h1 *client);

#endif
