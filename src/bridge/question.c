#include "bridge/question.h"

#include <assert.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bridge/frame.h"
#include "event/timer.h"

enum { HELD_MOST = 256, KEY_MOST = 64, NAME_MOST = 64 };

/* Owner: the channel, by its ear. */
struct answerer {
	struct channel_ear ear;
	struct channel *channel;
	const struct question_table *table;
	enum role role;
	int64_t interval, tolerance, next; /* GCRA, microseconds */
	struct timer timer;                /* set while any is held */
	struct link held;                  /* of answer.link: too early to run */
	unsigned held_count, held_most;
	struct link owed; /* of answer.link: run, not answered */
};

/* One question and where its answer goes. */
struct answer {
	struct answerer *answerer;   /* NULL: asked here, or the channel has closed */
	struct answer_local *local;  /* NULL: by a channel, or given up */
	struct link link;            /* owner: answerer.held, answerer.owed */
	const struct question_row *row; /* NULL: there is none for this asker */
	enum role role;
	uint32_t ticket;
	json_t *frame;
	int fd; /* while held */
	char peer[32];
};

static const char *const role_names[] = {"stranger", "command", "gateway",
					 "console",  "authority", "supervisor", "resolver"};

const char *role_name(enum role role)
{
	unsigned bit;

	for (bit = 0; bit < sizeof role_names / sizeof role_names[0]; bit++)
		if ((unsigned)role == 1u << bit)
			return role_names[bit];
	return "nobody";
}

const struct question_row *question_find(const struct question_table *table, const char *name)
{
	size_t i;

	for (i = 0; i < table->count; i++)
		if (strcmp(table->rows[i].name, name) == 0)
			return &table->rows[i];
	return NULL;
}

/* Questions ------------------------------------------------------------- */

static bool is_key(const char *key)
{
	size_t size = strlen(key);

	return size >= 1 && size <= KEY_MOST &&
	       strspn(key, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_-") == size;
}

/* {"question": NAME, "words": {..}?, "key": KEY?} and nothing else. */
static bool is_question(const json_t *frame)
{
	const json_t *words = json_object_get(frame, "words");
	const json_t *key = json_object_get(frame, "key");
	size_t known = 1 + (words != NULL) + (key != NULL);

	return json_is_string(json_object_get(frame, "question")) &&
	       (!words || json_is_object(words)) &&
	       (!key || (json_is_string(key) && is_key(json_string_value(key)))) &&
	       json_object_size(frame) == known;
}

static struct answer *answer_new(json_t *frame, enum role role, const char *peer)
{
	struct answer *answer = calloc(1, sizeof *answer);

	if (!answer)
		return NULL;
	list_init(&answer->link);
	answer->frame = json_incref(frame);
	answer->role = role;
	answer->fd = -1;
	snprintf(answer->peer, sizeof answer->peer, "%s", peer);
	return answer;
}

static void answer_free(struct answer *answer)
{
	list_remove(&answer->link);
	if (answer->fd >= 0)
		close(answer->fd);
	json_decref(answer->frame);
	free(answer);
}

static void find_row(struct answer *answer, const struct question_table *table)
{
	const struct question_row *row = question_find(table, answer_name(answer));

	answer->row = row && (row->who & (unsigned)answer->role) ? row : NULL;
}

static void report_refused(const struct question_table *table, const struct answer *answer)
{
	const char *name = answer_name(answer);
	char printable[NAME_MOST + 1];
	size_t i;

	if (!table->on_refused)
		return;
	for (i = 0; i < NAME_MOST && name[i]; i++)
		printable[i] = name[i] > ' ' && name[i] < 0x7f ? name[i] : '?';
	printable[i] = 0;
	table->on_refused(table->house, answer->role, answer->peer, printable);
}

static void run(const struct question_table *table, struct answer *answer, int fd)
{
	json_t *frame = json_incref(answer->frame); /* the answer may be gone before the call returns */
	json_t *words = json_object_get(frame, "words");
	struct error refused;

	if (!words) {
		words = json_object();
		json_object_set_new(frame, "words", words);
	}
	if (answer->row) {
		answer->row->answer(table->house, answer, words, fd);
	} else {
		report_refused(table, answer);
		(void)error_refuse(&refused, "refused");
		answer_refuse(answer, &refused);
	}
	json_decref(frame);
}

/* On a channel ---------------------------------------------------------- */

static int64_t now_of(const struct answerer *answerer)
{
	return loop_now(channel_loop(answerer->channel))->mono;
}

/* Generic cell rate algorithm (ITU-T I.371): `next` is when a steady asker's next one would come. */
static bool is_early(const struct answerer *answerer, int64_t now)
{
	return answerer->next - now > answerer->tolerance;
}

static void count_one(struct answerer *answerer, int64_t now)
{
	answerer->next = (answerer->next > now ? answerer->next : now) + answerer->interval;
}

static void set_timer(struct answerer *answerer)
{
	timer_set(loop_timers(channel_loop(answerer->channel)), &answerer->timer,
		  answerer->next - answerer->tolerance);
}

static void on_due(struct timer *timer)
{
	struct answerer *answerer = OWNER_OF(timer, struct answerer, timer);
	int64_t now = now_of(answerer);

	while (!list_is_empty(&answerer->held) && !is_early(answerer, now)) {
		struct answer *answer = OWNER_OF(list_first(&answerer->held), struct answer, link);
		int fd = answer->fd;

		list_remove(&answer->link);
		answerer->held_count--;
		list_add_last(&answerer->owed, &answer->link);
		answer->fd = -1;
		count_one(answerer, now);
		run(answerer->table, answer, fd);
		if (fd >= 0)
			close(fd);
	}
	if (!list_is_empty(&answerer->held))
		set_timer(answerer);
}

static void hold(struct answerer *answerer, struct answer *answer, int fd)
{
	struct error full;

	if (answerer->held_count >= answerer->held_most) {
		(void)error_refuse(&full, "too many questions at once");
		answer_error(answer, AGAIN, &full);
		return;
	}
	if (fd >= 0)
		answer->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	list_remove(&answer->link);
	list_add_last(&answerer->held, &answer->link);
	if (answerer->held_count++ == 0)
		set_timer(answerer);
}

static void on_frame(struct channel_ear *ear, uint32_t ticket, json_t *frame, int fd)
{
	struct answerer *answerer = OWNER_OF(ear, struct answerer, ear);
	int64_t now = now_of(answerer);
	struct answer *answer;

	if (!is_question(frame)) {
		channel_break(answerer->channel, "sent a frame that is no question");
		return;
	}
	answer = answer_new(frame, answerer->role, channel_peer(answerer->channel));
	if (!answer) {
		channel_break(answerer->channel, "no memory for its question");
		return;
	}
	answer->answerer = answerer;
	answer->ticket = ticket;
	list_add_last(&answerer->owed, &answer->link);
	find_row(answer, answerer->table);
	if (answer->row && (answer->row->flags & QUESTION_URGENT)) {
		run(answerer->table, answer, fd);
	} else if (answerer->held_count || is_early(answerer, now)) {
		hold(answerer, answer, fd);
	} else {
		count_one(answerer, now);
		run(answerer->table, answer, fd);
	}
}

static void on_closed(struct channel_ear *ear, const char *why)
{
	struct answerer *answerer = OWNER_OF(ear, struct answerer, ear);

	(void)why;
	timer_stop(&answerer->timer);
	while (!list_is_empty(&answerer->held))
		answer_free(OWNER_OF(list_first(&answerer->held), struct answer, link));
	/* These are with the house; it answers them all the same, and nobody hears it. */
	while (!list_is_empty(&answerer->owed)) {
		struct answer *answer = OWNER_OF(list_first(&answerer->owed), struct answer, link);

		list_remove(&answer->link);
		answer->answerer = NULL;
	}
	free(answerer);
}

enum status question_serve(struct channel *channel, const struct question_table *table,
			   enum role role, const struct question_limits *limits, struct error *err)
{
	static const struct question_limits usual = {.per_second = 200, .burst = 400};
	struct answerer *answerer = calloc(1, sizeof *answerer);

	assert(!channel_ear(channel, CHANNEL_QUESTIONS));
	if (!answerer)
		return error_fail(err, "no memory to answer %s", channel_peer(channel));
	if (!limits)
		limits = &usual;
	answerer->ear = (struct channel_ear){.on_frame = on_frame, .on_closed = on_closed};
	answerer->channel = channel;
	answerer->table = table;
	answerer->role = role;
	answerer->interval = 1000000 / (limits->per_second ? limits->per_second : 1);
	answerer->tolerance = answerer->interval * (limits->burst > 1 ? limits->burst - 1 : 0);
	answerer->held_most = limits->held ? limits->held : HELD_MOST;
	timer_init(&answerer->timer, on_due);
	list_init(&answerer->held);
	list_init(&answerer->owed);
	channel_set_ear(channel, CHANNEL_QUESTIONS, &answerer->ear);
	return OK;
}

/* Without a channel ------------------------------------------------------ */

void question_run_local(const struct question_table *table, enum role role, json_t *frame, int fd,
			struct answer_local *into, struct answer **pending)
{
	struct answer *answer = is_question(frame) ? answer_new(frame, role, "here") : NULL;

	*into = (struct answer_local){.fd = -1};
	*pending = NULL;
	if (!answer) {
		into->done = true;
		into->status = error_refuse(&into->err, "that is no question");
		return;
	}
	answer->local = into;
	find_row(answer, table);
	run(table, answer, fd);
	if (!into->done)
		*pending = answer;
}

void question_give_up(struct answer *pending)
{
	pending->local = NULL;
}

/* Answers --------------------------------------------------------------- */

static void send_frame(struct answer *answer, json_t *frame, int fd)
{
	struct channel *channel = answer->answerer->channel;
	struct error err = {""};
	enum status status = channel_send(channel, answer->ticket, true, frame, fd, &err);

	if (status == AGAIN) {
		channel_break(channel, "does not read its answers");
	} else if (status != OK && channel_is_open(channel)) {
		json_t *sorry = frame_answer(FAILED, NULL, &err);

		if (channel_send(channel, answer->ticket, true, sorry, -1, NULL) != OK)
			channel_break(channel, "cannot be answered");
		json_decref(sorry);
	}
}

static void finish(struct answer *answer, enum status status, const json_t *words, int fd,
		   const struct error *why)
{
	if (answer->local) {
		struct answer_local *local = answer->local;

		local->done = true;
		local->status = status;
		if (why)
			local->err = *why;
		if (status == OK)
			local->words = words ? json_incref((json_t *)(uintptr_t)words) : json_object();
		if (fd >= 0)
			local->fd = fcntl(fd, F_DUPFD_CLOEXEC, 3);
	} else if (answer->answerer) {
		json_t *frame = frame_answer(status, words, why);

		send_frame(answer, frame, fd);
		json_decref(frame);
	}
	answer_free(answer);
}

void answer_send(struct answer *answer, const json_t *words, int fd)
{
	finish(answer, OK, words, fd, NULL);
}

void answer_refuse(struct answer *answer, const struct error *why)
{
	finish(answer, REFUSED, NULL, -1, why);
}

void answer_fail(struct answer *answer, const struct error *why)
{
	finish(answer, FAILED, NULL, -1, why);
}

void answer_error(struct answer *answer, enum status status, const struct error *why)
{
	finish(answer, status == OK ? FAILED : status, NULL, -1, why);
}

enum role answer_role(const struct answer *answer)
{
	return answer->role;
}

const char *answer_name(const struct answer *answer)
{
	return json_string_value(json_object_get(answer->frame, "question"));
}

const char *answer_peer(const struct answer *answer)
{
	return answer->peer;
}

const char *answer_key(const struct answer *answer)
{
	return json_string_value(json_object_get(answer->frame, "key"));
}

bool answer_is_unheard(const struct answer *answer)
{
	return !answer->local && !answer->answerer;
}

void answer_promote(struct answer *answer, enum role role)
{
	answer->role = role;
	if (answer->answerer)
		answer->answerer->role = role;
}
