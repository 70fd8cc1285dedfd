/*
 * crypto_start - OpenSSL made ready before a process shuts itself in.
 *
 * Call once, first thing in main (but behind CRYPTO_set_mem_functions). No
 * openssl.cnf is read, neither the system's nor $OPENSSL_CONF: what the door
 * accepts is what its own config says. The algorithms we use are fetched, so
 * that a process in its sandbox opens no file for them.
 */
#ifndef PKI_CRYPTO_START_H
#define PKI_CRYPTO_START_H

#include "base/error.h"

/* FAILED: this machine's libcrypto lacks what we need; the text says what. */
MUST_CHECK enum status crypto_start(struct error *err);

#endif
