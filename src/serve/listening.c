#include "serve/listening.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "serve/port_holder.h"

enum { BACKLOG = 4096 };

static enum status say_busy(const struct address *address, struct error *err)
{
	char where[ADDRESS_TEXT_SIZE];
	struct buffer holder;
	enum status status;

	address_text(address, where);
	buffer_init(&holder, 256);
	port_holder_describe(address_port(address), &holder);
	status = error_refuse(
		err,
		"%s is in use by %s. Three ways on: (1) replace it: stop %s and start chatelaine again; "
		"(2) go behind it: set listen = {\"127.0.0.1:8443\"} and proxy-from = {\"127.0.0.1\"}, and pass TLS "
		"through to that address (\"chatelaine share-port SITE\" prints how for nginx); (3) stay beside it: set listen to another port, for instance %s%u",
		where, buffer_text(&holder), buffer_text(&holder),
		address->any.sa_family == AF_INET6 ? "[::]:" : "0.0.0.0:", 8443u);
	buffer_release(&holder);
	return status;
}

enum status listening_open(const struct address *address, int *out, struct error *err)
{
	char where[ADDRESS_TEXT_SIZE];
	enum status status;
	int one = 1, cause;
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);

	address_text(address, where);
	if (fd < 0)
		return error_fail_errno(err, "cannot make a socket for %s", where);
	setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof one);
	/* 0.0.0.0 and [::] stand side by side in the config; each takes its own family. */
	if (address->any.sa_family == AF_INET6)
		setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &one, sizeof one);
	if (bind(fd, &address->any, address->size) == 0 && listen(fd, BACKLOG) == 0) {
		*out = fd;
		return OK;
	}
	cause = errno;
	close(fd);
	errno = cause;
	if (cause == EADDRINUSE)
		return say_busy(address, err);
	if (cause == EACCES)
		return error_refuse(err,
				    "only root may listen on %s: start as root (chatelaine drops it), "
				    "give the service CAP_NET_BIND_SERVICE, or set listen to a port "
				    "above 1023",
				    where);
	if (cause == EADDRNOTAVAIL)
		return error_refuse(err, "%s is no address of this machine; see \"ip address\", or "
					 "listen on 0.0.0.0 and [::]", where);
	status = error_fail_errno(err, "cannot listen on %s", where);
	return status;
}

static bool someone_answers(const struct address *address)
{
	int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	bool answers = fd >= 0 && connect(fd, &address->any, address->size) == 0;

	if (fd >= 0)
		close(fd);
	return answers;
}

enum status listening_open_local(const char *path, uid_t owner, gid_t group, int *out,
				 struct error *err)
{
	struct address address;
	char text[ADDRESS_TEXT_SIZE + 8];
	enum status status;
	mode_t mask;
	int fd;

	if ((size_t)snprintf(text, sizeof text, "unix:%s", path) >= sizeof text)
		return error_refuse(err, "%s is too long for a socket; choose a shorter state folder",
				    path);
	status = address_parse(span_of(text), &address, err);
	if (status != OK)
		return status;
	if (someone_answers(&address))
		return error_refuse(err, "chatelaine is running on this state folder already (%s answers)",
				    path);
	unlink(path);
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0);
	mask = umask(0177);
	if (fd < 0 || bind(fd, &address.any, address.size) || listen(fd, 64) ||
	    (geteuid() == 0 && lchown(path, owner, group)))
		status = error_fail_errno(err, "cannot listen on %s", path);
	umask(mask);
	if (status != OK && fd >= 0)
		close(fd);
	if (status == OK)
		*out = fd;
	return status;
}
