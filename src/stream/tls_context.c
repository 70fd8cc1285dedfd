#include "stream/tls_context.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509.h>

#include "stream/tls_handshake.h"

const char tls_ciphers[] =
	"ECDHE-ECDSA-AES128-GCM-SHA256:ECDHE-RSA-AES128-GCM-SHA256:"
	"ECDHE-ECDSA-AES256-GCM-SHA384:ECDHE-RSA-AES256-GCM-SHA384:"
	"ECDHE-ECDSA-CHACHA20-POLY1305:ECDHE-RSA-CHACHA20-POLY1305";
const char tls_suites[] =
	"TLS_AES_128_GCM_SHA256:TLS_AES_256_GCM_SHA384:TLS_CHACHA20_POLY1305_SHA256";
static const char client_signatures[] =
	"ECDSA+SHA256:ECDSA+SHA384:ECDSA+SHA512:ed25519:RSA-PSS+SHA256:RSA-PSS+SHA384:RSA-PSS+SHA512:"
	"RSA+SHA256:RSA+SHA384:RSA+SHA512";

static enum status fail_openssl(struct error *err, const char *what)
{
	const char *reason = ERR_reason_error_string(ERR_peek_error());
	enum status status = error_fail(err, "%s: %s", what, reason ? reason : "no reason told");

	ERR_clear_error();
	return status;
}

static enum status set_protocol(SSL_CTX *settings, struct error *err)
{
	/* For phones without AES instructions ChaCha20 goes first if they put it first. */
	SSL_CTX_set_options(settings, SSL_OP_NO_TICKET | SSL_OP_NO_RENEGOTIATION | SSL_OP_NO_COMPRESSION |
					      SSL_OP_CIPHER_SERVER_PREFERENCE |
					      SSL_OP_PRIORITIZE_CHACHA);
	SSL_CTX_set_mode(settings, SSL_MODE_NO_AUTO_CHAIN | SSL_MODE_RELEASE_BUFFERS);
	SSL_CTX_set_read_ahead(settings, 1);
	SSL_CTX_set_security_level(settings, TLS_SECURITY_LEVEL);
	SSL_CTX_set_max_cert_list(settings, CLIENT_CHAIN_MOST);
	SSL_CTX_set_session_cache_mode(settings, SSL_SESS_CACHE_SERVER | SSL_SESS_CACHE_NO_INTERNAL);
	SSL_CTX_set_timeout(settings, TLS_SESSION_LIFE);
	if (!SSL_CTX_set_min_proto_version(settings, TLS1_2_VERSION) ||
	    !SSL_CTX_set_max_proto_version(settings, TLS1_3_VERSION) ||
	    !SSL_CTX_set_cipher_list(settings, tls_ciphers) || !SSL_CTX_set_ciphersuites(settings, tls_suites) ||
	    !SSL_CTX_set1_groups_list(settings, TLS_GROUPS) ||
	    !SSL_CTX_set1_client_sigalgs_list(settings, client_signatures) ||
	    !SSL_CTX_set_max_early_data(settings, 0) ||
	    /* Tickets are made after the handshake, for those who proved a certificate. */
	    !SSL_CTX_set_num_tickets(settings, 0) ||
	    !SSL_CTX_set_session_id_context(settings, (const unsigned char *)TLS_SESSION_CONTEXT,
					    sizeof TLS_SESSION_CONTEXT - 1))
		return fail_openssl(err, "cannot set up TLS");
	return OK;
}

enum status tls_credentials_use(SSL_CTX *settings, const struct tls_credentials *credentials,
				struct error *err)
{
	STACK_OF(X509) *rest = sk_X509_new_null();
	enum status status = OK;
	size_t i;

	if (!rest)
		return error_fail(err, "no memory for a certificate chain");
	for (i = 1; i < credentials->chain.count; i++) {
		const struct certificate *certificate = credentials->chain.at[i];

		/* A root in the chain is of no use to anybody. */
		if (certificate_facts(certificate)->is_self_signed)
			continue;
		if (!sk_X509_push(rest, certificate_handle(certificate))) {
			status = error_fail(err, "no memory for a certificate chain");
			goto done;
		}
	}
	if (SSL_CTX_use_cert_and_key(settings, certificate_handle(credentials->chain.at[0]),
				     key_handle(credentials->key), rest, 1) != 1)
		status = fail_openssl(err, "cannot use a certificate");
done:
	sk_X509_free(rest);
	return status;
}

static enum status name_authorities(SSL_CTX *settings, const struct tls_context_options *options,
				    struct error *err)
{
	size_t i;

	for (i = 0; i < options->client_authorities_count; i++) {
		const unsigned char *at = (const unsigned char *)options->client_authorities[i].at;
		size_t size = options->client_authorities[i].size;
		X509 *authority = size <= LONG_MAX ? d2i_X509(NULL, &at, (long)size) : NULL;
		int added = authority && SSL_CTX_add_client_CA(settings, authority);

		X509_free(authority);
		if (!added) {
			ERR_clear_error();
			return error_refuse(err, "client authority %zu is no certificate", i + 1);
		}
	}
	return OK;
}

/* Roots and what lies between: a browser that has no intermediate certificate at hand finds its own
 * by the name of whoever issued it. */
static enum status name_foreign(SSL_CTX *settings, const struct tls_site *site, struct error *err)
{
	const struct certificate *authority;
	size_t i, n;

	for (i = 0; i < site->foreign_count; i++)
		for (n = 0; (authority = foreign_trust_certificate(site->foreign[i], n)); n++)
			if (!SSL_CTX_add_client_CA(settings, certificate_handle(authority)))
				return fail_openssl(err, "cannot name a foreign CA");
	return OK;
}

static enum status make_settings(const struct tls_context_options *options, const struct tls_site *site,
				 SSL_CTX **out, struct error *err)
{
	SSL_CTX *settings = SSL_CTX_new(TLS_server_method());
	enum status status;
	size_t i;

	if (!settings)
		return fail_openssl(err, "cannot set up TLS");
	TRY(set_protocol(settings, err));
	for (i = 0; i < 2; i++)
		if (site->credentials[i])
			TRY(tls_credentials_use(settings, site->credentials[i], err));
	TRY(name_authorities(settings, options, err));
	TRY(name_foreign(settings, site, err));
	tls_handshake_teach(settings);
	*out = settings;
	settings = NULL;
done:
	SSL_CTX_free(settings);
	return status;
}

/* One family of keys a certificate, else the second would silently take the place of the first. */
static int family_of(const struct tls_credentials *credentials)
{
	return EVP_PKEY_get_base_id(key_handle(credentials->key));
}

static enum status check_site(const struct tls_site *site, bool is_fallback, struct error *err)
{
	if (!site->credentials[0])
		return is_fallback && !site->credentials[1] ? OK : error_refuse(err, "no certificate");
	if (site->credentials[1] && family_of(site->credentials[0]) == family_of(site->credentials[1]))
		return error_refuse(err, "both certificates have keys of one type; one RSA and one EC go together");
	return OK;
}

static const struct tls_site *site_at(const struct tls_context_options *options, size_t i)
{
	if (i < options->sites_count)
		return &options->sites[i];
	return i == options->sites_count ? &options->no_name : &options->unknown_name;
}

static enum status share_foreign(struct tls_place *place, const struct tls_site *site, struct error *err)
{
	if (site->foreign_count == 0)
		return OK;
	place->foreign = calloc(site->foreign_count, sizeof(struct foreign_trust *));
	if (!place->foreign)
		return error_fail(err, "no memory for foreign CAs");
	for (; place->foreign_count < site->foreign_count; place->foreign_count++)
		place->foreign[place->foreign_count] = foreign_trust_share(site->foreign[place->foreign_count]);
	return OK;
}

static bool has_same_foreign(const struct tls_site *a, const struct tls_site *b)
{
	return a->foreign_count == b->foreign_count &&
	       (a->foreign_count == 0 ||
		memcmp((const void *)a->foreign, (const void *)b->foreign,
		       a->foreign_count * sizeof(struct foreign_trust *)) == 0);
}

/* Sites with the same certificates share their settings: then a handshake has nothing to swap. */
static enum status fill_place(struct tls_context *context, const struct tls_context_options *options,
			      size_t i, struct error *err)
{
	const struct tls_site *site = site_at(options, i);
	struct tls_place *place = &context->places[i];
	size_t other;

	place->number = site->number;
	if (i == options->sites_count)
		place->number = TLS_SITE_NO_NAME;
	else if (i > options->sites_count)
		place->number = TLS_SITE_UNKNOWN_NAME;
	place->asks = site->asks;
	if (share_foreign(place, site, err) != OK)
		return FAILED;
	if (!site->credentials[0])
		return OK;
	for (other = 0; other < i; other++) {
		const struct tls_site *before = site_at(options, other);

		if (before->credentials[0] == site->credentials[0] &&
		    before->credentials[1] == site->credentials[1] && has_same_foreign(before, site)) {
			place->settings = context->places[other].settings;
			SSL_CTX_up_ref(place->settings);
			return OK;
		}
	}
	return make_settings(options, site, &place->settings, err);
}

static int compare_names(const void *a, const void *b)
{
	const struct tls_name *first = a, *second = b;

	if (first->name.size != second->name.size)
		return first->name.size < second->name.size ? -1 : 1;
	return memcmp(first->name.at, second->name.at, first->name.size);
}

static enum status add_name(struct tls_context *context, struct span name, const struct tls_place *place,
			    struct error *err)
{
	char *copy;

	if (name.size > 1 && name.at[0] == '*' && name.at[1] == '.')
		span_skip(&name, 1);
	else if (name.size == 0 || name.at[0] == '.')
		return error_refuse(err, "\"%.*s\" is no host name", SPAN_PRINT(name));
	copy = malloc(name.size);
	if (!copy)
		return error_fail(err, "no memory for a host name");
	memcpy(copy, name.at, name.size);
	context->names[context->names_count++] = (struct tls_name){span_make(copy, name.size), place};
	return OK;
}

static enum status gather_names(struct tls_context *context, const struct tls_context_options *options,
				struct error *err)
{
	enum status status = OK;
	size_t i, n, count = 0;

	for (i = 0; i < options->sites_count; i++)
		count += options->sites[i].names_count;
	context->names = calloc(count + 1, sizeof *context->names);
	if (!context->names)
		return error_fail(err, "no memory for %zu host names", count);
	for (i = 0; i < options->sites_count; i++)
		for (n = 0; n < options->sites[i].names_count; n++)
			TRY(add_name(context, options->sites[i].names[n], &context->places[i], err));
	qsort(context->names, count, sizeof *context->names, compare_names);
	for (i = 1; i < count; i++)
		if (span_equals(context->names[i - 1].name, context->names[i].name))
			return error_refuse(err, "two sites have the name \"%s%.*s\"",
					    context->names[i].name.at[0] == '.' ? "*" : "",
					    SPAN_PRINT(context->names[i].name));
done:
	return status;
}

static enum status list_protocols(struct tls_context *context, const char *const *protocols,
				  struct error *err)
{
	for (; protocols && *protocols; protocols++) {
		size_t size = strlen(*protocols);

		if (size == 0 || size > 255 || context->protocols_size + 1 + size > TLS_PROTOCOLS_MOST)
			return error_fail(err, "too many protocols for ALPN");
		context->protocols[context->protocols_size++] = (unsigned char)size;
		memcpy(context->protocols + context->protocols_size, *protocols, size);
		context->protocols_size += (unsigned)size;
	}
	return OK;
}

enum status tls_context_new(const struct tls_context_options *options, struct tls_context **out,
			    struct error *err)
{
	struct tls_context *context = calloc(1, sizeof *context);
	enum status status = OK;
	size_t i;

	if (!context)
		return error_fail(err, "no memory for TLS");
	assert(options->hooks.on_certificate && options->hooks.resumable_until &&
	       options->hooks.on_session_new && options->hooks.on_session_find);
	context->references = 1;
	context->epoch = options->epoch;
	context->hooks = options->hooks;
	context->places = calloc(options->sites_count + 2, sizeof *context->places);
	if (!context->places) {
		status = error_fail(err, "no memory for %zu sites", options->sites_count);
		goto done;
	}
	context->places_count = options->sites_count + 2;
	for (i = 0; i < context->places_count; i++) {
		status = check_site(site_at(options, i), i >= options->sites_count, err);
		if (status == OK)
			status = fill_place(context, options, i, err);
		if (status != OK) {
			error_context(err, "TLS site %zu", i + 1);
			goto done;
		}
		if (context->places[i].settings)
			context->base = context->places[i].settings;
	}
	if (!context->base) {
		status = error_refuse(err, "no site has a certificate");
		goto done;
	}
	/* Most handshakes name a site: the first's settings are the ones to begin with. */
	if (context->places[0].settings)
		context->base = context->places[0].settings;
	TRY(gather_names(context, options, err));
	TRY(list_protocols(context, options->protocols, err));
	*out = context;
	context = NULL;
done:
	tls_context_free(context);
	return status;
}

struct tls_context *tls_context_share(struct tls_context *context)
{
	context->references++;
	return context;
}

void tls_context_free(struct tls_context *context)
{
	size_t i;

	if (!context || --context->references)
		return;
	for (i = 0; i < context->places_count; i++) {
		struct tls_place *place = &context->places[i];

		SSL_CTX_free(place->settings);
		while (place->foreign_count > 0)
			foreign_trust_free(place->foreign[--place->foreign_count]);
		free((void *)place->foreign);
	}
	for (i = 0; i < context->names_count; i++)
		free((char *)(uintptr_t)context->names[i].name.at);
	free(context->names);
	free(context->places);
	free(context);
}

static const struct tls_name *find_name(const struct tls_context *context, struct span name)
{
	const struct tls_name key = {.name = name};

	return bsearch(&key, context->names, context->names_count, sizeof key, compare_names);
}

const struct tls_place *tls_context_place(const struct tls_context *context, struct span name,
					  struct span *kept)
{
	const struct tls_place *no_name = &context->places[context->places_count - 2];
	const struct tls_name *found;
	const char *dot;

	if (name.size == 0)
		return no_name;
	found = find_name(context, name);
	if (found) {
		*kept = found->name;
		return found->place;
	}
	dot = memchr(name.at, '.', name.size);
	if (dot && dot > name.at)
		found = find_name(context, span_make(dot, (size_t)(name.at + name.size - dot)));
	return found ? found->place : no_name + 1;
}
