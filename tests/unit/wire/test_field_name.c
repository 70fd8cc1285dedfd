#include "wire/field_name.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

static struct field_class class_of(const char *name)
{
	struct field_class class;

	assert_true(field_classify(span_of(name), &class));
	return class;
}

static void every_known_field_is_found_in_any_case(void **state)
{
	int known;
	size_t i;

	(void)state;
	for (known = FIELD_OTHER + 1; known < FIELD_KNOWN_COUNT; known++) {
		struct span name = field_known_name(known);
		char upper[64];

		assert_true(name.size > 0);
		assert_int_equal(class_of(name.at).known, known);
		for (i = 0; i <= name.size; i++)
			upper[i] = name.at[i] >= 'a' && name.at[i] <= 'z' ? name.at[i] - 32 : name.at[i];
		assert_int_equal(class_of(upper).known, known);
		assert_false(class_of(upper).flags & FIELD_TWIN);
	}
	assert_int_equal(field_known_name(FIELD_OTHER).size, 0);
}

static void a_name_one_letter_off_is_not_known(void **state)
{
	int known;
	size_t i;

	(void)state;
	for (known = FIELD_OTHER + 1; known < FIELD_KNOWN_COUNT; known++) {
		struct span name = field_known_name(known);
		char other[64];

		for (i = 0; i < name.size; i++) {
			memcpy(other, name.at, name.size + 1);
			other[i] = other[i] == 'q' ? 'z' : 'q';
			assert_int_not_equal(class_of(other).known, known);
		}
		memcpy(other, name.at, name.size);
		other[name.size] = 'q';
		other[name.size + 1] = 0;
		assert_int_not_equal(class_of(other).known, known);
	}
}

static void identity_is_seen_in_every_spelling(void **state)
{
	static const char *const names[] = {
		"X-Chatelaine-Device", "X-Chatelaine-Person", "X-Chatelaine-Email", "X-Chatelaine-Groups",
		"x_chatelaine_device", "X.Chatelaine.Device", "X-CHATELAINE_Device", "X-Chatelaine",
		"X-Chatelaine-Assertion", "X!Chatelaine~Device", "X-Chatelaine-", "x_chatelaine",
		"Client-Cert", "Client-Cert-Chain", "CLIENT_CERT", "client.cert.chain", "Client-Certificate",
		"X-SSL-Client-Cert", "X-SSL-Client-Cert-Subject-DN", "X-SSL-Client-Verify",
		"X_SSL_CLIENT_CERT_SUBJECT_DN", "x-ssl.client_cert-subject.dn", "X-SSL-CERT", "X_SSL",
		"X-Ssl-Client-Cert-With-A-Very-Long-Name-That-No-Table-Could-Ever-Hold",
		"Ssl-Client", "Ssl-Client-Verify", "SSL_CLIENT", "ssl.client.verify", "SSL_CLIENT_S_DN",
		"X-Forwarded-Client-Cert", "x_forwarded_client_cert", "X-Forwarded-Tls-Client-Cert",
		"X-Client-Cert", "X-Client-Cert-Dn", "X-Client-Verify", "X-Client-DN", "X-ARR-ClientCert",
		"Remote-User", "remote_user", "X-Remote-User", "X-WebAuth-User", "X-Auth-Request-Email",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof names / sizeof *names; i++) {
		struct field_class class = class_of(names[i]);

		if (!(class.flags & FIELD_IDENTITY))
			print_error("%s\n", names[i]);
		assert_true(class.flags & FIELD_IDENTITY);
		assert_true(class.flags & FIELD_NOT_FORWARDED);
		assert_int_equal(class.known, FIELD_OTHER);
	}
}

static void what_proxies_say_is_forwarding(void **state)
{
	static const char *const names[] = {
		"X-Real-IP", "x_real_ip", "X-Forwarded-For", "X_FORWARDED_FOR", "X-Forwarded-Proto",
		"X-Forwarded-Host", "X-Forwarded-Port", "X-Forwarded-Server", "X-Forwarded-Anything",
		"Forwarded", "X-Nginx-Proxy", "x_nginx_proxy", "X-Original-URL", "X-Rewrite-URL",
		"x.original.url", "X-Host", "X-Forwarded", "True-Client-IP", "CF-Connecting-IP",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof names / sizeof *names; i++) {
		if (!(class_of(names[i]).flags & FIELD_FORWARDING))
			print_error("%s\n", names[i]);
		assert_true(class_of(names[i]).flags & FIELD_FORWARDING);
		assert_false(class_of(names[i]).flags & FIELD_IDENTITY);
	}
}

static void ordinary_names_carry_no_flags(void **state)
{
	static const char *const names[] = {
		"X-Requested-With", "X-Csrf-Token", "X-Auth-Token", "X-User-Id", "X-Client-Version",
		"Sec-Fetch-Mode", "Sec-Ch-Ua", "Accept-Language", "DNT", "Priority", "a", "ab", "abc",
		"X", "X-", "Clear-Site-Data", "Client-Version", "Ssleepy", "X-Sslx", "Content-Security-Policy",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof names / sizeof *names; i++) {
		if (class_of(names[i]).flags)
			print_error("%s\n", names[i]);
		assert_int_equal(class_of(names[i]).flags, 0);
		assert_int_equal(class_of(names[i]).known, FIELD_OTHER);
	}
}

static void a_twin_is_never_taken_for_the_real_one(void **state)
{
	static const char *const framing[] = {
		"content_length", "Content.Length", "CONTENT!LENGTH", "transfer_encoding", "Transfer.Encoding",
		"Transfer~Encoding", "transfer`encoding",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof framing / sizeof *framing; i++) {
		struct field_class class = class_of(framing[i]);

		assert_int_equal(class.known, FIELD_OTHER);
		assert_int_equal(class.flags & (FIELD_TWIN | FIELD_FRAMING), FIELD_TWIN | FIELD_FRAMING);
	}
	assert_int_equal(class_of("user_agent").known, FIELD_OTHER);
	assert_int_equal(class_of("user_agent").flags, FIELD_TWIN);
	assert_true(class_of("keep_alive").flags & FIELD_HOP_BY_HOP);
}

static void hop_by_hop_names_go_no_further(void **state)
{
	static const char *const names[] = {
		"Connection", "Keep-Alive", "Proxy-Connection", "Proxy-Authorization", "TE", "Trailer",
		"Upgrade", "Expect", "HTTP2-Settings", "Proxy", "proxy",
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof names / sizeof *names; i++)
		assert_true(class_of(names[i]).flags & FIELD_HOP_BY_HOP);
}

static void what_is_no_token_is_no_name(void **state)
{
	struct field_class class;
	int c;

	(void)state;
	assert_false(field_classify(SPAN(""), &class));
	for (c = 0; c < 256; c++) {
		char name[3] = {'a', (char)c, 'b'};
		bool is_token = (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') ||
				(c && strchr("!#$%&'*+-.^_`|~", c));

		assert_int_equal(field_classify(span_make(name, 3), &class), is_token);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_known_field_is_found_in_any_case),
		cmocka_unit_test(a_name_one_letter_off_is_not_known),
		cmocka_unit_test(identity_is_seen_in_every_spelling),
		cmocka_unit_test(what_proxies_say_is_forwarding),
		cmocka_unit_test(ordinary_names_carry_no_flags),
		cmocka_unit_test(a_twin_is_never_taken_for_the_real_one),
		cmocka_unit_test(hop_by_hop_names_go_no_further),
		cmocka_unit_test(what_is_no_token_is_no_name),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
