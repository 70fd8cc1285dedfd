/* Any bytes as a certificate, DER or PEM: facts are printable text, and the bytes come back as they
 * were. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "pki/certificate.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static void check_printable(struct span text)
{
	size_t i;

	for (i = 0; i < text.size; i++)
		if (text.at[i] < ' ' || text.at[i] > '~')
			abort();
}

static void check(const struct certificate *certificate)
{
	const struct certificate_facts *facts = certificate_facts(certificate);
	struct certificate *again = NULL;
	struct buffer out;
	size_t i;

	check_printable(span_of(facts->subject));
	check_printable(span_of(facts->issuer));
	check_printable(span_of(facts->serial));
	for (i = 0; i < facts->name_count; i++)
		check_printable(facts->names[i].text);
	(void)certificate_covers_host(certificate, SPAN("chat.example.com"));
	(void)certificate_covers_host(certificate, SPAN("192.0.2.7"));
	(void)certificate_check_issuer(certificate, certificate, NULL);
	(void)certificate_check_dates(certificate, 0, NULL);
	buffer_init(&out, 1 << 22);
	certificate_describe(certificate, &out);
	buffer_clear(&out);
	certificate_write_pem(certificate, &out);
	if (certificate_parse_pem(buffer_span(&out), &again, NULL) != OK ||
	    memcmp(certificate_facts(again)->fingerprint, facts->fingerprint, SHA256_SIZE) != 0)
		abort();
	certificate_free(again);
	buffer_release(&out);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct span input = span_make(bytes, size);
	struct certificate *certificate = NULL;
	struct certificate_list list = {0};
	size_t i;

	if (certificate_parse_der(input, &certificate, NULL) == OK) {
		if (!span_equals(certificate_der(certificate), input))
			abort();
		check(certificate);
	}
	certificate_free(certificate);
	if (certificate_list_parse(input, CERTIFICATE_CHAIN_MAX, &list, NULL) == OK) {
		for (i = 0; i < list.count; i++)
			check(list.at[i]);
		(void)certificate_list_check_chain(&list, NULL);
	}
	certificate_list_release(&list);
	return 0;
}
