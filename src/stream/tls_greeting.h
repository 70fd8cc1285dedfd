/* tls_greeting - a client's side of one handshake; private to stream/: each tls_stream of a tls_client embeds one. */
#ifndef STREAM_TLS_GREETING_H
#define STREAM_TLS_GREETING_H

#include <openssl/ssl.h>
#include <stdint.h>

#include "base/error.h"

struct tls_client;

struct tls_greeting {
	struct tls_client *client; /* borrowed; NULL: a server's side, or freed already */
	int64_t seen_at;           /* seconds: when the server's certificate was verified, here or before it was resumed */
	int distrust;              /* X509_V_ERR_ of the first thing wrong; 0: none */
};

/* NULL: no memory. SSL_get_app_data is `greeting` from now on, which must stay where it is. */
SSL *tls_greeting_begin(struct tls_greeting *greeting, struct tls_client *client);
/* After SSL_do_handshake said 1. REFUSED: it speaks another protocol than was offered. */
MUST_CHECK enum status tls_greeting_settle(struct tls_greeting *greeting, SSL *ssl);

#endif
