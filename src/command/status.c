#include "command/status.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "bridge/ask.h"
#include "command/asking.h"
#include "command/options.h"
#include "command/serve.h"
#include "command/watching.h"
#include "pki/certificate.h"
#include "pki/crypto_start.h"
#include "serve/foreign_keys.h"
#include "serve/settings.h"
#include "serve/settings_keys.h"

enum { DAY = 86400 };

static bool is_running(const struct invocation *invocation)
{
	char path[4200];
	int fd;

	snprintf(path, sizeof path, "%s/authority.sock", invocation->state);
	if (ask_connect(path, &fd, NULL) != OK)
		return false;
	close(fd);
	return true;
}

static void add_problem(json_t *problems, const char *format, ...) PRINTF_LIKE(2, 3);

static void add_problem(json_t *problems, const char *format, ...)
{
	char text[600];
	va_list args;

	va_start(args, format);
	vsnprintf(text, sizeof text, format, args);
	va_end(args);
	json_array_append_new(problems, json_string(text));
}

static void look_at_certificate(const struct site_options *site, json_t *problems)
{
	struct certificate *certificate = NULL;
	int64_t left;

	if (certificate_parse_pem(site->certificate.bytes, &certificate, NULL) != OK)
		return; /* the config's own check has said it */
	left = certificate_facts(certificate)->not_after - clock_seconds();
	if (left < 0)
		add_problem(problems, "%s: the server certificate %s has expired; browsers refuse it", site->name,
			    site->certificate.path);
	else if (left < 14 * DAY)
		add_problem(problems, "%s: the server certificate %s expires in %lld days", site->name,
			    site->certificate.path, (long long)(left / DAY));
	certificate_free(certificate);
}

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

static void look_at_foreign(const struct settings *settings, json_t *problems, json_t *foreign)
{
	struct span rest, line, name, where;
	struct buffer lines;

	buffer_init(&lines, 1 << 20);
	foreign_keys_warnings(settings, &lines);
	rest = buffer_span(&lines);
	while (span_cut(&rest, '\n', &line))
		add_problem(problems, "%.*s", SPAN_PRINT(line));
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

static void look_at_config(const struct invocation *invocation, json_t *problems, json_t *sites, json_t *open, json_t *foreign,
			   json_t **watch)
{
	const struct door_options *door;
	struct settings *settings = NULL;
	struct buffer side_doors;
	struct span rest, line;
	char path[4200];
	struct error err;
	size_t i;

	config_path(invocation, NULL, path, sizeof path);
	if (settings_load(path, &settings, &err) != OK) {
		add_problem(problems, "%s", err.text);
		return;
	}
	door = settings_door(settings);
	*watch = watching_summary(invocation, door, problems);
	for (i = 0; i < door->site_count; i++) {
		const struct site_options *site = &door->sites[i];

		json_array_append_new(sites, json_pack("{s:s, s:s}", "site", site->name, "upstream", site->upstream.at[0]));
		look_at_certificate(site, problems);
		if (site->allow_file.path && !site->allow_file.bytes.at)
			add_problem(problems, "%s: allow-file %s: %s; nobody enters", site->name, site->allow_file.path,
				    site->allow_file.trouble ? site->allow_file.trouble : "cannot be read");
	}
	buffer_init(&side_doors, 65536);
	settings_side_doors(settings, &side_doors);
	rest = buffer_span(&side_doors);
	while (span_cut(&rest, '\n', &line))
		add_problem(problems, "side door: %.*s", SPAN_PRINT(line));
	buffer_release(&side_doors);
	look_at_holes(settings, open);
	look_at_foreign(settings, problems, foreign);
	settings_free(settings);
}

static void look_at_authority(const json_t *answer, json_t *problems)
{
	int64_t left = asking_number(answer, "issuing_not_after") - clock_seconds();
	json_t *row;
	size_t i;

	json_array_foreach(json_object_get(answer, "rows_refused"), i, row)
		add_problem(problems, "registry: %s", json_string_value(row));
	if (left < 180 * DAY)
		add_problem(problems, "the issuing certificate ends in %lld days", (long long)(left / DAY));
}

static void print_status(const json_t *answer)
{
	json_t *entry;
	size_t i;

	json_array_foreach(json_object_get(answer, "problems"), i, entry)
		printf("PROBLEM       %s\n", json_string_value(entry));
	printf("running       %s\n", json_is_true(json_object_get(answer, "running")) ? "yes" : "no");
	json_array_foreach(json_object_get(answer, "sites"), i, entry)
		printf("site          %s -> %s\n", asking_text(entry, "site"), asking_text(entry, "upstream"));
	json_array_foreach(json_object_get(answer, "open"), i, entry)
		printf("open to all   %s\n", json_string_value(entry));
	json_array_foreach(json_object_get(answer, "foreign_cas"), i, entry)
		printf("foreign CA    %s at %s: %s\n", asking_text(entry, "foreign_ca"), asking_text(entry, "sites"),
		       asking_text(entry, "facts"));
	printf("people        %lld\ndevices       %lld\ncertificates  %lld\n", (long long)asking_number(answer, "people"),
	       (long long)asking_number(answer, "devices"), (long long)asking_number(answer, "certificates"));
	printf("gateways      %lld\n", (long long)(json_is_array(json_object_get(answer, "gateways"))
							   ? (json_int_t)json_array_size(json_object_get(answer, "gateways"))
							   : asking_number(answer, "gateways")));
	printf("audit         %lld records, head %s\n", (long long)asking_number(answer, "audit_records"),
	       asking_text(answer, "audit_head"));
	printf("trust domain  %s\n", asking_text(answer, "site_trust_domain"));
}

int command_status(struct invocation *invocation)
{
	json_t *answer, *problems, *sites, *open, *foreign, *watch = NULL;
	struct error err;
	bool running;
	int outcome;

	if (options_parse(NULL, 0, &invocation->argc, invocation->argv, &err) != OK)
		return command_usage(invocation, "%s", err.text);
	if (crypto_start(&err) != OK)
		return command_fail(invocation, &err);
	running = is_running(invocation);
	outcome = asking(invocation, "status", json_object(), &answer);
	if (outcome != EXIT_DONE)
		return outcome;
	problems = json_array();
	sites = json_array();
	open = json_array();
	foreign = json_array();
	look_at_config(invocation, problems, sites, open, foreign, &watch);
	look_at_authority(answer, problems);
	json_object_set_new(answer, "running", json_boolean(running));
	json_object_set_new(answer, "sites", sites);
	json_object_set_new(answer, "open", open);
	json_object_set_new(answer, "foreign_cas", foreign);
	json_object_set_new(answer, "problems", problems);
	if (watch)
		json_object_set_new(answer, "watch", watch);
	if (invocation->json)
		return asking_print_json(answer);
	print_status(answer);
	json_decref(answer);
	return EXIT_DONE;
}
