#include "pki/revocation_list.h"

#include <limits.h>
#include <openssl/objects.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/buffer.h"
#include "pki/certificate.h"
#include "pki/distinguished_name.h"
#include "pki/pem.h"
#include "pki/pki_error.h"

enum {
	LIST_BYTES_MOST = 64 << 20,
	NAME_TEXT_MOST = 65536,
	SERIAL_PLAIN = SERIAL_KEY_SIZE - 1,
	SERIAL_NEGATIVE = 0x80,
	SERIAL_HASHED = 0xff,
};

struct list {
	struct revocation_list_facts facts;
	uint8_t issuer[SHA256_SIZE];
	uint8_t (*serials)[SERIAL_KEY_SIZE]; /* sorted */
	char *issuer_text;
};

struct revocation_lists {
	unsigned references;
	uint8_t key[SHA256_SIZE];      /* of what they were read from */
	struct revocation_lists *next; /* of those alive */
	size_t count;
	struct list at[REVOCATION_LISTS_MOST];
};

static struct revocation_lists *alive; /* a process has one thread */

/* -- names of certificates -- */

/* RFC 5280 has serials of at most 20 octets; longer ones exist, and get the digest of theirs. */
static void make_serial_key(const ASN1_INTEGER *serial, uint8_t out[static SERIAL_KEY_SIZE])
{
	size_t size = (size_t)ASN1_STRING_length(serial);
	const uint8_t *bytes = ASN1_STRING_get0_data(serial);
	bool is_negative = (ASN1_STRING_type(serial) & V_ASN1_NEG) == V_ASN1_NEG;
	uint8_t digest[SHA256_SIZE];

	while (size > 0 && *bytes == 0) {
		bytes++;
		size--;
	}
	memset(out, 0, SERIAL_KEY_SIZE);
	if (size > SERIAL_PLAIN) {
		digest_sha256(span_make(bytes, size), digest);
		out[0] = SERIAL_HASHED;
		memcpy(out + 1, digest, SERIAL_PLAIN);
		return;
	}
	out[0] = (uint8_t)(size | (is_negative ? SERIAL_NEGATIVE : 0));
	if (size)
		memcpy(out + 1, bytes, size);
}

/* The key alone: one name can be spelt in several ways, and a cross-signed issuer is one issuer. */
static void make_issuer_key(const X509 *issuer, uint8_t out[static SHA256_SIZE])
{
	unsigned char *key = NULL;
	int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(issuer), &key);

	digest_sha256(span_make(key, size > 0 ? (size_t)size : 0), out);
	OPENSSL_free(key);
}

void certificate_refer(const struct x509_st *certificate, const struct x509_st *issuer,
		       struct certificate_reference *out)
{
	make_issuer_key(issuer, out->issuer);
	make_serial_key(X509_get0_serialNumber(certificate), out->serial);
}

/* -- reading one -- */

static enum status read_date(const ASN1_TIME *from, int64_t *out, struct error *err)
{
	struct tm tm;

	if (ASN1_TIME_to_tm(from, &tm) != 1)
		return pki_refuse(err, "a date that is none");
	*out = timegm(&tm);
	return OK;
}

static bool is_weak(const X509_CRL *crl)
{
	int digest = NID_undef;

	if (!OBJ_find_sigid_algs(X509_CRL_get_signature_nid(crl), &digest, NULL))
		return true;
	return digest == NID_sha1 || digest == NID_md5 || digest == NID_md4 || digest == NID_md2 ||
	       digest == NID_md5_sha1 || digest == NID_mdc2 || digest == NID_ripemd160;
}

/* What we do not understand and must (RFC 5280 section 5.2). */
static enum status check_extensions(const X509_CRL *crl, struct error *err)
{
	ISSUING_DIST_POINT *point;
	int i, critical;
	bool is_indirect;

	if (X509_CRL_get_ext_by_NID(crl, NID_delta_crl, -1) >= 0)
		return error_refuse(err, "it is a delta list; give the full one");
	for (i = 0; i < X509_CRL_get_ext_count(crl); i++) {
		X509_EXTENSION *extension = X509_CRL_get_ext(crl, i);
		int nid = OBJ_obj2nid(X509_EXTENSION_get_object(extension));

		if (X509_EXTENSION_get_critical(extension) && nid != NID_issuing_distribution_point &&
		    nid != NID_authority_key_identifier && nid != NID_crl_number)
			return error_refuse(err, "it has a critical extension that is not known here");
	}
	point = X509_CRL_get_ext_d2i(crl, NID_issuing_distribution_point, &critical, NULL);
	if (!point) {
		pki_forget();
		return critical == -1 ? OK : error_refuse(err, "its distribution point cannot be read");
	}
	is_indirect = point->indirectCRL > 0;
	ISSUING_DIST_POINT_free(point);
	return is_indirect ? error_refuse(err, "it is an indirect list, of certificates that others issued; give each "
					  "issuer's own")
			   : OK;
}

static enum status name_issuer(struct list *list, const X509_CRL *crl, struct error *err)
{
	struct buffer text;
	enum status status;

	buffer_init(&text, NAME_TEXT_MOST);
	status = distinguished_name_print(X509_CRL_get_issuer(crl), &text, err);
	if (status == OK) {
		list->issuer_text = strdup(buffer_text(&text));
		if (!list->issuer_text)
			status = error_fail(err, "no memory for a list of revoked certificates");
	}
	list->facts.issuer = list->issuer_text;
	buffer_release(&text);
	return status;
}

static bool may_sign_lists(const struct certificate *signer)
{
	const struct certificate_facts *facts = certificate_facts(signer);

	return facts->is_authority && (!facts->has_usages || facts->usages & USAGE_SIGN_LISTS);
}

static enum status find_signer(struct list *list, X509_CRL *crl, struct certificate *const *signers,
			       size_t count, struct error *err)
{
	bool is_named = false;
	size_t i;

	for (i = 0; i < count; i++) {
		X509 *signer = certificate_handle(signers[i]);

		if (X509_NAME_cmp(X509_get_subject_name(signer), X509_CRL_get_issuer(crl)) != 0)
			continue;
		is_named = true;
		if (may_sign_lists(signers[i]) && X509_CRL_verify(crl, X509_get0_pubkey(signer)) == 1) {
			make_issuer_key(signer, list->issuer);
			pki_forget();
			return OK;
		}
	}
	pki_forget();
	if (is_named)
		return error_refuse(err, "the list of %s is not signed by the CA certificate of that name, or that may "
				    "not sign lists", list->issuer_text);
	return error_refuse(err, "the list of %s is of a CA that is not among the certificates; add its certificate to "
			    "intermediates", list->issuer_text);
}

static int compare_serials(const void *a, const void *b)
{
	return memcmp(a, b, SERIAL_KEY_SIZE);
}

static enum status read_serials(struct list *list, X509_CRL *crl, struct error *err)
{
	STACK_OF(X509_REVOKED) *revoked = X509_CRL_get_REVOKED(crl);
	int count = revoked ? sk_X509_REVOKED_num(revoked) : 0, i;

	list->serials = calloc((size_t)count + 1, sizeof *list->serials);
	if (!list->serials)
		return error_fail(err, "no memory for %d revoked certificates", count);
	for (i = 0; i < count; i++)
		make_serial_key(X509_REVOKED_get0_serialNumber(sk_X509_REVOKED_value(revoked, i)), list->serials[i]);
	qsort(list->serials, (size_t)count, sizeof *list->serials, compare_serials);
	list->facts.count = (size_t)count;
	return OK;
}

static enum status read_list(struct revocation_lists *lists, X509_CRL *crl, struct certificate *const *signers,
			     size_t signers_count, struct error *err)
{
	struct list *list = &lists->at[lists->count++]; /* released with the others */
	const ASN1_TIME *next = X509_CRL_get0_nextUpdate(crl);
	enum status status;

	TRY(name_issuer(list, crl, err));
	if (is_weak(crl))
		return error_refuse(err, "the list of %s is signed with a digest that is broken (SHA-1, MD5)",
				    list->issuer_text);
	TRY(check_extensions(crl, err));
	TRY(find_signer(list, crl, signers, signers_count, err));
	TRY(read_date(X509_CRL_get0_lastUpdate(crl), &list->facts.this_update, err));
	list->facts.next_update = INT64_MAX;
	if (next)
		TRY(read_date(next, &list->facts.next_update, err));
	TRY(read_serials(list, crl, err));
done:
	return status;
}

/* One after the other, as many as there are. */
static enum status read_der(struct revocation_lists *lists, struct span der, struct certificate *const *signers,
			    size_t signers_count, struct error *err)
{
	enum status status = OK;

	if (der.size > LIST_BYTES_MOST)
		return error_refuse(err, "a list of more than %d bytes", LIST_BYTES_MOST);
	while (der.size > 0 && status == OK) {
		const unsigned char *at = (const unsigned char *)der.at;
		X509_CRL *crl = d2i_X509_CRL(NULL, &at, (long)der.size);

		if (!crl)
			return pki_refuse(err, "not a list of revoked certificates (CRL)");
		span_skip(&der, (size_t)((const char *)at - der.at));
		if (lists->count == REVOCATION_LISTS_MOST)
			status = error_refuse(err, "more than %d lists", REVOCATION_LISTS_MOST);
		else
			status = read_list(lists, crl, signers, signers_count, err);
		X509_CRL_free(crl);
	}
	return status;
}

static enum status read_pem(struct revocation_lists *lists, struct span text, struct certificate *const *signers,
			    size_t signers_count, struct error *err)
{
	struct pem_block block;
	struct buffer der;
	enum status status;

	while ((status = pem_next(&text, &block, err)) == OK) {
		if (!span_is(block.label, "X509 CRL"))
			continue;
		buffer_init(&der, LIST_BYTES_MOST);
		status = pem_decode(&block, &der, err);
		if (status == OK)
			status = read_der(lists, buffer_span(&der), signers, signers_count, err);
		buffer_release(&der);
		if (status != OK)
			return status;
	}
	return status == AGAIN ? OK : status;
}

static enum status make_key(struct span bytes, struct certificate *const *signers, size_t count,
			    uint8_t out[static SHA256_SIZE], struct error *err)
{
	struct span *parts = calloc(count + 1, sizeof *parts);
	size_t i;

	if (!parts)
		return error_fail(err, "no memory for lists of revoked certificates");
	for (i = 0; i < count; i++)
		parts[i] = span_make(certificate_facts(signers[i])->fingerprint, SHA256_SIZE);
	/* All but the last have one size. */
	parts[count] = bytes;
	digest_sha256_parts(parts, count + 1, out);
	free(parts);
	return OK;
}

static struct revocation_lists *find_alive(const uint8_t key[static SHA256_SIZE])
{
	struct revocation_lists *lists;

	for (lists = alive; lists; lists = lists->next)
		if (memcmp(lists->key, key, SHA256_SIZE) == 0)
			return lists;
	return NULL;
}

enum status revocation_lists_parse(struct span bytes, struct certificate *const *signers, size_t signers_count,
				   struct revocation_lists **out, struct error *err)
{
	struct revocation_lists *lists;
	uint8_t key[SHA256_SIZE];
	enum status status = make_key(bytes, signers, signers_count, key, err);

	if (status != OK)
		return status;
	lists = find_alive(key);
	if (lists) {
		lists->references++;
		*out = lists;
		return OK;
	}
	lists = calloc(1, sizeof *lists);
	if (!lists)
		return error_fail(err, "no memory for lists of revoked certificates");
	lists->references = 1;
	memcpy(lists->key, key, sizeof key);
	lists->next = alive;
	alive = lists;
	if (pem_is(bytes))
		status = read_pem(lists, bytes, signers, signers_count, err);
	else
		status = read_der(lists, bytes, signers, signers_count, err);
	/* OpenSSL may read a list and still leave a word about one of its extensions. */
	pki_forget();
	if (status == OK && lists->count == 0)
		status = error_refuse(err, "there is no list of revoked certificates (X509 CRL) in it");
	if (status == OK)
		*out = lists;
	else
		revocation_lists_free(lists);
	return status;
}

void revocation_lists_free(struct revocation_lists *lists)
{
	struct revocation_lists **link = &alive;
	size_t i;

	if (!lists || --lists->references)
		return;
	while (*link != lists)
		link = &(*link)->next;
	*link = lists->next;
	for (i = 0; i < lists->count; i++) {
		free(lists->at[i].serials);
		free(lists->at[i].issuer_text);
	}
	free(lists);
}

/* -- asking -- */

size_t revocation_lists_count(const struct revocation_lists *lists)
{
	return lists ? lists->count : 0;
}

const struct revocation_list_facts *revocation_lists_facts(const struct revocation_lists *lists, size_t i)
{
	return &lists->at[i].facts;
}

bool revocation_lists_have(const struct revocation_lists *lists, const struct certificate_reference *which)
{
	size_t i;

	for (i = 0; i < revocation_lists_count(lists); i++) {
		const struct list *list = &lists->at[i];

		if (memcmp(list->issuer, which->issuer, sizeof list->issuer) == 0 && list->facts.count > 0 &&
		    bsearch(which->serial, list->serials, list->facts.count, sizeof *list->serials, compare_serials))
			return true;
	}
	return false;
}

int64_t revocation_lists_fresh_until(const struct revocation_lists *lists, const uint8_t issuer[static SHA256_SIZE])
{
	int64_t until = 0;
	size_t i;

	for (i = 0; i < revocation_lists_count(lists); i++)
		if (memcmp(lists->at[i].issuer, issuer, SHA256_SIZE) == 0 && lists->at[i].facts.next_update > until)
			until = lists->at[i].facts.next_update;
	return until;
}
