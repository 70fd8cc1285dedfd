#include "stream/probe.h"

#include <errno.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

static int connect_to(const struct probe_options *options, struct error *err)
{
	struct timeval limit = {options->limit_ms / 1000, options->limit_ms % 1000 * 1000};
	int fd = socket(options->at.any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0) {
		(void)error_fail_errno(err, "no socket");
		return -1;
	}
	/* Also the limit of connect(2), see socket(7). */
	if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) == 0 &&
	    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) == 0 &&
	    connect(fd, &options->at.any, options->at.size) == 0)
		return fd;
	if (errno == EINPROGRESS || errno == EAGAIN)
		(void)error_refuse(err, "no answer within %d s", options->limit_ms / 1000);
	else
		(void)error_refuse(err, "%s", strerror(errno));
	close(fd);
	return -1;
}

/* Chain and trust -------------------------------------------------------------- */

static void keep_chain(SSL *ssl, struct probe *out)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
	int i;

	out->chain.count = 0;
	out->chain.at = OPENSSL_zalloc(PROBE_CHAIN_MOST * sizeof(struct certificate *));
	for (i = 0; out->chain.at && i < sk_X509_num(chain) && i < PROBE_CHAIN_MOST; i++) {
		unsigned char *der = NULL;
		int size = i2d_X509(sk_X509_value(chain, i), &der);

		if (size > 0 && certificate_parse_der(span_make((char *)der, (size_t)size),
						      &out->chain.at[out->chain.count], NULL) == OK)
			out->chain.count++;
		OPENSSL_free(der);
	}
}

static bool verify(SSL *ssl, X509_STORE *store, struct error *why)
{
	STACK_OF(X509) *chain = SSL_get_peer_cert_chain(ssl);
	X509_STORE_CTX *check = X509_STORE_CTX_new();
	bool is_good = false;

	if (check && sk_X509_num(chain) > 0 &&
	    X509_STORE_CTX_init(check, store, sk_X509_value(chain, 0), chain) == 1 &&
	    X509_STORE_CTX_set_default(check, "ssl_server") == 1) {
		is_good = X509_verify_cert(check) == 1;
		if (!is_good)
			(void)error_refuse(why, "%s", X509_verify_cert_error_string(X509_STORE_CTX_get_error(check)));
	}
	X509_STORE_CTX_free(check);
	return is_good;
}

static void judge_trust(SSL *ssl, const struct probe_options *options, struct probe *out)
{
	X509_STORE *systems = X509_STORE_new(), *own = X509_STORE_new();

	if (systems && own) {
		(void)X509_STORE_set_default_paths(systems);
		if (options->root)
			(void)X509_STORE_add_cert(own, certificate_handle(options->root));
		out->is_trusted_by_root = options->root && verify(ssl, own, NULL);
		out->is_trusted = verify(ssl, systems, &out->distrust) || out->is_trusted_by_root;
	}
	X509_STORE_free(systems);
	X509_STORE_free(own);
	ERR_clear_error();
}

/* Names that the CertificateRequest holds; an empty list asks too, but cannot be told from none. */
static void see_request(SSL *ssl, const struct probe_options *options, struct probe *out)
{
	const STACK_OF(X509_NAME) *names = SSL_get0_peer_CA_list(ssl);
	int i;

	out->asks = names && sk_X509_NAME_num(names) > 0;
	for (i = 0; options->root && names && i < sk_X509_NAME_num(names); i++)
		if (X509_NAME_cmp(sk_X509_NAME_value(names, i),
				  X509_get_subject_name(certificate_handle(options->root))) == 0)
			out->asks_for_root = true;
}

/* Talking ------------------------------------------------------------------------ */

static void say_ssl(struct error *err, const char *otherwise)
{
	unsigned long code = ERR_peek_last_error();
	const char *reason = code ? ERR_reason_error_string(code) : NULL;

	(void)error_refuse(err, "%s", reason ? reason : otherwise);
	ERR_clear_error();
}

static const struct span both = SPAN("\x02h2\x08http/1.1"), only_h1 = SPAN("\x08http/1.1");

static SSL *secure(SSL_CTX *settings, int fd, const struct probe_options *options, struct span protocols,
		   struct error *err)
{
	struct address literal;
	SSL *ssl = SSL_new(settings);

	if (!ssl || SSL_set_fd(ssl, fd) != 1 ||
	    SSL_set_alpn_protos(ssl, (const unsigned char *)protocols.at, (unsigned)protocols.size) != 0 ||
	    (!address_parse_ip(span_of(options->server_name), &literal) &&
	     SSL_set_tlsext_host_name(ssl, options->server_name) != 1)) {
		(void)error_fail(err, "no memory for TLS");
	} else if (SSL_connect(ssl) == 1) {
		return ssl;
	} else {
		say_ssl(err, "the connection ended in the handshake");
	}
	SSL_free(ssl);
	return NULL;
}

/* Until the peer ends, the limit, or enough. A head is enough for us. */
static void listen_to_answer(SSL *ssl, int fd, struct probe *out)
{
	char room[4096];

	while (out->answer.size < PROBE_ANSWER_MOST && !memmem(buffer_text(&out->answer), out->answer.size, "\r\n\r\n", 4)) {
		size_t most = PROBE_ANSWER_MOST - out->answer.size;
		int got = ssl ? SSL_read(ssl, room, (int)(most < sizeof room ? most : sizeof room))
			      : (int)recv(fd, room, most < sizeof room ? most : sizeof room, 0);

		if (got <= 0)
			break;
		buffer_add(&out->answer, span_make(room, (size_t)got));
	}
	if (probe_status(out))
		out->reached = PROBE_ANSWERED;
	else if (ssl)
		say_ssl(&out->why, "there is no HTTP answer");
	else
		(void)error_refuse(&out->why, "there is no HTTP answer");
}

static void ask(SSL *ssl, int fd, const struct probe_options *options, struct probe *out)
{
	size_t size = strlen(options->request);
	bool is_sent = ssl ? SSL_write(ssl, options->request, (int)size) == (int)size
			   : send(fd, options->request, size, MSG_NOSIGNAL) == (ssize_t)size;

	if (is_sent)
		listen_to_answer(ssl, fd, out);
	else
		(void)error_refuse(&out->why, "the request could not be sent");
}

static void run_secured(SSL *ssl, int fd, const struct probe_options *options, struct probe *out)
{
	const unsigned char *alpn;
	unsigned size;

	out->reached = PROBE_SECURED;
	snprintf(out->protocol, sizeof out->protocol, "%s", SSL_get_version(ssl));
	SSL_get0_alpn_selected(ssl, &alpn, &size);
	snprintf(out->alpn, sizeof out->alpn, "%.*s", (int)size, size ? (const char *)alpn : "");
	keep_chain(ssl, out);
	judge_trust(ssl, options, out);
	see_request(ssl, options, out);
	/* HTTP/1.1 is what we can say; a server that chose h2 is asked again. */
	if (options->request && strcmp(out->alpn, "h2") != 0)
		ask(ssl, fd, options, out);
	(void)SSL_shutdown(ssl);
	ERR_clear_error();
}

/* A second connection that offers only HTTP/1.1. */
static void ask_by_h1(SSL_CTX *settings, const struct probe_options *options, struct probe *out)
{
	int fd = connect_to(options, &out->why);
	SSL *ssl = fd >= 0 ? secure(settings, fd, options, only_h1, &out->why) : NULL;

	if (ssl)
		ask(ssl, fd, options, out);
	SSL_free(ssl);
	if (fd >= 0)
		close(fd);
}

void probe_run(const struct probe_options *options, struct probe *out)
{
	SSL_CTX *settings;
	SSL *ssl = NULL;
	int fd;

	*out = (struct probe){.reached = PROBE_NOTHING};
	buffer_init(&out->answer, PROBE_ANSWER_MOST);
	fd = connect_to(options, &out->why);
	if (fd < 0)
		return;
	out->reached = PROBE_CONNECTED;
	if (!options->server_name) {
		if (options->request)
			ask(NULL, fd, options, out);
		close(fd);
		return;
	}
	/* Whoever it is: nothing is told to it but a question. */
	settings = SSL_CTX_new(TLS_client_method());
	if (settings)
		ssl = secure(settings, fd, options, both, &out->why);
	if (ssl)
		run_secured(ssl, fd, options, out);
	SSL_free(ssl);
	close(fd);
	if (options->request && strcmp(out->alpn, "h2") == 0)
		ask_by_h1(settings, options, out);
	SSL_CTX_free(settings);
}

void probe_release(struct probe *probe)
{
	size_t i;

	for (i = 0; i < probe->chain.count; i++)
		certificate_free(probe->chain.at[i]);
	OPENSSL_free(probe->chain.at);
	probe->chain = (struct certificate_list){0};
	buffer_release(&probe->answer);
}

struct span probe_field(const struct probe *probe, const char *name)
{
	struct span rest = buffer_span(&probe->answer), line, key;

	while (span_cut(&rest, '\n', &line)) {
		struct span value = line;

		if (line.size <= 1)
			break; /* the head's end */
		if (span_cut(&value, ':', &key) && span_is_nocase(key, name)) {
			while (value.size && strchr("\r\n \t", value.at[value.size - 1]))
				value.size--;
			return span_trim(value);
		}
	}
	return (struct span){0};
}

unsigned probe_status(const struct probe *probe)
{
	struct span answer = buffer_span(&probe->answer);
	uint64_t code;

	if (answer.size < 12 || !span_starts(answer, "HTTP/1.") ||
	    !span_to_u64(span_make(answer.at + 9, 3), 599, &code) || code < 100)
		return 0;
	return (unsigned)code;
}
