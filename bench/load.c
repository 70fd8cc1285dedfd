/*
 * load - asks a door as many times as it is told, and says how often it got what it asked for.
 *
 *   load PORT NAME CERT KEY full COUNT        a handshake with the certificate, a GET, an end; one after the other
 *   load PORT NAME CERT KEY resumed COUNT     the same, each by the ticket of the one before
 *   load PORT NAME CERT KEY get COUNT CLIENTS kept-alive GETs of 1 KB; all clients ask, then all read
 *   load PORT NAME CERT KEY down BYTES        one GET
 *   load PORT NAME CERT KEY up BYTES          one POST
 *   load PORT NAME CERT KEY sockets COUNT     opens WebSockets, says so, holds them until standard input ends
 *
 * It measures nothing: whoever starts it looks at what the door used. The door's certificate is not verified.
 */
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <sys/socket.h>
#include <unistd.h>

#include <openssl/err.h>
#include <openssl/ssl.h>

enum { BLOCK = 256 * 1024, HEAD_MOST = 16384, CLIENTS_MOST = 20000 };

static struct {
	in_port_t port;
	const char *name;
	SSL_CTX *context;
	SSL_SESSION *latest; /* the last ticket that came */
	unsigned resumed;
} load;

static char block[BLOCK];

static void give_up(const char *what)
{
	fprintf(stderr, "load: %s: ", what);
	ERR_print_errors_fp(stderr);
	perror("");
	exit(1);
}

static int on_session(SSL *ssl, SSL_SESSION *session)
{
	(void)ssl;
	SSL_SESSION_free(load.latest);
	load.latest = session;
	return 1;
}

static SSL *open_one(SSL_SESSION *session)
{
	struct sockaddr_in to = {.sin_family = AF_INET, .sin_port = htons(load.port),
				 .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
	int fd = socket(AF_INET, SOCK_STREAM, 0), on = 1;
	SSL *ssl = SSL_new(load.context);

	if (fd < 0 || !ssl || connect(fd, (struct sockaddr *)&to, sizeof to))
		give_up("connect");
	(void)setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on);
	SSL_set_fd(ssl, fd);
	SSL_set_tlsext_host_name(ssl, load.name);
	if (session)
		SSL_set_session(ssl, session);
	if (SSL_connect(ssl) != 1)
		give_up("handshake");
	return ssl;
}

/* At once: what matters is that the door sees an end. */
static void close_one(SSL *ssl)
{
	int fd = SSL_get_fd(ssl);

	(void)SSL_shutdown(ssl);
	SSL_free(ssl);
	close(fd);
}

static void say(SSL *ssl, const char *bytes, size_t size)
{
	size_t took;

	if (SSL_write_ex(ssl, bytes, size, &took) != 1)
		give_up("write");
}

static void ask(SSL *ssl, const char *method, const char *path, const char *fields)
{
	char head[1024];
	int size = snprintf(head, sizeof head, "%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n", method, path, load.name, fields);

	say(ssl, head, (size_t)size);
}

/* The head, with how many bytes of the body came with it; both must be as expected. */
static size_t hear_head(SSL *ssl, const char *status, unsigned long long *length)
{
	static char head[HEAD_MOST + 1];
	size_t size = 0, one;
	const char *end, *field;

	do {
		if (size == HEAD_MOST || SSL_read_ex(ssl, head + size, HEAD_MOST - size, &one) != 1)
			give_up("no answer");
		size += one;
		head[size] = 0;
	} while (!(end = strstr(head, "\r\n\r\n")));
	if (strncmp(head + sizeof "HTTP/1.1", status, 3) != 0) {
		fprintf(stderr, "load: expected %s: %.*s\n", status, (int)(end - head), head);
		exit(1);
	}
	field = strcasestr(head, "\r\ncontent-length:");
	*length = field && field < end ? strtoull(field + sizeof "\r\ncontent-length:" - 1, NULL, 10) : 0;
	return size - (size_t)(end + 4 - head);
}

static unsigned long long hear(SSL *ssl)
{
	unsigned long long length, got = hear_head(ssl, "200", &length);
	size_t one;

	while (got < length) {
		if (SSL_read_ex(ssl, block, sizeof block, &one) != 1)
			give_up("half an answer");
		got += one;
	}
	return length;
}

static void handshakes(unsigned long long count, bool resumes)
{
	unsigned long long i;

	for (i = 0; i < count + resumes; i++) {
		SSL *ssl = open_one(resumes ? load.latest : NULL);

		load.resumed += (unsigned)SSL_session_reused(ssl);
		ask(ssl, "GET", "/download?bytes=1024", "");
		if (hear(ssl) != 1024)
			give_up("another length");
		close_one(ssl);
	}
	if (load.resumed != (resumes ? count : 0)) {
		fprintf(stderr, "load: %u of %llu were resumed\n", load.resumed, count);
		exit(1);
	}
}

static void gets(unsigned long long count, unsigned clients)
{
	static SSL *open[CLIENTS_MOST];
	unsigned long long done = 0;
	unsigned i;

	if (clients == 0 || clients > CLIENTS_MOST)
		give_up("too many clients");
	for (i = 0; i < clients; i++)
		open[i] = open_one(NULL);
	while (done < count) {
		for (i = 0; i < clients; i++)
			ask(open[i], "GET", "/download?bytes=1024", "");
		for (i = 0; i < clients; i++)
			if (hear(open[i]) != 1024)
				give_up("another length");
		done += clients;
	}
	for (i = 0; i < clients; i++)
		close_one(open[i]);
}

static void down(unsigned long long bytes)
{
	SSL *ssl = open_one(NULL);
	char path[64];

	snprintf(path, sizeof path, "/download?bytes=%llu", bytes);
	ask(ssl, "GET", path, "");
	if (hear(ssl) != bytes)
		give_up("another length");
	close_one(ssl);
}

static void up(unsigned long long bytes)
{
	SSL *ssl = open_one(NULL);
	char field[64];

	snprintf(field, sizeof field, "Content-Length: %llu\r\n", bytes);
	ask(ssl, "POST", "/upload", field);
	while (bytes > 0) {
		size_t size = bytes < sizeof block ? (size_t)bytes : sizeof block;

		say(ssl, block, size);
		bytes -= size;
	}
	(void)hear(ssl);
	close_one(ssl);
}

static void sockets(unsigned long long count)
{
	static const char fields[] = "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
				     "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
	unsigned long long i, length;
	char byte;

	for (i = 0; i < count; i++) {
		SSL *ssl = open_one(NULL);

		ask(ssl, "GET", "/echo", fields);
		(void)hear_head(ssl, "101", &length);
	}
	puts("open");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
}

int main(int argc, char **argv)
{
	unsigned long long number;

	if (argc < 7) {
		fputs("usage: load PORT NAME CERT KEY full|resumed|get|down|up|sockets NUMBER [CLIENTS]\n", stderr);
		return 2;
	}
	load.port = (in_port_t)strtoul(argv[1], NULL, 10);
	load.name = argv[2];
	number = strtoull(argv[6], NULL, 10);
	load.context = SSL_CTX_new(TLS_client_method());
	if (!load.context || !SSL_CTX_set_min_proto_version(load.context, TLS1_3_VERSION) ||
	    !SSL_CTX_use_certificate_chain_file(load.context, argv[3]) ||
	    !SSL_CTX_use_PrivateKey_file(load.context, argv[4], SSL_FILETYPE_PEM))
		give_up("certificate");
	SSL_CTX_set_session_cache_mode(load.context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(load.context, on_session);
	if (!strcmp(argv[5], "full"))
		handshakes(number, false);
	else if (!strcmp(argv[5], "resumed"))
		handshakes(number, true);
	else if (!strcmp(argv[5], "get"))
		gets(number, argc > 7 ? (unsigned)strtoul(argv[7], NULL, 10) : 1);
	else if (!strcmp(argv[5], "down"))
		down(number);
	else if (!strcmp(argv[5], "up"))
		up(number);
	else if (!strcmp(argv[5], "sockets"))
		sockets(number);
	else
		return 2;
	return 0;
}
