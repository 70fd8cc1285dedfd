#include "event/service_notice.h"

#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

/* "/path", or "@name" for a name without a file. */
static socklen_t address_of(const char *name, struct sockaddr_un *out)
{
	size_t size = strlen(name);

	*out = (struct sockaddr_un){.sun_family = AF_UNIX};
	if ((name[0] != '/' && name[0] != '@') || size < 2 || size >= sizeof out->sun_path)
		return 0;
	memcpy(out->sun_path, name, size);
	if (name[0] == '@')
		out->sun_path[0] = 0;
	return (socklen_t)(offsetof(struct sockaddr_un, sun_path) + size);
}

void service_notice(const char *format, ...)
{
	const char *name = getenv("NOTIFY_SOCKET");
	struct sockaddr_un address;
	socklen_t size = name ? address_of(name, &address) : 0;
	int fd = size ? socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0) : -1;
	char text[512];
	va_list args;

	if (fd < 0)
		return;
	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	(void)!sendto(fd, text, strlen(text), MSG_NOSIGNAL, (const struct sockaddr *)&address, size);
	close(fd);
}

void service_notice_alive(void)
{
	const char *pid = getenv("WATCHDOG_PID");

	if (getenv("WATCHDOG_USEC") && (!pid || strtol(pid, NULL, 10) == (long)getpid()))
		service_notice("WATCHDOG=1");
}
