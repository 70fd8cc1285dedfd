/*
 * probe - one look at a server from outside, as a client without a
 * certificate has it: connect, TLS, one request. Blocks, within a limit; for
 * commands, never for a process on a loop. What it finds is said, not judged.
 */
#ifndef STREAM_PROBE_H
#define STREAM_PROBE_H

#include <stdbool.h>

#include "base/address.h"
#include "base/buffer.h"
#include "base/error.h"
#include "pki/certificate.h"

enum { PROBE_ANSWER_MOST = 16384, PROBE_CHAIN_MOST = CERTIFICATE_CHAIN_MAX };

struct probe_options {
	struct address at;
	const char *server_name;          /* NULL: no TLS; else SNI, unless it is an IP address */
	const char *request;              /* HTTP; NULL: none is sent */
	int limit_ms;                     /* for each of connecting, handshake and answer */
	const struct certificate *root;   /* trusted besides the system's, and looked for in what the server asks for; or NULL */
};

enum probe_reached {
	PROBE_NOTHING,   /* no connection; `why` */
	PROBE_CONNECTED, /* but no TLS; `why` */
	PROBE_SECURED,   /* but no answer; `why` */
	PROBE_ANSWERED,
};

struct probe {
	enum probe_reached reached;
	struct error why;
	struct certificate_list chain;    /* as the server sent it; the leaf first */
	bool is_trusted;                  /* by the system's roots or `root`, dates and all, names apart */
	bool is_trusted_by_root;          /* by `root` alone */
	struct error distrust;            /* why not */
	bool asks, asks_for_root;         /* for a client certificate; naming `root` */
	char protocol[16], alpn[16];      /* "TLSv1.3", "h2" */
	struct buffer answer;             /* head and what came with it */
};

void probe_run(const struct probe_options *options, struct probe *out);
void probe_release(struct probe *probe);
/* A field of the answer's head, trimmed; empty: not there. */
struct span probe_field(const struct probe *probe, const char *name);
/* Of the answer's first line; 0: there is none. */
unsigned probe_status(const struct probe *probe);

#endif
