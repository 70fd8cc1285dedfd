/*
 * signer - an authority's key and certificate, and what they sign.
 *
 * What goes into a certificate comes from its profile and from subject_facts
 * that our own registry filled; of the asker comes the public key alone. The
 * serial is 159 random bits. notBefore is five minutes before now, for clocks
 * that go wrong, but not before the issuer's own; notAfter never outlives the
 * issuer. Nothing is recorded here: the caller records before it hands out.
 */
#ifndef PKI_SIGNER_H
#define PKI_SIGNER_H

#include "base/error.h"
#include "pki/certificate.h"
#include "pki/key.h"
#include "pki/profile.h"

struct signer;

/* Takes key and certificate on OK only. REFUSED: they do not belong together, no CA, a weak key. */
MUST_CHECK enum status signer_new(struct key *key, struct certificate *certificate,
				  struct signer **out, struct error *err);
void signer_free(struct signer *signer);                                   /* NULL is fine */
const struct certificate *signer_certificate(const struct signer *signer); /* borrowed */
const struct key *signer_key(const struct signer *signer);                 /* borrowed */

/* Sign at the present time (base/clock). `life`: seconds, 0 for the profile's own; see
 * profile_not_after. REFUSED: a weak key, a bad name, an issuer that has expired or may not sign
 * this profile (root signs issuing, issuing the rest). */
MUST_CHECK enum status signer_sign(const struct signer *signer, const struct profile *profile,
				   const struct subject_facts *facts, const struct key *public_key,
				   int64_t life, struct certificate **out, struct error *err);
/* A new root for facts->house: makes its key and signs itself. */
MUST_CHECK enum status signer_make_root(const struct subject_facts *facts, struct signer **out,
					struct error *err);
/* A new issuing authority under `root`; facts->house, facts->number. */
MUST_CHECK enum status signer_make_issuing(const struct signer *root,
					   const struct subject_facts *facts, struct signer **out,
					   struct error *err);

/* The one after `present`: as signer_make_issuing, but valid from the day on which `present` no
 * longer outlives the longest leaf, a week early; it takes over then. */
MUST_CHECK enum status signer_make_next_issuing(const struct signer *root,
						const struct subject_facts *facts,
						const struct signer *present,
						struct signer **out, struct error *err);

#endif
