/*
 * certificate - one X.509 certificate: its bytes, and the facts in them.
 *
 * Immutable; owned by whoever parsed it. The bytes are kept as they came and
 * must be the one DER form of what they say, so that a fingerprint names one
 * certificate. Facts tell what stands in it, not that it is true: nobody here
 * decides who may do what. Parsing costs some 100 us.
 */
#ifndef PKI_CERTIFICATE_H
#define PKI_CERTIFICATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/span.h"
#include "pki/alternative_name.h"
#include "pki/digest.h"
#include "pki/key.h"

struct x509_st; /* X509: for stream/ alone */
struct certificate;

enum {
	CERTIFICATE_SIZE_MAX = 65536,   /* of one, DER or PEM's base64 decoded */
	CERTIFICATE_TEXT_MAX = 1048576, /* of a PEM text with a chain and what stands around it */
	CERTIFICATE_CHAIN_MAX = 10,
	CERTIFICATE_BUNDLE_MAX = 512, /* of a file of trusted ones */
	CERTIFICATE_NAMES_MAX = 256,
	CERTIFICATE_SERIAL_SIZE = 44,
};

enum purpose { /* bits of certificate_facts.purposes */
	       PURPOSE_CLIENT = 1,
	       PURPOSE_SERVER = 2,
	       PURPOSE_OCSP = 4,
	       PURPOSE_ANY = 8,
	       PURPOSE_OTHER = 16,
};
enum usage { /* bits of certificate_facts.usages */
	     USAGE_SIGNATURE = 1,
	     USAGE_ENCIPHERMENT = 2,
	     USAGE_AGREEMENT = 4,
	     USAGE_SIGN_CERTIFICATES = 8,
	     USAGE_SIGN_LISTS = 16,
	     USAGE_OTHER = 32,
};

struct certificate_facts {
	uint8_t fingerprint[SHA256_SIZE];     /* of the DER */
	uint8_t spki[SHA256_SIZE];            /* as key_spki_sha256 */
	char serial[CERTIFICATE_SERIAL_SIZE]; /* hex, lower case; "-3f" if negative */
	int64_t not_before, not_after;        /* seconds since 1970 */
	const char *subject, *issuer;         /* RFC 4514, ASCII; "" for an empty name */
	const char *common_name; /* UTF-8 of the last CN; "" for none, or one with a control
				    character */
	const struct alternative_name *names;
	size_t name_count;
	char key[KEY_NAME_SIZE]; /* "EC P-256" */
	int key_bits;
	const char *signed_with; /* "ecdsa-with-SHA256" */
	unsigned purposes;       /* PURPOSE_ bits; meaningless unless has_purposes */
	bool has_purposes;
	unsigned usages; /* USAGE_ bits; meaningless unless has_usages */
	bool has_usages;
	bool is_authority;   /* basicConstraints CA */
	int path_length;     /* -1: no limit said */
	bool is_self_signed; /* issuer is subject, and the signature is by its own key */
};

MUST_CHECK enum status certificate_parse_der(struct span der, struct certificate **out,
					     struct error *err);
/* The first certificate of a PEM text. */
MUST_CHECK enum status certificate_parse_pem(struct span text, struct certificate **out,
					     struct error *err);
void certificate_free(struct certificate *certificate); /* NULL is fine */

/* Borrowed, as all that is got here. */
struct span certificate_der(const struct certificate *certificate);
const struct certificate_facts *certificate_facts(const struct certificate *certificate);
/* Public half; never NULL. */
const struct key *certificate_key(const struct certificate *certificate);
/* The subjectKeyIdentifier's octets; empty when there is none. */
struct span certificate_key_id(const struct certificate *certificate);
struct x509_st *certificate_handle(const struct certificate *certificate);

void certificate_write_pem(const struct certificate *certificate, struct buffer *out);
/* A readable summary of some fifteen lines. */
void certificate_describe(const struct certificate *certificate, struct buffer *out);

/* Does a name of type DNS (wildcard in the whole leftmost label only) or IP name this host? The
 * CN never counts. `host` without port; an IPv6 one without brackets. */
bool certificate_covers_host(const struct certificate *certificate, struct span host);
bool certificate_matches_key(const struct certificate *certificate, const struct key *key);
/* Is `issuer` a CA of that name and key identifier, and its the signature? Dates are not looked
 * at. REFUSED says which is not so. */
MUST_CHECK enum status certificate_check_issuer(const struct certificate *certificate,
						const struct certificate *issuer,
						struct error *err);
/* Is now within the dates? REFUSED: "expired on 2026-..". */
MUST_CHECK enum status certificate_check_dates(const struct certificate *certificate, int64_t now,
					       struct error *err);

/* Several, in the order of their file. Owned; release when done. */
struct certificate_list {
	struct certificate **at;
	size_t count;
};

/* All certificates of a PEM text, other blocks skipped. REFUSED: none, more than `most`, a bad
 * one (named by its place). */
MUST_CHECK enum status certificate_list_parse(struct span text, size_t most,
					      struct certificate_list *out, struct error *err);
void certificate_list_release(struct certificate_list *list); /* twice is fine */
/* A server's fullchain.pem: the leaf first and not a CA, each signed by the next. REFUSED says
 * which stands wrong, and what to do. */
MUST_CHECK enum status certificate_list_check_chain(const struct certificate_list *list,
						    struct error *err);

#endif
