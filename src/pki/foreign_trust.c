#include "pki/foreign_trust.h"

#include <openssl/asn1.h>
#include <openssl/x509.h>
#include <openssl/x509_vfy.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "base/encode.h"
#include "pki/distinguished_name.h"
#include "pki/pki_error.h"

enum {
	AUTH_LEVEL = 2,                      /* 112 bits: RSA 2048, SHA-224 */
	DEPTH_MOST = FOREIGN_CHAIN_MOST - 2, /* CAs between the leaf and the root */
	SERIAL_MOST = 64,
	TEXT_MOST = 65536,
};

struct foreign_trust {
	unsigned references;
	char name[FOREIGN_NAME_MOST + 1];
	enum foreign_field field;
	bool refuses_when_stale;
	struct certificate_list roots, between;
	X509_STORE *store;
	struct revocation_lists *lists;
	char **domains; /* lower case */
	size_t domain_count;
	uint8_t digest[SHA256_SIZE];
};

/* -- making one -- */

static bool is_too_weak(const struct certificate *certificate)
{
	const struct key *key = certificate_key(certificate);
	EVP_PKEY *handle = key_handle(key);

	return EVP_PKEY_get_security_bits(handle) < 112;
}

static enum status check_root(const struct certificate *root, struct error *err)
{
	const struct certificate_facts *facts = certificate_facts(root);

	if (!facts->is_self_signed)
		return error_refuse(err, "%s is not self-signed, so it is no root; put it into intermediates, and the "
				    "root that signed it into certificate", facts->subject);
	if (!facts->is_authority)
		return error_refuse(err, "%s is no CA certificate", facts->subject);
	if (is_too_weak(root))
		return error_refuse(err, "%s has a key that is too weak: %s", facts->subject, facts->key);
	return OK;
}

static enum status read_roots(struct foreign_trust *trust, struct span pem, struct error *err)
{
	enum status status = certificate_list_parse(pem, FOREIGN_ROOTS_MOST, &trust->roots, err);
	size_t i;

	trust->store = X509_STORE_new();
	if (status == OK && !trust->store)
		status = pki_fail(err, "no memory for roots");
	for (i = 0; i < trust->roots.count && status == OK; i++) {
		status = check_root(trust->roots.at[i], err);
		if (status == OK && !X509_STORE_add_cert(trust->store, certificate_handle(trust->roots.at[i])))
			status = pki_fail(err, "cannot keep a root");
	}
	if (status != OK)
		error_context(err, "certificate");
	return status;
}

static enum status read_between(struct foreign_trust *trust, struct span pem, struct error *err)
{
	enum status status = OK;
	size_t i;

	if (pem.size == 0)
		return OK;
	status = certificate_list_parse(pem, FOREIGN_ROOTS_MOST, &trust->between, err);
	for (i = 0; i < trust->between.count && status == OK; i++) {
		const struct certificate_facts *facts = certificate_facts(trust->between.at[i]);

		if (!facts->is_authority)
			status = error_refuse(err, "%s is no CA certificate", facts->subject);
	}
	if (status != OK)
		error_context(err, "intermediates");
	return status;
}

static enum status read_lists(struct foreign_trust *trust, struct span bytes, struct error *err)
{
	size_t count = trust->roots.count + trust->between.count, i;
	struct certificate **signers = calloc(count, sizeof(struct certificate *));
	enum status status;

	if (!signers)
		return error_fail(err, "no memory for a list of revoked certificates");
	for (i = 0; i < count; i++)
		signers[i] = i < trust->roots.count ? trust->roots.at[i] : trust->between.at[i - trust->roots.count];
	status = revocation_lists_parse(bytes, signers, count, &trust->lists, err);
	if (status != OK)
		error_context(err, "crl");
	free((void *)signers);
	return status;
}

static enum status copy_domains(struct foreign_trust *trust, const struct foreign_trust_options *options,
				struct error *err)
{
	struct buffer folded, probe;
	size_t i;

	if (options->domain_count && options->field != FOREIGN_EMAIL)
		return error_refuse(err, "domains: they are for identity = \"email\" only");
	trust->domains = calloc(options->domain_count + 1, sizeof *trust->domains);
	if (!trust->domains)
		return error_fail(err, "no memory for domains");
	for (i = 0; i < options->domain_count; i++) {
		enum status status;

		buffer_init(&probe, 512);
		buffer_init(&folded, 512);
		buffer_printf(&probe, "x@%s", options->domains[i]);
		status = foreign_identity_fold(FOREIGN_EMAIL, buffer_span(&probe), &folded, err);
		if (status == OK) {
			trust->domains[i] = strdup(buffer_text(&folded) + 2);
			if (!trust->domains[i])
				status = error_fail(err, "no memory for domains");
			else
				trust->domain_count++;
		} else {
			status = error_refuse(err, "domains: \"%s\" is no domain of e-mail addresses; write it as "
					      "example.com", options->domains[i]);
		}
		buffer_release(&probe);
		buffer_release(&folded);
		if (status != OK)
			return status;
	}
	return OK;
}

static enum status make_digest(struct foreign_trust *trust, struct error *err)
{
	struct buffer text;
	enum status status = OK;
	size_t i;

	buffer_init(&text, 1 << 20);
	buffer_printf(&text, "%zu:%s %d %d %zu ", strlen(trust->name), trust->name, (int)trust->field,
		      trust->refuses_when_stale, trust->roots.count);
	for (i = 0; i < trust->roots.count; i++)
		buffer_add(&text, span_make(certificate_facts(trust->roots.at[i])->fingerprint, SHA256_SIZE));
	for (i = 0; i < trust->between.count; i++)
		buffer_add(&text, span_make(certificate_facts(trust->between.at[i])->fingerprint, SHA256_SIZE));
	for (i = 0; i < trust->domain_count; i++)
		buffer_printf(&text, "%zu:%s", strlen(trust->domains[i]), trust->domains[i]);
	if (buffer_is_whole(&text))
		digest_sha256(buffer_span(&text), trust->digest);
	else
		status = error_fail(err, "no memory for a digest");
	buffer_release(&text);
	return status;
}

enum status foreign_trust_new(const struct foreign_trust_options *options, struct foreign_trust **out,
			      struct error *err)
{
	struct foreign_trust *trust = calloc(1, sizeof *trust);
	enum status status;

	if (!trust)
		return error_fail(err, "no memory for a foreign CA");
	trust->references = 1;
	trust->field = options->field;
	trust->refuses_when_stale = options->refuses_when_stale;
	if (strlen(options->name) > FOREIGN_NAME_MOST)
		TRY(error_refuse(err, "its name is longer than %d characters", FOREIGN_NAME_MOST));
	snprintf(trust->name, sizeof trust->name, "%s", options->name);
	TRY(read_roots(trust, options->roots, err));
	TRY(read_between(trust, options->intermediates, err));
	if (options->lists.at)
		TRY(read_lists(trust, options->lists, err));
	else if (options->refuses_when_stale)
		TRY(error_refuse(err, "crl-expired = \"refuse\" needs a crl"));
	TRY(copy_domains(trust, options, err));
	TRY(make_digest(trust, err));
	*out = trust;
	trust = NULL;
done:
	foreign_trust_free(trust);
	return status;
}

struct foreign_trust *foreign_trust_share(struct foreign_trust *trust)
{
	trust->references++;
	return trust;
}

void foreign_trust_free(struct foreign_trust *trust)
{
	size_t i;

	if (!trust || --trust->references)
		return;
	X509_STORE_free(trust->store);
	revocation_lists_free(trust->lists);
	certificate_list_release(&trust->roots);
	certificate_list_release(&trust->between);
	for (i = 0; i < trust->domain_count; i++)
		free(trust->domains[i]);
	free(trust->domains);
	free(trust);
}

const char *foreign_trust_name(const struct foreign_trust *trust)
{
	return trust->name;
}

const struct certificate *foreign_trust_certificate(const struct foreign_trust *trust, size_t i)
{
	if (i < trust->roots.count)
		return trust->roots.at[i];
	i -= trust->roots.count;
	return i < trust->between.count ? trust->between.at[i] : NULL;
}

bool foreign_trust_is_root(const struct foreign_trust *trust, size_t i)
{
	return i < trust->roots.count;
}

const struct revocation_lists *foreign_trust_lists(const struct foreign_trust *trust)
{
	return trust->lists;
}

bool foreign_trust_refuses_when_stale(const struct foreign_trust *trust)
{
	return trust->refuses_when_stale;
}

const uint8_t *foreign_trust_digest(const struct foreign_trust *trust)
{
	return trust->digest;
}

/* -- a path -- */

struct foreign_path *foreign_path_refused(enum foreign_why why, const char *text)
{
	struct foreign_path *path = calloc(1, sizeof *path);

	if (!path)
		return NULL;
	path->why = why;
	snprintf(path->text, sizeof path->text, "%s", text);
	return path;
}

void foreign_path_free(struct foreign_path *path)
{
	free(path);
}

static enum foreign_why why_of(int error, int depth)
{
	switch (error) {
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT:
	case X509_V_ERR_UNABLE_TO_GET_ISSUER_CERT_LOCALLY:
	case X509_V_ERR_UNABLE_TO_VERIFY_LEAF_SIGNATURE:
	case X509_V_ERR_DEPTH_ZERO_SELF_SIGNED_CERT:
	case X509_V_ERR_SELF_SIGNED_CERT_IN_CHAIN:
		return FOREIGN_UNKNOWN_ISSUER;
	case X509_V_ERR_CERT_HAS_EXPIRED:
		return FOREIGN_EXPIRED;
	case X509_V_ERR_CERT_NOT_YET_VALID:
		return FOREIGN_NOT_YET;
	case X509_V_ERR_INVALID_PURPOSE:
		return depth == 0 ? FOREIGN_WRONG_PURPOSE : FOREIGN_BAD_PATH;
	default:
		return FOREIGN_BAD_PATH;
	}
}

/* RFC 5280 section 4.2.1.12; that it says so in words is our own rule: a certificate without a
 * purpose is good for everything, and so was made for nothing in particular. */
static const char *find_fault(X509 *leaf)
{
	uint32_t flags = X509_get_extension_flags(leaf);

	if (flags & EXFLAG_INVALID)
		return "an extension of it cannot be read";
	if (X509_check_ca(leaf) != 0)
		return "it is a CA certificate";
	if (!(flags & EXFLAG_XKUSAGE) || !(X509_get_extended_key_usage(leaf) & XKU_SSL_CLIENT))
		return "its extended key usage does not say clientAuth";
	if (flags & EXFLAG_KUSAGE && !(X509_get_key_usage(leaf) & KU_DIGITAL_SIGNATURE))
		return "its key usage does not say digitalSignature";
	return NULL;
}

static bool narrow_dates(const X509 *certificate, struct foreign_path *path)
{
	struct tm from, to;
	int64_t first, last;

	if (ASN1_TIME_to_tm(X509_get0_notBefore(certificate), &from) != 1 ||
	    ASN1_TIME_to_tm(X509_get0_notAfter(certificate), &to) != 1)
		return false;
	first = timegm(&from);
	last = timegm(&to);
	if (first > path->not_before)
		path->not_before = first;
	if (last < path->not_after)
		path->not_after = last;
	return true;
}

static bool take_steps(STACK_OF(X509) *chain, struct foreign_path *path)
{
	int count = sk_X509_num(chain), i;
	unsigned size = 0;

	if (count < 2 || count > FOREIGN_CHAIN_MOST)
		return false;
	path->not_before = INT64_MIN;
	path->not_after = INT64_MAX;
	for (i = 0; i < count; i++) {
		if (!narrow_dates(sk_X509_value(chain, i), path))
			return false;
		if (i + 1 < count)
			certificate_refer(sk_X509_value(chain, i), sk_X509_value(chain, i + 1),
					  &path->steps[path->step_count++]);
	}
	return X509_digest(sk_X509_value(chain, count - 1), EVP_sha256(), path->anchor, &size) == 1;
}

static enum status describe(X509 *leaf, struct buffer *out, size_t *issuer_size, struct error *err)
{
	const ASN1_INTEGER *serial = X509_get0_serialNumber(leaf);
	char hex[2 * SERIAL_MOST + 1] = "";
	enum status status = distinguished_name_print(X509_get_issuer_name(leaf), out, err);

	*issuer_size = out->size;
	if (ASN1_STRING_length(serial) <= SERIAL_MOST)
		hex_write(ASN1_STRING_get0_data(serial), (size_t)ASN1_STRING_length(serial), hex);
	buffer_add_text(out, hex);
	return status;
}

static struct foreign_path *with_text(const struct foreign_path *head, struct span identity, struct span facts,
				      size_t issuer_size)
{
	struct foreign_path *path = malloc(sizeof *path + identity.size + facts.size);

	if (!path)
		return NULL;
	*path = *head;
	memcpy(path->bytes, identity.at, identity.size);
	memcpy(path->bytes + identity.size, facts.at, facts.size);
	path->identity = span_make(path->bytes, identity.size);
	path->issuer = span_make(path->bytes + identity.size, issuer_size);
	path->serial = span_make(path->issuer.at + issuer_size, facts.size - issuer_size);
	return path;
}

static struct foreign_path *make_path(const struct foreign_trust *trust, X509 *leaf, STACK_OF(X509) *chain)
{
	const char *fault = find_fault(leaf);
	struct foreign_path head = {.field = trust->field}, *path = NULL;
	struct buffer identity, facts;
	size_t issuer_size = 0;
	struct error err = {""};

	if (fault)
		return foreign_path_refused(FOREIGN_WRONG_PURPOSE, fault);
	if (!take_steps(chain, &head))
		return foreign_path_refused(FOREIGN_BAD_PATH, "a certificate of the path cannot be read");
	snprintf(head.ca, sizeof head.ca, "%s", trust->name);
	buffer_init(&identity, FOREIGN_IDENTITY_MOST);
	buffer_init(&facts, TEXT_MOST);
	if (foreign_identity_read(leaf, trust->field, &identity, &err) != OK)
		path = foreign_path_refused(FOREIGN_NO_IDENTITY, err.text);
	else if (describe(leaf, &facts, &issuer_size, &err) != OK)
		path = foreign_path_refused(FOREIGN_BAD_PATH, err.text);
	else if (buffer_is_whole(&identity) && buffer_is_whole(&facts))
		path = with_text(&head, buffer_span(&identity), buffer_span(&facts), issuer_size);
	buffer_release(&identity);
	buffer_release(&facts);
	return path;
}

/* What may lie between: the client's certificates first, then those of the config. None is trusted. */
static STACK_OF(X509) *gather(const struct foreign_trust *trust, STACK_OF(X509) *sent)
{
	STACK_OF(X509) *all = sk_X509_new_null();
	size_t i;
	int at;

	for (at = 0; all && sent && at < sk_X509_num(sent); at++)
		if (!sk_X509_push(all, sk_X509_value(sent, at)))
			goto no_memory;
	for (i = 0; all && i < trust->between.count; i++)
		if (!sk_X509_push(all, certificate_handle(trust->between.at[i])))
			goto no_memory;
	return all;
no_memory:
	sk_X509_free(all);
	return NULL;
}

static bool prepare(X509_STORE_CTX *context, const struct foreign_trust *trust, X509 *leaf, STACK_OF(X509) *between,
		    int64_t now)
{
	X509_VERIFY_PARAM *param;

	if (!context || !between || !X509_STORE_CTX_init(context, trust->store, leaf, between))
		return false;
	param = X509_STORE_CTX_get0_param(context);
	X509_VERIFY_PARAM_set_time(param, (time_t)now);
	X509_VERIFY_PARAM_set_depth(param, DEPTH_MOST);
	X509_VERIFY_PARAM_set_auth_level(param, AUTH_LEVEL);
	return X509_VERIFY_PARAM_set_purpose(param, X509_PURPOSE_SSL_CLIENT) &&
	       X509_VERIFY_PARAM_set_trust(param, X509_TRUST_SSL_CLIENT) &&
	       X509_VERIFY_PARAM_clear_flags(param, X509_V_FLAG_PARTIAL_CHAIN);
}

struct foreign_path *foreign_trust_verify(struct foreign_trust *trust, struct x509_st *leaf,
					  struct stack_st_X509 *sent, int64_t now)
{
	X509_STORE_CTX *context = X509_STORE_CTX_new();
	STACK_OF(X509) *between = gather(trust, sent);
	struct foreign_path *path = NULL;

	if (sent && sk_X509_num(sent) > FOREIGN_CHAIN_MOST) {
		path = foreign_path_refused(FOREIGN_BAD_PATH, "more than 10 certificates were sent");
	} else if (prepare(context, trust, leaf, between, now)) {
		/* Not 1 is not yes: 0 and negative numbers are both no. */
		if (X509_verify_cert(context) == 1 && X509_STORE_CTX_get_error(context) == X509_V_OK) {
			path = make_path(trust, leaf, X509_STORE_CTX_get0_chain(context));
		} else {
			int error = X509_STORE_CTX_get_error(context), depth = X509_STORE_CTX_get_error_depth(context);

			path = foreign_path_refused(error == X509_V_OK ? FOREIGN_BAD_PATH : why_of(error, depth), "");
			if (path)
				snprintf(path->text, sizeof path->text, "%s, certificate %d of its path",
					 X509_verify_cert_error_string(error), depth + 1);
		}
	}
	X509_STORE_CTX_free(context);
	sk_X509_free(between);
	pki_forget();
	return path;
}

/* -- judging it again -- */

static bool has_root(const struct foreign_trust *trust, const uint8_t fingerprint[static SHA256_SIZE])
{
	size_t i;

	for (i = 0; i < trust->roots.count; i++)
		if (memcmp(certificate_facts(trust->roots.at[i])->fingerprint, fingerprint, SHA256_SIZE) == 0)
			return true;
	return false;
}

static bool is_of_domains(const struct foreign_trust *trust, struct span identity)
{
	const char *at = identity.size ? memrchr(identity.at, '@', identity.size) : NULL;
	size_t i;

	if (!at)
		return false;
	for (i = 0; i < trust->domain_count; i++)
		if (span_is(span_make(at + 1, (size_t)(identity.at + identity.size - at) - 1), trust->domains[i]))
			return true;
	return false;
}

/* The leaf's own issuer must have a list; a CA above only needs what is there to be in date. */
static bool is_list_stale(const struct foreign_trust *trust, const struct foreign_path *path, int64_t now,
			  int64_t *until)
{
	size_t i;

	for (i = 0; i < path->step_count; i++) {
		int64_t fresh = revocation_lists_fresh_until(trust->lists, path->steps[i].issuer);

		if (fresh == 0 && i > 0)
			continue;
		if (fresh < now)
			return true;
		if (fresh < *until)
			*until = fresh;
	}
	return false;
}

enum foreign_why foreign_trust_judge(const struct foreign_trust *trust, const struct foreign_path *path, int64_t now,
				     int64_t *until)
{
	int64_t last = path->not_after;
	size_t i;

	if (path->why != FOREIGN_GOOD)
		return path->why;
	if (strcmp(path->ca, trust->name) != 0 || path->field != trust->field || !has_root(trust, path->anchor))
		return FOREIGN_UNKNOWN_ISSUER;
	for (i = 0; i < path->step_count; i++)
		if (revocation_lists_have(trust->lists, &path->steps[i]))
			return FOREIGN_REVOKED;
	if (now < path->not_before)
		return FOREIGN_NOT_YET;
	if (now > path->not_after)
		return FOREIGN_EXPIRED;
	if (trust->refuses_when_stale && is_list_stale(trust, path, now, &last))
		return FOREIGN_LIST_TOO_OLD;
	if (trust->domain_count && !is_of_domains(trust, path->identity))
		return FOREIGN_NO_IDENTITY;
	if (until)
		*until = last;
	return FOREIGN_GOOD;
}

struct span foreign_trust_email(const struct foreign_trust *trust, const struct foreign_path *path)
{
	return trust->domain_count && is_of_domains(trust, path->identity) ? path->identity : (struct span){"", 0};
}
