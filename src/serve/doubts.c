#include "serve/doubts.h"

#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "access/policy.h"
#include "base/clock.h"
#include "serve/settings.h"
#include "serve/settings_keys.h"
#include "wire/url.h"

enum { STOP_PATIENCE_SECONDS = 90 /* systemd's, unless told otherwise */ };

static void doubt_site_mode(const struct site_options *site, struct buffer *out)
{
	if (site->no_certificate == NO_CERTIFICATE_ALLOW)
		buffer_printf(out, "site \"%s\": no-certificate = allow: everyone enters, with a device or without\n",
			      site->name);
	if (site->allow_file.path && !site->allow_file.bytes.at)
		buffer_printf(out, "site \"%s\": allow-file: %s; nobody enters until it can be read\n", site->name,
			      site->allow_file.trouble ? site->allow_file.trouble : site->allow_file.path);
}

static void doubt_key_file(const struct site_options *site, struct buffer *out)
{
	struct stat facts;

	if (stat(site->key.path, &facts) == 0 && facts.st_mode & 07)
		buffer_printf(out, "site \"%s\": key: every user of this machine may read %s; chmod o= %s\n",
			      site->name, site->key.path, site->key.path);
}

static bool is_own_address(const struct house_settings *house, const struct url *url)
{
	struct address upstream;
	size_t i;

	if (url->scheme == URL_UNIX || !address_parse_ip(host_span(&url->host), &upstream))
		return false;
	for (i = 0; i < house->listen.count; i++)
		if (address_port(&house->listen.at[i]) == url->port && address_is_loopback(&upstream))
			return true;
	return false;
}

static void doubt_upstreams(const struct house_settings *house, const struct site_options *site, struct buffer *out)
{
	struct address address;
	struct url url;
	size_t i;

	for (i = 0; i < site->upstream.count; i++) {
		const char *text = site->upstream.at[i];

		if (url_parse(span_of(text), &url, NULL) != OK)
			continue;
		if (is_own_address(house, &url))
			buffer_printf(out, "site \"%s\": upstream %s is this door itself: requests would go in a circle\n",
				      site->name, text);
		else if (url.scheme == URL_HTTP && address_parse_ip(host_span(&url.host), &address) &&
			 !address_is_loopback(&address))
			buffer_printf(out, "site \"%s\": upstream %s: whoever is on the way there reads and changes what passes, "
				      "and may reach the application without this door\n", site->name, text);
	}
}

static void doubt_house(const struct house_settings *house, struct buffer *out)
{
	long processors = sysconf(_SC_NPROCESSORS_ONLN);
	size_t i;

	for (i = 0; i < house->door.trusted_proxies.count; i++) {
		const char *text = house->door.trusted_proxies.at[i], *slash = strchr(text, '/');

		if (slash && strcmp(slash, "/0") == 0)
			buffer_printf(out, "trusted-proxies: %s is everyone: any client may then say what its address is\n", text);
	}
	if (processors > 0 && house->workers > 2 * (uint64_t)processors)
		buffer_printf(out, "workers = %llu is many for %ld processors; 0 takes one for each\n",
			      (unsigned long long)house->workers, processors);
	if (house->stop_time > SECONDS(STOP_PATIENCE_SECONDS))
		buffer_printf(out, "stop-time: systemd kills a service after %d s unless its TimeoutStopSec says more\n",
			      STOP_PATIENCE_SECONDS);
	if (house->drain_time == 0)
		buffer_add_text(out, "drain-time = 0s: every change that needs new gateways closes all WebSockets at once\n");
}

static void doubt_foreign(const struct foreign_ca_options *foreign, struct buffer *out)
{
	if (!foreign->crl.path)
		buffer_printf(out, "foreign-ca \"%s\": without a crl nothing that it revokes is refused before its certificate "
			      "ends\n", foreign->name);
}

void doubts_write(const struct settings *settings, struct buffer *out)
{
	const struct house_settings *house = settings_house(settings);
	size_t i;

	doubt_house(house, out);
	for (i = 0; i < house->door.site_count; i++) {
		doubt_site_mode(&house->door.sites[i], out);
		doubt_key_file(&house->door.sites[i], out);
		doubt_upstreams(house, &house->door.sites[i], out);
	}
	for (i = 0; i < house->door.foreign_count; i++)
		doubt_foreign(&house->door.foreign[i], out);
}
