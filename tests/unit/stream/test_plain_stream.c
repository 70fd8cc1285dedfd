#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/fault.h"
#include "stream/dial.h"
#include "stream/listener.h"
#include "stream/plain_stream.h"
#include "stream/socket.h"
#include "support/script_stream.h"

static struct loop *loop;

static int begin(void **state)
{
	(void)state;
	return loop_new(&loop, NULL) == OK ? 0 : -1;
}

static int end(void **state)
{
	(void)state;
	clock_set_source(NULL);
	loop_free(loop);
	return 0;
}

struct side {
	struct stream *stream;
	int peer;
	unsigned calls;
	bool stopped;
	char got[65536];
	size_t got_size, reads;
	enum status last;
	bool ended;
};

static void on_ready(void *owner)
{
	struct side *side = owner;
	size_t n;

	side->calls++;
	while (!side->stopped && !side->ended) {
		side->reads++;
		side->last = stream_read(side->stream, side->got + side->got_size, sizeof side->got - side->got_size, &n);
		if (side->last != OK)
			return;
		side->ended = n == 0;
		side->got_size += n;
		if (!stream_has_pending(side->stream))
			return;
	}
}

static void side_begin(struct side *side)
{
	int ends[2];

	memset(side, 0, sizeof *side);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(plain_stream_new(ends[0], &side->stream, NULL), OK);
	side->peer = ends[1];
}

static void side_start(struct side *side)
{
	assert_int_equal(stream_start(side->stream, loop, on_ready, side, NULL), OK);
}

static void side_end(struct side *side)
{
	stream_free(side->stream);
	(void)loop_turn(loop, 0);
	if (side->peer >= 0)
		close(side->peer);
}

static void a_short_read_saves_the_call_that_says_eagain(void **state)
{
	struct side side;
	uint64_t before;

	(void)state;
	side_begin(&side);
	side_start(&side);
	(void)loop_turn(loop, 0);
	before = socket_count()->receives;
	assert_int_equal(write(side.peer, "hello", 5), 5);
	(void)loop_turn(loop, 0);
	assert_int_equal(side.got_size, 5);
	assert_int_equal(socket_count()->receives - before, 1);
	assert_int_equal(stream_read(side.stream, side.got, 1, &(size_t){0}), AGAIN);
	assert_int_equal(socket_count()->receives - before, 1);
	side_end(&side);
}

static void an_end_that_came_with_the_bytes_is_not_lost(void **state)
{
	struct side side;

	(void)state;
	side_begin(&side);
	assert_int_equal(write(side.peer, "last", 4), 4);
	close(side.peer);
	side.peer = -1;
	side_start(&side);
	(void)loop_turn(loop, 0);
	(void)loop_turn(loop, 0);
	assert_int_equal(side.got_size, 4);
	assert_true(side.ended);
	assert_int_equal(stream_finish(side.stream), OK);
	side_end(&side);
}

static void fed_bytes_come_before_the_descriptors(void **state)
{
	static const char many[STREAM_FEED_MOST];
	struct side side;
	struct error err;

	(void)state;
	side_begin(&side);
	assert_int_equal(stream_feed(side.stream, SPAN("one "), &err), OK);
	assert_int_equal(stream_feed(side.stream, SPAN("two "), &err), OK);
	assert_int_equal(stream_feed(side.stream, span_make(many, sizeof many), &err), FAILED);
	assert_string_equal(err.text, "more than 16384 bytes read ahead of a stream");
	assert_int_equal(write(side.peer, "three", 5), 5);
	side_start(&side);
	(void)loop_turn(loop, 0);
	assert_int_equal(side.got_size, 13);
	assert_memory_equal(side.got, "one two three", 13);
	side_end(&side);
}

static void a_full_peer_is_again_and_room_is_told(void **state)
{
	char block[65536], drain[65536];
	struct side side;
	size_t n, sent = 0;
	ssize_t heard = 0, m;
	unsigned calls;

	(void)state;
	memset(block, 'x', sizeof block);
	side_begin(&side);
	side_start(&side);
	(void)loop_turn(loop, 0);
	while (stream_write_span(side.stream, span_make(block, sizeof block), &n) == OK)
		sent += n;
	calls = side.calls;
	while ((m = read(side.peer, drain, sizeof drain)) > 0)
		heard += m;
	assert_int_equal(heard, sent);
	(void)loop_turn(loop, 0);
	assert_true(side.calls > calls);
	assert_int_equal(stream_write_span(side.stream, SPAN("more"), &n), OK);
	side_end(&side);
}

static void a_peer_that_is_gone_is_refused_without_a_signal(void **state)
{
	struct side side;
	struct error err;
	size_t n;

	(void)state;
	side_begin(&side);
	side.stopped = true;
	side_start(&side);
	(void)loop_turn(loop, 0);
	close(side.peer);
	side.peer = -1;
	assert_int_equal(stream_write_span(side.stream, SPAN("hello"), &n), REFUSED);
	assert_int_equal(side.stream->failure, STREAM_GONE);
	stream_explain(side.stream, &err);
	assert_string_equal(err.text, "the peer is gone: Broken pipe");
	assert_int_equal(stream_finish(side.stream), OK);
	side_end(&side);
}

static void freeing_inside_on_ready_is_fine(void **state)
{
	struct side side;

	(void)state;
	side_begin(&side);
	side_start(&side);
	assert_int_equal(write(side.peer, "x", 1), 1);
	stream_again(side.stream);
	stream_free(side.stream);
	stream_free(side.stream);
	stream_again(side.stream);
	(void)loop_turn(loop, 0);
	assert_int_equal(side.calls, 0);
	close(side.peer);
}

/* listener and dial */

struct meeting {
	struct listener *listener;
	struct address address;
	struct dial *dial;
	unsigned accepted, done;
	int fd, dialled;
	enum status status;
	struct error err;
};

static void on_accept(void *arg, int fd, const struct address *peer)
{
	struct meeting *meeting = arg;

	assert_true(address_is_loopback(peer));
	assert_true(fcntl(fd, F_GETFL) & O_NONBLOCK);
	assert_true(fcntl(fd, F_GETFD) & FD_CLOEXEC);
	meeting->accepted++;
	if (meeting->fd >= 0)
		close(meeting->fd);
	meeting->fd = fd;
}

static void on_done(void *arg, enum status status, int fd, const struct error *err)
{
	struct meeting *meeting = arg;

	meeting->done++;
	meeting->status = status;
	meeting->dialled = fd;
	meeting->err = *err;
}

static int listen_somewhere(struct address *address)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(address_parse(SPAN("127.0.0.1:1"), address, NULL), OK);
	address_set_port(address, 0);
	assert_int_equal(bind(fd, &address->any, address->size), 0);
	assert_int_equal(listen(fd, 200), 0);
	assert_int_equal(getsockname(fd, &address->any, &address->size), 0);
	return fd;
}

static void meeting_begin(struct meeting *meeting)
{
	int fd;

	memset(meeting, 0, sizeof *meeting);
	meeting->fd = meeting->dialled = -1;
	fd = listen_somewhere(&meeting->address);
	assert_int_equal(listener_start(loop, fd, on_accept, meeting, &meeting->listener, NULL), OK);
}

static void meeting_end(struct meeting *meeting)
{
	listener_stop(meeting->listener);
	(void)loop_turn(loop, 0);
	if (meeting->fd >= 0)
		close(meeting->fd);
	if (meeting->dialled >= 0)
		close(meeting->dialled);
}

static void dial_to(struct meeting *meeting)
{
	assert_int_equal(dial_start(loop, &meeting->address, loop_now(loop)->mono + SECONDS(5), on_done, meeting,
				    &meeting->dial, NULL), OK);
	assert_int_equal(meeting->done, 0);
}

static void turns(unsigned count)
{
	while (count--)
		(void)loop_turn(loop, 20);
}

static void dialler_and_listener_meet(void **state)
{
	struct meeting meeting;

	(void)state;
	meeting_begin(&meeting);
	dial_to(&meeting);
	turns(3);
	assert_int_equal(meeting.done, 1);
	assert_int_equal(meeting.status, OK);
	assert_int_equal(meeting.accepted, 1);
	assert_int_equal(write(meeting.dialled, "hi", 2), 2);
	meeting_end(&meeting);
}

static void a_closed_port_is_refused_by_name(void **state)
{
	struct meeting meeting = {.fd = -1, .dialled = -1};
	char expected[256] = "connect to ", text[ADDRESS_TEXT_SIZE];

	(void)state;
	close(listen_somewhere(&meeting.address));
	dial_to(&meeting);
	turns(2);
	assert_int_equal(meeting.done, 1);
	assert_int_equal(meeting.status, REFUSED);
	assert_int_equal(meeting.dialled, -1);
	address_text(&meeting.address, text);
	strncat(expected, text, sizeof expected - strlen(expected) - 1);
	strncat(expected, ": Connection refused", sizeof expected - strlen(expected) - 1);
	assert_string_equal(meeting.err.text, expected);
}

static void a_unix_socket_that_is_not_there_is_refused(void **state)
{
	struct meeting meeting = {.fd = -1, .dialled = -1};

	(void)state;
	assert_int_equal(address_parse(SPAN("unix:/nowhere/at/all"), &meeting.address, NULL), OK);
	dial_to(&meeting);
	(void)loop_turn(loop, 0);
	assert_int_equal(meeting.status, REFUSED);
	assert_string_equal(meeting.err.text, "connect to unix:/nowhere/at/all: No such file or directory");
}

static void a_late_answer_is_a_timeout(void **state)
{
	struct meeting meeting = {.fd = -1, .dialled = -1};

	(void)state;
	/* TEST-NET-1: nobody answers, or the machine says that there is no way. */
	assert_int_equal(address_parse(SPAN("192.0.2.1:9"), &meeting.address, NULL), OK);
	assert_int_equal(dial_start(loop, &meeting.address, loop_now(loop)->mono + MILLISECONDS(30), on_done,
				    &meeting, &meeting.dial, NULL), OK);
	turns(6);
	assert_int_equal(meeting.done, 1);
	assert_true(meeting.status != OK);
	assert_int_equal(meeting.dialled, -1);
}

static void a_cancelled_dial_says_nothing(void **state)
{
	struct meeting meeting;

	(void)state;
	meeting_begin(&meeting);
	dial_to(&meeting);
	dial_cancel(meeting.dial);
	turns(3);
	assert_int_equal(meeting.done, 0);
	meeting_end(&meeting);
}

static int call(const struct address *to)
{
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	assert_int_equal(connect(fd, &to->any, to->size), 0);
	return fd;
}

static void a_turn_accepts_no_more_than_its_share_and_loses_none(void **state)
{
	struct meeting meeting;
	int fds[150], i;

	(void)state;
	meeting_begin(&meeting);
	for (i = 0; i < 150; i++)
		fds[i] = call(&meeting.address);
	(void)loop_turn(loop, 0);
	assert_in_range(meeting.accepted, 64, 128);
	turns(3);
	assert_int_equal(meeting.accepted, 150);
	for (i = 0; i < 150; i++)
		close(fds[i]);
	meeting_end(&meeting);
}

static void a_paused_listener_accepts_later(void **state)
{
	struct meeting meeting;
	int fd;

	(void)state;
	meeting_begin(&meeting);
	listener_pause(meeting.listener);
	fd = call(&meeting.address);
	turns(2);
	assert_int_equal(meeting.accepted, 0);
	listener_resume(meeting.listener);
	turns(2);
	assert_int_equal(meeting.accepted, 1);
	close(fd);
	meeting_end(&meeting);
}

static void out_of_descriptors_it_turns_away_rests_and_comes_back(void **state)
{
#ifdef WITH_FAULTS
	struct meeting meeting;
	int one, two, i;
	char c;

	(void)state;
	meeting_begin(&meeting);
	turns(1);
	fault_arm("accept", 1);
	one = call(&meeting.address);
	turns(1);
	assert_int_equal(meeting.accepted, 0);
	assert_int_equal(listener_count(meeting.listener)->turned_away, 1);
	assert_true(read(one, &c, 1) <= 0);
	two = call(&meeting.address);
	(void)loop_turn(loop, 0);
	assert_int_equal(meeting.accepted, 0); /* rests */
	for (i = 0; i < 20 && !meeting.accepted; i++)
		turns(1);
	assert_int_equal(meeting.accepted, 1);
	close(one);
	close(two);
	meeting_end(&meeting);
#else
	(void)state;
#endif
}

static void really_out_of_descriptors_it_does_not_spin(void **state)
{
	struct rlimit before, few;
	struct meeting meeting;
	int one, hoard[64], count = 0, i;

	(void)state;
	meeting_begin(&meeting);
	turns(1);
	one = call(&meeting.address);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &before), 0);
	few = before;
	few.rlim_cur = 32;
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &few), 0);
	while (count < 64 && (hoard[count] = dup(one)) >= 0)
		count++;
	(void)loop_turn(loop, 0);
	assert_int_equal(meeting.accepted, 0);
	assert_int_equal(listener_count(meeting.listener)->turned_away, 1);
	for (i = 0; i < count; i++)
		close(hoard[i]);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &before), 0);
	close(one);
	one = call(&meeting.address);
	for (i = 0; i < 20 && !meeting.accepted; i++)
		turns(1);
	assert_int_equal(meeting.accepted, 1);
	close(one);
	meeting_end(&meeting);
}

static void a_descriptor_that_does_not_listen_is_refused(void **state)
{
	struct listener *listener = NULL;
	struct error err;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	(void)state;
	assert_int_equal(listener_start(loop, fd, on_accept, NULL, &listener, &err), FAILED);
	assert_non_null(strstr(err.text, "is not a listening socket"));
	assert_null(listener);
	close(fd);
}

static void a_script_plays_its_steps(void **state)
{
	struct side side = {.peer = -1};
	struct stream *stream = script_stream_new();
	size_t n;

	(void)state;
	side.stream = stream;
	script_give_split(stream, "abc", 3, 1);
	script_end(stream);
	assert_int_equal(stream_start(stream, loop, on_ready, &side, NULL), OK);
	script_ready(stream);
	assert_int_equal(side.got_size, 1);
	assert_int_equal(stream_read(stream, side.got, 1, &n), AGAIN);
	script_ready(stream);
	script_ready(stream);
	assert_int_equal(side.got_size, 3);
	assert_true(side.ended);
	script_take(stream, 3);
	assert_int_equal(stream_write_span(stream, SPAN("hello"), &n), OK);
	assert_int_equal(n, 3);
	assert_int_equal(stream_write_span(stream, SPAN("lo"), &n), AGAIN);
	script_take_all(stream);
	assert_int_equal(stream_write_span(stream, SPAN("lo"), &n), OK);
	assert_string_equal(script_written(stream).at, "hello");
	assert_int_equal(script_record(stream)->writes, 3);
	stream_reset(stream);
	(void)loop_turn(loop, 0);
	assert_true(script_record(stream)->freed && script_record(stream)->reset);
	script_stream_free(stream);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_short_read_saves_the_call_that_says_eagain),
		TEST(an_end_that_came_with_the_bytes_is_not_lost),
		TEST(fed_bytes_come_before_the_descriptors),
		TEST(a_full_peer_is_again_and_room_is_told),
		TEST(a_peer_that_is_gone_is_refused_without_a_signal),
		TEST(freeing_inside_on_ready_is_fine),
		TEST(dialler_and_listener_meet),
		TEST(a_closed_port_is_refused_by_name),
		TEST(a_unix_socket_that_is_not_there_is_refused),
		TEST(a_late_answer_is_a_timeout),
		TEST(a_cancelled_dial_says_nothing),
		TEST(a_turn_accepts_no_more_than_its_share_and_loses_none),
		TEST(a_paused_listener_accepts_later),
		TEST(out_of_descriptors_it_turns_away_rests_and_comes_back),
		TEST(really_out_of_descriptors_it_does_not_spin),
		TEST(a_descriptor_that_does_not_listen_is_refused),
		TEST(a_script_plays_its_steps),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
