#include "serve/resolver_link.h"

#include <assert.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "bridge/ask.h"
#include "bridge/question.h"
#include "relay/upstream.h"
#include "serve/targets.h"

enum { CALLS_MOST = 8192, MS_MOST = 60000 };
#define TRY_AGAIN MILLISECONDS(20)

struct resolver_name {
	char host[TARGET_SIZE];
	struct address addresses[UPSTREAM_ADDRESSES];
	size_t count;
};

/* One connection that is wanted. */
struct call {
	struct link in_link; /* owner: resolver_link.asked or .waiting */
	struct resolver_link *link;
	struct address to;
	int64_t deadline;
	struct timer late;
	uint32_t ticket;
	dial_fn *on_done;
	void *arg;
};

/* Calls -------------------------------------------------------------------- */

/* The end of `call`; then its owner hears. */
static void finish(struct call *call, enum status status, int fd, const struct error *err)
{
	dial_fn *on_done = call->on_done;
	void *arg = call->arg;

	timer_stop(&call->late);
	list_remove(&call->in_link);
	call->link->call_count--;
	free(call);
	on_done(arg, status, fd, err);
}

static void wait_its_turn(struct call *call)
{
	struct resolver_link *link = call->link;

	call->ticket = 0;
	list_remove(&call->in_link);
	list_add_last(&link->waiting, &call->in_link);
	if (link->channel && !timer_is_set(&link->again))
		timer_set(loop_timers(link->loop), &link->again, loop_now(link->loop)->mono + TRY_AGAIN);
}

static void ask_for(struct call *call);

static void ask_for_all(struct resolver_link *link)
{
	struct link waiting;

	/* Whoever must wait again stands in the other list. */
	list_init(&waiting);
	while (!list_is_empty(&link->waiting)) {
		struct link *first = list_first(&link->waiting);

		list_remove(first);
		list_add_last(&waiting, first);
	}
	while (!list_is_empty(&waiting))
		ask_for(OWNER_OF(list_first(&waiting), struct call, in_link));
}

static void on_again(struct timer *timer)
{
	ask_for_all(OWNER_OF(timer, struct resolver_link, again));
}

static void on_answer(void *arg, enum status status, const json_t *words, int fd, const struct error *reason)
{
	struct call *call = arg;
	struct resolver_link *link = call->link;
	struct error err;
	int own;

	(void)words;
	call->ticket = 0;
	/* It has too much to do, or has ended in the middle of it: while there is time. */
	if (status == AGAIN || (status == FAILED && (!link->channel || !channel_is_open(link->channel)))) {
		wait_its_turn(call);
		return;
	}
	if (status != OK) {
		finish(call, status, -1, reason);
		return;
	}
	own = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
	if (own >= 0) {
		finish(call, OK, own, NULL);
		return;
	}
	status = fd >= 0 ? error_fail_errno(&err, "cannot take a connection from the resolver")
			 : error_fail(&err, "the resolver sent no connection");
	finish(call, status, -1, &err);
}

static void ask_for(struct call *call)
{
	struct resolver_link *link = call->link;
	int64_t ms = (call->deadline - loop_now(link->loop)->mono) / 1000;
	struct question question = {.name = "dial", .fd = -1};

	if (ms < 1 || !link->channel) {
		wait_its_turn(call); /* the deadline's timer will say so */
		return;
	}
	ms = ms < MS_MOST ? ms : MS_MOST;
	question.words = json_pack("{s:s, s:I}", "socket", call->to.un.sun_path, "ms", (json_int_t)ms);
	/* A little longer than it may take there. */
	if (ask(link->channel, question, (int)ms + 1000, on_answer, call, &call->ticket) != OK) {
		wait_its_turn(call);
		return;
	}
	list_remove(&call->in_link);
	list_add_last(&link->asked, &call->in_link);
}

static void on_late(struct timer *timer)
{
	struct call *call = OWNER_OF(timer, struct call, late);
	struct error err;

	if (call->ticket && call->link->channel)
		ask_forget(call->link->channel, call->ticket);
	(void)error_refuse(&err, "connect to unix:%s: %s", call->to.un.sun_path,
			   call->link->channel ? "not in time" : "the resolver is away");
	finish(call, REFUSED, -1, &err);
}

static enum status start(void *arg, const struct address *to, int64_t deadline, dial_fn *on_done, void *done_arg,
			 void **ticket, struct error *err)
{
	struct resolver_link *link = arg;
	struct call *call = link->call_count < CALLS_MOST ? calloc(1, sizeof *call) : NULL;

	if (!call)
		return error_fail(err, "no room for another connection to a Unix socket");
	link->call_count++;
	*call = (struct call){.link = link, .to = *to, .deadline = deadline, .on_done = on_done, .arg = done_arg};
	list_init(&call->in_link);
	timer_init(&call->late, on_late);
	timer_set(loop_timers(link->loop), &call->late, deadline);
	*ticket = call;
	ask_for(call);
	return OK;
}

static void cancel(void *arg, void *ticket)
{
	struct resolver_link *link = arg;
	struct call *call = ticket;

	if (call->ticket && link->channel)
		ask_forget(link->channel, call->ticket);
	timer_stop(&call->late);
	list_remove(&call->in_link);
	link->call_count--;
	free(call);
}

/* Names -------------------------------------------------------------------- */

static struct resolver_name *name_of(struct resolver_link *link, const char *host)
{
	struct resolver_name *grown;
	size_t i;

	for (i = 0; i < link->name_count; i++)
		if (strcmp(link->names[i].host, host) == 0)
			return &link->names[i];
	if (link->name_count == TARGETS_MOST)
		return NULL;
	grown = reallocarray(link->names, link->name_count + 1, sizeof *grown);
	if (!grown)
		return NULL;
	link->names = grown;
	grown += link->name_count++;
	snprintf(grown->host, sizeof grown->host, "%s", host);
	return grown;
}

static void answer_addresses(void *house, struct answer *answer, const json_t *words, int fd)
{
	struct resolver_link *link = house;
	const json_t *list = json_object_get(words, "addresses");
	struct resolver_name *name;
	const char *host;
	struct error err;
	size_t i;

	(void)fd;
	if (words_text(words, "name", TARGET_SIZE - 1, &host, &err) != OK) {
		answer_refuse(answer, &err);
		return;
	}
	name = name_of(link, host);
	if (!name) {
		(void)error_fail(&err, "more names than there are upstreams");
		answer_fail(answer, &err);
		return;
	}
	name->count = 0;
	for (i = 0; i < json_array_size(list) && name->count < UPSTREAM_ADDRESSES; i++) {
		const char *text = json_string_value(json_array_get(list, i));

		if (text && address_parse_ip(span_of(text), &name->addresses[name->count]))
			name->count++;
	}
	link->on_addresses(link->arg, name->host, name->addresses, name->count);
	answer_send(answer, NULL, -1);
}

static const struct question_row rows[] = {
	{"addresses", ROLE_RESOLVER, QUESTION_WRITES, 0, answer_addresses},
};

void resolver_link_repeat(const struct resolver_link *link)
{
	size_t i;

	for (i = 0; i < link->name_count; i++)
		link->on_addresses(link->arg, link->names[i].host, link->names[i].addresses, link->names[i].count);
}

/* The way ------------------------------------------------------------------- */

static void on_closed(void *arg, struct channel *channel, const char *why)
{
	struct resolver_link *link = arg;

	log_say(LOG_WARNING, "resolver", "%s; addresses are as before, and new connections to Unix sockets wait for it", why);
	channel_free(channel);
	link->channel = NULL;
	timer_stop(&link->again);
}

void resolver_link_take(struct resolver_link *link, int fd)
{
	static struct question_table table = {.rows = rows, .count = sizeof rows / sizeof *rows};
	struct channel *before = link->channel;
	struct error err;

	table.house = link;
	link->channel = NULL;
	channel_free(before); /* what was asked there waits */
	if (channel_new(link->loop, fd, "resolver", on_closed, link, &link->channel, &err) != OK ||
	    question_serve(link->channel, &table, ROLE_RESOLVER, NULL, &err) != OK) {
		log_say(LOG_ERROR, "resolver", "%s", err.text);
		channel_free(link->channel);
		link->channel = NULL;
	}
	ask_for_all(link);
}

void resolver_link_init(struct resolver_link *link, struct loop *loop,
			void (*on_addresses)(void *, const char *, const struct address *, size_t), void *arg)
{
	*link = (struct resolver_link){.loop = loop,
				       .dialler = {.arg = link, .start = start, .cancel = cancel},
				       .on_addresses = on_addresses,
				       .arg = arg};
	list_init(&link->asked);
	list_init(&link->waiting);
	timer_init(&link->again, on_again);
}

void resolver_link_release(struct resolver_link *link)
{
	struct channel *channel = link->channel;

	if (!link->loop)
		return;
	timer_stop(&link->again);
	link->channel = NULL;
	channel_free(channel);
	assert(link->call_count == 0);
	free(link->names);
	link->names = NULL;
}
