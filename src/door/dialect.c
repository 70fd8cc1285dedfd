#include "door/dialect.h"

#include <stddef.h>
#include <string.h>

#include "base/encode.h"
#include "wire/http_head.h"

enum { PEM_LINE = 64, PEM_MOST = 90000 };

static bool is_printable(struct span value)
{
	size_t i;

	for (i = 0; i < value.size; i++) {
		unsigned char c = (unsigned char)value.at[i];

		if (c < ' ' || c > '~')
			return false;
	}
	return value.size > 0 && value.at[0] != ' ' && value.at[value.size - 1] != ' ';
}

static void put_name(struct buffer *out, const char *name)
{
	buffer_add_text(out, name);
	buffer_add_text(out, ": ");
}

static void put_end(struct buffer *out)
{
	buffer_add_text(out, "\r\n");
}

static void put_percent(struct buffer *out, unsigned char c)
{
	static const char digits[] = "0123456789ABCDEF";
	char three[3] = {'%', digits[c >> 4], digits[c & 15]};

	buffer_add(out, span_make(three, 3));
}

/* As it is; false when it could not stand on a line, and then it does not. An empty one is no loss. */
static bool put_plain(struct buffer *out, const char *name, struct span value)
{
	if (value.size == 0)
		return true;
	if (!is_printable(value))
		return false;
	put_name(out, name);
	buffer_add(out, value);
	put_end(out);
	return true;
}

/* Printable ASCII as it is, all else (and %) as %XX: a name in UTF-8 survives every framework's idea
 * of a header's character set. */
static void put_text(struct buffer *out, const char *name, struct span value)
{
	size_t i;

	if (value.size == 0)
		return;
	put_name(out, name);
	for (i = 0; i < value.size; i++) {
		unsigned char c = (unsigned char)value.at[i];
		bool is_edge = i == 0 || i == value.size - 1;

		if (c < ' ' || c > '~' || c == '%' || (c == ' ' && is_edge))
			put_percent(out, c);
		else
			buffer_add_char(out, (char)c);
	}
	put_end(out);
}

/* What nginx calls $ssl_client_escaped_cert: all but the unreserved of RFC 3986 as %XX. */
static void put_escaped(struct buffer *out, struct span bytes)
{
	size_t i;

	for (i = 0; i < bytes.size; i++) {
		unsigned char c = (unsigned char)bytes.at[i];
		bool is_letter =
			(c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');

		if (is_letter || c == '-' || c == '.' || c == '_' || c == '~')
			buffer_add_char(out, (char)c);
		else
			put_percent(out, c);
	}
}

static void put_escaped_pem(struct buffer *out, struct span der)
{
	struct buffer base64;
	struct span rest;

	buffer_init(&base64, PEM_MOST);
	base64_write(&base64, der);
	if (!buffer_is_whole(&base64))
		out->cut = true;
	put_escaped(out, SPAN("-----BEGIN CERTIFICATE-----\n"));
	for (rest = buffer_span(&base64); rest.size > 0;) {
		size_t size = rest.size < PEM_LINE ? rest.size : PEM_LINE;

		put_escaped(out, (struct span){rest.at, size});
		put_escaped(out, SPAN("\n"));
		span_skip(&rest, size);
	}
	put_escaped(out, SPAN("-----END CERTIFICATE-----\n"));
	buffer_release(&base64);
}

static bool put_pem(struct buffer *out, const char *name, struct span der)
{
	if (der.size == 0)
		return false;
	put_name(out, name);
	put_escaped_pem(out, der);
	put_end(out);
	return true;
}

/* -- the dialects: each answers whether it could say all -- */

static bool write_chatelaine(struct buffer *out, const struct dialect_facts *facts)
{
	if (!facts->is_known)
		return true;
	put_text(out, "X-Chatelaine-Device", facts->device);
	put_text(out, "X-Chatelaine-Person", facts->person);
	put_text(out, "X-Chatelaine-Email", facts->email);
	put_text(out, "X-Chatelaine-Groups", facts->groups);
	return true;
}

/* RFC 9440 sections 2.2 and 2.3: a byte sequence, and a list of them without leaf and root. */
static bool write_rfc9440(struct buffer *out, const struct dialect_facts *facts)
{
	if (!facts->is_known)
		return true;
	if (facts->der.size == 0)
		return false;
	buffer_add_text(out, "Client-Cert: :");
	base64_write(out, facts->der);
	buffer_add_text(out, ":\r\n");
	if (facts->issuer_der.size == 0)
		return true;
	buffer_add_text(out, "Client-Cert-Chain: :");
	base64_write(out, facts->issuer_der);
	buffer_add_text(out, ":\r\n");
	return true;
}

static bool write_nginx(struct buffer *out, const struct dialect_facts *facts)
{
	bool whole = true;

	if (!facts->is_known) {
		buffer_add_text(out, "X-SSL-Client-Verify: NONE\r\n");
		return true;
	}
	whole &= put_pem(out, "X-SSL-Client-Cert", facts->der);
	whole &= put_plain(out, "X-SSL-Client-Cert-Subject-DN", facts->dn_rfc2253);
	whole &= put_plain(out, "X-SSL-Client-Cert-Issuer-DN", facts->issuer);
	whole &= put_plain(out, "X-SSL-Client-Serial", facts->serial);
	buffer_add_text(out, "X-SSL-Client-Verify: SUCCESS\r\n");
	return whole;
}

/* Mattermost cuts at "/", then at "=", and takes what stands behind emailAddress: so each part must
 * have one "=", and there must be one e-mail. */
static bool is_safe_slash_dn(struct span dn)
{
	struct span part;
	unsigned emails = 0;

	if (!is_printable(dn) || dn.at[0] != '/')
		return false;
	span_skip(&dn, 1);
	while (span_cut(&dn, '/', &part)) {
		const char *equals = memchr(part.at, '=', part.size);

		if (!equals || equals == part.at ||
		    memchr(equals + 1, '=', part.size - (size_t)(equals + 1 - part.at)))
			return false;
		emails += span_starts(part, "emailAddress=");
	}
	return emails <= 1;
}

static bool write_mattermost(struct buffer *out, const struct dialect_facts *facts)
{
	bool whole;

	if (!facts->is_known)
		return true;
	whole = put_pem(out, "X-SSL-Client-Cert", facts->der);
	if (!is_safe_slash_dn(facts->dn_slash))
		return false;
	return put_plain(out, "X-SSL-Client-Cert-Subject-DN", facts->dn_slash) && whole;
}

static bool write_wott(struct buffer *out, const struct dialect_facts *facts)
{
	bool whole;

	if (!facts->is_known) {
		buffer_add_text(out, "Ssl-Client-Verify: NONE\r\n");
		return true;
	}
	whole = put_plain(out, "Ssl-Client", facts->device);
	buffer_add_text(out, "Ssl-Client-Verify: SUCCESS\r\n");
	return whole;
}

/* Envoy's: a value with , ; or = stands in quotes, and a quote inside has \ before it. */
static void put_xfcc_quoted(struct buffer *out, const char *key, struct span value)
{
	size_t i;

	buffer_add_text(out, key);
	buffer_add_text(out, "=\"");
	for (i = 0; i < value.size; i++) {
		if (value.at[i] == '"' || value.at[i] == '\\')
			buffer_add_char(out, '\\');
		buffer_add_char(out, value.at[i]);
	}
	buffer_add_char(out, '"');
}

static bool write_xfcc(struct buffer *out, const struct dialect_facts *facts)
{
	char hash[65];
	bool whole = true;

	if (!facts->is_known)
		return true;
	hex_write(facts->fingerprint, 32, hash);
	put_name(out, "X-Forwarded-Client-Cert");
	buffer_add_text(out, "Hash=");
	buffer_add_text(out, hash);
	if (facts->der.size > 0) {
		buffer_add_text(out, ";Cert=\"");
		put_escaped_pem(out, facts->der);
		buffer_add_char(out, '"');
	} else {
		whole = false;
	}
	if (is_printable(facts->dn_rfc2253)) {
		buffer_add_char(out, ';');
		put_xfcc_quoted(out, "Subject", facts->dn_rfc2253);
	} else if (facts->dn_rfc2253.size > 0) {
		whole = false;
	}
	if (is_printable(facts->uri)) {
		buffer_add_char(out, ';');
		put_xfcc_quoted(out, "URI", facts->uri);
	} else if (facts->uri.size > 0) {
		whole = false;
	}
	put_end(out);
	return whole;
}

static const struct {
	const char *name;
	unsigned bit;
	bool needs_der;
	bool (*write)(struct buffer *out, const struct dialect_facts *facts);
} dialects_known[] = {
	{"chatelaine", DIALECT_CHATELAINE, false, write_chatelaine},
	{"rfc9440", DIALECT_RFC9440, true, write_rfc9440},
	{"nginx", DIALECT_NGINX, true, write_nginx},
	{"mattermost", DIALECT_MATTERMOST, true, write_mattermost},
	{"wott", DIALECT_WOTT, false, write_wott},
	{"xfcc", DIALECT_XFCC, true, write_xfcc},
};

enum { DIALECTS = sizeof dialects_known / sizeof dialects_known[0] };

bool dialect_parse(struct span name, unsigned *bit)
{
	size_t i;

	for (i = 0; i < DIALECTS; i++) {
		if (span_is(name, dialects_known[i].name)) {
			*bit = dialects_known[i].bit;
			return true;
		}
	}
	return false;
}

const char *dialect_name(unsigned bit)
{
	size_t i;

	for (i = 0; i < DIALECTS; i++)
		if (dialects_known[i].bit == bit)
			return dialects_known[i].name;
	return "";
}

const char *dialect_names(void)
{
	return "chatelaine, rfc9440, nginx, mattermost, wott, xfcc";
}

bool dialect_needs_der(unsigned dialects)
{
	size_t i;

	for (i = 0; i < DIALECTS; i++)
		if ((dialects & dialects_known[i].bit) && dialects_known[i].needs_der)
			return true;
	return false;
}

unsigned dialect_write(struct buffer *out, unsigned dialects, const struct dialect_facts *facts)
{
	unsigned lost = 0;
	size_t i;

	for (i = 0; i < DIALECTS; i++)
		if ((dialects & dialects_known[i].bit) && !dialects_known[i].write(out, facts))
			lost |= dialects_known[i].bit;
	return lost;
}

bool dialect_keeps(const struct field *field)
{
	return !(field->flags & FIELD_NOT_FORWARDED);
}
