#include <string.h>

#include "base/clock.h"
#include "door/header_rules.h"
#include "door/visit.h"
#include "http/exchange.h"
#include "relay/passage.h"
#include "relay/tunnel.h"
#include "stream/stream.h"
#include "wire/websocket.h"

enum { TRAILERS_MOST = 32 };

static void fail(struct passage *passage, const char *what, const struct error *err)
{
	struct error text;

	(void)error_refuse(&text, "%s%s%s", what, err ? ": " : "", err ? err->text : "");
	passage_fail(passage, REFUSAL_UPSTREAM_BROKEN, &text);
}

/* -- how much to read -- */

/* Large answers move in large steps, but only while nothing of them waits in a small slab. */
static void consider_bulk(struct passage *passage)
{
	struct relay_worker *worker = passage->relay->worker;
	struct body *down = &passage->exchange->down;

	if (passage->is_bulk || body_waiting(down) > 0 || worker->bulk_users == RELAY_BULK_MOST)
		return;
	/* Each user may need a slab; others are held by clients that take the end of an answer slowly. */
	if (worker->bulk.taken + worker->bulk_users >= worker->bulk.ceiling)
		return;
	if (passage->moved < RELAY_BULK_FROM &&
	    (passage->client.framing != BODY_LENGTH || passage->client.left < RELAY_BULK_FROM))
		return;
	passage->is_bulk = true;
	worker->bulk_users++;
	down->slabs = &worker->bulk;
}

/* 0: the client takes no more for now. */
static size_t reading_room(struct passage *passage)
{
	size_t room;

	if (!passage->is_answered)
		return RELAY_FIRST_READ;
	consider_bulk(passage);
	room = body_room(&passage->exchange->down);
	return room < RELAY_BULK_SIZE ? room : RELAY_BULK_SIZE;
}

/* What cannot be understood yet waits for the bytes behind it. */
static bool keep(struct passage *passage, const char *at, size_t size)
{
	struct relay_worker *worker = passage->relay->worker;
	struct error err;

	if (size == 0) {
		slab_give(&worker->kept, passage->kept);
		passage->kept = NULL;
		passage->kept_size = 0;
		return true;
	}
	if (!passage->kept)
		passage->kept = slab_take(&worker->kept);
	if (!passage->kept || size > worker->kept.size) {
		(void)error_refuse(&err, "%zu bytes of an answer and no end of its head", size);
		passage_fail(passage, REFUSAL_UPSTREAM_BROKEN, &err);
		return false;
	}
	memcpy(passage->kept, at, size);
	passage->kept_size = (uint32_t)size;
	return true;
}

/* -- what came -- */

/* Keep-Alive: timeout=5 (RFC 2068 section 19.7.1): let go a second earlier than the upstream does. */
static void heed_keep_alive(struct passage *passage, const struct head *answer)
{
	struct span rest = head_value(answer, FIELD_KEEP_ALIVE), part;
	uint64_t seconds;

	while (span_cut(&rest, ',', &part)) {
		part = span_trim(part);
		if (!span_starts(part, "timeout="))
			continue;
		span_skip(&part, sizeof "timeout=" - 1);
		if (span_to_u64(part, 86400, &seconds) &&
		    SECONDS(seconds) - SECONDS(1) < passage_upstream(passage)->limits.idle)
			passage->lease->keep = seconds > 1 ? SECONDS(seconds - 1) : 0;
	}
}

/* Lines that the codec has checked already. */
static void pass_trailers(struct exchange *exchange, struct span lines)
{
	const struct header_rules *rules = visit_header_rules(exchange);
	struct field fields[TRAILERS_MOST];
	size_t count = 0;
	struct span line, name;

	while (count < TRAILERS_MOST && span_cut(&lines, '\n', &line)) {
		struct field_class class;

		line = span_trim(line.size && line.at[line.size - 1] == '\r'
					 ? span_make(line.at, line.size - 1)
					 : line);
		if (!span_cut(&line, ':', &name) || !field_classify(name, &class))
			continue;
		fields[count] = (struct field){name, span_trim(line), class.known, class.flags};
		count += !rules || header_rules_returns(rules, &fields[count]);
	}
	if (count > 0)
		exchange_trailers(exchange, fields, count);
}

/* True: a body follows, though it may be empty. */
static bool begin_answer(struct passage *passage, struct head *answer)
{
	bool no_body = answer->framing == BODY_NONE;

	passage->is_answered = true;
	passage_heard(passage);
	if (head_has(answer, FIELD_KEEP_ALIVE))
		heed_keep_alive(passage, answer);
	/* What a GET would have brought is told, though it does not come. */
	if (no_body && answer->has_length && answer->code != 204)
		answer->framing = BODY_LENGTH;
	lease_deadline(passage->lease,
		       passage_now(passage) + passage_upstream(passage)->limits.quiet);
	exchange_answer(passage->exchange, answer, no_body);
	return !no_body;
}

static void show(struct passage *passage, const struct client_event *event)
{
	struct body *down = &passage->exchange->down;

	if (event->last && event->trailers.size > 0)
		pass_trailers(passage->exchange, event->trailers);
	passage->moved += event->bytes.size;
	body_show(down, event->bytes, event->last);
	/* Our memory is the next one's; a consumer that is done with it makes this free. */
	body_settle(down);
}

/* A true 101 to a true upgrade (RFC 6455 section 4.1). The last use of `passage`. */
static void begin_tunnel(struct passage *passage, const struct head *answer, struct span early)
{
	char accept[WEBSOCKET_ACCEPT_SIZE + 1];
	struct relay *relay = passage->relay;
	struct lease *lease = passage->lease;
	struct error err;

	websocket_accept(head_value(passage->exchange->request, FIELD_SEC_WEBSOCKET_KEY), accept);
	if (!span_is(head_value(answer, FIELD_SEC_WEBSOCKET_ACCEPT), accept)) {
		fail(passage, "answer 101: Sec-WebSocket-Accept is not the key's", NULL);
		return;
	}
	if (!client_h1_is_sent(&passage->client)) {
		fail(passage, "answer 101 before the request was whole", NULL);
		return;
	}
	passage_heard(passage);
	if (tunnel_start(relay, passage->exchange, lease, answer, early, &err) != OK) {
		passage_fail(passage, REFUSAL_UNAVAILABLE, &err);
		return;
	}
	passage->lease = NULL;
	passage_drop(passage);
	slab_give(&relay->worker->passages, passage);
	relay_let_go(relay);
}

static void finish(struct passage *passage, bool nothing_behind)
{
	struct exchange *exchange = passage->exchange;

	exchange_flush(exchange);
	passage_finish(passage, nothing_behind && client_h1_is_reusable(&passage->client) &&
				       !stream_has_pending(passage->lease->stream));
}

static bool heed_header_rules(struct passage *passage, struct head *answer)
{
	const struct header_rules *rules = visit_header_rules(passage->exchange);

	if (!rules || header_rules_answer(rules, answer))
		return true;
	fail(passage, "too many header fields for those that response-headers-set adds", NULL);
	return false;
}

/* Of heads that are no answer yet: what is to be set waits for the one that is. */
static void heed_removals(struct passage *passage, struct head *answer)
{
	const struct header_rules *rules = visit_header_rules(passage->exchange);

	if (rules)
		header_rules_thin_out(rules, answer);
}

/* True: the answer goes on. False: the passage is over, and may be gone. */
static bool take_event(struct passage *passage, struct client_event *event, struct span rest)
{
	struct head *answer = &passage->relay->worker->answer;

	switch (event->news) {
	case NEWS_NONE:
		return true;
	case NEWS_INTERIM:
		if (++passage->interims > RELAY_INTERIM_MOST) {
			fail(passage, "one 1xx after the other and no answer", NULL);
			return false;
		}
		heed_removals(passage, answer);
		exchange_interim(passage->exchange, answer);
		return true;
	case NEWS_ANSWER:
		if (answer->code == 101) {
			heed_removals(passage, answer);
			begin_tunnel(passage, answer, rest);
			return false;
		}
		if (!heed_header_rules(passage, answer))
			return false;
		if (begin_answer(passage, answer) && event->last)
			show(passage, event);
		break;
	case NEWS_BYTES:
	case NEWS_OVER:
		event->last |= event->news == NEWS_OVER;
		show(passage, event);
		break;
	}
	if (!event->last)
		return passage->lease != NULL;
	if (passage->lease)
		finish(passage, rest.size == 0);
	return false;
}

/* `got` new bytes stand behind the kept ones. False as above. */
static bool digest(struct passage *passage, size_t got)
{
	struct relay_worker *worker = passage->relay->worker;
	size_t size = passage->kept_size + got, used = 0;
	struct client_event event;
	struct error err;

	do {
		if (client_h1_read(&passage->client, worker->receive, size, &used, &worker->answer,
				   &event, &err) != OK) {
			fail(passage, "what came is no HTTP answer", &err);
			return false;
		}
		if (!take_event(passage, &event, span_make(worker->receive + used, size - used)))
			return false;
	} while (event.news != NEWS_NONE);
	return keep(passage, worker->receive + used, size - used);
}

static void hear_end(struct passage *passage)
{
	struct error err;

	if (client_h1_closed(&passage->client, &err) != OK) {
		passage->is_lost = true;
		fail(passage, passage->is_heard ? "the answer is not whole" : "no answer", &err);
		return;
	}
	body_show(&passage->exchange->down, SPAN(""), true);
	finish(passage, false);
}

static void hear_failure(struct passage *passage)
{
	struct error err;

	stream_explain(passage->lease->stream, &err);
	passage->is_lost = true;
	fail(passage, passage->is_heard ? "the answer is not whole" : "no answer", &err);
}

/* Nothing may come before it was asked for: a 408 of a server that tired of an idle connection. */
static bool is_asked(struct passage *passage)
{
	if (passage->is_written)
		return true;
	fail(passage, "bytes before the request", NULL);
	return false;
}

static void note_progress(struct passage *passage)
{
	/* An answer's head has one deadline, however many pieces it comes in. */
	if (passage->is_answered)
		lease_deadline(passage->lease,
			       passage_now(passage) + passage_upstream(passage)->limits.quiet);
}

void passage_receive(struct passage *passage)
{
	struct relay_worker *worker = passage->relay->worker;
	struct exchange *exchange = passage->exchange;
	struct stream *stream = passage->lease->stream;
	size_t moved = 0, got, room;

	while ((room = reading_room(passage)) > 0) {
		enum status status;

		if (passage->kept_size > 0)
			memcpy(worker->receive, passage->kept, passage->kept_size);
		status = stream_read(stream, worker->receive + passage->kept_size, room, &got);
		if (status == AGAIN)
			goto drained;
		if (status != OK) {
			hear_failure(passage);
			return;
		}
		if (got == 0) {
			hear_end(passage);
			return;
		}
		if (!is_asked(passage))
			return;
		if (!passage->is_heard)
			exchange->far.first_byte = passage_now(passage);
		passage->is_heard = true;
		moved += got;
		if (!digest(passage, got))
			return;
		note_progress(passage);
		if (!stream_has_pending(stream))
			goto drained;
		if (moved >= RELAY_ALLOWANCE) {
			stream_again(stream);
			goto drained;
		}
	}
	passage->is_stalled = true;
drained:
	exchange_flush(exchange);
}
