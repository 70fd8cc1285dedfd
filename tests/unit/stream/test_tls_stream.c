#include <signal.h>

#include "tls_pair.h"

#include "stream/tls_memory.h"

static struct tls_context *context;

static int begin(void **state)
{
	world_fresh(state);
	context = make_context(TLS_ASKS, 1);
	return 0;
}

static int end(void **state)
{
	(void)state;
	turn();
	tls_context_free(context);
#ifdef WITH_FAULTS
	socket_squeeze(0, 0);
#endif
	return 0;
}

static void a_known_certificate_is_told_after_the_handshake(void **state)
{
	struct pair pair;

	(void)state;
	pair_begin(&pair, context, &world.alice, "chat.example.com", NULL);
	SSL_set_alpn_protos(pair.client, (const unsigned char *)"\x02h2\x08http/1.1", 12);
	assert_true(pair_shake(&pair));
	assert_true(pair.peer.has_certificate);
	assert_false(pair.peer.resumed);
	assert_int_equal(pair.peer.standing, TLS_CERTIFICATE_GOOD);
	assert_memory_equal(pair.peer.fingerprint, world.alice.fingerprint, 32);
	assert_int_equal(pair.peer.der.size, world.alice.der_size);
	assert_memory_equal(pair.peer.der.at, world.alice.der, world.alice.der_size);
	assert_true(span_is(pair.peer.server_name, "chat.example.com"));
	assert_int_equal(pair.peer.site, 7);
	assert_true(span_is(pair.peer.protocol, "http/1.1"));
	assert_string_equal(pair.peer.version, "TLSv1.3");
	assert_int_equal(world.keeping.asked, 1);
	pair_talk(&pair, "hello", 5);
	tls_stream_forget_certificate(pair.stream);
	tls_stream_peer(pair.stream, &pair.peer);
	assert_int_equal(pair.peer.der.size, 0);
	pair_end(&pair);
}

static void before_the_handshake_is_over_nothing_is_told(void **state)
{
	struct pair pair;

	(void)state;
	pair_begin(&pair, context, &world.alice, "chat.example.com", NULL);
	(void)SSL_do_handshake(pair.client);
	turn();
	(void)SSL_do_handshake(pair.client);
	tls_stream_peer(pair.stream, &pair.peer);
	assert_false(pair.peer.has_certificate);
	assert_int_equal(pair.peer.site, TLS_SITE_UNKNOWN_NAME);
	assert_null(pair.peer.version);
	pair_end(&pair);
}

static void no_certificate_is_let_through_where_one_is_only_asked_for(void **state)
{
	static const uint8_t zero[32];
	struct pair pair;

	(void)state;
	pair_begin(&pair, context, NULL, "chat.example.com", NULL);
	assert_true(pair_shake(&pair));
	assert_false(pair.peer.has_certificate);
	assert_memory_equal(pair.peer.fingerprint, zero, 32);
	assert_int_equal(pair.tickets, 0);
	assert_int_equal(world.keeping.kept, 0);
	pair_talk(&pair, "hello", 5);
	pair_end(&pair);
}

static void an_unknown_certificate_is_let_through_and_gets_no_ticket(void **state)
{
	struct pair pair;

	(void)state;
	world.keeping.standing = TLS_CERTIFICATE_UNKNOWN;
	pair_begin(&pair, context, &world.alice, "chat.example.com", NULL);
	assert_true(pair_shake(&pair));
	assert_true(pair.peer.has_certificate);
	assert_int_equal(pair.peer.standing, TLS_CERTIFICATE_UNKNOWN);
	assert_int_equal(pair.tickets, 0);
	pair_end(&pair);
}

static void an_rsa_1024_key_is_never_recognised(void **state)
{
	static const uint8_t zero[32];
	struct pair pair;

	(void)state;
	pair_begin(&pair, context, &world.weak, "chat.example.com", NULL);
	SSL_set_max_proto_version(pair.client, TLS1_2_VERSION);
	if (pair_shake(&pair)) {
		assert_int_equal(pair.peer.standing, TLS_CERTIFICATE_UNSUITABLE);
		assert_memory_equal(pair.peer.fingerprint, zero, 32);
	}
	assert_int_equal(world.keeping.asked, 0);
	assert_int_equal(world.keeping.kept, 0);
	pair_end(&pair);
	pair_begin(&pair, context, &world.weak, "chat.example.com", NULL);
	if (pair_shake(&pair))
		assert_int_equal(pair.peer.standing, TLS_CERTIFICATE_UNSUITABLE);
	assert_int_equal(world.keeping.asked, 0);
	pair_end(&pair);
}

static void a_site_that_asks_nothing_sends_no_request(void **state)
{
	struct tls_context *open = make_context(TLS_ASKS_NOTHING, 1);
	struct pair pair;

	(void)state;
	pair_begin(&pair, open, &world.alice, "chat.example.com", NULL);
	assert_true(pair_shake(&pair));
	assert_false(pair.peer.has_certificate);
	assert_int_equal(world.keeping.asked, 0);
	pair_end(&pair);
	tls_context_free(open);
}

static void the_request_names_the_authority(void **state)
{
	const STACK_OF(X509_NAME) *names;
	struct pair pair;

	(void)state;
	pair_begin(&pair, context, &world.alice, "chat.example.com", NULL);
	assert_true(pair_shake(&pair));
	names = SSL_get_client_CA_list(pair.client);
	assert_int_equal(sk_X509_NAME_num(names), 1);
	assert_int_equal(X509_NAME_cmp(sk_X509_NAME_value(names, 0),
				       X509_get_subject_name(world.authority.certificate)), 0);
	pair_end(&pair);
}

/* What the client's last read failed with. */
static int alert_heard(struct pair *pair)
{
	char c;
	int i;

	ERR_clear_error();
	for (i = 0; i < 5; i++) {
		int result = SSL_is_init_finished(pair->client) ? SSL_read(pair->client, &c, 1)
								: SSL_do_handshake(pair->client);

		if (result <= 0 && SSL_get_error(pair->client, result) == SSL_ERROR_SSL)
			break;
		turn();
	}
	return ERR_GET_REASON(ERR_get_error()) - SSL_AD_REASON_OFFSET;
}

static int drop_with(enum tls_standing standing, const struct made *who, int version)
{
	struct tls_context *strict = make_context(TLS_ASKS_OR_DROPS, 1);
	struct pair pair;
	struct error err;
	int i, alert;

	world.keeping.standing = standing;
	pair_begin(&pair, strict, who, "chat.example.com", NULL);
	SSL_set_max_proto_version(pair.client, version);
	for (i = 0; i < 20 && pair.secured == AGAIN; i++) {
		(void)SSL_do_handshake(pair.client);
		turn();
	}
	ERR_clear_error();
	assert_int_equal(pair.secured, REFUSED);
	assert_int_equal(pair.stream->failure, STREAM_TURNED_AWAY);
	stream_explain(pair.stream, &err);
	assert_ptr_equal(strstr(err.text, "turned away in the handshake: "), err.text);
	/* Bytes of the client that come now must not turn the end into a reset. */
	assert_true(write(pair.client_fd, "surplus", 7) == 7);
	for (i = 0; i < 5; i++)
		if (stream_finish(pair.stream) == OK)
			break;
		else
			turn();
	alert = alert_heard(&pair);
	tls_stream_peer(pair.stream, &pair.peer);
	assert_false(pair.peer.has_certificate);
	pair_end(&pair);
	tls_context_free(strict);
	return alert;
}

static void drop_refuses_by_the_alert_that_fits(void **state)
{
	(void)state;
	assert_int_equal(drop_with(TLS_CERTIFICATE_GOOD, NULL, TLS1_3_VERSION), SSL_AD_CERTIFICATE_REQUIRED);
	assert_int_equal(drop_with(TLS_CERTIFICATE_UNKNOWN, &world.alice, TLS1_3_VERSION), SSL_AD_UNKNOWN_CA);
	assert_int_equal(drop_with(TLS_CERTIFICATE_EXPIRED, &world.alice, TLS1_3_VERSION), SSL_AD_CERTIFICATE_EXPIRED);
	assert_int_equal(drop_with(TLS_CERTIFICATE_REVOKED, &world.alice, TLS1_3_VERSION), SSL_AD_CERTIFICATE_REVOKED);
	assert_int_equal(drop_with(TLS_CERTIFICATE_REVOKED, &world.alice, TLS1_2_VERSION), SSL_AD_CERTIFICATE_REVOKED);
	assert_int_equal(drop_with(TLS_CERTIFICATE_GOOD, NULL, TLS1_2_VERSION), SSL_AD_HANDSHAKE_FAILURE);
	assert_int_equal(world.keeping.kept, 0);
}

static void drop_lets_a_good_certificate_in(void **state)
{
	struct tls_context *strict = make_context(TLS_ASKS_OR_DROPS, 1);
	struct pair pair;

	(void)state;
	pair_begin(&pair, strict, &world.alice, "chat.example.com", NULL);
	assert_true(pair_shake(&pair));
	assert_memory_equal(pair.peer.fingerprint, world.alice.fingerprint, 32);
	pair_end(&pair);
	tls_context_free(strict);
}

static void plain_http_on_a_tls_port_is_kept_and_may_be_answered_in_clear(void **state)
{
	struct pair pair;
	char back[32];

	(void)state;
	pair_begin(&pair, context, NULL, NULL, NULL);
	assert_true(write(pair.client_fd, "GET / HTTP/1.1\r\n", 16) == 16);
	turn();
	assert_int_equal(pair.secured, REFUSED);
	assert_int_equal(pair.stream->failure, STREAM_IN_CLEAR);
	assert_true(span_is(tls_stream_clear_bytes(pair.stream), "GET / HTTP/1.1\r\n"));
	assert_int_equal(tls_stream_answer_clear(pair.stream, SPAN("HTTP/1.1 400 \r\n")), OK);
	assert_int_equal(stream_finish(pair.stream), AGAIN);
	assert_int_equal(tls_stream_answer_clear(pair.stream, SPAN("more")), REFUSED);
	assert_int_equal(read(pair.client_fd, back, sizeof back), 15);
	assert_int_equal(read(pair.client_fd, back, sizeof back), 0);
	close(pair.client_fd);
	pair.client_fd = -1;
	turn();
	assert_int_equal(stream_finish(pair.stream), OK);
	pair_end(&pair);
}

static void a_tls_stream_answers_nothing_in_clear(void **state)
{
	struct pair pair;

	(void)state;
	pair_begin(&pair, context, &world.alice, "chat.example.com", NULL);
	assert_int_equal(tls_stream_answer_clear(pair.stream, SPAN("secret")), REFUSED);
	assert_true(pair_shake(&pair));
	assert_int_equal(tls_stream_answer_clear(pair.stream, SPAN("secret")), REFUSED);
	pair_end(&pair);
}

static void garbage_after_a_handshake_byte_is_refused(void **state)
{
	struct pair pair;

	(void)state;
	pair_begin(&pair, context, NULL, NULL, NULL);
	assert_true(write(pair.client_fd, "\x16\x03\x01\x00\x05garbage", 12) == 12);
	turn();
	assert_int_equal(pair.secured, REFUSED);
	assert_int_equal(pair.stream->failure, STREAM_GARBLED);
	pair_end(&pair);
}

static void a_hello_without_end_is_refused(void **state)
{
	static char hello[16389] = "\x16\x03\x01\x40\x00\x01\x01\x00\x00";
	struct pair pair;
	int i;

	(void)state;
	pair_begin(&pair, context, NULL, NULL, NULL);
	for (i = 0; i < 20 && pair.secured == AGAIN; i++) {
		if (i == 1)
			memset(hello + 5, 0, 4);
		if (write(pair.client_fd, hello, sizeof hello) < 0)
			break;
		turn();
		turn();
	}
	assert_int_equal(pair.secured, REFUSED);
	assert_true(i < 6);
	pair_end(&pair);
}

static void bytes_that_others_read_come_first(void **state)
{
	struct pair pair;
	struct error err;
	char hello[4096];
	ssize_t size;
	int ends[2];

	(void)state;
	pair_begin(&pair, context, &world.alice, "chat.example.com", NULL);
	/* Take the hello off the wire before the stream is there to see it. */
	stream_free(pair.stream);
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
	close(pair.client_fd);
	pair.client_fd = ends[1];
	SSL_set_fd(pair.client, ends[1]);
	(void)SSL_do_handshake(pair.client);
	size = read(ends[0], hello, sizeof hello);
	assert_true(size > 0);
	assert_int_equal(tls_stream_new(ends[0], context, &pair.stream, &err), OK);
	assert_int_equal(stream_feed(pair.stream, span_make(hello, 7), &err), OK);
	assert_int_equal(stream_feed(pair.stream, span_make(hello + 7, (size_t)size - 7), &err), OK);
	assert_int_equal(stream_start(pair.stream, world.loop, pair_on_ready, &pair, &err), OK);
	assert_true(pair_shake(&pair));
	pair_talk(&pair, "hello", 5);
	pair_end(&pair);
}

static void every_split_of_the_wire_gives_the_same(void **state)
{
#ifdef WITH_FAULTS
	static const size_t sizes[] = {1, 2, 3, 5, 7, 64, 100, 1000};
	char text[3000];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof text; i++)
		text[i] = (char)(i * 7);
	for (i = 0; i < sizeof sizes / sizeof sizes[0]; i++) {
		struct pair pair;

		socket_squeeze(sizes[i], sizes[i]);
		pair_begin(&pair, context, &world.alice, "chat.example.com", NULL);
		assert_true(pair_shake(&pair));
		assert_memory_equal(pair.peer.fingerprint, world.alice.fingerprint, 32);
		pair_talk(&pair, text, sizeof text);
		pair_end(&pair);
	}
#else
	(void)state;
#endif
}

static void a_client_that_trickles_is_served(void **state)
{
	struct pair pair;
	SSL *client;
	BIO *out, *in;
	char bytes[8192];
	int i, n, k;

	(void)state;
	pair_begin(&pair, context, &world.alice, "chat.example.com", NULL);
	client = pair.client;
	in = BIO_new(BIO_s_mem());
	out = BIO_new(BIO_s_mem());
	BIO_set_mem_eof_return(in, -1);
	SSL_set_bio(client, in, out);
	for (i = 0; i < 10 && pair.secured == AGAIN; i++) {
		(void)SSL_do_handshake(client);
		n = BIO_read(out, bytes, sizeof bytes);
		for (k = 0; k < n; k++) {
			assert_true(write(pair.client_fd, bytes + k, 1) == 1);
			turn();
		}
		while ((n = (int)read(pair.client_fd, bytes, sizeof bytes)) > 0)
			assert_int_equal(BIO_write(in, bytes, n), n);
	}
	assert_int_equal(pair.secured, OK);
	assert_memory_equal(pair.peer.fingerprint, world.alice.fingerprint, 32);
	pair_end(&pair);
}

static char *pattern(size_t size)
{
	char *text = malloc(size);
	uint32_t x = 1;
	size_t i;

	assert_non_null(text);
	for (i = 0; i < size; i++) {
		x = x * 1664525 + 1013904223;
		text[i] = (char)(x >> 24);
	}
	return text;
}

static void much_in_both_directions_with_an_allowance_of_one_read(void **state)
{
	size_t size = 20 << 20;
	char *text = pattern(size);
	struct pair pair;

	(void)state;
	pair_begin(&pair, context, &world.alice, "chat.example.com", NULL);
	assert_true(pair_shake(&pair));
	pair.reads_a_turn = 1;
	pair_talk(&pair, text, size);
	pair.read_room = 1000;
	pair_talk(&pair, text, size / 10);
	pair_end(&pair);
	free(text);
}

static void a_reader_that_stands_still_is_held_within_bounds(void **state)
{
	size_t size = 8 << 20, sent = 0, n, heard = 0;
	char *text = pattern(size), *back = malloc(size);
	struct pair pair;
	int i;

	(void)state;
	assert_non_null(back);
	pair_begin(&pair, context, &world.alice, "chat.example.com", NULL);
	assert_true(pair_shake(&pair));
	pair.echo = false;
	for (i = 0; i < 200; i++) {
		if (stream_write_span(pair.stream, span_make(text + sent, size - sent), &n) != OK)
			break;
		sent += n;
	}
	(void)stream_flush(pair.stream);
	assert_true(i < 200 && sent < 2 << 20);
	/* From here the rest goes by itself, edge by edge, and room is told. */
	for (i = 0; i < 100000 && heard < size; i++) {
		turn();
		while (sent < size &&
		       stream_write_span(pair.stream, span_make(text + sent, size - sent), &n) == OK)
			sent += n;
		if (SSL_read_ex(pair.client, back + heard, size - heard, &n))
			heard += n;
		else
			ERR_clear_error();
	}
	assert_int_equal(heard, size);
	assert_memory_equal(back, text, size);
	pair_end(&pair);
	free(text);
	free(back);
}

static void head_and_body_share_a_record_and_a_send(void **state)
{
	char first[] = "HTTP/1.1 200 OK\r\n", none[] = "", line[] = "\r\n", body[] = "body";
	struct iovec pieces[4] = {{first, 17}, {none, 0}, {line, 2}, {body, 4}};
	uint64_t before;
	struct pair pair;
	char back[64];
	size_t n;

	(void)state;
	pair_begin(&pair, context, &world.alice, "chat.example.com", NULL);
	assert_true(pair_shake(&pair));
	before = socket_count()->sends;
	assert_int_equal(stream_write(pair.stream, pieces, 4, &n), OK);
	assert_int_equal(n, 23);
	assert_int_equal(socket_count()->sends, before);
	assert_int_equal(stream_flush(pair.stream), OK);
	assert_int_equal(socket_count()->sends, before + 1);
	/* One SSL_read gives at most one record. */
	assert_int_equal(SSL_read(pair.client, back, sizeof back), 23);
	assert_memory_equal(back, "HTTP/1.1 200 OK\r\n\r\nbody", 23);
	pair_end(&pair);
}

static void what_was_not_flushed_goes_at_the_end_of_the_turn(void **state)
{
	struct pair one, two;
	char back[16];
	size_t n;

	(void)state;
	pair_begin(&one, context, &world.alice, "chat.example.com", NULL);
	assert_true(pair_shake(&one));
	pair_begin(&two, context, &world.alice, "chat.example.com", NULL);
	assert_true(pair_shake(&two));
	assert_int_equal(stream_write_span(one.stream, SPAN("first"), &n), OK);
	/* Another stream's bytes never mix with these. */
	assert_int_equal(stream_write_span(two.stream, SPAN("second"), &n), OK);
	assert_int_equal(stream_write_span(one.stream, SPAN("third"), &n), OK);
	turn();
	assert_int_equal(SSL_read(one.client, back, sizeof back), 5);
	assert_memory_equal(back, "first", 5);
	assert_int_equal(SSL_read(one.client, back, sizeof back), 5);
	assert_memory_equal(back, "third", 5);
	assert_int_equal(SSL_read(two.client, back, sizeof back), 6);
	assert_memory_equal(back, "second", 6);
	pair_end(&one);
	pair_end(&two);
}

static void a_stream_freed_with_unsent_bytes_harms_no_other(void **state)
{
	struct pair one, two;
	char back[16];
	size_t n;

	(void)state;
	pair_begin(&one, context, &world.alice, "chat.example.com", NULL);
	assert_true(pair_shake(&one));
	pair_begin(&two, context, &world.alice, "chat.example.com", NULL);
	assert_true(pair_shake(&two));
	assert_int_equal(stream_write_span(one.stream, SPAN("lost"), &n), OK);
	stream_free(one.stream);
	assert_int_equal(stream_write_span(two.stream, SPAN("kept"), &n), OK);
	pair_end(&one);
	assert_int_equal(SSL_read(two.client, back, sizeof back), 4);
	pair_end(&two);
}

static void an_echo_costs_two_calls(void **state)
{
	struct socket_counts before, after;
	struct pair pair;
	char back[1024], text[1024];
	unsigned i;
	int n;

	(void)state;
	memset(text, 'x', sizeof text);
	pair_begin(&pair, context, &world.alice, "chat.example.com", NULL);
	assert_true(pair_shake(&pair));
	before = *socket_count();
	for (i = 0; i < 1000; i++) {
		assert_int_equal(SSL_write(pair.client, text, sizeof text), sizeof text);
		turn();
		n = SSL_read(pair.client, back, sizeof back);
		assert_int_equal(n, sizeof text);
	}
	after = *socket_count();
	assert_int_equal(after.receives - before.receives, 1000);
	assert_int_equal(after.sends - before.sends, 1000);
	assert_int_equal(after.receives_empty - before.receives_empty, 0);
	pair_end(&pair);
}

static void an_echo_allocates_nothing(void **state)
{
	struct tls_memory_counts before = {0}, after;
	struct pair pair;
	char back[1024], text[1024];
	unsigned i;

	(void)state;
	memset(text, 'x', sizeof text);
	pair_begin(&pair, context, &world.alice, "chat.example.com", NULL);
	assert_true(pair_shake(&pair));
	/* Both ends of the pair allocate through tls_memory: counted are both. */
	for (i = 0; i < 1010; i++) {
		if (i == 10)
			before = *tls_memory_count();
		assert_int_equal(SSL_write(pair.client, text, sizeof text), sizeof text);
		turn();
		assert_int_equal(SSL_read(pair.client, back, sizeof back), sizeof text);
	}
	after = *tls_memory_count();
	assert_int_equal(after.from_system - before.from_system, 0);
	assert_true(after.waiting_bytes <= 4 << 20);
	pair_end(&pair);
}

static void a_key_update_is_answered_while_reading(void **state)
{
	struct pair pair;
	int i;

	(void)state;
	pair_begin(&pair, context, &world.alice, "chat.example.com", NULL);
	assert_true(pair_shake(&pair));
	for (i = 0; i < 40; i++) {
		assert_int_equal(SSL_key_update(pair.client, SSL_KEY_UPDATE_REQUESTED), 1);
		pair_talk(&pair, "hello", 5);
	}
	pair_end(&pair);
}

static void a_clean_end_is_told_once_all_is_read(void **state)
{
	struct pair pair;

	(void)state;
	pair_begin(&pair, context, &world.alice, "chat.example.com", NULL);
	assert_true(pair_shake(&pair));
	assert_int_equal(SSL_write(pair.client, "last", 4), 4);
	assert_int_equal(SSL_shutdown(pair.client), 0);
	close(pair.client_fd);
	pair.client_fd = -1;
	pair.echo = false;
	turn();
	turn();
	assert_true(pair.ended);
	assert_int_equal(pair.bytes_read, 4);
	pair_end(&pair);
}

static void a_close_notify_without_fin_is_an_end_too(void **state)
{
	struct pair pair;
	char c;

	(void)state;
	pair_begin(&pair, context, &world.alice, "chat.example.com", NULL);
	assert_true(pair_shake(&pair));
	pair.echo = false;
	assert_int_equal(SSL_write(pair.client, "last", 4), 4);
	assert_int_equal(SSL_shutdown(pair.client), 0);
	turn();
	assert_true(pair.ended);
	assert_int_equal(stream_finish(pair.stream), OK);
	assert_int_equal(SSL_read(pair.client, &c, 1), 0);
	assert_int_equal(SSL_get_shutdown(pair.client), SSL_SENT_SHUTDOWN | SSL_RECEIVED_SHUTDOWN);
	pair_end(&pair);
}

static void an_end_without_close_notify_is_a_cut(void **state)
{
	struct pair pair;
	struct error err;

	(void)state;
	pair_begin(&pair, context, &world.alice, "chat.example.com", NULL);
	assert_true(pair_shake(&pair));
	pair.echo = false;
	assert_int_equal(SSL_write(pair.client, "last", 4), 4);
	assert_int_equal(shutdown(pair.client_fd, SHUT_WR), 0);
	turn();
	turn();
	assert_int_equal(pair.bytes_read, 4);
	assert_false(pair.ended);
	assert_int_equal(pair.end_status, REFUSED);
	assert_int_equal(pair.stream->failure, STREAM_CUT);
	stream_explain(pair.stream, &err);
	assert_string_equal(err.text, "the peer ended without saying so (no close_notify)");
	assert_int_equal(stream_finish(pair.stream), OK);
	pair_end(&pair);
}

static void a_forged_record_ends_it(void **state)
{
	struct pair pair;

	(void)state;
	pair_begin(&pair, context, &world.alice, "chat.example.com", NULL);
	assert_true(pair_shake(&pair));
	assert_true(write(pair.client_fd, "\x17\x03\x03\x00\x20" "0123456789abcdef0123456789abcdef", 37) == 37);
	turn();
	assert_int_equal(pair.end_status, REFUSED);
	assert_int_equal(pair.stream->failure, STREAM_GARBLED);
	assert_int_equal(alert_heard(&pair), SSL_AD_BAD_RECORD_MAC);
	pair_end(&pair);
}

static void finish_sends_all_then_waits_for_the_peer(void **state)
{
	size_t size = 1 << 20, sent = 0, heard = 0, n;
	char *text = pattern(size), *back = malloc(size);
	struct pair pair;
	enum status status = AGAIN;
	int i;

	(void)state;
	assert_non_null(back);
	pair_begin(&pair, context, &world.alice, "chat.example.com", NULL);
	assert_true(pair_shake(&pair));
	pair.secured = REFUSED; /* the owner only finishes from here on */
	while (sent < size && stream_write_span(pair.stream, span_make(text + sent, size - sent), &n) == OK)
		sent += n;
	for (i = 0; i < 10000 && status == AGAIN; i++) {
		status = stream_finish(pair.stream);
		if (heard < sent && SSL_read_ex(pair.client, back + heard, size - heard, &n))
			heard += n;
		else if (heard == sent && SSL_read(pair.client, back, 1) == 0 &&
			 SSL_get_shutdown(pair.client) & SSL_RECEIVED_SHUTDOWN)
			(void)shutdown(pair.client_fd, SHUT_WR);
		ERR_clear_error();
		turn();
	}
	assert_int_equal(status, OK);
	assert_int_equal(heard, sent);
	assert_memory_equal(back, text, heard);
	pair_end(&pair);
	free(text);
	free(back);
}

static void renegotiation_is_refused(void **state)
{
	struct pair pair;

	(void)state;
	pair_begin(&pair, context, &world.alice, "chat.example.com", NULL);
	SSL_set_max_proto_version(pair.client, TLS1_2_VERSION);
	assert_true(pair_shake(&pair));
	assert_string_equal(pair.peer.version, "TLSv1.2");
	assert_int_equal(SSL_renegotiate(pair.client), 1);
	(void)SSL_do_handshake(pair.client);
	turn();
	(void)SSL_do_handshake(pair.client);
	assert_int_equal(world.keeping.asked, 1);
	pair_end(&pair);
}

static void what_is_old_is_not_spoken(void **state)
{
	struct pair pair;

	(void)state;
	pair_begin(&pair, context, NULL, "chat.example.com", NULL);
	SSL_set_min_proto_version(pair.client, TLS1_VERSION);
	SSL_set_max_proto_version(pair.client, TLS1_1_VERSION);
	assert_false(pair_shake(&pair));
	pair_end(&pair);
	pair_begin(&pair, context, NULL, "chat.example.com", NULL);
	SSL_set_max_proto_version(pair.client, TLS1_2_VERSION);
	SSL_set_cipher_list(pair.client, "ECDHE-ECDSA-AES128-SHA256:ECDHE-RSA-AES256-SHA:AES128-GCM-SHA256");
	assert_false(pair_shake(&pair));
	pair_end(&pair);
}

static void a_reset_reaches_the_peer(void **state)
{
	struct pair pair;
	char c;

	(void)state;
	pair_begin(&pair, context, &world.alice, "chat.example.com", NULL);
	assert_true(pair_shake(&pair));
	stream_reset(pair.stream);
	stream_free(pair.stream);
	assert_true(SSL_read(pair.client, &c, 1) <= 0);
	turn();
	SSL_free(pair.client);
	SSL_CTX_free(pair.settings);
	SSL_SESSION_free(pair.session);
	close(pair.client_fd);
}

static void a_swapped_context_leaves_open_streams_alone(void **state)
{
	struct tls_context *old = make_context(TLS_ASKS, 1), *new;
	struct pair before, after;
	X509 *shown;

	(void)state;
	pair_begin(&before, old, &world.alice, "chat.example.com", NULL);
	assert_true(pair_shake(&before));
	new = make_context(TLS_ASKS_NOTHING, 2);
	tls_context_free(old); /* the stream holds the last reference */
	pair_begin(&after, new, &world.alice, "files.example.com", NULL);
	assert_true(pair_shake(&after));
	shown = SSL_get1_peer_certificate(after.client);
	assert_int_equal(X509_cmp(shown, world.other_server.certificate), 0);
	X509_free(shown);
	pair_talk(&before, "still here", 10);
	assert_ptr_equal(tls_stream_context(before.stream), old);
	pair_end(&before);
	pair_end(&after);
	tls_context_free(new);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(a_known_certificate_is_told_after_the_handshake),
		TEST(before_the_handshake_is_over_nothing_is_told),
		TEST(no_certificate_is_let_through_where_one_is_only_asked_for),
		TEST(an_unknown_certificate_is_let_through_and_gets_no_ticket),
		TEST(an_rsa_1024_key_is_never_recognised),
		TEST(a_site_that_asks_nothing_sends_no_request),
		TEST(the_request_names_the_authority),
		TEST(drop_refuses_by_the_alert_that_fits),
		TEST(drop_lets_a_good_certificate_in),
		TEST(plain_http_on_a_tls_port_is_kept_and_may_be_answered_in_clear),
		TEST(a_tls_stream_answers_nothing_in_clear),
		TEST(garbage_after_a_handshake_byte_is_refused),
		TEST(a_hello_without_end_is_refused),
		TEST(bytes_that_others_read_come_first),
		TEST(every_split_of_the_wire_gives_the_same),
		TEST(a_client_that_trickles_is_served),
		TEST(much_in_both_directions_with_an_allowance_of_one_read),
		TEST(a_reader_that_stands_still_is_held_within_bounds),
		TEST(head_and_body_share_a_record_and_a_send),
		TEST(what_was_not_flushed_goes_at_the_end_of_the_turn),
		TEST(a_stream_freed_with_unsent_bytes_harms_no_other),
		TEST(an_echo_costs_two_calls),
		TEST(an_echo_allocates_nothing),
		TEST(a_key_update_is_answered_while_reading),
		TEST(a_clean_end_is_told_once_all_is_read),
		TEST(a_close_notify_without_fin_is_an_end_too),
		TEST(an_end_without_close_notify_is_a_cut),
		TEST(a_forged_record_ends_it),
		TEST(finish_sends_all_then_waits_for_the_peer),
		TEST(renegotiation_is_refused),
		TEST(what_is_old_is_not_spoken),
		TEST(a_reset_reaches_the_peer),
		TEST(a_swapped_context_leaves_open_streams_alone),
	};

	(void)signal(SIGPIPE, SIG_IGN); /* the clients write by write(2) */
	if (tls_memory_start(NULL) != OK)
		return 1;
	return cmocka_run_group_tests(tests, world_begin, world_end);
}
