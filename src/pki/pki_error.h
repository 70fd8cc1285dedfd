/*
 * pki_error - OpenSSL's error queue turned into a sentence; for pki/ only.
 *
 * The queue belongs to the thread and outlives the call that filled it, so
 * whoever ends a failing OpenSSL call here empties it, by one of these.
 */
#ifndef PKI_PKI_ERROR_H
#define PKI_PKI_ERROR_H

#include "base/error.h"

/* "what: the queue's oldest reason"; empties the queue; FAILED. */
enum status pki_fail(struct error *err, const char *what);
/* The same, REFUSED: for bytes that somebody gave us. */
enum status pki_refuse(struct error *err, const char *what);
/* Empty the queue after a failure that is an answer (no such extension, wrong signature). */
void pki_forget(void);

#endif
