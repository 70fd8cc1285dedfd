#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/address.h"
#include "base/encode.h"
#include "pki/certificate_inside.h"
#include "pki/distinguished_name.h"
#include "pki/pki_error.h"

enum { SERIAL_SIZE_MAX = 20 }; /* RFC 5280 section 4.1.2.2 */

/* *out stays NULL when there is no such extension; two of them, or a broken one, are refused. */
static enum status extension(const X509 *x, int nid, const char *name, void *out, struct error *err)
{
	int critical = 0;
	void *found = X509_get_ext_d2i(x, nid, &critical, NULL);

	*(void **)out = found;
	if (found || critical == -1)
		return OK;
	pki_forget();
	return error_refuse(err, "%s %s", name,
			    critical == -2 ? "stands in it twice" : "cannot be read");
}

static enum status read_date(const ASN1_TIME *from, const char *name, int64_t *out,
			     struct error *err)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(from, &tm) != 1)
		return pki_refuse(err, name);
	*out = timegm(&tm);
	return OK;
}

static enum status read_serial(const X509 *x, char out[static CERTIFICATE_SERIAL_SIZE],
			       struct error *err)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(x);
	int size = ASN1_STRING_length(serial);
	bool is_negative = (ASN1_STRING_type(serial) & V_ASN1_NEG) == V_ASN1_NEG;

	if (size < 1 || size > SERIAL_SIZE_MAX)
		return error_refuse(err, "its serial number has %d bytes; 1 to %d are taken", size,
				    SERIAL_SIZE_MAX);
	if (is_negative)
		*out++ = '-';
	hex_write(ASN1_STRING_get0_data(serial), (size_t)size, out);
	return OK;
}

/* Where a string starts in the text is kept until the text stands still. */
static const char *begun(const struct certificate *certificate)
{
	return (const char *)(uintptr_t)certificate->text.size;
}

static void settle(struct certificate *certificate, const char **string)
{
	*string = certificate->text.at + (uintptr_t)*string;
}

/* The last CN, as nginx and people take it; a look at it, never an identity. */
static void add_common_name(struct certificate *certificate)
{
	const X509_NAME *name = X509_get_subject_name(certificate->handle);
	struct distinguished_name checked = {0};
	unsigned char *utf8 = NULL;
	int at = -1, last = -1, size;

	while ((at = X509_NAME_get_index_by_NID(name, NID_commonName, at)) >= 0)
		last = at;
	if (last < 0)
		return;
	size = ASN1_STRING_to_UTF8(&utf8,
				   X509_NAME_ENTRY_get_data(X509_NAME_get_entry(name, last)));
	if (size > 0 && distinguished_name_add(&checked, NAME_COMMON, span_make(utf8, (size_t)size),
					       NULL) == OK)
		buffer_add(&certificate->text, span_make(utf8, (size_t)size));
	if (size >= 0)
		OPENSSL_free(utf8);
	pki_forget();
}

static enum status read_names(struct certificate *certificate, struct error *err)
{
	struct certificate_facts *facts = &certificate->facts;
	struct buffer *text = &certificate->text;
	enum status status;

	facts->subject = begun(certificate);
	TRY(distinguished_name_print(X509_get_subject_name(certificate->handle), text, err));
	buffer_add_char(text, 0);
	facts->issuer = begun(certificate);
	TRY(distinguished_name_print(X509_get_issuer_name(certificate->handle), text, err));
	buffer_add_char(text, 0);
	facts->common_name = begun(certificate);
	add_common_name(certificate);
	buffer_add_char(text, 0);
done:
	return status;
}

static bool is_plain(struct span bytes)
{
	size_t i;

	for (i = 0; i < bytes.size; i++)
		if (bytes.at[i] <= ' ' || bytes.at[i] > '~')
			return false;
	return bytes.size > 0;
}

/* Escaped, so that nothing in it can end a line or pass for something else. */
static void add_other(struct buffer *text, const char *type, struct span bytes)
{
	size_t i;

	buffer_add_text(text, type);
	for (i = 0; i < bytes.size; i++) {
		uint8_t c = (uint8_t)bytes.at[i];

		if (c <= ' ' || c > '~' || c == '\\')
			buffer_printf(text, "\\x%02X", c);
		else
			buffer_add_char(text, (char)c);
	}
}

static bool add_ip(struct buffer *text, struct span bytes)
{
	char out[ADDRESS_TEXT_SIZE];
	struct address address = {.size = sizeof address.in6};

	if (bytes.size == 4) {
		address.in.sin_family = AF_INET;
		address.size = sizeof address.in;
		memcpy(&address.in.sin_addr, bytes.at, 4);
	} else if (bytes.size == 16) {
		address.in6.sin6_family = AF_INET6;
		memcpy(&address.in6.sin6_addr, bytes.at, 16);
	} else {
		return false;
	}
	address_ip_text(&address, out);
	buffer_add_text(text, out);
	return true;
}

static void add_alternative(struct certificate *certificate, const GENERAL_NAME *name)
{
	static const struct {
		int type;
		enum alternative_kind kind;
		const char *words;
	} kinds[] = {
		{GEN_DNS, ALTERNATIVE_DNS, "dns:"},
		{GEN_EMAIL, ALTERNATIVE_EMAIL, "email:"},
		{GEN_URI, ALTERNATIVE_URI, "uri:"},
		{GEN_IPADD, ALTERNATIVE_IP, "ip:"},
	};
	struct alternative_name *out = &certificate->names[certificate->facts.name_count++];
	struct buffer *text = &certificate->text;
	const ASN1_STRING *string;
	struct span bytes;
	size_t i, start = text->size;
	int type;

	out->kind = ALTERNATIVE_OTHER;
	out->text.at = begun(certificate);
	string = GENERAL_NAME_get0_value(name, &type);
	for (i = 0; i < sizeof kinds / sizeof *kinds && kinds[i].type != type; i++)
		;
	if (i == sizeof kinds / sizeof *kinds) {
		buffer_printf(text, "type %d", type);
	} else {
		bytes = span_make(ASN1_STRING_get0_data(string),
				  (size_t)ASN1_STRING_length(string));
		if (type == GEN_IPADD ? add_ip(text, bytes) : is_plain(bytes)) {
			out->kind = kinds[i].kind;
			if (type != GEN_IPADD)
				buffer_add(text, bytes);
		} else {
			add_other(text, kinds[i].words, bytes);
		}
	}
	out->text.size = text->size - start;
	buffer_add_char(text, 0);
}

static enum status read_alternatives(struct certificate *certificate, struct error *err)
{
	GENERAL_NAMES *names;
	enum status status;
	int i;

	TRY(extension(certificate->handle, NID_subject_alt_name, "subjectAltName", &names, err));
	if (!names)
		return OK;
	if (sk_GENERAL_NAME_num(names) > CERTIFICATE_NAMES_MAX)
		status = error_refuse(err, "it has %d names; at most %d are taken",
				      sk_GENERAL_NAME_num(names), CERTIFICATE_NAMES_MAX);
	for (i = 0; status == OK && i < sk_GENERAL_NAME_num(names); i++)
		add_alternative(certificate, sk_GENERAL_NAME_value(names, i));
	GENERAL_NAMES_free(names);
done:
	return status;
}

static enum status read_purposes(const X509 *x, struct certificate_facts *facts, struct error *err)
{
	EXTENDED_KEY_USAGE *found;
	enum status status;
	int i;

	TRY(extension(x, NID_ext_key_usage, "extendedKeyUsage", &found, err));
	facts->has_purposes = found != NULL;
	for (i = 0; found && i < sk_ASN1_OBJECT_num(found); i++) {
		switch (OBJ_obj2nid(sk_ASN1_OBJECT_value(found, i))) {
		case NID_client_auth:
			facts->purposes |= PURPOSE_CLIENT;
			break;
		case NID_server_auth:
			facts->purposes |= PURPOSE_SERVER;
			break;
		case NID_OCSP_sign:
			facts->purposes |= PURPOSE_OCSP;
			break;
		case NID_anyExtendedKeyUsage:
			facts->purposes |= PURPOSE_ANY;
			break;
		default:
			facts->purposes |= PURPOSE_OTHER;
		}
	}
	EXTENDED_KEY_USAGE_free(found);
done:
	return status;
}

static enum status read_usages(const X509 *x, struct certificate_facts *facts, struct error *err)
{
	/* By number of the bit: RFC 5280 section 4.2.1.3. */
	static const enum usage bits[] = {
		USAGE_SIGNATURE,  USAGE_OTHER,     USAGE_ENCIPHERMENT,
		USAGE_OTHER,      USAGE_AGREEMENT, USAGE_SIGN_CERTIFICATES,
		USAGE_SIGN_LISTS, USAGE_OTHER,     USAGE_OTHER};
	ASN1_BIT_STRING *found;
	enum status status;
	int i;

	TRY(extension(x, NID_key_usage, "keyUsage", &found, err));
	facts->has_usages = found != NULL;
	for (i = 0; found && i < (int)(sizeof bits / sizeof *bits); i++)
		if (ASN1_BIT_STRING_get_bit(found, i))
			facts->usages |= bits[i];
	ASN1_BIT_STRING_free(found);
done:
	return status;
}

static enum status read_constraints(const X509 *x, struct certificate_facts *facts,
				    struct error *err)
{
	BASIC_CONSTRAINTS *found;
	uint64_t length;
	enum status status;

	facts->path_length = -1;
	TRY(extension(x, NID_basic_constraints, "basicConstraints", &found, err));
	if (!found)
		return OK;
	facts->is_authority = found->ca != 0;
	if (found->pathlen &&
	    (ASN1_INTEGER_get_uint64(&length, found->pathlen) != 1 || length > 99)) {
		pki_forget();
		status = error_refuse(err, "its path length is no number from 0 to 99");
	} else if (found->pathlen) {
		facts->path_length = (int)length;
	}
	BASIC_CONSTRAINTS_free(found);
done:
	return status;
}

static void read_self_signed(struct certificate *certificate)
{
	X509 *x = certificate->handle;

	certificate->facts.is_self_signed =
		X509_NAME_cmp(X509_get_subject_name(x), X509_get_issuer_name(x)) == 0 &&
		X509_verify(x, key_handle(certificate->key)) == 1;
	pki_forget();
}

enum status certificate_read_facts(struct certificate *certificate, struct error *err)
{
	struct certificate_facts *facts = &certificate->facts;
	X509 *x = certificate->handle;
	enum status status;
	size_t i;

	digest_sha256(buffer_span(&certificate->der), facts->fingerprint);
	key_spki_sha256(certificate->key, facts->spki);
	key_name(certificate->key, facts->key);
	facts->key_bits = key_bits(certificate->key);
	facts->signed_with = OBJ_nid2sn(X509_get_signature_nid(x));
	TRY(read_serial(x, facts->serial, err));
	TRY(read_date(X509_get0_notBefore(x), "its notBefore cannot be read", &facts->not_before,
		      err));
	TRY(read_date(X509_get0_notAfter(x), "its notAfter cannot be read", &facts->not_after,
		      err));
	TRY(read_names(certificate, err));
	TRY(read_alternatives(certificate, err));
	TRY(read_purposes(x, facts, err));
	TRY(read_usages(x, facts, err));
	TRY(read_constraints(x, facts, err));
	read_self_signed(certificate);
	if (!buffer_is_whole(&certificate->text))
		TRY(error_refuse(err, "its names are too long"));
	settle(certificate, &facts->subject);
	settle(certificate, &facts->issuer);
	settle(certificate, &facts->common_name);
	for (i = 0; i < facts->name_count; i++)
		settle(certificate, &certificate->names[i].text.at);
	facts->names = certificate->names;
done:
	return status;
}
