#include "bridge/ask.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "bridge/frame.h"
#include "event/passing.h"
#include "support/set_clock.h"

/* One process plays both: a gateway that asks, an authority that answers. */
static struct loop *loop;
static struct channel *gateway_end, *authority_end;
static int asked[8], refusals, closed_count;
static char refused_name[80], closed_why[160], last_key[80];
static struct answer *held_answer, *held[300];
static unsigned held_count;

enum { ASKED_ECHO, ASKED_REVOKE, ASKED_LATER };

static void answer_echo(void *house, struct answer *answer, const json_t *words, int fd)
{
	assert_ptr_equal(house, &asked);
	asked[ASKED_ECHO]++;
	strcpy(last_key, answer_key(answer) ? answer_key(answer) : "");
	answer_send(answer, words, fd);
}

static void answer_revoke(void *house, struct answer *answer, const json_t *words, int fd)
{
	struct error why;
	const char *device;
	enum status status = words_text(words, "device", 64, &device, &why);

	(void)house;
	(void)fd;
	asked[ASKED_REVOKE]++;
	if (status != OK)
		answer_error(answer, status, &why);
	else
		answer_send(answer, NULL, -1);
}

static void answer_later(void *house, struct answer *answer, const json_t *words, int fd)
{
	(void)house;
	(void)words;
	(void)fd;
	asked[ASKED_LATER]++;
	held_answer = held[held_count++] = answer;
}

static void answer_too_much(void *house, struct answer *answer, const json_t *words, int fd)
{
	static char large[FRAME_WORDS_MOST];
	json_t *much;

	(void)house;
	(void)words;
	(void)fd;
	memset(large, 'x', sizeof large - 1);
	much = json_pack("{s:s}", "much", large);
	answer_send(answer, much, -1);
	json_decref(much);
}

static void answer_prove(void *house, struct answer *answer, const json_t *words, int fd)
{
	(void)house;
	(void)words;
	(void)fd;
	answer_promote(answer, ROLE_CLI);
	answer_send(answer, NULL, -1);
}

static void on_refused(void *house, enum role role, const char *peer, const char *name)
{
	(void)house;
	assert_true(role == ROLE_GATEWAY || role == ROLE_STRANGER);
	assert_true(strcmp(peer, "gateway.1") == 0 || strcmp(peer, "here") == 0);
	refusals++;
	strcpy(refused_name, name);
}

/* Every answer is given once, heard or not. */
static void settle(void *house)
{
	(void)house;
	while (held_count)
		answer_send(held[--held_count], NULL, -1);
	held_answer = NULL;
}

static const struct question_row rows[] = {
	{"echo", ROLE_GATEWAY | ROLE_CLI, QUESTION_READS, 0, answer_echo},
	{"revoke", ROLE_GATEWAY, QUESTION_WRITES, QUESTION_URGENT, answer_revoke},
	{"later", ROLE_GATEWAY | ROLE_CLI, QUESTION_READS, 0, answer_later},
	{"much", ROLE_GATEWAY, QUESTION_READS, 0, answer_too_much},
	{"person-add", ROLE_CLI, QUESTION_WRITES, 0, answer_echo},
	{"prove", ROLE_STRANGER, QUESTION_READS, 0, answer_prove},
};
static const struct question_table table = {.rows = rows,
					    .count = sizeof rows / sizeof rows[0],
					    .house = &asked,
					    .on_refused = on_refused,
					    .settle = settle};

/* What came back. */
static struct heard {
	int count;
	enum status status;
	char text[512];
	char said[64];
	bool had_descriptor;
} heard;

static void on_answer(void *arg, enum status status, const json_t *words, int fd,
		      const struct error *err)
{
	struct heard *into = arg;
	const char *said = json_string_value(json_object_get(words, "say"));
	struct stat facts;

	into->count++;
	into->status = status;
	strcpy(into->text, status == OK ? "" : err->text);
	strcpy(into->said, said ? said : "");
	into->had_descriptor = fd >= 0 && fstat(fd, &facts) == 0;
	assert_true(status == OK ? words != NULL : words == NULL);
}

static void on_closed(void *arg, struct channel *channel, const char *why)
{
	(void)arg;
	(void)channel;
	closed_count++;
	strcpy(closed_why, why);
}

static int raw_end = -1; /* when the gateway is played by hand */

static void open_channels(enum role role, const struct question_limits *limits, bool by_hand)
{
	struct error err;
	int ends[2];

	set_clock_begin();
	memset(&heard, 0, sizeof heard);
	memset(asked, 0, sizeof asked);
	refusals = closed_count = 0;
	gateway_end = NULL;
	raw_end = -1;
	assert_int_equal(loop_new(&loop, &err), OK);
	assert_int_equal(passing_pair(ends, &err), OK);
	assert_int_equal(channel_new(loop, ends[1], "gateway.1", on_closed, NULL, &authority_end, &err),
			 OK);
	assert_int_equal(question_serve(authority_end, &table, role, limits, &err), OK);
	if (by_hand)
		raw_end = ends[0];
	else
		assert_int_equal(channel_new(loop, ends[0], "authority", on_closed, NULL, &gateway_end,
					     &err), OK);
}

static int set_up(void **state)
{
	(void)state;
	open_channels(ROLE_GATEWAY, NULL, false);
	return 0;
}

static int set_up_by_hand(void **state)
{
	(void)state;
	open_channels(ROLE_GATEWAY, NULL, true);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	channel_free(gateway_end);
	channel_free(authority_end);
	settle(NULL);
	if (raw_end >= 0)
		close(raw_end);
	loop_free(loop);
	return 0;
}

static void turns(int count)
{
	while (count--)
		assert_true(loop_turn(loop, 0));
}

static enum status ask_it(const char *name, json_t *words, uint32_t *ticket)
{
	struct question question = {.name = name, .words = words, .fd = -1};

	return ask(gateway_end, question, 1000, on_answer, &heard, ticket);
}

static json_t *say(const char *text)
{
	return json_pack("{s:s}", "say", text);
}

static void a_question_is_answered_in_a_later_turn(void **state)
{
	(void)state;
	assert_int_equal(ask_it("echo", say("hello"), NULL), OK);
	assert_int_equal(heard.count, 0);
	assert_int_equal(ask_count(gateway_end), 1);
	turns(3);
	assert_int_equal(heard.count, 1);
	assert_int_equal(heard.status, OK);
	assert_string_equal(heard.said, "hello");
	assert_int_equal(ask_count(gateway_end), 0);
}

static void a_descriptor_and_a_key_go_along(void **state)
{
	struct question question = {.name = "echo", .words = say("here"), .fd = dup(0)};
	char key[ASK_KEY_SIZE], other[ASK_KEY_SIZE];

	(void)state;
	ask_make_key(key);
	ask_make_key(other);
	assert_string_not_equal(key, other);
	question.key = key;
	assert_int_equal(ask(gateway_end, question, 1000, on_answer, &heard, NULL), OK);
	turns(3);
	assert_int_equal(heard.count, 1);
	assert_true(heard.had_descriptor);
	assert_string_equal(last_key, key);
}

static void descriptors_keep_to_their_frames(void **state)
{
	static struct heard all[10];
	int i;

	(void)state;
	memset(all, 0, sizeof all);
	for (i = 0; i < 10; i++) {
		struct question question = {.name = "echo", .fd = i % 3 == 1 ? dup(0) : -1};

		assert_int_equal(ask(gateway_end, question, 1000, on_answer, &all[i], NULL), OK);
	}
	turns(4);
	for (i = 0; i < 10; i++) {
		assert_int_equal(all[i].count, 1);
		assert_int_equal(all[i].had_descriptor, i % 3 == 1);
	}
}

static void unknown_and_forbidden_questions_get_the_same_word(void **state)
{
	(void)state;
	assert_int_equal(ask_it("open-the-safe\n", NULL, NULL), OK);
	turns(3);
	assert_int_equal(heard.status, REFUSED);
	assert_string_equal(heard.text, "refused");
	assert_string_equal(refused_name, "open-the-safe?");
	assert_int_equal(ask_it("person-add", say("x"), NULL), OK);
	turns(3);
	assert_int_equal(heard.count, 2);
	assert_int_equal(heard.status, REFUSED);
	assert_string_equal(heard.text, "refused");
	assert_int_equal(refusals, 2);
	assert_int_equal(asked[ASKED_ECHO], 0);
}

static void a_stranger_that_shows_its_token_is_a_command_from_then_on(void **state)
{
	(void)state;
	tear_down(NULL);
	open_channels(ROLE_STRANGER, NULL, false);
	assert_int_equal(ask_it("person-add", say("x"), NULL), OK);
	turns(3);
	assert_int_equal(heard.status, REFUSED);
	assert_int_equal(ask_it("prove", NULL, NULL), OK);
	assert_int_equal(ask_it("person-add", say("y"), NULL), OK);
	turns(3);
	assert_int_equal(heard.count, 3);
	assert_string_equal(heard.said, "y");
}

static void a_bad_word_is_refused_by_name(void **state)
{
	(void)state;
	assert_int_equal(ask_it("revoke", say("x"), NULL), OK);
	turns(3);
	assert_int_equal(heard.status, REFUSED);
	assert_string_equal(heard.text, "\"device\" is missing");
}

static void without_an_answer_it_fails_at_its_deadline(void **state)
{
	(void)state;
	assert_int_equal(ask_it("later", NULL, NULL), OK);
	turns(3);
	set_clock_advance(MILLISECONDS(990));
	turns(2);
	assert_int_equal(heard.count, 0);
	set_clock_advance(MILLISECONDS(20));
	turns(2);
	assert_int_equal(heard.count, 1);
	assert_int_equal(heard.status, FAILED);
	assert_string_equal(heard.text, "authority does not answer");
	settle(NULL); /* too late: nobody hears it */
	turns(3);
	assert_int_equal(heard.count, 1);
	assert_int_equal(closed_count, 0);
}

static void a_forgotten_question_is_done_and_not_answered(void **state)
{
	uint32_t ticket, old;

	(void)state;
	assert_int_equal(ask_it("later", NULL, &ticket), OK);
	ask_forget(gateway_end, ticket);
	ask_forget(gateway_end, ticket);
	ask_forget(gateway_end, 0);
	turns(3);
	assert_int_equal(asked[ASKED_LATER], 1);
	assert_false(answer_is_unheard(held_answer));
	settle(NULL);
	turns(3);
	set_clock_advance(SECONDS(2));
	turns(2);
	assert_int_equal(heard.count, 0);
	/* Its slot is used again; the old ticket means nothing there. */
	old = ticket;
	assert_int_equal(ask_it("echo", say("new"), &ticket), OK);
	assert_int_not_equal(ticket, old);
	ask_forget(gateway_end, old);
	turns(3);
	assert_string_equal(heard.said, "new");
}

static void at_256_under_way_it_says_again(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 256; i++)
		assert_int_equal(ask_it("later", NULL, NULL), OK);
	assert_int_equal(ask_it("later", NULL, NULL), AGAIN);
	turns(40);
	set_clock_advance(SECONDS(2));
	turns(2);
	assert_int_equal(heard.count, 256);
	assert_int_equal(ask_it("echo", say("room"), NULL), OK);
	turns(3);
	assert_string_equal(heard.said, "room");
}

static void when_the_other_side_goes_what_is_under_way_fails(void **state)
{
	(void)state;
	assert_int_equal(ask_it("later", NULL, NULL), OK);
	turns(3);
	channel_free(authority_end);
	authority_end = NULL;
	turns(3);
	assert_int_equal(heard.count, 1);
	assert_int_equal(heard.status, FAILED);
	assert_string_equal(heard.text, "authority has gone (closed)");
	assert_int_equal(closed_count, 1);
	assert_false(channel_is_open(gateway_end));
	assert_int_equal(ask_it("echo", NULL, NULL), REFUSED);
	/* The answer is given all the same. */
	assert_true(answer_is_unheard(held_answer));
	settle(NULL);
}

static void on_answer_free_channel(void *arg, enum status status, const json_t *words, int fd,
				   const struct error *err)
{
	on_answer(arg, status, words, fd, err);
	channel_free(gateway_end);
	gateway_end = NULL;
}

static void a_channel_may_be_freed_by_the_answer(void **state)
{
	struct question question = {.name = "echo", .fd = -1};
	int i;

	(void)state;
	for (i = 0; i < 3; i++)
		assert_int_equal(ask(gateway_end, question, 1000, on_answer_free_channel, &heard, NULL), OK);
	turns(4);
	assert_int_equal(heard.count, 3); /* the others failed with the channel */
	assert_int_equal(heard.status, FAILED);
}

static uint32_t forget_this;

static void on_answer_forget(void *arg, enum status status, const json_t *words, int fd,
			     const struct error *err)
{
	on_answer(arg, status, words, fd, err);
	ask_forget(gateway_end, forget_this);
}

static void forgetting_another_while_the_channel_closes_works(void **state)
{
	struct question question = {.name = "later", .fd = -1};

	(void)state;
	assert_int_equal(ask(gateway_end, question, 1000, on_answer_forget, &heard, NULL), OK);
	assert_int_equal(ask(gateway_end, question, 1000, on_answer_forget, &heard, &forget_this), OK);
	channel_break(gateway_end, "test");
	turns(2);
	assert_int_equal(heard.count, 1);
}

static void an_answer_that_is_too_large_fails_and_harms_no_channel(void **state)
{
	(void)state;
	assert_int_equal(ask_it("much", NULL, NULL), OK);
	turns(3);
	assert_int_equal(heard.status, FAILED);
	assert_string_equal(heard.text, "the message has more than 262144 bytes");
	assert_int_equal(closed_count, 0);
}

static void too_many_questions_wait_and_urgent_ones_do_not(void **state)
{
	static const struct question_limits slow = {.per_second = 10, .burst = 3};
	int i;

	(void)state;
	tear_down(NULL);
	open_channels(ROLE_GATEWAY, &slow, false);
	for (i = 0; i < 6; i++)
		assert_int_equal(ask_it("echo", NULL, NULL), OK);
	assert_int_equal(ask_it("revoke", json_pack("{s:s}", "device", "ab"), NULL), OK);
	turns(4);
	assert_int_equal(asked[ASKED_ECHO], 3);
	assert_int_equal(asked[ASKED_REVOKE], 1);
	assert_int_equal(heard.count, 4);
	set_clock_advance(MILLISECONDS(110));
	turns(3);
	assert_int_equal(asked[ASKED_ECHO], 4);
	set_clock_advance(MILLISECONDS(250));
	turns(3);
	assert_int_equal(asked[ASKED_ECHO], 6);
	assert_int_equal(heard.count, 7);
}

static unsigned open_descriptors(void)
{
	unsigned count = 0;
	int fd;

	for (fd = 0; fd < 8192; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

/* Who asks for descriptors and fetches none uses up its own patience, not our descriptors. */
static void descriptors_that_nobody_fetches_are_few(void **state)
{
	json_t *words = json_object();
	unsigned sent = 0;
	struct error err;
	unsigned before = open_descriptors();

	(void)state;
	while (sent < 5000 && channel_send(authority_end, sent + 1, true, words, 0, &err) == OK)
		sent++;
	assert_true(sent < 5000);
	assert_true(open_descriptors() - before <= 16);
	json_decref(words);
}

static void a_queue_that_is_full_says_so(void **state)
{
	static const struct question_limits slow = {.per_second = 1, .burst = 1};
	int i;

	(void)state;
	tear_down(NULL);
	open_channels(ROLE_GATEWAY, &slow, false);
	assert_int_equal(ask_it("echo", NULL, NULL), OK);
	turns(3);
	for (i = 0; i < 256; i++)
		assert_int_equal(ask_it("echo", NULL, NULL), OK);
	turns(40);
	ask_forget(gateway_end, 0);
	set_clock_advance(MILLISECONDS(1010));
	turns(2); /* all deadlines have passed, one was answered just before */
	for (i = 0; i < 2; i++)
		assert_int_equal(ask_it("echo", NULL, NULL), OK);
	turns(4);
	assert_int_equal(heard.status, AGAIN);
	assert_string_equal(heard.text, "too many questions at once");
	/* Closing with a queue full of held ones leaks nothing: ASan looks. */
}

/* By hand --------------------------------------------------------------- */

static void write_raw(const void *bytes, size_t size, int fd)
{
	size_t took;

	assert_int_equal(passing_send(raw_end, span_make(bytes, size), fd, &took), OK);
	assert_int_equal(took, size);
}

static void write_frame(uint32_t size_word, uint32_t ticket, const char *text, int fd)
{
	char bytes[1000];
	size_t size = strlen(text);

	memcpy(bytes, &size_word, 4);
	memcpy(bytes + 4, &ticket, 4);
	memcpy(bytes + 8, text, size);
	write_raw(bytes, 8 + size, fd);
}

static void write_json(const char *text)
{
	write_frame((uint32_t)strlen(text), 1, text, -1);
}

static void a_frame_may_come_byte_by_byte(void **state)
{
	static const char text[] = "{\"question\":\"echo\"}";
	char bytes[100];
	uint32_t head[2] = {sizeof text - 1, 5};
	size_t i;

	(void)state;
	memcpy(bytes, head, 8);
	memcpy(bytes + 8, text, sizeof text);
	for (i = 0; i < 8 + sizeof text - 1; i++) {
		assert_int_equal(asked[ASKED_ECHO], 0);
		write_raw(bytes + i, 1, -1);
		turns(1);
	}
	assert_int_equal(asked[ASKED_ECHO], 1);
	assert_int_equal(closed_count, 0);
}

static void more_frames_than_a_turn_takes_are_taken_in_the_next(void **state)
{
	int i;

	(void)state;
	for (i = 0; i < 100; i++)
		write_json("{\"question\":\"echo\"}");
	turns(1);
	assert_in_range(asked[ASKED_ECHO], 1, 40);
	turns(10);
	assert_int_equal(asked[ASKED_ECHO], 100);
}

static void every_rule_broken_closes_the_channel_with_its_reason(void **state)
{
	static const struct {
		const char *text, *why;
	} lies[] = {
		{"[1]", "sent JSON that is no object"},
		{"{\"question\":\"echo\",\"question\":\"x\"}", "sent bad JSON: duplicate object key"},
		{"{}", "sent a frame that is no question"},
		{"{\"question\":5}", "sent a frame that is no question"},
		{"{\"question\":\"echo\",\"words\":[]}", "sent a frame that is no question"},
		{"{\"question\":\"echo\",\"role\":\"cli\"}", "sent a frame that is no question"},
		{"{\"question\":\"echo\",\"key\":\"a b\"}", "sent a frame that is no question"},
		{"{\"question\":\"echo\",\"key\":\"\"}", "sent a frame that is no question"},
		{"{\"a\":[[[[[[[[[[[[[[[[1]]]]]]]]]]]]]]]]}", "sent JSON that is more than 16 deep"},
	};
	size_t i;

	for (i = 0; i < sizeof lies / sizeof lies[0]; i++) {
		write_json(lies[i].text);
		turns(2);
		assert_int_equal(closed_count, 1);
		if (!strstr(closed_why, lies[i].why))
			fail_msg("%s: %s", lies[i].text, closed_why);
		tear_down(NULL);
		set_up_by_hand(state);
	}
}

static void a_length_that_lies_closes_the_channel(void **state)
{
	(void)state;
	write_frame(5000000, 1, "", -1);
	turns(2);
	assert_string_equal(closed_why, "sent a frame of 5000000 bytes");
}

static void an_end_in_the_middle_of_a_frame_is_told(void **state)
{
	(void)state;
	write_frame(100, 1, "{", -1);
	turns(1);
	assert_int_equal(closed_count, 0);
	assert_int_equal(shutdown(raw_end, SHUT_WR), 0);
	turns(2);
	assert_string_equal(closed_why, "closed in the middle of a frame");
}

static void a_descriptor_that_no_frame_announced_closes_the_channel(void **state)
{
	(void)state;
	write_frame(19, 1, "{\"question\":\"echo\"}", 0);
	turns(2);
	assert_string_equal(closed_why, "sent a descriptor without a frame");
}

static void a_frame_that_announced_one_and_has_none_closes_it_too(void **state)
{
	(void)state;
	write_frame(19 | 0x80000000, 1, "{\"question\":\"echo\"}", -1);
	turns(2);
	assert_string_equal(closed_why, "sent a frame whose descriptor did not come");
	assert_int_equal(asked[ASKED_ECHO], 0);
}

static void descriptors_are_not_hoarded(void **state)
{
	int i;

	(void)state;
	write_frame(1000, 1, "", -1);
	for (i = 0; i < 20; i++)
		write_raw(" ", 1, 0);
	turns(2);
	assert_string_equal(closed_why, "sent too many descriptors");
}

static void an_answer_that_nobody_asked_for_is_ignored(void **state)
{
	(void)state;
	write_frame(15, 0x80000001, "{\"status\":\"ok\"}", -1);
	write_frame(15, 0xffffffff, "{\"status\":\"ok\"}", -1);
	write_frame(15, 0x80000000, "{\"status\":\"ok\"}", -1);
	write_json("{\"question\":\"echo\"}");
	turns(2);
	assert_int_equal(closed_count, 0);
	assert_int_equal(asked[ASKED_ECHO], 1);
}

static void who_does_not_read_its_answers_is_let_go(void **state)
{
	static char question[100000];
	int i;

	(void)state;
	memset(question, ' ', sizeof question);
	memcpy(question, "{\"question\":\"echo\",\"words\":{\"a\":\"", 33);
	memset(question + 33, 'x', 50000);
	memcpy(question + 50033, "\"}}", 3);
	for (i = 0; i < 200 && closed_count == 0; i++) {
		uint32_t head[2] = {50036, 1};
		size_t took;

		if (passing_send(raw_end, span_make(head, 8), -1, &took) == OK) {
			size_t done = 0;

			while (done < 50036 && closed_count == 0) {
				if (passing_send(raw_end, span_make(question + done, 50036 - done), -1,
						 &took) == OK)
					done += took;
				turns(1);
			}
		}
		turns(1);
	}
	assert_string_equal(closed_why, "does not read its answers");
	assert_true(channel_waiting(authority_end) <= 2u << 20);
}

/* Without a loop -------------------------------------------------------- */

static void a_command_waits_for_its_answer(void **state)
{
	struct question question = {.name = "echo", .words = say("hi"), .fd = -1};
	struct error err;
	json_t *words;
	int fd;

	(void)state;
	clock_set_source(NULL);
	write_json("{\"question\":\"echo\",\"words\":{\"say\":\"early\"}}"); /* ticket 1, as ask_wait's */
	turns(2);
	assert_int_equal(ask_wait(raw_end, question, 5000, &words, &fd, &err), OK);
	assert_string_equal(json_string_value(json_object_get(words, "say")), "early");
	assert_int_equal(fd, -1);
	json_decref(words);
}

static void a_command_gets_the_descriptor_too(void **state)
{
	struct question question = {.name = "echo", .fd = -1};
	struct error err;
	json_t *words;
	int fd;

	(void)state;
	clock_set_source(NULL);
	write_frame(19 | 0x80000000, 1, "{\"question\":\"echo\"}", 0);
	turns(2);
	assert_int_equal(ask_wait(raw_end, question, 5000, &words, &fd, &err), OK);
	assert_true(fd >= 0);
	close(fd);
	json_decref(words);
}

static void a_command_does_not_wait_for_ever(void **state)
{
	struct question question = {.name = "echo", .fd = -1};
	struct error err;
	json_t *words;

	(void)state;
	clock_set_source(NULL);
	assert_int_equal(ask_wait(raw_end, question, 1, &words, NULL, &err), FAILED);
	assert_string_equal(err.text, "the running chatelaine does not answer");
	channel_free(authority_end);
	authority_end = NULL;
	turns(1);
	assert_int_equal(ask_wait(raw_end, question, 1000, &words, NULL, &err), FAILED);
	assert_string_equal(err.text, "the running chatelaine has closed the connection");
	assert_int_equal(ask_connect("/nowhere/socket", &raw_end, &err), REFUSED);
	assert_string_equal(err.text, "no running chatelaine answers at /nowhere/socket: "
				      "No such file or directory");
}

static void without_a_server_the_table_answers_itself(void **state)
{
	struct question echo = {.name = "echo", .words = say("local"), .fd = -1, .key = "abc"};
	struct question later = {.name = "later", .fd = -1}, revoke = {.name = "revoke", .fd = -1};
	struct question_table hasty = table;
	struct error err;
	json_t *words;
	int fd;

	(void)state;
	assert_int_equal(question_dispatch_local(&table, ROLE_CLI, echo, &words, &fd, &err), OK);
	assert_string_equal(json_string_value(json_object_get(words, "say")), "local");
	assert_string_equal(last_key, "abc");
	json_decref(words);
	assert_int_equal(question_dispatch_local(&table, ROLE_CLI, later, &words, &fd, &err), OK);
	json_decref(words);
	assert_int_equal(question_dispatch_local(&table, ROLE_STRANGER, revoke, &words, &fd, &err),
			 REFUSED);
	assert_string_equal(err.text, "refused");
	hasty.settle = NULL;
	assert_int_equal(question_dispatch_local(&hasty, ROLE_CLI, later, &words, &fd, &err), FAILED);
	assert_string_equal(err.text, "\"later\" was not answered");
	assert_true(answer_is_unheard(held_answer));
	settle(NULL);
}

static void words_are_read_strictly(void **state)
{
	json_t *words = json_pack("{s:s,s:s,s:i,s:b,s:s,s:s,s:n}", "text", "fine", "bell", "a\x07",
				  "number", 5, "flag", 1, "hex", "00fF", "pem", "a\nb", "null");
	const char *text;
	uint8_t bytes[2];
	struct error err;
	int64_t number;
	bool flag;

	(void)state;
	assert_int_equal(words_text(words, "text", 4, &text, &err), OK);
	assert_string_equal(text, "fine");
	assert_int_equal(words_text(words, "text", 3, &text, &err), REFUSED);
	assert_string_equal(err.text, "\"text\" has 4 bytes, at most 3 are allowed");
	assert_int_equal(words_text(words, "bell", 9, &text, &err), REFUSED);
	assert_string_equal(err.text, "\"bell\" holds a control character");
	assert_int_equal(words_text(words, "pem", 9, &text, &err), REFUSED);
	assert_int_equal(words_block(words, "pem", 9, &text, &err), OK);
	assert_int_equal(words_text(words, "null", 9, &text, &err), REFUSED);
	assert_int_equal(words_text_maybe(words, "null", 9, &text, &err), OK);
	assert_null(text);
	assert_int_equal(words_text_maybe(words, "number", 9, &text, &err), REFUSED);
	assert_int_equal(words_number(words, "number", 1, 5, &number, &err), OK);
	assert_int_equal(words_number(words, "number", 6, 9, &number, &err), REFUSED);
	assert_string_equal(err.text, "\"number\" must be a whole number from 6 to 9");
	assert_int_equal(words_flag(words, "flag", &flag, &err), OK);
	assert_true(flag);
	assert_int_equal(words_flag(words, "nothing", &flag, &err), OK);
	assert_false(flag);
	assert_int_equal(words_flag(words, "text", &flag, &err), REFUSED);
	assert_int_equal(words_hex(words, "hex", bytes, 2, &err), OK);
	assert_int_equal(bytes[1], 0xff);
	assert_int_equal(words_hex(words, "hex", bytes, 1, &err), REFUSED);
	assert_string_equal(err.text, "\"hex\" must be 2 hexadecimal digits");
	json_decref(words);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)
#define BY_HAND(name) cmocka_unit_test_setup_teardown(name, set_up_by_hand, tear_down)
int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_question_is_answered_in_a_later_turn),
		TEST(a_descriptor_and_a_key_go_along),
		TEST(descriptors_keep_to_their_frames),
		TEST(unknown_and_forbidden_questions_get_the_same_word),
		TEST(a_stranger_that_shows_its_token_is_a_command_from_then_on),
		TEST(a_bad_word_is_refused_by_name),
		TEST(without_an_answer_it_fails_at_its_deadline),
		TEST(a_forgotten_question_is_done_and_not_answered),
		TEST(at_256_under_way_it_says_again),
		TEST(when_the_other_side_goes_what_is_under_way_fails),
		TEST(a_channel_may_be_freed_by_the_answer),
		TEST(forgetting_another_while_the_channel_closes_works),
		TEST(an_answer_that_is_too_large_fails_and_harms_no_channel),
		TEST(too_many_questions_wait_and_urgent_ones_do_not),
		TEST(descriptors_that_nobody_fetches_are_few),
		TEST(a_queue_that_is_full_says_so),
		BY_HAND(a_frame_may_come_byte_by_byte),
		BY_HAND(more_frames_than_a_turn_takes_are_taken_in_the_next),
		BY_HAND(every_rule_broken_closes_the_channel_with_its_reason),
		BY_HAND(a_length_that_lies_closes_the_channel),
		BY_HAND(an_end_in_the_middle_of_a_frame_is_told),
		BY_HAND(a_descriptor_that_no_frame_announced_closes_the_channel),
		BY_HAND(a_frame_that_announced_one_and_has_none_closes_it_too),
		BY_HAND(descriptors_are_not_hoarded),
		BY_HAND(an_answer_that_nobody_asked_for_is_ignored),
		BY_HAND(who_does_not_read_its_answers_is_let_go),
		BY_HAND(a_command_waits_for_its_answer),
		BY_HAND(a_command_gets_the_descriptor_too),
		BY_HAND(a_command_does_not_wait_for_ever),
		TEST(without_a_server_the_table_answers_itself),
		TEST(words_are_read_strictly),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
