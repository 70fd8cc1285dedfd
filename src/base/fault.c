#include "base/fault.h"

#ifdef WITH_FAULTS
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static char armed[32];
static unsigned left;
static bool environment_read;

void fault_arm(const char *point, unsigned n)
{
	environment_read = true;
	snprintf(armed, sizeof armed, "%s", point);
	left = n;
}

static void read_environment(void)
{
	const char *wish = getenv("CHATELAINE_FAULT");
	const char *colon = wish ? strchr(wish, ':') : NULL;

	environment_read = true;
	if (!colon)
		return;
	snprintf(armed, sizeof armed, "%.*s", (int)(colon - wish), wish);
	left = (unsigned)strtoul(colon + 1, NULL, 10);
}

bool fault_hits(const char *point)
{
	if (!environment_read)
		read_environment();
	return left > 0 && strcmp(point, armed) == 0 && --left == 0;
}
#else
typedef int fault_is_not_compiled_in; /* ISO C wants a declaration in every file */
#endif
