#include "serve/house_user.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authority/house.h"

enum { NOBODY = 65534 };

bool house_user_find(enum house_user which, struct sandbox_user *out)
{
	static const char *const names[] = {"chatelaine", "chatelaine-gateway", "chatelaine-resolver"};
	struct passwd *found = geteuid() == 0 ? getpwnam(names[which]) : NULL;

	if (!found)
		return false;
	*out = (struct sandbox_user){found->pw_uid, found->pw_gid};
	return true;
}

/* Root's folder, in which its group makes files: no place for a process that is root. */
static bool is_open_to_others(const char *state)
{
	struct stat facts;

	return stat(state, &facts) == 0 && facts.st_mode & 022;
}

void house_user_choose(enum house_user which, const char *state, struct sandbox_user *out, bool *is_fallback)
{
	struct sandbox_user owner;

	*is_fallback = false;
	*out = (struct sandbox_user){getuid(), getgid()};
	if (geteuid() != 0)
		return;
	/* The files' owner may be another than the user of today: whoever owns them can use them. */
	if (which == HOUSE_USER_AUTHORITY && house_owner(state, &owner.uid, &owner.gid) && owner.uid != 0) {
		*out = owner;
		return;
	}
	if (which == HOUSE_USER_AUTHORITY && is_open_to_others(state) && house_user_find(which, out))
		return;
	if (which != HOUSE_USER_AUTHORITY && house_user_find(which, out))
		return;
	*is_fallback = true;
	if (which == HOUSE_USER_RESOLVER && house_user_find(HOUSE_USER_GATEWAY, out))
		return;
	if (which != HOUSE_USER_AUTHORITY)
		*out = (struct sandbox_user){NOBODY, NOBODY};
}
