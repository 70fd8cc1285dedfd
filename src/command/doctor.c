#include "command/doctor.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"
#include "command/asking.h"
#include "command/command.h"
#include "command/options.h"
#include "command/serve.h"
#include "pki/certificate.h"
#include "pki/crypto_start.h"
#include "serve/settings.h"
#include "serve/settings_keys.h"
#include "wire/host_name.h"

enum { PATH_ROOM = 4200, TEXT_ROOM = 700 };

static const struct {
	const char *name, *mark;
} grades[] = {[FINDING_GOOD] = {"good", "ok  "}, [FINDING_DOUBTFUL] = {"doubtful", "look"}, [FINDING_BAD] = {"bad", "BAD "}};

/* What a stranger's server says of itself must not steer a terminal. */
static void make_printable(char *text)
{
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || (unsigned char)*text >= 0x7f)
			*text = '?';
}

void doctor_say(struct doctor *doctor, enum finding finding, const char *about, const char *todo, const char *text, ...)
{
	char room[TEXT_ROOM];
	va_list args;
	json_t *row;

	va_start(args, text);
	vsnprintf(room, sizeof room, text, args);
	va_end(args);
	make_printable(room);
	doctor->bad += finding == FINDING_BAD;
	doctor->doubtful += finding == FINDING_DOUBTFUL;
	row = json_pack("{s:s, s:s, s:s}", "about", about, "finding", grades[finding].name, "text", room);
	if (!row) /* not UTF-8 */
		row = json_pack("{s:s, s:s, s:s}", "about", about, "finding", grades[finding].name, "text", "(unprintable)");
	if (todo)
		json_object_set_new(row, "todo", json_string(todo));
	json_array_append_new(doctor->findings, row);
}

/* What is known here of the site; without a configuration there is only the outside. */
static struct settings *open_house(struct doctor *doctor, const char *path)
{
	struct settings *settings = NULL;
	const struct door_options *door;
	struct certificate_list issuers;
	struct buffer pem;
	char root[PATH_ROOM + 16];
	struct error err;
	size_t i;

	if (access(path, F_OK)) {
		doctor_say(doctor, FINDING_DOUBTFUL, "config", "run this on the door's machine as well; it knows more there",
			   "there is no %s here, so this is a look from outside alone", path);
		return NULL;
	}
	if (settings_load(path, &settings, &err) != OK) {
		doctor_say(doctor, FINDING_BAD, "config", "mend it, and prove it by \"chatelaine config check\"", "%s", err.text);
		return NULL;
	}
	doctor->settings = settings;
	doctor->port = settings_https_port(settings);
	door = settings_door(settings);
	for (i = 0; i < door->site_count; i++)
		if (strcasecmp(door->sites[i].name, doctor->site) == 0)
			doctor->options = &door->sites[i];
	if (!doctor->options)
		doctor_say(doctor, FINDING_BAD, "config", "add a site block for it, or ask for a site that is there",
			   "%s has no site \"%s\"", path, doctor->site);
	else if (certificate_parse_pem(doctor->options->certificate.bytes, &doctor->configured, NULL) == OK)
		doctor_say(doctor, FINDING_GOOD, "config", NULL, "%s is readable and knows the site", path);
	snprintf(root, sizeof root, "%s/root.pem", settings_house(settings)->state);
	buffer_init(&pem, 65536);
	if (file_load(root, &pem, NULL) == OK && certificate_list_parse(buffer_span(&pem), 8, &issuers, NULL) == OK) {
		(void)!certificate_parse_der(certificate_der(issuers.at[0]), &doctor->root, NULL);
		certificate_list_release(&issuers);
	}
	buffer_release(&pem);
	return settings;
}

static void print(const struct doctor *doctor)
{
	json_t *row;
	size_t i;

	printf("%s\n", doctor->site);
	json_array_foreach(doctor->findings, i, row) {
		const char *todo = asking_text(row, "todo");
		unsigned grade = 0;

		while (strcmp(grades[grade].name, asking_text(row, "finding")) != 0)
			grade++;
		printf("  %s  %-12s  %s\n", grades[grade].mark, asking_text(row, "about"), asking_text(row, "text"));
		if (*todo)
			printf("        %-12s  -> %s\n", "", todo);
	}
	if (doctor->bad || doctor->doubtful)
		printf("\n%u bad, %u to look at.\n", doctor->bad, doctor->doubtful);
	else
		puts("\nNothing wrong was found.");
}

int command_doctor(struct invocation *invocation)
{
	static void (*const looks[])(struct doctor *) = {doctor_names, doctor_door, doctor_port_80, doctor_clock,
							 doctor_application, doctor_renewal};
	struct doctor doctor = {.port = 443};
	struct settings *settings;
	const char *config = NULL;
	const struct option_row rows[] = {{"config", &config, NULL}};
	struct host_name name;
	char path[PATH_ROOM];
	struct error err;
	size_t i;

	if (options_parse(rows, 1, &invocation->argc, invocation->argv, &err) != OK)
		return command_usage(invocation, "%s", err.text);
	if (invocation->argc != 1)
		return command_usage(invocation, "one SITE is needed: the name or IP address that browsers use");
	if (host_fold(span_of(invocation->argv[0]), &name, &err) != OK) {
		error_context(&err, "SITE \"%s\"", invocation->argv[0]);
		return command_usage(invocation, "%s", err.text);
	}
	if (crypto_start(&err) != OK)
		return command_fail(invocation, &err);
	doctor.site = name.text;
	doctor.findings = json_array();
	config_path(invocation, config, path, sizeof path);
	settings = open_house(&doctor, path);
	if (name.port)
		doctor.port = name.port;
	for (i = 0; i < sizeof looks / sizeof *looks; i++) {
		if (isatty(STDERR_FILENO) && !invocation->json)
			fprintf(stderr, "looking ... %zu of %zu\r", i + 1, sizeof looks / sizeof *looks);
		looks[i](&doctor);
	}
	if (isatty(STDERR_FILENO) && !invocation->json)
		fprintf(stderr, "                    \r");
	certificate_free(doctor.root);
	certificate_free(doctor.configured);
	settings_free(settings);
	if (invocation->json)
		(void)asking_print_json(json_pack("{s:s, s:i, s:i, s:o}", "site", doctor.site, "bad", (int)doctor.bad, "doubtful",
						  (int)doctor.doubtful, "findings", doctor.findings));
	else {
		print(&doctor);
		json_decref(doctor.findings);
	}
	return doctor.bad ? EXIT_REFUSED : EXIT_DONE;
}
