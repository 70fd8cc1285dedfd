#include "pki/foreign_identity.h"

#include <openssl/asn1.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <string.h>

#include "base/utf8.h"
#include "pki/pki_error.h"

enum { EMAIL_MOST = 254, DNS_MOST = 253, LABEL_MOST = 63, CN_MOST = 256, TRUST_DOMAIN_MOST = 255 };

/* -- what may stand in each field -- */

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

static bool is_small_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
}

static bool is_letter_or_digit(char c)
{
	return is_small_or_digit(lower(c));
}

static void add_lower(struct buffer *out, struct span text)
{
	size_t i;

	for (i = 0; i < text.size; i++)
		buffer_add_char(out, lower(text.at[i]));
}

static bool is_plain(struct span text)
{
	size_t i;

	for (i = 0; i < text.size; i++)
		if (text.at[i] <= ' ' || text.at[i] > '~')
			return false;
	return text.size > 0;
}

static bool is_dns_name(struct span text)
{
	struct span label;
	size_t i;

	if (text.size == 0 || text.size > DNS_MOST || text.at[text.size - 1] == '.')
		return false;
	while (span_cut(&text, '.', &label)) {
		if (label.size == 0 || label.size > LABEL_MOST || label.at[0] == '-' ||
		    label.at[label.size - 1] == '-')
			return false;
		for (i = 0; i < label.size; i++)
			if (!is_letter_or_digit(label.at[i]) && label.at[i] != '-' && label.at[i] != '_')
				return false;
	}
	return true;
}

/* RFC 5321 section 4.1.2 without quoted strings: nothing that a list, a header or a name in a
 * bracket could take for its own. */
static enum status fold_email(struct span text, struct buffer *out, struct error *err)
{
	static const char also[] = "!#$%&'*+-./=?^_`{|}~";
	const char *at = text.size ? memchr(text.at, '@', text.size) : NULL;
	size_t local = at ? (size_t)(at - text.at) : 0, i;
	struct span domain;

	if (local == 0 || text.size > EMAIL_MOST)
		return error_refuse(err, "it is no e-mail address");
	for (i = 0; i < local; i++)
		if (!is_letter_or_digit(text.at[i]) && (!text.at[i] || !strchr(also, text.at[i])))
			return error_refuse(err, "it is no plain e-mail address");
	domain = span_make(at + 1, text.size - local - 1);
	if (!is_dns_name(domain))
		return error_refuse(err, "its e-mail address has no proper domain");
	buffer_add(out, span_make(text.at, local + 1));
	add_lower(out, domain);
	return OK;
}

static enum status fold_uri(struct span text, struct buffer *out, struct error *err)
{
	const char *colon = text.size ? memchr(text.at, ':', text.size) : NULL;
	size_t i;

	if (!is_plain(text) || text.size > FOREIGN_IDENTITY_MOST)
		return error_refuse(err, "its URI is empty, too long or has a byte that no URI may have");
	if (!colon || colon == text.at || colon + 1 == text.at + text.size)
		return error_refuse(err, "its URI has no scheme");
	/* RFC 3986 section 3.1 */
	for (i = 0; text.at[i] != ':'; i++)
		if (!is_letter_or_digit(text.at[i]) && (i == 0 || !strchr("+-.", text.at[i])))
			return error_refuse(err, "its URI has no proper scheme");
	buffer_add(out, text);
	return OK;
}

/* The SPIFFE ID standard, section 2: lower-case trust domain, no port, query or fragment, no empty or
 * dotted segment. A workload's has a path. */
static enum status fold_spiffe(struct span text, struct buffer *out, struct error *err)
{
	static const char scheme[] = "spiffe://";
	struct span rest = text, domain, segment;
	size_t i;

	if (text.size > FOREIGN_IDENTITY_MOST || !span_starts(text, scheme))
		return error_refuse(err, "its URI is no SPIFFE ID");
	span_skip(&rest, sizeof scheme - 1);
	if (!span_cut(&rest, '/', &domain) || domain.size == 0 || domain.size > TRUST_DOMAIN_MOST)
		return error_refuse(err, "its SPIFFE ID has no trust domain");
	for (i = 0; i < domain.size; i++)
		if (!is_small_or_digit(domain.at[i]) && (!domain.at[i] || !strchr("-._", domain.at[i])))
			return error_refuse(err, "its SPIFFE ID has a trust domain that is none");
	if (rest.size == 0 || rest.at[rest.size - 1] == '/')
		return error_refuse(err, "its SPIFFE ID has no path, or one that ends with \"/\"");
	while (span_cut(&rest, '/', &segment)) {
		if (segment.size == 0 || span_is(segment, ".") || span_is(segment, ".."))
			return error_refuse(err, "its SPIFFE ID has an empty or dotted segment");
		for (i = 0; i < segment.size; i++)
			if (!is_letter_or_digit(segment.at[i]) &&
			    (!segment.at[i] || !strchr("-._", segment.at[i])))
				return error_refuse(err, "its SPIFFE ID has a character that none may have");
	}
	buffer_add(out, text);
	return OK;
}

static enum status fold_dns(struct span text, struct buffer *out, struct error *err)
{
	if (!is_dns_name(text))
		return error_refuse(err, "its DNS name is none of a machine");
	add_lower(out, text);
	return OK;
}

/* Control characters, and those that nobody sees: two names that look alike must be alike. */
static bool is_unseen(uint32_t c)
{
	return utf8_is_control(c) || c == 0xad || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x206f) || c == 0xfeff || c == 0xfffd;
}

static enum status fold_cn(struct span text, struct buffer *out, struct error *err)
{
	struct span rest = text;
	uint32_t c;

	if (text.size == 0 || text.size > CN_MOST || text.at[0] == ' ' || text.at[text.size - 1] == ' ')
		return error_refuse(err, "its common name is empty, too long, or begins or ends with a space");
	while (rest.size) {
		unsigned size = utf8_take(rest, &c);

		if (size == 0 || is_unseen(c))
			return error_refuse(err, "its common name has a character that cannot be seen");
		span_skip(&rest, size);
	}
	buffer_add(out, text);
	return OK;
}

static const struct {
	const char *name;
	int type; /* of the GENERAL_NAME; -1: not in subjectAltName */
	enum status (*fold)(struct span text, struct buffer *out, struct error *err);
} fields[] = {
	[FOREIGN_EMAIL] = {"email", GEN_EMAIL, fold_email},
	[FOREIGN_URI] = {"uri", GEN_URI, fold_uri},
	[FOREIGN_SPIFFE] = {"spiffe", GEN_URI, fold_spiffe},
	[FOREIGN_DNS] = {"dns", GEN_DNS, fold_dns},
	[FOREIGN_CN] = {"cn", -1, fold_cn},
};

const char *foreign_field_name(enum foreign_field field)
{
	return fields[field].name;
}

enum status foreign_identity_fold(enum foreign_field field, struct span text, struct buffer *out,
				  struct error *err)
{
	return fields[field].fold(text, out, err);
}

/* -- where they stand in a certificate -- */

static enum status read_alternative(const X509 *certificate, enum foreign_field field, struct buffer *out,
				    struct error *err)
{
	int critical = -1, count = 0, i;
	GENERAL_NAMES *names = X509_get_ext_d2i(certificate, NID_subject_alt_name, &critical, NULL);
	struct span value = {0};
	enum status status;

	if (!names) {
		pki_forget();
		return error_refuse(err, critical == -1 ? "it has no alternative name"
							: "its alternative names cannot be read");
	}
	for (i = 0; i < sk_GENERAL_NAME_num(names); i++) {
		const GENERAL_NAME *name = sk_GENERAL_NAME_value(names, i);

		if (name->type != fields[field].type)
			continue;
		count++;
		value = span_make(ASN1_STRING_get0_data(name->d.ia5), (size_t)ASN1_STRING_length(name->d.ia5));
	}
	if (count == 1)
		status = fields[field].fold(value, out, err);
	else
		status = error_refuse(err, "it has %d names of type %s; exactly one says who it is", count,
				      fields[field].name);
	GENERAL_NAMES_free(names);
	return status;
}

static enum status read_common_name(const X509 *certificate, struct buffer *out, struct error *err)
{
	const X509_NAME *subject = X509_get_subject_name(certificate);
	int at = X509_NAME_get_index_by_NID(subject, NID_commonName, -1), size;
	unsigned char *utf8 = NULL;
	enum status status;

	if (at < 0)
		return error_refuse(err, "it has no common name");
	if (X509_NAME_get_index_by_NID(subject, NID_commonName, at) >= 0)
		return error_refuse(err, "it has more than one common name");
	size = ASN1_STRING_to_UTF8(&utf8, X509_NAME_ENTRY_get_data(X509_NAME_get_entry(subject, at)));
	if (size < 0) {
		pki_forget();
		return error_refuse(err, "its common name is not text");
	}
	status = fold_cn(span_make(utf8, (size_t)size), out, err);
	OPENSSL_free(utf8);
	return status;
}

enum status foreign_identity_read(const struct x509_st *certificate, enum foreign_field field,
				  struct buffer *out, struct error *err)
{
	return field == FOREIGN_CN ? read_common_name(certificate, out, err)
				   : read_alternative(certificate, field, out, err);
}
