/* doctor: what can be seen on the door's own machine: the clock, the application, who renews. */
#include <netdb.h>
#include <stdio.h>
#include <string.h>
#include <sys/timex.h>
#include <time.h>

#include "command/doctor.h"
#include "command/renewal.h"
#include "serve/settings.h"
#include "serve/settings_keys.h"
#include "stream/probe.h"
#include "wire/url.h"

enum { UPSTREAM_LIMIT_MS = 3000, REQUEST_ROOM = 1024 };

void doctor_clock(struct doctor *doctor)
{
	struct timex facts = {.modes = 0};
	int state = adjtimex(&facts);

	if (state < 0)
		return; /* a container that may not ask */
	if (state == TIME_ERROR || (facts.status & STA_UNSYNC))
		doctor_say(doctor, FINDING_DOUBTFUL, "clock",
			   "install systemd-timesyncd or chrony (in a container: on the host); certificates stand and fall with the clock",
			   "nothing keeps this machine's clock right");
	else
		doctor_say(doctor, FINDING_GOOD, "clock", NULL, "kept right by NTP");
}

/* Where an upstream of the config is, for one look. */
static bool find_upstream(const struct url *url, struct address *out, const char **why)
{
	char host[256], port[8], path[128];
	struct addrinfo hints = {.ai_socktype = SOCK_STREAM}, *found;
	int outcome;

	if (url->scheme == URL_UNIX) {
		snprintf(path, sizeof path, "unix:%s", url->path);
		*why = "the path is too long";
		return address_parse(span_of(path), out, NULL) == OK;
	}
	snprintf(host, sizeof host, "%s", url->host.text);
	snprintf(port, sizeof port, "%u", url->port);
	outcome = getaddrinfo(host, port, &hints, &found);
	if (outcome) {
		*why = gai_strerror(outcome);
		return false;
	}
	*out = (struct address){.size = found->ai_addrlen};
	memcpy(&out->in6, found->ai_addr, found->ai_addrlen);
	freeaddrinfo(found);
	return true;
}

static void look_at_upstream(struct doctor *doctor, const char *text)
{
	struct probe_options options = {.limit_ms = UPSTREAM_LIMIT_MS};
	char request[REQUEST_ROOM], host[256];
	const char *why = "";
	struct probe probe;
	struct url url;

	if (url_parse(span_of(text), &url, NULL) != OK)
		return;
	if (!find_upstream(&url, &options.at, &why)) {
		doctor_say(doctor, FINDING_BAD, "application", "is the name right?", "%s: %s", text, why);
		return;
	}
	snprintf(request, sizeof request, "GET / HTTP/1.1\r\nHost: %s\r\nUser-Agent: chatelaine-doctor\r\nConnection: close\r\n\r\n",
		 doctor->site);
	snprintf(host, sizeof host, "%s", url.host.text);
	options.request = request;
	options.server_name = url.scheme == URL_HTTPS ? host : NULL;
	probe_run(&options, &probe);
	if (probe.reached == PROBE_ANSWERED)
		doctor_say(doctor, probe_status(&probe) >= 500 ? FINDING_DOUBTFUL : FINDING_GOOD, "application",
			   probe_status(&probe) >= 500 ? "see the application's own log" : NULL, "%s: answers %u", text,
			   probe_status(&probe));
	else
		doctor_say(doctor, FINDING_BAD, "application", "start it, or mend \"upstream\" in the configuration", "%s: %s", text,
			   probe.why.text);
	probe_release(&probe);
}

void doctor_application(struct doctor *doctor)
{
	struct span rest, line;
	struct buffer doors;
	size_t i;

	for (i = 0; doctor->options && i < doctor->options->upstream.count; i++)
		look_at_upstream(doctor, doctor->options->upstream.at[i]);
	if (!doctor->settings)
		return;
	buffer_init(&doors, 65536);
	settings_side_doors(doctor->settings, &doors);
	rest = buffer_span(&doors);
	while (span_cut(&rest, '\n', &line))
		doctor_say(doctor, FINDING_BAD, "side door", NULL, "%.*s", SPAN_PRINT(line));
	buffer_release(&doors);
}

void doctor_renewal(struct doctor *doctor)
{
	struct buffer advice;

	if (!doctor->options)
		return;
	buffer_init(&advice, 4096);
	if (renewal_is_broken(doctor->options->certificate.path, settings_house(doctor->settings)->acme_folder, &advice)) {
		struct span rest = buffer_span(&advice), why = {0};
		char todo[1024];

		span_cut(&rest, '\n', &why);
		snprintf(todo, sizeof todo, "%.*s", (int)(span_trim(rest).size ? span_trim(rest).size - 1 : 0), span_trim(rest).at);
		doctor_say(doctor, FINDING_BAD, "renewal", todo, "%.*s", SPAN_PRINT(why));
	}
	buffer_release(&advice);
}
