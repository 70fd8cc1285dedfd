/* A connection that hears anything, in pieces of any size, written to in pieces of any size, behind
 * it a service that hands each request on: what goes upstream is one request, strictly read, with
 * the body that came; nothing leaks, stalls or is freed twice. */
#include <stdlib.h>
#include <string.h>

#include "http/client_h1.h"
#include "http/connection.h"
#include "http/exchange.h"
#include "http/page.h"
#include "http/service.h"
#include "stream/stream.h"
#include "wire/target.h"

struct fuzz_stream {
	struct stream stream;
	const uint8_t *at;
	size_t left, piece, take;
	bool gone;
};

static void must(bool holds)
{
	if (!holds)
		abort();
}

static struct fuzz_stream *fuzz_of(const struct stream *stream)
{
	return (struct fuzz_stream *)(uintptr_t)stream;
}

static enum status fuzz_read(struct stream *stream, void *into, size_t room, size_t *got)
{
	struct fuzz_stream *fuzz = fuzz_of(stream);
	size_t size = fuzz->left < fuzz->piece ? fuzz->left : fuzz->piece;

	if (room == 0)
		return AGAIN;
	if (size > room)
		size = room;
	memcpy(into, fuzz->at, size);
	fuzz->at += size;
	fuzz->left -= size;
	*got = size;
	return OK;
}

static enum status fuzz_write(struct stream *stream, const struct iovec *pieces, int count, size_t *taken)
{
	struct fuzz_stream *fuzz = fuzz_of(stream);
	size_t size = 0;
	int i;

	for (i = 0; i < count; i++)
		size += pieces[i].iov_len;
	if (size > fuzz->take)
		size = fuzz->take;
	fuzz->take -= size;
	*taken = size;
	return size ? OK : AGAIN;
}

static enum status fuzz_ok(struct stream *stream)
{
	(void)stream;
	return OK;
}

static bool fuzz_pending(const struct stream *stream)
{
	return fuzz_of(stream)->left > 0;
}

static void fuzz_release(struct stream *stream)
{
	fuzz_of(stream)->gone = true;
}

static const struct stream_ops fuzz_ops = {
	.name = "fuzz",
	.read = fuzz_read,
	.write = fuzz_write,
	.flush = fuzz_ok,
	.finish = fuzz_ok,
	.has_pending = fuzz_pending,
	.secure = fuzz_ok,
	.release = fuzz_release,
};

static char upstream[40000], body[1 << 20];
static size_t body_size;
static unsigned opened, released;

/* What went upstream is read as one head, framed as announced. */
static void hand_on(struct exchange *exchange)
{
	static struct head head;
	struct client_request request = {
		.head = exchange->request,
		.target = exchange->target->path,
		.host = exchange->request->host,
	};
	struct client_h1 client;
	struct error err;
	size_t used = 0;

	if (exchange->request->host.size == 0 || exchange->request->field_count > HEAD_FIELDS_MAX - 8)
		return;
	client_h1_init(&client);
	must(client_h1_request(&client, &request, upstream, sizeof upstream, &err) == OK);
	if (client.framer.front.size > head_limits_default.bytes)
		return;
	head_init(&head);
	must(head_parse(client.framer.front, REQUEST_HEAD, &head_limits_default, &head, &used, &err) == OK);
	must(used == client.framer.front.size);
	if (exchange->request->framing == BODY_LENGTH)
		must(head.length == body_size);
}

static void take(struct exchange *exchange)
{
	struct span bytes;

	while ((bytes = body_peek(&exchange->up)).size > 0) {
		/* In pieces, so that a run ends anywhere. */
		size_t size = bytes.size > 7 ? bytes.size - bytes.size / 4 : bytes.size;

		must(body_size + size <= sizeof body);
		memcpy(body + body_size, bytes.at, size);
		body_size += size;
		body_consume(&exchange->up, size);
	}
	if (!body_is_over(&exchange->up))
		return;
	hand_on(exchange);
	page_answer(exchange, 200, SPAN("application/octet-stream"),
		    span_make(body, body_size < 5000 ? body_size : 5000));
}

static void open(struct exchange *exchange)
{
	opened++;
	body_size = 0;
	exchange_want_body(exchange);
	take(exchange);
}

static void release(struct exchange *exchange)
{
	(void)exchange;
	released++;
}

static const struct service service = {.name = "fuzz", .open = open, .on_up = take, .release = release};

static void on_exchange(struct exchange *exchange)
{
	exchange_hand_over(exchange, &service, NULL);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct http_host host;
	struct fuzz_stream fuzz = {0};
	struct connection_birth birth = {.stream = &fuzz.stream};
	struct connection *connection;
	struct error err;
	size_t writes;
	int turns;

	if (size < 2 || size > 65536)
		return 0;
	if (!host.loop) {
		http_limits_default(&host.limits);
		host.visit_size = sizeof(struct exchange);
		host.on_exchange = on_exchange;
		must(loop_new(&host.loop, &err) == OK && http_host_init(&host, &err) == OK);
	}
	opened = released = 0;
	stream_init(&fuzz.stream, &fuzz_ops, -1);
	fuzz.piece = data[0] ? data[0] : 65536;
	writes = data[1] ? data[1] : 65536;
	fuzz.take = writes;
	fuzz.at = data + 2;
	fuzz.left = size - 2;
	must(connection_new(&host, &birth, &connection, &err) == OK);
	for (turns = 0; turns < 200000 && !fuzz.gone; turns++) {
		fuzz.take += writes;
		if (!fuzz.stream.freed && fuzz.stream.on_ready)
			fuzz.stream.on_ready(fuzz.stream.owner);
		(void)loop_turn(host.loop, 0);
	}
	must(fuzz.gone);
	must(opened == released);
	must(host.connections.taken == 0 && host.visits.taken == 0 && host.heads.taken == 0);
	must(host.spills.taken == 0 && host.bulk.taken == 0 && host.answers.taken == 0);
	return 0;
}
