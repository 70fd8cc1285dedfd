#include "authority/closing.h"

#include <stdlib.h>
#include <string.h>

#include "authority/authority_handle.h"
#include "authority/describe.h"
#include "authority/gateway_channel.h"
#include "base/log.h"
#include "bridge/ask.h"

/* One gateway's part in one revocation: its acknowledgement, or its end. Lives as long as its closing. */
struct share {
	struct closing *closing;
	unsigned gateway;
	bool is_silent; /* was killed for it */
	bool is_done;
};

struct closing {
	struct authority *authority;
	struct link in_authority; /* owner: authority.closings */
	struct answer *answer;
	json_t *words;
	uint64_t closed;
	unsigned share_count, open; /* open: shares that are not done */
	unsigned asked;             /* questions whose answer will still come; they hold this memory */
	struct timer limit;
	bool is_answered;
	struct share shares[];
};

static void closing_free_if_over(struct closing *closing)
{
	if (!closing->is_answered || closing->asked)
		return;
	timer_stop(&closing->limit);
	list_remove(&closing->in_authority);
	free(closing);
}

static void add_result(struct closing *closing)
{
	json_t *silent = json_array(), *living = json_array();
	unsigned i;

	for (i = 0; i < closing->share_count; i++) {
		const struct share *share = &closing->shares[i];

		if (share->is_silent)
			json_array_append_new(silent, json_integer(share->gateway % GATEWAY_SLOTS));
		if (!share->is_done)
			json_array_append_new(living, json_integer(share->gateway % GATEWAY_SLOTS));
	}
	json_object_set_new(closing->words, "closed", json_integer((json_int_t)closing->closed));
	json_object_set_new(closing->words, "gateways", json_integer(closing->share_count));
	json_object_set_new(closing->words, "silent", silent);
	json_object_set_new(closing->words, "not_ended", living);
}

/* The answer goes once; asks that are still out end by their own deadline. */
static void finish(struct closing *closing)
{
	if (closing->is_answered)
		return;
	closing->is_answered = true;
	timer_stop(&closing->limit);
	add_result(closing);
	answer_send(closing->answer, closing->words, -1);
	json_decref(closing->words);
}

static void share_done(struct share *share)
{
	if (share->is_done)
		return;
	share->is_done = true;
	if (--share->closing->open == 0)
		finish(share->closing);
}

static struct gateway *gateway_of(const struct share *share)
{
	LIST_EACH(it, &share->closing->authority->gateways)
		if (OWNER_OF(it, struct gateway, in_authority)->number == share->gateway)
			return OWNER_OF(it, struct gateway, in_authority);
	return NULL;
}

static void share_failed(struct share *share, const char *why)
{
	struct gateway *gateway = gateway_of(share);

	if (!gateway || !gateway->channel || !channel_is_open(gateway->channel)) {
		share_done(share); /* its process has ended, and its connections with it */
	} else if (!share->is_silent) {
		share->is_silent = true;
		gateway_channel_kill(gateway, why);
	}
}

static void on_lost_answer(void *arg, enum status status, const json_t *words, int fd,
			   const struct error *err)
{
	struct share *share = arg;
	struct closing *closing = share->closing;
	json_int_t closed = json_integer_value(json_object_get(words, "closed"));

	(void)fd;
	closing->asked--;
	if (status != OK) {
		share_failed(share, err->text);
	} else {
		closing->closed += closed > 0 ? (uint64_t)closed : 0;
		share_done(share);
	}
	closing_free_if_over(closing);
}

static void on_limit(struct timer *timer)
{
	struct closing *closing = OWNER_OF(timer, struct closing, limit);

	finish(closing);
	closing_free_if_over(closing);
}

/* All of a deed in one question: a hundred people removed at once are not more questions than a channel takes. */
static enum status ask_lost(struct share *share, struct channel *channel, const struct deed *deed)
{
	struct question question = {.name = "lost", .fd = -1, .words = json_object()};
	json_t *devices = json_array();
	enum status status;
	unsigned i;

	for (i = 0; i < deed->device_count; i++)
		json_array_append_new(devices, json_hex(deed->devices[i], REGISTRY_ID_SIZE));
	if (deed->device_count == 1)
		json_object_set(question.words, "device", json_array_get(devices, 0));
	else
		json_object_set(question.words, "devices", devices);
	json_decref(devices);
	json_object_set_new(question.words, "why", json_string(deed->why));
	status = ask(channel, question, ACKNOWLEDGE_MS, on_lost_answer, share, NULL);
	if (status == OK)
		share->closing->asked++;
	return status;
}

static void tell(struct closing *closing, struct share *share, struct gateway *gateway,
		 const struct deed *deed)
{
	*share = (struct share){.closing = closing, .gateway = gateway->number};
	if (deed->device_count == 0)
		share_done(share);
	else if (ask_lost(share, gateway->channel, deed) != OK)
		share_failed(share, "it takes no more questions"); /* not even this one */
}

static void answer_without_gateways(struct deed *deed)
{
	json_object_set_new(deed->words, "closed", json_integer(0));
	json_object_set_new(deed->words, "gateways", json_integer(0));
	json_object_set_new(deed->words, "silent", json_array());
	json_object_set_new(deed->words, "not_ended", json_array());
	answer_send(deed->answer, deed->words, -1);
}

void closing_start(struct authority *authority, struct deed *deed)
{
	size_t room = authority->gateway_count * sizeof(struct share);
	struct closing *closing = authority->gateway_count ? calloc(1, sizeof *closing + room) : NULL;
	struct error err;

	if (!authority->gateway_count) {
		answer_without_gateways(deed);
		return;
	}
	if (!closing) {
		(void)error_fail(&err, "no memory: it is revoked, but live connections may go on");
		answer_fail(deed->answer, &err);
		return;
	}
	closing->authority = authority;
	closing->answer = deed->answer;
	closing->words = json_incref(deed->words);
	timer_init(&closing->limit, on_limit);
	list_add_last(&authority->closings, &closing->in_authority);
	timer_set(loop_timers(authority->loop), &closing->limit,
		  loop_now(authority->loop)->mono + MILLISECONDS(REVOKE_LIMIT_MS));
	/* One more than there are, so that none of them ends it before all are told. */
	closing->open = authority->gateway_count + 1;
	LIST_EACH(it, &authority->gateways)
		tell(closing, &closing->shares[closing->share_count++],
		     OWNER_OF(it, struct gateway, in_authority), deed);
	if (--closing->open == 0)
		finish(closing);
	closing_free_if_over(closing);
}

void closing_gateway_gone(struct authority *authority, unsigned number)
{
	LIST_EACH(it, &authority->closings) {
		struct closing *closing = OWNER_OF(it, struct closing, in_authority);
		unsigned i;

		for (i = 0; i < closing->share_count; i++)
			if (closing->shares[i].gateway == number)
				share_done(&closing->shares[i]);
		closing_free_if_over(closing);
	}
}

void closing_abandon(struct authority *authority)
{
	LIST_EACH(it, &authority->closings) {
		struct closing *closing = OWNER_OF(it, struct closing, in_authority);

		finish(closing);
		closing_free_if_over(closing);
	}
}
