#include "stream/tls_client.h"

#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>

#include "base/clock.h"
#include "stream/tls_greeting.h"
#include "stream/tls_handshake.h"
#include "wire/host_name.h"

enum {
	AUTHORITIES_MOST = 1024,
	SERVER_CHAIN_MOST = 32768, /* bytes */
	DEPTH_MOST = 8,
	SESSION_LIFE = 3600, /* seconds since the certificate was seen */
};

static const unsigned char protocols[] = "\x08http/1.1";

struct tls_trust {
	SSL_CTX *settings;
};

struct tls_client {
	SSL_CTX *settings; /* a reference */
	struct host_name name;
	SSL_SESSION *session; /* the newest, or NULL */
	int64_t session_seen_at;
};

static enum status fail_openssl(struct error *err, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());
	enum status status = error_fail(err, "%s: %s", what, reason ? reason : "no reason told");

	ERR_clear_error();
	return status;
}

/* -- what all clients of a trust share -- */

static int on_verified(int is_good, X509_STORE_CTX *store)
{
	const SSL *ssl = X509_STORE_CTX_get_ex_data(store, SSL_get_ex_data_X509_STORE_CTX_idx());
	struct tls_greeting *greeting = SSL_get_app_data(ssl);

	if (!is_good && !greeting->distrust)
		greeting->distrust = X509_STORE_CTX_get_error(store);
	return is_good;
}

static int on_session(SSL *ssl, SSL_SESSION *session)
{
	struct tls_greeting *greeting = SSL_get_app_data(ssl);
	struct tls_client *client = greeting->client;

	if (!client)
		return 0;
	SSL_SESSION_free(client->session);
	client->session = session;
	client->session_seen_at = greeting->seen_at;
	return 1; /* the reference is ours */
}

static enum status set_protocol(SSL_CTX *settings, struct error *err)
{
	SSL_CTX_set_options(settings, SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION);
	SSL_CTX_set_mode(settings, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(settings, 1);
	SSL_CTX_set_security_level(settings, TLS_SECURITY_LEVEL);
	SSL_CTX_set_max_cert_list(settings, SERVER_CHAIN_MOST);
	SSL_CTX_set_verify(settings, SSL_VERIFY_PEER, on_verified);
	SSL_CTX_set_verify_depth(settings, DEPTH_MOST);
	SSL_CTX_set_session_cache_mode(settings, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(settings, on_session);
	if (!SSL_CTX_set_min_proto_version(settings, TLS1_2_VERSION) ||
	    !SSL_CTX_set_max_proto_version(settings, TLS1_3_VERSION) ||
	    !SSL_CTX_set_cipher_list(settings, tls_ciphers) || !SSL_CTX_set_ciphersuites(settings, tls_suites) ||
	    !SSL_CTX_set1_groups_list(settings, TLS_GROUPS) ||
	    SSL_CTX_set_alpn_protos(settings, protocols, sizeof protocols - 1))
		return fail_openssl(err, "cannot set up TLS");
	return OK;
}

static enum status add_authorities(X509_STORE *store, BIO *text, struct error *err)
{
	size_t count = 0;
	X509 *one;

	while ((one = PEM_read_bio_X509(text, NULL, NULL, NULL))) {
		int added = count < AUTHORITIES_MOST && X509_STORE_add_cert(store, one);

		X509_free(one);
		if (!added)
			return error_refuse(err, "more than %d certificates, or no memory for them", AUTHORITIES_MOST);
		count++;
	}
	if (ERR_GET_REASON(ERR_peek_last_error()) != PEM_R_NO_START_LINE) {
		ERR_clear_error();
		return error_refuse(err, "certificate %zu cannot be read", count + 1);
	}
	ERR_clear_error();
	return count ? OK : error_refuse(err, "there is no certificate in it");
}

static enum status believe(SSL_CTX *settings, const struct tls_trust_options *options, struct error *err)
{
	X509_STORE *store = SSL_CTX_get_cert_store(settings);
	BIO *text = options->authorities.size <= INT_MAX
			    ? BIO_new_mem_buf(options->authorities.at, (int)options->authorities.size)
			    : NULL;
	enum status status;

	if (!text)
		return error_fail(err, "no memory for certificates");
	status = add_authorities(store, text, err);
	BIO_free(text);
	/* Without it only self-signed ones end a path. */
	if (status == OK && !options->are_roots && !X509_STORE_set_flags(store, X509_V_FLAG_PARTIAL_CHAIN))
		status = fail_openssl(err, "cannot set up TLS");
	return status;
}

static enum status come_as(SSL_CTX *settings, const struct tls_trust_options *options, struct error *err)
{
	struct tls_credentials *credentials = NULL;
	enum status status;

	if (options->certificate.size == 0 && options->key.size == 0)
		return OK;
	status = tls_credentials_load(options->certificate, options->key, &credentials, err);
	if (status == OK)
		status = tls_credentials_use(settings, credentials, err);
	tls_credentials_free(credentials);
	return status;
}

enum status tls_trust_new(const struct tls_trust_options *options, struct tls_trust **out, struct error *err)
{
	struct tls_trust *trust = calloc(1, sizeof *trust);
	enum status status;

	if (!trust)
		return error_fail(err, "no memory for TLS");
	trust->settings = SSL_CTX_new(TLS_client_method());
	if (!trust->settings) {
		status = fail_openssl(err, "cannot set up TLS");
		goto done;
	}
	TRY(set_protocol(trust->settings, err));
	TRY(believe(trust->settings, options, err));
	TRY(come_as(trust->settings, options, err));
	*out = trust;
	trust = NULL;
done:
	tls_trust_free(trust);
	return status;
}

void tls_trust_free(struct tls_trust *trust)
{
	if (!trust)
		return;
	SSL_CTX_free(trust->settings);
	free(trust);
}

/* -- one server -- */

enum status tls_client_new(const struct tls_trust *trust, struct span name, struct tls_client **out,
			   struct error *err)
{
	struct tls_client *client = calloc(1, sizeof *client);
	enum status status;

	if (!client)
		return error_fail(err, "no memory for TLS");
	/* An empty name would be no check at all. */
	TRY(host_fold_name(name, &client->name, err));
	if (client->name.text[0] == 0) {
		status = error_refuse(err, "a server's certificate is checked by its name, and there is none");
		goto done;
	}
	client->settings = trust->settings;
	SSL_CTX_up_ref(client->settings);
	*out = client;
	client = NULL;
done:
	free(client);
	return status;
}

static void drop_session(struct tls_client *client)
{
	SSL_SESSION_free(client->session);
	client->session = NULL;
}

void tls_client_free(struct tls_client *client)
{
	if (!client)
		return;
	drop_session(client);
	SSL_CTX_free(client->settings);
	free(client);
}

/* -- one handshake -- */

static bool expect_name(SSL *ssl, const struct host_name *name)
{
	X509_VERIFY_PARAM *expected = SSL_get0_param(ssl);

	if (name->kind != HOST_DNS)
		return X509_VERIFY_PARAM_set1_ip_asc(expected, name->text);
	X509_VERIFY_PARAM_set_hostflags(expected, X509_CHECK_FLAG_NEVER_CHECK_SUBJECT |
							  X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS);
	return X509_VERIFY_PARAM_set1_host(expected, name->text, 0) &&
	       SSL_set_tlsext_host_name(ssl, name->text);
}

static void offer_session(struct tls_greeting *greeting, SSL *ssl)
{
	struct tls_client *client = greeting->client;
	int64_t now = clock_seconds();

	greeting->seen_at = now;
	if (!client->session)
		return;
	if (now >= client->session_seen_at + SESSION_LIFE || now < client->session_seen_at ||
	    !SSL_SESSION_is_resumable(client->session)) {
		drop_session(client);
		return;
	}
	/* Until it is known that it was not resumed. */
	greeting->seen_at = client->session_seen_at;
	if (!SSL_set_session(ssl, client->session))
		ERR_clear_error();
}

SSL *tls_greeting_begin(struct tls_greeting *greeting, struct tls_client *client)
{
	SSL *ssl = SSL_new(client->settings);

	*greeting = (struct tls_greeting){.client = client};
	if (!ssl || !expect_name(ssl, &client->name)) {
		ERR_clear_error();
		SSL_free(ssl);
		return NULL;
	}
	SSL_set_app_data(ssl, greeting);
	SSL_set_connect_state(ssl);
	offer_session(greeting, ssl);
	return ssl;
}

enum status tls_greeting_settle(struct tls_greeting *greeting, SSL *ssl)
{
	const unsigned char *chosen = NULL;
	unsigned size = 0;

	if (!SSL_session_reused(ssl))
		greeting->seen_at = clock_seconds();
	SSL_get0_alpn_selected(ssl, &chosen, &size);
	if (size && (size != sizeof protocols - 2 || memcmp(chosen, protocols + 1, size) != 0))
		return REFUSED;
	return OK;
}
