#include "pki/distinguished_name.h"

#include <openssl/bio.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <string.h>

#include "pki/pki_error.h"

static const struct attribute {
	const char *name;  /* as RFC 4514 texts by OpenSSL have it */
	const char *words; /* in sentences */
	int nid;
	size_t longest; /* characters: the upper bounds of RFC 5280 appendix A */
} attributes[] = {
	[NAME_COUNTRY] = {"C", "country", NID_countryName, 2},
	[NAME_ORGANIZATION] = {"O", "organization", NID_organizationName, 64},
	[NAME_UNIT] = {"OU", "unit", NID_organizationalUnitName, 64},
	[NAME_COMMON] = {"CN", "common name", NID_commonName, 64},
	[NAME_EMAIL] = {"emailAddress", "e-mail address", NID_pkcs9_emailAddress, 255},
};

/* The code point at the start of `text`, its size in *size; -1: not UTF-8 (RFC 3629). */
static int32_t code_point(struct span text, size_t *size)
{
	static const int32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	const uint8_t *at = (const uint8_t *)text.at;
	size_t count = at[0] < 0x80   ? 1
		       : at[0] < 0xc0 ? 0
		       : at[0] < 0xe0 ? 2
		       : at[0] < 0xf0 ? 3
				      : 4;
	int32_t point;
	size_t i;

	if (count == 0 || count > text.size || at[0] > 0xf4)
		return -1;
	point = count == 1 ? at[0] : at[0] & (0x7f >> count);
	for (i = 1; i < count; i++) {
		if ((at[i] & 0xc0) != 0x80)
			return -1;
		point = point << 6 | (at[i] & 0x3f);
	}
	if (point < least[count] || point > 0x10ffff || (point >= 0xd800 && point < 0xe000))
		return -1;
	*size = count;
	return point;
}

/* Also what turns the direction of a line, so that a name cannot look like another. */
static bool is_control(int32_t point)
{
	return point < 0x20 || (point >= 0x7f && point < 0xa0) || point == 0x2028 ||
	       point == 0x2029 || (point >= 0x202a && point <= 0x202e) ||
	       (point >= 0x2066 && point <= 0x2069) || point == 0x200e || point == 0x200f ||
	       point == 0xfeff;
}

static enum status check_text(struct span value, size_t *characters, struct error *err)
{
	size_t size;

	for (*characters = 0; value.size; ++*characters) {
		int32_t point = code_point(value, &size);

		if (point < 0)
			return error_refuse(err, "it is not UTF-8");
		if (is_control(point))
			return error_refuse(err, "it has a control character (U+%04X) in it",
					    (unsigned)point);
		span_skip(&value, size);
	}
	return OK;
}

static enum status check_country(struct span value, struct error *err)
{
	size_t i;

	for (i = 0; i < value.size; i++)
		if (value.at[i] < 'A' || value.at[i] > 'Z' || value.size != 2)
			return error_refuse(err, "\"%.*s\" is not two capital letters",
					    SPAN_PRINT(value));
	return OK;
}

static enum status check_email(struct span value, struct error *err)
{
	const char *sign = memchr(value.at, '@', value.size);
	size_t i;

	for (i = 0; i < value.size; i++)
		if (value.at[i] <= ' ' || value.at[i] > '~')
			return error_refuse(err, "\"%.*s\" has spaces or other than ASCII in it",
					    SPAN_PRINT(value));
	if (!sign || sign == value.at || sign == value.at + value.size - 1)
		return error_refuse(err, "\"%.*s\" has no name before or no domain behind an @",
				    SPAN_PRINT(value));
	return OK;
}

enum status distinguished_name_add(struct distinguished_name *name, enum name_attribute attribute,
				   struct span value, struct error *err)
{
	const struct attribute *row = &attributes[attribute];
	size_t characters = 0;
	enum status status;

	if (name->count == DISTINGUISHED_NAME_PARTS)
		return error_refuse(err, "a name has at most %d parts", DISTINGUISHED_NAME_PARTS);
	if (value.size == 0)
		TRY(error_refuse(err, "it is empty"));
	TRY(check_text(value, &characters, err));
	if (characters > row->longest)
		TRY(error_refuse(err, "it has %zu characters; at most %zu are taken", characters,
				 row->longest));
	if (attribute == NAME_COUNTRY)
		TRY(check_country(value, err));
	if (attribute == NAME_EMAIL)
		TRY(check_email(value, err));
	name->parts[name->count].attribute = attribute;
	name->parts[name->count].value = value;
	name->count++;
	status = OK;
done:
	if (status != OK)
		error_context(err, "%s", row->words);
	return status;
}

struct span distinguished_name_cut(struct span text, size_t characters)
{
	struct span rest = text;
	size_t size;

	while (rest.size && characters--) {
		if (code_point(rest, &size) < 0)
			size = 1; /* whoever uses it will refuse it */
		span_skip(&rest, size);
	}
	text.size -= rest.size;
	while (text.size && text.at[text.size - 1] == ' ')
		text.size--;
	return text;
}

/* RFC 4514 section 2.4, and what is not ASCII as hex pairs, so that it fits a header. */
static void add_escaped(struct buffer *out, struct span value)
{
	size_t i;

	for (i = 0; i < value.size; i++) {
		uint8_t c = (uint8_t)value.at[i];
		bool is_edge =
			(c == ' ' && (i == 0 || i == value.size - 1)) || (c == '#' && i == 0);

		if (c >= 0x7f || c < 0x20)
			buffer_printf(out, "\\%02X", c);
		else if (is_edge || strchr(",+\"\\<>;", c))
			buffer_printf(out, "\\%c", c);
		else
			buffer_add_char(out, (char)c);
	}
}

void distinguished_name_write(const struct distinguished_name *name, struct buffer *out)
{
	size_t i;

	for (i = name->count; i-- > 0;) {
		buffer_add_text(out, attributes[name->parts[i].attribute].name);
		buffer_add_char(out, '=');
		add_escaped(out, name->parts[i].value);
		if (i)
			buffer_add_char(out, ',');
	}
}

enum status distinguished_name_write_slash(const struct distinguished_name *name,
					   struct buffer *out, struct error *err)
{
	size_t i, k;

	for (i = 0; i < name->count; i++) {
		struct span value = name->parts[i].value;
		const struct attribute *row = &attributes[name->parts[i].attribute];

		if (memchr(value.at, '/', value.size) || memchr(value.at, '=', value.size))
			return error_refuse(err,
					    "%s \"%.*s\" cannot stand in a name of the form "
					    "/C=../CN=..: it has a / or = in it",
					    row->words, SPAN_PRINT(value));
		buffer_printf(out, "/%s=", row->name);
		for (k = 0; k < value.size; k++) {
			uint8_t c = (uint8_t)value.at[k];

			/* The backslash too: the four characters \xC3 are not the byte C3. */
			if (c < 0x20 || c > 0x7e || c == '\\')
				buffer_printf(out, "\\x%02X", c);
			else
				buffer_add_char(out, (char)c);
		}
	}
	return OK;
}

enum status distinguished_name_build(const struct distinguished_name *name,
				     struct X509_name_st **out, struct error *err)
{
	X509_NAME *built = X509_NAME_new();
	size_t i;

	for (i = 0; built && i < name->count; i++) {
		struct span value = name->parts[i].value;

		if (X509_NAME_add_entry_by_NID(built, attributes[name->parts[i].attribute].nid,
					       MBSTRING_UTF8, (const unsigned char *)value.at,
					       (int)value.size, -1, 0) == 1)
			continue;
		X509_NAME_free(built);
		return pki_fail(err, "build a name");
	}
	if (!built)
		return pki_fail(err, "build a name");
	*out = built;
	return OK;
}

enum status distinguished_name_print(const struct X509_name_st *name, struct buffer *out,
				     struct error *err)
{
	BIO *memory = BIO_new(BIO_s_mem());
	enum status status = OK;
	char *text;
	long size;

	if (!memory || X509_NAME_print_ex(memory, name, 0, XN_FLAG_RFC2253) < 0) {
		status = pki_refuse(err, "a name that cannot be read");
	} else {
		size = BIO_get_mem_data(memory, &text);
		buffer_add(out, span_make(text, (size_t)size));
	}
	BIO_free(memory);
	if (status == OK && !buffer_is_whole(out))
		status = error_refuse(err, "a name of more than %zu bytes", out->ceiling);
	return status;
}
