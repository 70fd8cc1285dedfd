/*
 * foreign_trust - one CA that is not ours: its roots, what lies between, what
 * it has revoked, and which field of its certificates says who somebody is.
 *
 * Here alone certificates are validated as a path, by OpenSSL: up to a root
 * of this set and never a system root, no partial chains, 112 bits or better
 * (so no SHA-1, no MD5, no short key), the purpose clientAuth said in so many
 * words, no CA certificate as a leaf. Immutable once made, counted by
 * reference; whoever holds one may ask at any time.
 *
 * A path that was found is kept as a foreign_path: enough to judge it anew at
 * each request, by other roots and other lists, without its certificates.
 */
#ifndef PKI_FOREIGN_TRUST_H
#define PKI_FOREIGN_TRUST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"
#include "pki/certificate.h"
#include "pki/digest.h"
#include "pki/foreign_identity.h"
#include "pki/revocation_list.h"

struct foreign_trust;
struct stack_st_X509;
struct x509_st;

enum { FOREIGN_CHAIN_MOST = 10, FOREIGN_NAME_MOST = 64, FOREIGN_ROOTS_MOST = 64 };

struct foreign_trust_options {
	const char *name; /* "corp" */
	enum foreign_field field;
	struct span roots, intermediates; /* PEM; the second may be empty */
	struct span lists;                /* CRLs, PEM or DER; at NULL: none */
	/* An issuer whose list is too old, or has none, is not believed at all; else the list only
	 * goes on revoking what stands in it. */
	bool refuses_when_stale;
	/* FOREIGN_EMAIL only: domains whose addresses this CA may name. None: any, and then no e-mail
	 * address is told to applications. */
	char *const *domains;
	size_t domain_count;
};

/* REFUSED: no root, one that is not self-signed or no CA, one too weak, a list that cannot be used. */
MUST_CHECK enum status foreign_trust_new(const struct foreign_trust_options *options, struct foreign_trust **out,
					 struct error *err);
struct foreign_trust *foreign_trust_share(struct foreign_trust *trust);
void foreign_trust_free(struct foreign_trust *trust); /* gives one reference back; NULL is fine */

const char *foreign_trust_name(const struct foreign_trust *trust);
/* Roots, then what lies between; borrowed. NULL behind the last. For the CertificateRequest's names. */
const struct certificate *foreign_trust_certificate(const struct foreign_trust *trust, size_t i);
bool foreign_trust_is_root(const struct foreign_trust *trust, size_t i);
const struct revocation_lists *foreign_trust_lists(const struct foreign_trust *trust); /* may be NULL */
bool foreign_trust_refuses_when_stale(const struct foreign_trust *trust);
/* Of all that decides but the lists: equal sets are equal. */
const uint8_t *foreign_trust_digest(const struct foreign_trust *trust);

enum foreign_why {
	FOREIGN_GOOD,
	FOREIGN_UNKNOWN_ISSUER, /* no way from it to a root of this CA */
	FOREIGN_BAD_PATH,       /* a way, but not a sound one: signature, key, digest, path length, names, size */
	FOREIGN_EXPIRED,        /* it, or a CA above it */
	FOREIGN_NOT_YET,
	FOREIGN_WRONG_PURPOSE,  /* not for clients, or a CA certificate */
	FOREIGN_REVOKED,        /* it, or a CA above it */
	FOREIGN_LIST_TOO_OLD,   /* only with refuses_when_stale */
	FOREIGN_NO_IDENTITY,
};

struct foreign_path {
	enum foreign_why why; /* as the handshake found it; GOOD: the rest is filled */
	char text[160];       /* of what is not GOOD: why, for the log */
	char ca[FOREIGN_NAME_MOST + 1];
	enum foreign_field field;
	uint8_t anchor[SHA256_SIZE];   /* the root's fingerprint */
	int64_t not_before, not_after; /* of the whole path; both included */
	size_t step_count;             /* certificates but the root */
	struct certificate_reference steps[FOREIGN_CHAIN_MOST];
	struct span identity, issuer, serial; /* issuer: RFC 4514; serial: hex */
	char bytes[];
};

/* Validate, at `now` (seconds since 1970). `sent` is what the client sent, the leaf among it; may be
 * NULL. The caller's, by foreign_path_free; NULL: no memory. */
struct foreign_path *foreign_trust_verify(struct foreign_trust *trust, struct x509_st *leaf,
					  struct stack_st_X509 *sent, int64_t now);
void foreign_path_free(struct foreign_path *path); /* NULL is fine */
/* A path that is refused for its size before anything of it is looked at. */
struct foreign_path *foreign_path_refused(enum foreign_why why, const char *text);

/* What the path is worth now by this set, which need not be the one that found it. `*until` (may be
 * NULL): the last second for which this answer holds, if it is GOOD. */
enum foreign_why foreign_trust_judge(const struct foreign_trust *trust, const struct foreign_path *path, int64_t now,
				     int64_t *until);
/* The e-mail address that may be told to applications, or empty. */
struct span foreign_trust_email(const struct foreign_trust *trust, const struct foreign_path *path);

#endif
