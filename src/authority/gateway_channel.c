#include "authority/gateway_channel.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "authority/authority_handle.h"
#include "authority/closing.h"
#include "authority/publish.h"
#include "base/log.h"
#include "bridge/ask.h"

enum { ROSTER_MS = 5000 };

void gateway_channel_kill(struct gateway *gateway, const char *why)
{
	struct authority *authority = gateway->authority;

	log_say(LOG_ERROR, "gateway-silent", "gateway %u is ended: %s", gateway->number % GATEWAY_SLOTS, why);
	gateway->is_ended = true;
	if (authority->options.kill_gateway)
		authority->options.kill_gateway(authority->options.arg, gateway->number);
}

/* Told here by the channel, and by the supervisor; whichever comes first. */
static void forget(struct gateway *gateway)
{
	struct authority *authority = gateway->authority;
	struct channel *channel = gateway->channel;
	unsigned number = gateway->number;

	list_remove(&gateway->in_authority);
	authority->gateway_count--;
	gateway->channel = NULL;
	/* Frees what was asked on it; no answer may find the gateway's memory gone. */
	channel_free(channel);
	free(gateway);
	closing_gateway_gone(authority, number);
	publish_forget_old(authority);
}

static void on_closed(void *arg, struct channel *channel, const char *why)
{
	struct gateway *gateway = arg;
	struct authority_options options = gateway->authority->options;
	unsigned number = gateway->number;
	bool is_ended = gateway->is_ended;

	(void)channel;
	log_say(LOG_INFO, "gateway-gone", "gateway %u: %s", number % GATEWAY_SLOTS, why);
	forget(gateway);
	/* If it has not ended but lied or let go, no revocation would reach it. */
	if (!is_ended && options.kill_gateway)
		options.kill_gateway(options.arg, number);
}

void authority_gateway_gone(struct authority *authority, unsigned number)
{
	LIST_EACH(it, &authority->gateways) {
		struct gateway *gateway = OWNER_OF(it, struct gateway, in_authority);

		if (gateway->number == number) {
			forget(gateway);
			return;
		}
	}
}

static struct gateway *find(struct authority *authority, unsigned number)
{
	LIST_EACH(it, &authority->gateways)
		if (OWNER_OF(it, struct gateway, in_authority)->number == number)
			return OWNER_OF(it, struct gateway, in_authority);
	return NULL;
}

/* Which gateway and which roster this is about; it outlives both. */
struct handing {
	struct authority *authority;
	unsigned number;
	uint64_t generation;
};

static void on_roster_answer(void *arg, enum status status, const json_t *words, int fd,
			     const struct error *err)
{
	struct handing *handing = arg;
	struct gateway *gateway = find(handing->authority, handing->number);

	(void)words;
	(void)fd;
	if (gateway && roster_generation(handing->authority->roster) == handing->generation) {
		if (status == OK) {
			gateway->has_roster = true;
			publish_forget_old(handing->authority);
		} else if (gateway->channel && channel_is_open(gateway->channel)) {
			gateway_channel_kill(gateway, err->text);
		}
	}
	free(handing);
}

static void hand_to(struct gateway *gateway)
{
	struct authority *authority = gateway->authority;
	struct question question = {.name = "roster", .fd = dup(roster_fd(authority->roster))};
	struct handing *handing = malloc(sizeof *handing);
	enum status status = FAILED;

	gateway->has_roster = false;
	if (handing)
		*handing = (struct handing){authority, gateway->number,
					    roster_generation(authority->roster)};
	if (handing && question.fd >= 0)
		status = ask(gateway->channel, question, ROSTER_MS, on_roster_answer, handing, NULL);
	else if (question.fd >= 0)
		close(question.fd);
	if (status != OK) {
		free(handing);
		gateway_channel_kill(gateway, "the roster cannot be handed to it");
	}
}

void gateway_channel_hand_over(struct authority *authority)
{
	LIST_EACH(it, &authority->gateways)
		hand_to(OWNER_OF(it, struct gateway, in_authority));
	publish_forget_old(authority);
}

enum status authority_add_gateway(struct authority *authority, unsigned number, int fd, struct error *err)
{
	/* It asks once a minute. More, each as large as it may be, would be for the authority's time and memory. */
	static const struct question_limits limits = {.per_second = 5, .burst = 50, .held = 8};
	struct gateway *gateway = calloc(1, sizeof *gateway);
	enum status status;
	char peer[32];

	if (!gateway || authority->gateway_count >= GATEWAYS_MOST) {
		close(fd);
		free(gateway);
		return error_fail(err, "no room for another gateway");
	}
	if (find(authority, number)) {
		close(fd);
		free(gateway);
		return error_fail(err, "gateway %u is there already", number % GATEWAY_SLOTS);
	}
	gateway->authority = authority;
	gateway->number = number;
	list_init(&gateway->in_authority);
	snprintf(peer, sizeof peer, "gateway %u", number % GATEWAY_SLOTS);
	TRY(channel_new(authority->loop, fd, peer, on_closed, gateway, &gateway->channel, err));
	TRY(question_serve(gateway->channel, &authority->table, ROLE_GATEWAY, &limits, err));
	list_add_last(&authority->gateways, &gateway->in_authority);
	authority->gateway_count++;
	hand_to(gateway);
	return OK;
done:
	channel_free(gateway->channel);
	free(gateway);
	return status;
}

void gateway_channel_close_all(struct authority *authority)
{
	while (!list_is_empty(&authority->gateways))
		forget(OWNER_OF(list_first(&authority->gateways), struct gateway, in_authority));
}
