/*
 * load_h2 - many clients of HTTP/2 (and a few things by HTTP/1.1) at once, for bench/run and for the tests of memory.
 *
 *   load_h2 PORT NAME CERT KEY VERB [word=number ...]         CERT and KEY may be -, then no certificate is shown
 *
 *   get    count clients streams        GETs of 1 KB, `streams` at a time on each of `clients` connections
 *   down   bytes clients streams window hold   a GET of `bytes` on each stream of each connection. With hold=1 nothing is
 *                                       read after the heads: says "open", goes on when a line comes
 *   up     bytes clients streams        a POST of `bytes` on each stream of each connection
 *   churn  count version resumed socket open, ask for 1 KB (or a WebSocket), end; one after the other
 *   idle   count version                opens, asks once, says "open", holds them until standard input ends
 *
 * It measures nothing, and verifies no certificate of the door's. It fails if one answer is not what was asked for.
 */
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <nghttp2/nghttp2.h>
#include <openssl/err.h>
#include <openssl/ssl.h>

enum { CLIENTS_MOST = 20000, OUT_MOST = 65536, KILO = 1024 };

static struct {
	in_port_t port;
	const char *name, *verb;
	SSL_CTX *context;
	SSL_SESSION *latest;
	unsigned long long count, clients, streams, bytes, window, hold, version, resumed, socket;
	unsigned long long started, done, heads, were_resumed;
} load = {.count = 1, .clients = 1, .streams = 1, .bytes = KILO, .window = 65535, .version = 2};

struct client {
	SSL *ssl;
	int fd;
	nghttp2_session *session;
	unsigned long long under_way, started;
	bool wants_write;
	const uint8_t *out; /* nghttp2's, until its next */
	size_t out_size;
	char gathered[OUT_MOST]; /* what SSL_write has not taken: the same bytes are offered again */
	size_t gathered_size;
};

struct stream {
	unsigned long long got, left;
	bool is_socket, is_ok;
};

static struct client *clients[CLIENTS_MOST];
static char block[256 * 1024];

static void give_up(const char *what)
{
	fprintf(stderr, "load_h2: %s: ", what);
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

static SSL *open_tls(const char *protocol, SSL_SESSION *session)
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
	if (SSL_set_alpn_protos(ssl, (const unsigned char *)protocol, (unsigned)strlen(protocol)))
		give_up("ALPN");
	if (session)
		SSL_set_session(ssl, session);
	if (SSL_connect(ssl) != 1)
		give_up("handshake");
	load.were_resumed += (unsigned)SSL_session_reused(ssl);
	return ssl;
}

static void close_tls(SSL *ssl)
{
	int fd = SSL_get_fd(ssl);

	(void)SSL_shutdown(ssl);
	SSL_free(ssl);
	close(fd);
}

/* -- HTTP/2 -- */

static int on_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name, size_t name_size,
		     const uint8_t *value, size_t value_size, uint8_t flags, void *user)
{
	struct stream *stream = nghttp2_session_get_stream_user_data(session, frame->hd.stream_id);

	(void)flags;
	(void)user;
	if (stream && name_size == 7 && memcmp(name, ":status", 7) == 0) {
		stream->is_ok = value_size == 3 && memcmp(value, "200", 3) == 0;
		load.heads++;
		if (!stream->is_ok) {
			fprintf(stderr, "load_h2: answered by %.*s\n", (int)value_size, (const char *)value);
			exit(1);
		}
		if (stream->is_socket)
			load.done++;
	}
	return 0;
}

static int on_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes, size_t size, void *user)
{
	struct stream *stream = nghttp2_session_get_stream_user_data(session, id);

	(void)flags;
	(void)bytes;
	(void)user;
	if (stream)
		stream->got += size;
	return 0;
}

static void start_one(struct client *client);

static int on_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
	struct stream *stream = nghttp2_session_get_stream_user_data(session, id);
	struct client *client = user;
	bool is_up = load.verb[0] == 'u';

	if (!stream)
		return 0;
	if (code || !stream->is_ok || (!is_up && !stream->is_socket && stream->got != load.bytes)) {
		fprintf(stderr, "load_h2: stream %d ended with %u after %llu bytes\n", id, code, stream->got);
		exit(1);
	}
	load.done++;
	client->under_way--;
	free(stream);
	return 0;
}

static ssize_t more(nghttp2_session *session, int32_t id, uint8_t *out, size_t room, uint32_t *flags,
		    nghttp2_data_source *source, void *user)
{
	struct stream *stream = source->ptr;
	size_t size = stream->left < room ? (size_t)stream->left : room;

	(void)session;
	(void)id;
	(void)user;
	if (stream->is_socket)
		return NGHTTP2_ERR_DEFERRED;
	memset(out, 'u', size);
	stream->left -= size;
	if (stream->left == 0)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)size;
}

#define FIELD(n, v) {(uint8_t *)(uintptr_t)(n), (uint8_t *)(uintptr_t)(v), strlen(n), strlen(v), NGHTTP2_NV_FLAG_NONE}

static void start_one(struct client *client)
{
	bool is_up = load.verb[0] == 'u', is_socket = load.socket;
	struct stream *stream = calloc(1, sizeof *stream);
	nghttp2_data_provider body = {.source.ptr = stream, .read_callback = more};
	char path[64] = "";
	nghttp2_nv fields[6] = {
		FIELD(":method", is_socket ? "CONNECT" : is_up ? "POST" : "GET"),
		FIELD(":scheme", "https"),
		FIELD(":authority", load.name),
		FIELD(":path", path),
	};
	size_t count = 4;

	snprintf(path, sizeof path, "/download?bytes=%llu", load.bytes);
	if (is_up || is_socket)
		snprintf(path, sizeof path, is_up ? "/upload" : "/echo");
	fields[3].valuelen = strlen(path);
	if (is_socket) {
		fields[count++] = (nghttp2_nv)FIELD(":protocol", "websocket");
		fields[count++] = (nghttp2_nv)FIELD("sec-websocket-version", "13");
	}
	stream->left = load.bytes;
	stream->is_socket = is_socket;
	if (nghttp2_submit_request(client->session, NULL, fields, count, is_up || is_socket ? &body : NULL, stream) < 0)
		give_up("request");
	client->under_way++;
	client->started++;
	load.started++;
}

static struct client *open_h2(SSL_SESSION *resumes)
{
	struct client *client = calloc(1, sizeof *client);
	nghttp2_session_callbacks *callbacks;
	nghttp2_settings_entry settings[] = {
		{NGHTTP2_SETTINGS_ENABLE_PUSH, 0},
		{NGHTTP2_SETTINGS_INITIAL_WINDOW_SIZE, (uint32_t)load.window},
	};

	client->ssl = open_tls("\2h2", resumes);
	client->fd = SSL_get_fd(client->ssl);
	(void)fcntl(client->fd, F_SETFL, O_NONBLOCK);
	nghttp2_session_callbacks_new(&callbacks);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, on_header);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, on_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, on_close);
	nghttp2_session_client_new(&client->session, callbacks, client);
	nghttp2_session_callbacks_del(callbacks);
	nghttp2_submit_settings(client->session, NGHTTP2_FLAG_NONE, settings, 2);
	if (load.window > 65535)
		(void)nghttp2_session_set_local_window_size(client->session, NGHTTP2_FLAG_NONE, 0, (int32_t)0x7fffffff);
	return client;
}

static void close_h2(struct client *client)
{
	close_tls(client->ssl);
	nghttp2_session_del(client->session);
	free(client);
}

/* False: the socket takes no more. */
static bool write_h2(struct client *client)
{
	size_t taken;

	for (;;) {
		while (client->gathered_size < OUT_MOST / 2) {
			const uint8_t *bytes;
			ssize_t size = nghttp2_session_mem_send(client->session, &bytes);

			if (size < 0)
				give_up("nghttp2");
			if (size == 0)
				break;
			if ((size_t)size > OUT_MOST - client->gathered_size)
				give_up("a frame too large");
			memcpy(client->gathered + client->gathered_size, bytes, (size_t)size);
			client->gathered_size += (size_t)size;
		}
		if (client->gathered_size == 0)
			return true;
		if (SSL_write_ex(client->ssl, client->gathered, client->gathered_size, &taken) != 1) {
			if (SSL_get_error(client->ssl, 0) != SSL_ERROR_WANT_WRITE)
				give_up("write");
			return false;
		}
		client->gathered_size -= taken;
		memmove(client->gathered, client->gathered + taken, client->gathered_size);
	}
}

static void read_h2(struct client *client)
{
	unsigned turns = 16;
	size_t size;

	while (turns-- && SSL_read_ex(client->ssl, block, sizeof block, &size) == 1)
		if (nghttp2_session_mem_recv(client->session, (uint8_t *)block, size) != (ssize_t)size)
			give_up("what came");
	if (turns != (unsigned)-1 && SSL_get_error(client->ssl, 0) != SSL_ERROR_WANT_READ) {
		if (load.done < load.count)
			give_up("the connection ended");
	}
}

/* Until `done` of all is reached. A get starts others as streams end, up to `most` in all. */
static void run(struct client **some, size_t how_many, const unsigned long long *counter, unsigned long long target,
		unsigned long long most)
{
	static struct pollfd polls[CLIENTS_MOST];
	size_t i;

	for (i = 0; i < how_many; i++)
		polls[i] = (struct pollfd){.fd = some[i]->fd, .events = POLLIN};
	for (;;) {
		for (i = 0; i < how_many; i++) {
			while (load.started < most && some[i]->under_way < load.streams)
				start_one(some[i]);
			if (!polls[i].revents && some[i]->started && !nghttp2_session_want_write(some[i]->session) &&
			    !some[i]->gathered_size)
				continue;
			polls[i].events = POLLIN | (write_h2(some[i]) ? 0 : POLLOUT);
		}
		if (*counter >= target)
			return;
		if (poll(polls, how_many, 60000) <= 0)
			give_up("nothing comes for a minute");
		for (i = 0; i < how_many; i++)
			if (polls[i].revents & (POLLIN | POLLHUP | POLLERR))
				read_h2(some[i]);
	}
}

static void many(void)
{
	unsigned long long i;
	char line[16];

	for (i = 0; i < load.clients; i++)
		clients[i] = open_h2(NULL);
	if (load.verb[0] != 'g')
		load.count = load.clients * load.streams;
	if (load.hold) {
		run(clients, load.clients, &load.heads, load.count, load.count);
		puts("open");
		fflush(stdout);
		(void)!fgets(line, sizeof line, stdin);
	}
	run(clients, load.clients, &load.done, load.count, load.count);
	for (i = 0; i < load.clients; i++)
		close_h2(clients[i]);
}

/* -- one after the other -- */

static void ask_h1(SSL *ssl)
{
	char text[16384];
	size_t size = 0, one;
	int length = snprintf(text, sizeof text, "GET %s HTTP/1.1\r\nHost: %s\r\n%s\r\n",
			      load.socket ? "/echo" : "/download?bytes=1024", load.name,
			      load.socket ? "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
					    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
					  : "");
	const char *end;

	if (SSL_write_ex(ssl, text, (size_t)length, &one) != 1)
		give_up("write");
	do {
		if (size == sizeof text - 1 || SSL_read_ex(ssl, text + size, sizeof text - 1 - size, &one) != 1)
			give_up("no answer");
		size += one;
		text[size] = 0;
		end = strstr(text, "\r\n\r\n");
	} while (!end || (!load.socket && size - (size_t)(end + 4 - text) < KILO));
	if (strncmp(text + 9, load.socket ? "101" : "200", 3) != 0) {
		fprintf(stderr, "load_h2: answered by %.40s\n", text);
		exit(1);
	}
}

static void churn(void)
{
	unsigned long long i;

	load.streams = 1;
	for (i = 0; i < load.count + load.resumed; i++) {
		SSL_SESSION *session = load.resumed ? load.latest : NULL;

		if (load.version == 1) {
			SSL *ssl = open_tls("\10http/1.1", session);

			ask_h1(ssl);
			close_tls(ssl);
		} else {
			struct client *client = open_h2(session);

			run(&client, 1, &load.done, i + 1, i + 1);
			close_h2(client);
		}
	}
	if (load.were_resumed != (load.resumed ? load.count : 0))
		give_up("not all were resumed");
}

static void idle(void)
{
	unsigned long long i;
	char byte;

	load.streams = 1;
	if (load.count > CLIENTS_MOST)
		give_up("too many");
	for (i = 0; i < load.count; i++) {
		if (load.version == 1) {
			ask_h1(open_tls("\10http/1.1", NULL));
			continue;
		}
		clients[i] = open_h2(NULL);
		run(&clients[i], 1, &load.done, i + 1, i + 1);
	}
	puts("open");
	fflush(stdout);
	while (read(STDIN_FILENO, &byte, 1) > 0)
		;
}

static void take_word(const char *word)
{
	const struct {
		const char *name;
		unsigned long long *number;
	} rows[] = {{"count=", &load.count}, {"clients=", &load.clients}, {"streams=", &load.streams},
		    {"bytes=", &load.bytes}, {"window=", &load.window}, {"hold=", &load.hold},
		    {"version=", &load.version}, {"resumed=", &load.resumed}, {"socket=", &load.socket}};
	size_t i;

	for (i = 0; i < sizeof rows / sizeof *rows; i++) {
		if (strncmp(word, rows[i].name, strlen(rows[i].name)) == 0) {
			*rows[i].number = strtoull(word + strlen(rows[i].name), NULL, 10);
			return;
		}
	}
	fprintf(stderr, "load_h2: unknown word %s\n", word);
	exit(2);
}

int main(int argc, char **argv)
{
	struct rlimit files;
	int i;

	if (argc < 6) {
		fputs("usage: load_h2 PORT NAME CERT KEY get|down|up|churn|idle [word=number ...]\n", stderr);
		return 2;
	}
	(void)getrlimit(RLIMIT_NOFILE, &files);
	files.rlim_cur = files.rlim_max;
	(void)setrlimit(RLIMIT_NOFILE, &files);
	load.port = (in_port_t)strtoul(argv[1], NULL, 10);
	load.name = argv[2];
	load.verb = argv[5];
	for (i = 6; i < argc; i++)
		take_word(argv[i]);
	load.context = SSL_CTX_new(TLS_client_method());
	if (!load.context || !SSL_CTX_set_min_proto_version(load.context, TLS1_3_VERSION))
		give_up("TLS");
	if (strcmp(argv[3], "-") != 0 && (!SSL_CTX_use_certificate_chain_file(load.context, argv[3]) ||
					  !SSL_CTX_use_PrivateKey_file(load.context, argv[4], SSL_FILETYPE_PEM)))
		give_up("certificate");
	SSL_CTX_set_mode(load.context, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
	SSL_CTX_set_session_cache_mode(load.context, SSL_SESS_CACHE_CLIENT | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_sess_set_new_cb(load.context, on_session);
	if (load.clients > CLIENTS_MOST)
		give_up("too many clients");
	if (!strcmp(load.verb, "churn"))
		churn();
	else if (!strcmp(load.verb, "idle"))
		idle();
	else
		many();
	return 0;
}
