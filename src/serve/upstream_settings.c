#include "serve/upstream_settings.h"

#include <string.h>

#include "door/route.h"
#include "http/http_host.h"
#include "relay/relay.h"
#include "serve/settings.h"
#include "serve/settings_keys.h"
#include "wire/url.h"

#define SYSTEM_ROOTS "/etc/ssl/certs/ca-certificates.crt"

static enum status parse_authorities(const struct value_context *context, struct span text, void *into,
				     struct error *err)
{
	return value_file.parse(context, span_is(text, "system") ? SPAN(SYSTEM_ROOTS) : text, into, err);
}

static void release_authorities(void *into)
{
	value_file.release(into);
}

const struct value_kind value_authorities = {"file", "an absolute path, or \"system\"", parse_authorities,
					     release_authorities};

static bool lists_https(const struct value_texts *upstream)
{
	struct url url;
	size_t i;

	for (i = 0; i < upstream->count; i++)
		if (url_parse(span_of(upstream->at[i]), &url, NULL) == OK && url.scheme == URL_HTTPS)
			return true;
	return false;
}

/* Those of its locations are believed as the site's are. */
static bool has_https(const struct site_options *site)
{
	bool found = lists_https(&site->upstream);
	size_t i;

	for (i = 0; i < site->location_count && !found; i++)
		found = lists_https(&site->locations[i].upstream);
	return found;
}

enum status upstream_settings_check(void *object, struct error *err)
{
	const struct site_options *site = object;
	bool is_https = has_https(site);

	if (is_https && !site->upstream_ca.path)
		return error_refuse(err, "upstream = \"https://...\" needs upstream-ca: a PEM file with the CA of its "
				    "certificate (or the certificate itself); \"system\" for the public ones");
	if (!is_https && (site->upstream_ca.path || site->upstream_name || site->upstream_certificate.path))
		return error_refuse(err, "upstream-ca, upstream-name and upstream-certificate are for upstreams that "
				    "begin with https://, and there is none");
	if (!site->upstream_certificate.path != !site->upstream_key.path)
		return error_refuse(err, "upstream-certificate and upstream-key go together");
	return OK;
}

void upstream_settings_fill(const struct settings *settings, const struct site_options *site,
			    struct relay_options *out)
{
	struct http_limits unused;

	settings_limits(settings, &unused, &out->limits);
	if (site->connect_time)
		out->limits.connect = site->connect_time;
	if (site->first_byte_time)
		out->limits.first_byte = site->first_byte_time;
	if (site->quiet_time)
		out->limits.quiet = site->quiet_time;
	out->trust = (struct tls_trust_options){
		.authorities = site->upstream_ca.bytes,
		.are_roots = site->upstream_ca.path && strcmp(site->upstream_ca.path, SYSTEM_ROOTS) == 0,
		.certificate = site->upstream_certificate.bytes,
		.key = site->upstream_key.bytes,
	};
	out->server_name = site->upstream_name;
}

bool upstream_settings_equal(const struct site_options *one, const struct site_options *other)
{
	return span_equals(one->upstream_ca.bytes, other->upstream_ca.bytes) &&
	       span_equals(one->upstream_certificate.bytes, other->upstream_certificate.bytes) &&
	       span_equals(one->upstream_key.bytes, other->upstream_key.bytes);
}

static void each_of(const struct value_texts *upstream, void (*on_url)(void *arg, struct span url), void *arg)
{
	size_t i;

	for (i = 0; i < upstream->count; i++)
		on_url(arg, span_of(upstream->at[i]));
}

void upstream_settings_each(const struct house_settings *house, void (*on_url)(void *arg, struct span url), void *arg)
{
	size_t i, j;

	for (i = 0; i < house->door.site_count; i++) {
		const struct site_options *site = &house->door.sites[i];

		each_of(&site->upstream, on_url, arg);
		for (j = 0; j < site->location_count; j++)
			each_of(&site->locations[j].upstream, on_url, arg);
	}
}
