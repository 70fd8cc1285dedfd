/*
 * identity - who is at the door: a device that the roster knows, somebody of
 * a foreign CA, or nobody and the reason.
 *
 * It is made from the roster's standing of one fingerprint, never from what a
 * certificate says about itself; or from a validated path to a foreign CA's
 * root. It is true for one request: the next request judges anew. Plain
 * values, copy it freely; only `foreign` is borrowed, from the connection.
 */
#ifndef ACCESS_IDENTITY_H
#define ACCESS_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"
#include "pki/foreign_trust.h"

struct standing;

enum who {
	WHO_KNOWN,          /* an active device with a certificate that is in force */
	WHO_NO_CERTIFICATE, /* none was sent (browsers hide expired ones) */
	WHO_UNKNOWN,        /* a certificate, but not one of ours */
	WHO_EXPIRED,
	WHO_NOT_YET,
	WHO_REVOKED,
	WHO_SUSPENDED,
	WHO_PENDING,        /* the device is not active yet */
	WHO_ROSTER_TOO_OLD, /* nobody told us lately what is revoked: nobody is known */
	/* -- of a foreign CA; expired and not yet valid are the two above -- */
	WHO_FOREIGN_BAD_PATH,
	WHO_FOREIGN_PURPOSE,     /* not made for clients */
	WHO_FOREIGN_REVOKED,     /* by its CA's list */
	WHO_FOREIGN_LIST,        /* that list is too old to be believed */
	WHO_FOREIGN_NO_IDENTITY, /* it does not say who it is as it must */
	WHO_FOREIGN_NOT_ON_FILE, /* the foreign-ca's allow-file does not name it */
	WHO_FOREIGN_FILE,        /* that file cannot be read: nobody of it is accepted */
};

/* Somebody of a foreign CA. No device: ours are a registry's rows. */
struct foreign_person {
	struct span name;   /* "corp/alice@example.com" */
	struct span email;  /* empty unless the CA may name this domain */
	struct span groups; /* "staff,admins" */
	uint8_t key[32];    /* SHA-256 of the name, for allow-files */
};

struct identity {
	enum who who;
	uint8_t device[16];   /* set for everything but NO_CERTIFICATE and UNKNOWN */
	uint32_t group_set;   /* a row of the roster's group sets */
	int64_t not_before, not_after; /* seconds since 1970; in force from the one to the other, both included */
	const struct foreign_person *foreign; /* of KNOWN: not one of our devices; device and group_set are zero */
};

/* Nobody, for this reason. */
struct identity identity_nobody(enum who why);
/* What the standing means at `now` (seconds since 1970). A state this program does not know is
 * WHO_UNKNOWN. NULL standing: WHO_UNKNOWN. */
struct identity identity_judge(const struct standing *standing, int64_t now);

enum who who_of_foreign(enum foreign_why why);

static inline bool identity_is_known(const struct identity *identity)
{
	return identity->who == WHO_KNOWN;
}

#endif
