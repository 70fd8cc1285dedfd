#include <stdlib.h>

#include "http/connection_parts.h"
#include "stream/stream.h"
#include "stream/tls_stream.h"
#include "wire/proxy_line.h"

static void remember(struct connection *connection, const struct error *err)
{
	/* Without memory for it the stream's own reason is told. */
	if (!connection->trouble)
		connection->trouble = malloc(sizeof *connection->trouble);
	if (connection->trouble)
		*connection->trouble = *err;
}

enum status preface_read(struct connection *connection)
{
	struct proxy_line line;
	struct error err = {""};
	enum status status;
	struct span there;
	size_t used;

	do {
		status = stream_look_ahead(connection->stream, PROXY_LINE_MOST, &there, &err);
		if (status != OK)
			return status;
		status = proxy_line_parse(there, &line, &used, &err);
	} while (status == AGAIN);
	if (status != OK) {
		error_context(&err, "proxy-from names this address, but what it sent is refused");
		remember(connection, &err);
		return status;
	}
	stream_pass(connection->stream, used);
	if (line.has_client)
		connection->peer = line.client;
	return OK;
}

bool preface_is_strangers(struct connection *connection)
{
	struct error err;

	if (!proxy_line_begins(tls_stream_clear_bytes(connection->stream)))
		return false;
	(void)error_refuse(&err, connection->is_proxied
					 ? "a second PROXY header; one balancer a connection is believed"
					 : "a PROXY header from an address that proxy-from does not name; it is not "
					   "believed. Is this your balancer? Then name it there");
	remember(connection, &err);
	return true;
}
