#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "event/loop.h"
#include "relay/dialler.h"
#include "relay/pool.h"
#include "relay/upstream.h"
#include "stream/stream.h"

enum { ASKERS = 4 };

struct asker {
	struct pool_wait wait;
	struct lease *lease;
	enum pool_failure why;
	char text[512];
	unsigned called, order;
};

static struct {
	struct loop *loop;
	struct upstream upstream;
	struct pool *pool;
	int listening;
	uint16_t port;
	struct asker askers[ASKERS];
	unsigned order;
} s;

static struct clock_time now = {.wall = SECONDS(1800000000), .mono = SECONDS(1000)};

static struct clock_time read_now(void)
{
	return now;
}

static void turn(void)
{
	int i;

	for (i = 0; i < 8; i++)
		(void)loop_turn(s.loop, 0);
}

static void pass(int64_t microseconds)
{
	now.mono += microseconds;
	turn();
}

static int listen_on(int backlog, uint16_t *port)
{
	struct address address;
	socklen_t size = sizeof address.in;
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	assert_true(address_parse_ip(SPAN("127.0.0.1"), &address));
	assert_int_equal(bind(fd, &address.any, address.size), 0);
	assert_int_equal(listen(fd, backlog), 0);
	assert_int_equal(getsockname(fd, &address.any, &size), 0);
	assert_int_equal(fcntl(fd, F_SETFL, O_NONBLOCK), 0);
	*port = address_port(&address);
	return fd;
}

static void do_nothing(struct lease *lease)
{
	(void)lease;
}

static void on_lease(struct pool_wait *wait, struct lease *lease, enum pool_failure why,
		     const struct error *err)
{
	struct asker *asker = OWNER_OF(wait, struct asker, wait);

	asker->called++;
	asker->order = ++s.order;
	asker->lease = lease;
	asker->why = why;
	if (lease)
		lease->on_ready = do_nothing;
	if (err)
		snprintf(asker->text, sizeof asker->text, "%s", err->text);
}

static enum status ask_for(struct asker *asker, enum lease_kind kind)
{
	struct error err = {""};
	enum status status;

	*asker = (struct asker){.called = 0};
	pool_wait_init(&asker->wait, on_lease);
	status = pool_lease(s.pool, &asker->wait, kind, &asker->lease, &asker->why, &err);
	snprintf(asker->text, sizeof asker->text, "%s", err.text);
	return status;
}

/* Asked for and given: a new connection or a kept one. */
static struct lease *lease_of(struct asker *asker, enum lease_kind kind)
{
	if (ask_for(asker, kind) == AGAIN)
		turn();
	assert_non_null(asker->lease);
	asker->lease->on_ready = do_nothing;
	return asker->lease;
}

static int accept_one(void)
{
	return accept(s.listening, NULL, NULL);
}

static int begin(void **state)
{
	struct upstream_limits limits = upstream_limits_default();
	char url[64];

	(void)state;
	memset(&s, 0, sizeof s);
	clock_set_source(read_now);
	assert_int_equal(loop_new(&s.loop, NULL), OK);
	s.listening = listen_on(16, &s.port);
	limits.most = 2;
	limits.waiting_most = 2;
	snprintf(url, sizeof url, "http://127.0.0.1:%u", s.port);
	assert_int_equal(upstream_init(&s.upstream, span_of(url), &limits, NULL), OK);
	assert_int_equal(pool_new(s.loop, &s.upstream, NULL, &s.pool, NULL), OK);
	return 0;
}

static int end(void **state)
{
	(void)state;
	pool_free(s.pool);
	turn();
	if (s.listening >= 0)
		close(s.listening);
	loop_free(s.loop);
	clock_set_source(NULL);
	return 0;
}

static void the_last_one_given_back_is_the_first_to_go_out(void **state)
{
	(void)state;
	struct lease *first = lease_of(&s.askers[0], LEASE_ANY);
	struct lease *second = lease_of(&s.askers[1], LEASE_ANY);

	assert_ptr_not_equal(first, second);
	lease_return(first, true);
	lease_return(second, true);
	assert_int_equal(pool_figures(s.pool).idle, 2);
	assert_ptr_equal(lease_of(&s.askers[0], LEASE_ANY), second);
	assert_int_equal(second->served, 1);
	lease_return(second, false);
	assert_int_equal(pool_figures(s.pool).idle, 1);
}

static void an_idle_connection_that_says_something_is_closed(void **state)
{
	(void)state;
	struct lease *lease = lease_of(&s.askers[0], LEASE_ANY);
	int fd = accept_one();

	lease_return(lease, true);
	turn();
	assert_int_equal(pool_figures(s.pool).idle, 1);
	assert_int_equal(write(fd, "x", 1), 1);
	turn();
	assert_int_equal(pool_figures(s.pool).idle, 0);
	close(fd);
	lease = lease_of(&s.askers[0], LEASE_ANY);
	fd = accept_one();
	lease_return(lease, true);
	close(fd);
	turn();
	assert_int_equal(pool_figures(s.pool).idle, 0);
}

static void an_idle_connection_is_closed_in_time(void **state)
{
	(void)state;
	lease_return(lease_of(&s.askers[0], LEASE_ANY), true);
	pass(s.upstream.limits.idle - SECONDS(1));
	assert_int_equal(pool_figures(s.pool).idle, 1);
	/* Used in between: the time begins anew. */
	lease_return(lease_of(&s.askers[0], LEASE_ANY), true);
	pass(SECONDS(2));
	assert_int_equal(pool_figures(s.pool).idle, 1);
	pass(s.upstream.limits.idle);
	assert_int_equal(pool_figures(s.pool).idle, 0);
}

static void an_old_connection_is_not_used_again(void **state)
{
	(void)state;
	struct lease *lease = lease_of(&s.askers[0], LEASE_ANY);

	now.mono += s.upstream.limits.age;
	turn();
	lease_return(lease, true);
	assert_int_equal(pool_figures(s.pool).idle, 0);
}

static void only_so_many_lie_idle(void **state)
{
	(void)state;
	struct lease *first, *second;

	s.upstream.limits.idle_most = 1;
	first = lease_of(&s.askers[0], LEASE_ANY);
	second = lease_of(&s.askers[1], LEASE_ANY);
	lease_return(first, true);
	lease_return(second, true);
	assert_int_equal(pool_figures(s.pool).idle, 1);
	assert_ptr_equal(lease_of(&s.askers[0], LEASE_ANY), second);
	lease_return(second, true);
}

static void who_waits_is_served_in_order(void **state)
{
	(void)state;
	struct lease *first = lease_of(&s.askers[0], LEASE_ANY);
	struct lease *second = lease_of(&s.askers[1], LEASE_ANY);

	assert_int_equal(ask_for(&s.askers[2], LEASE_ANY), AGAIN);
	assert_int_equal(ask_for(&s.askers[3], LEASE_ANY), AGAIN);
	turn();
	assert_int_equal(s.askers[2].called, 0);
	lease_return(first, true);
	assert_ptr_equal(s.askers[2].lease, first);
	assert_int_equal(s.askers[3].called, 0);
	/* This one is not fit for use: another is made in its place. */
	lease_return(second, false);
	turn();
	assert_int_equal(s.askers[3].called, 1);
	assert_non_null(s.askers[3].lease);
	lease_return(s.askers[2].lease, false);
	lease_cut(s.askers[3].lease);
	assert_int_equal(pool_figures(s.pool).lent, 0);
}

static void the_queue_has_an_end_and_patience_too(void **state)
{
	(void)state;
	struct lease *first = lease_of(&s.askers[0], LEASE_ANY);
	struct lease *second = lease_of(&s.askers[1], LEASE_ANY);
	struct asker late;

	assert_int_equal(ask_for(&s.askers[2], LEASE_ANY), AGAIN);
	assert_int_equal(ask_for(&s.askers[3], LEASE_ANY), AGAIN);
	assert_int_equal(ask_for(&late, LEASE_ANY), REFUSED);
	assert_int_equal(late.why, POOL_FULL);
	assert_non_null(strstr(late.text, "too many requests wait for it"));
	pool_forget(s.pool, &s.askers[2].wait);
	pool_forget(s.pool, &s.askers[2].wait);
	pass(SECONDS(11));
	assert_int_equal(s.askers[2].called, 0);
	assert_int_equal(s.askers[3].called, 1);
	assert_null(s.askers[3].lease);
	assert_int_equal(s.askers[3].why, POOL_FULL);
	assert_non_null(strstr(s.askers[3].text, "no free connection"));
	lease_return(first, false);
	lease_return(second, false);
}

static void a_refused_connection_says_so(void **state)
{
	(void)state;
	close(s.listening);
	s.listening = -1;
	assert_int_equal(ask_for(&s.askers[0], LEASE_ANY), AGAIN);
	turn();
	assert_int_equal(s.askers[0].called, 1);
	assert_null(s.askers[0].lease);
	assert_int_equal(s.askers[0].why, POOL_UNREACHABLE);
	assert_non_null(strstr(s.askers[0].text, "refused"));
	assert_int_equal(pool_figures(s.pool).dialling, 0);
}

static void the_next_address_is_tried_and_remembered(void **state)
{
	(void)state;
	struct address addresses[2];
	uint16_t dead;
	int fd = listen_on(1, &dead);

	close(fd);
	assert_true(address_parse_ip(SPAN("::1"), &addresses[0]));
	assert_true(address_parse_ip(SPAN("127.0.0.1"), &addresses[1]));
	upstream_resolve(&s.upstream, addresses, 2);
	assert_int_equal(ask_for(&s.askers[0], LEASE_ANY), AGAIN);
	turn();
	assert_non_null(s.askers[0].lease);
	assert_int_equal(s.upstream.next_address, 1);
	assert_int_equal(upstream_standing(&s.upstream, now.mono), UPSTREAM_UP);
	lease_return(s.askers[0].lease, false);
}

static void a_connection_to_an_address_that_is_gone_is_used_no_more(void **state)
{
	(void)state;
	struct address here, there[2];
	struct lease *lent = lease_of(&s.askers[0], LEASE_ANY);

	assert_true(address_parse_ip(SPAN("127.0.0.1"), &here));
	assert_true(address_parse_ip(SPAN("127.0.0.2"), &there[0]));
	assert_true(address_parse_ip(SPAN("127.0.0.1"), &there[1]));
	lease_return(lease_of(&s.askers[1], LEASE_ANY), true);
	/* One more, in front: nothing is gone, and the one in use stays in use. */
	assert_true(upstream_resolve(&s.upstream, there, 2));
	pool_heed_addresses(s.pool);
	assert_int_equal(pool_figures(s.pool).idle, 1);
	assert_int_equal(s.upstream.next_address, 1);
	/* The same in another order is nothing new. */
	assert_false(upstream_resolve(&s.upstream, (struct address[]){there[1], there[0]}, 2));
	assert_true(upstream_resolve(&s.upstream, there, 1));
	pool_heed_addresses(s.pool);
	assert_int_equal(pool_figures(s.pool).idle, 0);
	/* The lent one ends what it does, and then itself. */
	lease_return(lent, true);
	assert_int_equal(pool_figures(s.pool).idle, 0);
	assert_true(upstream_resolve(&s.upstream, &here, 1));
	assert_false(upstream_resolve(&s.upstream, NULL, 0));
	lease_return(lease_of(&s.askers[0], LEASE_ANY), true);
	assert_int_equal(pool_figures(s.pool).idle, 1);
}

/* A dialler that is told by the test what to say. */
static struct {
	dial_fn *on_done;
	void *arg;
	unsigned starts, cancels;
	char path[108];
} helper;

static enum status helper_start(void *arg, const struct address *to, int64_t deadline, dial_fn *on_done, void *done_arg,
				void **ticket, struct error *err)
{
	(void)err;
	assert_ptr_equal(arg, &helper);
	assert_int_equal(deadline, now.mono + SECONDS(5));
	helper.on_done = on_done;
	helper.arg = done_arg;
	helper.starts++;
	snprintf(helper.path, sizeof helper.path, "%s", to->un.sun_path);
	*ticket = &helper;
	return OK;
}

static void helper_cancel(void *arg, void *ticket)
{
	assert_ptr_equal(arg, &helper);
	assert_ptr_equal(ticket, &helper);
	helper.cancels++;
}

static void a_unix_socket_is_connected_to_by_the_dialler_and_kept(void **state)
{
	(void)state;
	const struct dialler dialler = {&helper, helper_start, helper_cancel};
	struct upstream_limits limits = upstream_limits_default();
	struct upstream upstream;
	struct lease *lease;
	int ends[2];

	memset(&helper, 0, sizeof helper);
	assert_int_equal(upstream_init(&upstream, SPAN("unix:/run/app.sock"), &limits, NULL), OK);
	pool_free(s.pool);
	assert_int_equal(pool_new(s.loop, &upstream, &dialler, &s.pool, NULL), OK);
	assert_int_equal(ask_for(&s.askers[0], LEASE_ANY), AGAIN);
	assert_string_equal(helper.path, "/run/app.sock");
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
	helper.on_done(helper.arg, OK, ends[0], NULL);
	lease = s.askers[0].lease;
	assert_non_null(lease);
	lease_return(lease, true);
	/* Kept: nobody is asked. */
	assert_ptr_equal(lease_of(&s.askers[0], LEASE_ANY), lease);
	assert_int_equal(helper.starts, 1);
	assert_int_equal(ask_for(&s.askers[1], LEASE_ANY), AGAIN);
	assert_int_equal(helper.starts, 2);
	pool_forget(s.pool, &s.askers[1].wait);
	lease_return(lease, false);
	pool_free(s.pool);
	assert_int_equal(helper.cancels, 1);
	s.pool = NULL;
	turn();
	close(ends[1]);
}

static void a_unix_socket_whose_queue_is_full_is_tried_until_there_is_room(void **state)
{
	(void)state;
	struct address address = {.un = {.sun_family = AF_UNIX}};
	struct upstream_limits limits = upstream_limits_default();
	struct upstream upstream;
	char url[160];
	int listening = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0), fillers[2], fd, i;

	snprintf(address.un.sun_path, sizeof address.un.sun_path, "/tmp/chatelaine-test-%d.sock", (int)getpid());
	snprintf(url, sizeof url, "unix:%s", address.un.sun_path);
	unlink(address.un.sun_path);
	assert_int_equal(bind(listening, &address.any, sizeof address.un), 0);
	assert_int_equal(listen(listening, 0), 0);
	for (i = 0; i < 2; i++) {
		fillers[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(fillers[i], &address.any, sizeof address.un);
	}
	assert_int_equal(upstream_init(&upstream, span_of(url), &limits, NULL), OK);
	pool_free(s.pool);
	assert_int_equal(pool_new(s.loop, &upstream, NULL, &s.pool, NULL), OK);
	assert_int_equal(ask_for(&s.askers[0], LEASE_ANY), AGAIN);
	pass(SECONDS(1));
	assert_int_equal(s.askers[0].called, 0);
	while ((fd = accept(listening, NULL, NULL)) >= 0)
		close(fd);
	pass(MILLISECONDS(10));
	assert_non_null(s.askers[0].lease);
	lease_return(s.askers[0].lease, false);
	/* And not for ever. */
	for (i = 0; i < 2; i++) {
		close(fillers[i]);
		fillers[i] = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)!connect(fillers[i], &address.any, sizeof address.un);
	}
	assert_int_equal(ask_for(&s.askers[0], LEASE_ANY), AGAIN);
	pass(SECONDS(6));
	assert_int_equal(s.askers[0].why, POOL_UNREACHABLE);
	assert_int_equal(s.askers[0].called, 1);
	pool_free(s.pool);
	s.pool = NULL;
	turn();
	for (i = 0; i < 2; i++)
		close(fillers[i]);
	close(listening);
	unlink(address.un.sun_path);
}

static void a_connection_that_does_not_come_about_has_five_seconds(void **state)
{
	(void)state;
	struct address address;
	int fillers[8], i;
	uint16_t port;
	int full = listen_on(0, &port);

	/* A listening socket whose queue is full answers nothing. */
	assert_true(address_parse_ip(SPAN("127.0.0.1"), &address));
	address_set_port(&address, port);
	for (i = 0; i < 8; i++) {
		fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
		(void)connect(fillers[i], &address.any, address.size);
	}
	s.upstream.port = port;
	upstream_resolve(&s.upstream, &address, 1);
	assert_int_equal(ask_for(&s.askers[0], LEASE_ANY), AGAIN);
	pass(SECONDS(4));
	assert_int_equal(s.askers[0].called, 0);
	pass(SECONDS(2));
	assert_int_equal(s.askers[0].called, 1);
	assert_int_equal(s.askers[0].why, POOL_UNREACHABLE);
	for (i = 0; i < 8; i++)
		close(fillers[i]);
	close(full);
}

static void a_probed_lease_is_alive(void **state)
{
	(void)state;
	struct lease *lease = lease_of(&s.askers[0], LEASE_ANY);
	int fd = accept_one();

	lease_return(lease, true);
	close(fd);
	/* No turn in between: the pool has not been told yet. */
	assert_int_equal(ask_for(&s.askers[0], LEASE_PROBED), AGAIN);
	turn();
	assert_int_equal(s.askers[0].lease->served, 0);
	lease_return(s.askers[0].lease, true);
	assert_int_equal(ask_for(&s.askers[0], LEASE_PROBED), OK);
	assert_int_equal(s.askers[0].lease->served, 1);
	lease_return(s.askers[0].lease, false);
}

static void a_fresh_lease_is_new_even_at_the_ceiling(void **state)
{
	(void)state;
	struct lease *first = lease_of(&s.askers[0], LEASE_ANY);
	struct lease *second = lease_of(&s.askers[1], LEASE_ANY);

	lease_return(first, true);
	lease_return(second, true);
	assert_int_equal(ask_for(&s.askers[2], LEASE_FRESH), AGAIN);
	turn();
	assert_non_null(s.askers[2].lease);
	assert_int_equal(s.askers[2].lease->served, 0);
	assert_int_equal(pool_figures(s.pool).idle, 1);
	lease_return(s.askers[2].lease, false);
}

static void a_freed_pool_waits_for_what_is_lent(void **state)
{
	(void)state;
	struct lease *lease = lease_of(&s.askers[0], LEASE_ANY);

	lease_return(lease_of(&s.askers[1], LEASE_ANY), true);
	pool_free(s.pool);
	s.pool = NULL;
	turn();
	lease_return(lease, true); /* the last: leaks and later uses are the sanitizer's to find */
}

static void a_name_is_reachable_once_it_is_resolved(void **state)
{
	(void)state;
	struct upstream_limits limits = upstream_limits_default();
	struct upstream upstream;
	struct address address;
	char text[ADDRESS_TEXT_SIZE];

	assert_int_equal(upstream_init(&upstream, SPAN("http://chat.internal:3000"), &limits, NULL), OK);
	assert_string_equal(upstream.host, "chat.internal");
	assert_string_equal(upstream.name, "chat.internal:3000");
	assert_false(upstream_has_address(&upstream));
	assert_null(upstream_address(&upstream));
	assert_true(address_parse_ip(SPAN("10.1.2.3"), &address));
	upstream_resolve(&upstream, &address, 1);
	address_text(upstream_address(&upstream), text);
	assert_string_equal(text, "10.1.2.3:3000");
	upstream_resolve(&upstream, NULL, 0);
	assert_true(upstream_has_address(&upstream));
}

static void an_upstream_is_down_after_three_failures_and_longer_each_time(void **state)
{
	(void)state;
	static const int64_t times[] = {1, 2, 4, 8, 16, 30, 30};
	struct upstream_limits limits = upstream_limits_default();
	struct upstream upstream;
	int64_t at = SECONDS(10);
	size_t i;

	assert_int_equal(upstream_init(&upstream, SPAN("unix:/run/x.sock"), &limits, NULL), OK);
	assert_string_equal(upstream.name, "unix:/run/x.sock");
	assert_false(upstream_failed(&upstream, at));
	assert_false(upstream_failed(&upstream, at));
	assert_false(upstream_worked(&upstream)); /* in a row is what counts */
	assert_false(upstream_failed(&upstream, at));
	assert_false(upstream_failed(&upstream, at));
	assert_int_equal(upstream_standing(&upstream, at), UPSTREAM_UP);
	for (i = 0; i < sizeof times / sizeof *times; i++) {
		assert_int_equal(upstream_failed(&upstream, at), i == 0);
		/* Requests that were under way fail too, and change nothing. */
		assert_false(upstream_failed(&upstream, at + 1));
		at += SECONDS(times[i]);
		assert_int_equal(upstream_standing(&upstream, at - 1), UPSTREAM_DOWN);
		assert_int_equal(upstream_standing(&upstream, at), UPSTREAM_DUE);
	}
	upstream.on_trial = true;
	assert_int_equal(upstream_standing(&upstream, at), UPSTREAM_DOWN);
	assert_true(upstream_worked(&upstream));
	assert_int_equal(upstream_standing(&upstream, at), UPSTREAM_UP);
	/* The next time begins with a second again. */
	for (i = 0; i < 3; i++)
		(void)upstream_failed(&upstream, at);
	assert_int_equal(upstream_standing(&upstream, at + SECONDS(1)), UPSTREAM_DUE);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_last_one_given_back_is_the_first_to_go_out),
		TEST(an_idle_connection_that_says_something_is_closed),
		TEST(an_idle_connection_is_closed_in_time),
		TEST(an_old_connection_is_not_used_again),
		TEST(only_so_many_lie_idle),
		TEST(who_waits_is_served_in_order),
		TEST(the_queue_has_an_end_and_patience_too),
		TEST(a_refused_connection_says_so),
		TEST(the_next_address_is_tried_and_remembered),
		TEST(a_connection_to_an_address_that_is_gone_is_used_no_more),
		TEST(a_unix_socket_is_connected_to_by_the_dialler_and_kept),
		TEST(a_unix_socket_whose_queue_is_full_is_tried_until_there_is_room),
		TEST(a_connection_that_does_not_come_about_has_five_seconds),
		TEST(a_probed_lease_is_alive),
		TEST(a_fresh_lease_is_new_even_at_the_ceiling),
		TEST(a_freed_pool_waits_for_what_is_lent),
		TEST(a_name_is_reachable_once_it_is_resolved),
		TEST(an_upstream_is_down_after_three_failures_and_longer_each_time),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
