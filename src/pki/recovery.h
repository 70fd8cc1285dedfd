/*
 * recovery - the phrase under which the root key waits: 128 random bits that
 * people can copy by hand.
 *
 * Seven groups of five: "7K2MX-9QPD4-..". Four characters of each group carry
 * 20 bits, the fifth checks the four and the group's place, so that a slip is
 * named by its group; the last 12 of the 140 bits check the whole. Alphabet
 * of 32 (digits and letters without I, L, O, U); case, spaces, hyphens and
 * dashes are forgiven, and o is read as 0, i and l as 1.
 *
 * The key is sealed by key_write_pem_sealed with the text in this exact form.
 */
#ifndef PKI_RECOVERY_H
#define PKI_RECOVERY_H

#include "base/error.h"
#include "base/secret.h"
#include "base/span.h"

enum { RECOVERY_GROUPS = 7, RECOVERY_GROUP_SIZE = 5, RECOVERY_TEXT_SIZE = 41 };

/* A new phrase, RECOVERY_TEXT_SIZE characters. Cannot fail. */
struct secret *recovery_make(void);
/* What somebody typed, in the exact form. REFUSED: "group 3 does not check out: look at each of
 * its characters". The text never shows what was typed but for one character that no phrase has. */
MUST_CHECK enum status recovery_read(struct span typed, struct secret **out, struct error *err);

#endif
