/* doctor: what can be seen from anywhere: the name, who ends TLS at its addresses, port 80. */
#include <ifaddrs.h>
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "access/policy.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/file.h"
#include "base/random.h"
#include "command/doctor.h"
#include "serve/settings.h"
#include "serve/settings_keys.h"
#include "stream/probe.h"
#include "wire/host_name.h"

enum { REQUEST_ROOM = 1024, TOKEN_BYTES = 12, DAY = 86400 };

/* The name ------------------------------------------------------------------------ */

static bool is_of_this_machine(const struct address *address)
{
	struct ifaddrs *all, *each;
	bool is_ours = address_is_loopback(address);

	if (getifaddrs(&all))
		return is_ours;
	for (each = all; each && !is_ours; each = each->ifa_next) {
		struct address other = {.size = sizeof(struct sockaddr_in6)};

		if (!each->ifa_addr || each->ifa_addr->sa_family != address->any.sa_family)
			continue;
		memcpy(&other.in6, each->ifa_addr,
		       each->ifa_addr->sa_family == AF_INET ? sizeof other.in : sizeof other.in6);
		is_ours = address_is_same_host(address, &other);
	}
	freeifaddrs(all);
	return is_ours;
}

static void keep_address(struct doctor *doctor, const struct sockaddr *found, socklen_t size)
{
	struct address address = {.size = size};
	size_t i;

	if (size > sizeof address.in6 || doctor->count == DOCTOR_ADDRESSES)
		return;
	memcpy(&address.in6, found, size);
	address_set_port(&address, doctor->port);
	for (i = 0; i < doctor->count; i++)
		if (address_is_same_host(&doctor->addresses[i], &address))
			return;
	doctor->addresses[doctor->count++] = address;
}

void doctor_names(struct doctor *doctor)
{
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found = NULL, *each;
	char text[ADDRESS_TEXT_SIZE], all[400] = "";
	unsigned away = 0;
	size_t i;
	int outcome = getaddrinfo(doctor->site, NULL, &hints, &found);

	for (each = outcome ? NULL : found; each; each = each->ai_next)
		keep_address(doctor, each->ai_addr, each->ai_addrlen);
	if (!outcome)
		freeaddrinfo(found);
	if (!doctor->count) {
		doctor_say(doctor, FINDING_BAD, "name",
			   "make an A record (and AAAA, if the machine has IPv6) that leads to the door's public address",
			   "%s has no address: %s", doctor->site, outcome ? gai_strerror(outcome) : "none was found");
		return;
	}
	for (i = 0; i < doctor->count; i++) {
		address_ip_text(&doctor->addresses[i], text);
		snprintf(all + strlen(all), sizeof all - strlen(all), "%s%s", i ? ", " : "", text);
		away += !is_of_this_machine(&doctor->addresses[i]);
	}
	doctor_say(doctor, FINDING_GOOD, "name", NULL, "leads to %s%s", all,
		   away && doctor->options ? " (not all of it this machine's own: through a router, a balancer or a proxy)" : "");
}

/* Who ends TLS --------------------------------------------------------------------- */

static const struct ender {
	const char *field, *value; /* value NULL: the field is enough */
	const char *name, *todo;
} enders[] = {
	{"cf-ray", NULL, "Cloudflare", "in Cloudflare's DNS settings switch the proxy off for this name (\"DNS only\", the grey cloud)"},
	{"server", "cloudflare", "Cloudflare", "in Cloudflare's DNS settings switch the proxy off for this name (\"DNS only\", the grey cloud)"},
	{"x-amz-cf-id", NULL, "Amazon CloudFront", "let the name lead to the door itself, not to the distribution"},
	{"x-served-by", NULL, "Fastly or another cache", "let the name lead to the door itself, not to the cache"},
	{"x-azure-ref", NULL, "Azure Front Door", "let the name lead to the door itself"},
	{"server", "AkamaiGHost", "Akamai", "let the name lead to the door itself"},
	{"server", "awselb/2.0", "an Amazon load balancer", "use a network load balancer (TCP) in its place"},
};

static void say_who_ends_it(struct doctor *doctor, const char *where, const struct probe *probe)
{
	const struct certificate_facts *facts = certificate_facts(probe->chain.at[0]);
	struct span server = probe_field(probe, "server");
	size_t i;

	for (i = 0; i < sizeof enders / sizeof *enders; i++) {
		struct span value = probe_field(probe, enders[i].field);

		if (value.size && (!enders[i].value || span_is_nocase(value, enders[i].value))) {
			doctor_say(doctor, FINDING_BAD, "TLS", enders[i].todo,
				   "%s: %s ends TLS here: no client certificate ever reaches the door", where, enders[i].name);
			return;
		}
	}
	doctor_say(doctor, FINDING_BAD, "TLS",
		   "let it pass TLS through untouched (nginx: a stream block; a balancer: TCP mode), or let the name lead to the door",
		   "%s: another server ends TLS here (%.*s, certificate of %s by %s): no client certificate ever reaches the door",
		   where, (int)(server.size < 60 ? server.size : 60), server.size ? server.at : "", facts->subject, facts->issuer);
}

static void judge_certificate(struct doctor *doctor, const char *where, const struct probe *probe)
{
	const struct certificate_facts *facts = certificate_facts(probe->chain.at[0]);
	int64_t left = facts->not_after - clock_seconds();

	if (!certificate_covers_host(probe->chain.at[0], span_of(doctor->site)))
		doctor_say(doctor, FINDING_BAD, "certificate", "get one for this name: chatelaine acme", "%s: it is not for %s but for %s",
			   where, doctor->site, facts->subject);
	if (!probe->is_trusted && left < 0)
		doctor_say(doctor, FINDING_BAD, "certificate", "renew it: chatelaine acme, or certbot renew", "%s: it has expired", where);
	else if (!probe->is_trusted)
		doctor_say(doctor, doctor->root ? FINDING_BAD : FINDING_DOUBTFUL, "certificate",
			   probe->chain.count == 1 ? "give the file with the whole chain: certbot's is fullchain.pem, not cert.pem"
						   : "browsers will say the same; get one from a public authority: chatelaine acme",
			   "%s: nobody trusts it: %s", where, probe->distrust.text);
	else if (probe->is_trusted_by_root && !probe->distrust.text[0])
		doctor_say(doctor, FINDING_GOOD, "certificate", NULL, "%s: trusted, %lld days left", where, (long long)(left / DAY));
	else if (probe->is_trusted_by_root)
		doctor_say(doctor, FINDING_DOUBTFUL, "certificate",
			   "fine for devices that you gave the root to (chatelaine ca cert); others warn. A public one: chatelaine acme",
			   "%s: made by the house itself, %lld days left", where, (long long)(left / DAY));
	else
		doctor_say(doctor, left < 14 * DAY ? FINDING_DOUBTFUL : FINDING_GOOD, "certificate",
			   left < 14 * DAY ? "see why it was not renewed" : NULL, "%s: publicly trusted, %lld days left", where,
			   (long long)(left / DAY));
}

static bool is_the_configured_one(const struct doctor *doctor, const struct probe *probe)
{
	return doctor->configured && span_equals(certificate_der(doctor->configured), certificate_der(probe->chain.at[0]));
}

static void judge_tls(struct doctor *doctor, const char *where, const struct probe *probe)
{
	bool must_ask = doctor->root && doctor->options && doctor->options->no_certificate != NO_CERTIFICATE_ALLOW;

	if (!probe->chain.count) {
		doctor_say(doctor, FINDING_BAD, "TLS", NULL, "%s: it shows no certificate that could be read", where);
		return;
	}
	if (probe->asks_for_root || (doctor->options && !must_ask && is_the_configured_one(doctor, probe)))
		doctor_say(doctor, FINDING_GOOD, "TLS", NULL, "%s: the door itself, %s%s%s", where, probe->protocol,
			   probe->alpn[0] ? ", " : "", probe->alpn);
	else if (!doctor->root && probe->asks)
		doctor_say(doctor, FINDING_GOOD, "TLS", NULL, "%s: asks for a client certificate, %s", where, probe->protocol);
	else if (is_the_configured_one(doctor, probe))
		doctor_say(doctor, FINDING_BAD, "TLS", "find it (ss -ltnp; a balancer in front) and let it pass TLS through",
			   "%s: a server with a copy of our certificate ends TLS here and asks for no client certificate of ours", where);
	else
		say_who_ends_it(doctor, where, probe);
	judge_certificate(doctor, where, probe);
}

static void judge_silence(struct doctor *doctor, const struct address *at, const char *where, const struct probe *probe)
{
	bool is_v6 = at->any.sa_family == AF_INET6;

	if (is_of_this_machine(at))
		doctor_say(doctor, FINDING_BAD, "door", is_v6 ? "listen on [::] as well, or take the AAAA record away; phones try IPv6 first"
							    : "is it running? chatelaine serve; and does it listen on this address?",
			   "%s: %s", where, probe->why.text);
	else if (is_v6)
		doctor_say(doctor, FINDING_BAD, "door", "mend IPv6 on the way, or take the AAAA record away; phones try IPv6 first",
			   "%s: %s", where, probe->why.text);
	else
		doctor_say(doctor, doctor->options ? FINDING_DOUBTFUL : FINDING_BAD, "door",
			   "open the port in the firewall and the router; many routers do not lead back inside, so ask from a phone too",
			   "%s: %s", where, probe->why.text);
}

void doctor_door(struct doctor *doctor)
{
	char request[REQUEST_ROOM], where[ADDRESS_TEXT_SIZE];
	size_t i;

	snprintf(request, sizeof request,
		 "GET / HTTP/1.1\r\nHost: %s\r\nUser-Agent: chatelaine-doctor\r\nAccept: application/json\r\nConnection: close\r\n\r\n",
		 doctor->site);
	for (i = 0; i < doctor->count; i++) {
		struct probe_options options = {.at = doctor->addresses[i], .server_name = doctor->site, .request = request,
						.limit_ms = DOCTOR_LIMIT_MS, .root = doctor->root};
		struct probe probe;

		address_text(&doctor->addresses[i], where);
		probe_run(&options, &probe);
		if (probe.reached == PROBE_NOTHING)
			judge_silence(doctor, &doctor->addresses[i], where, &probe);
		else if (probe.reached == PROBE_CONNECTED)
			doctor_say(doctor, FINDING_BAD, "TLS", "see what listens there: ss -ltnp", "%s: no TLS: %s", where, probe.why.text);
		else
			judge_tls(doctor, where, &probe);
		probe_release(&probe);
	}
}

/* Port 80 ---------------------------------------------------------------------------- */

static bool write_answer(const struct doctor *doctor, char *path, size_t size, const char *token)
{
	const char *folder = doctor->settings ? settings_house(doctor->settings)->acme_folder : NULL;

	if (!folder)
		return false;
	snprintf(path, size, "%s/.well-known/acme-challenge/%s", folder, token);
	return file_save_new(path, 0644, span_of(token), NULL) == OK;
}

static void judge_port_80(struct doctor *doctor, const char *where, const struct probe *probe, bool wants_answer,
			  const char *token)
{
	struct span location = probe_field(probe, "location"), server = probe_field(probe, "server");
	bool is_shown = memmem(buffer_text(&probe->answer), probe->answer.size, token, strlen(token)) && probe_status(probe) == 200;

	if (probe->reached == PROBE_NOTHING)
		doctor_say(doctor, FINDING_DOUBTFUL, "port 80",
			   "listen-http = {\"0.0.0.0:80\", \"[::]:80\"} sends browsers to https and lets certificates be renewed",
			   "%s: %s", where, probe->why.text);
	else if (wants_answer && !is_shown)
		doctor_say(doctor, FINDING_BAD, "port 80", "acme-folder is not shown there, so no certificate can be renewed by HTTP; see who answers",
			   "%s: answered %u%s%.*s, and not what lies in acme-folder", where, probe_status(probe), server.size ? " by " : "",
			   (int)(server.size < 60 ? server.size : 60), server.size ? server.at : "");
	else if (wants_answer)
		doctor_say(doctor, FINDING_GOOD, "port 80", NULL, "%s: shows what lies in acme-folder", where);
	else if (location.size > 8 && span_starts(location, "https://"))
		doctor_say(doctor, FINDING_GOOD, "port 80", NULL, "%s: points to https", where);
	else
		doctor_say(doctor, FINDING_DOUBTFUL, "port 80", "whoever types the name without https:// ends there",
			   "%s: answers %u%s%.*s and does not point to https", where, probe_status(probe), server.size ? " by " : "",
			   (int)(server.size < 60 ? server.size : 60), server.size ? server.at : "");
}

void doctor_port_80(struct doctor *doctor)
{
	char request[REQUEST_ROOM], where[ADDRESS_TEXT_SIZE], path[4400], token[2 * TOKEN_BYTES + 1];
	const struct house_settings *house = doctor->settings ? settings_house(doctor->settings) : NULL;
	uint16_t port = house && house->listen_http.count ? address_port(&house->listen_http.at[0]) : 80;
	uint8_t random[TOKEN_BYTES];
	bool wants_answer;
	size_t i;

	random_bytes(random, sizeof random);
	hex_write(random, sizeof random, token);
	wants_answer = write_answer(doctor, path, sizeof path, token);
	for (i = 0; i < doctor->count; i++) {
		struct probe_options options = {.at = doctor->addresses[i], .limit_ms = DOCTOR_LIMIT_MS, .request = request};
		struct probe probe;

		address_set_port(&options.at, port);
		snprintf(request, sizeof request, "GET %s%s HTTP/1.1\r\nHost: %s\r\nUser-Agent: chatelaine-doctor\r\nConnection: close\r\n\r\n",
			 wants_answer ? "/.well-known/acme-challenge/" : "/", wants_answer ? token : "", doctor->site);
		address_text(&options.at, where);
		probe_run(&options, &probe);
		judge_port_80(doctor, where, &probe, wants_answer, token);
		probe_release(&probe);
	}
	if (wants_answer)
		unlink(path);
}
