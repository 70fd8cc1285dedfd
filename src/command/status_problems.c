#include "command/status_problems.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/statvfs.h>

#include "base/clock.h"
#include "command/asking.h"
#include "command/watching.h"
#include "pki/certificate.h"
#include "serve/foreign_keys.h"
#include "serve/settings.h"
#include "serve/settings_keys.h"
#include "stream/tls_context.h"

enum { MINUTE = 60, HOUR = 3600, DAY = 86400, PROBLEMS_MOST = 1000, ENDING_SHOWN = 5, RECENTLY = HOUR };

void problems_add(struct problems *problems, enum problem_level level, const char *format, ...)
{
	char text[900];
	va_list args;
	json_t *kept;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	if (!problems->at)
		problems->at = calloc(PROBLEMS_MOST, sizeof *problems->at);
	kept = json_string(text);
	if (!kept)
		kept = json_string("something is wrong whose name is no text; see the log");
	if (!problems->at || problems->count == PROBLEMS_MOST) {
		json_decref(kept);
		return;
	}
	problems->at[problems->count].level = level;
	problems->at[problems->count++].text = kept;
}

void problems_sort(struct problems *problems)
{
	size_t i, j;

	/* By insertion: in order within a level, and there are few. */
	for (i = 1; i < problems->count; i++)
		for (j = i; j > 0 && problems->at[j - 1].level < problems->at[j].level; j--) {
			enum problem_level level = problems->at[j].level;
			json_t *text = problems->at[j].text;

			problems->at[j] = problems->at[j - 1];
			problems->at[j - 1].level = level;
			problems->at[j - 1].text = text;
		}
}

enum problem_level problems_worst(const struct problems *problems)
{
	enum problem_level worst = PROBLEM_NOTICE;
	size_t i;

	for (i = 0; i < problems->count; i++)
		if (problems->at[i].level > worst)
			worst = problems->at[i].level;
	return worst;
}

void problems_release(struct problems *problems)
{
	size_t i;

	for (i = 0; i < problems->count; i++)
		json_decref(problems->at[i].text);
	free(problems->at);
	*problems = (struct problems){.count = 0};
}

/* "3 days", "5 hours": what is left. */
static const char *span_text(int64_t seconds)
{
	static char text[32];

	if (seconds >= 2 * DAY)
		snprintf(text, sizeof text, "%lld days", (long long)(seconds / DAY));
	else if (seconds >= 2 * HOUR)
		snprintf(text, sizeof text, "%lld hours", (long long)(seconds / HOUR));
	else
		snprintf(text, sizeof text, "%lld minutes", (long long)(seconds / MINUTE));
	return text;
}

/* Configuration --------------------------------------------------------------- */

static void look_at_dates(const struct site_options *site, const struct value_file *file, struct problems *out)
{
	const struct certificate_facts *facts;
	struct certificate *certificate = NULL;
	int64_t left, notice = 30 * DAY;

	if (certificate_parse_pem(file->bytes, &certificate, NULL) != OK)
		return; /* said by look_at_credentials */
	facts = certificate_facts(certificate);
	left = facts->not_after - clock_seconds();
	/* What is renewed when a third of its life is left must not be said each time. */
	if ((facts->not_after - facts->not_before) / 4 < notice)
		notice = (facts->not_after - facts->not_before) / 4;
	if (left < 0)
		problems_add(out, PROBLEM_CRITICAL, "%s: the server certificate %s has expired; browsers refuse it: renew it now",
			     site->name, file->path);
	else if (left < 7 * DAY)
		problems_add(out, left < DAY ? PROBLEM_CRITICAL : PROBLEM_WARNING,
			     "%s: the server certificate %s expires in %s, and nothing has renewed it: see what should "
			     "(certbot renew, or \"chatelaine acme\")", site->name, file->path, span_text(left));
	else if (left < notice)
		problems_add(out, PROBLEM_NOTICE, "%s: the server certificate %s expires in %s; it should have been renewed by now",
			     site->name, file->path, span_text(left));
	if (facts->not_before > clock_seconds() + HOUR)
		problems_add(out, PROBLEM_CRITICAL, "%s: the server certificate %s is not valid yet: is this machine's clock right?",
			     site->name, file->path);
	certificate_free(certificate);
}

static void look_at_credentials(const struct site_options *site, const struct value_file *file,
				const struct value_file *key, struct problems *out)
{
	struct tls_credentials *credentials = NULL;
	struct error err;

	if (tls_credentials_load(file->bytes, key->bytes, &credentials, &err) != OK)
		problems_add(out, PROBLEM_CRITICAL, "%s: certificate %s, key %s: %s; the ones before are in use while chatelaine "
			     "runs", site->name, file->path, key->path, err.text);
	else if (!tls_credentials_cover(credentials, span_of(site->name)))
		problems_add(out, PROBLEM_CRITICAL, "%s: the certificate in %s is not for that name; get one that is", site->name,
			     file->path);
	tls_credentials_free(credentials);
}

static void look_at_pair(const struct site_options *site, const struct value_file *file, const struct value_file *key,
			 struct problems *out)
{
	if (!file->path)
		return;
	look_at_credentials(site, file, key, out);
	look_at_dates(site, file, out);
}

/* Wanted, but to be seen each time: whoever comes by these needs no certificate. */
static void look_at_holes(const struct settings *settings, json_t *open)
{
	struct buffer holes;
	struct span rest, line;

	buffer_init(&holes, 65536);
	settings_holes(settings, &holes);
	rest = buffer_span(&holes);
	while (span_cut(&rest, '\n', &line))
		if (line.size > 0)
			json_array_append_new(open, json_stringn(line.at, line.size));
	buffer_release(&holes);
}

static void look_at_foreign(const struct settings *settings, json_t *foreign, struct problems *out)
{
	struct span rest, line, name, where;
	struct buffer lines;

	buffer_init(&lines, 1 << 20);
	foreign_keys_warnings(settings, &lines);
	rest = buffer_span(&lines);
	while (span_cut(&rest, '\n', &line))
		problems_add(out, PROBLEM_WARNING, "%.*s", SPAN_PRINT(line));
	buffer_clear(&lines);
	foreign_keys_describe(settings, &lines);
	rest = buffer_span(&lines);
	while (span_cut(&rest, '\n', &line))
		if (span_cut(&line, '\t', &name) && span_cut(&line, '\t', &where))
			json_array_append_new(foreign, json_pack("{s:s%, s:s%, s:s%}", "foreign_ca", name.at, name.size,
								 "sites", where.at, where.size, "facts", line.at,
								 line.size));
	buffer_release(&lines);
}

static void look_at_side_doors(const struct settings *settings, struct problems *out)
{
	struct buffer lines;
	struct span rest, line;

	buffer_init(&lines, 65536);
	settings_side_doors(settings, &lines);
	rest = buffer_span(&lines);
	while (span_cut(&rest, '\n', &line))
		problems_add(out, PROBLEM_WARNING, "side door: %.*s", SPAN_PRINT(line));
	buffer_release(&lines);
}

/* Is what stands on the disk what the gateways work by? */
static void look_at_digest(const struct settings *settings, const char *path, const json_t *house, struct problems *out)
{
	const json_t *running = json_object_get(house, "configurations");
	bool has_failed = asking_number(house, "reload_failed") != 0;
	char digest[17];

	if (json_object_size(running) == 0)
		return;
	snprintf(digest, sizeof digest, "%016llx", (unsigned long long)settings_digest(settings));
	if (!json_object_get(running, digest))
		problems_add(out, PROBLEM_WARNING, "%s, or a file that it names, is not what the running chatelaine works by%s", path,
			     has_failed ? ": the last change was refused; the log says why, and \"chatelaine config check\" may"
					: "; it should follow within seconds, else: chatelaine config reload");
	else if (has_failed)
		problems_add(out, PROBLEM_WARNING, "the last change of the configuration was refused; the log says why, and "
			     "\"chatelaine config reload\" tries again");
}

static void look_at_disk(const char *path, const char *what, struct problems *out)
{
	struct statvfs facts;
	unsigned long long left;

	if (statvfs(path, &facts) || facts.f_blocks == 0)
		return;
	left = 1000ULL * facts.f_bavail / facts.f_blocks;
	if (left < 50)
		problems_add(out, left < 10 ? PROBLEM_CRITICAL : PROBLEM_WARNING,
			     "the disk of %s (%s) has %llu MB left, %llu.%llu %%: make room; %s", path, what,
			     (unsigned long long)facts.f_bavail * facts.f_frsize >> 20, left / 10, left % 10,
			     strcmp(what, "state") == 0 ? "without it no device can be added or revoked for good"
						       : "lines that find none are lost");
	else if (facts.f_files && facts.f_favail * 100 / facts.f_files < 2)
		problems_add(out, PROBLEM_WARNING, "the disk of %s (%s) has hardly any inodes left: remove small files", path, what);
}

static void look_at_log(const struct house_settings *house, struct problems *out)
{
	char folder[4096];
	char *slash;

	if (!house->access_log.path)
		return;
	snprintf(folder, sizeof folder, "%s", house->access_log.path);
	slash = strrchr(folder, '/');
	if (slash)
		slash[slash == folder] = 0;
	look_at_disk(folder, "access log", out);
}

static void take_texts(json_t *texts, struct problems *out)
{
	json_t *text;
	size_t i;

	json_array_foreach(texts, i, text)
		problems_add(out, PROBLEM_NOTICE, "%s", json_string_value(text));
	json_decref(texts);
}

static void look_at_config(const struct invocation *invocation, const char *path, json_t *answer, struct problems *out)
{
	json_t *sites = json_array(), *open = json_array(), *foreign = json_array(), *texts = json_array(), *watch;
	const struct door_options *door;
	struct settings *settings = NULL;
	struct error err;
	size_t i;

	json_object_set_new(answer, "sites", sites);
	json_object_set_new(answer, "open", open);
	json_object_set_new(answer, "foreign_cas", foreign);
	if (settings_load(path, &settings, &err) != OK) {
		problems_add(out, PROBLEM_WARNING, "%s", err.text);
		json_decref(texts);
		return;
	}
	door = settings_door(settings);
	watch = watching_summary(invocation, door, texts);
	if (watch)
		json_object_set_new(answer, "watch", watch);
	take_texts(texts, out);
	for (i = 0; i < door->site_count; i++) {
		const struct site_options *site = &door->sites[i];

		json_array_append_new(sites, json_pack("{s:s, s:s, s:i}", "site", site->name, "upstream", site->upstream.at[0],
						       "upstreams", (int)site->upstream.count));
		look_at_pair(site, &site->certificate.first, &site->key.first, out);
		look_at_pair(site, &site->certificate.second, &site->key.second, out);
		if (site->allow_file.path && !site->allow_file.bytes.at)
			problems_add(out, PROBLEM_CRITICAL, "%s: allow-file %s: %s; nobody enters", site->name,
				     site->allow_file.path,
				     site->allow_file.trouble ? site->allow_file.trouble : "cannot be read");
	}
	look_at_side_doors(settings, out);
	look_at_holes(settings, open);
	look_at_foreign(settings, foreign, out);
	look_at_digest(settings, path, json_object_get(answer, "house"), out);
	look_at_log(settings_house(settings), out);
	settings_free(settings);
}

/* The authority's answer --------------------------------------------------------- */

static void look_at_ending(const json_t *list, struct problems *out)
{
	int64_t now = clock_seconds();
	json_t *device;
	size_t i;

	json_array_foreach(list, i, device) {
		if (i == ENDING_SHOWN)
			break;
		problems_add(out, PROBLEM_WARNING, "%s/%s: its certificate ends in %s and nothing has renewed it: revoke the device "
			     "and add it anew, or let it end", asking_text(device, "person"), asking_text(device, "label"),
			     span_text(asking_number(device, "not_after") - now));
	}
	if (json_array_size(list) > ENDING_SHOWN)
		problems_add(out, PROBLEM_WARNING, "%zu more devices' certificates end within two weeks: chatelaine device list",
			     json_array_size(list) - ENDING_SHOWN);
}

static void look_at_house(const json_t *answer, struct problems *out)
{
	const json_t *house = json_object_get(answer, "house"), *log = json_object_get(answer, "log");
	int64_t ago = clock_seconds() - asking_number(house, "restarted_at");
	int64_t dropped = asking_number(log, "dropped_recent") + asking_number(log, "access_dropped_recent");

	if (asking_number(house, "restarted_at") && ago < RECENTLY)
		problems_add(out, PROBLEM_WARNING, "a part ended unasked %s ago and was started again (since the start: gateways %lld "
			     "times, the authority %lld times); the log says event=ended, and why", span_text(ago > 0 ? ago : 0),
			     (long long)asking_number(house, "gateways_restarted"),
			     (long long)asking_number(house, "authority_restarted"));
	if (dropped)
		problems_add(out, PROBLEM_WARNING, "%lld log lines found no room in the last minutes: is the log's disk full, or its "
			     "reader slow?", (long long)dropped);
}

static void look_at_upstreams(const json_t *answer, struct problems *out)
{
	json_t *figures, *site;
	size_t i, j;

	json_array_foreach(json_object_get(answer, "site_figures"), i, figures) {
		int64_t down = asking_number(figures, "upstreams_down");

		json_array_foreach(json_object_get(answer, "sites"), j, site) {
			if (!down || strcmp(asking_text(site, "site"), asking_text(figures, "site")) != 0)
				continue;
			if (down >= asking_number(site, "upstreams"))
				problems_add(out, PROBLEM_CRITICAL, "%s: the application at %s does not answer; is it running?",
					     asking_text(site, "site"), asking_text(site, "upstream"));
			else
				problems_add(out, PROBLEM_WARNING, "%s: %lld of the application's %lld servers do not answer; the log "
					     "says which (event=upstream)", asking_text(site, "site"), (long long)down,
					     (long long)asking_number(site, "upstreams"));
		}
	}
}

static void look_at_authority(const json_t *answer, struct problems *out)
{
	int64_t now = clock_seconds(), left = asking_number(answer, "issuing_not_after") - now;
	int64_t ahead = asking_number(answer, "newest_record") - now;
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(answer, "rows_refused"), i, row)
		problems_add(out, PROBLEM_CRITICAL, "registry: %s", json_string_value(row));
	if (left < 180 * DAY)
		problems_add(out, left < 30 * DAY ? PROBLEM_CRITICAL : PROBLEM_WARNING,
			     "the issuing certificate ends in %s, and no next one is there; no device's certificate outlives it",
			     span_text(left > 0 ? left : 0));
	if (asking_number(answer, "root_not_after") < now + 365 * (int64_t)DAY)
		problems_add(out, PROBLEM_WARNING, "the house's root certificate ends in %s",
			     span_text(asking_number(answer, "root_not_after") - now));
	if (ahead > HOUR)
		problems_add(out, PROBLEM_CRITICAL, "this machine's clock is %s behind the newest record of the registry: certificates "
			     "are judged by it; set it right (timedatectl)", span_text(ahead));
	look_at_ending(json_object_get(answer, "ending"), out);
	look_at_house(answer, out);
}

void problems_find(const struct invocation *invocation, const char *config, bool is_running, json_t *answer,
		   struct problems *out)
{
	*out = (struct problems){.count = 0};
	if (!is_running)
		problems_add(out, PROBLEM_CRITICAL, "chatelaine is not running: nobody gets in; start it with \"chatelaine serve\", or "
			     "see why its service has ended");
	look_at_config(invocation, config, answer, out);
	look_at_authority(answer, out);
	look_at_upstreams(answer, out);
	look_at_disk(invocation->state, "state", out);
	problems_sort(out);
}
