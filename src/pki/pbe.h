/*
 * pbe - what a password may have been used for in a file that somebody gives
 * us; for pki/ only. A file says itself how much work opening it is, so that
 * is looked at before.
 */
#ifndef PKI_PBE_H
#define PKI_PBE_H

#include <stdint.h>

#include "base/error.h"

struct X509_algor_st; /* X509_ALGOR */

/* Taken: PBES2 with PBKDF2 or scrypt, and PBE-SHA1-3DES. Adds what it costs to *work, in iterations
 * of PBKDF2. REFUSED: another algorithm (named, and how to convert), or more than two million in
 * all. */
MUST_CHECK enum status pbe_check(const struct X509_algor_st *algorithm, uint64_t *work,
				 struct error *err);
/* The same for a count that stands somewhere else. */
MUST_CHECK enum status pbe_check_iterations(uint64_t iterations, uint64_t *work, struct error *err);

#endif
