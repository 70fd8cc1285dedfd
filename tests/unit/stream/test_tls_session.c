#include <signal.h>

#include "tls_pair.h"

static struct tls_context *context;
static int64_t ahead; /* seconds that the clock is set forward */
static struct clock_time machine;

static struct clock_time shifted(void)
{
	struct clock_time now;

	clock_set_source(NULL);
	now = clock_read();
	clock_set_source(shifted);
	now.wall += SECONDS(ahead);
	now.mono += SECONDS(ahead);
	machine = now;
	return now;
}

static int begin(void **state)
{
	world_fresh(state);
	context = make_context(TLS_ASKS, 1);
	return 0;
}

static int end(void **state)
{
	(void)state;
	clock_set_source(NULL);
	ahead = 0;
	turn();
	tls_context_free(context);
	return 0;
}

/* A full handshake of alice; her newest ticket. */
static SSL_SESSION *get_ticket(struct tls_context *with, const char *name)
{
	SSL_SESSION *session;
	struct pair pair;

	pair_begin(&pair, with, &world.alice, name, NULL);
	assert_true(pair_shake(&pair));
	assert_false(pair.peer.resumed);
	assert_int_equal(pair.tickets, 1);
	session = pair.session;
	pair.session = NULL;
	pair_end(&pair);
	return session;
}

/* Shows the ticket, has no certificate. */
static bool resumes(struct tls_context *with, const char *name, SSL_SESSION *session)
{
	struct pair pair;
	bool resumed;
	SSL_SESSION *copy = SSL_SESSION_dup(session); /* OpenSSL's client uses each but once */

	pair_begin(&pair, with, NULL, name, copy);
	assert_true(pair_shake(&pair));
	resumed = pair.peer.resumed;
	assert_int_equal(resumed, SSL_session_reused(pair.client));
	assert_int_equal(resumed, pair.peer.has_certificate);
	if (resumed) {
		assert_memory_equal(pair.peer.fingerprint, world.alice.fingerprint, 32);
		assert_int_equal(pair.peer.standing, TLS_CERTIFICATE_GOOD);
		assert_int_equal(pair.peer.der.size, 0);
	} else {
		assert_int_equal(pair.tickets, 0);
		assert_int_equal(pair.peer.standing, TLS_CERTIFICATE_UNKNOWN);
	}
	pair_talk(&pair, "hello", 5);
	pair_end(&pair);
	SSL_SESSION_free(copy);
	return resumed;
}

static void one_ticket_is_given_and_its_record_is_whole(void **state)
{
	SSL_SESSION *session = get_ticket(context, "chat.example.com");
	const struct tls_session *record = &world.keeping.sessions[0];
	int64_t now = machine_now();

	(void)state;
	assert_int_equal(world.keeping.kept, 1);
	assert_int_equal(record->site, 7);
	assert_int_equal(record->epoch, 1);
	assert_memory_equal(record->fingerprint, world.alice.fingerprint, 32);
	assert_int_equal(record->cipher, 0x1301);
	assert_int_equal(record->group, 29); /* x25519 */
	assert_int_equal(record->secret_length, 32);
	assert_in_range(record->handshake, now - 5, now);
	assert_int_equal(record->expiry, record->handshake + TLS_SESSION_LIFE);
	assert_in_range(SSL_SESSION_get_ticket_lifetime_hint(session), TLS_SESSION_LIFE - 10, TLS_SESSION_LIFE);
	SSL_SESSION_free(session);
}

static void a_session_brings_the_certificate_back(void **state)
{
	SSL_SESSION *session = get_ticket(context, "chat.example.com");

	(void)state;
	assert_true(resumes(context, "chat.example.com", session));
	/* Several at once, as browsers do: found again. */
	assert_true(resumes(context, "chat.example.com", session));
	assert_int_equal(world.keeping.asked, 1);
	SSL_SESSION_free(session);
}

static void the_name_is_the_same_in_other_letters(void **state)
{
	SSL_SESSION *session = get_ticket(context, "chat.example.com");

	(void)state;
	assert_true(resumes(context, "Chat.EXAMPLE.com", session));
	SSL_SESSION_free(session);
}

static void drop_mode_takes_a_resumed_certificate(void **state)
{
	struct tls_context *strict = make_context(TLS_ASKS_OR_DROPS, 1);
	SSL_SESSION *session = get_ticket(strict, "chat.example.com");

	(void)state;
	assert_true(resumes(strict, "chat.example.com", session));
	SSL_SESSION_free(session);
	tls_context_free(strict);
}

static void a_renewed_ticket_keeps_the_time_of_the_full_handshake(void **state)
{
	SSL_SESSION *session = get_ticket(context, "chat.example.com"), *renewed;
	uint32_t handshake = world.keeping.sessions[0].handshake;
	struct pair pair;

	(void)state;
	clock_set_source(shifted);
	ahead = 11 * 3600;
	turn();
	pair_begin(&pair, context, NULL, "chat.example.com", session);
	assert_true(pair_shake(&pair));
	assert_true(pair.peer.resumed);
	assert_int_equal(pair.tickets, 1);
	assert_int_equal(world.keeping.kept, 2);
	assert_int_equal(world.keeping.sessions[1].handshake, handshake);
	assert_int_equal(world.keeping.sessions[1].expiry, handshake + TLS_SESSION_LIFE);
	assert_true(memcmp(world.keeping.sessions[1].id, world.keeping.sessions[0].id, 32) != 0);
	assert_in_range(SSL_SESSION_get_ticket_lifetime_hint(pair.session), 3590, 3600);
	renewed = pair.session;
	pair.session = NULL;
	pair_end(&pair);
	assert_true(resumes(context, "chat.example.com", renewed));
	ahead = 12 * 3600 + 2;
	turn();
	assert_false(resumes(context, "chat.example.com", renewed));
	assert_false(resumes(context, "chat.example.com", session));
	SSL_SESSION_free(session);
	SSL_SESSION_free(renewed);
}

static void another_site_does_not_resume(void **state)
{
	SSL_SESSION *session = get_ticket(context, "chat.example.com");

	(void)state;
	assert_false(resumes(context, "files.example.com", session));
	assert_false(resumes(context, NULL, session));
	assert_false(resumes(context, "elsewhere.example.com", session));
	assert_true(resumes(context, "chat.example.com", session));
	SSL_SESSION_free(session);
}

static void no_name_is_a_site_of_its_own(void **state)
{
	SSL_SESSION *session = get_ticket(context, NULL);

	(void)state;
	assert_int_equal(world.keeping.sessions[0].site, TLS_SITE_NO_NAME);
	assert_true(resumes(context, NULL, session));
	assert_false(resumes(context, "chat.example.com", session));
	SSL_SESSION_free(session);
}

static void an_unknown_name_gets_no_ticket(void **state)
{
	struct pair pair;

	(void)state;
	pair_begin(&pair, context, &world.alice, "elsewhere.example.com", NULL);
	assert_true(pair_shake(&pair));
	assert_true(pair.peer.has_certificate);
	assert_int_equal(pair.peer.site, TLS_SITE_UNKNOWN_NAME);
	assert_int_equal(pair.tickets, 0);
	pair_end(&pair);
}

static void another_epoch_does_not_resume(void **state)
{
	SSL_SESSION *session = get_ticket(context, "chat.example.com");
	struct tls_context *later = make_context(TLS_ASKS, 2), *same = make_context(TLS_ASKS, 1);

	(void)state;
	assert_false(resumes(later, "chat.example.com", session));
	assert_true(resumes(same, "chat.example.com", session));
	SSL_SESSION_free(session);
	tls_context_free(later);
	tls_context_free(same);
}

static void a_revoked_or_expired_certificate_does_not_resume(void **state)
{
	SSL_SESSION *session = get_ticket(context, "chat.example.com");

	(void)state;
	world.keeping.until = 0;
	assert_false(resumes(context, "chat.example.com", session));
	world.keeping.until = machine_now() - 1;
	assert_false(resumes(context, "chat.example.com", session));
	world.keeping.until = machine_now() + 100;
	assert_true(resumes(context, "chat.example.com", session));
	SSL_SESSION_free(session);
}

static void a_session_never_outlives_the_certificate(void **state)
{
	SSL_SESSION *session;

	(void)state;
	world.keeping.until = machine_now() + 600;
	session = get_ticket(context, "chat.example.com");
	assert_int_equal(world.keeping.sessions[0].expiry, world.keeping.until);
	assert_in_range(SSL_SESSION_get_ticket_lifetime_hint(session), 590, 600);
	SSL_SESSION_free(session);
}

static void a_certificate_that_may_not_be_resumed_gets_no_ticket(void **state)
{
	struct pair pair;

	(void)state;
	world.keeping.until = 0;
	pair_begin(&pair, context, &world.alice, "chat.example.com", NULL);
	assert_true(pair_shake(&pair));
	assert_true(pair.peer.has_certificate);
	assert_int_equal(pair.tickets, 0);
	assert_int_equal(world.keeping.kept, 0);
	pair_end(&pair);
}

/* A client that has the id from the wire and makes up the rest. */
static SSL_SESSION *sniffed(const SSL_SESSION *session, unsigned char secret_byte, uint16_t suite)
{
	unsigned char secret[48], wire[2] = {(unsigned char)(suite >> 8), (unsigned char)suite};
	SSL_CTX *settings = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(settings);
	SSL_SESSION *forged = SSL_SESSION_dup(session);

	memset(secret, secret_byte, sizeof secret);
	assert_int_equal(SSL_SESSION_set1_master_key(forged, secret, suite == 0x1302 ? 48 : 32), 1);
	assert_int_equal(SSL_SESSION_set_cipher(forged, SSL_CIPHER_find(ssl, wire)), 1);
	SSL_free(ssl);
	SSL_CTX_free(settings);
	return forged;
}

static void a_sniffed_id_with_a_wrong_binder_ends_the_handshake(void **state)
{
	SSL_SESSION *session = get_ticket(context, "chat.example.com");
	SSL_SESSION *forged = sniffed(session, 'x', 0x1301);
	struct pair pair;

	(void)state;
	pair_begin(&pair, context, &world.alice, "chat.example.com", forged);
	assert_false(pair_shake(&pair));
	assert_int_equal(world.keeping.finds, 1);
	assert_int_equal(pair.secured, REFUSED);
	tls_stream_peer(pair.stream, &pair.peer);
	assert_false(pair.peer.has_certificate);
	pair_end(&pair);
	SSL_SESSION_free(forged);
	SSL_SESSION_free(session);
}

static void a_sniffed_id_with_another_hash_brings_nothing(void **state)
{
	SSL_SESSION *session = get_ticket(context, "chat.example.com");
	SSL_SESSION *forged = sniffed(session, 'x', 0x1302);
	struct pair pair;

	(void)state;
	pair_begin(&pair, context, NULL, "chat.example.com", forged);
	SSL_set_ciphersuites(pair.client, "TLS_AES_256_GCM_SHA384");
	if (pair_shake(&pair)) {
		assert_false(pair.peer.resumed);
		assert_false(pair.peer.has_certificate);
		assert_int_equal(pair.tickets, 0);
	}
	assert_int_equal(world.keeping.finds, 1);
	pair_end(&pair);
	SSL_SESSION_free(forged);
	SSL_SESSION_free(session);
}

static void a_full_handshake_after_another_hash_tells_its_own_certificate(void **state)
{
	SSL_SESSION *session = get_ticket(context, "chat.example.com");
	SSL_SESSION *forged = sniffed(session, 'x', 0x1302);
	struct pair pair;

	(void)state;
	memset(world.keeping.sessions[0].fingerprint, 0xee, 32);
	pair_begin(&pair, context, &world.alice, "chat.example.com", forged);
	SSL_set_ciphersuites(pair.client, "TLS_AES_256_GCM_SHA384");
	assert_true(pair_shake(&pair));
	assert_false(pair.peer.resumed);
	assert_memory_equal(pair.peer.fingerprint, world.alice.fingerprint, 32);
	assert_int_equal(world.keeping.sessions[1].secret_length, 48);
	pair_end(&pair);
	SSL_SESSION_free(forged);
	SSL_SESSION_free(session);
}

static void tls_1_2_finds_no_session(void **state)
{
	SSL_SESSION *session = get_ticket(context, "chat.example.com"), *old = SSL_SESSION_new(), *own;
	SSL_CTX *settings = SSL_CTX_new(TLS_client_method());
	SSL *ssl = SSL_new(settings);
	const struct tls_session *record = &world.keeping.sessions[0];
	unsigned char secret[48] = {0};
	struct pair pair;

	(void)state;
	/* The id of alice's session, offered as a session id of TLS 1.2. */
	SSL_SESSION_set_protocol_version(old, TLS1_2_VERSION);
	SSL_SESSION_set1_id(old, record->id, 32);
	SSL_SESSION_set1_master_key(old, secret, 48);
	SSL_SESSION_set_cipher(old, SSL_CIPHER_find(ssl, (const unsigned char *)"\xc0\x2b"));
	SSL_free(ssl);
	SSL_CTX_free(settings);
	pair_begin(&pair, context, NULL, "chat.example.com", old);
	SSL_set_max_proto_version(pair.client, TLS1_2_VERSION);
	assert_true(pair_shake(&pair));
	assert_false(pair.peer.resumed);
	assert_false(pair.peer.has_certificate);
	pair_end(&pair);
	/* Its own session of TLS 1.2 is not kept either. */
	pair_begin(&pair, context, &world.alice, "chat.example.com", NULL);
	SSL_set_max_proto_version(pair.client, TLS1_2_VERSION);
	assert_true(pair_shake(&pair));
	own = SSL_get1_session(pair.client);
	pair_end(&pair);
	pair_begin(&pair, context, NULL, "chat.example.com", own);
	SSL_set_max_proto_version(pair.client, TLS1_2_VERSION);
	assert_true(pair_shake(&pair));
	assert_false(pair.peer.resumed);
	assert_false(pair.peer.has_certificate);
	pair_end(&pair);
	assert_int_equal(world.keeping.kept, 1);
	assert_int_equal(world.keeping.finds, 0);
	SSL_SESSION_free(own);
	SSL_SESSION_free(old);
	SSL_SESSION_free(session);
}

static void a_record_that_is_not_sound_is_not_used(void **state)
{
	SSL_SESSION *session = get_ticket(context, "chat.example.com");
	struct tls_session good = world.keeping.sessions[0], *record = &world.keeping.sessions[0];

	(void)state;
	record->secret_length = 48;
	assert_false(resumes(context, "chat.example.com", session));
	*record = good;
	record->secret_length = 255;
	assert_false(resumes(context, "chat.example.com", session));
	*record = good;
	record->cipher = 0xc02b;
	assert_false(resumes(context, "chat.example.com", session));
	*record = good;
	record->cipher = 0;
	assert_false(resumes(context, "chat.example.com", session));
	*record = good;
	record->expiry = record->handshake + TLS_SESSION_LIFE + 1;
	assert_false(resumes(context, "chat.example.com", session));
	*record = good;
	record->handshake = (uint32_t)machine_now() + 100;
	record->expiry = record->handshake + 100;
	assert_false(resumes(context, "chat.example.com", session));
	*record = good;
	assert_true(resumes(context, "chat.example.com", session));
	SSL_SESSION_free(session);
}

static void a_resumption_asks_for_no_certificate_and_takes_none(void **state)
{
	SSL_SESSION *session = get_ticket(context, "chat.example.com");
	struct pair pair;

	(void)state;
	pair_begin(&pair, context, &world.weak, "chat.example.com", session);
	assert_true(pair_shake(&pair));
	assert_true(pair.peer.resumed);
	assert_memory_equal(pair.peer.fingerprint, world.alice.fingerprint, 32);
	pair_end(&pair);
	SSL_SESSION_free(session);
}

static void early_data_is_not_taken(void **state)
{
	SSL_SESSION *session = get_ticket(context, "chat.example.com");

	(void)state;
	assert_int_equal(SSL_SESSION_get_max_early_data(session), 0);
	SSL_SESSION_free(session);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(one_ticket_is_given_and_its_record_is_whole),
		TEST(a_session_brings_the_certificate_back),
		TEST(the_name_is_the_same_in_other_letters),
		TEST(drop_mode_takes_a_resumed_certificate),
		TEST(a_renewed_ticket_keeps_the_time_of_the_full_handshake),
		TEST(another_site_does_not_resume),
		TEST(no_name_is_a_site_of_its_own),
		TEST(an_unknown_name_gets_no_ticket),
		TEST(another_epoch_does_not_resume),
		TEST(a_revoked_or_expired_certificate_does_not_resume),
		TEST(a_session_never_outlives_the_certificate),
		TEST(a_certificate_that_may_not_be_resumed_gets_no_ticket),
		TEST(a_sniffed_id_with_a_wrong_binder_ends_the_handshake),
		TEST(a_sniffed_id_with_another_hash_brings_nothing),
		TEST(a_full_handshake_after_another_hash_tells_its_own_certificate),
		TEST(tls_1_2_finds_no_session),
		TEST(a_record_that_is_not_sound_is_not_used),
		TEST(a_resumption_asks_for_no_certificate_and_takes_none),
		TEST(early_data_is_not_taken),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, world_begin, world_end);
}
