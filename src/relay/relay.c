#include "relay/relay.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include "door/refusal.h"
#include "event/loop.h"
#include "http/exchange.h"
#include "relay/passage.h"
#include "relay/tunnel.h"

enum { PASSAGES_KEPT = 64, TUNNELS_KEPT = 16, KEPT_KEPT = 8, BULK_KEPT = 16 };

enum status relay_worker_new(const struct relay_worker_options *options, struct relay_worker **out,
			     struct error *err)
{
	struct relay_worker *worker = calloc(1, sizeof *worker);

	if (!worker)
		return error_fail(err, "no memory for the relay's buffers");
	worker->loop = options->loop;
	worker->dialler = options->dialler;
	worker->score = options->score;
	slabs_init(&worker->passages, sizeof(struct passage), options->exchanges, PASSAGES_KEPT);
	slabs_init(&worker->tunnels, tunnel_size(), options->tunnels, TUNNELS_KEPT);
	slabs_init(&worker->kept, RELAY_KEPT_SIZE, options->exchanges, KEPT_KEPT);
	/* A large answer's spill may outlive its passage until the client has taken it. */
	slabs_init(&worker->bulk, RELAY_BULK_SIZE, (size_t)2 * RELAY_BULK_MOST, BULK_KEPT);
	head_init(&worker->answer);
	*out = worker;
	return OK;
}

void relay_worker_free(struct relay_worker *worker)
{
	if (!worker)
		return;
	assert(worker->relays == 0);
	slabs_release(&worker->passages);
	slabs_release(&worker->tunnels);
	slabs_release(&worker->kept);
	slabs_release(&worker->bulk);
	free(worker);
}

/* -- the service -- */

static void open_passage(struct exchange *exchange)
{
	struct relay *relay = OWNER_OF(exchange->service, struct relay, service);
	struct passage *passage = NULL;

	exchange->service_state = NULL;
	if (!relay->is_retired)
		passage = slab_take(&relay->worker->passages);
	if (!passage) {
		relay->figures.refused++;
		refusal_answer(exchange, REFUSAL_UNAVAILABLE);
		return;
	}
	*passage = (struct passage){.relay = relay, .exchange = exchange};
	exchange->service_state = passage;
	relay_hold(relay);
	relay->figures.relayed++;
	passage_begin(passage);
}

static void on_up(struct exchange *exchange)
{
	struct passage *passage = exchange->service_state;

	if (passage && !passage->is_over)
		(void)passage_send(passage);
}

static void on_room(struct exchange *exchange)
{
	struct passage *passage = exchange->service_state;

	if (!passage || passage->is_over || !passage->is_stalled)
		return;
	passage->is_stalled = false;
	passage_receive(passage);
}

static void cancel_passage(struct exchange *exchange)
{
	struct passage *passage = exchange->service_state;

	if (passage)
		passage_cancel(passage);
}

static void release_passage(struct exchange *exchange)
{
	struct passage *passage = exchange->service_state;
	struct relay *relay;

	if (!passage)
		return;
	relay = passage->relay;
	exchange->service_state = NULL;
	passage_drop(passage);
	slab_give(&relay->worker->passages, passage);
	relay_let_go(relay);
}

static const struct service relay_functions = {
	.name = "relay",
	.open = open_passage,
	.on_up = on_up,
	.on_room = on_room,
	.cancel = cancel_passage,
	.release = release_passage,
};

/* -- relays -- */

static void relay_end(struct relay *relay)
{
	unsigned i;

	for (i = 0; i < RELAY_UPSTREAMS; i++) {
		pool_free(relay->pools[i]);
		tls_client_free(relay->upstreams[i].client);
	}
	relay->worker->relays--;
	free(relay);
}

/* One that is https is spoken to with TLS or not at all. */
static enum status secure(struct upstream *upstream, const struct relay_options *options, struct tls_trust **trust,
			  struct error *err)
{
	const char *name = options->server_name ? options->server_name : upstream->literal;
	enum status status = OK;

	if (!upstream->is_secure)
		return OK;
	if (!options->trust.authorities.size)
		return error_refuse(err, "https://%s: no certificates are named by which it is to be believed",
				    upstream->name);
	if (!*trust)
		status = tls_trust_new(&options->trust, trust, err);
	if (status == OK)
		status = tls_client_new(*trust, span_of(name), &upstream->client, err);
	if (status != OK)
		error_context(err, "https://%s", upstream->name);
	return status;
}

enum status relay_new(struct relay_worker *worker, const struct relay_options *options,
		      struct relay **out, struct error *err)
{
	struct relay *relay = calloc(1, sizeof *relay);
	struct tls_trust *trust = NULL;
	enum status status = OK;
	size_t i;

	if (!relay)
		return error_fail(err, "no memory for a relay");
	relay->worker = worker;
	relay->service = relay_functions;
	worker->relays++;
	for (i = 0; options->upstreams && options->upstreams[i]; i++) {
		if (i == RELAY_UPSTREAMS) {
			status = error_refuse(err, "at most %d upstreams to a site", RELAY_UPSTREAMS);
			goto done;
		}
		TRY(upstream_init(&relay->upstreams[i], span_of(options->upstreams[i]),
				  &options->limits, err));
		TRY(secure(&relay->upstreams[i], options, &trust, err));
		TRY(pool_new(worker->loop, &relay->upstreams[i], worker->dialler, &relay->pools[i], err));
		relay->count++;
	}
	if (relay->count == 0)
		status = error_refuse(err, "a site needs an upstream");
done:
	tls_trust_free(trust);
	if (status != OK) {
		relay_end(relay);
		return status;
	}
	*out = relay;
	return OK;
}

void relay_hold(struct relay *relay)
{
	relay->held++;
}

void relay_let_go(struct relay *relay)
{
	assert(relay->held > 0);
	relay->held--;
	if (relay->held == 0 && relay->is_retired)
		relay_end(relay);
}

void relay_retire(struct relay *relay)
{
	if (!relay)
		return;
	relay_hold(relay);
	relay->is_retired = true;
	relay_let_go(relay);
}

const struct service *relay_service(const struct relay *relay)
{
	return &relay->service;
}

void relay_resolve(struct relay *relay, const char *host, const struct address *addresses, size_t count)
{
	unsigned i;

	for (i = 0; i < relay->count; i++)
		if (strcmp(relay->upstreams[i].host, host) == 0 &&
		    upstream_resolve(&relay->upstreams[i], addresses, count))
			pool_heed_addresses(relay->pools[i]);
}

struct upstream *relay_upstream(struct relay *relay, size_t index)
{
	return index < relay->count ? &relay->upstreams[index] : NULL;
}

struct relay_figures relay_figures(const struct relay *relay)
{
	struct relay_figures figures = relay->figures;

	figures.exchanges = relay->held - figures.tunnels;
	return figures;
}
