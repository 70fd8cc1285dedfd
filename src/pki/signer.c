#include "pki/signer.h"

#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/clock.h"
#include "base/random.h"
#include "pki/distinguished_name.h"
#include "pki/pki_error.h"

enum {
	SERIAL_SIZE = 20,     /* 159 bits and a zero in front, so that it is positive */
	SKEW = 300,           /* seconds by which clocks may be behind */
	EARLY = 7 * 86400,    /* the next authority is there before it is needed */
	IDENTIFIER_SIZE = 20, /* of a key */
	NAMES_TEXT_MAX = 65536,
};

struct signer {
	struct key *key;
	struct certificate *certificate;
};

/* What one signature is about. */
struct job {
	const struct profile *profile;
	const struct subject_facts *facts;
	const struct key *subject_key;
	const struct key *issuer_key;
	const struct certificate *issuer; /* NULL: the certificate signs itself */
	int64_t not_before, not_after;
};

enum status signer_new(struct key *key, struct certificate *certificate, struct signer **out,
		       struct error *err)
{
	const struct certificate_facts *facts = certificate_facts(certificate);
	struct signer *signer;
	enum status status;

	if (!key_has_private(key))
		TRY(error_refuse(err, "the key has no private half"));
	if (!certificate_matches_key(certificate, key))
		TRY(error_refuse(err, "the certificate is not of this key"));
	if (!facts->is_authority ||
	    (facts->has_usages && !(facts->usages & USAGE_SIGN_CERTIFICATES)))
		TRY(error_refuse(err, "the certificate is not one of an authority"));
	TRY(key_check_strength(key, err));
	signer = calloc(1, sizeof *signer);
	if (!signer)
		TRY(error_fail(err, "no memory for an authority"));
	*signer = (struct signer){key, certificate};
	*out = signer;
done:
	if (status != OK)
		error_context(err, "authority \"%.200s\"", facts->subject);
	return status;
}

void signer_free(struct signer *signer)
{
	if (!signer)
		return;
	key_free(signer->key);
	certificate_free(signer->certificate);
	free(signer);
}

const struct certificate *signer_certificate(const struct signer *signer)
{
	return signer->certificate;
}

const struct key *signer_key(const struct signer *signer)
{
	return signer->key;
}

static bool set_serial(X509 *x)
{
	uint8_t bytes[SERIAL_SIZE];
	BIGNUM *number;
	bool is_set;

	do {
		random_bytes(bytes, sizeof bytes);
		bytes[0] &= 0x7f;
		number = BN_bin2bn(bytes, sizeof bytes, NULL);
		if (!number)
			return false;
		is_set = !BN_is_zero(number) &&
			 BN_to_ASN1_INTEGER(number, X509_get_serialNumber(x)) != NULL;
		BN_free(number);
	} while (!is_set);
	return true;
}

static bool set_dates(X509 *x, const struct job *job)
{
	return ASN1_TIME_set(X509_getm_notBefore(x), (time_t)job->not_before) &&
	       ASN1_TIME_set(X509_getm_notAfter(x), (time_t)job->not_after);
}

static enum status set_subject(X509 *x, const struct job *job, struct error *err)
{
	struct distinguished_name name = {0};
	struct buffer common_name;
	X509_NAME *built = NULL;
	enum status status;

	buffer_init(&common_name, 1024);
	TRY(profile_common_name(job->profile, job->facts, job->not_after, &common_name, err));
	TRY(distinguished_name_add(&name, NAME_COMMON, buffer_span(&common_name), err));
	TRY(distinguished_name_build(&name, &built, err));
	if (X509_set_subject_name(x, built) != 1 ||
	    X509_set_issuer_name(x, job->issuer
					    ? X509_get_subject_name(certificate_handle(job->issuer))
					    : built) != 1)
		TRY(pki_fail(err, "set a name"));
done:
	X509_NAME_free(built);
	buffer_release(&common_name);
	return status;
}

static bool add_extension(X509 *x, int nid, void *value, bool is_critical)
{
	return value && X509_add1_ext_i2d(x, nid, value, is_critical, X509V3_ADD_DEFAULT) == 1;
}

static bool add_constraints(X509 *x, const struct profile *profile)
{
	BASIC_CONSTRAINTS *constraints = BASIC_CONSTRAINTS_new();
	bool is_added = constraints != NULL;

	if (constraints && profile->is_authority) {
		constraints->ca = 0xff;
		constraints->pathlen = ASN1_INTEGER_new();
		is_added = constraints->pathlen &&
			   ASN1_INTEGER_set(constraints->pathlen, profile->path_length) == 1;
	}
	is_added = is_added && add_extension(x, NID_basic_constraints, constraints, true);
	BASIC_CONSTRAINTS_free(constraints);
	return is_added;
}

static bool add_usages(X509 *x, unsigned usages)
{
	static const struct {
		enum usage usage;
		int bit;
	} bits[] = {{USAGE_SIGNATURE, 0}, {USAGE_SIGN_CERTIFICATES, 5}, {USAGE_SIGN_LISTS, 6}};
	ASN1_BIT_STRING *string = ASN1_BIT_STRING_new();
	bool is_added = string != NULL;
	size_t i;

	for (i = 0; is_added && i < sizeof bits / sizeof *bits; i++)
		if (usages & bits[i].usage)
			is_added = ASN1_BIT_STRING_set_bit(string, bits[i].bit, 1) == 1;
	is_added = is_added && add_extension(x, NID_key_usage, string, true);
	ASN1_BIT_STRING_free(string);
	return is_added;
}

static bool add_purposes(X509 *x, unsigned purposes)
{
	static const struct {
		enum purpose purpose;
		int nid;
	} kinds[] = {{PURPOSE_CLIENT, NID_client_auth},
		     {PURPOSE_SERVER, NID_server_auth},
		     {PURPOSE_OCSP, NID_OCSP_sign}};
	EXTENDED_KEY_USAGE *list;
	bool is_added;
	size_t i;

	if (!purposes)
		return true;
	list = sk_ASN1_OBJECT_new_null();
	is_added = list != NULL;
	for (i = 0; is_added && i < sizeof kinds / sizeof *kinds; i++)
		if (purposes & kinds[i].purpose)
			is_added = sk_ASN1_OBJECT_push(list, OBJ_nid2obj(kinds[i].nid)) > 0;
	is_added = is_added && add_extension(x, NID_ext_key_usage, list, false);
	sk_ASN1_OBJECT_pop_free(list, ASN1_OBJECT_free);
	return is_added;
}

static bool add_nocheck(X509 *x, bool is_wanted)
{
	ASN1_NULL *null;
	bool is_added;

	if (!is_wanted)
		return true;
	null = ASN1_NULL_new();
	is_added = add_extension(x, NID_id_pkix_OCSP_noCheck, null, false);
	ASN1_NULL_free(null);
	return is_added;
}

/* RFC 7093 method 1: 160 bits of the SHA-256 of the key's bits. */
static bool add_subject_identifier(X509 *x)
{
	const ASN1_BIT_STRING *bits = X509_get0_pubkey_bitstr(x);
	ASN1_OCTET_STRING *string = ASN1_OCTET_STRING_new();
	uint8_t hash[SHA256_SIZE];
	bool is_added;

	digest_sha256(span_make(ASN1_STRING_get0_data(bits), (size_t)ASN1_STRING_length(bits)),
		      hash);
	is_added = string && ASN1_OCTET_STRING_set(string, hash, IDENTIFIER_SIZE) == 1 &&
		   add_extension(x, NID_subject_key_identifier, string, false);
	ASN1_OCTET_STRING_free(string);
	return is_added;
}

/* The issuer's identifier as it stands in its certificate; a root needs none. */
static bool add_authority_identifier(X509 *x, const struct job *job)
{
	const ASN1_OCTET_STRING *found;
	AUTHORITY_KEYID *identifier;
	bool is_added;

	if (!job->issuer)
		return true;
	found = X509_get0_subject_key_id(certificate_handle(job->issuer));
	if (!found)
		return false;
	identifier = AUTHORITY_KEYID_new();
	if (!identifier)
		return false;
	identifier->keyid = ASN1_OCTET_STRING_dup(found);
	is_added = identifier->keyid &&
		   add_extension(x, NID_authority_key_identifier, identifier, false);
	AUTHORITY_KEYID_free(identifier);
	return is_added;
}

static ASN1_OCTET_STRING *ip_value(struct span text)
{
	ASN1_OCTET_STRING *value = ASN1_OCTET_STRING_new();
	struct address address;
	bool is_set = false;

	if (value && address_parse_ip(text, &address))
		is_set = address.any.sa_family == AF_INET
				 ? ASN1_OCTET_STRING_set(value,
							 (unsigned char *)&address.in.sin_addr, 4)
				 : ASN1_OCTET_STRING_set(
					   value, (unsigned char *)&address.in6.sin6_addr, 16);
	if (is_set)
		return value;
	ASN1_OCTET_STRING_free(value);
	return NULL;
}

static ASN1_IA5STRING *text_value(struct span text)
{
	ASN1_IA5STRING *value = ASN1_IA5STRING_new();

	if (value && ASN1_STRING_set(value, text.at, (int)text.size) == 1)
		return value;
	ASN1_IA5STRING_free(value);
	return NULL;
}

static bool push_name(GENERAL_NAMES *names, const struct alternative_name *name)
{
	static const int types[] = {[ALTERNATIVE_DNS] = GEN_DNS,
				    [ALTERNATIVE_IP] = GEN_IPADD,
				    [ALTERNATIVE_EMAIL] = GEN_EMAIL,
				    [ALTERNATIVE_URI] = GEN_URI};
	GENERAL_NAME *made = GENERAL_NAME_new();
	void *value = name->kind == ALTERNATIVE_IP ? (void *)ip_value(name->text)
						   : (void *)text_value(name->text);

	if (!made || !value) {
		GENERAL_NAME_free(made);
		ASN1_STRING_free(value);
		return false;
	}
	GENERAL_NAME_set0_value(made, types[name->kind], value);
	if (sk_GENERAL_NAME_push(names, made) > 0)
		return true;
	GENERAL_NAME_free(made);
	return false;
}

static enum status add_alternatives(X509 *x, const struct job *job, struct error *err)
{
	struct alternative_name found[PROFILE_HOSTS_MAX];
	GENERAL_NAMES *names = NULL;
	struct buffer text;
	bool is_added = true;
	enum status status;
	size_t i, count;

	buffer_init(&text, NAMES_TEXT_MAX);
	TRY(profile_alternative_names(job->profile, job->facts, &text, found, PROFILE_HOSTS_MAX,
				      &count, err));
	if (count == 0)
		goto done;
	names = sk_GENERAL_NAME_new_null();
	for (i = 0; names && is_added && i < count; i++)
		is_added = push_name(names, &found[i]);
	if (!is_added || !add_extension(x, NID_subject_alt_name, names, false))
		TRY(pki_fail(err, "add the names"));
done:
	GENERAL_NAMES_free(names);
	buffer_release(&text);
	return status;
}

static enum status fill(X509 *x, const struct job *job, struct error *err)
{
	const struct profile *profile = job->profile;
	enum status status;

	if (X509_set_version(x, X509_VERSION_3) != 1 || !set_serial(x) || !set_dates(x, job) ||
	    X509_set_pubkey(x, key_handle(job->subject_key)) != 1)
		TRY(pki_fail(err, "fill a certificate"));
	TRY(set_subject(x, job, err));
	if (!add_constraints(x, profile) || !add_usages(x, profile->usages) ||
	    !add_purposes(x, profile->purposes) || !add_nocheck(x, profile->has_nocheck) ||
	    !add_subject_identifier(x) || !add_authority_identifier(x, job))
		TRY(pki_fail(err, "fill a certificate's extensions"));
	TRY(add_alternatives(x, job, err));
done:
	return status;
}

/* Read back what was signed: a faulty signature must not get out (it can tell the key). */
static enum status read_back(X509 *x, const struct job *job, struct certificate **out,
			     struct error *err)
{
	struct certificate *made = NULL;
	unsigned char *der = NULL;
	enum status status;
	int size = i2d_X509(x, &der);

	if (size <= 0)
		return pki_fail(err, "write a certificate");
	TRY(certificate_parse_der(span_make(der, (size_t)size), &made, err));
	TRY(certificate_check_issuer(made, job->issuer ? job->issuer : made, err));
	*out = made;
	made = NULL; /* the caller's now */
done:
	/* Whatever is wrong with our own bytes is our fault. */
	if (status != OK)
		status = FAILED;
	certificate_free(made);
	OPENSSL_free(der);
	return status;
}

static enum status sign(const struct job *job, struct certificate **out, struct error *err)
{
	X509 *x = X509_new();
	enum status status;

	if (!x)
		return pki_fail(err, "make a certificate");
	TRY(fill(x, job, err));
	if (X509_sign(x, key_handle(job->issuer_key), key_sign_digest(job->issuer_key)) <= 0)
		TRY(pki_fail(err, "sign a certificate"));
	TRY(read_back(x, job, out, err));
done:
	X509_free(x);
	return status;
}

/* Root signs authorities, the last authority of a path signs leaves. */
static enum status check_allowed(const struct signer *signer, const struct profile *profile,
				 const struct key *subject_key, struct error *err)
{
	const struct certificate_facts *issuer = certificate_facts(signer->certificate);
	char name[KEY_NAME_SIZE];

	key_name(subject_key, name);
	if (profile->is_authority ? issuer->path_length == 0 : issuer->path_length > 0)
		return error_refuse(err, "\"%.200s\" may not sign %s certificates", issuer->subject,
				    profile->name);
	if (profile->is_for_browsers && strcmp(name, "Ed25519") == 0)
		return error_refuse(err, "browsers cannot use an Ed25519 key; use EC P-256");
	if (key_equals(subject_key, signer->key))
		return error_refuse(err, "that key is the authority's own");
	return OK;
}

static enum status set_life(const struct signer *signer, int64_t life, struct job *job,
			    struct error *err)
{
	const struct certificate_facts *issuer = certificate_facts(signer->certificate);
	int64_t now = clock_seconds();
	enum status status;

	TRY(certificate_check_dates(signer->certificate, now, err));
	job->not_before = now - SKEW > issuer->not_before ? now - SKEW : issuer->not_before;
	job->not_after = profile_not_after(job->profile, now, life);
	if (job->not_after > issuer->not_after)
		job->not_after = issuer->not_after;
done:
	if (status != OK)
		error_context(err, "authority \"%.200s\"", issuer->subject);
	return status;
}

enum status signer_sign(const struct signer *signer, const struct profile *profile,
			const struct subject_facts *facts, const struct key *public_key,
			int64_t life, struct certificate **out, struct error *err)
{
	struct job job = {.profile = profile,
			  .facts = facts,
			  .subject_key = public_key,
			  .issuer_key = signer->key,
			  .issuer = signer->certificate};
	enum status status;

	TRY(key_check_strength(public_key, err));
	TRY(check_allowed(signer, profile, public_key, err));
	TRY(set_life(signer, life, &job, err));
	TRY(sign(&job, out, err));
done:
	return status;
}

enum status signer_make_root(const struct subject_facts *facts, struct signer **out,
			     struct error *err)
{
	const struct profile *profile = profile_get(PROFILE_ROOT);
	int64_t now = clock_seconds();
	struct job job = {.profile = profile,
			  .facts = facts,
			  .not_before = now - SKEW,
			  .not_after = profile_not_after(profile, now, 0)};
	struct certificate *certificate = NULL;
	struct key *key = NULL;
	enum status status;

	TRY(key_generate(profile->key, &key, err));
	job.subject_key = job.issuer_key = key;
	TRY(sign(&job, &certificate, err));
	TRY(signer_new(key, certificate, out, err));
	return OK;
done:
	certificate_free(certificate);
	key_free(key);
	return status;
}

enum status signer_make_issuing(const struct signer *root, const struct subject_facts *facts,
				struct signer **out, struct error *err)
{
	const struct profile *profile = profile_get(PROFILE_ISSUING);
	struct certificate *certificate = NULL;
	struct key *key = NULL;
	enum status status;

	TRY(key_generate(profile->key, &key, err));
	TRY(signer_sign(root, profile, facts, key, 0, &certificate, err));
	TRY(signer_new(key, certificate, out, err));
	return OK;
done:
	certificate_free(certificate);
	key_free(key);
	return status;
}

enum status signer_make_next_issuing(const struct signer *root, const struct subject_facts *facts,
				     const struct signer *present, struct signer **out,
				     struct error *err)
{
	const struct certificate_facts *issuer = certificate_facts(root->certificate);
	const struct profile *profile = profile_get(PROFILE_ISSUING);
	const struct profile *leaf = profile_get(PROFILE_PERSON);
	int64_t longest_leaf = leaf->life + leaf->life / 100 * leaf->jitter;
	struct job job = {.profile = profile,
			  .facts = facts,
			  .issuer_key = root->key,
			  .issuer = root->certificate};
	struct certificate *certificate = NULL;
	struct key *key = NULL;
	enum status status;

	job.not_before = certificate_facts(present->certificate)->not_after - longest_leaf - EARLY;
	if (job.not_before < issuer->not_before)
		job.not_before = issuer->not_before;
	job.not_after = profile_not_after(profile, job.not_before, 0);
	if (job.not_after > issuer->not_after)
		job.not_after = issuer->not_after;
	TRY(key_generate(profile->key, &key, err));
	TRY(check_allowed(root, profile, key, err));
	TRY(certificate_check_dates(root->certificate, clock_seconds(), err));
	job.subject_key = key;
	TRY(sign(&job, &certificate, err));
	TRY(signer_new(key, certificate, out, err));
	return OK;
done:
	certificate_free(certificate);
	key_free(key);
	return status;
}
