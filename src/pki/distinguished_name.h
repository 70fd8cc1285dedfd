/*
 * distinguished_name - who a certificate speaks of, as an X.500 name, and the
 * two texts of it that applications read from a header.
 *
 * Built from parts, in the order of the certificate (country first). Values
 * are UTF-8 without control characters, borrowed until the name is used.
 */
#ifndef PKI_DISTINGUISHED_NAME_H
#define PKI_DISTINGUISHED_NAME_H

#include <stddef.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/span.h"

struct X509_name_st; /* X509_NAME: within pki/ */

enum name_attribute { NAME_COUNTRY, NAME_ORGANIZATION, NAME_UNIT, NAME_COMMON, NAME_EMAIL };

enum { DISTINGUISHED_NAME_PARTS = 8 };

struct distinguished_name { /* all zero: empty */
	struct {
		enum name_attribute attribute;
		struct span value;
	} parts[DISTINGUISHED_NAME_PARTS];
	size_t count;
};

/* REFUSED: empty, too long (64 characters; country 2 letters; e-mail 255 of ASCII), not UTF-8, a
 * control character. */
MUST_CHECK enum status distinguished_name_add(struct distinguished_name *name,
					      enum name_attribute attribute, struct span value,
					      struct error *err);

/* "emailAddress=a@example.com,CN=Alice,C=DE": RFC 4514 (2253) order and escapes, ASCII only,
 * byte for byte what nginx gives as $ssl_client_s_dn. */
void distinguished_name_write(const struct distinguished_name *name, struct buffer *out);
/* "/C=DE/CN=Alice/emailAddress=a@example.com", which Mattermost parses; other than ASCII as
 * \xC3. REFUSED: a value with "/" or "=", with which one part could pass for another. */
MUST_CHECK enum status distinguished_name_write_slash(const struct distinguished_name *name,
						      struct buffer *out, struct error *err);

/* The longest beginning of `text` with at most `characters` code points; `text` is UTF-8. */
struct span distinguished_name_cut(struct span text, size_t characters);

/* Caller frees by X509_NAME_free. For pki/. */
MUST_CHECK enum status distinguished_name_build(const struct distinguished_name *name,
						struct X509_name_st **out, struct error *err);
/* RFC 4514 text of a built one, as distinguished_name_write. For pki/. */
MUST_CHECK enum status distinguished_name_print(const struct X509_name_st *name, struct buffer *out,
						struct error *err);

#endif
