#include <signal.h>
#include <stdio.h>

#include "tls_pair.h"

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
	return 0;
}

/* Who answers to a name: the certificate shown, and the site. */
static const struct made *answers(const char *name, const char *signatures, uint32_t *site)
{
	const struct made *all[] = {&world.server, &world.server_rsa, &world.other_server};
	const struct made *found = NULL;
	struct pair pair;
	X509 *shown;
	size_t i;

	pair_begin(&pair, context, NULL, name, NULL);
	if (signatures)
		assert_int_equal(SSL_set1_sigalgs_list(pair.client, signatures), 1);
	if (pair_shake(&pair)) {
		*site = pair.peer.site;
		shown = SSL_get1_peer_certificate(pair.client);
		for (i = 0; i < 3; i++)
			if (X509_cmp(shown, all[i]->certificate) == 0)
				found = all[i];
		X509_free(shown);
	}
	pair_end(&pair);
	return found;
}

static void the_name_decides_the_certificate_and_the_site(void **state)
{
	static const struct {
		const char *name;
		uint32_t site;
		bool files;
	} cases[] = {
		{"chat.example.com", 7, false},
		{"CHAT.example.COM", 7, false},
		{"chat.example.com.", 7, false},
		{"files.example.com", 8, true},
		{"a.files.example.com", 8, true},
		{"a.b.files.example.com", TLS_SITE_UNKNOWN_NAME, false},
		{"example.com", TLS_SITE_UNKNOWN_NAME, false},
		{"xchat.example.com", TLS_SITE_UNKNOWN_NAME, false},
		{"10.0.0.1", TLS_SITE_UNKNOWN_NAME, false},
		{NULL, TLS_SITE_NO_NAME, false},
	};
	uint32_t site = 0;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof cases[0]; i++) {
		const struct made *shown = answers(cases[i].name, NULL, &site);

		assert_ptr_equal(shown, cases[i].files ? &world.other_server : &world.server);
		assert_int_equal(site, cases[i].site);
	}
}

static void rsa_and_ec_certificates_stand_side_by_side(void **state)
{
	uint32_t site;

	(void)state;
	assert_ptr_equal(answers("chat.example.com", "RSA-PSS+SHA256", &site), &world.server_rsa);
	assert_ptr_equal(answers("chat.example.com", "ECDSA+SHA256", &site), &world.server);
	assert_ptr_equal(answers("files.example.com", "RSA-PSS+SHA256", &site), NULL);
}

static void an_odd_name_ends_the_handshake(void **state)
{
	static const char *const odd[] = {"a..b", "chat.example.com:443", "chat example.com", "-%2e", "127.1", "."};
	uint32_t site;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof odd / sizeof odd[0]; i++)
		assert_null(answers(odd[i], NULL, &site));
}

/* The client's hello with the bytes before its name changed. */
static enum status hello_with(const char *change, size_t back, const char *with, size_t count)
{
	struct pair pair;
	enum status status;
	BIO *out = BIO_new(BIO_s_mem()), *in = BIO_new(BIO_s_mem());
	char *bytes, *at;
	long size;
	int i;

	BIO_set_mem_eof_return(in, -1);
	pair_begin(&pair, context, NULL, "chat.example.com", NULL);
	SSL_set_bio(pair.client, in, out);
	(void)SSL_do_handshake(pair.client);
	size = BIO_get_mem_data(out, &bytes);
	at = memmem(bytes, (size_t)size, change, strlen(change));
	assert_non_null(at);
	memcpy(at - back, with, count);
	assert_true(write(pair.client_fd, bytes, (size_t)size) == size);
	for (i = 0; i < 3; i++)
		turn();
	ERR_clear_error();
	status = pair.secured;
	pair_end(&pair);
	return status;
}

static void a_server_name_with_lengths_that_lie_ends_the_handshake(void **state)
{
	(void)state;
	/* The extension's body: list length, type, name length, name. */
	assert_int_equal(hello_with("chat.example.com", 0, "chat.example.com", 16), AGAIN);
	assert_int_equal(hello_with("chat.example.com", 2, "\x00\x0f", 2), REFUSED);
	assert_int_equal(hello_with("chat.example.com", 2, "\x00\x11", 2), REFUSED);
	assert_int_equal(hello_with("chat.example.com", 2, "\xff\xff", 2), REFUSED);
	assert_int_equal(hello_with("chat.example.com", 2, "\x00\x00", 2), REFUSED);
	assert_int_equal(hello_with("chat.example.com", 3, "\x01", 1), REFUSED);
	assert_int_equal(hello_with("chat.example.com", 5, "\x00\x12", 2), REFUSED);
	assert_int_equal(hello_with("chat.example.com", 5, "\x00\x00", 2), REFUSED);
	assert_int_equal(hello_with("chat.example.com", 0, "chat\0example.com", 16), REFUSED);
}

static void a_hello_asked_for_again_must_name_the_same(void **state)
{
	struct pair pair;

	(void)state;
	/* P-384 alone in the key shares' place makes us ask for another (HelloRetryRequest). */
	pair_begin(&pair, context, &world.alice, "chat.example.com", NULL);
	SSL_set1_groups_list(pair.client, "P-521:P-384");
	assert_true(pair_shake(&pair));
	assert_int_equal(pair.peer.site, 7);
	assert_memory_equal(pair.peer.fingerprint, world.alice.fingerprint, 32);
	pair_end(&pair);
}

static void an_unknown_protocol_ends_the_handshake(void **state)
{
	struct pair pair;

	(void)state;
	pair_begin(&pair, context, NULL, "chat.example.com", NULL);
	SSL_set_alpn_protos(pair.client, (const unsigned char *)"\x03" "foo", 4);
	assert_false(pair_shake(&pair));
	assert_int_equal(pair.stream->failure, STREAM_GARBLED);
	pair_end(&pair);
}

static void where_nobody_is_served_the_name_is_refused(void **state)
{
	const struct tls_site site = {.number = 1, .names = chat_names, .names_count = 1, .credentials = {world.chat}};
	struct tls_context_options options = {
		.sites = &site, .sites_count = 1,
		.hooks = {.arg = &world.keeping, .on_certificate = keeping_judge, .resumable_until = keeping_until,
			  .on_session_new = keeping_add, .on_session_find = keeping_find},
	};
	struct tls_context *narrow;
	struct error err;
	struct pair pair;

	(void)state;
	assert_int_equal(tls_context_new(&options, &narrow, &err), OK);
	pair_begin(&pair, narrow, NULL, "files.example.com", NULL);
	assert_false(pair_shake(&pair));
	pair_end(&pair);
	pair_begin(&pair, narrow, NULL, NULL, NULL);
	assert_false(pair_shake(&pair));
	pair_end(&pair);
	pair_begin(&pair, narrow, NULL, "chat.example.com", NULL);
	assert_true(pair_shake(&pair));
	pair_end(&pair);
	tls_context_free(narrow);
}

static void options_that_contradict_themselves_are_refused(void **state)
{
	struct tls_site sites[2] = {
		{.number = 1, .names = chat_names, .names_count = 1, .credentials = {world.chat}},
		{.number = 2, .names = chat_names, .names_count = 1, .credentials = {world.files}},
	};
	struct span junk = SPAN("junk");
	struct tls_context_options options = {
		.sites = sites, .sites_count = 2,
		.hooks = {.arg = &world.keeping, .on_certificate = keeping_judge, .resumable_until = keeping_until,
			  .on_session_new = keeping_add, .on_session_find = keeping_find},
	};
	struct tls_context *made = NULL;
	struct error err;

	(void)state;
	assert_int_equal(tls_context_new(&options, &made, &err), REFUSED);
	assert_string_equal(err.text, "two sites have the name \"chat.example.com\"");
	sites[1].names = files_names;
	sites[1].credentials[1] = world.chat;
	assert_int_equal(tls_context_new(&options, &made, &err), REFUSED);
	assert_string_equal(err.text, "TLS site 2: both certificates have keys of one type; one RSA and one EC go together");
	sites[1].credentials[1] = NULL;
	sites[1].credentials[0] = NULL;
	assert_int_equal(tls_context_new(&options, &made, &err), REFUSED);
	assert_string_equal(err.text, "TLS site 2: no certificate");
	options.sites_count = 0;
	assert_int_equal(tls_context_new(&options, &made, &err), REFUSED);
	assert_string_equal(err.text, "no site has a certificate");
	options.sites_count = 1;
	options.client_authorities = &junk;
	options.client_authorities_count = 1;
	assert_int_equal(tls_context_new(&options, &made, &err), REFUSED);
	assert_string_equal(err.text, "TLS site 1: client authority 1 is no certificate");
	assert_null(made);
}

static void credentials_say_what_is_wrong_with_them(void **state)
{
	struct made edwards = make_certificate(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), "ed", "DNS:a.b", NULL, 9);
	struct tls_credentials *made = NULL;
	struct error err;

	(void)state;
	assert_int_equal(tls_credentials_load(SPAN(""), span_of(world.server.key_pem), &made, &err), REFUSED);
	assert_string_equal(err.text, "certificate: there is no certificate in PEM form in it");
	assert_int_equal(tls_credentials_load(span_of(world.server.pem), SPAN("x"), &made, &err), REFUSED);
	assert_ptr_equal(strstr(err.text, "private key: "), err.text);
	assert_int_equal(tls_credentials_load(span_of(world.server.pem), span_of(world.alice.key_pem), &made, &err), REFUSED);
	assert_string_equal(err.text, "the private key is another certificate's");
	assert_int_equal(tls_credentials_load(span_of(edwards.pem), span_of(edwards.key_pem), &made, &err), REFUSED);
	assert_string_equal(err.text, "certificate: browsers take no Ed25519 key; use EC P-256");
	assert_int_equal(tls_credentials_load(span_of(world.weak.pem), span_of(world.weak.key_pem), &made, &err), REFUSED);
	assert_ptr_equal(strstr(err.text, "private key: RSA key has 1024 bits"), err.text);
	assert_null(made);
	made_free(&edwards);
}

static void a_chain_is_sent_without_its_root_and_in_order_only(void **state)
{
	struct tls_credentials *made = NULL;
	struct tls_credentials_facts facts;
	char chain[8192];
	struct error err;

	(void)state;
	snprintf(chain, sizeof chain, "%s%s", world.server.pem, world.authority.pem);
	assert_int_equal(tls_credentials_load(span_of(chain), span_of(world.server.key_pem), &made, &err), OK);
	tls_credentials_tell(made, &facts);
	assert_string_equal(facts.key, "EC P-256");
	assert_memory_equal(facts.fingerprint, world.server.fingerprint, 32);
	assert_in_range(facts.not_after - machine_now(), 89 * 86400, 90 * 86400);
	assert_true(tls_credentials_cover(made, SPAN("chat.example.com")));
	assert_false(tls_credentials_cover(made, SPAN("files.example.com")));
	tls_credentials_free(made);
	made = NULL;
	snprintf(chain, sizeof chain, "%s%s", world.authority.pem, world.server.pem);
	assert_int_equal(tls_credentials_load(span_of(chain), span_of(world.server.key_pem), &made, &err), REFUSED);
	assert_ptr_equal(strstr(err.text, "certificate: the first certificate"), err.text);
	snprintf(chain, sizeof chain, "%s%s", world.server.pem, world.other_server.pem);
	assert_int_equal(tls_credentials_load(span_of(chain), span_of(world.server.key_pem), &made, &err), REFUSED);
	assert_ptr_equal(strstr(err.text, "certificate: certificate 1 did not sign"), NULL);
	assert_null(made);
}

static void too_long_a_client_chain_is_refused(void **state)
{
	struct pair pair;
	int i;

	(void)state;
	pair_begin(&pair, context, &world.alice, "chat.example.com", NULL);
	for (i = 0; i < 60; i++)
		assert_int_equal(SSL_add1_chain_cert(pair.client, world.server_rsa.certificate), 1);
	assert_false(pair_shake(&pair));
	assert_int_equal(pair.secured, REFUSED);
	assert_int_equal(world.keeping.asked, 0);
	pair_end(&pair);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_name_decides_the_certificate_and_the_site),
		TEST(rsa_and_ec_certificates_stand_side_by_side),
		TEST(an_odd_name_ends_the_handshake),
		TEST(a_server_name_with_lengths_that_lie_ends_the_handshake),
		TEST(a_hello_asked_for_again_must_name_the_same),
		TEST(an_unknown_protocol_ends_the_handshake),
		TEST(where_nobody_is_served_the_name_is_refused),
		TEST(options_that_contradict_themselves_are_refused),
		TEST(credentials_say_what_is_wrong_with_them),
		TEST(a_chain_is_sent_without_its_root_and_in_order_only),
		TEST(too_long_a_client_chain_is_refused),
	};

	(void)signal(SIGPIPE, SIG_IGN);
	return cmocka_run_group_tests(tests, world_begin, world_end);
}
