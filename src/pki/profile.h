/*
 * profile - the kinds of certificates that we make, one row each: key, life,
 * and what stands in them. Nothing of it ever comes from a request.
 */
#ifndef PKI_PROFILE_H
#define PKI_PROFILE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/span.h"
#include "pki/alternative_name.h"
#include "pki/certificate.h"
#include "pki/key.h"

enum { PROFILE_HOSTS_MAX = 100, COMMON_NAME_MAX = 64 };

enum profile_kind {
	PROFILE_ROOT,
	PROFILE_ISSUING,
	PROFILE_PERSON,
	PROFILE_AGENT,
	PROFILE_SERVER,
	PROFILE_OCSP
};

struct profile {
	enum profile_kind kind;
	const char *name;  /* "person": the registry's word */
	enum key_kind key; /* what we generate when the key is ours to make */
	int64_t life;      /* seconds */
	unsigned jitter;   /* per cent of life, up and down: not all renew on one day */
	bool is_authority;
	int path_length;      /* of an authority */
	unsigned usages;      /* USAGE_ bits: keyUsage, always critical */
	unsigned purposes;    /* PURPOSE_ bits: extendedKeyUsage; 0: none */
	bool has_nocheck;     /* id-pkix-ocsp-nocheck */
	bool is_for_browsers; /* so no Ed25519 */
};

/* Whom the certificate is for; borrowed spans. What a profile does not use is not looked at. */
struct subject_facts {
	struct span house;  /* trust domain: root, issuing, ocsp */
	unsigned number;    /* issuing, ocsp: 1, 2, ..; makes the name unlike the last one's */
	struct span person; /* person: "Alice"; may be empty for a device that nobody owns */
	struct span label;  /* person: "laptop" */
	struct span email;  /* person: may be empty */
	struct span device; /* person, agent: the device id's text, HEX32.d.TRUST */
	const struct span *hosts; /* server: 1 to PROFILE_HOSTS_MAX DNS names and IP addresses */
	size_t host_count;
};

const struct profile *profile_get(enum profile_kind kind);
const struct profile *profile_find(struct span name); /* NULL: no such row */

/* When one made at `now` ends: its life with its jitter, or exactly `asked` seconds later if that
 * is neither 0 nor longer than life and jitter allow. */
int64_t profile_not_after(const struct profile *profile, int64_t now, int64_t asked);
/* The CN: "Alice - laptop - 2027" (the year it ends, UTC), the device id, the first host,
 * "Chatelaine root for chat.example.com". At most 64 characters; what is too long loses its end,
 * person and label before the year. Added to `out`. */
MUST_CHECK enum status profile_common_name(const struct profile *profile,
					   const struct subject_facts *facts, int64_t not_after,
					   struct buffer *out, struct error *err);
/* The subjectAltName's entries. At most `room`; the values' bytes go to `text`. REFUSED: a bad
 * name, by its value. */
MUST_CHECK enum status profile_alternative_names(const struct profile *profile,
						 const struct subject_facts *facts,
						 struct buffer *text, struct alternative_name *out,
						 size_t room, size_t *count, struct error *err);
/* "chatelaine:HEX32.d.TRUST", what a person's certificate has as URI. */
void profile_device_uri(struct span device, struct buffer *out);

#endif
