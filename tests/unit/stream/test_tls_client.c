/* A tls_stream as a client, an OpenSSL server at the other end of a socket pair. */
#include "stream/tls_pair.h"

#include <signal.h>

#include "support/set_clock.h"
#include "stream/tls_client.h"

struct talk {
	struct stream *stream;
	enum status secured;
	SSL_CTX *settings;
	SSL *server;
	int server_fd;
	bool is_shaken; /* the server's side */
	char heard[262144];
	size_t heard_size;
	enum status end_status;
	bool is_over, is_ended; /* ended: in good order */
	struct error why;
};

static void on_talk_ready(void *owner)
{
	struct talk *talk = owner;
	enum status status = OK;
	size_t got;

	if (talk->secured == AGAIN) {
		talk->secured = stream_secure(talk->stream);
		if (talk->secured != OK && talk->secured != AGAIN)
			stream_explain(talk->stream, &talk->why);
	}
	while (talk->secured == OK && !talk->is_over && talk->heard_size < sizeof talk->heard &&
	       (status = stream_read(talk->stream, talk->heard + talk->heard_size,
				     sizeof talk->heard - talk->heard_size, &got)) == OK) {
		if (got == 0) {
			talk->is_over = talk->is_ended = true;
			return;
		}
		talk->heard_size += got;
	}
	if (status != OK && status != AGAIN) {
		talk->is_over = true;
		talk->end_status = status;
		stream_explain(talk->stream, &talk->why);
	}
}

static struct tls_trust *trust_in(const char *authorities, bool are_roots, const struct made *who)
{
	const struct tls_trust_options options = {.authorities = span_of(authorities),
						  .are_roots = are_roots,
						  .certificate = span_of(who ? who->pem : ""),
						  .key = span_of(who ? who->key_pem : "")};
	struct tls_trust *trust = NULL;
	struct error err = {""};

	if (tls_trust_new(&options, &trust, &err) != OK)
		fail_msg("%s", err.text);
	return trust;
}

static struct tls_client *client_of(struct tls_trust *trust, const char *name)
{
	struct tls_client *client = NULL;

	assert_int_equal(tls_client_new(trust, span_of(name), &client, NULL), OK);
	return client;
}

static struct tls_client *client_for(const char *authorities, bool are_roots, const struct made *who, const char *name)
{
	struct tls_trust *trust = trust_in(authorities, are_roots, who);
	struct tls_client *client = client_of(trust, name);

	tls_trust_free(trust);
	return client;
}

static SSL_CTX *server_of(const struct made *made)
{
	SSL_CTX *settings = SSL_CTX_new(TLS_server_method());

	assert_int_equal(SSL_CTX_use_certificate(settings, made->certificate), 1);
	assert_int_equal(SSL_CTX_use_PrivateKey(settings, made->key), 1);
	SSL_CTX_set_session_id_context(settings, (const unsigned char *)"t", 1);
	return settings;
}

/* `settings` is borrowed. */
static void talk_begin(struct talk *talk, struct tls_client *client, SSL_CTX *settings)
{
	struct error err = {""};
	int ends[2];

	memset(talk, 0, sizeof *talk);
	talk->secured = AGAIN;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(tls_stream_connect(ends[0], client, &talk->stream, &err), OK);
	assert_int_equal(stream_start(talk->stream, world.loop, on_talk_ready, talk, &err), OK);
	talk->server_fd = ends[1];
	talk->server = SSL_new(settings);
	SSL_set_fd(talk->server, ends[1]);
	SSL_set_accept_state(talk->server);
}

static bool talk_shake(struct talk *talk)
{
	int i;

	for (i = 0; i < 200; i++) {
		ERR_clear_error();
		if (!talk->is_shaken)
			talk->is_shaken = SSL_do_handshake(talk->server) == 1;
		ERR_clear_error();
		turn();
	}
	return talk->is_shaken && talk->secured == OK;
}

static void talk_end(struct talk *talk)
{
	stream_free(talk->stream);
	turn();
	SSL_free(talk->server);
	close(talk->server_fd);
	ERR_clear_error();
}

/* One handshake; what our side says of it, or NULL when it is fine. */
static const char *outcome(const char *authorities, bool are_roots, const char *name, const struct made *server)
{
	static struct talk talk;
	struct tls_client *client = client_for(authorities, are_roots, NULL, name);
	SSL_CTX *settings = server_of(server);
	bool is_fine;

	talk_begin(&talk, client, settings);
	is_fine = talk_shake(&talk);
	if (!is_fine)
		assert_int_equal(talk.secured, REFUSED);
	talk_end(&talk);
	tls_client_free(client);
	SSL_CTX_free(settings);
	return is_fine ? NULL : talk.why.text;
}

static void assert_says(const char *text, const char *part)
{
	assert_non_null(text);
	if (!strstr(text, part))
		fail_msg("\"%s\" lacks \"%s\"", text, part);
}

static void bytes_pass_both_ways(void **state)
{
	(void)state;
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	static char block[200000], back[200000];
	static struct talk talk;
	unsigned v;

	memset(block, 'x', sizeof block);
	for (v = 0; v < 2; v++) {
		struct tls_client *client = client_for(world.authority.pem, false, NULL, "chat.example.com");
		SSL_CTX *settings = server_of(&world.server);
		size_t sent = 0, taken, n, arrived = 0;
		struct tls_server_facts facts;
		int i;

		SSL_CTX_set_max_proto_version(settings, versions[v]);
		talk_begin(&talk, client, settings);
		assert_true(talk_shake(&talk));
		tls_stream_server(talk.stream, &facts);
		assert_string_equal(facts.version, v ? "TLSv1.3" : "TLSv1.2");
		assert_string_equal(SSL_get_servername(talk.server, TLSEXT_NAMETYPE_host_name), "chat.example.com");
		for (i = 0; i < 2000 && arrived < sizeof block; i++) {
			if (sent < sizeof block && stream_write_span(talk.stream, span_make(block + sent, sizeof block - sent),
								     &taken) == OK)
				sent += taken;
			(void)stream_flush(talk.stream);
			while (arrived < sizeof block && SSL_read_ex(talk.server, back + arrived, sizeof block - arrived, &n))
				arrived += n;
			ERR_clear_error();
			turn();
		}
		assert_int_equal(arrived, sizeof block);
		assert_memory_equal(back, block, sizeof block);
		assert_int_equal(SSL_write_ex(talk.server, block, 50000, &n), 1);
		turn();
		turn();
		assert_int_equal(talk.heard_size, 50000);
		talk_end(&talk);
		tls_client_free(client);
		SSL_CTX_free(settings);
	}
}

static void the_name_must_stand_in_the_certificate(void **state)
{
	(void)state;
	struct made by_cn = make_certificate(EVP_EC_gen("P-256"), "chat.example.com", NULL, &world.authority, 9);
	struct made by_ip = make_certificate(EVP_EC_gen("P-256"), "x", "IP:127.0.0.1,IP:::1", &world.authority, 9);
	struct made wild = make_certificate(EVP_EC_gen("P-256"), "x", "DNS:ch*.example.com,DNS:*.inner.example.com",
					    &world.authority, 9);
	const char *ca = world.authority.pem;

	assert_null(outcome(ca, false, "chat.example.com", &world.server));
	assert_says(outcome(ca, false, "files.example.com", &world.server), "ostname mismatch");
	assert_says(outcome(ca, false, "example.com", &world.server), "ostname mismatch");
	assert_says(outcome(ca, false, "chat.example.com", &by_cn), "ostname mismatch");
	assert_says(outcome(ca, false, "chat.example.com", &wild), "ostname mismatch");
	assert_null(outcome(ca, false, "a.inner.example.com", &wild));
	assert_says(outcome(ca, false, "a.b.inner.example.com", &wild), "ostname mismatch");
	assert_null(outcome(ca, false, "127.0.0.1", &by_ip));
	assert_null(outcome(ca, false, "::1", &by_ip));
	assert_says(outcome(ca, false, "127.0.0.2", &by_ip), "IP address mismatch");
	assert_says(outcome(ca, false, "127.0.0.1", &world.server), "IP address mismatch");
	made_free(&by_cn);
	made_free(&by_ip);
	made_free(&wild);
}

static void only_those_named_are_believed(void **state)
{
	(void)state;
	struct made other = make_certificate(EVP_EC_gen("P-256"), "Test House", NULL, NULL, 100);
	struct made alone = make_certificate(EVP_EC_gen("P-256"), "chat", "DNS:chat.example.com", NULL, 9);
	struct made expired = make_certificate(EVP_EC_gen("P-256"), "chat", "DNS:chat.example.com", &world.authority, 0);
	struct made by_leaf = make_certificate(EVP_EC_gen("P-256"), "x", "DNS:chat.example.com", &world.server, 9);

	/* Of the same name, even. */
	assert_says(outcome(other.pem, false, "chat.example.com", &world.server), "certificate");
	assert_says(outcome(world.authority.pem, false, "chat.example.com", &alone), "self-signed certificate");
	assert_says(outcome(world.authority.pem, false, "chat.example.com", &expired), "expired");
	/* A server's certificate is no CA, whatever it has signed. */
	assert_says(outcome(world.server.pem, false, "chat.example.com", &by_leaf), "certificate");
	/* Pinned itself, it will do; as one of the public roots it will not. */
	assert_null(outcome(world.server.pem, false, "chat.example.com", &world.server));
	assert_says(outcome(world.server.pem, true, "chat.example.com", &world.server), "unable to get");
	assert_null(outcome(world.authority.pem, true, "chat.example.com", &world.server));
	/* Pinned and expired, or pinned for another name: no. */
	assert_says(outcome(expired.pem, false, "chat.example.com", &expired), "expired");
	assert_says(outcome(world.server.pem, false, "files.example.com", &world.server), "ostname mismatch");
	made_free(&other);
	made_free(&alone);
	made_free(&expired);
	made_free(&by_leaf);
}

static void trusts_that_are_none_are_refused(void **state)
{
	(void)state;
	static const char *const wrong[] = {"", "no certificate\n", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"};
	struct tls_trust_options options = {.authorities = SPAN("")};
	struct tls_trust *trust = NULL;
	struct tls_client *client = NULL;
	struct error err;
	size_t i;

	for (i = 0; i < 3; i++) {
		options.authorities = span_of(wrong[i]);
		assert_int_equal(tls_trust_new(&options, &trust, &err), REFUSED);
	}
	assert_string_equal(err.text, "certificate 1 cannot be read");
	options.authorities = span_of(world.authority.pem);
	options.certificate = span_of(world.alice.pem);
	options.key = span_of(world.server.key_pem);
	assert_int_equal(tls_trust_new(&options, &trust, &err), REFUSED);
	assert_string_equal(err.text, "the private key is another certificate's");
	assert_null(trust);
	trust = trust_in(world.authority.pem, false, NULL);
	assert_int_equal(tls_client_new(trust, SPAN(""), &client, &err), REFUSED);
	tls_trust_free(trust);
}

static int any_certificate(int is_good, X509_STORE_CTX *store)
{
	(void)is_good;
	(void)store;
	return 1;
}

static void a_server_that_asks_sees_our_certificate(void **state)
{
	(void)state;
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	static struct talk talk;
	unsigned v;

	for (v = 0; v < 2; v++) {
		SSL_CTX *settings = server_of(&world.server);
		struct tls_client *with = client_for(world.authority.pem, false, &world.alice, "chat.example.com");
		struct tls_client *without = client_for(world.authority.pem, false, NULL, "chat.example.com");
		X509 *seen;

		SSL_CTX_set_max_proto_version(settings, versions[v]);
		SSL_CTX_set_verify(settings, SSL_VERIFY_PEER | SSL_VERIFY_FAIL_IF_NO_PEER_CERT, any_certificate);
		talk_begin(&talk, with, settings);
		assert_true(talk_shake(&talk));
		seen = SSL_get1_peer_certificate(talk.server);
		assert_int_equal(X509_cmp(seen, world.alice.certificate), 0);
		X509_free(seen);
		talk_end(&talk);
		/* In TLS 1.3 the refusal comes when our side is through: with the first read. */
		talk_begin(&talk, without, settings);
		assert_false(talk_shake(&talk));
		assert_true(talk.is_over || talk.secured == REFUSED);
		assert_false(talk.is_ended);
		assert_says(talk.why.text, "alert");
		talk_end(&talk);
		tls_client_free(with);
		tls_client_free(without);
		SSL_CTX_free(settings);
	}
}

static int choose_h2(SSL *ssl, const unsigned char **out, unsigned char *out_size, const unsigned char *in,
		     unsigned in_size, void *arg)
{
	(void)ssl;
	(void)in;
	(void)in_size;
	(void)arg;
	*out = (const unsigned char *)"h2";
	*out_size = 2;
	return SSL_TLSEXT_ERR_OK;
}

static void a_protocol_that_was_not_offered_is_refused(void **state)
{
	(void)state;
	static struct talk talk;
	struct tls_client *client = client_for(world.authority.pem, false, NULL, "chat.example.com");
	SSL_CTX *settings = server_of(&world.server);

	SSL_CTX_set_alpn_select_cb(settings, choose_h2, NULL);
	talk_begin(&talk, client, settings);
	assert_false(talk_shake(&talk));
	assert_int_equal(talk.secured, REFUSED);
	talk_end(&talk);
	tls_client_free(client);
	SSL_CTX_free(settings);
}

static void an_end_without_a_word_is_a_cut(void **state)
{
	(void)state;
	static struct talk talk;
	struct tls_client *client = client_for(world.authority.pem, false, NULL, "chat.example.com");
	SSL_CTX *settings = server_of(&world.server);
	size_t n;

	talk_begin(&talk, client, settings);
	assert_true(talk_shake(&talk));
	assert_int_equal(SSL_write_ex(talk.server, "half", 4, &n), 1);
	assert_int_equal(shutdown(talk.server_fd, SHUT_WR), 0);
	turn();
	turn();
	assert_int_equal(talk.heard_size, 4);
	assert_true(talk.is_over);
	assert_false(talk.is_ended);
	assert_int_equal(talk.stream->failure, STREAM_CUT);
	talk_end(&talk);
	talk_begin(&talk, client, settings);
	assert_true(talk_shake(&talk));
	assert_int_equal(SSL_write_ex(talk.server, "whole", 5, &n), 1);
	assert_true(SSL_shutdown(talk.server) >= 0);
	turn();
	turn();
	assert_int_equal(talk.heard_size, 5);
	assert_true(talk.is_ended);
	talk_end(&talk);
	tls_client_free(client);
	SSL_CTX_free(settings);
}

static void our_end_is_heard_and_the_server_may_still_speak(void **state)
{
	(void)state;
	static struct talk talk;
	struct tls_client *client = client_for(world.authority.pem, false, NULL, "chat.example.com");
	SSL_CTX *settings = server_of(&world.server);
	size_t n;
	char byte;

	talk_begin(&talk, client, settings);
	assert_true(talk_shake(&talk));
	assert_int_equal(stream_write_span(talk.stream, SPAN("bye"), &n), OK);
	stream_end_writing(talk.stream);
	stream_end_writing(talk.stream);
	assert_int_equal(SSL_read(talk.server, (char[4]){0}, 4), 3);
	assert_int_equal(SSL_read(talk.server, &byte, 1), 0);
	assert_int_equal(SSL_get_error(talk.server, 0), SSL_ERROR_ZERO_RETURN);
	assert_int_equal(SSL_write_ex(talk.server, "good night", 10, &n), 1);
	turn();
	assert_int_equal(talk.heard_size, 10);
	assert_int_equal(stream_write_span(talk.stream, SPAN("x"), &n), AGAIN);
	talk_end(&talk);
	tls_client_free(client);
	SSL_CTX_free(settings);
}

static bool shakes_resumed(struct tls_client *client, SSL_CTX *settings)
{
	static struct talk talk;
	struct tls_server_facts facts;

	talk_begin(&talk, client, settings);
	assert_true(talk_shake(&talk));
	tls_stream_server(talk.stream, &facts);
	talk_end(&talk);
	return facts.resumed;
}

static void a_session_is_resumed_for_an_hour_by_its_own_client(void **state)
{
	(void)state;
	static const int versions[] = {TLS1_2_VERSION, TLS1_3_VERSION};
	unsigned v;

	for (v = 0; v < 2; v++) {
		SSL_CTX *settings = server_of(&world.server);
		struct tls_trust *trust = trust_in(world.authority.pem, false, NULL);
		struct tls_client *client = client_of(trust, "chat.example.com");
		struct tls_client *other = client_of(trust, "chat.example.com");

		set_clock_now = clock_read();
		clock_set_source(set_clock_read);
		SSL_CTX_set_max_proto_version(settings, versions[v]);
		assert_false(shakes_resumed(client, settings));
		assert_true(shakes_resumed(client, settings));
		assert_false(shakes_resumed(other, settings));
		/* Renewed tickets do not put the day off on which the certificate is looked at again. */
		set_clock_advance(SECONDS(1800));
		assert_true(shakes_resumed(client, settings));
		set_clock_advance(SECONDS(1801));
		assert_false(shakes_resumed(client, settings));
		clock_set_source(NULL);
		tls_client_free(client);
		tls_client_free(other);
		tls_trust_free(trust);
		SSL_CTX_free(settings);
	}
}

static void what_is_no_tls_is_told(void **state)
{
	(void)state;
	static struct talk talk;
	struct tls_client *client = client_for(world.authority.pem, false, NULL, "chat.example.com");
	SSL_CTX *settings = server_of(&world.server);
	int i;

	talk_begin(&talk, client, settings);
	assert_int_equal(write(talk.server_fd, "HTTP/1.1 400 Bad Request\r\n\r\n", 28), 28);
	for (i = 0; i < 4; i++)
		turn();
	assert_int_equal(talk.secured, REFUSED);
	assert_says(talk.why.text, "TLS: ");
	talk_end(&talk);
	talk_begin(&talk, client, settings);
	shutdown(talk.server_fd, SHUT_RDWR);
	for (i = 0; i < 4; i++)
		turn();
	assert_int_equal(talk.secured, REFUSED);
	talk_end(&talk);
	tls_client_free(client);
	SSL_CTX_free(settings);
}

#define TEST(name) cmocka_unit_test(name)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(bytes_pass_both_ways),
		TEST(the_name_must_stand_in_the_certificate),
		TEST(only_those_named_are_believed),
		TEST(trusts_that_are_none_are_refused),
		TEST(a_server_that_asks_sees_our_certificate),
		TEST(a_protocol_that_was_not_offered_is_refused),
		TEST(an_end_without_a_word_is_a_cut),
		TEST(our_end_is_heard_and_the_server_may_still_speak),
		TEST(a_session_is_resumed_for_an_hour_by_its_own_client),
		TEST(what_is_no_tls_is_told),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, world_begin, world_end);
}
