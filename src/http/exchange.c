#include "http/exchange.h"

#include <string.h>

#include "base/encode.h"
#include "event/loop.h"
#include "http/connection.h"
#include "http/service.h"
#include "http/transport.h"
#include "wire/http_head.h"
#include "wire/target.h"

/* Stand in where nothing was, or is no longer, known. */
static const struct head empty_head;
static const struct target empty_target;

/* The host's numbers in an order that tells nobody how many there were (SplitMix64's mixer). */
static uint64_t scatter(uint64_t number)
{
	number = (number ^ number >> 30) * 0xbf58476d1ce4e5b9u;
	number = (number ^ number >> 27) * 0x94d049bb133111ebu;
	return number ^ number >> 31;
}

void exchange_id_text(const struct exchange *exchange, char out[static EXCHANGE_ID_SIZE])
{
	uint8_t bytes[8];
	int i;

	for (i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(exchange->id >> (56 - 8 * i));
	hex_write(bytes, sizeof bytes, out);
}

bool exchange_is_over_ceiling(const struct exchange *exchange, size_t more)
{
	const struct head *request = exchange->request;

	return exchange->up_most > 0 &&
	       (exchange->bytes_up + more > exchange->up_most ||
		(request->framing == BODY_LENGTH && request->length > exchange->up_most));
}

bool exchange_is_answered(const struct exchange *exchange)
{
	return exchange->down.flow != FLOW_OPEN;
}

static void bytes_are_up(void *arg)
{
	struct exchange *exchange = arg;
	const struct service *service = exchange->service;

	if (service && service->on_up && !exchange_is_answered(exchange) &&
	    connection_may_read(exchange->connection))
		service->on_up(exchange);
}

static void room_is_down(void *arg)
{
	struct exchange *exchange = arg;
	const struct service *service = exchange->service;

	if (service && service->on_room && !exchange_is_answered(exchange))
		service->on_room(exchange);
}

void exchange_forget_head(struct exchange *exchange)
{
	exchange->request = &empty_head;
	exchange->target = &empty_target;
}

void exchange_new_up(struct exchange *exchange, struct slabs *slabs)
{
	body_init(&exchange->up, exchange->transport->host->loop, slabs);
	exchange->up.on_bytes = bytes_are_up;
	exchange->up.consumer = exchange;
}

void exchange_new_down(struct exchange *exchange)
{
	struct http_host *host = exchange->transport->host;

	body_init(&exchange->down, host->loop, &host->spills);
	exchange->down.on_room = room_is_down;
	exchange->down.producer = exchange;
}

struct exchange *exchange_new(struct transport *transport)
{
	struct http_host *host = transport->host;
	struct exchange *exchange = slab_take(&host->visits);

	if (!exchange)
		return NULL;
	memset(exchange, 0, host->visit_size);
	exchange->connection = transport->connection;
	exchange->transport = transport;
	exchange->id = scatter(host->next_id++);
	exchange->started = loop_now(host->loop)->mono;
	exchange_forget_head(exchange);
	exchange_new_up(exchange, &host->spills);
	exchange_new_down(exchange);
	list_add_last(&transport->exchanges, &exchange->in_transport);
	connection_count_exchange(transport->connection);
	return exchange;
}

/* The service leaves; it is told so unless its answer had ended. */
static void let_service_go(struct exchange *exchange)
{
	const struct service *service = exchange->service;

	if (!service)
		return;
	if (!exchange_is_answered(exchange) && service->cancel)
		service->cancel(exchange);
	exchange->service = NULL;
	if (service->release)
		service->release(exchange);
	exchange->service_state = NULL;
}

void exchange_free(struct exchange *exchange, enum ending why)
{
	struct http_host *host = exchange->transport->host;

	exchange->ending = why;
	let_service_go(exchange);
	body_release(&exchange->up);
	body_release(&exchange->down);
	if (host->on_left)
		host->on_left(exchange);
	list_remove(&exchange->in_transport);
	connection_lose_exchange(exchange->connection);
	slab_give(&host->visits, exchange);
}

void exchange_cut_service(struct exchange *exchange)
{
	struct body *down = &exchange->down;
	void (*on_bytes)(void *) = down->on_bytes;
	void *consumer = down->consumer;

	let_service_go(exchange);
	body_release(down);
	exchange_new_down(exchange);
	down->on_bytes = on_bytes;
	down->consumer = consumer;
}

void exchange_hand_over(struct exchange *exchange, const struct service *service, void *state)
{
	const struct service *before = exchange->service;

	if (before && before->release)
		before->release(exchange);
	exchange->service = service;
	exchange->service_state = state;
	if (exchange->phase != PHASE_OPEN) {
		body_fail(&exchange->down, ENDED_OURS);
		return;
	}
	service->open(exchange);
}

void exchange_answer_init(struct head *answer, unsigned code)
{
	memset(answer, 0, offsetof(struct head, fields));
	answer->kind = ANSWER_HEAD;
	answer->minor = 1;
	answer->code = (uint16_t)code;
	answer->framing = BODY_CHUNKED;
	answer->keep_alive = true;
}

void exchange_answer(struct exchange *exchange, const struct head *answer, bool no_body)
{
	if (exchange->phase == PHASE_OPEN)
		exchange->transport->ops->send_head(exchange, answer, no_body);
}

void exchange_interim(struct exchange *exchange, const struct head *answer)
{
	if (exchange->phase == PHASE_OPEN)
		exchange->transport->ops->send_interim(exchange, answer);
}

void exchange_upgrade(struct exchange *exchange, const struct head *answer)
{
	if (exchange->phase == PHASE_OPEN)
		exchange->transport->ops->upgrade(exchange, answer);
}

void exchange_want_body(struct exchange *exchange)
{
	exchange->transport->ops->want_body(exchange);
}

void exchange_trailers(struct exchange *exchange, const struct field *fields, size_t count)
{
	exchange->transport->ops->send_trailers(exchange, fields, count);
}

void exchange_flush(struct exchange *exchange)
{
	exchange->transport->ops->flush(exchange);
}

void exchange_close_after(struct exchange *exchange)
{
	exchange->transport->ops->close_after(exchange);
}

bool exchange_end(struct exchange *exchange, enum ending why)
{
	const struct transport_ops *ops = exchange->transport->ops;

	return ops->end && ops->end(exchange, why);
}
