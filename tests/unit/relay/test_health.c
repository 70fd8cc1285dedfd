/* Two upstreams, one of them ill: who is asked, who is spared, what is sent twice. */
#include "relay/relay_stage.h"

static struct {
	int listening[2];
	int lines[16]; /* connections of the relay, whichever upstream's */
	unsigned count;
} two;

static void two_upstreams(void)
{
	static char urls[2][64];
	char *upstreams[] = {urls[0], urls[1], NULL};
	const struct relay_options options = {.upstreams = upstreams, .limits = upstream_limits_default()};
	int i;

	relay_retire(stage.relay);
	for (i = 0; i < 2; i++) {
		uint16_t port;

		two.listening[i] = stage_listen(16, &port);
		snprintf(urls[i], sizeof urls[i], "http://127.0.0.1:%u", port);
	}
	assert_int_equal(relay_new(stage.worker, &options, &stage.relay, NULL), OK);
}

static int begin(void **state)
{
	memset(&two, 0, sizeof two);
	(void)stage_begin(state);
	two_upstreams();
	return 0;
}

static int end(void **state)
{
	while (two.count)
		shut(&two.lines[--two.count]);
	shut(&two.listening[0]);
	shut(&two.listening[1]);
	return stage_end(state);
}

/* The relay's new connection to this upstream; -1: none. */
static int line_to(int which)
{
	int fd = accept(two.listening[which], NULL, NULL);

	if (fd < 0)
		return -1;
	no_wait(fd);
	assert_true(two.count < 16);
	two.lines[two.count++] = fd;
	return fd;
}

static void client_says(const char *text)
{
	put_text(stage.client, text);
}

/* A whole request and answer at this upstream. */
static void served_by(int which)
{
	int fd;

	client_says(GET);
	fd = line_to(which);
	assert_true(fd >= 0);
	assert_has(take(fd), "GET /a?b=c");
	put_text(fd, "HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 0\r\n\r\n");
	assert_has(take(stage.client), "200 OK");
}

static void fail_by_refusing(int which)
{
	shut(&two.listening[which]);
}

static enum upstream_standing standing(int which)
{
	return upstream_standing(relay_upstream(stage.relay, (size_t)which), stage_now.mono);
}

static void they_take_turns(void **state)
{
	(void)state;
	int i;

	for (i = 0; i < 6; i++)
		served_by(i % 2);
	assert_int_equal(relay_upstream(stage.relay, 0)->figures.answers, 3);
	assert_int_equal(relay_upstream(stage.relay, 1)->figures.connects, 3);
}

static void a_dead_one_is_spared_and_tried_by_one_request_at_a_time(void **state)
{
	(void)state;
	int i;

	fail_by_refusing(0);
	for (i = 0; i < 6; i++)
		served_by(1);
	assert_int_equal(standing(0), UPSTREAM_DOWN);
	assert_int_equal(relay_upstream(stage.relay, 0)->figures.failures, 3);
	for (i = 0; i < 6; i++)
		served_by(1);
	/* Nobody went there in the meantime. */
	assert_int_equal(relay_upstream(stage.relay, 0)->figures.failures, 3);
	stage_pass(SECONDS(1));
	assert_int_equal(standing(0), UPSTREAM_DUE);
	served_by(1);
	served_by(1);
	assert_int_equal(relay_upstream(stage.relay, 0)->figures.failures, 4);
	assert_int_equal(standing(0), UPSTREAM_DOWN);
	assert_int_equal(stage.refusals, 0);
}

static void a_trial_that_is_answered_brings_it_back(void **state)
{
	(void)state;
	struct upstream *ill = relay_upstream(stage.relay, 0);
	int i, fd;

	for (i = 0; i < 3; i++)
		(void)upstream_failed(ill, stage_now.mono);
	stage_pass(SECONDS(1));
	served_by(0);
	assert_int_equal(standing(0), UPSTREAM_UP);
	served_by(1);
	/* A trial whose client goes leaves it as it was: the next one may try. */
	for (i = 0; i < 3; i++)
		(void)upstream_failed(ill, stage_now.mono);
	stage_pass(SECONDS(2));
	client_says(GET);
	fd = line_to(0);
	assert_true(fd >= 0 && ill->on_trial);
	shut(&stage.client);
	stage_turn();
	assert_int_equal(standing(0), UPSTREAM_DUE);
	stage_client();
	stage.relay->next = 0;
	served_by(0);
}

static void when_all_are_down_they_are_asked_all_the_same(void **state)
{
	(void)state;
	int i, which;

	for (i = 0; i < 6; i++)
		(void)upstream_failed(relay_upstream(stage.relay, (size_t)i % 2), stage_now.mono);
	assert_int_equal(standing(0), UPSTREAM_DOWN);
	assert_int_equal(standing(1), UPSTREAM_DOWN);
	served_by(0);
	assert_int_equal(standing(0), UPSTREAM_UP);
	for (which = 0; which < 2; which++)
		fail_by_refusing(which);
	client_says(GET);
	assert_has(take(stage.client), "502");
	assert_int_equal(stage.refusals, 1);
}

static void a_get_that_a_new_connection_loses_goes_to_the_other(void **state)
{
	(void)state;
	int fd, other;

	client_says(GET);
	fd = line_to(0);
	assert_has(take(fd), "GET");
	/* Half a head has come, of which the client has heard nothing. */
	put_text(fd, "HTTP/1.1 200 OK\r\nContent-");
	shut_hard(&fd);
	two.count--;
	stage_turn();
	other = line_to(1);
	assert_true(other >= 0);
	assert_has(take(other), "GET /a?b=c HTTP/1.1\r\n");
	put_text(other, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes");
	assert_has(take(stage.client), "\r\n\r\nyes");
	assert_int_equal(relay_figures(stage.relay).retried, 1);
	assert_int_equal(relay_upstream(stage.relay, 0)->figures.failures, 1);
	assert_nothing_held();
}

static void a_stale_connection_is_made_good_by_the_other_upstream(void **state)
{
	(void)state;
	int kept, other;

	client_says(GET);
	kept = line_to(0);
	(void)take(kept);
	put_text(kept, "HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n");
	assert_has(take(stage.client), "200");
	stage.relay->next = 0;
	client_says(GET);
	assert_has(take(kept), "GET");
	shut_hard(&kept);
	two.count--;
	stage_turn();
	other = line_to(1);
	assert_true(other >= 0);
	assert_int_equal(line_to(0), -1);
	put_text(other, "HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nyes");
	assert_has(take(stage.client), "yes");
	/* Nobody is to blame for a connection that was kept too long. */
	assert_int_equal(relay_upstream(stage.relay, 0)->figures.failures, 0);
}

static void once_and_not_more(void **state)
{
	(void)state;
	int which, fd;

	client_says(GET);
	for (which = 0; which < 2; which++) {
		fd = line_to(which);
		assert_has(take(fd), "GET");
		shut_hard(&fd);
		two.count--;
		stage_turn();
	}
	assert_has(take(stage.client), "502");
	assert_int_equal(line_to(0), -1);
	assert_int_equal(line_to(1), -1);
}

/* Sent to the first upstream, which then ends the connection: nobody else sees it. */
static void never_twice(const char *request, const char *early)
{
	int fd;

	client_says(request);
	fd = line_to(0);
	assert_true(fd >= 0);
	assert_true(strlen(take(fd)) > 0);
	if (early)
		put_text(fd, early);
	shut_hard(&fd);
	two.count--;
	stage_turn();
	assert_has(take(stage.client), "502");
	assert_int_equal(line_to(1), -1);
	assert_int_equal(relay_figures(stage.relay).retried, 0);
}

static void a_post_goes_to_one_upstream_only(void **state)
{
	(void)state;
	never_twice("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc", NULL);
	stage.relay->next = 0;
	never_twice("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\n\r\n", NULL);
	stage.relay->next = 0;
	never_twice("DELETE /x HTTP/1.1\r\nHost: a\r\n\r\n", NULL);
}

static void garbage_is_told_and_not_asked_for_again(void **state)
{
	(void)state;
	never_twice(GET, "SSH-2.0-OpenSSH_9.2\r\n\r\n");
	assert_int_equal(relay_upstream(stage.relay, 0)->figures.failures, 1);
}

static void what_the_client_has_heard_of_is_not_begun_anew(void **state)
{
	(void)state;
	int fd;

	client_says(GET);
	fd = line_to(0);
	put_text(fd, "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n");
	shut_hard(&fd);
	two.count--;
	stage_turn();
	assert_has(take(stage.client), "502");
	assert_int_equal(line_to(1), -1);
}

static void one_that_never_answers_is_down_after_three(void **state)
{
	(void)state;
	int i;

	for (i = 0; i < 3; i++) {
		stage.relay->next = 0;
		client_says(GET);
		assert_true(line_to(0) >= 0);
		stage_pass(SECONDS(61));
		assert_has(take(stage.client), "504");
	}
	assert_int_equal(standing(0), UPSTREAM_DOWN);
	stage.relay->next = 0;
	served_by(1);
}

static void a_post_whose_connection_was_refused_goes_to_the_other(void **state)
{
	(void)state;
	int fd;

	fail_by_refusing(0);
	client_says("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 3\r\n\r\nabc");
	fd = line_to(1);
	assert_true(fd >= 0);
	assert_has(take(fd), "\r\n\r\nabc");
	put_text(fd, "HTTP/1.1 204 No Content\r\n\r\n");
	assert_has(take(stage.client), "204");
}

#define TEST(claim) cmocka_unit_test_setup_teardown(claim, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(they_take_turns),
		TEST(a_dead_one_is_spared_and_tried_by_one_request_at_a_time),
		TEST(a_trial_that_is_answered_brings_it_back),
		TEST(when_all_are_down_they_are_asked_all_the_same),
		TEST(a_get_that_a_new_connection_loses_goes_to_the_other),
		TEST(a_stale_connection_is_made_good_by_the_other_upstream),
		TEST(once_and_not_more),
		TEST(a_post_goes_to_one_upstream_only),
		TEST(garbage_is_told_and_not_asked_for_again),
		TEST(what_the_client_has_heard_of_is_not_begun_anew),
		TEST(one_that_never_answers_is_down_after_three),
		TEST(a_post_whose_connection_was_refused_goes_to_the_other),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
