#include "wire/host_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdio.h>

#include <cmocka.h>

static struct error err;

static void one_host_has_one_form(void **state)
{
	static const struct {
		const char *text, *name;
		enum host_kind kind;
		uint16_t port;
	} cases[] = {
		{"chat.example.com", "chat.example.com", HOST_DNS, 0},
		{"Chat.EXAMPLE.com.", "chat.example.com", HOST_DNS, 0},
		{"CHAT.example.com.:8443", "chat.example.com", HOST_DNS, 8443},
		{"localhost:1", "localhost", HOST_DNS, 1},
		{"my_host.local", "my_host.local", HOST_DNS, 0},
		{"xn--bcher-kva.example", "xn--bcher-kva.example", HOST_DNS, 0},
		{"3com.com", "3com.com", HOST_DNS, 0},
		{"a.1b", "a.1b", HOST_DNS, 0},
		{"10.0.0.1", "10.0.0.1", HOST_IPV4, 0},
		{"10.0.0.1.:80", "10.0.0.1", HOST_IPV4, 80},
		{"[::1]", "::1", HOST_IPV6, 0},
		{"[0:0:0:0:0:0:0:1]:65535", "::1", HOST_IPV6, 65535},
		{"[2001:DB8::00A]", "2001:db8::a", HOST_IPV6, 0},
		{"[::ffff:10.0.0.1]", "10.0.0.1", HOST_IPV4, 0},
	};
	struct host_name host;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		assert_int_equal(host_fold(span_of(cases[i].text), &host, &err), OK);
		assert_string_equal(host.text, cases[i].name);
		assert_int_equal(host.size, strlen(cases[i].name));
		assert_int_equal(host.kind, cases[i].kind);
		assert_int_equal(host.port, cases[i].port);
	}
}

static void what_is_no_host_is_refused_with_the_reason(void **state)
{
	static const struct {
		const char *text, *why;
	} cases[] = {
		{"", "it is empty"},
		{".", "it is empty"},
		{"a..", "between dots stand 1 to 63 characters"},
		{"a..b", "between dots stand 1 to 63 characters"},
		{".a", "between dots stand 1 to 63 characters"},
		{"-a", "no part of it begins or ends with \"-\""},
		{"a-.b", "no part of it begins or ends with \"-\""},
		{"a b", "it has a character other than letters, digits, \"-\", \"_\" and \".\""},
		{"a/b", "it has a character other than letters, digits, \"-\", \"_\" and \".\""},
		{"a@b", "it has a character other than letters, digits, \"-\", \"_\" and \".\""},
		{"a%2eb", "it has a character other than letters, digits, \"-\", \"_\" and \".\""},
		{"*.example.com", "it has a character other than letters, digits, \"-\", \"_\" and \".\""},
		{"b\xc3\xbc", "it has a character other than letters, digits, \"-\", \"_\" and \".\""},
		{"a:", "its port is not a number from 1 to 65535"},
		{"a:0", "its port is not a number from 1 to 65535"},
		{"a:080", "its port is not a number from 1 to 65535"},
		{"a:65536", "its port is not a number from 1 to 65535"},
		{"a:80x", "its port is not a number from 1 to 65535"},
		{"a:80:80", "its port is not a number from 1 to 65535"},
		{"::1", "its port is not a number from 1 to 65535"},
		{"127.1", "it ends in a number but is no IPv4 address"},
		{"2130706433", "it ends in a number but is no IPv4 address"},
		{"0x7f.0.0.1", "it ends in a number but is no IPv4 address"},
		{"0x7f000001", "it ends in a number but is no IPv4 address"},
		{"127.0.0.0x1", "it ends in a number but is no IPv4 address"},
		{"010.0.0.1", "it ends in a number but is no IPv4 address"},
		{"256.0.0.1", "it ends in a number but is no IPv4 address"},
		{"1.2.3.4.5", "it ends in a number but is no IPv4 address"},
		{"a.1", "it ends in a number but is no IPv4 address"},
		{"[::1", "a bracket is not closed"},
		{"[::1]x", "something stands behind its bracket"},
		{"[::1]:", "its port is not a number from 1 to 65535"},
		{"[a]", "between brackets stands an IPv6 address"},
		{"[1.2.3.4]", "between brackets stands an IPv6 address"},
		{"[fe80::1%eth0]", "between brackets stands an IPv6 address"},
		{"[fe80::1%25eth0]", "between brackets stands an IPv6 address"},
	};
	char expected[256];
	struct host_name host;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		snprintf(expected, sizeof expected, "\"%s\" is no host name: %s", cases[i].text, cases[i].why);
		assert_int_equal(host_fold(span_of(cases[i].text), &host, &err), REFUSED);
		assert_string_equal(err.text, expected);
	}
	assert_int_equal(host_fold(SPAN("a\0b"), &host, &err), REFUSED);
	assert_int_equal(host_fold(span_make(NULL, 0), &host, &err), REFUSED);
}

static void lengths_have_ceilings(void **state)
{
	char text[300];
	struct host_name host;
	size_t i;

	(void)state;
	memset(text, 'a', sizeof text);
	assert_int_equal(host_fold(span_make(text, 63), &host, &err), OK);
	assert_int_equal(host_fold(span_make(text, 64), &host, &err), REFUSED);
	for (i = 10; i < sizeof text; i += 10)
		text[i] = '.';
	assert_int_equal(host_fold(span_make(text, 253), &host, &err), OK);
	assert_int_equal(host.size, 253);
	assert_int_equal(host_fold(span_make(text, 254), &host, &err), REFUSED);
	text[253] = '.';
	assert_int_equal(host_fold(span_make(text, 254), &host, &err), OK);
}

static void names_compare_without_port_and_kind_counts(void **state)
{
	struct host_name a, b;

	(void)state;
	assert_int_equal(host_fold(SPAN("Example.com:443"), &a, &err), OK);
	assert_int_equal(host_fold(SPAN("example.COM."), &b, &err), OK);
	assert_true(host_equals(&a, &b));
	assert_int_equal(host_fold(SPAN("example.org"), &b, &err), OK);
	assert_false(host_equals(&a, &b));
}

static void a_bare_name_has_no_port(void **state)
{
	struct host_name host;

	(void)state;
	assert_int_equal(host_fold_name(SPAN("::1"), &host, &err), OK);
	assert_string_equal(host.text, "::1");
	assert_int_equal(host_fold_name(SPAN("[::1]"), &host, &err), OK);
	assert_int_equal(host_fold_name(SPAN("Chat.local."), &host, &err), OK);
	assert_string_equal(host.text, "chat.local");
	assert_int_equal(host_fold_name(SPAN("chat.local:443"), &host, &err), REFUSED);
	assert_string_equal(err.text, "\"chat.local:443\" is no host name: a port may not stand here");
	assert_int_equal(host_fold_name(SPAN(""), &host, &err), REFUSED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(one_host_has_one_form),
		cmocka_unit_test(what_is_no_host_is_refused_with_the_reason),
		cmocka_unit_test(lengths_have_ceilings),
		cmocka_unit_test(names_compare_without_port_and_kind_counts),
		cmocka_unit_test(a_bare_name_has_no_port),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
