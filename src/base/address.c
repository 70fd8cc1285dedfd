#include "base/address.h"

#include <arpa/inet.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

bool address_parse_ip(struct span text, struct address *out)
{
	char literal[INET6_ADDRSTRLEN];

	if (text.size >= 2 && text.at[0] == '[' && text.at[text.size - 1] == ']') {
		text.at++;
		text.size -= 2;
		if (!memchr(text.at, ':', text.size))
			return false;
	}
	if (text.size == 0 || text.size >= sizeof literal || memchr(text.at, 0, text.size))
		return false;
	memcpy(literal, text.at, text.size);
	literal[text.size] = 0;
	memset(out, 0, sizeof *out);
	if (inet_pton(AF_INET, literal, &out->in.sin_addr) == 1) {
		out->in.sin_family = AF_INET;
		out->size = sizeof out->in;
		return true;
	}
	if (inet_pton(AF_INET6, literal, &out->in6.sin6_addr) == 1) {
		out->in6.sin6_family = AF_INET6;
		out->size = sizeof out->in6;
		return true;
	}
	return false;
}

static enum status parse_unix(struct span text, struct address *out, struct error *err)
{
	struct span path = {text.at + 5, text.size - 5};

	if (path.size == 0 || path.at[0] != '/' || memchr(path.at, 0, path.size))
		return error_refuse(err, "\"%.*s\": a Unix socket is written unix:/absolute/path",
				    SPAN_PRINT(text));
	if (path.size >= sizeof out->un.sun_path)
		return error_refuse(err, "\"%.*s\": a Unix socket's path has at most %zu bytes",
				    SPAN_PRINT(text), sizeof out->un.sun_path - 1);
	memset(out, 0, sizeof *out);
	out->un.sun_family = AF_UNIX;
	memcpy(out->un.sun_path, path.at, path.size);
	out->size = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + path.size + 1);
	return OK;
}

enum status address_parse(struct span text, struct address *out, struct error *err)
{
	struct span host = text, port;
	struct address parsed;
	uint64_t number;

	if (span_starts(text, "unix:"))
		return parse_unix(text, out, err);
	while (host.size && host.at[host.size - 1] != ':')
		host.size--;
	if (host.size < 2)
		return error_refuse(err, "\"%.*s\": expected ADDRESS:PORT, like 0.0.0.0:443 or [::]:443",
				    SPAN_PRINT(text));
	port = span_make(host.at + host.size, text.size - host.size);
	host.size--;
	if (!span_to_u64(port, 65535, &number) || number == 0)
		return error_refuse(err, "\"%.*s\": the port must be a number from 1 to 65535",
				    SPAN_PRINT(text));
	/* Without brackets a colon would leave it open where the address ends. */
	if ((host.at[0] != '[' && memchr(host.at, ':', host.size)) || !address_parse_ip(host, &parsed))
		return error_refuse(err, "\"%.*s\": expected an IP address before the port, like "
				    "127.0.0.1 or [::1]", SPAN_PRINT(text));
	address_set_port(&parsed, (uint16_t)number);
	*out = parsed;
	return OK;
}

static bool is_mapped(const struct address *address)
{
	return address->any.sa_family == AF_INET6 &&
	       IN6_IS_ADDR_V4MAPPED(&address->in6.sin6_addr);
}

void address_ip_text(const struct address *address, char out[static ADDRESS_TEXT_SIZE])
{
	const void *bytes = &address->in.sin_addr;
	int family = address->any.sa_family;

	if (family != AF_INET && family != AF_INET6) {
		snprintf(out, ADDRESS_TEXT_SIZE, "unix");
		return;
	}
	if (family == AF_INET6)
		bytes = is_mapped(address) ? address->in6.sin6_addr.s6_addr + 12
					   : address->in6.sin6_addr.s6_addr;
	if (is_mapped(address))
		family = AF_INET;
	if (!inet_ntop(family, bytes, out, ADDRESS_TEXT_SIZE))
		out[0] = 0;
}

void address_text(const struct address *address, char out[static ADDRESS_TEXT_SIZE])
{
	char ip[INET6_ADDRSTRLEN] = "";

	if (address->any.sa_family == AF_UNIX)
		snprintf(out, ADDRESS_TEXT_SIZE, "unix:%s", address->un.sun_path);
	else if (address->any.sa_family == AF_INET6 &&
		 inet_ntop(AF_INET6, &address->in6.sin6_addr, ip, sizeof ip))
		snprintf(out, ADDRESS_TEXT_SIZE, "[%s]:%u", ip, address_port(address));
	else if (inet_ntop(AF_INET, &address->in.sin_addr, ip, sizeof ip))
		snprintf(out, ADDRESS_TEXT_SIZE, "%s:%u", ip, address_port(address));
}

uint16_t address_port(const struct address *address)
{
	if (address->any.sa_family == AF_INET)
		return ntohs(address->in.sin_port);
	return address->any.sa_family == AF_INET6 ? ntohs(address->in6.sin6_port) : 0;
}

void address_set_port(struct address *address, uint16_t port)
{
	if (address->any.sa_family == AF_INET)
		address->in.sin_port = htons(port);
	else if (address->any.sa_family == AF_INET6)
		address->in6.sin6_port = htons(port);
}

bool address_is_loopback(const struct address *address)
{
	switch (address->any.sa_family) {
	case AF_INET:
		return ntohl(address->in.sin_addr.s_addr) >> 24 == 127;
	case AF_INET6:
		return IN6_IS_ADDR_LOOPBACK(&address->in6.sin6_addr) ||
		       (is_mapped(address) && address->in6.sin6_addr.s6_addr[12] == 127);
	default:
		return true;
	}
}

bool address_is_same_host(const struct address *a, const struct address *b)
{
	char first[ADDRESS_TEXT_SIZE], second[ADDRESS_TEXT_SIZE];

	address_ip_text(a, first);
	address_ip_text(b, second);
	return strcmp(first, second) == 0;
}
