/*
 * issue - a certificate for a device: signed, recorded in the open
 * transaction, and only then in anybody's hands (after the commit).
 */
#ifndef AUTHORITY_ISSUE_H
#define AUTHORITY_ISSUE_H

#include "pki/certificate.h"
#include "pki/profile.h"
#include "registry/device_record.h"
#include "registry/person_record.h"

struct authority;
struct signer;

struct issue_wish {
	enum profile_kind profile;
	const struct person_record *person; /* NULL: nobody's device */
	const struct device_record *device;
	const struct key *public_key;
};

/* Inside a transaction. REFUSED: a weak key, one that another device has, or one that was revoked.
 * Caller frees *out. */
MUST_CHECK enum status authority_issue(struct authority *authority, const struct issue_wish *wish,
				       struct certificate **out, struct error *err);
/* Who signs that profile today. Borrowed. */
const struct signer *authority_signer(const struct authority *authority, enum profile_kind profile);
/* What stands behind a leaf: the issuing authority that signed it, and the root. Owned; release it. */
MUST_CHECK enum status authority_chain(struct authority *authority, const struct certificate *leaf,
				       struct certificate_list *out, struct error *err);

#endif
