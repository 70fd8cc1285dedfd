#include "pki/certificate.h"

#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"
#include "base/clock.h"
#include "pki/certificate_inside.h"
#include "pki/pem.h"
#include "pki/pki_error.h"

enum { FACTS_TEXT_MAX = 4 * CERTIFICATE_SIZE_MAX + 1024 };

void certificate_free(struct certificate *certificate)
{
	if (!certificate)
		return;
	X509_free(certificate->handle);
	key_free(certificate->key);
	buffer_release(&certificate->der);
	buffer_release(&certificate->text);
	free(certificate);
}

/* A second way to write the same certificate would have a second fingerprint. */
static enum status check_canonical(const struct certificate *certificate, struct error *err)
{
	unsigned char *again = NULL;
	int size = i2d_X509(certificate->handle, &again);
	bool is_same;

	if (size <= 0)
		return pki_refuse(err, "certificate that cannot be written again");
	is_same = span_equals(span_make(again, (size_t)size), buffer_span(&certificate->der));
	OPENSSL_free(again);
	return is_same ? OK : error_refuse(err, "certificate is not in DER form");
}

static enum status read_key(struct certificate *certificate, struct error *err)
{
	EVP_PKEY *key = X509_get_pubkey(certificate->handle);
	unsigned char *spki = NULL;
	int size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(certificate->handle), &spki);

	if (key && size > 0)
		certificate->key = key_wrap(key, false, span_make(spki, (size_t)size));
	else
		EVP_PKEY_free(key);
	OPENSSL_free(spki);
	if (certificate->key)
		return OK;
	return pki_refuse(err, "certificate with a public key that cannot be read");
}

static enum status read_handle(struct certificate *certificate, struct error *err)
{
	struct span der = buffer_span(&certificate->der);
	const unsigned char *at = (const unsigned char *)der.at;

	certificate->handle = d2i_X509(NULL, &at, (long)der.size);
	if (!certificate->handle)
		return pki_refuse(err, "not a certificate");
	if (at != (const unsigned char *)der.at + der.size)
		return error_refuse(err, "certificate with bytes behind its end");
	return read_key(certificate, err);
}

enum status certificate_parse_der(struct span der, struct certificate **out, struct error *err)
{
	struct certificate *certificate;
	enum status status;

	if (der.size == 0 || der.size > CERTIFICATE_SIZE_MAX)
		return error_refuse(err, "certificate of %zu bytes; 1 to %d are taken", der.size,
				    CERTIFICATE_SIZE_MAX);
	certificate = calloc(1, sizeof *certificate);
	if (!certificate)
		return error_fail(err, "no memory for a certificate");
	buffer_init(&certificate->der, CERTIFICATE_SIZE_MAX);
	buffer_init(&certificate->text, FACTS_TEXT_MAX);
	buffer_add(&certificate->der, der);
	if (!buffer_is_whole(&certificate->der))
		TRY(error_fail(err, "no memory for a certificate"));
	TRY(read_handle(certificate, err));
	TRY(check_canonical(certificate, err));
	TRY(certificate_read_facts(certificate, err));
	*out = certificate;
	certificate = NULL; /* the caller's now */
done:
	certificate_free(certificate);
	return status;
}

static enum status parse_block(const struct pem_block *block, struct certificate **out,
			       struct error *err)
{
	struct buffer der;
	enum status status;

	buffer_init(&der, CERTIFICATE_SIZE_MAX);
	TRY(pem_decode(block, &der, err));
	TRY(certificate_parse_der(buffer_span(&der), out, err));
done:
	buffer_release(&der);
	return status;
}

static bool is_certificate(const struct pem_block *block)
{
	return span_is(block->label, "CERTIFICATE") || span_is(block->label, "X509 CERTIFICATE");
}

static enum status add_block(const struct pem_block *block, size_t most,
			     struct certificate_list *list, struct error *err)
{
	struct certificate **grown;
	enum status status;

	if (list->count == most)
		return error_refuse(err, "there are more than %zu certificates in it", most);
	grown = reallocarray(list->at, list->count + 1, sizeof *grown);
	if (!grown)
		return error_fail(err, "no memory for a list of certificates");
	list->at = grown;
	status = parse_block(block, &grown[list->count], err);
	if (status == OK)
		list->count++;
	else
		error_context(err, "certificate %zu", list->count + 1);
	return status;
}

enum status certificate_list_parse(struct span text, size_t most, struct certificate_list *out,
				   struct error *err)
{
	struct certificate_list list = {0};
	struct pem_block block;
	enum status status;

	if (text.size > CERTIFICATE_TEXT_MAX)
		return error_refuse(err, "%zu bytes; a file of certificates has at most %d",
				    text.size, CERTIFICATE_TEXT_MAX);
	while ((status = pem_next(&text, &block, err)) == OK)
		if (is_certificate(&block))
			TRY(add_block(&block, most, &list, err));
	if (status != AGAIN)
		goto done;
	status = OK;
	if (list.count == 0)
		TRY(error_refuse(err, "there is no certificate in PEM form in it"));
	*out = list;
	return OK;
done:
	certificate_list_release(&list);
	return status;
}

enum status certificate_parse_pem(struct span text, struct certificate **out, struct error *err)
{
	struct pem_block block;
	enum status status;

	if (text.size > CERTIFICATE_TEXT_MAX)
		return error_refuse(err, "%zu bytes; a file of certificates has at most %d",
				    text.size, CERTIFICATE_TEXT_MAX);
	while ((status = pem_next(&text, &block, err)) == OK)
		if (is_certificate(&block))
			return parse_block(&block, out, err);
	if (status != AGAIN)
		return status;
	return error_refuse(err, "there is no certificate in PEM form in it");
}

void certificate_list_release(struct certificate_list *list)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		certificate_free(list->at[i]);
	free(list->at);
	*list = (struct certificate_list){0};
}

struct span certificate_der(const struct certificate *certificate)
{
	return buffer_span(&certificate->der);
}

const struct certificate_facts *certificate_facts(const struct certificate *certificate)
{
	return &certificate->facts;
}

const struct key *certificate_key(const struct certificate *certificate)
{
	return certificate->key;
}

struct span certificate_key_id(const struct certificate *certificate)
{
	const ASN1_OCTET_STRING *found = X509_get0_subject_key_id(certificate->handle);

	if (!found)
		return SPAN("");
	return span_make(ASN1_STRING_get0_data(found), (size_t)ASN1_STRING_length(found));
}

struct x509_st *certificate_handle(const struct certificate *certificate)
{
	return certificate->handle;
}

void certificate_write_pem(const struct certificate *certificate, struct buffer *out)
{
	pem_write(out, "CERTIFICATE", certificate_der(certificate));
}

bool certificate_matches_key(const struct certificate *certificate, const struct key *key)
{
	return key_equals(certificate->key, key);
}

bool certificate_covers_host(const struct certificate *certificate, struct span host)
{
	struct address address;
	X509 *x = certificate->handle;
	int covers;

	if (host.size == 0 || host.at[0] == '.' || memchr(host.at, 0, host.size))
		return false;
	if (address_parse_ip(host, &address))
		covers = address.any.sa_family == AF_INET
				 ? X509_check_ip(x, (unsigned char *)&address.in.sin_addr, 4, 0)
				 : X509_check_ip(x, (unsigned char *)&address.in6.sin6_addr, 16, 0);
	else if (host.at[host.size - 1] == '.' && host.size == 1)
		covers = 0;
	else
		covers = X509_check_host(x, host.at, host.size - (host.at[host.size - 1] == '.'),
					 X509_CHECK_FLAG_NO_PARTIAL_WILDCARDS |
						 X509_CHECK_FLAG_NEVER_CHECK_SUBJECT,
					 NULL);
	pki_forget();
	return covers == 1;
}

enum status certificate_check_issuer(const struct certificate *certificate,
				     const struct certificate *issuer, struct error *err)
{
	int fault;

	if (!issuer->facts.is_authority)
		return error_refuse(err, "\"%.200s\" is no certificate authority",
				    issuer->facts.subject);
	fault = X509_check_issued(issuer->handle, certificate->handle);
	if (fault != X509_V_OK) {
		pki_forget();
		return error_refuse(err, "\"%.150s\" is not by \"%.150s\": %s",
				    certificate->facts.subject, issuer->facts.subject,
				    X509_verify_cert_error_string(fault));
	}
	if (X509_verify(certificate->handle, key_handle(issuer->key)) == 1)
		return OK;
	pki_forget();
	return error_refuse(err, "the signature on \"%.150s\" is not by \"%.150s\"",
			    certificate->facts.subject, issuer->facts.subject);
}

enum status certificate_check_dates(const struct certificate *certificate, int64_t now,
				    struct error *err)
{
	char date[CLOCK_TEXT_SIZE];

	if (now < certificate->facts.not_before) {
		clock_text(certificate->facts.not_before, date);
		return error_refuse(err, "not valid before %s", date);
	}
	if (now > certificate->facts.not_after) {
		clock_text(certificate->facts.not_after, date);
		return error_refuse(err, "expired on %s", date);
	}
	return OK;
}

enum status certificate_list_check_chain(const struct certificate_list *list, struct error *err)
{
	enum status status = OK;
	size_t i;

	/* One that stands alone may be anything: "openssl req -x509" makes a CA of a server. */
	if (list->count > 1 && list->at[0]->facts.is_authority)
		return error_refuse(err,
				    "the first certificate, \"%.200s\", is an authority's; put the "
				    "server's own first, then the one that signed it, and so on",
				    list->at[0]->facts.subject);
	for (i = 1; i < list->count && status == OK; i++) {
		status = certificate_check_issuer(list->at[i - 1], list->at[i], err);
		if (status != OK)
			error_context(err,
				      "certificate %zu did not sign certificate %zu; each must "
				      "be followed by the one that signed it",
				      i + 1, i);
	}
	return status;
}
