/* HTTP/2 frames of any kind, in pieces of any size, to a client that takes any amount: what goes upstream is
 * one HTTP/1.1 request, strictly read, framed as its body came; memory comes back, nothing is freed twice, and
 * the connection's end is the end of every exchange. */
#include <stdlib.h>
#include <string.h>

#include "http/client_h1.h"
#include "http/connection.h"
#include "http/exchange.h"
#include "http/page.h"
#include "http/service.h"
#include "stream/stream.h"
#include "wire/target.h"

enum { ANSWERS_LARGE = 1, WANTS_NOTHING_UP = 2, FAILS = 4, DRAINS = 8, ENDS = 16, ENDS_ONE = 32, HAS_PREFACE = 64,
       LAGS = 128 };

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

static struct span fuzz_protocol(const struct stream *stream)
{
	(void)stream;
	return SPAN("h2");
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
	.protocol = fuzz_protocol,
	.release = fuzz_release,
};

static uint8_t manner;
static unsigned opened, released;

/* What goes upstream is read as one head, and says the same. */
static void hand_on(struct exchange *exchange)
{
	static char upstream[40000];
	static struct head head;
	const struct head *request = exchange->request;
	struct client_request asked = {.head = request,
				       .target = exchange->target->path,
				       .host = request->host,
				       .upgrade = request->is_websocket};
	struct client_h1 client;
	struct error err;
	size_t used = 0;

	must(request->host.size > 0 && request->minor == 1);
	if (request->field_count > HEAD_FIELDS_MAX - 8)
		return;
	client_h1_init(&client);
	must(client_h1_request(&client, &asked, upstream, sizeof upstream, &err) == OK);
	if (client.framer.front.size > head_limits_default.bytes)
		return;
	head_init(&head);
	must(head_parse(client.framer.front, REQUEST_HEAD, &head_limits_default, &head, &used, &err) == OK);
	must(used == client.framer.front.size);
	must(head.framing == request->framing && head.length == request->length);
	must(span_equals(head.method_name, request->method_name) && head.is_websocket == request->is_websocket);
}

static void upgrade(struct exchange *exchange)
{
	struct head answer;

	exchange_answer_init(&answer, 101);
	exchange_upgrade(exchange, &answer);
}

/* In pieces, so that a run ends anywhere. */
static void take(struct exchange *exchange)
{
	struct span bytes;

	while ((bytes = body_peek(&exchange->up)).size > 0) {
		size_t size = bytes.size > 7 ? bytes.size - bytes.size / 4 : bytes.size;

		if (exchange->phase == PHASE_TUNNEL && exchange->down.window.size == 0 &&
		    body_room(&exchange->down) >= size && size <= 4096) {
			body_show(&exchange->down, span_make(bytes.at, size), false);
			body_settle(&exchange->down);
		}
		body_consume(&exchange->up, size);
		if (exchange->down.flow != FLOW_OPEN || manner & LAGS)
			return;
	}
	if (!body_is_over(&exchange->up) || exchange->phase == PHASE_ANSWERED)
		return;
	if (exchange->phase == PHASE_TUNNEL) {
		body_show(&exchange->down, SPAN("bye"), true);
		return;
	}
	if (exchange->request->framing == BODY_LENGTH)
		must(exchange->bytes_up == exchange->request->length);
	if (manner & FAILS) {
		body_fail(&exchange->down, ENDED_FAR_SIDE);
	} else if (exchange->request->is_websocket) {
		upgrade(exchange);
	} else {
		static const char large[200000];

		page_answer(exchange, 200, SPAN("application/octet-stream"),
			    span_make(large, manner & ANSWERS_LARGE ? sizeof large : 100));
	}
}

static void open(struct exchange *exchange)
{
	opened++;
	hand_on(exchange);
	exchange_want_body(exchange);
	take(exchange);
}

static void open_hastily(struct exchange *exchange)
{
	opened++;
	hand_on(exchange);
	page_answer(exchange, 404, SPAN("text/plain"), SPAN("no"));
}

static bool revoke(struct exchange *exchange, enum ending why)
{
	(void)why;
	body_show(&exchange->down, SPAN("last"), true);
	return true;
}

static void release(struct exchange *exchange)
{
	(void)exchange;
	released++;
}

static const struct service patient = {.name = "fuzz", .open = open, .on_up = take, .revoke = revoke, .release = release};
static const struct service hasty = {.name = "hasty", .open = open_hastily, .release = release};
static struct exchange *latest;

static void on_exchange(struct exchange *exchange)
{
	latest = exchange;
	exchange_hand_over(exchange, manner & WANTS_NOTHING_UP ? &hasty : &patient, NULL);
}

static void on_left(struct exchange *exchange)
{
	if (latest == exchange)
		latest = NULL;
}

static void interfere(struct connection *connection)
{
	if (manner & DRAINS)
		connection_drain(connection);
	if (manner & ENDS_ONE && latest)
		must(exchange_end(latest, ENDED_REVOKED));
	if (manner & ENDS)
		connection_end(connection, ENDED_REVOKED);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static const char preface[] = "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\4\0\0\0\0";
	static uint8_t input[70000];
	static struct http_host host;
	struct fuzz_stream fuzz = {0};
	struct connection_birth birth = {.stream = &fuzz.stream};
	struct connection *connection;
	struct error err;
	size_t writes, before;
	int turns;

	if (size < 3 || size > 65536)
		return 0;
	if (!host.loop) {
		http_limits_default(&host.limits);
		host.visit_size = sizeof(struct exchange);
		host.on_exchange = on_exchange;
		host.on_left = on_left;
		must(loop_new(&host.loop, &err) == OK && http_host_init(&host, &err) == OK);
	}
	opened = released = 0;
	latest = NULL;
	stream_init(&fuzz.stream, &fuzz_ops, -1);
	fuzz.piece = data[0] ? data[0] : 65536;
	writes = data[1] ? data[1] : 65536;
	manner = data[2];
	fuzz.take = writes;
	before = manner & HAS_PREFACE ? sizeof preface : 0;
	memcpy(input, preface, before);
	memcpy(input + before, data + 3, size - 3);
	fuzz.at = input;
	fuzz.left = before + size - 3;
	must(connection_new(&host, &birth, &connection, &err) == OK);
	for (turns = 0; turns < 400000 && !fuzz.gone; turns++) {
		fuzz.take += writes;
		if (!fuzz.stream.freed && fuzz.stream.on_ready)
			fuzz.stream.on_ready(fuzz.stream.owner);
		(void)loop_turn(host.loop, 0);
		if (fuzz.left < size / 2 && !fuzz.gone && host.connections.taken && !fuzz.stream.freed)
			interfere(connection);
	}
	must(fuzz.gone);
	must(opened == released);
	must(host.connections.taken == 0 && host.visits.taken == 0 && host.heads.taken == 0);
	must(host.spills.taken == 0 && host.bulk.taken == 0 && host.answers.taken == 0);
	must(host.streams.taken == 0 && host.windows.taken == 0 && host.rests.taken == 0);
	must(host.wide.taken == 0 && host.wide_streams == 0);
	return 0;
}
