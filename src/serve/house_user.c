#include "serve/house_user.h"

#include <pwd.h>
#include <sys/stat.h>
#include <unistd.h>

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

void house_user_choose(enum house_user which, const char *state, struct sandbox_user *out, bool *is_fallback)
{
	struct stat facts;

	*is_fallback = false;
	*out = (struct sandbox_user){getuid(), getgid()};
	if (geteuid() != 0)
		return;
	/* The files' owner may be another than the user of today: whoever owns them can use them. */
	if (which == HOUSE_USER_AUTHORITY && stat(state, &facts) == 0 && facts.st_uid != 0) {
		*out = (struct sandbox_user){facts.st_uid, facts.st_gid};
		return;
	}
	if (which != HOUSE_USER_AUTHORITY && house_user_find(which, out))
		return;
	*is_fallback = true;
	if (which == HOUSE_USER_RESOLVER && house_user_find(HOUSE_USER_GATEWAY, out))
		return;
	if (which != HOUSE_USER_AUTHORITY)
		*out = (struct sandbox_user){NOBODY, NOBODY};
}
