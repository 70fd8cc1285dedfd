#include "wire/http_head.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include <cmocka.h>

static struct head head;
static struct error err;
static size_t used;

static enum status parse(const char *text, enum head_kind kind)
{
	head_init(&head);
	return head_parse(span_of(text), kind, &head_limits_default, &head, &used, &err);
}

static void assert_span(struct span span, const char *text)
{
	if (!span_is(span, text))
		print_error("\"%.*s\" is not \"%s\"\n", SPAN_PRINT(span), text);
	assert_true(span_is(span, text));
}

static void a_request_is_taken_apart_where_it_lies(void **state)
{
	static const char text[] = "POST /a/b?c=d HTTP/1.1\r\nHost: Chat.example.com\r\n"
				   "Content-Length: 5\r\nX-Empty:\r\nCookie: \t a=b; c=d \t\r\n"
				   "X-Utf8: gr\xc3\xbc\xc3\x9f\tdich\r\n\r\nhello";

	(void)state;
	assert_int_equal(parse(text, REQUEST_HEAD), OK);
	assert_int_equal(used, sizeof text - 1 - 5);
	assert_int_equal(head.method, METHOD_POST);
	assert_span(head.method_name, "POST");
	assert_span(head.target, "/a/b?c=d");
	assert_span(head.path, "/a/b?c=d");
	assert_span(head.host, "Chat.example.com");
	assert_int_equal(head.minor, 1);
	assert_int_equal(head.framing, BODY_LENGTH);
	assert_int_equal(head.length, 5);
	assert_true(head.keep_alive);
	assert_int_equal(head.field_count, 5);
	assert_span(head_value(&head, FIELD_COOKIE), "a=b; c=d");
	assert_span(head_find_name(&head, "x-empty")->value, "");
	assert_span(head_find_name(&head, "X-UTF8")->value, "gr\xc3\xbc\xc3\x9f\tdich");
	assert_ptr_equal(head.method_name.at, text);
	assert_null(head_find(&head, FIELD_ACCEPT));
	assert_int_equal(head_value(&head, FIELD_ACCEPT).size, 0);
}

static void a_head_that_comes_byte_by_byte_is_the_same(void **state)
{
	static const char text[] = "\r\nGET /x HTTP/1.1\r\nHost: a\r\nAccept: */*\r\n\r\nGET /next";
	size_t whole = sizeof text - 1 - 9, size;
	char *bytes;

	(void)state;
	head_init(&head);
	for (size = 0; size < whole; size++) {
		bytes = malloc(size + 1);
		memcpy(bytes, text, size);
		assert_int_equal(head_parse(span_make(bytes, size), REQUEST_HEAD, &head_limits_default,
					    &head, &used, &err), AGAIN);
		free(bytes);
	}
	assert_int_equal(head_parse(span_make(text, sizeof text - 1), REQUEST_HEAD, &head_limits_default,
				    &head, &used, &err), OK);
	assert_int_equal(used, whole);
	assert_int_equal(head.scanned, 0);
	assert_span(head.path, "/x");
}

static void an_answer_that_comes_byte_by_byte_is_the_same(void **state)
{
	static const char text[] = "HTTP/1.1 404 Not Found\r\nServer: x\r\nContent-Length: 0\r\n\r\n";
	size_t size;

	(void)state;
	head_init(&head);
	for (size = 0; size < sizeof text - 1; size++)
		assert_int_equal(head_parse(span_make(text, size), ANSWER_HEAD, &head_limits_default,
					    &head, &used, &err), AGAIN);
	assert_int_equal(head_parse(span_of(text), ANSWER_HEAD, &head_limits_default, &head, &used, &err), OK);
	assert_int_equal(head.code, 404);
	assert_span(head.reason, "Not Found");
}

static void bad_bytes_are_refused_before_the_head_is_whole(void **state)
{
	(void)state;
	assert_int_equal(parse("\x16\x03\x01\x02", REQUEST_HEAD), REFUSED);
	assert_int_equal(head.refusal, HEAD_BAD);
	head_init(&head);
	assert_int_equal(head_parse(SPAN("GET / HTTP/1.1\r"), REQUEST_HEAD, &head_limits_default, &head, &used,
				    &err), AGAIN);
	assert_int_equal(head_parse(SPAN("GET / HTTP/1.1\r\nHost: a\n"), REQUEST_HEAD, &head_limits_default,
				    &head, &used, &err), REFUSED);
	assert_int_equal(head.scanned, 0);
}

static void the_absolute_form_must_agree_with_host(void **state)
{
	(void)state;
	assert_int_equal(parse("GET http://A.example/x?y HTTP/1.1\r\nHost: a.example\r\n\r\n", REQUEST_HEAD), OK);
	assert_span(head.path, "/x?y");
	assert_span(head.target, "http://A.example/x?y");
	assert_span(head.host, "a.example");
	assert_int_equal(parse("GET HTTPS://a:1 HTTP/1.1\r\nHost: a:1\r\n\r\n", REQUEST_HEAD), OK);
	assert_span(head.path, "/");
	assert_int_equal(parse("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n", REQUEST_HEAD), REFUSED);
	assert_string_equal(err.text, "Host differs from the request target");
	assert_int_equal(parse("GET http://a/ HTTP/1.0\r\n\r\n", REQUEST_HEAD), OK);
	assert_span(head.host, "a");
	assert_int_equal(parse("OPTIONS * HTTP/1.1\r\nHost: b\r\n\r\n", REQUEST_HEAD), OK);
	assert_span(head.path, "*");
}

static void keep_alive_follows_version_and_connection(void **state)
{
	static const struct {
		const char *text;
		bool keep_alive;
	} cases[] = {
		{"GET / HTTP/1.1\r\nHost: a\r\n\r\n", true},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: Close\r\n\r\n", false},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: keep-alive, close\r\n\r\n", false},
		{"GET / HTTP/1.1\r\nHost: a\r\nConnection: x\r\nConnection: close\r\n\r\n", false},
		{"GET / HTTP/1.0\r\nHost: a\r\n\r\n", false},
		{"GET / HTTP/1.0\r\nConnection: Keep-Alive\r\n\r\n", true},
		{"GET / HTTP/1.0\r\nConnection: keep-alive, close\r\n\r\n", false},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(parse(cases[i].text, REQUEST_HEAD), OK);
		assert_int_equal(head.keep_alive, cases[i].keep_alive);
	}
}

static void what_connection_names_is_marked_hop_by_hop(void **state)
{
	(void)state;
	assert_int_equal(parse("GET / HTTP/1.1\r\nX-One: 1\r\nHost: a\r\nConnection: x-ONE , ,keep-alive,X-Three\r\n"
			       "X-Two: 2\r\nX-Three: 3\r\nx_one: 4\r\n\r\n", REQUEST_HEAD), OK);
	assert_true(head.fields[0].flags & FIELD_HOP_BY_HOP);
	assert_false(head_find_name(&head, "X-Two")->flags & FIELD_HOP_BY_HOP);
	assert_true(head_find_name(&head, "X-Three")->flags & FIELD_HOP_BY_HOP);
	assert_false(head_find_name(&head, "x_one")->flags & FIELD_HOP_BY_HOP);
	assert_true(head.keep_alive);
}

static void expect_is_for_requests_with_a_body(void **state)
{
	(void)state;
	assert_int_equal(parse("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-Continue\r\nContent-Length: 1\r\n\r\n",
			       REQUEST_HEAD), OK);
	assert_true(head.expects_continue);
	assert_int_equal(parse("PUT / HTTP/1.1\r\nHost: a\r\nExpect: 100-continue\r\n\r\n", REQUEST_HEAD), OK);
	assert_false(head.expects_continue);
	assert_int_equal(parse("PUT / HTTP/1.0\r\nHost: a\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n",
			       REQUEST_HEAD), OK);
	assert_false(head.expects_continue);
}

#define WEBSOCKET                                                                                  \
	"Upgrade: WebSocket\r\nConnection: keep-alive, Upgrade\r\nSec-WebSocket-Version: 13\r\n"
#define KEY "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

static void a_whole_websocket_request_is_one(void **state)
{
	(void)state;
	assert_int_equal(parse("GET /ws HTTP/1.1\r\nHost: a\r\n" WEBSOCKET KEY "\r\n", REQUEST_HEAD), OK);
	assert_true(head.is_websocket);
	assert_true(head_find(&head, FIELD_UPGRADE)->flags & FIELD_HOP_BY_HOP);
	/* Upgrade without Connection: upgrade, or to something else, is no upgrade. */
	assert_int_equal(parse("GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n" KEY "\r\n", REQUEST_HEAD), OK);
	assert_false(head.is_websocket);
	assert_int_equal(parse("GET / HTTP/1.1\r\nHost: a\r\nConnection: Upgrade, HTTP2-Settings\r\n"
			       "Upgrade: h2c\r\nHTTP2-Settings: AAMAAABk\r\n\r\n", REQUEST_HEAD), OK);
	assert_false(head.is_websocket);
	assert_true(head_find(&head, FIELD_HTTP2_SETTINGS)->flags & FIELD_HOP_BY_HOP);
}

static void half_a_websocket_request_is_refused(void **state)
{
	static const char *const requests[] = {
		"GET /ws HTTP/1.1\r\nHost: a\r\n" WEBSOCKET "\r\n",
		"GET /ws HTTP/1.1\r\nHost: a\r\n" WEBSOCKET KEY KEY "\r\n",
		"GET /ws HTTP/1.1\r\nHost: a\r\n" WEBSOCKET "Sec-WebSocket-Key: short\r\n\r\n",
		"GET /ws HTTP/1.0\r\nHost: a\r\n" WEBSOCKET KEY "\r\n",
		"POST /ws HTTP/1.1\r\nHost: a\r\n" WEBSOCKET KEY "\r\n",
		"GET /ws HTTP/1.1\r\nHost: a\r\nContent-Length: 9\r\n" WEBSOCKET KEY "\r\n",
		"GET /ws HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n" WEBSOCKET KEY "\r\n",
		"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: h2c\r\n" WEBSOCKET KEY "\r\n",
		"GET /ws HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
		"Sec-WebSocket-Version: 8\r\n" KEY "\r\n",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof requests / sizeof *requests; i++)
		assert_int_equal(parse(requests[i], REQUEST_HEAD), REFUSED);
}

static void only_an_asked_for_101_switches(void **state)
{
	static const char text[] = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n"
				   "Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n";

	(void)state;
	assert_int_equal(parse(text, ANSWER_HEAD), OK);
	assert_int_equal(head_answer_framing(&head, METHOD_GET, true, &err), OK);
	assert_int_equal(head.framing, BODY_NONE);
	assert_int_equal(head_answer_framing(&head, METHOD_GET, false, &err), REFUSED);
	assert_int_equal(parse("HTTP/1.1 101 x\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n", ANSWER_HEAD), OK);
	assert_int_equal(head_answer_framing(&head, METHOD_GET, true, &err), REFUSED);
	assert_string_equal(err.text, "the answer 101 takes up no WebSocket that was asked for");
}

static void an_answer_ends_where_its_framing_says(void **state)
{
	static const struct {
		const char *text;
		enum method asked;
		int status, framing;
		bool keep_alive;
	} cases[] = {
		{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", METHOD_GET, OK, BODY_LENGTH, true},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", METHOD_GET, OK, BODY_CHUNKED, true},
		{"HTTP/1.1 200 OK\r\n\r\n", METHOD_GET, OK, BODY_UNTIL_CLOSE, false},
		{"HTTP/1.1 200\r\nContent-Length: 0\r\n\r\n", METHOD_GET, OK, BODY_LENGTH, true},
		{"HTTP/1.1 200 \r\n\r\n", METHOD_HEAD, OK, BODY_NONE, true},
		{"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\n", METHOD_HEAD, OK, BODY_NONE, true},
		{"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n", METHOD_HEAD, OK, BODY_NONE, true},
		{"HTTP/1.1 304 Not Modified\r\nContent-Length: 3\r\n\r\n", METHOD_GET, OK, BODY_NONE, true},
		{"HTTP/1.1 204 No Content\r\n\r\n", METHOD_GET, OK, BODY_NONE, true},
		{"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\n\r\n", METHOD_GET, OK, BODY_NONE, true},
		{"HTTP/1.1 204 No Content\r\nContent-Length: 1\r\n\r\n", METHOD_GET, REFUSED, BODY_NONE, true},
		{"HTTP/1.1 204 No Content\r\nTransfer-Encoding: chunked\r\n\r\n", METHOD_GET, REFUSED, BODY_NONE, true},
		{"HTTP/1.1 100 Continue\r\n\r\n", METHOD_GET, OK, BODY_NONE, true},
		{"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n", METHOD_GET, OK, BODY_NONE, true},
		{"HTTP/1.1 103 Early Hints\r\nContent-Length: 4\r\n\r\n", METHOD_GET, REFUSED, BODY_NONE, true},
		{"HTTP/1.0 200 OK\r\nContent-Length: 3\r\n\r\n", METHOD_GET, OK, BODY_LENGTH, false},
		{"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\nContent-Length: 3\r\n\r\n", METHOD_GET, OK, BODY_LENGTH, true},
		{"HTTP/1.0 200 OK\r\nConnection: keep-alive\r\n\r\n", METHOD_GET, OK, BODY_UNTIL_CLOSE, false},
		{"HTTP/1.1 200 OK\r\nConnection: close\r\nContent-Length: 3\r\n\r\n", METHOD_GET, OK, BODY_LENGTH, false},
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(parse(cases[i].text, ANSWER_HEAD), OK);
		assert_int_equal(head_answer_framing(&head, cases[i].asked, false, &err), cases[i].status);
		assert_int_equal(head.framing, cases[i].framing);
		if (cases[i].status == OK)
			assert_int_equal(head.keep_alive, cases[i].keep_alive);
	}
}

static void ceilings_answer_with_their_own_status(void **state)
{
	static char text[40000];
	size_t size, i;

	(void)state;
	size = (size_t)sprintf(text, "GET /");
	memset(text + size, 'a', 8192);
	assert_int_equal(head_parse(span_make(text, size + 8192), REQUEST_HEAD, &head_limits_default, &head,
				    &used, &err), REFUSED);
	assert_int_equal(head.refusal, HEAD_URI_TOO_LONG);

	size = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\nCookie: ");
	memset(text + size, 'a', sizeof text - size);
	head_init(&head);
	assert_int_equal(head_parse(span_make(text, 16383), REQUEST_HEAD, &head_limits_default, &head, &used,
				    &err), AGAIN);
	assert_int_equal(head_parse(span_make(text, 16384), REQUEST_HEAD, &head_limits_default, &head, &used,
				    &err), REFUSED);
	assert_int_equal(head.refusal, HEAD_TOO_LARGE);

	/* A head that is whole but too large is refused as well. */
	memcpy(text + 20000, "\r\n\r\n", 4);
	assert_int_equal(head_parse(span_make(text, 20004), REQUEST_HEAD, &head_limits_default, &head, &used,
				    &err), REFUSED);
	assert_int_equal(head.refusal, HEAD_TOO_LARGE);

	size = (size_t)sprintf(text, "GET / HTTP/1.1\r\nHost: a\r\n");
	for (i = 0; i < 99; i++)
		size += (size_t)sprintf(text + size, "A: b\r\n");
	sprintf(text + size, "\r\n");
	assert_int_equal(parse(text, REQUEST_HEAD), OK);
	assert_int_equal(head.field_count, 100);
	sprintf(text + size, "A: b\r\n\r\n");
	assert_int_equal(parse(text, REQUEST_HEAD), REFUSED);
	assert_int_equal(head.refusal, HEAD_TOO_LARGE);
}

static void trailers_are_read_by_the_same_rules(void **state)
{
	(void)state;
	head_init(&head);
	assert_int_equal(head_parse_trailers(SPAN("\r\nGET /"), &trailer_limits, &head, &used, &err), OK);
	assert_int_equal(used, 2);
	assert_int_equal(head.field_count, 0);
	assert_int_equal(head_parse_trailers(SPAN("\r"), &trailer_limits, &head, &used, &err), AGAIN);
	assert_int_equal(head_parse_trailers(SPAN("\r\n"), &trailer_limits, &head, &used, &err), OK);
	assert_int_equal(head_parse_trailers(SPAN("X-Sum: 1\r\nx_ssl_client_verify: SUCCESS\r\nSet-Cookie: a\r\n\r\n"),
					     &trailer_limits, &head, &used, &err), OK);
	assert_int_equal(head.field_count, 3);
	assert_int_equal(head.fields[0].flags, 0);
	assert_true(head.fields[1].flags & FIELD_IDENTITY);
	assert_true(head.fields[2].flags & FIELD_HOP_BY_HOP);
	assert_int_equal(head_parse_trailers(SPAN("Content-Length: 1\r\n\r\n"), &trailer_limits, &head, &used,
					     &err), REFUSED);
	assert_string_equal(err.text, "a trailer frames the message");
	assert_int_equal(head_parse_trailers(SPAN("transfer_encoding: x\r\n\r\n"), &trailer_limits, &head, &used,
					     &err), REFUSED);
	assert_int_equal(head_parse_trailers(SPAN("A: 1\n\n"), &trailer_limits, &head, &used, &err), REFUSED);
}

static void lists_are_searched_by_element(void **state)
{
	(void)state;
	assert_int_equal(parse("GET / HTTP/1.1\r\nHost: a\r\nAccept: text/html;q=0.9 , ,application/json\r\n\r\n",
			       REQUEST_HEAD), OK);
	assert_true(head_lists(&head, FIELD_ACCEPT, "application/json"));
	assert_true(head_lists(&head, FIELD_ACCEPT, "TEXT/html"));
	assert_false(head_lists(&head, FIELD_ACCEPT, "text"));
	assert_false(head_lists(&head, FIELD_ACCEPT, "q=0.9"));
	assert_false(head_lists(&head, FIELD_VARY, "text/html"));
}

static void a_head_moves_with_its_bytes(void **state)
{
	static const char text[] = "GET http://a HTTP/1.1\r\nHost: a\r\nX-Y: z\r\n\r\n";
	char first[sizeof text], second[sizeof text];

	(void)state;
	memcpy(first, text, sizeof text);
	assert_int_equal(parse(first, REQUEST_HEAD), OK);
	memcpy(second, first, used);
	head_move(&head, span_make(first, used), second);
	memset(first, 'x', sizeof first);
	assert_span(head.host, "a");
	assert_span(head.path, "/");
	assert_span(head.method_name, "GET");
	assert_span(head.fields[1].name, "X-Y");
	assert_span(head.fields[1].value, "z");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_request_is_taken_apart_where_it_lies),
		cmocka_unit_test(a_head_that_comes_byte_by_byte_is_the_same),
		cmocka_unit_test(an_answer_that_comes_byte_by_byte_is_the_same),
		cmocka_unit_test(bad_bytes_are_refused_before_the_head_is_whole),
		cmocka_unit_test(the_absolute_form_must_agree_with_host),
		cmocka_unit_test(keep_alive_follows_version_and_connection),
		cmocka_unit_test(what_connection_names_is_marked_hop_by_hop),
		cmocka_unit_test(expect_is_for_requests_with_a_body),
		cmocka_unit_test(a_whole_websocket_request_is_one),
		cmocka_unit_test(half_a_websocket_request_is_refused),
		cmocka_unit_test(only_an_asked_for_101_switches),
		cmocka_unit_test(an_answer_ends_where_its_framing_says),
		cmocka_unit_test(ceilings_answer_with_their_own_status),
		cmocka_unit_test(trailers_are_read_by_the_same_rules),
		cmocka_unit_test(lists_are_searched_by_element),
		cmocka_unit_test(a_head_moves_with_its_bytes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
