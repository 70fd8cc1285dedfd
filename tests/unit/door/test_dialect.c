#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "door/dialect.h"
#include "wire/http_head.h"

#define DEVICE "0123456789abcdef0123456789abcdef.d.example.com"
#define DER "0123456789abcdefghijklmnopqrstuvwxyz0123456789abcdef"
#define DER_BASE64 "MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6MDEyMzQ1Njc4OWFiY2RlZg=="
#define PEM                                                                                        \
	"-----BEGIN%20CERTIFICATE-----%0A"                                                         \
	"MDEyMzQ1Njc4OWFiY2RlZmdoaWprbG1ub3BxcnN0dXZ3eHl6MDEyMzQ1Njc4OWFi%0AY2RlZg%3D%3D%0A"        \
	"-----END%20CERTIFICATE-----%0A"

static const uint8_t fingerprint[32] = {0xab, 0xcd};

static struct dialect_facts alice(void)
{
	return (struct dialect_facts){
		.is_known = true,
		.device = SPAN(DEVICE),
		.person = SPAN("Alice"),
		.email = SPAN("alice@example.com"),
		.groups = SPAN("admins,staff"),
		.dn_rfc2253 = SPAN("emailAddress=alice@example.com,CN=Alice - phone - 2027"),
		.dn_slash = SPAN("/CN=Alice - phone - 2027/emailAddress=alice@example.com"),
		.issuer = SPAN("CN=Issuing 1"),
		.serial = SPAN("1A2B"),
		.uri = SPAN("chatelaine:" DEVICE),
		.fingerprint = fingerprint,
		.der = SPAN(DER),
		.issuer_der = SPAN("issuer"),
	};
}

static void assert_says(unsigned dialects, const struct dialect_facts *facts, unsigned lost, const char *lines)
{
	struct buffer out;

	buffer_init(&out, DIALECT_LINES);
	assert_int_equal(dialect_write(&out, dialects, facts), lost);
	assert_string_equal(buffer_text(&out), lines);
	assert_true(buffer_is_whole(&out));
	buffer_release(&out);
}

static void each_dialect_has_its_exact_bytes(void **state)
{
	struct dialect_facts facts = alice();

	(void)state;
	assert_says(DIALECT_CHATELAINE, &facts, 0,
		    "X-Chatelaine-Device: " DEVICE "\r\nX-Chatelaine-Person: Alice\r\n"
		    "X-Chatelaine-Email: alice@example.com\r\nX-Chatelaine-Groups: admins,staff\r\n");
	assert_says(DIALECT_RFC9440, &facts, 0,
		    "Client-Cert: :" DER_BASE64 ":\r\nClient-Cert-Chain: :aXNzdWVy:\r\n");
	assert_says(DIALECT_NGINX, &facts, 0,
		    "X-SSL-Client-Cert: " PEM "\r\n"
		    "X-SSL-Client-Cert-Subject-DN: emailAddress=alice@example.com,CN=Alice - phone - 2027\r\n"
		    "X-SSL-Client-Cert-Issuer-DN: CN=Issuing 1\r\nX-SSL-Client-Serial: 1A2B\r\n"
		    "X-SSL-Client-Verify: SUCCESS\r\n");
	assert_says(DIALECT_MATTERMOST, &facts, 0,
		    "X-SSL-Client-Cert: " PEM "\r\n"
		    "X-SSL-Client-Cert-Subject-DN: /CN=Alice - phone - 2027/emailAddress=alice@example.com\r\n");
	assert_says(DIALECT_WOTT, &facts, 0, "Ssl-Client: " DEVICE "\r\nSsl-Client-Verify: SUCCESS\r\n");
	assert_says(DIALECT_XFCC, &facts, 0,
		    "X-Forwarded-Client-Cert: Hash=abcd000000000000000000000000000000000000000000000000000000000000;"
		    "Cert=\"" PEM "\";Subject=\"emailAddress=alice@example.com,CN=Alice - phone - 2027\";"
		    "URI=\"chatelaine:" DEVICE "\"\r\n");
	assert_says(DIALECT_CHATELAINE | DIALECT_WOTT, &facts, 0,
		    "X-Chatelaine-Device: " DEVICE "\r\nX-Chatelaine-Person: Alice\r\n"
		    "X-Chatelaine-Email: alice@example.com\r\nX-Chatelaine-Groups: admins,staff\r\n"
		    "Ssl-Client: " DEVICE "\r\nSsl-Client-Verify: SUCCESS\r\n");
}

static void nobody_is_named_nowhere(void **state)
{
	struct dialect_facts facts = alice();

	(void)state;
	facts.is_known = false;
	assert_says(DIALECT_CHATELAINE | DIALECT_RFC9440 | DIALECT_MATTERMOST | DIALECT_XFCC, &facts, 0, "");
	assert_says(DIALECT_NGINX, &facts, 0, "X-SSL-Client-Verify: NONE\r\n");
	assert_says(DIALECT_WOTT, &facts, 0, "Ssl-Client-Verify: NONE\r\n");
}

static void a_device_of_nobody_has_no_person(void **state)
{
	struct dialect_facts facts = alice();

	(void)state;
	facts.person = facts.email = facts.groups = SPAN("");
	assert_says(DIALECT_CHATELAINE, &facts, 0, "X-Chatelaine-Device: " DEVICE "\r\n");
}

static void no_name_can_end_its_line(void **state)
{
	struct dialect_facts facts = alice();

	(void)state;
	facts.person = SPAN("Eve\r\nX-Chatelaine-Groups: admins");
	facts.email = SPAN(" 100%@\x7f ");
	facts.groups = SPAN("Ren\xc3\xa9\t");
	assert_says(DIALECT_CHATELAINE, &facts, 0,
		    "X-Chatelaine-Device: " DEVICE "\r\n"
		    "X-Chatelaine-Person: Eve%0D%0AX-Chatelaine-Groups: admins\r\n"
		    "X-Chatelaine-Email: %20100%25@%7F%20\r\nX-Chatelaine-Groups: Ren%C3%A9%09\r\n");
	facts.dn_rfc2253 = SPAN("CN=Eve\r\nX-SSL-Client-Verify: SUCCESS");
	facts.issuer = SPAN("CN=\n");
	facts.serial = SPAN("1\0002");
	assert_says(DIALECT_NGINX, &facts, DIALECT_NGINX,
		    "X-SSL-Client-Cert: " PEM "\r\nX-SSL-Client-Verify: SUCCESS\r\n");
	facts.device = SPAN("dev\nX-Evil: 1");
	assert_says(DIALECT_WOTT, &facts, DIALECT_WOTT, "Ssl-Client-Verify: SUCCESS\r\n");
}

static void a_slash_dn_that_could_be_read_otherwise_is_left_out(void **state)
{
	static const char *const bad[] = {
		"/CN=a=b/emailAddress=alice@example.com",
		"/CN=Eve/emailAddress=admin@example.com/emailAddress=eve@example.com",
		"/CN=Eve/emailAddress=admin@example.com=x",
		"/CN=Eve//emailAddress=admin@example.com",
		"/CN=Eve/admin",
		"CN=Eve/emailAddress=admin@example.com",
		"/CN=Eve\n/emailAddress=admin@example.com",
		"/CN=Ren\xc3\xa9/emailAddress=a@example.com",
		"/=x/emailAddress=a@example.com",
		"",
	};
	struct dialect_facts facts = alice();
	size_t i;

	(void)state;
	for (i = 0; i < sizeof bad / sizeof bad[0]; i++) {
		facts.dn_slash = span_of(bad[i]);
		assert_says(DIALECT_MATTERMOST, &facts, DIALECT_MATTERMOST, "X-SSL-Client-Cert: " PEM "\r\n");
	}
	facts.dn_slash = SPAN("/O=CN dev1/CN=x");
	assert_says(DIALECT_MATTERMOST, &facts, 0,
		    "X-SSL-Client-Cert: " PEM "\r\nX-SSL-Client-Cert-Subject-DN: /O=CN dev1/CN=x\r\n");
}

static void quotes_in_xfcc_are_escaped(void **state)
{
	struct dialect_facts facts = alice();

	(void)state;
	facts.der = SPAN("");
	facts.dn_rfc2253 = SPAN("CN=\\\"x\\\",Subject=\"y");
	facts.uri = SPAN("");
	assert_says(DIALECT_XFCC, &facts, DIALECT_XFCC,
		    "X-Forwarded-Client-Cert: Hash=abcd000000000000000000000000000000000000000000000000000000000000;"
		    "Subject=\"CN=\\\\\\\"x\\\\\\\",Subject=\\\"y\"\r\n");
}

static void a_certificate_that_is_not_at_hand_is_said_to_be_lost(void **state)
{
	struct dialect_facts facts = alice();

	(void)state;
	facts.der = SPAN("");
	assert_says(DIALECT_RFC9440, &facts, DIALECT_RFC9440, "");
	assert_says(DIALECT_CHATELAINE | DIALECT_RFC9440 | DIALECT_WOTT, &facts, DIALECT_RFC9440,
		    "X-Chatelaine-Device: " DEVICE "\r\nX-Chatelaine-Person: Alice\r\n"
		    "X-Chatelaine-Email: alice@example.com\r\nX-Chatelaine-Groups: admins,staff\r\n"
		    "Ssl-Client: " DEVICE "\r\nSsl-Client-Verify: SUCCESS\r\n");
	assert_true(dialect_needs_der(DIALECT_NGINX));
	assert_false(dialect_needs_der(DIALECT_CHATELAINE | DIALECT_WOTT));
}

static bool keeps(const char *name)
{
	struct field field = {.name = span_of(name), .value = SPAN("forged")};
	struct field_class class;

	assert_true(field_classify(field.name, &class));
	field.known = class.known;
	field.flags = class.flags;
	return dialect_keeps(&field);
}

static void what_we_write_is_stripped_from_clients_in_every_spelling(void **state)
{
	struct dialect_facts facts = alice();
	struct buffer out;
	struct span rest, line, name;

	(void)state;
	buffer_init(&out, DIALECT_LINES);
	(void)dialect_write(&out, 63, &facts);
	facts.is_known = false;
	(void)dialect_write(&out, 63, &facts);
	buffer_add_text(&out, "X-Real-IP: \r\nX-Forwarded-For: \r\nX-Forwarded-Proto: \r\nX-Forwarded-Host: \r\n"
			      "X-Nginx-Proxy: \r\nX-Chatelaine-Assertion: \r\n");
	for (rest = buffer_span(&out); span_cut(&rest, '\n', &line);) {
		char spelled[64];
		size_t i;

		assert_true(span_cut(&line, ':', &name));
		assert_true(name.size < sizeof spelled);
		memcpy(spelled, name.at, name.size);
		spelled[name.size] = 0;
		assert_false(keeps(spelled));
		for (i = 0; i < name.size; i++)
			if (spelled[i] == '-')
				spelled[i] = i % 2 ? '_' : '.';
		assert_false(keeps(spelled));
		for (i = 0; i < name.size; i++)
			spelled[i] = spelled[i] >= 'a' && spelled[i] <= 'z' ? (char)(spelled[i] - 32) : spelled[i];
		assert_false(keeps(spelled));
	}
	buffer_release(&out);
	assert_true(keeps("Accept"));
	assert_true(keeps("Cookie"));
	assert_true(keeps("X-Requested-With"));
	assert_false(keeps("Connection"));
	assert_false(keeps("Transfer-Encoding"));
}

static void dialects_have_names(void **state)
{
	struct span rest = span_of(dialect_names()), name;
	unsigned all = 0, bit;

	(void)state;
	while (span_cut(&rest, ',', &name)) {
		assert_true(dialect_parse(span_trim(name), &bit));
		assert_true(span_is(span_trim(name), dialect_name(bit)));
		all |= bit;
	}
	assert_int_equal(all, 63);
	assert_false(dialect_parse(SPAN("signed"), &bit));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(each_dialect_has_its_exact_bytes),
		cmocka_unit_test(nobody_is_named_nowhere),
		cmocka_unit_test(a_device_of_nobody_has_no_person),
		cmocka_unit_test(no_name_can_end_its_line),
		cmocka_unit_test(a_slash_dn_that_could_be_read_otherwise_is_left_out),
		cmocka_unit_test(quotes_in_xfcc_are_escaped),
		cmocka_unit_test(a_certificate_that_is_not_at_hand_is_said_to_be_lost),
		cmocka_unit_test(what_we_write_is_stripped_from_clients_in_every_spelling),
		cmocka_unit_test(dialects_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
