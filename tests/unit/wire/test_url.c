#include "wire/url.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct error err;

static void an_upstream_is_scheme_host_and_port(void **state)
{
	static const struct {
		const char *text, *host;
		enum url_scheme scheme;
		enum host_kind kind;
		uint16_t port;
		const char *written;
	} cases[] = {
		{"http://127.0.0.1:3000", "127.0.0.1", URL_HTTP, HOST_IPV4, 3000, "http://127.0.0.1:3000"},
		{"http://app.internal", "app.internal", URL_HTTP, HOST_DNS, 80, "http://app.internal"},
		{"HTTPS://App.Internal/", "app.internal", URL_HTTPS, HOST_DNS, 443, "https://app.internal"},
		{"https://[::1]:8443/", "::1", URL_HTTPS, HOST_IPV6, 8443, "https://[::1]:8443"},
		{"http://localhost:80", "localhost", URL_HTTP, HOST_DNS, 80, "http://localhost"},
		{"https://localhost:80", "localhost", URL_HTTPS, HOST_DNS, 80, "https://localhost:80"},
	};
	char text[URL_TEXT_SIZE];
	struct url url;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(url_parse(span_of(cases[i].text), &url, &err), OK);
		assert_int_equal(url.scheme, cases[i].scheme);
		assert_string_equal(url.host.text, cases[i].host);
		assert_int_equal(url.host.kind, cases[i].kind);
		assert_int_equal(url.port, cases[i].port);
		url_text(&url, text);
		assert_string_equal(text, cases[i].written);
	}
}

static void a_unix_socket_is_a_path(void **state)
{
	char text[URL_TEXT_SIZE], path[140];
	struct url url;

	(void)state;
	assert_int_equal(url_parse(SPAN("unix:/run/app.sock"), &url, &err), OK);
	assert_int_equal(url.scheme, URL_UNIX);
	assert_string_equal(url.path, "/run/app.sock");
	url_text(&url, text);
	assert_string_equal(text, "unix:/run/app.sock");
	memset(path, 'a', sizeof path);
	memcpy(path, "unix:/", 6);
	assert_int_equal(url_parse(span_make(path, 5 + 107), &url, &err), OK);
	assert_int_equal(url_parse(span_make(path, 5 + 108), &url, &err), REFUSED);
}

static void a_wrong_upstream_is_told_the_right_one(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"ws://a:1", "write http:// instead of ws://; WebSockets go the same way"},
		{"wss://a:1", "write https:// instead of wss://; WebSockets go the same way"},
		{"127.0.0.1:3000", "expected http://HOST:PORT, https://HOST:PORT or unix:/absolute/path"},
		{"", "expected http://HOST:PORT, https://HOST:PORT or unix:/absolute/path"},
		{"http:/a", "expected http://HOST:PORT, https://HOST:PORT or unix:/absolute/path"},
		{"http://unix:/run/a.sock", "a Unix socket is written unix:/absolute/path"},
		{"unix:run/a.sock", "a Unix socket is written unix:/absolute/path"},
		{"unix:", "a Unix socket is written unix:/absolute/path"},
		{"http://a/chat", "an upstream has no path: requests keep the path that the client asked for"},
		{"http://a?b", "an upstream has no query and no fragment"},
		{"http://a/#b", "an upstream has no query and no fragment"},
		{"http://user:word@a", "an upstream has no user name or password"},
	};
	char expected[256];
	struct url url;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		snprintf(expected, sizeof expected, "\"%s\": %s", cases[i].text, cases[i].why);
		assert_int_equal(url_parse(span_of(cases[i].text), &url, &err), REFUSED);
		assert_string_equal(err.text, expected);
	}
	assert_int_equal(url_parse(SPAN("http://"), &url, &err), REFUSED);
	assert_string_equal(err.text, "\"\" is no host name: it is empty");
	assert_int_equal(url_parse(SPAN("http://a:99999"), &url, &err), REFUSED);
	assert_string_equal(err.text, "\"a:99999\" is no host name: its port is not a number from 1 to 65535");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_upstream_is_scheme_host_and_port),
		cmocka_unit_test(a_unix_socket_is_a_path),
		cmocka_unit_test(a_wrong_upstream_is_told_the_right_one),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
