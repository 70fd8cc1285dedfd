#include "command/example.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/encode.h"
#include "command/example_parts.h"
#include "command/options.h"
#include "http/connection.h"
#include "http/service.h"
#include "stream/listener.h"
#include "stream/plain_stream.h"
#include "wire/http_head.h"
#include "wire/target.h"

enum { CONNECTIONS = 2048, SLABS = 4096, BACKLOG = 512, TURN_MS = 1000 };

struct example {
	struct loop *loop;
	struct listener *listener;
	struct http_host host;
};

static volatile sig_atomic_t is_stopped;

static void stop(int signal)
{
	(void)signal;
	is_stopped = 1;
}

/* The door writes what is not printable ASCII as %XX. */
static struct span decode(struct span value, char *into, size_t room)
{
	size_t size = 0;
	uint8_t byte;

	while (value.size > 0 && size < room) {
		size_t used = 1;

		byte = (uint8_t)value.at[0];
		if (byte == '%' && value.size >= 3 &&
		    hex_read(span_make(value.at + 1, 2), &byte, 1))
			used = 3;
		into[size++] = (char)byte;
		span_skip(&value, used);
	}
	return span_make(into, size);
}

void example_who(const struct exchange *exchange, struct example_who *out)
{
	const struct {
		const char *name;
		struct span *value;
	} rows[] = {
		{"X-Chatelaine-Person", &out->person}, {"X-Chatelaine-Email", &out->email},
		{"X-Chatelaine-Device", &out->device}, {"X-Chatelaine-Groups", &out->groups},
	};
	size_t used = 0, i;

	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct field *field = head_find_name(exchange->request, rows[i].name);

		*rows[i].value = decode(field ? field->value : SPAN(""), out->room + used,
					sizeof out->room - used);
		used += rows[i].value->size;
	}
}

uint64_t example_query(const struct exchange *exchange, const char *name, uint64_t otherwise,
		       uint64_t most)
{
	struct span rest = exchange->target->query, pair, key;
	uint64_t number;

	while (span_cut(&rest, '&', &pair))
		if (span_cut(&pair, '=', &key) && span_is(key, name) &&
		    span_to_u64(pair, UINT64_MAX, &number))
			return number < most ? number : most;
	return otherwise;
}

static void on_exchange(struct exchange *exchange)
{
	struct span path = exchange->target->path;
	const struct service *service = span_is(path, "/live")   ? &example_live
					: span_is(path, "/echo") ? &example_echo
								 : example_page(path);

	exchange_hand_over(exchange, service, NULL);
}

static void on_accept(void *arg, int fd, const struct address *peer)
{
	struct example *example = arg;
	struct connection_birth birth = {.peer = *peer};
	struct connection *connection;

	if (plain_stream_new(fd, &birth.stream, NULL) != OK) {
		close(fd);
		return;
	}
	/* REFUSED is the ceiling: the stream is gone, and the client sees a closed connection. */
	if (connection_new(&example->host, &birth, &connection, NULL) != OK)
		return;
}

static enum status open_socket(const struct address *address, int *out, struct error *err)
{
	const int on = 1;
	int fd = socket(address->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0)
		return error_fail_errno(err, "cannot open a socket");
	if (address->any.sa_family == AF_UNIX)
		(void)unlink(address->un.sun_path);
	(void)setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof on);
	if (bind(fd, &address->any, address->size) || listen(fd, BACKLOG)) {
		char text[ADDRESS_TEXT_SIZE];

		address_text(address, text);
		close(fd);
		return errno == EADDRINUSE
			       ? error_refuse(err, "%s is in use; choose another with --listen", text)
			       : error_fail_errno(err, "cannot listen on %s", text);
	}
	*out = fd;
	return OK;
}

static enum status start(struct example *example, const struct address *address, struct error *err)
{
	enum status status;
	int fd = -1;

	TRY(loop_new(&example->loop, err));
	example->host.loop = example->loop;
	http_limits_default(&example->host.limits);
	example->host.limits.connections = CONNECTIONS;
	example->host.limits.memory_slabs = SLABS;
	example->host.visit_size = sizeof(struct example_visit);
	example->host.on_exchange = on_exchange;
	TRY(http_host_init(&example->host, err));
	TRY(open_socket(address, &fd, err));
	TRY(listener_start(example->loop, fd, on_accept, example, &example->listener, err));
	fd = -1;
done:
	if (fd >= 0)
		close(fd);
	return status;
}

static void end(struct example *example)
{
	int turns;

	if (!example->listener)
		return;
	listener_stop(example->listener);
	http_host_end(&example->host, ENDED_STOPPING);
	for (turns = 0; turns < 200 && http_host_connections(&example->host) > 0; turns++)
		(void)loop_turn(example->loop, 10);
	example_live_release();
}

static enum status run(const struct address *address, struct error *err)
{
	const struct sigaction action = {.sa_handler = stop}, ignore = {.sa_handler = SIG_IGN};
	static struct example example;
	char text[ADDRESS_TEXT_SIZE];
	enum status status;

	TRY(start(&example, address, err));
	sigaction(SIGINT, &action, NULL);
	sigaction(SIGTERM, &action, NULL);
	sigaction(SIGPIPE, &ignore, NULL);
	address_text(address, text);
	printf("The example application listens on %s%s; Ctrl-C ends it.\n",
	       address->any.sa_family == AF_UNIX ? "" : "http://", text);
	fflush(stdout);
	while (!is_stopped)
		(void)loop_turn(example.loop, TURN_MS);
	end(&example);
	if (address->any.sa_family == AF_UNIX)
		(void)unlink(address->un.sun_path);
done:
	return status;
}

int command_example(struct invocation *invocation)
{
	const char *listen_text = NULL;
	const struct option_row rows[] = {{"listen", &listen_text, NULL}};
	struct address address;
	struct error err;

	if (options_parse(rows, 1, &invocation->argc, invocation->argv, &err) != OK)
		return command_usage(invocation, "%s", err.text);
	if (invocation->argc)
		return command_usage(invocation, "takes no words");
	if (!listen_text)
		listen_text = "127.0.0.1:3000";
	if (address_parse(span_of(listen_text), &address, &err) != OK)
		return command_usage(invocation, "--listen %s", err.text);
	if (!address_is_loopback(&address))
		return command_usage(invocation, "--listen %s: it believes every header, so it may "
				     "only listen on 127.0.0.1, [::1] or a Unix socket", listen_text);
	return run(&address, &err) == OK ? EXIT_DONE : command_fail(invocation, &err);
}
