#include "authority/authority.h"

#include <signal.h>
#include <sys/wait.h>
#include <time.h>

#include "authority/authority_handle.h"
#include "authority/house_files.h"
#include "base/encode.h"
#include "base/random.h"
#include "bridge/ask.h"
#include "bridge/question.h"
#include "event/passing.h"
#include "house_fixture.h"
#include "registry/audit_record.h"

#define ALICE "{'name': 'Alice', 'email': 'alice@example.com', 'groups': ['staff']}"
#define PHONE "{'person': 'alice', 'label': 'phone', 'kind': 'phone', 'form': 'pem'}"

/* A gateway as the authority sees it: a channel that answers, or does not. */
struct fake_gateway {
	struct question_table table;
	struct channel *channel;
	struct roster *roster;
	unsigned number, rosters, lost, connections;
	bool is_silent, refuses;
	enum roster_state word_at_lost; /* of watched, when `lost` came */
	uint8_t watched[32];
	char lost_device[33];
	struct answer *held[8]; /* of a silent one: owed for ever */
};

struct stage {
	struct loop *loop;
	struct authority *authority;
	struct channel *command;
	struct fake_gateway gateways[4];
	unsigned killed[8], kill_count;
	bool kill_works;
	/* The last answer to a command. */
	unsigned answers;
	enum status status;
	json_t *words;
	struct error err;
	int64_t answered;
};

static struct stage stage;
static int64_t skipped;
static bool stands_still; /* the machine is as slow as it likes: no deadline comes nearer */

static struct clock_time skipping_clock(void)
{
	static struct timespec now;

	if (!stands_still)
		timespec_get(&now, TIME_UTC);
	return (struct clock_time){now.tv_sec * 1000000 + now.tv_nsec / 1000 + skipped,
				   now.tv_sec * 1000000 + now.tv_nsec / 1000 + skipped};
}

static void on_roster(void *house, struct answer *answer, const json_t *words, int fd)
{
	struct fake_gateway *gateway = house;
	struct error err;

	(void)words;
	roster_free(gateway->roster);
	gateway->roster = NULL;
	FINE(roster_open(fd, &gateway->roster, &err));
	gateway->rosters++;
	answer_send(answer, NULL, -1);
}

static void on_lost(void *house, struct answer *answer, const json_t *words, int fd)
{
	struct fake_gateway *gateway = house;
	struct standing standing;
	const json_t *devices = json_object_get(words, "devices");
	unsigned count;
	json_t *reply;
	struct error err;

	(void)fd;
	count = json_is_array(devices) ? (unsigned)json_array_size(devices) : 1;
	gateway->lost += count;
	if (count == 1)
		snprintf(gateway->lost_device, sizeof gateway->lost_device, "%s", text_of(words, "device"));
	if (gateway->roster && roster_find(gateway->roster, gateway->watched, &standing))
		gateway->word_at_lost = standing.state;
	if (gateway->is_silent) {
		gateway->held[gateway->lost - 1] = answer;
		return;
	}
	if (gateway->refuses) {
		(void)error_refuse(&err, "not today");
		answer_refuse(answer, &err);
		return;
	}
	reply = json_pack("{s:i}", "closed", (int)(count * gateway->connections));
	answer_send(answer, reply, -1);
	json_decref(reply);
}

static void on_who(void *house, struct answer *answer, const json_t *words, int fd)
{
	struct fake_gateway *gateway = house;
	json_t *reply = json_pack("{s:i}", "connections", (int)gateway->connections);

	(void)words;
	(void)fd;
	answer_send(answer, reply, -1);
	json_decref(reply);
}

static const struct question_row gateway_rows[] = {
	{"roster", ROLE_AUTHORITY, QUESTION_READS, 0, on_roster},
	{"lost", ROLE_AUTHORITY, QUESTION_WRITES, QUESTION_URGENT, on_lost},
	{"who", ROLE_AUTHORITY, QUESTION_READS, 0, on_who},
};

static void on_gateway_closed(void *arg, struct channel *channel, const char *why)
{
	struct fake_gateway *gateway = arg;

	(void)why;
	gateway->channel = NULL;
	channel_free(channel);
}

static void kill_gateway(void *arg, unsigned number)
{
	struct stage *where = arg;

	where->killed[where->kill_count++] = number;
	if (!where->kill_works)
		return;
	channel_free(where->gateways[number].channel);
	where->gateways[number].channel = NULL;
}

static struct fake_gateway *add_gateway(unsigned number)
{
	struct fake_gateway *gateway = &stage.gateways[number];
	struct error err;
	int ends[2];

	*gateway = (struct fake_gateway){.number = number, .connections = number + 1};
	gateway->table = (struct question_table){.rows = gateway_rows, .count = 3, .house = gateway};
	FINE(passing_pair(ends, &err));
	FINE(channel_new(stage.loop, ends[0], "authority", on_gateway_closed, gateway, &gateway->channel, &err));
	FINE(question_serve(gateway->channel, &gateway->table, ROLE_AUTHORITY, NULL, &err));
	FINE(authority_add_gateway(stage.authority, number, ends[1], &err));
	return gateway;
}

static void on_answer(void *arg, enum status status, const json_t *words, int fd, const struct error *err)
{
	(void)arg;
	(void)fd;
	stage.answers++;
	stage.status = status;
	json_decref(stage.words);
	stage.words = words ? json_deep_copy(words) : NULL;
	if (err)
		stage.err = *err;
	stage.answered = clock_read().mono;
}

static void turns(unsigned count)
{
	while (count--)
		loop_turn(stage.loop, 0);
}

static void say(const char *name, const char *words)
{
	char text[1024];
	size_t i;

	snprintf(text, sizeof text, "%s", words);
	for (i = 0; text[i]; i++)
		if (text[i] == '\'')
			text[i] = '"';
	assert_int_equal(ask(stage.command, (struct question){.name = name, .words = json_loads(text, 0, NULL), .fd = -1},
			     60000, on_answer, NULL, NULL), OK);
}

static void wait_for_answers(unsigned count)
{
	int64_t until = clock_read().mono + SECONDS(20);
	unsigned turns = 0;

	while (stage.answers < count) {
		loop_turn(stage.loop, 10);
		if (clock_read().mono > until || ++turns > 100000)
			fail_msg("only %u of %u answers came", stage.answers, count);
	}
}

/* Asks and waits for the answer, OK or not. */
static enum status told(const char *name, const char *words)
{
	unsigned before = stage.answers;

	say(name, words);
	wait_for_answers(before + 1);
	return stage.status;
}

static void must(const char *name, const char *words)
{
	if (told(name, words) != OK)
		fail_msg("%s %s: %s", name, words, stage.err.text);
}

static void on_command_closed(void *arg, struct channel *channel, const char *why)
{
	(void)arg;
	(void)why;
	stage.command = NULL;
	channel_free(channel);
}

static void connect_command(void)
{
	struct error err;
	int ends[2];

	FINE(passing_pair(ends, &err));
	FINE(channel_new(stage.loop, ends[0], "authority", on_command_closed, NULL, &stage.command, &err));
	FINE(authority_add_cli(stage.authority, ends[1], &err));
}

static void say_hello(void)
{
	char token[CLI_TOKEN_TEXT], words[128];
	struct error err;

	FINE(authority_load_token(state, token, &err));
	snprintf(words, sizeof words, "{'token': '%s'}", token);
	must("hello", words);
}

static void open_stage(void)
{
	struct authority_options options = {.state = state, .roster_room = 1000, .kill_gateway = kill_gateway,
					    .arg = &stage};
	struct error err;

	stage = (struct stage){.kill_works = true};
	skipped = 0;
	stands_still = false;
	clock_set_source(skipping_clock);
	FINE(loop_new(&stage.loop, &err));
	FINE(authority_open(&options, &stage.authority, &err));
	FINE(authority_attach(stage.authority, stage.loop, &err));
}

static void close_stage(void)
{
	unsigned i, k;

	authority_free(stage.authority);
	channel_free(stage.command);
	for (i = 0; i < 4; i++) {
		for (k = 0; k < 8; k++)
			if (stage.gateways[i].held[k])
				answer_send(stage.gateways[i].held[k], NULL, -1);
		channel_free(stage.gateways[i].channel);
		roster_free(stage.gateways[i].roster);
	}
	turns(3);
	json_decref(stage.words);
	loop_free(stage.loop);
}

static int set_up_stage(void **unused)
{
	if (set_up_house(unused))
		return -1;
	open_stage();
	connect_command();
	return 0;
}

static int tear_down_stage(void **unused)
{
	close_stage();
	return tear_down(unused);
}

/* alice/phone is there, and the gateways watch her certificate. */
static void add_phone(void)
{
	unsigned i;

	say_hello();
	must("person-add", ALICE);
	must("device-add", PHONE);
	for (i = 0; i < 4; i++)
		assert_true(hex_read(span_of(text_of(stage.words, "fingerprint")), stage.gateways[i].watched, 32));
}

static json_int_t number_of(const char *name)
{
	return json_integer_value(json_object_get(stage.words, name));
}

static void a_stranger_may_only_say_hello(void **unused)
{
	(void)unused;
	assert_int_equal(told("person-add", ALICE), REFUSED);
	assert_string_equal(stage.err.text, "refused");
	assert_int_equal(told("hello", "{'token': '0000000000000000000000000000000000000000000000000000000000000000'}"),
			 REFUSED);
	assert_says(stage.err.text, "this is not the token of");
	assert_int_equal(told("hello", "{'token': '00'}"), REFUSED);
	assert_int_equal(told("person-list", "{}"), REFUSED);
	say_hello();
	must("person-add", ALICE);
	assert_int_equal(told("roster", "{}"), REFUSED);
	assert_int_equal(told("seen", "{'devices': []}"), REFUSED);
}

static void who_says_no_hello_is_put_out(void **unused)
{
	(void)unused;
	turns(3);
	assert_non_null(stage.command);
	skipped = SECONDS(6);
	turns(5);
	assert_null(stage.command);
	connect_command();
	say_hello();
	skipped += SECONDS(60);
	turns(5);
	must("status", "{}");
}

static void a_revocation_reaches_every_gateway_before_its_answer(void **unused)
{
	struct fake_gateway *first = add_gateway(0), *second = add_gateway(1);

	(void)unused;
	add_phone();
	assert_int_equal(first->rosters, 1);
	must("device-revoke", "{'device': 'alice/phone', 'reason': 'stolen'}");
	assert_int_equal(first->lost, 1);
	assert_int_equal(second->lost, 1);
	/* Roster first, then the word on the channel. */
	assert_int_equal(first->word_at_lost, ROSTER_REVOKED);
	assert_int_equal(number_of("closed"), 3);
	assert_int_equal(number_of("gateways"), 2);
	assert_int_equal(json_array_size(json_object_get(stage.words, "silent")), 0);
	assert_int_equal(stage.kill_count, 0);
	assert_memory_equal(first->lost_device, text_of(stage.words, "device"), 32);
}

static void a_silent_gateway_is_killed_and_named(void **unused)
{
	struct fake_gateway *silent;
	int64_t asked_at;

	(void)unused;
	add_gateway(0);
	silent = add_gateway(1);
	add_phone();
	silent->is_silent = true;
	asked_at = clock_read().mono;
	must("device-revoke", "{'device': 'alice/phone'}");
	assert_true(stage.answered - asked_at >= MILLISECONDS(490));
	assert_true(stage.answered - asked_at < MILLISECONDS(900));
	assert_int_equal(stage.kill_count, 1);
	assert_int_equal(stage.killed[0], 1);
	assert_int_equal(number_of("closed"), 1);
	assert_int_equal(number_of("gateways"), 2);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(stage.words, "silent"), 0)), 1);
	assert_int_equal(json_array_size(json_object_get(stage.words, "not_ended")), 0);
}

static void one_that_refuses_is_treated_as_silent(void **unused)
{
	(void)unused;
	add_gateway(0)->refuses = true;
	add_phone();
	must("device-revoke", "{'device': 'alice/phone'}");
	assert_int_equal(stage.kill_count, 1);
	assert_int_equal(json_array_size(json_object_get(stage.words, "silent")), 1);
}

static void one_that_cannot_be_killed_is_named_after_900_ms(void **unused)
{
	struct fake_gateway *silent = add_gateway(2);
	int64_t asked_at;

	(void)unused;
	add_phone();
	silent->is_silent = true;
	stage.kill_works = false;
	asked_at = clock_read().mono;
	must("device-revoke", "{'device': 'alice/phone'}");
	assert_true(stage.answered - asked_at >= MILLISECONDS(890));
	assert_int_equal(stage.kill_count, 1);
	assert_int_equal(json_integer_value(json_array_get(json_object_get(stage.words, "not_ended"), 0)), 2);
	/* It goes later; nothing is left of the matter. */
	authority_gateway_gone(stage.authority, 2);
	turns(3);
	assert_true(list_is_empty(&stage.authority->closings));
}

static void a_gateway_that_dies_meanwhile_counts_as_done(void **unused)
{
	struct fake_gateway *dying = add_gateway(0);

	(void)unused;
	add_phone();
	dying->is_silent = true;
	say("device-revoke", "{'device': 'alice/phone'}");
	while (!dying->lost)
		loop_turn(stage.loop, 10);
	channel_free(dying->channel);
	dying->channel = NULL;
	wait_for_answers(stage.answers + 1);
	assert_int_equal(stage.status, OK);
	/* Its channel has closed; whether its process has ended is not known here, so it is made sure of. */
	assert_int_equal(stage.kill_count, 1);
	assert_int_equal(stage.killed[0], 0);
	assert_int_equal(json_array_size(json_object_get(stage.words, "silent")), 0);
	assert_int_equal(json_array_size(json_object_get(stage.words, "not_ended")), 0);
}

static void a_removed_persons_devices_are_all_lost(void **unused)
{
	struct fake_gateway *gateway = add_gateway(0);

	(void)unused;
	add_phone();
	must("device-add", "{'person': 'alice', 'label': 'laptop', 'form': 'pem'}");
	must("device-add", "{'person': 'alice', 'label': 'tablet', 'form': 'pem'}");
	must("person-remove", "{'person': 'alice'}");
	assert_int_equal(gateway->lost, 3);
	assert_int_equal(number_of("closed"), 3);
	assert_int_equal(gateway->word_at_lost, ROSTER_REVOKED);
}

/* More devices at once than a channel takes questions: no gateway is ended for that. */
static void many_removed_at_once_end_no_gateway(void **unused)
{
	struct fake_gateway *gateway = add_gateway(0);
	unsigned i, k, before;

	(void)unused;
	say_hello();
	for (i = 0; i < 3; i++) {
		char words[128];

		snprintf(words, sizeof words, "{'name': 'P%u', 'email': 'p%u@example.com'}", i, i);
		must("person-add", words);
		for (k = 0; k < 90; k++) {
			snprintf(words, sizeof words, "{'person': 'P%u', 'label': 'd%u', 'form': 'pem'}", i, k);
			must("device-add", words);
		}
	}
	before = stage.answers;
	stands_still = true;
	for (i = 0; i < 3; i++) {
		char words[64];

		snprintf(words, sizeof words, "{'person': 'P%u'}", i);
		say("person-remove", words);
	}
	wait_for_answers(before + 3);
	assert_int_equal(gateway->lost, 270);
	assert_int_equal(stage.kill_count, 0);
	assert_int_equal(number_of("closed"), 90);
}

static void a_revocation_that_was_not_written_is_not_claimed(void **unused)
{
	struct fake_gateway *gateway = add_gateway(0);

	(void)unused;
	add_phone();
	fault_arm("fsync", 1);
	assert_int_equal(told("device-revoke", "{'device': 'alice/phone'}"), FAILED);
	fault_arm("", 0);
	assert_says(stage.err.text, "the disk gave an error; nothing was changed");
	assert_int_equal(gateway->lost, 0);
	must("device-revoke", "{'device': 'alice/phone'}");
	assert_int_equal(gateway->lost, 1);
}

static void what_a_turn_is_asked_is_one_commit(void **unused)
{
	unsigned i, before;

	(void)unused;
	say_hello();
	before = stage.answers;
	for (i = 0; i < 40; i++) {
		char words[256];

		snprintf(words, sizeof words, "{'name': 'P%u', 'email': 'p%u@example.com'}", i, i);
		say("person-add", words);
	}
	/* One of them is bad: it alone is undone. */
	say("person-add", "{'name': 'p3', 'email': 'other@example.com'}");
	/* A commit each would be forty fsyncs; the eighth fails, and never comes. */
	fault_arm("fsync", 8);
	wait_for_answers(before + 41);
	fault_arm("", 0);
	must("status", "{}");
	assert_int_equal(number_of("people"), 40);
}

static void live_connections_are_counted(void **unused)
{
	(void)unused;
	add_gateway(0);
	add_gateway(2);
	add_phone();
	must("device-show", "{'device': 'alice/phone'}");
	assert_int_equal(number_of("connections"), 4);
}

static void a_larger_roster_is_handed_over_and_the_old_one_kept_up(void **unused)
{
	struct roster_row row = {.not_after = 1, .state = ROSTER_ACTIVE, .card.device = SPAN("x")};
	struct fake_gateway *gateway = add_gateway(0);
	struct standing standing;
	struct error err;

	(void)unused;
	add_phone();
	while (!roster_is_full(stage.authority->roster)) {
		random_bytes(row.fingerprint, sizeof row.fingerprint);
		FINE(roster_put(stage.authority->roster, &row, &err));
	}
	must("device-add", "{'person': 'alice', 'label': 'laptop', 'form': 'pem'}");
	turns(10);
	assert_int_equal(gateway->rosters, 2);
	assert_int_equal(roster_generation(gateway->roster), roster_generation(stage.authority->roster));
	assert_null(stage.authority->old_roster);
	assert_true(roster_find(gateway->roster, gateway->watched, &standing));
	assert_int_equal(standing.state, ROSTER_ACTIVE);
}

static void a_gateway_may_ask_for_the_roster_and_say_who_was_seen(void **unused)
{
	struct fake_gateway *gateway = add_gateway(0);
	char id[33], words[128];

	(void)unused;
	add_phone();
	snprintf(id, sizeof id, "%.32s", text_of(stage.words, "device"));
	snprintf(words, sizeof words, "{\"devices\": [\"%s\"]}", id);
	assert_int_equal(ask(gateway->channel, (struct question){.name = "seen", .words = json_loads(words, 0, NULL), .fd = -1},
			     1000, on_answer, NULL, NULL), OK);
	wait_for_answers(stage.answers + 1);
	assert_int_equal(stage.status, OK);
	assert_int_equal(ask(gateway->channel, (struct question){.name = "device-revoke", .words = NULL, .fd = -1}, 1000,
			     on_answer, NULL, NULL), OK);
	wait_for_answers(stage.answers + 1);
	assert_int_equal(stage.status, REFUSED);
	must("device-show", "{'device': 'alice/phone'}");
	assert_true(number_of("seen") > 1600000000);
}

static void on_flood_answer(void *arg, enum status status, const json_t *words, int fd, const struct error *err)
{
	unsigned *counts = arg;

	(void)words;
	(void)fd;
	(void)err;
	counts[status]++;
}

/* What a gateway that was taken over asks without end costs the authority neither time nor memory. */
static void a_gateway_that_asks_without_end_is_put_off(void **unused)
{
	struct fake_gateway *gateway = add_gateway(0);
	unsigned counts[4] = {0}, i;

	(void)unused;
	add_phone();
	for (i = 0; i < 200; i++)
		assert_int_equal(ask(gateway->channel, (struct question){.name = "seen", .fd = -1,
				     .words = json_pack("{s:[]}", "devices")}, 60000, on_flood_answer, counts, NULL), OK);
	turns(40);
	assert_int_equal(counts[OK], 50);
	assert_int_equal(counts[AGAIN], 142);
	must("device-revoke", "{'device': 'alice/phone'}");
	assert_int_equal(number_of("closed"), 1);
	assert_int_equal(stage.kill_count, 0);
}

/* Its file is the same before and after, but for what is due. */
static int64_t server_ends(void)
{
	struct certificate *certificate = NULL;
	struct error err;
	int64_t ends;

	FINE(house_load_certificate(state, "server/chat.example.com.pem", &certificate, &err));
	ends = certificate_facts(certificate)->not_after;
	certificate_free(certificate);
	return ends;
}

static void a_server_certificate_is_renewed_in_time(void **unused)
{
	int64_t before = server_ends();

	(void)unused;
	skipped = SECONDS(50 * 86400);
	turns(5);
	assert_int_equal(server_ends(), before);
	skipped = SECONDS(61 * 86400);
	turns(5);
	assert_true(server_ends() > before + 60 * 86400);
	/* A pair that does not fit, as a crash between the two files leaves it. */
	before = server_ends();
	assert_int_equal(run_shell("cp %s/issuing.key %s/server/chat.example.com.key", state, state), 0);
	skipped += SECONDS(2 * 86400);
	turns(5);
	assert_true(server_ends() > before);
}

/* kill -9 at random moments: what was answered is known, what is known has its audit record. */
static void after_kill_9_nothing_issued_is_unknown(void **unused)
{
	unsigned round, total = 0;

	(void)unused;
	{
		struct authority *authority = open_authority();

		done(authority, "person-add", ALICE);
		authority_free(authority);
	}
	for (round = 0; round < 12; round++) {
		struct registry_counts counts;
		struct audit_head head;
		struct authority *authority;
		char fingerprint[65];
		unsigned answered = 0, known = 0;
		struct error err;
		int pipes[2];
		pid_t child;

		assert_int_equal(pipe(pipes), 0);
		child = fork();
		if (child == 0) {
			unsigned i;

			authority = open_authority();
			for (i = 0; i < 40; i++) {
				json_t *words = json_pack("{s:s, s:o, s:s}", "person", "alice", "label",
							  json_sprintf("%u-%u", round, i), "form", "pem");
				json_t *out = NULL;

				if (authority_answer_now(authority, "device-add", words, &out, &err) != OK)
					_exit(1);
				if (write(pipes[1], text_of(out, "fingerprint"), 64) != 64)
					_exit(1);
			}
			_exit(0);
		}
		close(pipes[1]);
		usleep(60000 + 15000 * round);
		kill(child, SIGKILL);
		waitpid(child, NULL, 0);
		authority = open_authority();
		while (read(pipes[0], fingerprint, 64) == 64) {
			struct standing standing;
			uint8_t bytes[32];

			answered++;
			assert_true(hex_read(span_make(fingerprint, 64), bytes, 32));
			known += roster_find(authority->roster, bytes, &standing) &&
				 standing.state == ROSTER_ACTIVE;
		}
		close(pipes[0]);
		assert_int_equal(known, answered);
		total += answered;
		FINE(registry_count(authority->registry, &counts, &err));
		FINE(audit_record_verify(authority->registry, &head, &err));
		assert_int_equal(head.count, counts.certificates + 1);
		assert_int_equal(roster_count(authority->roster), counts.certificates);
		authority_free(authority);
		/* A person may have a hundred devices. */
		if (counts.certificates > 60)
			break;
	}
	assert_true(total > 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up_stage, tear_down_stage)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_stranger_may_only_say_hello),
		TEST(who_says_no_hello_is_put_out),
		TEST(a_revocation_reaches_every_gateway_before_its_answer),
		TEST(a_silent_gateway_is_killed_and_named),
		TEST(one_that_refuses_is_treated_as_silent),
		TEST(one_that_cannot_be_killed_is_named_after_900_ms),
		TEST(a_gateway_that_dies_meanwhile_counts_as_done),
		TEST(a_removed_persons_devices_are_all_lost),
		TEST(many_removed_at_once_end_no_gateway),
		TEST(a_revocation_that_was_not_written_is_not_claimed),
		TEST(what_a_turn_is_asked_is_one_commit),
		TEST(live_connections_are_counted),
		TEST(a_larger_roster_is_handed_over_and_the_old_one_kept_up),
		TEST(a_gateway_may_ask_for_the_roster_and_say_who_was_seen),
		TEST(a_gateway_that_asks_without_end_is_put_off),
		TEST(a_server_certificate_is_renewed_in_time),
		cmocka_unit_test_setup_teardown(after_kill_9_nothing_issued_is_unknown, set_up_house, tear_down),
	};

	return cmocka_run_group_tests(tests, NULL, remove_kept_house);
}
