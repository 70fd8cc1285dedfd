#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"
#include "bridge/ask.h"
#include "bridge/question.h"
#include "event/timer.h"
#include "serve/name_asker.h"
#include "serve/post.h"
#include "serve/role.h"
#include "serve/sandbox.h"
#include "serve/targets.h"
#include "stream/dial.h"

/* A gateway that drains goes on with the configuration that it had. */
#define FORMER_TIME SECONDS(600)
#define ASK_AGAIN SECONDS(30)
#define ASK_SOON SECONDS(2) /* while there has not been any answer */

enum { LINES_MOST = 256, DIALS_MOST = 1024, DIAL_MS_MOST = 60000, TELL_MS = 5000, DIALS_A_SECOND = 5000 };

struct resolver;

/* A gateway. */
struct line {
	struct link in_resolver;
	struct resolver *resolver;
	struct channel *channel;
	uint32_t number;
	bool has_strayed; /* it asked for what it may not, and the log says so */
};

/* A name and what is known of it. */
struct known {
	char host[TARGET_SIZE];
	struct address addresses[UPSTREAM_ADDRESSES];
	size_t count;
	int64_t due; /* mono: when to ask again */
	bool is_in_trouble;
};

struct resolver {
	struct post post;
	struct targets targets, former; /* former: until former_until */
	int64_t former_until;
	struct known known[TARGETS_MOST];
	size_t known_count;
	struct name_asker asker;
	struct timer next;
	struct link lines;
	unsigned line_count, dial_count;
};

/* One connect for one gateway. */
struct errand {
	struct resolver *resolver;
	struct answer *answer;
	char path[TARGET_SIZE];
};

static int64_t now_of(const struct resolver *resolver)
{
	return loop_now(resolver->post.loop)->mono;
}

/* Unix sockets ------------------------------------------------------------ */

static void on_dialled(void *arg, enum status status, int fd, const struct error *reason)
{
	struct errand *errand = arg;
	struct error err;

	errand->resolver->dial_count--;
	if (status == OK) {
		answer_send(errand->answer, NULL, fd);
		close(fd);
	} else {
		err = *reason;
		if (strstr(err.text, "Permission denied"))
			(void)error_refuse(&err, "%s; the user that the resolver runs as must be allowed to write to it",
					   reason->text);
		answer_error(errand->answer, status, &err);
	}
	free(errand);
}

static bool may_dial(struct resolver *resolver, const char *path)
{
	/* New files may name it that have come before this question and were not looked at yet. */
	if (!targets_have(&resolver->targets, TARGET_SOCKET, path))
		resolver->post.orders.on_ready(&resolver->post.orders);
	return targets_have(&resolver->targets, TARGET_SOCKET, path) ||
	       (now_of(resolver) < resolver->former_until && targets_have(&resolver->former, TARGET_SOCKET, path));
}

static enum status dial_for(struct resolver *resolver, struct answer *answer, const char *path, int64_t ms,
			    struct error *err)
{
	struct errand *errand;
	struct address to;
	char text[TARGET_SIZE + 8];
	struct dial *dial;
	enum status status;

	if (!may_dial(resolver, path))
		return error_refuse(err, "no upstream is unix:%s", path);
	if (resolver->dial_count == DIALS_MOST) {
		(void)error_refuse(err, "%d connections to Unix sockets are being made", DIALS_MOST);
		return AGAIN;
	}
	snprintf(text, sizeof text, "unix:%s", path);
	status = address_parse(span_of(text), &to, err);
	if (status != OK)
		return status;
	errand = calloc(1, sizeof *errand);
	if (!errand)
		return error_fail(err, "no memory");
	errand->resolver = resolver;
	errand->answer = answer;
	status = dial_start(resolver->post.loop, &to, now_of(resolver) + MILLISECONDS(ms), on_dialled, errand, &dial, err);
	if (status == OK)
		resolver->dial_count++;
	else
		free(errand);
	return status;
}

static void answer_dial(void *house, struct answer *answer, const json_t *words, int fd)
{
	const char *path;
	struct error err;
	enum status status;
	int64_t ms = 0;

	(void)fd;
	status = words_text(words, "socket", TARGET_SIZE - 1, &path, &err);
	if (status == OK)
		status = words_number(words, "ms", 1, DIAL_MS_MOST, &ms, &err);
	if (status == OK)
		status = dial_for(house, answer, path, ms, &err);
	if (status != OK)
		answer_error(answer, status, &err);
}

/* The one thing that may be asked here. */
static const struct question_row rows[] = {
	{"dial", ROLE_GATEWAY, QUESTION_READS, 0, answer_dial},
};

/* Gateways ---------------------------------------------------------------- */

static void line_end(struct line *line)
{
	list_remove(&line->in_resolver);
	line->resolver->line_count--;
	channel_free(line->channel);
	free(line);
}

static void on_line_closed(void *arg, struct channel *channel, const char *why)
{
	(void)channel;
	(void)why;
	line_end(arg);
}

static void on_told(void *arg, enum status status, const json_t *words, int fd, const struct error *err)
{
	(void)arg;
	(void)words;
	(void)fd;
	(void)status;
	(void)err; /* a gateway that ends; the next one is told anew */
}

static void tell(struct line *line, const struct known *known)
{
	json_t *addresses = json_array();
	size_t i;

	for (i = 0; i < known->count; i++) {
		char text[ADDRESS_TEXT_SIZE];

		address_ip_text(&known->addresses[i], text);
		json_array_append_new(addresses, json_string(text));
	}
	(void)!ask(line->channel,
		   (struct question){.name = "addresses",
				     .words = json_pack("{s:s, s:o}", "name", known->host, "addresses", addresses),
				     .fd = -1},
		   TELL_MS, on_told, NULL, NULL);
}

static enum status add_line(struct resolver *resolver, uint32_t number, int fd, struct error *err)
{
	static struct question_table table = {.rows = rows, .count = sizeof rows / sizeof *rows};
	const struct question_limits limits = {.per_second = DIALS_A_SECOND, .burst = DIALS_A_SECOND};
	struct line *line = resolver->line_count < LINES_MOST ? calloc(1, sizeof *line) : NULL;
	char name[32];
	enum status status;
	size_t i;

	if (!line) {
		close(fd);
		return error_fail(err, "no room for another gateway");
	}
	table.house = resolver;
	snprintf(name, sizeof name, "gateway.%u", (unsigned)number);
	line->resolver = resolver;
	line->number = number;
	list_init(&line->in_resolver);
	status = channel_new(resolver->post.loop, fd, name, on_line_closed, line, &line->channel, err);
	if (status == OK)
		status = question_serve(line->channel, &table, ROLE_GATEWAY, &limits, err);
	if (status != OK) {
		channel_free(line->channel);
		free(line);
		return status;
	}
	list_add_last(&resolver->lines, &line->in_resolver);
	resolver->line_count++;
	for (i = 0; i < resolver->known_count; i++)
		if (resolver->known[i].count)
			tell(line, &resolver->known[i]);
	return OK;
}

/* Names -------------------------------------------------------------------- */

static struct known *find_known(struct resolver *resolver, const char *host)
{
	size_t i;

	for (i = 0; i < resolver->known_count; i++)
		if (strcmp(resolver->known[i].host, host) == 0)
			return &resolver->known[i];
	return NULL;
}

/* One at a time, whichever is due first. */
static void ask_next(struct resolver *resolver)
{
	struct known *first = NULL;
	size_t i;

	for (i = 0; i < resolver->known_count; i++)
		if (!first || resolver->known[i].due < first->due)
			first = &resolver->known[i];
	if (!first || resolver->asker.is_asking)
		return;
	if (first->due <= now_of(resolver))
		name_asker_ask(&resolver->asker, first->host);
	else
		timer_set(loop_timers(resolver->post.loop), &resolver->next, first->due);
}

static void on_next(struct timer *timer)
{
	ask_next(OWNER_OF(timer, struct resolver, next));
}

static bool is_same(const struct known *known, const struct name_answer *answer)
{
	size_t i, j;

	for (i = 0; i < answer->count; i++) {
		for (j = 0; j < known->count && !address_is_same_host(&answer->addresses[i], &known->addresses[j]);)
			j++;
		if (j == known->count)
			return false;
	}
	return answer->count == known->count;
}

static void learn(struct resolver *resolver, struct known *known, const struct name_answer *answer)
{
	char text[ADDRESS_TEXT_SIZE];

	if (answer->count == 0) {
		/* What was true goes on: a name server that is away moves no application. */
		if (!known->is_in_trouble)
			log_say(LOG_WARNING, "resolve", "upstream name %s: %s; %s", known->host, answer->trouble,
				known->count ? "the addresses before still hold" : "requests get 502 until it resolves");
		known->is_in_trouble = true;
		return;
	}
	known->is_in_trouble = false;
	if (is_same(known, answer))
		return;
	memcpy(known->addresses, answer->addresses, sizeof known->addresses);
	known->count = answer->count;
	address_ip_text(&known->addresses[0], text);
	log_say(LOG_INFO, "resolve", "upstream name %s is %s%s", known->host, text,
		known->count > 1 ? " and others" : "");
	LIST_EACH(link, &resolver->lines)
		tell(OWNER_OF(link, struct line, in_resolver), known);
}

static void on_name(void *arg, const struct name_answer *answer)
{
	struct resolver *resolver = arg;
	struct known *known = find_known(resolver, answer->host);

	if (known) {
		learn(resolver, known, answer);
		known->due = now_of(resolver) + (known->count ? ASK_AGAIN : ASK_SOON);
	}
	ask_next(resolver);
}

static void on_asker_gone(void *arg)
{
	(void)arg;
	log_gather(false);
	log_say(LOG_ERROR, "resolve", "who asks for names has ended");
	exit(70); /* both are started again */
}

/* Whoever reloads wants to have it as it is now. */
static void ask_all(struct resolver *resolver)
{
	size_t i;

	for (i = 0; i < resolver->known_count; i++)
		resolver->known[i].due = now_of(resolver);
	ask_next(resolver);
}

static bool take_targets(struct resolver *resolver, int fd, struct error *err)
{
	struct targets fresh;
	static struct known known[TARGETS_MOST];
	size_t count = 0;
	uint32_t i;

	if (targets_unpack(fd, &fresh, err) != OK)
		return false;
	if (memcmp(&fresh, &resolver->targets, sizeof fresh) == 0) {
		ask_all(resolver);
		return true;
	}
	resolver->former = resolver->targets;
	resolver->former_until = now_of(resolver) + FORMER_TIME;
	resolver->targets = fresh;
	for (i = 0; i < fresh.count; i++) {
		const struct known *before = find_known(resolver, fresh.at[i].text);

		if (fresh.at[i].kind != TARGET_NAME)
			continue;
		known[count] = before ? *before : (struct known){.count = 0};
		snprintf(known[count].host, TARGET_SIZE, "%s", fresh.at[i].text);
		count++;
	}
	memcpy(resolver->known, known, count * sizeof *known);
	resolver->known_count = count;
	ask_all(resolver);
	return true;
}

/* The role ------------------------------------------------------------------ */

static void on_order(struct post *post, struct order order, int fd)
{
	struct resolver *resolver = OWNER_OF(post, struct resolver, post);
	struct error err;

	switch (order.verb) {
	case ORDER_CHANNEL:
		if (fd >= 0 && add_line(resolver, order.number, fd, &err) != OK)
			log_say(LOG_ERROR, "gateway", "%s", err.text);
		return; /* the line has it */
	case ORDER_BUNDLE:
		if (fd >= 0 && !take_targets(resolver, fd, &err))
			log_say(LOG_ERROR, "files", "%s; the ones before still hold", err.text);
		break;
	case ORDER_STOP:
		loop_stop(post->loop);
		break;
	default:
		break;
	}
	if (fd >= 0)
		close(fd);
}

static enum status start(struct resolver *resolver, int argc, char **argv, struct error *err)
{
	struct buffer weaker;
	enum status status;

	buffer_init(&weaker, 512);
	list_init(&resolver->lines);
	TRY(post_init(&resolver->post, "resolver", argc, argv, on_order, err));
	timer_init(&resolver->next, on_next);
	resolver->asker.on_answer = on_name;
	resolver->asker.on_gone = on_asker_gone;
	resolver->asker.arg = resolver;
	TRY(name_asker_start(&resolver->asker, resolver->post.loop, resolver->post.start.user, err));
	TRY(sandbox_drop(resolver->post.start.user, err));
	TRY(sandbox_tie(resolver->post.start.supervisor, err));
	TRY(sandbox_resolver(&weaker, err));
	if (!take_targets(resolver, FD_BUNDLE, err)) {
		status = FAILED;
		goto done;
	}
	close(FD_BUNDLE);
	post_ready(&resolver->post);
done:
	buffer_release(&weaker);
	return status;
}

int resolver_role(int argc, char **argv)
{
	static struct resolver resolver;
	struct error err = {""};

	if (start(&resolver, argc, argv, &err) != OK) {
		log_gather(false);
		log_say(LOG_ERROR, "start", "%s", err.text);
		return 1;
	}
	loop_run(resolver.post.loop);
	timer_stop(&resolver.next);
	LIST_EACH(link, &resolver.lines)
		line_end(OWNER_OF(link, struct line, in_resolver));
	loop_remove(resolver.post.loop, &resolver.asker.source);
	(void)loop_turn(resolver.post.loop, 0);
	post_release(&resolver.post);
	return 0;
}
