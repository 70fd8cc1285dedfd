/*
 * revocation_list - what the CAs of one trust set have revoked: the CRLs of
 * one file (RFC 5280 section 5), PEM or DER, several in one file.
 *
 * Each list is proved once, when it is read: its signer must be among the
 * certificates given, and be allowed to sign lists. Kept is a sorted table
 * of serial numbers; asking is a search in it. What a list cannot say in full
 * (a delta, a list of another issuer's certificates) is refused when read.
 * A list that is too old goes on revoking what stands in it.
 *
 * Reading a long one takes a gateway's time (0.3 s for 200,000 numbers), and it
 * is asked for anew whenever any file of the configuration changes: the same
 * bytes with the same signers are the same object while somebody holds it.
 */
#ifndef PKI_REVOCATION_LIST_H
#define PKI_REVOCATION_LIST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "pki/digest.h"

struct certificate;
struct x509_st;
struct revocation_lists;

enum { REVOCATION_LISTS_MOST = 64, SERIAL_KEY_SIZE = 21 };

/* Which certificate of which issuer, in few bytes. */
struct certificate_reference {
	uint8_t issuer[SHA256_SIZE]; /* of the issuer's key */
	uint8_t serial[SERIAL_KEY_SIZE];
};
void certificate_refer(const struct x509_st *certificate, const struct x509_st *issuer,
		       struct certificate_reference *out);

struct revocation_list_facts {
	const char *issuer;  /* RFC 4514 */
	int64_t this_update; /* seconds since 1970 */
	int64_t next_update; /* the same; INT64_MAX: it says none */
	size_t count;        /* of serial numbers */
};

/* `signers` are those who may sign them. REFUSED: no list in it, or which one is wrong and how. */
MUST_CHECK enum status revocation_lists_parse(struct span bytes, struct certificate *const *signers,
					      size_t signers_count, struct revocation_lists **out,
					      struct error *err);
void revocation_lists_free(struct revocation_lists *lists); /* gives one reference back; NULL is fine */

size_t revocation_lists_count(const struct revocation_lists *lists);
const struct revocation_list_facts *revocation_lists_facts(const struct revocation_lists *lists, size_t i);
bool revocation_lists_have(const struct revocation_lists *lists, const struct certificate_reference *which);
/* Until when the newest list of this issuer is in date; 0: there is no list of it. */
int64_t revocation_lists_fresh_until(const struct revocation_lists *lists, const uint8_t issuer[static SHA256_SIZE]);

#endif
