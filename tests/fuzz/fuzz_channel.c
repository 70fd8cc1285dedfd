/*
 * What another process sends: the first byte says who it is, the rest goes
 * down a socket in pieces, into a channel that answers questions and asks one
 * of its own. Nothing may happen but answers, refusals and a closed channel.
 */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "bridge/ask.h"
#include "event/passing.h"

static void echo(void *house, struct answer *answer, const json_t *words, int fd)
{
	const char *text;
	struct error err;

	(void)house;
	if (words_text(words, "text", 100, &text, &err) == REFUSED)
		answer_refuse(answer, &err);
	else
		answer_send(answer, words, fd);
}

static void forbidden(void *house, struct answer *answer, const json_t *words, int fd)
{
	(void)house;
	(void)answer;
	(void)words;
	(void)fd;
	abort(); /* nobody has this role */
}

static const struct question_row rows[] = {
	{"echo", ROLE_CLI | ROLE_GATEWAY | ROLE_CONSOLE, QUESTION_READS, 0, echo},
	{"urgent", ROLE_GATEWAY, QUESTION_WRITES, QUESTION_URGENT, echo},
	{"forbidden", ROLE_SUPERVISOR, QUESTION_WRITES, 0, forbidden},
};
static const struct question_table table = {.rows = rows, .count = 3};

static void on_answer(void *arg, enum status status, const json_t *words, int fd,
		      const struct error *err)
{
	(void)fd;
	if ((status == OK) != (words != NULL) || (status != OK && !err->text[0]))
		abort();
	++*(int *)arg;
}

static void on_closed(void *arg, struct channel *channel, const char *why)
{
	(void)arg;
	(void)channel;
	if (!why[0])
		abort();
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct question question = {.name = "echo", .fd = -1};
	struct channel *channel;
	struct loop *loop;
	struct error err;
	int ends[2], answers = 0;
	size_t at, took;
	bool has_asked;

	if (size < 2 || size > 100000)
		return 0;
	if (loop_new(&loop, &err) != OK || passing_pair(ends, &err) != OK ||
	    channel_new(loop, ends[1], "fuzz", on_closed, NULL, &channel, &err) != OK ||
	    question_serve(channel, &table, 1u << (data[0] & 3), NULL, &err) != OK)
		abort();
	has_asked = ask(channel, question, 1000000, on_answer, &answers, NULL) == OK;
	for (at = 1; at < size; at += took) {
		size_t piece = 1 + (data[0] >> 2) * 16u;

		if (piece > size - at)
			piece = size - at;
		if (passing_send(ends[0], span_make(data + at, piece), data[at] == 0xfd ? 0 : -1,
				 &took) != OK)
			break;
		loop_turn(loop, 0);
	}
	close(ends[0]);
	while (channel_is_open(channel))
		loop_turn(loop, 0);
	channel_free(channel);
	loop_free(loop);
	if (has_asked && answers != 1)
		abort();
	return 0;
}
