#include "access/identity.h"

#include <string.h>

#include "shm/roster.h"

struct identity identity_nobody(enum who why)
{
	return (struct identity){.who = why};
}

static enum who who_of(enum roster_state state)
{
	switch (state) {
	case ROSTER_ACTIVE:
		return WHO_KNOWN;
	case ROSTER_SUSPENDED:
		return WHO_SUSPENDED;
	case ROSTER_REVOKED:
		return WHO_REVOKED;
	case ROSTER_PENDING:
		return WHO_PENDING;
	case ROSTER_NOT_YET:
		return WHO_NOT_YET;
	case ROSTER_EXPIRED:
		return WHO_EXPIRED;
	}
	return WHO_UNKNOWN;
}

enum who who_of_foreign(enum foreign_why why)
{
	switch (why) {
	case FOREIGN_GOOD:
		return WHO_KNOWN;
	case FOREIGN_UNKNOWN_ISSUER:
		return WHO_UNKNOWN;
	case FOREIGN_BAD_PATH:
		return WHO_FOREIGN_BAD_PATH;
	case FOREIGN_EXPIRED:
		return WHO_EXPIRED;
	case FOREIGN_NOT_YET:
		return WHO_NOT_YET;
	case FOREIGN_WRONG_PURPOSE:
		return WHO_FOREIGN_PURPOSE;
	case FOREIGN_REVOKED:
		return WHO_FOREIGN_REVOKED;
	case FOREIGN_LIST_TOO_OLD:
		return WHO_FOREIGN_LIST;
	case FOREIGN_NO_IDENTITY:
		return WHO_FOREIGN_NO_IDENTITY;
	}
	return WHO_UNKNOWN;
}

struct identity identity_judge(const struct standing *standing, int64_t now)
{
	struct identity identity;

	if (!standing)
		return identity_nobody(WHO_UNKNOWN);
	identity = (struct identity){.who = who_of(roster_judge(standing, now)),
				     .group_set = standing->group_set,
				     .not_before = standing->not_before,
				     .not_after = standing->not_after};
	memcpy(identity.device, standing->device, sizeof identity.device);
	return identity;
}
