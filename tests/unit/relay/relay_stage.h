/*
 * relay_stage - a client and an upstream in the test's own hands, and a relay
 * between them: http/ on one end of a socket pair, a listening socket on
 * loopback at the other. The clock stands still until stage_pass.
 *
 * The door is three functions here: its lines, its filter (the real one), its
 * refusals, which are recorded.
 */
#ifndef RELAY_STAGE_H
#define RELAY_STAGE_H

#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "door/refusal.h"
#include "door/visit.h"
#include "event/loop.h"
#include "http/connection.h"
#include "http/exchange.h"
#include "http/page.h"
#include "relay/passage.h"
#include "stream/plain_stream.h"

enum { STAGE_ROOM = 1 << 20 };

struct stage {
	struct loop *loop;
	struct http_host host;
	struct relay_worker *worker;
	struct relay *relay;
	struct connection *connection; /* the client's last; until it is closed */
	int listening, client, upstream; /* descriptors of the test; -1 */
	uint16_t port;
	const struct header_rules *rules;
	enum refusal refused; /* the last */
	unsigned refusals;
	enum ending closed_why;
	bool is_closed;
};

static struct stage stage;
static struct clock_time stage_now = {.wall = SECONDS(1800000000), .mono = SECONDS(1000)};

static struct clock_time stage_clock(void)
{
	return stage_now;
}

/* -- the door -- */

struct span visit_lines(struct exchange *exchange)
{
	(void)exchange;
	return SPAN("X-Chatelaine-Person: alice\r\nX-Forwarded-For: 192.0.2.1\r\n");
}

const struct header_rules *visit_header_rules(const struct exchange *exchange)
{
	(void)exchange;
	return stage.rules;
}

void visit_drop_lines(struct exchange *exchange)
{
	(void)exchange;
}

void refusal_answer(struct exchange *exchange, enum refusal why)
{
	stage.refused = why;
	stage.refusals++;
	page_answer(exchange, why == REFUSAL_UPSTREAM_SLOW  ? 504
			      : why == REFUSAL_UNAVAILABLE ? 503
							   : 502,
		    SPAN("text/plain"), SPAN("refused"));
}

const struct refusal_row *refusal_row(enum refusal why)
{
	static const struct refusal_row row = {.code = "C30"};

	(void)why;
	return &row;
}

static void stage_exchange(struct exchange *exchange)
{
	exchange_hand_over(exchange, relay_service(stage.relay), NULL);
}

static void stage_closed(struct connection *connection, enum ending why, const struct error *err)
{
	(void)err;
	if (connection != stage.connection)
		return;
	stage.connection = NULL;
	stage.closed_why = why;
	stage.is_closed = true;
}

/* -- time and turns -- */

static inline void stage_turn(void)
{
	int i;

	for (i = 0; i < 12; i++)
		(void)loop_turn(stage.loop, 0);
}

/* So much later. */
static inline void stage_pass(int64_t microseconds)
{
	stage_now.mono += microseconds;
	stage_now.wall += microseconds;
	stage_turn();
}

/* -- descriptors -- */

static inline void no_wait(int fd)
{
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
}

static inline int stage_listen(int backlog, uint16_t *port)
{
	struct address address;
	socklen_t size = sizeof address.in;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(address_parse_ip(SPAN("127.0.0.1"), &address));
	assert_int_equal(bind(fd, &address.any, address.size), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, &address.any, &size), 0);
	*port = address_port(&address);
	no_wait(fd);
	return fd;
}

static inline void shut(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/* Closed so that the other side sees a reset. */
static inline void shut_hard(int *fd)
{
	const struct linger at_once = {.l_onoff = 1};

	assert_int_equal(setsockopt(*fd, SOL_SOCKET, SO_LINGER, &at_once, sizeof at_once), 0);
	shut(fd);
}

static inline void put_bytes(int fd, const void *bytes, size_t size)
{
	assert_int_equal(write(fd, bytes, size), (ssize_t)size);
	stage_turn();
}

static inline void put_text(int fd, const char *text)
{
	put_bytes(fd, text, strlen(text));
}

/* All that is there now, terminated; valid until the next call. *is_end (may be NULL): end or reset. */
static inline const char *take_text(int fd, size_t *size, bool *is_end)
{
	static char text[STAGE_ROOM + 1];
	ssize_t got = 0;

	*size = 0;
	while (*size < STAGE_ROOM && (got = read(fd, text + *size, STAGE_ROOM - *size)) > 0) {
		*size += (size_t)got;
		stage_turn();
	}
	if (is_end)
		*is_end = got == 0 || (got < 0 && errno != EAGAIN);
	text[*size] = 0;
	return text;
}

static inline const char *take(int fd)
{
	size_t size;

	return take_text(fd, &size, NULL);
}

static inline bool is_ended(int fd)
{
	size_t size;
	bool is_end;

	(void)take_text(fd, &size, &is_end);
	return is_end;
}

/* The relay's next connection; -1: there is none. */
static inline int stage_accept(void)
{
	int fd = accept(stage.listening, NULL, NULL);

	if (fd >= 0)
		no_wait(fd);
	stage_turn();
	return fd;
}

static inline void stage_client(void)
{
	struct connection_birth birth = {.is_tls = false};
	int ends[2];

	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends), 0);
	no_wait(ends[0]);
	no_wait(ends[1]);
	assert_int_equal(plain_stream_new(ends[0], &birth.stream, NULL), OK);
	assert_int_equal(connection_new(&stage.host, &birth, &stage.connection, NULL), OK);
	stage.client = ends[1];
	stage.is_closed = false;
	stage_turn();
}

/* -- beginning and end of a test -- */

static inline void stage_relay(const struct upstream_limits *limits)
{
	char url[64];
	char *upstreams[] = {url, NULL};
	const struct relay_options options = {.upstreams = upstreams, .limits = *limits};

	snprintf(url, sizeof url, "http://127.0.0.1:%u", stage.port);
	assert_int_equal(relay_new(stage.worker, &options, &stage.relay, NULL), OK);
}

static inline int stage_begin(void **state)
{
	const struct relay_worker_options options = {.exchanges = 64, .tunnels = 16};
	struct relay_worker_options given = options;
	struct upstream_limits limits = upstream_limits_default();

	(void)state;
	stage = (struct stage){.listening = -1, .client = -1, .upstream = -1};
	clock_set_source(stage_clock);
	assert_int_equal(loop_new(&stage.loop, NULL), OK);
	stage.host.loop = stage.loop;
	http_limits_default(&stage.host.limits);
	/* Nobody but the relay is late here. */
	stage.host.limits.idle_time = stage.host.limits.head_time = SECONDS(1000000);
	stage.host.visit_size = sizeof(struct visit);
	stage.host.on_exchange = stage_exchange;
	stage.host.on_closed = stage_closed;
	assert_int_equal(http_host_init(&stage.host, NULL), OK);
	given.loop = stage.loop;
	assert_int_equal(relay_worker_new(&given, &stage.worker, NULL), OK);
	stage.listening = stage_listen(16, &stage.port);
	stage_relay(&limits);
	stage_client();
	return 0;
}

static inline int stage_end(void **state)
{
	(void)state;
	shut(&stage.client);
	shut(&stage.upstream);
	shut(&stage.listening);
	stage_turn();
	http_host_end(&stage.host, ENDED_STOPPING);
	stage_pass(SECONDS(2));
	assert_int_equal(http_host_connections(&stage.host), 0);
	relay_retire(stage.relay);
	stage_turn();
	http_host_release(&stage.host);
	assert_int_equal(stage.worker->relays, 0);
	relay_worker_free(stage.worker);
	loop_free(stage.loop);
	clock_set_source(NULL);
	return 0;
}

/* Another relay with these limits, in place of the one that is there. */
static inline void stage_limits(const struct upstream_limits *limits)
{
	relay_retire(stage.relay);
	stage_relay(limits);
}

/* What a step looks like: the client says it, the upstream has it. */
static inline const char *ask(const char *request)
{
	put_text(stage.client, request);
	if (stage.upstream < 0)
		stage.upstream = stage_accept();
	assert_true(stage.upstream >= 0);
	return take(stage.upstream);
}

static inline const char *answer(const char *text)
{
	put_text(stage.upstream, text);
	return take(stage.client);
}

#define assert_has(text, part) assert_non_null(strstr(text, part))
#define assert_lacks(text, part) assert_null(strstr(text, part))
/* The exchange holds nothing any more. */
#define assert_nothing_held()                                                                      \
	do {                                                                                       \
		assert_int_equal(stage.worker->passages.taken, 0);                                 \
		assert_int_equal(stage.worker->kept.taken, 0);                                     \
		assert_int_equal(stage.worker->bulk.taken, 0);                                     \
		assert_int_equal(stage.worker->bulk_users, 0);                                     \
	} while (0)

#define GET "GET /a?b=c HTTP/1.1\r\nHost: chat.example.com\r\n\r\n"

#endif
