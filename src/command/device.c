#include "command/device.h"

#include <stdio.h>

#include "command/asking.h"
#include "command/options.h"
#include "command/table.h"

static void print_row(const struct column *columns, const json_t *device)
{
	char name[300], until[DAY_TEXT_SIZE], seen[DAY_TEXT_SIZE];
	int64_t last = asking_number(device, "seen");

	snprintf(name, sizeof name, "%s/%s", asking_text(device, "person"), asking_text(device, "label"));
	asking_day(asking_number(device, "not_after"), until);
	asking_day(last, seen);
	table_row(columns, 6,
		  (const char *const[]){name, asking_text(device, "kind"), asking_text(device, "state"), until,
					last ? seen : "never", asking_text(device, "device")});
}

int command_device_list(struct invocation *invocation)
{
	const struct column columns[] = {{"DEVICE", 24}, {"KIND", 7}, {"STATE", 9}, {"UNTIL", 10}, {"SEEN", 10}, {"ID", 32}};
	json_t *devices, *device, *words;
	struct error err;
	int outcome;
	size_t i;

	if (options_parse(NULL, 0, &invocation->argc, invocation->argv, &err) != OK)
		return command_usage(invocation, "%s", err.text);
	if (invocation->argc > 1)
		return command_usage(invocation, "at most one person");
	words = json_object();
	if (invocation->argc)
		json_object_set_new(words, "person", json_string(invocation->argv[0]));
	outcome = asking_all(invocation, "device-list", words, "devices", &devices);
	if (outcome != EXIT_DONE)
		return outcome;
	if (invocation->json)
		return asking_print_json(json_pack("{s:o}", "devices", devices));
	table_head(columns, 6);
	json_array_foreach(devices, i, device)
		print_row(columns, device);
	json_decref(devices);
	return EXIT_DONE;
}

int command_device_show(struct invocation *invocation)
{
	char from[DAY_TEXT_SIZE], until[DAY_TEXT_SIZE];
	json_t *answer, *certificate;
	struct error err;
	int outcome;
	size_t i;

	if (options_parse(NULL, 0, &invocation->argc, invocation->argv, &err) != OK)
		return command_usage(invocation, "%s", err.text);
	if (invocation->argc != 1)
		return command_usage(invocation, "one device is needed: an id, a unique beginning of it, or PERSON/LABEL");
	outcome = asking(invocation, "device-show", json_pack("{s:s}", "device", invocation->argv[0]), &answer);
	if (outcome != EXIT_DONE)
		return outcome;
	if (invocation->json)
		return asking_print_json(answer);
	asking_day(asking_number(answer, "created"), from);
	asking_day(asking_number(answer, "seen"), until);
	printf("device   %s\nname     %s/%s\nkind     %s\nstate    %s\nsince    %s\nseen     %s\n", asking_text(answer, "device"),
	       asking_text(answer, "person"), asking_text(answer, "label"), asking_text(answer, "kind"),
	       asking_text(answer, "state"), from, asking_number(answer, "seen") ? until : "never");
	if (json_object_get(answer, "connections"))
		printf("open     %lld connections\n", (long long)asking_number(answer, "connections"));
	json_array_foreach(json_object_get(answer, "certificates"), i, certificate) {
		asking_day(asking_number(certificate, "not_before"), from);
		asking_day(asking_number(certificate, "not_after"), until);
		printf("certificate  %s  %s to %s, %s\n             serial %s\n             sha256 %s\n",
		       asking_text(certificate, "profile"), from, until, asking_text(certificate, "state"),
		       asking_text(certificate, "serial"), asking_text(certificate, "fingerprint"));
	}
	json_decref(answer);
	return EXIT_DONE;
}

int command_device_revoke(struct invocation *invocation)
{
	const char *reason = NULL;
	const struct option_row rows[] = {{"reason", &reason, NULL}};
	struct error err;
	json_t *words, *answer;
	int outcome;

	if (options_parse(rows, 1, &invocation->argc, invocation->argv, &err) != OK)
		return command_usage(invocation, "%s", err.text);
	if (invocation->argc != 1)
		return command_usage(invocation, "one device is needed: an id, a unique beginning of it, or PERSON/LABEL");
	words = json_pack("{s:s}", "device", invocation->argv[0]);
	if (reason)
		json_object_set_new(words, "reason", json_string(reason));
	outcome = asking(invocation, "device-revoke", words, &answer);
	if (outcome != EXIT_DONE)
		return outcome;
	if (invocation->json)
		return asking_print_json(answer);
	if (asking_number(answer, "gateways"))
		printf("%s/%s is revoked, %lld connections closed on %lld gateways\n", asking_text(answer, "person"),
		       asking_text(answer, "label"), (long long)asking_number(answer, "closed"),
		       (long long)asking_number(answer, "gateways"));
	else
		printf("%s/%s is revoked; no gateway is running, so there was nothing to close\n",
		       asking_text(answer, "person"), asking_text(answer, "label"));
	asking_warn_silent(answer);
	json_decref(answer);
	return EXIT_DONE;
}
