#include "bridge/ask.h"

#include <stdlib.h>
#include <unistd.h>

#include "base/encode.h"
#include "base/random.h"
#include "bridge/frame.h"
#include "event/timer.h"

enum { SLOT_BITS = 8, ROUNDS_MOST = (1 << 22) - 1 };
_Static_assert(ASK_UNDER_WAY_MOST == 1 << SLOT_BITS, "a ticket's low bits are its slot");

struct asker;

struct pending {
	struct asker *asker;
	struct timer timer; /* set while under way */
	uint32_t ticket;    /* round << SLOT_BITS | slot; 0: free */
	answer_fn *on_answer;
	void *arg;
};

/* Owner: the channel, by its ear. */
struct asker {
	struct channel_ear ear;
	struct channel *channel;
	uint32_t round;
	unsigned count, first_try;
	struct pending slots[ASK_UNDER_WAY_MOST];
};

/* Free before the call: it may ask again. */
static void finish(struct pending *pending, enum status status, const json_t *words, int fd,
		   const struct error *err)
{
	answer_fn *on_answer = pending->on_answer;

	timer_stop(&pending->timer);
	pending->ticket = 0;
	pending->asker->count--;
	on_answer(pending->arg, status, words, fd, err);
}

static void on_due(struct timer *timer)
{
	struct pending *pending = OWNER_OF(timer, struct pending, timer);
	struct error err;
	enum status status =
		error_fail(&err, "%s does not answer", channel_peer(pending->asker->channel));

	finish(pending, status, NULL, -1, &err);
}

static void on_frame(struct channel_ear *ear, uint32_t ticket, json_t *frame, int fd)
{
	struct asker *asker = OWNER_OF(ear, struct asker, ear);
	struct pending *pending = &asker->slots[ticket & (ASK_UNDER_WAY_MOST - 1)];
	const json_t *words = NULL;
	struct error err = {""};
	enum status status;

	/* Too late, or forgotten; the channel closes the descriptor. */
	if (ticket == 0 || pending->ticket != ticket)
		return;
	status = frame_read_answer(frame, &words, &err);
	finish(pending, status, words, fd, &err);
}

static void on_closed(struct channel_ear *ear, const char *why)
{
	struct asker *asker = OWNER_OF(ear, struct asker, ear);
	struct error err;
	int i;

	for (i = 0; i < ASK_UNDER_WAY_MOST; i++) {
		if (!asker->slots[i].ticket)
			continue;
		(void)error_fail(&err, "%s has gone (%s)", channel_peer(asker->channel), why);
		finish(&asker->slots[i], FAILED, NULL, -1, &err);
	}
	free(asker);
}

static struct asker *asker_of(struct channel *channel)
{
	struct channel_ear *ear = channel_ear(channel, CHANNEL_ANSWERS);
	struct asker *asker;
	int i;

	if (ear)
		return OWNER_OF(ear, struct asker, ear);
	asker = calloc(1, sizeof *asker);
	if (!asker)
		return NULL;
	asker->ear = (struct channel_ear){.on_frame = on_frame, .on_closed = on_closed};
	asker->channel = channel;
	for (i = 0; i < ASK_UNDER_WAY_MOST; i++) {
		asker->slots[i].asker = asker;
		timer_init(&asker->slots[i].timer, on_due);
	}
	channel_set_ear(channel, CHANNEL_ANSWERS, &asker->ear);
	return asker;
}

/* The first free one, from where the last was found; count < 256 says that there is one. */
static struct pending *free_slot(struct asker *asker)
{
	while (asker->slots[asker->first_try].ticket)
		asker->first_try = (asker->first_try + 1) % ASK_UNDER_WAY_MOST;
	return &asker->slots[asker->first_try];
}

static enum status begin(struct channel *channel, const struct question *question, int deadline_ms,
			 answer_fn *on_answer, void *arg, uint32_t *ticket)
{
	struct asker *asker = channel_is_open(channel) ? asker_of(channel) : NULL;
	struct pending *pending;
	uint32_t new_ticket;
	json_t *frame;
	enum status status;

	if (!asker)
		return REFUSED;
	if (asker->count == ASK_UNDER_WAY_MOST)
		return AGAIN;
	pending = free_slot(asker);
	asker->round = asker->round % ROUNDS_MOST + 1;
	new_ticket = asker->round << SLOT_BITS | (uint32_t)(pending - asker->slots);
	frame = frame_question(question->name, question->words, question->key);
	status = channel_send(channel, new_ticket, false, frame, question->fd, NULL);
	json_decref(frame);
	if (status != OK)
		return status;
	pending->ticket = new_ticket;
	pending->on_answer = on_answer;
	pending->arg = arg;
	asker->count++;
	timer_set(loop_timers(channel_loop(channel)), &pending->timer,
		  loop_now(channel_loop(channel))->mono + MILLISECONDS(deadline_ms));
	if (ticket)
		*ticket = new_ticket;
	return OK;
}

enum status ask(struct channel *channel, struct question question, int deadline_ms,
		answer_fn *on_answer, void *arg, uint32_t *ticket)
{
	enum status status = begin(channel, &question, deadline_ms, on_answer, arg, ticket);

	json_decref(question.words);
	if (question.fd >= 0)
		close(question.fd);
	return status;
}

static struct asker *asker_if_any(const struct channel *channel)
{
	struct channel_ear *ear = channel_ear(channel, CHANNEL_ANSWERS);

	return ear ? OWNER_OF(ear, struct asker, ear) : NULL;
}

void ask_forget(struct channel *channel, uint32_t ticket)
{
	struct asker *asker = asker_if_any(channel);
	struct pending *pending;

	if (!asker || ticket == 0)
		return;
	pending = &asker->slots[ticket & (ASK_UNDER_WAY_MOST - 1)];
	if (pending->ticket != ticket)
		return;
	timer_stop(&pending->timer);
	pending->ticket = 0;
	asker->count--;
}

unsigned ask_count(const struct channel *channel)
{
	const struct asker *asker = asker_if_any(channel);

	return asker ? asker->count : 0;
}

void ask_make_key(char out[static ASK_KEY_SIZE])
{
	uint8_t bytes[16];

	random_bytes(bytes, sizeof bytes);
	hex_write(bytes, sizeof bytes, out);
}
