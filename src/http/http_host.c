#include "http/http_host.h"

#include <assert.h>
#include <malloc.h>
#include <stdlib.h>

#include "base/random.h"
#include "event/loop.h"
#include "http/connection.h"
#include "http/connection_parts.h"
#include "http/exchange.h"
#include "http/h2_parts.h"

enum { CROWD_LEAST = 256 /* connections: 10 MB */ };
enum { SLABS_KEPT = 128, BULK_KEPT = 4, WIDE_KEPT = 2, WIDE_SHARE = 256 /* of memory_slabs */ };

void http_limits_default(struct http_limits *limits)
{
	*limits = (struct http_limits){
		.handshake_time = SECONDS(10),
		.head_time = SECONDS(15),
		.idle_time = SECONDS(75),
		.linger_time = SECONDS(1),
		.revoke_time = MILLISECONDS(200),
		.head_bytes = 16384,
		.spill_bytes = 16384,
		.bulk_bytes = 131072,
		.drain_bytes = 262144,
		.allowance = 262144,
		.exchanges_a_call = 16,
		.connections = 20000,
		.strangers = SIZE_MAX,
		.least_rate = 256,
		.memory_slabs = 16384,
		.h2_streams = 100,
		.h2_resets = 200,
		.h2_frames = 1000,
	};
}

static const struct {
	unsigned status;
	const char *text;
} bad_requests[BAD_REQUESTS] = {
	[BAD_HEAD] = {400, "The request is not well-formed HTTP/1.1, or could be read in two ways"},
	[BAD_BODY] = {400, "The request's body is not what its head announced"},
	[BAD_TOO_SLOW] = {408, "The request did not arrive in time"},
	[BAD_TOO_LARGE] = {413, "The request's body is larger than may be sent here"},
	[BAD_TARGET_TOO_LONG] = {414, "The address of the request is too long"},
	[BAD_EXPECTATION] = {417, "The request expects something that is not supported"},
	[BAD_HEAD_TOO_LARGE] = {431, "The header fields of the request are too large or too many"},
	[BAD_NOT_IMPLEMENTED] = {501, "The request asks for something that is not supported here"},
	[BAD_VERSION] = {505, "The request's version of HTTP is not supported"},
};

unsigned bad_request_status(enum bad_request why)
{
	return bad_requests[why].status;
}

const char *bad_request_text(enum bad_request why)
{
	return bad_requests[why].text;
}

enum status http_host_init(struct http_host *host, struct error *err)
{
	const struct http_limits *limits = &host->limits;
	size_t slabs = limits->memory_slabs;

	assert(host->loop && host->on_exchange && host->visit_size >= sizeof(struct exchange));
	/* A block's bytes must fit into a spill, a read for a spill into the receive buffer. */
	assert(limits->head_bytes <= limits->spill_bytes && limits->spill_bytes <= limits->bulk_bytes);
	slabs_init(&host->visits, host->visit_size, limits->connections + slabs, SLABS_KEPT);
	slabs_init(&host->connections, connection_size(host), limits->connections + CROWD_BEYOND, SLABS_KEPT);
	slabs_init(&host->heads, head_block_size(limits->head_bytes), slabs, SLABS_KEPT);
	slabs_init(&host->answers, limits->head_bytes + ANSWER_EXTRA, slabs, SLABS_KEPT);
	slabs_init(&host->spills, limits->spill_bytes, slabs, SLABS_KEPT);
	slabs_init(&host->bulk, limits->bulk_bytes, slabs / 8 + 1, BULK_KEPT);
	slabs_init(&host->streams, sizeof(struct h2_stream), slabs, SLABS_KEPT);
	slabs_init(&host->windows, H2_SPILL, slabs / 4 + 1, BULK_KEPT);
	slabs_init(&host->wide, H2_WIDE, slabs / WIDE_SHARE + 1, WIDE_KEPT);
	slabs_init(&host->rests, H2_REST_MOST, slabs / 4 + 1, BULK_KEPT);
	list_init(&host->live);
	crowd_init(&host->crowd);
	random_bytes(&host->next_id, sizeof host->next_id);
	host->date_second = -1;
	host->receive = malloc(limits->bulk_bytes);
	host->gather = malloc(H2_GATHERED_MOST);
	if (!host->receive || !host->gather)
		return error_fail(err, "no memory for a worker's receive buffer");
	return OK;
}

void http_host_release(struct http_host *host)
{
	assert(list_is_empty(&host->live));
	list_remove(&host->crowd.turn.again);
	slabs_release(&host->connections);
	slabs_release(&host->visits);
	slabs_release(&host->heads);
	slabs_release(&host->answers);
	slabs_release(&host->spills);
	slabs_release(&host->bulk);
	slabs_release(&host->streams);
	slabs_release(&host->windows);
	slabs_release(&host->wide);
	slabs_release(&host->rests);
	free(host->receive);
	free(host->gather);
	host->receive = host->gather = NULL;
}

void http_host_drain(struct http_host *host)
{
	LIST_EACH(link, &host->live)
		connection_drain(OWNER_OF(link, struct connection, in_host));
}

void http_host_end(struct http_host *host, enum ending why)
{
	LIST_EACH(link, &host->live)
		connection_end(OWNER_OF(link, struct connection, in_host), why);
}

void http_host_stop(struct http_host *host)
{
	host->spares_idle = false;
	host->is_stopping = true;
	LIST_EACH(link, &host->live) {
		struct connection *connection = OWNER_OF(link, struct connection, in_host);

		if (connection->is_tunnel)
			connection_end(connection, ENDED_STOPPING);
		else
			connection_drain(connection);
	}
}

void http_host_breathe(struct http_host *host)
{
	if (host->most < CROWD_LEAST || host->connections.taken > host->most / 4)
		return;
	host->most = host->connections.taken;
	(void)malloc_trim(0);
}

size_t http_host_connections(const struct http_host *host)
{
	return host->connections.taken;
}

struct span http_host_date(struct http_host *host)
{
	int64_t second = loop_now(host->loop)->wall / 1000000;

	if (second != host->date_second) {
		host->date_second = second;
		clock_http_date(second, host->date);
	}
	return span_of(host->date);
}
