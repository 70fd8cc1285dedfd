/* What two servers could read in two ways, from RFC 9112 and from what has broken others. One row each. */
#include "wire/chunked.h"
#include "wire/http_head.h"

#include <setjmp.h>
#include <stdarg.h>

#include <cmocka.h>

#define BYTES(literal) literal, sizeof(literal) - 1
#define H "Host: a\r\n"
#define L "GET / HTTP/1.1\r\n"
#define P "POST / HTTP/1.1\r\n"

struct row {
	const char *what, *bytes;
	size_t size;
	int verdict; /* 0: accepted; else the status of the refusal */
};

static const struct row requests[] = {
	{"CL and TE", BYTES(P H "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
	{"TE and CL", BYTES(P H "Transfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n"), 400},
	{"CL twice, different", BYTES(P H "Content-Length: 4\r\nContent-Length: 5\r\n\r\n"), 400},
	{"CL twice, equal", BYTES(P H "Content-Length: 4\r\nContent-Length: 4\r\n\r\n"), 400},
	{"CL list", BYTES(P H "Content-Length: 4, 4\r\n\r\n"), 400},
	{"CL empty", BYTES(P H "Content-Length:\r\n\r\n"), 400},
	{"CL with plus", BYTES(P H "Content-Length: +4\r\n\r\n"), 400},
	{"CL negative", BYTES(P H "Content-Length: -1\r\n\r\n"), 400},
	{"CL hexadecimal", BYTES(P H "Content-Length: 0x4\r\n\r\n"), 400},
	{"CL octal?", BYTES(P H "Content-Length: 010\r\n\r\n"), 400},
	{"CL with inner space", BYTES(P H "Content-Length: 1 0\r\n\r\n"), 400},
	{"CL with underscore", BYTES(P H "Content-Length: 1_0\r\n\r\n"), 400},
	{"CL over 2^63", BYTES(P H "Content-Length: 9223372036854775808\r\n\r\n"), 400},
	{"CL wraps 2^64", BYTES(P H "Content-Length: 18446744073709551620\r\n\r\n"), 400},
	{"CL decimal point", BYTES(P H "Content-Length: 4.0\r\n\r\n"), 400},
	{"CL quoted", BYTES(P H "Content-Length: \"4\"\r\n\r\n"), 400},
	{"CL empty name, CVE-2021-40346 and CVE-2023-25725", BYTES(P H ": x\r\nContent-Length: 4\r\n\r\n"), 400},
	{"CL empty first, CVE-2023-40225", BYTES(P H "Content-Length: \r\nContent-Length: 4\r\n\r\n"), 400},
	{"CL twin by underscore", BYTES(P H "Content_Length: 4\r\n\r\n"), 400},
	{"CL twin by dot beside the real one", BYTES(P H "Content-Length: 4\r\ncontent.length: 0\r\n\r\n"), 400},
	{"TE twin by underscore", BYTES(P H "Transfer_Encoding: chunked\r\n\r\n"), 400},
	{"TE in HTTP/1.0", BYTES("POST / HTTP/1.0\r\n" H "Transfer-Encoding: chunked\r\n\r\n"), 400},
	{"TE twice", BYTES(P H "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
	{"TE chunked, identity", BYTES(P H "Transfer-Encoding: chunked, identity\r\n\r\n"), 400},
	{"TE chunked, chunked", BYTES(P H "Transfer-Encoding: chunked, chunked\r\n\r\n"), 400},
	{"TE identity", BYTES(P H "Transfer-Encoding: identity\r\n\r\n"), 400},
	{"TE xchunked", BYTES(P H "Transfer-Encoding: xchunked\r\n\r\n"), 400},
	{"TE chunked;a=b", BYTES(P H "Transfer-Encoding: chunked;a=b\r\n\r\n"), 400},
	{"TE quoted", BYTES(P H "Transfer-Encoding: \"chunked\"\r\n\r\n"), 400},
	{"TE empty", BYTES(P H "Transfer-Encoding:\r\n\r\n"), 400},
	{"TE with vertical tab", BYTES(P H "Transfer-Encoding: \x0b" "chunked\r\n\r\n"), 400},
	{"TE with NUL", BYTES(P H "Transfer-Encoding: chunked\0\r\n\r\n"), 400},
	{"TE trailing comma", BYTES(P H "Transfer-Encoding: chunked,\r\n\r\n"), 400},
	{"TE with non-ASCII", BYTES(P H "Transfer-Encoding: chunked\xff\r\n\r\n"), 400},
	{"TE gzip, chunked", BYTES(P H "Transfer-Encoding: gzip, chunked\r\n\r\n"), 501},
	{"TE folded", BYTES(P H "Transfer-Encoding:\r\n chunked\r\n\r\n"), 400},
	{"TE space before the colon", BYTES(P H "Transfer-Encoding : chunked\r\n\r\n"), 400},
	{"TE tab before the colon", BYTES(P H "Transfer-Encoding\t: chunked\r\n\r\n"), 400},
	{"TE behind a leading space", BYTES(P H " Transfer-Encoding: chunked\r\n\r\n"), 400},
	{"a first field that is folded", BYTES(L " Host: a\r\n\r\n"), 400},
	{"TE behind a bare CR", BYTES(P H "X: y\rTransfer-Encoding: chunked\r\n\r\n"), 400},
	{"TE behind a bare LF", BYTES(P H "X: y\nTransfer-Encoding: chunked\r\n\r\n"), 400},
	{"TE behind LF CR", BYTES(P H "X: y\n\rTransfer-Encoding: chunked\r\n\r\n"), 400},
	{"TE behind a form feed", BYTES(P H "\fTransfer-Encoding: chunked\r\n\r\n"), 400},
	{"TE name in non-ASCII", BYTES(P H "Transfer\xad-Encoding: chunked\r\n\r\n"), 400},
	{"a name with NUL", BYTES(P H "X\0: y\r\n\r\n"), 400},
	{"a name in brackets", BYTES(P H "[X]: y\r\n\r\n"), 400},
	{"a field without colon", BYTES(P H "Transfer-Encoding\r\n\r\n"), 400},
	{"a value with NUL", BYTES(L H "X: a\0b\r\n\r\n"), 400},
	{"a value with DEL", BYTES(L H "X: a\x7f\r\n\r\n"), 400},
	{"a value with backspace", BYTES(L H "X: aaaaaaaaaa\baaaaaaaaaaa\r\n\r\n"), 400},
	{"bare LF throughout", BYTES("GET / HTTP/1.1\nHost: a\n\n"), 400},
	{"bare LF behind the request line", BYTES("GET / HTTP/1.1\nHost: a\r\n\r\n"), 400},
	{"bare LF as the last line", BYTES(L H "\n"), 400},
	{"CR CR LF", BYTES("GET / HTTP/1.1\r\r\nHost: a\r\n\r\n"), 400},
	{"CR CR LF at the end", BYTES(L H "\r\r\n"), 400},
	{"two empty lines in front", BYTES("\r\n\r\n" L H "\r\n"), 400},
	{"a bare LF in front", BYTES("\n" L H "\r\n"), 400},
	{"a space in front", BYTES(" " L H "\r\n"), 400},
	{"two spaces", BYTES("GET  / HTTP/1.1\r\n" H "\r\n"), 400},
	{"a tab for a space", BYTES("GET\t/ HTTP/1.1\r\n" H "\r\n"), 400},
	{"two spaces before the version", BYTES("GET /  HTTP/1.1\r\n" H "\r\n"), 400},
	{"a space behind the version", BYTES("GET / HTTP/1.1 \r\n" H "\r\n"), 400},
	{"a space in the target", BYTES("GET /a b HTTP/1.1\r\n" H "\r\n"), 400},
	{"a request in the target", BYTES("GET / HTTP/1.1\r\nHost: a\r\n\r\n HTTP/1.1"), 0},
	{"a version in the target", BYTES("GET / HTTP/1.1 HTTP/1.1\r\n" H "\r\n"), 400},
	{"no version", BYTES("GET /\r\n" H "\r\n"), 400},
	{"HTTP/0.9", BYTES("GET / HTTP/0.9\r\n" H "\r\n"), 505},
	{"HTTP/1.2", BYTES("GET / HTTP/1.2\r\n" H "\r\n"), 505},
	{"HTTP/2.0", BYTES("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"), 505},
	{"HTTP/1.10", BYTES("GET / HTTP/1.10\r\n" H "\r\n"), 400},
	{"HTTP/01.1", BYTES("GET / HTTP/01.1\r\n" H "\r\n"), 400},
	{"http/1.1", BYTES("GET / http/1.1\r\n" H "\r\n"), 400},
	{"ICY/1.1", BYTES("GET / ICY/1.1\r\n" H "\r\n"), 400},
	{"method in lower case", BYTES("get / HTTP/1.1\r\n" H "\r\n"), 501},
	{"method half in lower case", BYTES("HEAd / HTTP/1.1\r\n" H "\r\n"), 501},
	{"method with a bracket", BYTES("GE[ / HTTP/1.1\r\n" H "\r\n"), 400},
	{"method with NUL", BYTES("GET\0 / HTTP/1.1\r\n" H "\r\n"), 400},
	{"CONNECT", BYTES("CONNECT a:443 HTTP/1.1\r\n" H "\r\n"), 501},
	{"TRACE", BYTES("TRACE / HTTP/1.1\r\n" H "\r\n"), 501},
	{"GET *", BYTES("GET * HTTP/1.1\r\n" H "\r\n"), 400},
	{"OPTIONS *x", BYTES("OPTIONS *x HTTP/1.1\r\n" H "\r\n"), 400},
	{"target without slash", BYTES("GET admin HTTP/1.1\r\n" H "\r\n"), 400},
	{"authority as target", BYTES("GET a:80 HTTP/1.1\r\n" H "\r\n"), 400},
	{"target with #, CVE-2023-45539", BYTES("GET /public#/../admin HTTP/1.1\r\n" H "\r\n"), 400},
	{"target non-ASCII", BYTES("GET /\xc3\xa9 HTTP/1.1\r\n" H "\r\n"), 400},
	{"target with control", BYTES("GET /\x01 HTTP/1.1\r\n" H "\r\n"), 400},
	{"target with tab", BYTES("GET /a\tb HTTP/1.1\r\n" H "\r\n"), 400},
	{"no Host", BYTES(L "\r\n"), 400},
	{"Host empty", BYTES(L "Host:\r\n\r\n"), 400},
	{"Host twice", BYTES(L H "Host: b\r\n\r\n"), 400},
	{"Host twice, equal", BYTES(L H H "\r\n"), 400},
	{"Host twice in HTTP/1.0", BYTES("GET / HTTP/1.0\r\n" H H "\r\n"), 400},
	{"Host with comma", BYTES(L "Host: a, b\r\n\r\n"), 400},
	{"Host with path", BYTES(L "Host: a/b\r\n\r\n"), 400},
	{"Host with user", BYTES(L "Host: x@a\r\n\r\n"), 400},
	{"Host with space", BYTES(L "Host: a b\r\n\r\n"), 400},
	{"Host with CRLF encoded", BYTES(L "Host: a%0d%0a\r\n\r\n"), 400},
	{"target and Host differ", BYTES("GET http://a/ HTTP/1.1\r\nHost: b\r\n\r\n"), 400},
	{"target and Host differ by port", BYTES("GET http://a:80/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
	{"target with user", BYTES("GET http://a@b/ HTTP/1.1\r\nHost: b\r\n\r\n"), 400},
	{"target with backslash in authority", BYTES("GET http://a\\b/ HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
	{"target with query for a path", BYTES("GET http://a?b HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
	{"target with empty authority", BYTES("GET http:///x HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
	{"target with another scheme", BYTES("GET ftp://a/x HTTP/1.1\r\nHost: a\r\n\r\n"), 400},
	{"Connection names Host", BYTES(L H "Connection: host\r\n\r\n"), 400},
	{"Connection names Content-Length", BYTES(P H "Connection: content-length\r\nContent-Length: 5\r\n\r\n"), 400},
	{"Connection names a twin", BYTES(P H "Connection: content_length\r\n\r\n"), 400},
	{"Connection is no list", BYTES(L H "Connection: a b\r\n\r\n"), 400},
	{"Expect unknown", BYTES(P H "Expect: 200-ok\r\nContent-Length: 1\r\n\r\n"), 417},
	{"Expect twice", BYTES(P H "Expect: 100-continue\r\nExpect: 100-continue\r\nContent-Length: 1\r\n\r\n"), 400},
	{"Expect list", BYTES(P H "Expect: 100-continue, x\r\nContent-Length: 1\r\n\r\n"), 417},
	/* And what has one reading, and must pass. */
	{"one empty line in front", BYTES("\r\n" L H "\r\n"), 0},
	{"TE in another case", BYTES(P H "tRANSFER-eNCODING: Chunked\r\n\r\n"), 0},
	{"white space around a value", BYTES(P H "Content-Length: \t 4 \t\r\n\r\n"), 0},
	{"GET with a body", BYTES(L H "Content-Length: 4\r\n\r\n"), 0},
	{"CL 0", BYTES(P H "Content-Length: 0\r\n\r\n"), 0},
	{"an unknown method", BYTES("M-SEARCH / HTTP/1.1\r\n" H "\r\n"), 0},
	{"obs-text in a value", BYTES(L H "X: \x80\xff\r\n\r\n"), 0},
	{"a tab in a value", BYTES(L H "X: a\tb\r\n\r\n"), 0},
	{"HTTP/1.0 without Host", BYTES("GET / HTTP/1.0\r\n\r\n"), 0},
	{"IPv6 Host", BYTES(L "Host: [::1]:8443\r\n\r\n"), 0},
};

static const struct row answers[] = {
	{"CL and TE", BYTES("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
	{"CL twice", BYTES("HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 4\r\n\r\n"), 400},
	{"CL list", BYTES("HTTP/1.1 200 OK\r\nContent-Length: 4,4\r\n\r\n"), 400},
	{"TE in HTTP/1.0", BYTES("HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
	{"TE twice", BYTES("HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n"), 400},
	{"TE gzip", BYTES("HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n"), 501},
	{"bare LF, CVE-2026-1642's kin", BYTES("HTTP/1.1 200 OK\nContent-Length: 4\n\n"), 400},
	{"bare CR in a value", BYTES("HTTP/1.1 200 OK\r\nX: a\rSet-Cookie: b\r\n\r\n"), 400},
	{"splitting by LF in a value", BYTES("HTTP/1.1 200 OK\r\nLocation: /\nSet-Cookie: b\r\n\r\n"), 400},
	{"NUL in a value", BYTES("HTTP/1.1 200 OK\r\nX: \0\r\n\r\n"), 400},
	{"control in the reason", BYTES("HTTP/1.1 200 O\x01K\r\n\r\n"), 400},
	{"CR in the reason", BYTES("HTTP/1.1 200 O\rK\r\n\r\n"), 400},
	{"folded", BYTES("HTTP/1.1 200 OK\r\nX: a\r\n b\r\n\r\n"), 400},
	{"space before the colon", BYTES("HTTP/1.1 200 OK\r\nContent-Length : 4\r\n\r\n"), 400},
	{"status of two digits", BYTES("HTTP/1.1 20 OK\r\n\r\n"), 400},
	{"status of four digits", BYTES("HTTP/1.1 2000 OK\r\n\r\n"), 400},
	{"status 600", BYTES("HTTP/1.1 600 OK\r\n\r\n"), 400},
	{"status 099", BYTES("HTTP/1.1 099 OK\r\n\r\n"), 400},
	{"no status", BYTES("HTTP/1.1 OK\r\n\r\n"), 400},
	{"two spaces", BYTES("HTTP/1.1  200 OK\r\n\r\n"), 400},
	{"HTTP/2", BYTES("HTTP/2 200 OK\r\n\r\n"), 400},
	{"HTTP/2.0", BYTES("HTTP/2.0 200 OK\r\n\r\n"), 505},
	{"HTTP/0.9", BYTES("<html>hello, world</html>\r\n\r\n"), 400},
	{"an empty line in front", BYTES("\r\nHTTP/1.1 200 OK\r\n\r\n"), 400},
	{"surplus bytes in front", BYTES("xHTTP/1.1 200 OK\r\n\r\n"), 400},
	{"ICY", BYTES("ICY 200 OK\r\n\r\n\r\n\r\n"), 400},
	{"plain", BYTES("HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"), 0},
	{"two Hosts mean nothing here", BYTES("HTTP/1.1 200 OK\r\nHost: a\r\nHost: b\r\n\r\n"), 0},
	{"no reason, no space", BYTES("HTTP/1.1 200\r\n\r\n"), 0},
	{"Connection names Content-Length", BYTES("HTTP/1.1 200 OK\r\nConnection: content-length\r\n\r\n"), 0},
};

static const struct row bodies[] = {
	{"bare LF behind the size", BYTES("5\nhello\r\n0\r\n\r\n"), 400},
	{"bare LF behind the data", BYTES("5\r\nhello\n0\r\n\r\n"), 400},
	{"bare CR behind the size", BYTES("5\rhello\r\n0\r\n\r\n"), 400},
	{"bare LF in an extension, CVE-2025-55315", BYTES("5;a\nb\r\nhello\r\n0\r\n\r\n"), 400},
	{"bare CR in an extension", BYTES("5;a\rb\r\nhello\r\n0\r\n\r\n"), 400},
	{"two bytes for any line end, CVE-2025-43859", BYTES("5\r\nhelloXX0\r\n\r\n"), 400},
	{"a space behind the size", BYTES("5 \r\nhello\r\n0\r\n\r\n"), 400},
	{"a space before the extension", BYTES("5 ;a\r\nhello\r\n0\r\n\r\n"), 400},
	{"a space before the size", BYTES(" 5\r\nhello\r\n0\r\n\r\n"), 400},
	{"0x", BYTES("0x5\r\nhello\r\n0\r\n\r\n"), 400},
	{"plus", BYTES("+5\r\nhello\r\n0\r\n\r\n"), 400},
	{"minus", BYTES("-5\r\nhello\r\n0\r\n\r\n"), 400},
	{"underscore", BYTES("0_5\r\nhello\r\n0\r\n\r\n"), 400},
	{"no size", BYTES("\r\nhello\r\n0\r\n\r\n"), 400},
	{"17 digits wrap", BYTES("10000000000000005\r\nhello\r\n0\r\n\r\n"), 400},
	{"over 2^63", BYTES("8000000000000000\r\nhello\r\n0\r\n\r\n"), 400},
	{"data too long", BYTES("4\r\nhello\r\n0\r\n\r\n"), 400},
	{"NUL in an extension", BYTES("5;\0\r\nhello\r\n0\r\n\r\n"), 400},
	{"a trailer with bare LF", BYTES("0\r\nA: b\n\n"), 400},
	{"a trailer that is folded", BYTES("0\r\nA: b\r\n c\r\n\r\n"), 400},
	{"a trailer that frames", BYTES("0\r\nContent-Length: 5\r\n\r\n"), 400},
	{"a trailer without colon", BYTES("0\r\nGET / HTTP/1.1\r\n\r\n"), 400},
	{"plain", BYTES("5\r\nhello\r\n0\r\n\r\n"), 0},
	{"extension and trailer", BYTES("5;a=b\r\nhello\r\n000\r\nA: b\r\n\r\n"), 0},
};

static int verdict_of_head(const struct row *row, enum head_kind kind, size_t step)
{
	static struct head head;
	enum status status = AGAIN;
	struct error err;
	size_t size, used;

	head_init(&head);
	for (size = step; status == AGAIN; size += step) {
		if (size > row->size)
			size = row->size;
		status = head_parse(span_make(row->bytes, size), kind, &head_limits_default, &head, &used, &err);
		if (size == row->size)
			break;
	}
	return status == REFUSED ? (int)head.refusal : status == OK ? 0 : -1;
}

static void check_heads(const struct row *rows, size_t count, enum head_kind kind)
{
	size_t i, step;

	for (i = 0; i < count; i++)
		for (step = 1; step <= rows[i].size; step = step < 8 ? step + 1 : rows[i].size + (step == rows[i].size)) {
			int verdict = verdict_of_head(&rows[i], kind, step);

			if (verdict != rows[i].verdict)
				print_error("%s, by %zu bytes: %d instead of %d\n", rows[i].what, step, verdict,
					    rows[i].verdict);
			assert_int_equal(verdict, rows[i].verdict);
		}
}

static void ambiguous_requests_are_refused_however_they_arrive(void **state)
{
	(void)state;
	assert_true(sizeof requests / sizeof *requests >= 100);
	check_heads(requests, sizeof requests / sizeof *requests, REQUEST_HEAD);
}

static void ambiguous_answers_are_refused_however_they_arrive(void **state)
{
	(void)state;
	check_heads(answers, sizeof answers / sizeof *answers, ANSWER_HEAD);
}

static int verdict_of_body(const struct row *row, size_t step)
{
	struct chunked chunked;
	struct error err;
	size_t at = 0, size = 0, used;
	struct span data;
	enum status status = OK;

	chunked_init(&chunked);
	while (status != REFUSED && !chunked_is_done(&chunked)) {
		if (status == AGAIN && size == row->size)
			return -1;
		if (status == AGAIN || size == 0)
			size = size + step < row->size ? size + step : row->size;
		status = chunked_read(&chunked, span_make(row->bytes + at, size - at), &used, &data, &err);
		at += used;
	}
	return status == REFUSED ? 400 : at == row->size ? 0 : -2;
}

static void ambiguous_chunks_are_refused_however_they_arrive(void **state)
{
	size_t i, step;

	(void)state;
	for (i = 0; i < sizeof bodies / sizeof *bodies; i++)
		for (step = 1; step <= bodies[i].size; step++) {
			int verdict = verdict_of_body(&bodies[i], step);

			if (verdict != bodies[i].verdict)
				print_error("%s, by %zu bytes: %d\n", bodies[i].what, step, verdict);
			assert_int_equal(verdict, bodies[i].verdict);
		}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ambiguous_requests_are_refused_however_they_arrive),
		cmocka_unit_test(ambiguous_answers_are_refused_however_they_arrive),
		cmocka_unit_test(ambiguous_chunks_are_refused_however_they_arrive),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
