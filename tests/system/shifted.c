/* Preloaded into a command: its day is SHIFT seconds from today, and its small dice fall the same way each time. So a
 * certificate can be made that ends in the next seconds, by the very code that makes all others. */
#define _GNU_SOURCE
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <time.h>
#include <unistd.h>

int clock_gettime(clockid_t id, struct timespec *out)
{
	const char *shift = getenv("SHIFT");
	int result = (int)syscall(SYS_clock_gettime, id, out);

	if (result == 0 && id == CLOCK_REALTIME && shift)
		out->tv_sec += strtol(shift, NULL, 10);
	return result;
}

/* Ids, serials and keys are longer. */
ssize_t getrandom(void *into, size_t size, unsigned flags)
{
	if (size > sizeof(int))
		return syscall(SYS_getrandom, into, size, flags);
	memset(into, 0xff, size);
	return (ssize_t)size;
}
