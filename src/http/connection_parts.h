/*
 * connection_parts - what a connection is made of; for connection.c and its neighbours in http/.
 */
#ifndef HTTP_CONNECTION_PARTS_H
#define HTTP_CONNECTION_PARTS_H

#include <stdalign.h>
#include <stddef.h>

#include "event/timer.h"
#include "http/connection.h"

struct transport;

enum connection_state {
	CONNECTION_PREFACE,
	CONNECTION_HANDSHAKE,
	CONNECTION_OPEN,
	CONNECTION_ENDING,
	CONNECTION_CLOSING,
	CONNECTION_CLOSED,
};

struct connection {
	struct http_host *host;
	struct link in_host; /* owner: http_host.live */
	struct link in_crowd, in_queue; /* see crowd.h */
	int64_t idle_since;
	uint32_t live;       /* exchanges under way */
	bool is_settled, is_known, is_familiar;
	struct stream *stream;
	struct transport *transport; /* in `rest`; NULL before OPEN and after release */
	struct timer timer;
	struct task work;    /* tidying, and every step towards the end */
	int64_t deadline, end, born;
	uint64_t id, exchanges;
	void *listener;
	struct address peer;
	uint8_t state;       /* enum connection_state */
	enum ending why;     /* from ENDING on */
	bool is_tls, is_secure, is_proxied;
	struct error *trouble; /* why the preface was refused; NULL: the stream knows */
	const char *blame;   /* a text that lasts, or NULL */
	bool tidies;         /* the posted work includes the transport's tidy */
	bool drains;
	bool is_tunnel;      /* all of it is one raw stream */
	bool ends;           /* ENDING: not told to the transport yet */
	bool last_word;      /* ENDING: a tunnel may still write */
	bool resets;         /* CLOSING: no good order */
	bool is_closed_told; /* on_closed was called */
	bool is_flushed;     /* CLOSING: all is with the kernel */
	alignas(max_align_t) char rest[]; /* the transport, then the guest */
};

/* Of one slab, guest included. */
size_t connection_size(const struct http_host *host);
/* -- connection_preface.c -- */
/* The PROXY header: OK: the peer is who it names. REFUSED: `trouble` says why, or the stream does. */
enum status preface_read(struct connection *connection);
/* What came in place of TLS begins as such a header: `trouble` is set. */
bool preface_is_strangers(struct connection *connection);
/* -- connection.c -- */
/* For crowd: the handshake's turn. */
void connection_shake(struct connection *connection);
/* Adds the whole HTTP/1.1 answer to a plain request on a TLS port. */
struct buffer;
void plain_answer(struct connection *connection, struct span request, struct buffer *out);

#endif
