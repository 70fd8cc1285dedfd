/*
 * identity - who is at the door: a device that the roster knows, or nobody
 * and the reason.
 *
 * It is made from the roster's standing of one fingerprint, never from what a
 * certificate says about itself, and it is true for one request: the next
 * request judges anew. Plain values, no pointers; copy it freely.
 */
#ifndef ACCESS_IDENTITY_H
#define ACCESS_IDENTITY_H

#include <stdbool.h>
#include <stdint.h>

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
};

struct identity {
	enum who who;
	uint8_t device[16];   /* set for everything but NO_CERTIFICATE and UNKNOWN */
	uint32_t group_set;   /* a row of the roster's group sets */
	int64_t not_before, not_after; /* seconds since 1970; in force from the one to the other, both included */
};

/* Nobody, for this reason. */
struct identity identity_nobody(enum who why);
/* What the standing means at `now` (seconds since 1970). A state this program does not know is
 * WHO_UNKNOWN. NULL standing: WHO_UNKNOWN. */
struct identity identity_judge(const struct standing *standing, int64_t now);

static inline bool identity_is_known(const struct identity *identity)
{
	return identity->who == WHO_KNOWN;
}

#endif
