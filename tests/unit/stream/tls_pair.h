/*
 * tls_pair - a tls_stream and an OpenSSL client at the two ends of a socket
 * pair, driven by hand in one process; certificates made on the spot. One
 * test program includes it once.
 */
#ifndef TLS_PAIR_H
#define TLS_PAIR_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <fcntl.h>
#include <sys/socket.h>

#include <cmocka.h>

#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/rand.h>
#include <openssl/rsa.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>

#include "event/loop.h"
#include "pki/crypto_start.h"
#include "pki/digest.h"
#include "stream/socket.h"
#include "stream/tls_stream.h"

struct made {
	X509 *certificate;
	EVP_PKEY *key;
	char *pem, *key_pem;
	unsigned char *der;
	size_t der_size;
	uint8_t fingerprint[32];
};

static inline char *text_of(BIO *bio)
{
	char *bytes, *copy;
	long size = BIO_get_mem_data(bio, &bytes);

	copy = calloc(1, (size_t)size + 1);
	assert_non_null(copy);
	memcpy(copy, bytes, (size_t)size);
	BIO_free(bio);
	return copy;
}

static inline void add_extension(X509 *certificate, int nid, const char *value)
{
	X509_EXTENSION *extension = X509V3_EXT_nconf_nid(NULL, NULL, nid, value);

	assert_non_null(extension);
	assert_int_equal(X509_add_ext(certificate, extension, -1), 1);
	X509_EXTENSION_free(extension);
}

/* `days` of life from an hour ago. */
static inline struct made make_certificate(EVP_PKEY *key, const char *cn, const char *names,
					   const struct made *issuer, long days)
{
	struct made made = {.key = key, .certificate = X509_new()};
	X509_NAME *name = X509_get_subject_name(made.certificate);
	uint64_t serial;
	unsigned char *der = NULL;
	BIO *bio;
	int size;

	assert_non_null(key);
	assert_int_equal(RAND_bytes((unsigned char *)&serial, sizeof serial), 1);
	assert_int_equal(X509_set_version(made.certificate, 2), 1);
	ASN1_INTEGER_set_uint64(X509_get_serialNumber(made.certificate), serial >> 1 | 1);
	X509_gmtime_adj(X509_getm_notBefore(made.certificate), -3600);
	X509_gmtime_adj(X509_getm_notAfter(made.certificate), days * 86400 - 3600);
	X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_UTF8, (const unsigned char *)cn, -1, -1, 0);
	X509_set_issuer_name(made.certificate, issuer ? X509_get_subject_name(issuer->certificate) : name);
	X509_set_pubkey(made.certificate, key);
	if (!issuer) {
		add_extension(made.certificate, NID_basic_constraints, "critical,CA:TRUE");
		add_extension(made.certificate, NID_key_usage, "critical,keyCertSign,cRLSign");
	}
	if (names)
		add_extension(made.certificate, NID_subject_alt_name, names);
	assert_true(X509_sign(made.certificate, issuer ? issuer->key : key,
			      EVP_PKEY_get_base_id(key) == EVP_PKEY_ED25519 ? NULL : EVP_sha256()) > 0);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_X509(bio, made.certificate);
	made.pem = text_of(bio);
	bio = BIO_new(BIO_s_mem());
	PEM_write_bio_PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL);
	made.key_pem = text_of(bio);
	size = i2d_X509(made.certificate, &der);
	assert_true(size > 0);
	made.der = der;
	made.der_size = (size_t)size;
	digest_sha256(span_make(der, made.der_size), made.fingerprint);
	return made;
}

static inline void made_free(struct made *made)
{
	X509_free(made->certificate);
	EVP_PKEY_free(made->key);
	free(made->pem);
	free(made->key_pem);
	OPENSSL_free(made->der);
}

/* One store and one roster, as plain as can be. */
struct keeping {
	struct tls_session sessions[64];
	unsigned kept, finds, asked;
	enum tls_standing standing;
	int64_t until;
	uint8_t asked_fingerprint[32];
};

static inline enum tls_standing keeping_judge(void *arg, struct span der, const uint8_t fingerprint[32])
{
	struct keeping *keeping = arg;
	uint8_t own[32];

	digest_sha256(der, own);
	assert_memory_equal(own, fingerprint, 32);
	keeping->asked++;
	memcpy(keeping->asked_fingerprint, fingerprint, 32);
	return keeping->standing;
}

static inline int64_t keeping_until(void *arg, const uint8_t fingerprint[32])
{
	(void)fingerprint;
	return ((struct keeping *)arg)->until;
}

static inline void keeping_add(void *arg, const struct tls_session *session)
{
	struct keeping *keeping = arg;

	keeping->sessions[keeping->kept++ % 64] = *session;
}

static inline bool keeping_find(void *arg, const uint8_t id[TLS_SESSION_ID_SIZE], struct tls_session *out)
{
	struct keeping *keeping = arg;
	unsigned i;

	keeping->finds++;
	for (i = 0; i < keeping->kept && i < 64; i++)
		if (memcmp(keeping->sessions[i].id, id, TLS_SESSION_ID_SIZE) == 0) {
			*out = keeping->sessions[i];
			return true;
		}
	return false;
}

/* The world of a test program: a CA, a server "chat.example.com", a client "alice". */
static struct {
	struct made authority, server, server_rsa, other_server, alice, weak;
	struct tls_credentials *chat, *chat_rsa, *files;
	struct keeping keeping;
	struct loop *loop;
} world;

static const char *const http_only[] = {"http/1.1", NULL};
static const struct span chat_names[] = {{"chat.example.com", 16}};
static const struct span files_names[] = {{"files.example.com", 17}, {"*.files.example.com", 19}};

static inline int world_begin(void **state)
{
	struct error err;

	(void)state;
	assert_int_equal(crypto_start(&err), OK);
	world.authority = make_certificate(EVP_EC_gen("P-256"), "Test House", NULL, NULL, 100);
	world.server = make_certificate(EVP_EC_gen("P-256"), "chat", "DNS:chat.example.com", &world.authority, 90);
	world.server_rsa =
		make_certificate(EVP_RSA_gen(2048), "chat rsa", "DNS:chat.example.com", &world.authority, 90);
	world.other_server = make_certificate(EVP_EC_gen("P-256"), "files",
					      "DNS:files.example.com,DNS:*.files.example.com", &world.authority, 90);
	world.alice = make_certificate(EVP_EC_gen("P-256"), "alice", "email:alice@example.com",
				       &world.authority, 30);
	world.weak = make_certificate(EVP_RSA_gen(1024), "weak", NULL, &world.authority, 30);
	assert_int_equal(tls_credentials_load(span_of(world.server.pem), span_of(world.server.key_pem),
					      &world.chat, &err), OK);
	assert_int_equal(tls_credentials_load(span_of(world.server_rsa.pem), span_of(world.server_rsa.key_pem),
					      &world.chat_rsa, &err), OK);
	assert_int_equal(tls_credentials_load(span_of(world.other_server.pem),
					      span_of(world.other_server.key_pem), &world.files, &err), OK);
	assert_int_equal(loop_new(&world.loop, &err), OK);
	return 0;
}

static inline int world_end(void **state)
{
	(void)state;
	loop_free(world.loop);
	tls_credentials_free(world.chat);
	tls_credentials_free(world.chat_rsa);
	tls_credentials_free(world.files);
	made_free(&world.authority);
	made_free(&world.server);
	made_free(&world.server_rsa);
	made_free(&world.other_server);
	made_free(&world.alice);
	made_free(&world.weak);
	return 0;
}

static inline int64_t machine_now(void)
{
	return clock_read().wall / 1000000;
}

static inline int world_fresh(void **state)
{
	(void)state;
	memset(&world.keeping, 0, sizeof world.keeping);
	world.keeping.standing = TLS_CERTIFICATE_GOOD;
	world.keeping.until = machine_now() + 30 * 86400;
	return 0;
}

static inline struct tls_context *make_context(enum tls_asks asks, uint32_t epoch)
{
	const struct span authorities[] = {{(const char *)world.authority.der, world.authority.der_size}};
	const struct tls_site sites[] = {
		{.number = 7, .names = chat_names, .names_count = 1,
		 .credentials = {world.chat, world.chat_rsa}, .asks = asks},
		{.number = 8, .names = files_names, .names_count = 2,
		 .credentials = {world.files}, .asks = asks},
	};
	const struct tls_context_options options = {
		.sites = sites,
		.sites_count = 2,
		.no_name = {.credentials = {world.chat}, .asks = asks},
		.unknown_name = {.credentials = {world.chat}, .asks = asks},
		.client_authorities = authorities,
		.client_authorities_count = 1,
		.protocols = http_only,
		.epoch = epoch,
		.hooks = {.arg = &world.keeping,
			  .on_certificate = keeping_judge,
			  .resumable_until = keeping_until,
			  .on_session_new = keeping_add,
			  .on_session_find = keeping_find},
	};
	struct tls_context *context = NULL;
	struct error err = {""};

	if (tls_context_new(&options, &context, &err) != OK)
		fail_msg("%s", err.text);
	return context;
}

struct pair {
	struct stream *stream;
	int client_fd;
	SSL_CTX *settings;
	SSL *client;
	SSL_SESSION *session; /* the newest ticket */
	unsigned tickets;
	enum status secured;  /* what stream_secure said last */
	struct tls_peer peer;
	bool echo, ended, over;
	enum status end_status;
	char held[65536]; /* read and not yet echoed */
	size_t held_size, held_at;
	size_t read_room; /* of one read; 0: as much as is free */
	unsigned reads_a_turn; /* 0: until AGAIN */
	uint64_t bytes_read;
};

static inline int pair_on_ticket(SSL *ssl, SSL_SESSION *session)
{
	struct pair *pair = SSL_get_app_data(ssl);

	SSL_SESSION_free(pair->session);
	pair->session = session;
	pair->tickets++;
	return 1;
}

/* An echo with back-pressure; sees to all that stream.h asks of owners. */
static inline void pair_echo(struct pair *pair)
{
	unsigned reads = 0;

	for (;;) {
		size_t n;
		enum status status;

		if (pair->held_size) {
			status = stream_write_span(pair->stream,
						   span_make(pair->held + pair->held_at, pair->held_size), &n);
			if (status != OK)
				break;
			pair->held_at += n;
			pair->held_size -= n;
			continue;
		}
		if (pair->over)
			break;
		if (pair->reads_a_turn && reads == pair->reads_a_turn) {
			if (stream_has_pending(pair->stream))
				stream_again(pair->stream);
			break;
		}
		reads++;
		status = stream_read(pair->stream, pair->held, pair->read_room ? pair->read_room : sizeof pair->held, &n);
		if (status == AGAIN)
			break;
		if (status != OK || n == 0) {
			pair->over = true;
			pair->ended = status == OK;
			pair->end_status = status;
			break;
		}
		pair->bytes_read += n;
		pair->held_at = 0;
		pair->held_size = pair->echo ? n : 0;
	}
	(void)stream_flush(pair->stream);
}

static inline void pair_on_ready(void *owner)
{
	struct pair *pair = owner;

	if (pair->secured == AGAIN) {
		pair->secured = stream_secure(pair->stream);
		if (pair->secured == OK)
			tls_stream_peer(pair->stream, &pair->peer);
	}
	if (pair->secured == OK)
		pair_echo(pair);
}

static inline void set_nonblocking(int fd)
{
	assert_int_equal(fcntl(fd, F_SETFL, fcntl(fd, F_GETFL) | O_NONBLOCK), 0);
}

/* `who`: the client's certificate or NULL; `name`: its SNI or NULL; `session` to resume or NULL. */
static inline void pair_begin(struct pair *pair, struct tls_context *context, const struct made *who,
			      const char *name, SSL_SESSION *session)
{
	struct error err = {""};
	int ends[2];

	memset(pair, 0, sizeof *pair);
	pair->secured = AGAIN;
	pair->echo = true;
	assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0, ends), 0);
	assert_int_equal(tls_stream_new(ends[0], context, &pair->stream, &err), OK);
	assert_int_equal(stream_start(pair->stream, world.loop, pair_on_ready, pair, &err), OK);
	pair->client_fd = ends[1];
	pair->settings = SSL_CTX_new(TLS_client_method());
	SSL_CTX_set_security_level(pair->settings, 0);
	SSL_CTX_set_session_cache_mode(pair->settings, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(pair->settings, pair_on_ticket);
	pair->client = SSL_new(pair->settings);
	SSL_set_app_data(pair->client, pair);
	SSL_set_fd(pair->client, ends[1]);
	SSL_set_connect_state(pair->client);
	if (who) {
		assert_int_equal(SSL_use_certificate(pair->client, who->certificate), 1);
		assert_int_equal(SSL_use_PrivateKey(pair->client, who->key), 1);
	}
	if (name)
		SSL_set_tlsext_host_name(pair->client, name);
	if (session)
		assert_int_equal(SSL_set_session(pair->client, session), 1);
}

static inline void turn(void)
{
	(void)loop_turn(world.loop, 0);
}

/* Both sides until the server is through and the client too, or one gives up. */
static inline bool pair_shake(struct pair *pair)
{
	int i, done = 0;
	char c;

	for (i = 0; i < 4000 && (pair->secured == AGAIN || !done); i++) {
		if (!done) {
			int result = SSL_do_handshake(pair->client);

			if (result == 1)
				done = 1;
			else if (SSL_get_error(pair->client, result) != SSL_ERROR_WANT_READ)
				done = 2;
		}
		turn();
	}
	/* Tickets, and alerts of TLS 1.3, come with the first read. */
	for (i = 0; i < 4; i++) {
		ERR_clear_error();
		turn();
		(void)SSL_peek(pair->client, &c, 1);
	}
	ERR_clear_error();
	return done == 1 && pair->secured == OK;
}

static inline void pair_end(struct pair *pair)
{
	stream_free(pair->stream);
	turn();
	/* An end in good order, else OpenSSL's client takes its session for spoilt. */
	SSL_set_shutdown(pair->client, SSL_SENT_SHUTDOWN);
	SSL_free(pair->client);
	SSL_CTX_free(pair->settings);
	SSL_SESSION_free(pair->session);
	close(pair->client_fd);
}

/* The client says it and hears it back. */
static inline void pair_talk(struct pair *pair, const char *text, size_t size)
{
	size_t sent = 0, heard = 0, n;
	char *back = malloc(size);
	unsigned idle = 0;

	assert_non_null(back);
	while (heard < size && idle < 10000) {
		size_t before = sent + heard;

		ERR_clear_error();
		if (sent < size && SSL_write_ex(pair->client, text + sent, size - sent > 16384 ? 16384 : size - sent, &n))
			sent += n;
		turn();
		while (heard < size && SSL_read_ex(pair->client, back + heard, size - heard, &n))
			heard += n;
		idle = sent + heard == before ? idle + 1 : 0;
	}
	assert_int_equal(heard, size);
	assert_memory_equal(back, text, size);
	free(back);
}

#endif
