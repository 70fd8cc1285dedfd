#include "http/http_house.h"

#include "http/client_h1.h"

static char out[20000];

static const char *write_request(const char *text, const struct client_request *like)
{
	static struct head head;
	struct client_request request = like ? *like : (struct client_request){0};
	struct client_h1 client;
	struct error err = {""};
	char room[4096];
	struct target target;
	size_t used;

	head_init(&head);
	assert_int_equal(head_parse(span_of(text), REQUEST_HEAD, &head_limits_default, &head, &used, &err),
			 OK);
	assert_int_equal(target_parse(head.path, room, sizeof room, &target, &err), OK);
	request.head = &head;
	request.target = target.path;
	request.host = head.host;
	client_h1_init(&client);
	assert_int_equal(client_h1_request(&client, &request, out, sizeof out - 1, &err), OK);
	out[client.framer.front.size] = 0;
	return out;
}

static void a_request_is_written_anew(void **state)
{
	struct client_request request = {.prepared = {SPAN("X-Real-IP: 1.2.3.4\r\n"),
						      SPAN("X-Chatelaine-Person: alice\r\n")}};

	(void)state;
	assert_string_equal(write_request("GET /a/%62/../c HTTP/1.1\r\nhost: Chat.example\r\nX-A:  b \r\n"
					  "Connection: keep-alive, x-drop\r\nX-Drop: 1\r\nTE: trailers\r\n"
					  "Keep-Alive: 5\r\nProxy-Connection: x\r\nExpect: 100-continue\r\n"
					  "Content-Length: 7\r\n\r\n",
					  &request),
			    "GET /a/c HTTP/1.1\r\nHost: Chat.example\r\nX-A: b\r\n"
			    "Connection: TE\r\nTE: trailers\r\nContent-Length: 7\r\nX-Real-IP: 1.2.3.4\r\n"
			    "X-Chatelaine-Person: alice\r\n\r\n");
	assert_string_equal(write_request("POST / HTTP/1.0\r\nHost: x\r\nContent-Length: 0\r\n\r\n", NULL),
			    "POST / HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
	request = (struct client_request){.upgrade = true};
	assert_string_equal(write_request("GET /ws HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
					  "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
					  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
					  &request),
			    "GET /ws HTTP/1.1\r\nHost: x\r\nSec-WebSocket-Version: 13\r\n"
			    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
			    "Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n");
}

static void identity_never_goes_on(void **state)
{
	static const char *const spellings[] = {
		"X-SSL-Client-Cert", "x_ssl_client_cert", "X.SSL.Client.Verify", "Client-Cert",
		"x-chatelaine-Device", "X-Chatelaine_Person", "Ssl-Client", "SSL_CLIENT_VERIFY",
		"X-Forwarded-Client-Cert", "x-ssl-client-cert-subject-dn",
	};
	char text[256];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof spellings / sizeof *spellings; i++) {
		snprintf(text, sizeof text, "GET / HTTP/1.1\r\nHost: x\r\n%s: admin\r\n\r\n", spellings[i]);
		assert_string_equal(write_request(text, NULL), "GET / HTTP/1.1\r\nHost: x\r\n\r\n");
	}
}

static void a_head_that_does_not_fit_is_refused(void **state)
{
	struct head head;
	struct client_h1 client;
	struct client_request request = {.head = &head, .target = SPAN("/"), .host = SPAN("x")};
	struct error err;
	size_t used;

	(void)state;
	head_init(&head);
	assert_int_equal(head_parse(SPAN("GET / HTTP/1.1\r\nHost: x\r\n\r\n"), REQUEST_HEAD,
				    &head_limits_default, &head, &used, &err),
			 OK);
	client_h1_init(&client);
	assert_int_equal(client_h1_request(&client, &request, out, 26, &err), REFUSED);
	assert_string_equal(err.text, "the request's head with what we add is over 26 bytes");
	assert_int_equal(client_h1_request(&client, &request, out, 27, &err), OK);
}

static void bodies_go_out_the_same_whatever_is_taken(void **state)
{
	static const char *const want =
		"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n"
		"3\r\nabc\r\nd\r\ndefghijklmnop\r\n0\r\nX-T: 1\r\n\r\n";
	struct head head;
	size_t step;

	(void)state;
	for (step = 1; step < 40; step++) {
		struct client_request request = {.head = &head, .target = SPAN("/"), .host = SPAN("x")};
		struct span data = SPAN("abc"), rest = SPAN("defghijklmnop");
		struct iovec parts[FRAMER_PARTS];
		struct client_h1 client;
		struct error err;
		char sent[200];
		size_t size = 0, used;
		bool second = false;

		head_init(&head);
		assert_int_equal(head_parse(SPAN("POST / HTTP/1.1\r\nHost: x\r\n"
						 "Transfer-Encoding: chunked\r\n\r\n"),
					    REQUEST_HEAD, &head_limits_default, &head, &used, &err),
				 OK);
		client_h1_init(&client);
		assert_int_equal(client_h1_request(&client, &request, out, sizeof out, &err), OK);
		while (!client_h1_is_sent(&client)) {
			int count = client_h1_gather(&client, data, second, SPAN("X-T: 1\r\n"), parts), i;
			size_t left = step, taken = 0;

			for (i = 0; i < count && left > 0; i++) {
				size_t part = parts[i].iov_len < left ? parts[i].iov_len : left;

				memcpy(sent + size, parts[i].iov_base, part);
				size += part;
				left -= part;
				taken += part;
			}
			if (count == 0) {
				assert_false(second);
				data = rest;
				second = true;
				continue;
			}
			span_skip(&data, client_h1_took(&client, taken));
		}
		sent[size] = 0;
		assert_string_equal(sent, want);
	}
}

struct reading {
	struct buffer told;
	bool reusable, over;
};

/* Feed `text` in pieces, keep what is not used, as a relay does. */
static enum status read_answer(const char *text, size_t piece, enum method method, bool close,
			       struct reading *reading)
{
	static struct head answer;
	struct client_h1 client;
	struct client_event event;
	struct error err;
	char memory[4096];
	size_t size = 0, at = 0, total = strlen(text);

	buffer_init(&reading->told, 65536);
	head_init(&answer);
	client_h1_init(&client);
	framer_init(&client.framer, FRAME_NOTHING, 0);
	client.method = (uint8_t)method;
	for (;;) {
		size_t part = total - at < piece ? total - at : piece, used = 0;

		memcpy(memory + size, text + at, part);
		at += part;
		size += part;
		do {
			if (client_h1_read(&client, memory, size, &used, &answer, &event, &err) != OK) {
				buffer_printf(&reading->told, "!%s", err.text);
				return REFUSED;
			}
			if (event.news == NEWS_INTERIM || event.news == NEWS_ANSWER)
				buffer_printf(&reading->told, "%u ", answer.code);
			buffer_add(&reading->told, event.bytes);
			if (event.last || event.news == NEWS_OVER) {
				buffer_printf(&reading->told, ".");
				buffer_add(&reading->told, event.trailers);
				reading->over = true;
			}
		} while (event.news != NEWS_NONE && !reading->over);
		size -= used;
		memmove(memory, memory + used, size);
		if (at == total)
			break;
	}
	if (close && client_h1_closed(&client, &err) != OK) {
		buffer_printf(&reading->told, "!%s", err.text);
		return REFUSED;
	}
	reading->reusable = client_h1_is_reusable(&client);
	return OK;
}

static void answers_are_told_the_same_at_every_split(void **state)
{
	static const struct {
		const char *text, *told;
		enum method method;
		bool close, reusable;
	} cases[] = {
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello", "200 hello.", METHOD_GET, false, true},
		{"HTTP/1.1 200 OK\r\nContent-Length: 0\r\n\r\n", "200 .", METHOD_GET, false, true},
		{"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n", "200 .", METHOD_HEAD, false, true},
		{"HTTP/1.1 204 No\r\n\r\n", "204 .", METHOD_GET, false, true},
		{"HTTP/1.1 304 No\r\nContent-Length: 7\r\n\r\n", "304 .", METHOD_GET, false, true},
		{"HTTP/1.1 103 Hints\r\nLink: x\r\n\r\nHTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\na",
		 "103 200 a.", METHOD_GET, false, true},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n",
		 "200 hello world.", METHOD_GET, false, true},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n0\r\nX: y\r\n\r\n",
		 "200 a.X: y\r\n", METHOD_GET, false, true},
		{"HTTP/1.1 200 OK\r\n\r\nuntil the end", "200 until the end", METHOD_GET, true, false},
		{"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 1\r\n\r\na", "200 a.", METHOD_GET,
		 false, false},
		{"HTTP/1.0 200 OK\r\nContent-Length: 1\r\n\r\na", "200 a.", METHOD_GET, false, false},
	};
	size_t i, piece;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		for (piece = 1; piece <= strlen(cases[i].text); piece++) {
			struct reading reading = {0};

			assert_int_equal(read_answer(cases[i].text, piece, cases[i].method,
						     cases[i].close, &reading),
					 OK);
			assert_string_equal(buffer_text(&reading.told), cases[i].told);
			assert_int_equal(reading.reusable, cases[i].reusable);
			buffer_release(&reading.told);
		}
	}
}

static void a_byte_behind_the_answer_is_seen(void **state)
{
	struct reading reading = {0};

	(void)state;
	assert_int_equal(read_answer("HTTP/1.1 200 OK\r\nContent-Length: 1\r\n\r\naX", 100, METHOD_GET,
				     false, &reading),
			 OK);
	assert_true(reading.over);
	assert_false(reading.reusable);
	buffer_release(&reading.told);
}

static void garbage_is_refused(void **state)
{
	static const char *const bad[] = {
		"HTTP/1.1 200 OK\nContent-Length: 1\n\na",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\na",
		"HTTP/1.1 200 OK\r\nContent-Length: 1\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
		"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
		"HTTP/1.1 101 Sure\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n\r\n",
		"HTTP/1.1 200 OK\r\nX : a\r\n\r\n",
		"HTTP/1.1 2000 OK\r\n\r\n",
		"hello\r\n\r\n",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof *bad; i++) {
		struct reading reading = {0};

		if (read_answer(bad[i], 1000, METHOD_GET, false, &reading) != REFUSED)
			fail_msg("taken: %s", bad[i]);
		buffer_release(&reading.told);
	}
}

static void an_early_end_is_no_answer(void **state)
{
	struct reading reading = {0};

	(void)state;
	assert_int_equal(read_answer("HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhe", 9, METHOD_GET, true,
				     &reading),
			 REFUSED);
	assert_string_equal(buffer_text(&reading.told), "200 he!closed in the middle of an answer");
	buffer_release(&reading.told);
	assert_int_equal(read_answer("HTTP/1.1 2", 9, METHOD_GET, true, &reading), REFUSED);
	assert_string_equal(buffer_text(&reading.told), "!closed before an answer");
	buffer_release(&reading.told);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_written_anew),
		cmocka_unit_test(identity_never_goes_on),
		cmocka_unit_test(a_head_that_does_not_fit_is_refused),
		cmocka_unit_test(bodies_go_out_the_same_whatever_is_taken),
		cmocka_unit_test(answers_are_told_the_same_at_every_split),
		cmocka_unit_test(a_byte_behind_the_answer_is_seen),
		cmocka_unit_test(garbage_is_refused),
		cmocka_unit_test(an_early_end_is_no_answer),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
