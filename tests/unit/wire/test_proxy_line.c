#include "wire/proxy_line.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>

#include <cmocka.h>

#define V2 "\r\n\r\n\0\r\nQUIT\n"

static struct error err;

/* On memory of exactly that size, so that a sanitizer sees every byte read too much. */
static enum status parse(const char *at, size_t size, struct proxy_line *line, size_t *used)
{
	char *copy = malloc(size ? size : 1);
	enum status status;

	assert_non_null(copy);
	memcpy(copy, at, size);
	err.text[0] = 0;
	*used = 0;
	status = proxy_line_parse(span_make(copy, size), line, used, &err);
	free(copy);
	return status;
}

/* However it is cut, the parts before its end say AGAIN, and what follows does not matter. */
static void accept_at_every_split(const char *at, size_t size, const char *client, uint16_t port)
{
	char text[ADDRESS_TEXT_SIZE], more[4096];
	struct proxy_line line;
	size_t cut, used;

	for (cut = 0; cut < size; cut++)
		assert_int_equal(parse(at, cut, &line, &used), AGAIN);
	memcpy(more, at, size);
	memset(more + size, 0x16, 64);
	for (cut = 0; cut <= 64; cut++) {
		assert_int_equal(parse(more, size + cut, &line, &used), OK);
		assert_int_equal(used, size);
		assert_int_equal(line.has_client, client != NULL);
		if (!client)
			continue;
		address_ip_text(&line.client, text);
		assert_string_equal(text, client);
		assert_int_equal(address_port(&line.client), port);
	}
}

static void accept_text(const char *text, const char *client, uint16_t port)
{
	accept_at_every_split(text, strlen(text), client, port);
}

static void refuse(const char *at, size_t size, const char *why)
{
	struct proxy_line line;
	size_t used;

	assert_int_equal(parse(at, size, &line, &used), REFUSED);
	assert_string_equal(err.text, why);
}

static void refuse_text(const char *text, const char *why)
{
	refuse(text, strlen(text), why);
}

static void version_1_names_a_client(void **state)
{
	(void)state;
	accept_text("PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\r\n", "192.0.2.7", 4711);
	accept_text("PROXY TCP6 2001:db8::7 2001:db8::1 65535 0\r\n", "2001:db8::7", 65535);
	accept_text("PROXY TCP6 ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff 65535 65535\r\n",
		    "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", 65535);
	accept_text("PROXY UNKNOWN\r\n", NULL, 0);
	accept_text("PROXY UNKNOWN ffff::1 whatever it says\r\n", NULL, 0);
}

static void version_1_is_exactly_one_line(void **state)
{
	char longest[200] = "PROXY UNKNOWN ";

	(void)state;
	memset(longest + 14, 'a', 150);
	refuse_text(longest, "PROXY: no end of the line within 107 bytes");
	memcpy(longest + 105, "\r\n", 3);
	accept_text(longest, NULL, 0);
	memcpy(longest + 105, "a\r\n", 4);
	refuse_text(longest, "PROXY: no end of the line within 107 bytes");
	refuse_text("PROXY TCP4 192.0.2.7 198.51.100.1 4711 443\n", "PROXY: the line does not end with CRLF");
	refuse_text("PROXY \n", "PROXY: the line does not end with CRLF");
	refuse_text("PROXY TCP5 192.0.2.7 198.51.100.1 1 2\r\n", "PROXY: the family is not TCP4, TCP6 or UNKNOWN");
	refuse_text("PROXY \r\n", "PROXY: the family is not TCP4, TCP6 or UNKNOWN");
	refuse_text("PROXY  TCP4 192.0.2.7 198.51.100.1 1 2\r\n", "PROXY: the family is not TCP4, TCP6 or UNKNOWN");
	refuse_text("PROXY TCP4 192.0.2.7 198.51.100.1 1\r\n", "PROXY: two addresses and two ports are needed");
	refuse_text("PROXY TCP4 192.0.2.7 198.51.100.1 1 2 3\r\n", "PROXY: something stands behind the ports");
	refuse_text("PROXY TCP4 192.0.2.7 198.51.100.1 1 2 \r\n", "PROXY: something stands behind the ports");
	refuse_text("PROXY TCP4 192.0.2.7  198.51.100.1 1\r\n", "PROXY: an address is none of its family");
	refuse_text("PROXY TCP4 2001:db8::7 2001:db8::1 1 2\r\n", "PROXY: an address is none of its family");
	refuse_text("PROXY TCP6 192.0.2.7 198.51.100.1 1 2\r\n", "PROXY: an address is none of its family");
	refuse_text("PROXY TCP6 [2001:db8::7] 2001:db8::1 1 2\r\n", "PROXY: an address is none of its family");
	refuse_text("PROXY TCP4 192.0.2.07x 198.51.100.1 1 2\r\n", "PROXY: an address is none of its family");
	refuse_text("PROXY TCP4 192.0.2.7 198.51.100.1 01 2\r\n", "PROXY: a port is none");
	refuse_text("PROXY TCP4 192.0.2.7 198.51.100.1 +1 2\r\n", "PROXY: a port is none");
	refuse_text("PROXY TCP4 192.0.2.7 198.51.100.1 65536 2\r\n", "PROXY: a port is none");
	refuse_text("PROXY TCP4 192.0.2.7 198.51.100.1 1 2\t\r\n", "PROXY: a port is none");
}

static void version_2_names_a_client(void **state)
{
	static const char four[] = V2 "\x21\x11\0\x0c\xc0\0\2\7\xc6\x33\x64\1\x12\x67\1\xbb";
	static const char six[] = V2 "\x21\x21\0\x24 \1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\7 \1\r\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x12\x67\1\xbb";

	(void)state;
	accept_at_every_split(four, sizeof four - 1, "192.0.2.7", 4711);
	accept_at_every_split(six, sizeof six - 1, "2001:db8::7", 4711);
}

static void version_2_skips_what_it_need_not_know(void **state)
{
	static const char tlvs[] = V2 "\x21\x11\0\x16\xc0\0\2\7\xc6\x33\x64\1\x12\x67\1\xbb\1\0\4junk\4\0\0";
	static const char local[] = V2 "\x20\0\0\0";
	static const char local_with_bytes[] = V2 "\x20\x11\0\3abc";
	static const char unspecified[] = V2 "\x21\0\0\3abc";
	char local_socket[16 + 216] = V2 "\x21\x31\0\xd8";

	(void)state;
	accept_at_every_split(tlvs, sizeof tlvs - 1, "192.0.2.7", 4711);
	accept_at_every_split(local, sizeof local - 1, NULL, 0);
	accept_at_every_split(local_with_bytes, sizeof local_with_bytes - 1, NULL, 0);
	accept_at_every_split(unspecified, sizeof unspecified - 1, NULL, 0);
	accept_at_every_split(local_socket, sizeof local_socket, NULL, 0);
}

static void version_2_is_strict_about_lengths_and_families(void **state)
{
	char largest[PROXY_LINE_MOST + 1] = V2 "\x21\x11\x07\xf0\xc0\0\2\7\xc6\x33\x64\1\x12\x67\1\xbb\x20\x07\xe1";

	(void)state;
	accept_at_every_split(largest, PROXY_LINE_MOST, "192.0.2.7", 4711);
	largest[15]++;
	refuse(largest, 16, "PROXY v2: 2033 bytes are more than the 2032 that are taken");
#define REFUSE(bytes, why) refuse(bytes, sizeof bytes - 1, why)
	REFUSE(V2 "\x11", "PROXY v2: version and command 0x11 are not 2 with LOCAL or PROXY");
	REFUSE(V2 "\x22", "PROXY v2: version and command 0x22 are not 2 with LOCAL or PROXY");
	REFUSE(V2 "\x21\x12\0\0", "PROXY v2: the family 0x12 is not TCP over IPv4 or IPv6");
	REFUSE(V2 "\x21\x41\0\0", "PROXY v2: the family 0x41 is not TCP over IPv4 or IPv6");
	REFUSE(V2 "\x21\x11\0\x0b" "12345678901", "PROXY v2: 11 bytes are too few for the addresses");
	REFUSE(V2 "\x21\x21\0\x0c" "123456789012", "PROXY v2: 12 bytes are too few for the addresses");
	REFUSE(V2 "\x21\x11\0\x0e" "123456789012\1\0", "PROXY v2: a TLV is longer than the header");
	REFUSE(V2 "\x21\x11\0\x10" "123456789012\1\0\2x", "PROXY v2: a TLV is longer than the header");
}

static void what_is_none_is_refused_at_its_first_other_byte(void **state)
{
	struct proxy_line line;
	size_t used, at;
	char bytes[12];

	(void)state;
	refuse_text("GET / HTTP/1.1\r\n", "no PROXY header");
	refuse("\x16\3\1", 3, "no PROXY header");
	refuse_text("proxy TCP4 ", "no PROXY header");
	for (at = 0; at < 12; at++) {
		memcpy(bytes, V2, 12);
		bytes[at] ^= 1;
		assert_int_equal(parse(bytes, at + 1, &line, &used), REFUSED);
	}
	assert_true(proxy_line_begins(SPAN("PROXY ")));
	assert_false(proxy_line_begins(SPAN("PROXY")));
	assert_true(proxy_line_begins(span_make(V2, 5)));
	assert_false(proxy_line_begins(span_make(V2, 4)));
	assert_false(proxy_line_begins(SPAN("PROXYGET / HTTP/1.1")));
	assert_false(proxy_line_begins(SPAN("\r\n\r\nGET / HTTP/1.1")));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(version_1_names_a_client),
		cmocka_unit_test(version_1_is_exactly_one_line),
		cmocka_unit_test(version_2_names_a_client),
		cmocka_unit_test(version_2_skips_what_it_need_not_know),
		cmocka_unit_test(version_2_is_strict_about_lengths_and_families),
		cmocka_unit_test(what_is_none_is_refused_at_its_first_other_byte),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
