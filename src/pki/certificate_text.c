/* A certificate for people to read. */
#include <stdio.h>

#include "base/clock.h"
#include "base/encode.h"
#include "pki/certificate.h"

struct word {
	unsigned bit;
	const char *text;
};

static void add_words(struct buffer *out, const char *title, unsigned bits,
		      const struct word *words, size_t count)
{
	const char *between = "";
	size_t i;

	buffer_printf(out, "%-13s", title);
	for (i = 0; i < count; i++) {
		if (!(bits & words[i].bit))
			continue;
		buffer_printf(out, "%s%s", between, words[i].text);
		between = ", ";
	}
	buffer_add_text(out, bits ? "\n" : "nothing\n");
}

static void add_names(const struct certificate_facts *facts, struct buffer *out)
{
	static const char *const kinds[] = {
		[ALTERNATIVE_DNS] = "DNS",      [ALTERNATIVE_IP] = "IP",
		[ALTERNATIVE_EMAIL] = "e-mail", [ALTERNATIVE_URI] = "URI",
		[ALTERNATIVE_OTHER] = "other",
	};
	size_t i;

	for (i = 0; i < facts->name_count; i++)
		buffer_printf(out, "%-13s%s %.*s\n", i ? "" : "names", kinds[facts->names[i].kind],
			      SPAN_PRINT(facts->names[i].text));
}

static void add_uses(const struct certificate_facts *facts, struct buffer *out)
{
	static const struct word purposes[] = {
		{PURPOSE_CLIENT, "client"},     {PURPOSE_SERVER, "server"},
		{PURPOSE_OCSP, "OCSP answers"}, {PURPOSE_ANY, "any purpose"},
		{PURPOSE_OTHER, "other"},
	};
	static const struct word usages[] = {
		{USAGE_SIGNATURE, "signatures"},
		{USAGE_ENCIPHERMENT, "key encipherment"},
		{USAGE_AGREEMENT, "key agreement"},
		{USAGE_SIGN_CERTIFICATES, "signing certificates"},
		{USAGE_SIGN_LISTS, "signing revocation lists"},
		{USAGE_OTHER, "other"},
	};

	if (facts->has_purposes)
		add_words(out, "purposes", facts->purposes, purposes,
			  sizeof purposes / sizeof *purposes);
	if (facts->has_usages)
		add_words(out, "key may do", facts->usages, usages, sizeof usages / sizeof *usages);
	if (facts->is_authority && facts->path_length >= 0)
		buffer_printf(out, "%-13syes, with at most %d below it\n", "authority",
			      facts->path_length);
	else
		buffer_printf(out, "%-13s%s\n", "authority", facts->is_authority ? "yes" : "no");
}

static void add_date(struct buffer *out, const char *title, int64_t seconds)
{
	char text[CLOCK_TEXT_SIZE];

	clock_text(seconds, text);
	buffer_printf(out, "%-13s%s\n", title, text);
}

static void add_hash(struct buffer *out, const char *title, const uint8_t hash[SHA256_SIZE])
{
	char text[2 * SHA256_SIZE + 1];

	hex_write(hash, SHA256_SIZE, text);
	buffer_printf(out, "%-13s%s\n", title, text);
}

void certificate_describe(const struct certificate *certificate, struct buffer *out)
{
	const struct certificate_facts *facts = certificate_facts(certificate);

	buffer_printf(out, "%-13s%s\n", "subject", facts->subject[0] ? facts->subject : "(none)");
	buffer_printf(out, "%-13s%s%s\n", "issuer", facts->issuer[0] ? facts->issuer : "(none)",
		      facts->is_self_signed ? " (itself)" : "");
	add_names(facts, out);
	add_date(out, "from", facts->not_before);
	add_date(out, "until", facts->not_after);
	add_uses(facts, out);
	buffer_printf(out, "%-13s%s\n", "key", facts->key);
	buffer_printf(out, "%-13s%s\n", "signed with", facts->signed_with);
	buffer_printf(out, "%-13s%s\n", "serial", facts->serial);
	add_hash(out, "fingerprint", facts->fingerprint);
	add_hash(out, "key hash", facts->spki);
}
