#include "pki/certificate.h"

#include "test_house.h"
#include "test_samples.h"

static struct certificate *parse(const char *pem)
{
	struct certificate *certificate = NULL;
	struct error err;

	assert_ok(certificate_parse_pem(span_of(pem), &certificate, &err), err);
	return certificate;
}

static void the_facts_are_what_stands_in_it(void **state)
{
	static const struct {
		enum alternative_kind kind;
		const char *text;
	} names[] = {
		{ALTERNATIVE_DNS, "*.Example.com"},   {ALTERNATIVE_DNS, "chat.example.com"},
		{ALTERNATIVE_IP, "192.0.2.7"},        {ALTERNATIVE_IP, "2001:db8::1"},
		{ALTERNATIVE_EMAIL, "a@example.com"}, {ALTERNATIVE_URI, "urn:x:y"},
		{ALTERNATIVE_OTHER, "type 0"},        {ALTERNATIVE_OTHER, "dns:e\\x20vil"},
	};
	struct certificate *certificate = parse(sample_certificate_names);
	const struct certificate_facts *facts = certificate_facts(certificate);
	size_t i;

	(void)state;
	assert_string_equal(
		facts->subject,
		"emailAddress=a@example.com,CN=JxC3xB6rg\\\\,O=A\\+B\\, x \\; \\<y\\>,C=DE");
	assert_string_equal(facts->issuer, facts->subject);
	assert_string_equal(facts->common_name, "JxC3xB6rg\\");
	assert_string_equal(facts->serial, "c0ffee");
	assert_int_equal(facts->not_after - facts->not_before, INT64_C(20000) * 86400);
	assert_int_equal(facts->name_count, sizeof names / sizeof *names);
	for (i = 0; i < facts->name_count; i++) {
		assert_int_equal(facts->names[i].kind, names[i].kind);
		assert_true(span_is(facts->names[i].text, names[i].text));
	}
	assert_string_equal(facts->key, "EC P-256");
	assert_int_equal(facts->key_bits, 256);
	assert_true(facts->has_purposes);
	assert_int_equal(facts->purposes, PURPOSE_CLIENT | PURPOSE_SERVER | PURPOSE_OTHER);
	assert_true(facts->has_usages);
	assert_int_equal(facts->usages, USAGE_SIGNATURE | USAGE_ENCIPHERMENT);
	assert_false(facts->is_authority);
	assert_int_equal(facts->path_length, -1);
	assert_true(facts->is_self_signed);
	assert_string_equal(facts->signed_with, "ecdsa-with-SHA256");
	certificate_free(certificate);
}

static void only_the_names_cover_a_host(void **state)
{
	static const struct {
		const char *host;
		bool covered;
	} hosts[] = {
		{"chat.example.com", true},
		{"CHAT.EXAMPLE.COM.", true},
		{"a.example.com", true},
		{"a.b.example.com", false},
		{"example.com", false},
		{".example.com", false},
		{"192.0.2.7", true},
		{"192.0.2.8", false},
		{"2001:db8::1", true},
		{"2001:DB8:0::1", true},
		{"JxC3xB6rg\\", false},
		{"", false},
		{".", false},
		{"a@example.com", false},
	};
	struct certificate *certificate = parse(sample_certificate_names);
	size_t i;

	(void)state;
	for (i = 0; i < sizeof hosts / sizeof *hosts; i++)
		assert_int_equal(certificate_covers_host(certificate, span_of(hosts[i].host)),
				 hosts[i].covered);
	assert_false(
		certificate_covers_host(certificate, span_make("chat.example.com\0.evil", 22)));
	certificate_free(certificate);
}

static void bytes_that_are_not_exactly_one_der_certificate_are_refused(void **state)
{
	struct certificate *certificate = parse(sample_certificate_self), *other = NULL;
	struct span der = certificate_der(certificate);
	struct buffer changed;
	struct error err;
	size_t i;

	(void)state;
	buffer_init(&changed, 4096);
	buffer_add(&changed, der);
	buffer_add_char(&changed, 0);
	assert_int_equal(certificate_parse_der(buffer_span(&changed), &other, &err), REFUSED);
	assert_string_equal(err.text, "certificate with bytes behind its end");
	/* The outer length in a longer form than it needs: BER, not DER. */
	buffer_clear(&changed);
	buffer_add(&changed, SPAN("\x30\x83"));
	buffer_add_char(&changed, 0);
	buffer_add(&changed, span_make(der.at + 2, der.size - 2));
	assert_int_equal((uint8_t)der.at[1], 0x82);
	assert_int_equal(certificate_parse_der(buffer_span(&changed), &other, &err), REFUSED);
	assert_string_equal(err.text, "certificate is not in DER form");
	for (i = 0; i < der.size; i++)
		assert_int_equal(certificate_parse_der(span_make(der.at, i), &other, &err),
				 REFUSED);
	assert_null(other);
	buffer_release(&changed);
	certificate_free(certificate);
}

static void a_bad_file_of_certificates_is_named(void **state)
{
	struct certificate_list list = {0};
	struct buffer text;
	struct error err;
	int i;

	(void)state;
	assert_int_equal(certificate_list_parse(SPAN("hello"), 10, &list, &err), REFUSED);
	assert_string_equal(err.text, "there is no certificate in PEM form in it");
	assert_int_equal(certificate_list_parse(span_of(sample_key_pkcs8), 10, &list, &err),
			 REFUSED);
	buffer_init(&text, 65536);
	for (i = 0; i < 3; i++)
		buffer_add_text(&text, sample_certificate_self);
	assert_int_equal(certificate_list_parse(buffer_span(&text), 2, &list, &err), REFUSED);
	assert_string_equal(err.text, "there are more than 2 certificates in it");
	buffer_add_text(&text, "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n");
	assert_int_equal(certificate_list_parse(buffer_span(&text), 10, &list, &err), REFUSED);
	assert_true(span_starts(span_of(err.text), "certificate 4: not a certificate"));
	assert_null(list.at);
	buffer_release(&text);
}

static void a_chain_in_the_wrong_order_is_named(void **state)
{
	struct test_house house = test_house_make();
	struct key *key = make_key(KEY_EC_P256);
	struct span host = SPAN("chat.example.com");
	struct subject_facts facts = {.hosts = &host, .host_count = 1};
	struct certificate *leaf = issue(&house, PROFILE_SERVER, &facts, key);
	const struct certificate *parts[3] = {leaf, signer_certificate(house.issuing),
					      signer_certificate(house.root)};
	static const struct {
		int order[3], count;
		const char *begin;
	} cases[] = {
		{{0, 1, 2}, 3, NULL},
		{{0, 1}, 2, NULL},
		{{0}, 1, NULL},
		{{2}, 1, NULL},
		{{1, 0, 2},
		 3,
		 "the first certificate, \"CN=Chatelaine issuing 1 for chat.example.com\", is "
		 "an authority's; put the server's own first"},
		{{0, 2, 1},
		 3,
		 "certificate 2 did not sign certificate 1; each must be followed by the "
		 "one that signed it: "},
		{{0, 0},
		 2,
		 "certificate 2 did not sign certificate 1; each must be followed by the one "
		 "that signed it: \"CN=chat.example.com\" is no certificate authority"},
	};
	size_t i;
	int k;

	(void)state;
	for (i = 0; i < sizeof cases / sizeof *cases; i++) {
		struct certificate_list list = {0};
		struct buffer text;
		struct error err = {""};
		enum status status;

		buffer_init(&text, 65536);
		for (k = 0; k < cases[i].count; k++)
			certificate_write_pem(parts[cases[i].order[k]], &text);
		assert_ok(certificate_list_parse(buffer_span(&text), CERTIFICATE_CHAIN_MAX, &list,
						 &err),
			  err);
		status = certificate_list_check_chain(&list, &err);
		assert_int_equal(status, cases[i].begin ? REFUSED : OK);
		if (cases[i].begin)
			assert_true(span_starts(span_of(err.text), cases[i].begin));
		certificate_list_release(&list);
		buffer_release(&text);
	}
	certificate_free(leaf);
	key_free(key);
	test_house_release(&house);
}

static void another_issuer_of_the_same_name_is_not_the_issuer(void **state)
{
	struct test_house one = test_house_make(), other = test_house_make();
	struct error err;

	(void)state;
	assert_string_equal(certificate_facts(signer_certificate(one.root))->subject,
			    certificate_facts(signer_certificate(other.root))->subject);
	assert_ok(certificate_check_issuer(signer_certificate(one.issuing),
					   signer_certificate(one.root), &err),
		  err);
	assert_int_equal(certificate_check_issuer(signer_certificate(one.issuing),
						  signer_certificate(other.root), &err),
			 REFUSED);
	test_house_release(&one);
	test_house_release(&other);
}

static void the_summary_can_be_read(void **state)
{
	struct certificate *certificate = parse(sample_certificate_names);
	struct buffer out;

	(void)state;
	buffer_init(&out, 8192);
	certificate_describe(certificate, &out);
	assert_non_null(strstr(buffer_text(&out), "names        DNS *.Example.com\n"));
	assert_non_null(strstr(buffer_text(&out), "             IP 2001:db8::1\n"));
	assert_non_null(strstr(buffer_text(&out), "purposes     client, server, other\n"));
	assert_non_null(strstr(buffer_text(&out), "key may do   signatures, key encipherment\n"));
	assert_non_null(strstr(buffer_text(&out), "authority    no\n"));
	assert_non_null(strstr(buffer_text(&out), "serial       c0ffee\n"));
	assert_non_null(strstr(buffer_text(&out), " (itself)\n"));
	buffer_release(&out);
	certificate_free(certificate);
}

static void dates_are_compared_to_now(void **state)
{
	struct certificate *certificate = parse(sample_certificate_self);
	const struct certificate_facts *facts = certificate_facts(certificate);
	struct error err;

	(void)state;
	assert_ok(certificate_check_dates(certificate, facts->not_before, &err), err);
	assert_ok(certificate_check_dates(certificate, facts->not_after, &err), err);
	assert_int_equal(certificate_check_dates(certificate, facts->not_before - 1, &err),
			 REFUSED);
	assert_true(span_starts(span_of(err.text), "not valid before 20"));
	assert_int_equal(certificate_check_dates(certificate, facts->not_after + 1, &err), REFUSED);
	assert_true(span_starts(span_of(err.text), "expired on 20"));
	certificate_free(certificate);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(the_facts_are_what_stands_in_it),
		cmocka_unit_test(only_the_names_cover_a_host),
		cmocka_unit_test(bytes_that_are_not_exactly_one_der_certificate_are_refused),
		cmocka_unit_test(a_bad_file_of_certificates_is_named),
		cmocka_unit_test(a_chain_in_the_wrong_order_is_named),
		cmocka_unit_test(another_issuer_of_the_same_name_is_not_the_issuer),
		cmocka_unit_test(the_summary_can_be_read),
		cmocka_unit_test(dates_are_compared_to_now),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
