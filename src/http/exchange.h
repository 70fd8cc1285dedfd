/*
 * exchange - one request and its answer, whatever HTTP version carries it.
 *
 * Made by a transport when a request head is complete (or unreadable: then `request` is the empty
 * head and the host's on_bad_request is asked). It is the first member of the door's visit, from a
 * slab of http_host.visit_size bytes that arrive zeroed behind the exchange. The request head and
 * all its spans live in `block`, as long as the exchange does, with one exception: after
 * exchange_upgrade they are gone (see there).
 *
 * Owner: transport.exchanges. Ends by itself when the answer is written (or cut): release of the
 * service, then host->on_left, then the slab goes back.
 */
#ifndef HTTP_EXCHANGE_H
#define HTTP_EXCHANGE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/list.h"
#include "base/span.h"
#include "http/body.h"

struct connection;
struct field;
struct head;
struct head_block;
struct service;
struct target;
struct transport;

enum phase {
	PHASE_OPEN,     /* no answer yet */
	PHASE_ANSWERED, /* exchange_answer was called */
	PHASE_TUNNEL,   /* exchange_upgrade was called: up and down are raw streams */
	PHASE_OVER,     /* nothing more will be written; goes at the turn's end */
};

struct exchange {
	struct connection *connection;
	struct transport *transport;
	struct link in_transport;      /* owner: transport.exchanges */
	uint64_t id;                   /* unlike any other of this process; text: exchange_id_text */
	const struct head *request;    /* never NULL; in the head block */
	const struct target *target;   /* normalised; never NULL; in the head block */
	struct head_block *block;      /* private to the transport, as is the next */
	void *carrier;
	struct body up, down;          /* towards the service; towards the client */
	const struct service *service; /* NULL until the door has chosen */
	void *service_state;           /* the service's */
	int64_t started;               /* mono: the head was complete */
	uint64_t bytes_up, bytes_down; /* body bytes: received from, written to the client */
	uint64_t up_most;              /* body bytes that may come: set by on_exchange; 0: any number */
	uint16_t status;               /* of the answer; 0: none yet */
	uint8_t phase;                 /* enum phase */
	enum ending ending;            /* valid in on_left and in service->release */
	/* What the service tells of its far side, in microseconds from its own beginning; for the log and figures. */
	struct { int64_t began, connected, first_byte; } far; /* mono; 0: it did not come to that */
	struct span up_trailers;       /* "Name: value\r\n" lines, filtered; valid once up has ended */
	bool is_head;                  /* method HEAD: the answer has no body whatever it says */
};

enum { EXCHANGE_ID_SIZE = 17 };
/* 16 lower-case hex digits, terminated. */
void exchange_id_text(const struct exchange *exchange, char out[static EXCHANGE_ID_SIZE]);

/* -- for the door: choose who answers, and open it. Also from inside another service (a relay that
 *    found its upstream down hands over to the refusal): that one gets release, not cancel.
 *    Only in PHASE_OPEN. -- */
void exchange_hand_over(struct exchange *exchange, const struct service *service, void *state);

/* Would `more` body bytes be too many, or are those too many that came or were announced? For on_exchange, and for
 * transports, which answer BAD_TOO_LARGE. */
bool exchange_is_over_ceiling(const struct exchange *exchange, size_t more);

/* -- for services -- */
/* A head to be filled with fields and given to exchange_answer: no reason (the code's usual one is
 * written), no fields; body in chunks unless framing and length say otherwise. */
void exchange_answer_init(struct head *answer, unsigned code);
/* The final answer (status 200..599). Copied before it returns. Left out, because the transport
 * writes its own: Connection, Keep-Alive, Proxy-Connection, Transfer-Encoding, Content-Length,
 * Upgrade, Trailer, TE and all that the answer's Connection field names. Framing comes from
 * answer->framing: BODY_LENGTH with answer->length, or unknown (chunked, until close). no_body: the
 * answer is over with its head; a Content-Length is still announced for HEAD and 304 when framing
 * is BODY_LENGTH. Nothing is written before the first body_show on `down`, exchange_flush or the
 * turn's end, so that head and body share a record. A second call is ignored. */
void exchange_answer(struct exchange *exchange, const struct head *answer, bool no_body);
/* 1xx but 101 (100 and 103 are passed on, others dropped; none to HTTP/1.0 clients). */
void exchange_interim(struct exchange *exchange, const struct head *answer);
/* 101: from here on `up` and `down` are raw streams and no deadline but the certificate's holds.
 * Calls host->on_tunnel, then gives the head's memory back: `request` and `target` are empty
 * afterwards. Bytes that the client sent behind its head come through on_up. */
void exchange_upgrade(struct exchange *exchange, const struct head *answer);
/* The service is ready for request bytes: a client that waits for 100 (Continue) gets it. A service
 * that never calls it and has an on_up gets the bytes of impatient clients only. */
void exchange_want_body(struct exchange *exchange);
/* Trailers of the answer; before the last body_show on `down`. Copied; at most 8 KB, else dropped;
 * fields about framing or routing are left out (RFC 9110 section 6.5.1). */
void exchange_trailers(struct exchange *exchange, const struct field *fields, size_t count);
/* Send what was gathered: once, at the end of a handler that answered or showed bytes. Forgetting
 * it costs only the time to the turn's end. */
void exchange_flush(struct exchange *exchange);
/* After the answer the connection closes (HTTP/1); for refusals of what may not go on. */
void exchange_close_after(struct exchange *exchange);

/* -- for the door -- */
/* End this exchange alone, by decision: its far side is cut, a tunnel may say its last word. False: the
 * transport carries one at a time, so connection_end is what there is. */
MUST_CHECK bool exchange_end(struct exchange *exchange, enum ending why);

#endif
