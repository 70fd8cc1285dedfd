#include "relay/relay_stage.h"

#include "wire/websocket.h"

#define KEY "dGhlIHNhbXBsZSBub25jZQ=="
#define ACCEPT "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=" /* RFC 6455 section 1.3 */
#define UPGRADE                                                                                    \
	"GET /ws HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, Upgrade\r\nUpgrade: websocket\r\n" \
	"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: " KEY "\r\n"                             \
	"Sec-WebSocket-Protocol: chat\r\n\r\n"
#define SWITCH                                                                                     \
	"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"       \
	"Sec-WebSocket-Accept: " ACCEPT "\r\nSec-WebSocket-Protocol: chat\r\n\r\n"

static void open_tunnel(void)
{
	const char *seen = ask(UPGRADE);

	assert_has(seen, "Upgrade: websocket\r\n");
	assert_has(seen, "Sec-WebSocket-Key: " KEY "\r\n");
	assert_has(seen, "X-Chatelaine-Person: alice\r\n");
	seen = answer(SWITCH);
	assert_has(seen, "HTTP/1.1 101 ");
	assert_has(seen, "Sec-WebSocket-Accept: " ACCEPT "\r\n");
	assert_has(seen, "Sec-WebSocket-Protocol: chat\r\n");
	assert_int_equal(relay_figures(stage.relay).tunnels, 1);
}

static void bytes_go_both_ways_as_they_are(void **state)
{
	(void)state;
	open_tunnel();
	put_text(stage.client, "\x82\x83mask\x01\x02\x03");
	assert_string_equal(take(stage.upstream), "\x82\x83mask\x01\x02\x03");
	put_text(stage.upstream, "\x81\x05hello");
	assert_string_equal(take(stage.client), "\x81\x05hello");
}

static void bytes_right_behind_the_heads_are_not_lost(void **state)
{
	(void)state;
	const char *seen;

	put_text(stage.client, UPGRADE "\x81\x85keeyearly");
	stage.upstream = stage_accept();
	(void)take(stage.upstream);
	seen = answer(SWITCH "\x81\x05hello");
	assert_has(seen, "\r\n\r\n\x81\x05hello");
	assert_string_equal(take(stage.upstream), "\x81\x85keeyearly");
}

/* Until the other side is full; how much it took. */
static size_t pour(int fd)
{
	static char block[65536];
	size_t poured = 0;
	ssize_t n;

	memset(block, 0, sizeof block);
	block[0] = (char)0x82;
	block[1] = 127; /* a frame that goes on for very long */
	block[6] = 1;
	for (;;) {
		n = write(fd, block + (poured ? 100 : 0), sizeof block - 100);
		if (n <= 0)
			return poured;
		poured += (size_t)n;
		stage_turn();
	}
}

static void a_client_that_takes_nothing_of_what_waits_has_ten_minutes(void **state)
{
	(void)state;
	size_t size;

	open_tunnel();
	assert_true(pour(stage.upstream) > 65536);
	stage_pass(SECONDS(590));
	assert_int_equal(relay_figures(stage.relay).tunnels, 1);
	/* A little is progress. */
	(void)take_text(stage.client, &size, NULL);
	assert_true(size > 0);
	(void)pour(stage.upstream);
	stage_pass(SECONDS(590));
	assert_int_equal(relay_figures(stage.relay).tunnels, 1);
	stage_pass(SECONDS(20));
	assert_int_equal(relay_figures(stage.relay).tunnels, 0);
	assert_true(is_ended(stage.upstream));
	assert_nothing_held();
}

static void so_has_an_upstream(void **state)
{
	(void)state;
	size_t size;
	int i;

	open_tunnel();
	assert_true(pour(stage.client) > 65536);
	stage_pass(SECONDS(590));
	for (i = 0; i < 100; i++)
		(void)take_text(stage.upstream, &size, NULL);
	/* All is taken: silence costs nothing again. */
	stage_pass(SECONDS(100000));
	assert_int_equal(relay_figures(stage.relay).tunnels, 1);
	(void)pour(stage.client);
	stage_pass(SECONDS(610));
	assert_int_equal(relay_figures(stage.relay).tunnels, 0);
	assert_nothing_held();
}

static void a_101_with_a_wrong_accept_is_502(void **state)
{
	(void)state;
	const char *seen;

	(void)ask(UPGRADE);
	seen = answer("HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
		      "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOp=\r\n\r\n");
	assert_has(seen, "HTTP/1.1 502");
	assert_int_equal(stage.refused, REFUSAL_UPSTREAM_BROKEN);
	assert_true(is_ended(stage.upstream));
	assert_nothing_held();
}

static void a_refused_upgrade_is_an_ordinary_answer(void **state)
{
	(void)state;
	(void)ask(UPGRADE);
	assert_has(answer("HTTP/1.1 401 Unauthorized\r\nContent-Length: 2\r\n\r\nno"), "\r\n\r\nno");
	assert_int_equal(pool_figures(stage.relay->pools[0]).idle, 1);
	assert_has(ask(GET), "GET /a?b=c");
}

static void an_upgrade_to_anything_else_is_not_passed_on(void **state)
{
	(void)state;
	const char *seen = ask("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
			       "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n");

	assert_lacks(seen, "h2c");
	assert_lacks(seen, "Upgrade");
	assert_lacks(seen, "HTTP2-Settings");
}

static void a_quiet_tunnel_is_not_cut_and_holds_nothing(void **state)
{
	(void)state;
	open_tunnel();
	put_text(stage.upstream, "\x81\x05hello");
	(void)take(stage.client);
	assert_nothing_held();
	assert_int_equal(stage.host.spills.taken, 0);
	assert_int_equal(stage.host.heads.taken, 0);
	assert_int_equal(stage.host.bulk.taken, 0);
	assert_true(stage.worker->tunnels.size + sizeof(struct lease) + sizeof(struct stream) < 700);
	stage_pass(SECONDS(24 * 3600));
	put_text(stage.upstream, "\x81\x05still");
	assert_string_equal(take(stage.client), "\x81\x05still");
	put_text(stage.client, "\x81\x80mask");
	assert_string_equal(take(stage.upstream), "\x81\x80mask");
}

static void a_slow_side_stops_the_other_in_constant_memory(void **state)
{
	(void)state;
	static char block[65536];
	int from[2], to[2], way, stuck;
	size_t sent, got, size;

	open_tunnel();
	from[0] = to[1] = stage.client;
	to[0] = from[1] = stage.upstream;
	for (way = 0; way < 2; way++) {
		for (sent = 0, stuck = 0; stuck < 3 && sent < (size_t)64 << 20; stage_turn()) {
			ssize_t took = write(from[way], block, sizeof block);

			stuck = took > 0 ? 0 : stuck + 1;
			sent += took > 0 ? (size_t)took : 0;
		}
		assert_int_equal(stuck, 3);
		assert_true(stage.host.spills.taken <= 1);
		for (got = 0; got < sent; got += size) {
			(void)take_text(to[way], &size, NULL);
			assert_true(size > 0);
		}
		assert_int_equal(got, sent);
		assert_int_equal(stage.host.spills.taken, 0);
	}
}

static void the_upstreams_end_is_the_clients(void **state)
{
	(void)state;
	size_t size;
	bool is_end;

	open_tunnel();
	assert_int_equal(write(stage.upstream, "\x81\x03" "bye", 5), 5);
	shut(&stage.upstream);
	stage_turn();
	assert_string_equal(take_text(stage.client, &size, &is_end), "\x81\x03" "bye");
	assert_true(is_end);
	shut(&stage.client);
	stage_turn();
	assert_int_equal(relay_figures(stage.relay).tunnels, 0);
}

static void the_clients_end_is_passed_on_and_may_be_answered(void **state)
{
	(void)state;
	open_tunnel();
	assert_int_equal(shutdown(stage.client, SHUT_WR), 0);
	stage_turn();
	assert_true(is_ended(stage.upstream));
	put_text(stage.upstream, "\x81\x03" "bye");
	assert_string_equal(take(stage.client), "\x81\x03" "bye");
	stage_pass(SECONDS(61));
	assert_int_equal(relay_figures(stage.relay).tunnels, 0);
}

static void a_client_that_resets_takes_the_upstream_along(void **state)
{
	(void)state;
	open_tunnel();
	shut(&stage.client);
	stage_turn();
	assert_true(is_ended(stage.upstream));
}

static void a_tunnel_takes_no_requests_connection(void **state)
{
	(void)state;
	struct upstream_limits limits = upstream_limits_default();
	int tunnel, other;

	limits.most = 1;
	stage_limits(&limits);
	open_tunnel();
	tunnel = stage.upstream;
	other = stage.client;
	stage.upstream = -1;
	stage_client();
	assert_has(ask(GET), "GET /a?b=c");
	assert_has(answer("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok"), "\r\n\r\nok");
	close(tunnel);
	stage_turn();
	assert_true(is_ended(other));
	close(other);
	stage_turn();
	assert_int_equal(pool_figures(stage.relay->pools[0]).apart, 0);
	assert_int_equal(pool_figures(stage.relay->pools[0]).idle, 1);
}

static void tunnels_have_a_ceiling(void **state)
{
	(void)state;
	size_t ceiling = stage.worker->tunnels.ceiling;

	stage.worker->tunnels.ceiling = 0;
	(void)ask(UPGRADE);
	assert_has(answer(SWITCH), "HTTP/1.1 503");
	assert_int_equal(stage.refused, REFUSAL_UNAVAILABLE);
	stage.worker->tunnels.ceiling = ceiling;
	assert_int_equal(relay_figures(stage.relay).tunnels, 0);
}

/* -- revocation -- */

/* A message in two fragments with a ping between them, one with a 16-bit length, an empty one. */
static size_t make_frames(char *out, size_t *boundaries, size_t *count)
{
	static const struct {
		bool fin;
		uint8_t opcode;
		size_t size;
	} rows[] = {{false, WEBSOCKET_TEXT, 3}, {true, WEBSOCKET_PING, 2}, {true, WEBSOCKET_CONTINUATION, 4},
		    {true, WEBSOCKET_BINARY, 130}, {true, WEBSOCKET_TEXT, 0}};
	size_t size = 0, i;

	boundaries[0] = 0;
	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		const struct websocket_frame frame = {.fin = rows[i].fin, .opcode = rows[i].opcode,
						      .length = rows[i].size};

		size += websocket_frame_write(&frame, (uint8_t *)out + size);
		memset(out + size, 'a' + (int)i, rows[i].size);
		size += rows[i].size;
		boundaries[i + 1] = size;
	}
	*count = i + 1;
	return size;
}

static void assert_close(const char *seen, size_t size, unsigned code)
{
	assert_true(size >= 4);
	assert_int_equal((uint8_t)seen[0], 0x88);
	assert_int_equal(seen[1], size - 2);
	assert_int_equal((uint8_t)seen[2] << 8 | (uint8_t)seen[3], code);
}

/* What the client said before it was revoked, and the upstream had no room for, is dropped. */
static void a_revocation_drops_what_waits_for_the_upstream(void **state)
{
	(void)state;
	static char block[65536];
	int stuck;

	open_tunnel();
	for (stuck = 0; stuck < 3; stage_turn())
		stuck = write(stage.client, block, sizeof block) > 0 ? 0 : stuck + 1;
	assert_int_equal(stage.host.spills.taken, 1);
	/* In the middle of a frame: the upstream stays for the moment, to bring the rest of it. */
	put_bytes(stage.upstream, "\x81\x05he", 4);
	connection_end(stage.connection, ENDED_REVOKED);
	stage_turn();
	assert_int_equal(stage.host.spills.taken, 1);
	while (read(stage.upstream, block, sizeof block) > 0)
		stage_turn();
	assert_int_equal(stage.host.spills.taken, 1);
	put_text(stage.upstream, "llo");
	stage_turn();
	assert_true(is_ended(stage.upstream));
	assert_int_equal(stage.host.spills.taken, 0);
}

static void a_revocation_closes_at_the_next_boundary_wherever_it_comes(void **state)
{
	char frames[512], seen[512];
	size_t boundaries[8], count, total, split, size, i;

	total = make_frames(frames, boundaries, &count);
	for (split = 0; split <= total; split++) {
		size_t wanted = 0, have = 0;
		bool is_end = false;
		const char *text;

		open_tunnel();
		if (split > 0)
			put_bytes(stage.upstream, frames, split);
		text = take_text(stage.client, &size, NULL);
		memcpy(seen, text, size);
		have = size;
		connection_end(stage.connection, ENDED_REVOKED);
		stage_turn();
		for (i = 0; i < count && boundaries[i] < split; i++)
			;
		wanted = boundaries[i];
		if (wanted > split)
			put_bytes(stage.upstream, frames + split, total - split);
		text = take_text(stage.client, &size, &is_end);
		memcpy(seen + have, text, size);
		have += size;
		assert_true(have > wanted);
		assert_memory_equal(seen, frames, wanted);
		assert_close(seen + wanted, have - wanted, WEBSOCKET_POLICY);
		assert_true(is_end);
		assert_true(is_ended(stage.upstream));
		assert_int_equal(relay_figures(stage.relay).tunnels, 0);
		(void)stage_end(state);
		(void)stage_begin(state);
	}
}

static void a_frame_that_does_not_end_has_100_ms(void **state)
{
	(void)state;
	size_t size;
	bool is_end;

	open_tunnel();
	put_text(stage.upstream, "\x81\x7dhalf");
	(void)take(stage.client);
	connection_end(stage.connection, ENDED_REVOKED);
	stage_turn();
	stage_pass(MILLISECONDS(50));
	put_text(stage.upstream, "more");
	assert_string_equal(take_text(stage.client, &size, &is_end), "more");
	assert_false(is_end);
	stage_pass(MILLISECONDS(70));
	(void)take_text(stage.client, &size, &is_end);
	assert_int_equal(size, 0);
	assert_true(is_end);
	assert_true(is_ended(stage.upstream));
	assert_int_equal(relay_figures(stage.relay).tunnels, 0);
}

static void a_client_that_reads_nothing_is_gone_within_200_ms(void **state)
{
	(void)state;
	static char block[65536] = {(char)0x82, 0x7f, 0, 0, 0, 0, 0, 0, (char)0xff, (char)0xf6};
	int stuck = 0;

	open_tunnel();
	while (stuck < 3) {
		stuck = write(stage.upstream, block, sizeof block) > 0 ? 0 : stuck + 1;
		stage_turn();
	}
	connection_end(stage.connection, ENDED_REVOKED);
	stage_turn();
	stage_pass(MILLISECONDS(210));
	assert_true(stage.is_closed);
	assert_int_equal(relay_figures(stage.relay).tunnels, 0);
	assert_int_equal(stage.host.spills.taken, 0);
}

static void nothing_of_the_client_goes_up_after_a_revocation(void **state)
{
	(void)state;
	open_tunnel();
	put_text(stage.upstream, "\x81\x7dhalf");
	connection_end(stage.connection, ENDED_REVOKED);
	put_text(stage.client, "\x81\x80mask");
	assert_string_equal(take(stage.upstream), "");
}

static void nothing_follows_a_close_of_the_upstream(void **state)
{
	(void)state;
	size_t size;
	bool is_end;

	open_tunnel();
	put_bytes(stage.upstream, "\x88\x02\x03\xe8", 4);
	(void)take(stage.client);
	connection_end(stage.connection, ENDED_REVOKED);
	stage_turn();
	(void)take_text(stage.client, &size, &is_end);
	assert_int_equal(size, 0);
	assert_true(is_end);
}

static void what_is_no_websocket_is_reset(void **state)
{
	(void)state;
	size_t size;
	bool is_end;

	open_tunnel();
	put_text(stage.upstream, "\x8f garbage");
	(void)take(stage.client);
	connection_end(stage.connection, ENDED_REVOKED);
	stage_turn();
	(void)take_text(stage.client, &size, &is_end);
	assert_int_equal(size, 0);
	assert_true(is_end);
	assert_true(is_ended(stage.upstream));
}

static void a_stopping_process_says_going_away(void **state)
{
	(void)state;
	size_t size;
	const char *seen;

	open_tunnel();
	http_host_end(&stage.host, ENDED_STOPPING);
	stage_turn();
	seen = take_text(stage.client, &size, NULL);
	assert_close(seen, size, WEBSOCKET_GOING_AWAY);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, stage_begin, stage_end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bytes_go_both_ways_as_they_are),
		TEST(bytes_right_behind_the_heads_are_not_lost),
		TEST(a_101_with_a_wrong_accept_is_502),
		TEST(a_refused_upgrade_is_an_ordinary_answer),
		TEST(an_upgrade_to_anything_else_is_not_passed_on),
		TEST(a_quiet_tunnel_is_not_cut_and_holds_nothing),
		TEST(a_slow_side_stops_the_other_in_constant_memory),
		TEST(the_upstreams_end_is_the_clients),
		TEST(the_clients_end_is_passed_on_and_may_be_answered),
		TEST(a_client_that_resets_takes_the_upstream_along),
		TEST(a_tunnel_takes_no_requests_connection),
		TEST(tunnels_have_a_ceiling),
		TEST(a_client_that_takes_nothing_of_what_waits_has_ten_minutes),
		TEST(so_has_an_upstream),
		TEST(a_revocation_drops_what_waits_for_the_upstream),
		TEST(a_revocation_closes_at_the_next_boundary_wherever_it_comes),
		TEST(a_frame_that_does_not_end_has_100_ms),
		TEST(a_client_that_reads_nothing_is_gone_within_200_ms),
		TEST(nothing_of_the_client_goes_up_after_a_revocation),
		TEST(nothing_follows_a_close_of_the_upstream),
		TEST(what_is_no_websocket_is_reset),
		TEST(a_stopping_process_says_going_away),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
