#include "command/person.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/span.h"
#include "command/asking.h"
#include "command/options.h"
#include "command/table.h"

/* "a, b,c" as a list of names; empty ones are left to the authority to refuse. */
static json_t *split_groups(const char *text)
{
	json_t *groups = json_array();
	struct span rest = span_of(text), part;

	while (span_cut(&rest, ',', &part)) {
		part = span_trim(part);
		json_array_append_new(groups, json_stringn(part.at, part.size));
	}
	return groups;
}

/* One word for a shell, whatever a name has in it: what is printed here is pasted. */
static void print_word(const char *text)
{
	putchar('\'');
	for (; *text; text++)
		if (*text == '\'')
			fputs("'\\''", stdout);
		else
			putchar(*text);
	putchar('\'');
}

int command_person_add(struct invocation *invocation)
{
	const char *email = NULL, *groups = NULL;
	bool admin = false;
	const struct option_row rows[] = {{"email", &email, NULL}, {"groups", &groups, NULL}, {"admin", NULL, &admin}};
	struct error err;
	json_t *answer;
	int outcome;

	if (options_parse(rows, 3, &invocation->argc, invocation->argv, &err) != OK)
		return command_usage(invocation, "%s", err.text);
	if (invocation->argc != 1)
		return command_usage(invocation, "one name is needed; put quotes around a name with spaces");
	if (!email)
		return command_usage(invocation, "--email is needed: it goes into the certificate and the headers");
	outcome = asking(invocation, "person-add",
			 json_pack("{s:s, s:s, s:o, s:b}", "name", invocation->argv[0], "email", email, "groups",
				   split_groups(groups), "admin", admin),
			 &answer);
	if (outcome != EXIT_DONE)
		return outcome;
	if (invocation->json)
		return asking_print_json(answer);
	printf("%s is known now. Next: chatelaine device add ", asking_text(answer, "name"));
	print_word(asking_text(answer, "name"));
	printf(" --label phone --kind phone --p12 phone.p12\n");
	json_decref(answer);
	return EXIT_DONE;
}

static void list_groups(const json_t *person, char *out, size_t size)
{
	size_t i, used = 0;
	json_t *group;

	out[0] = 0;
	json_array_foreach(json_object_get(person, "groups"), i, group) {
		used += (size_t)snprintf(out + used, size - used, "%s%s", i ? "," : "", json_string_value(group));
		if (used >= size)
			break;
	}
}

int command_person_list(struct invocation *invocation)
{
	const struct column columns[] = {{"NAME", 20}, {"E-MAIL", 28}, {"GROUPS", 16}, {"ROLE", 7}, {"STATE", 9}, {"DEVICES", 7}};
	json_t *people, *person;
	struct error err;
	int outcome;
	size_t i;

	if (options_parse(NULL, 0, &invocation->argc, invocation->argv, &err) != OK)
		return command_usage(invocation, "%s", err.text);
	if (invocation->argc)
		return command_usage(invocation, "takes no words");
	outcome = asking_all(invocation, "person-list", json_object(), "people", &people);
	if (outcome != EXIT_DONE)
		return outcome;
	if (invocation->json)
		return asking_print_json(json_pack("{s:o}", "people", people));
	table_head(columns, 6);
	json_array_foreach(people, i, person) {
		char groups[256], devices[24];

		list_groups(person, groups, sizeof groups);
		snprintf(devices, sizeof devices, "%lld", (long long)asking_number(person, "devices"));
		table_row(columns, 6,
			  (const char *const[]){asking_text(person, "name"), asking_text(person, "email"), groups,
						asking_text(person, "role"), asking_text(person, "state"), devices});
	}
	json_decref(people);
	return EXIT_DONE;
}

static int ask_one(struct invocation *invocation, const char *question, json_t **answer)
{
	struct error err;

	if (options_parse(NULL, 0, &invocation->argc, invocation->argv, &err) != OK)
		return command_usage(invocation, "%s", err.text);
	if (invocation->argc != 1)
		return command_usage(invocation, "one person is needed");
	return asking(invocation, question, json_pack("{s:s}", "person", invocation->argv[0]), answer);
}

int command_person_show(struct invocation *invocation)
{
	char groups[256], day[DAY_TEXT_SIZE];
	json_t *answer, *device;
	size_t i;
	int outcome = ask_one(invocation, "person-show", &answer);

	if (outcome != EXIT_DONE)
		return outcome;
	if (invocation->json)
		return asking_print_json(answer);
	list_groups(answer, groups, sizeof groups);
	asking_day(asking_number(answer, "created"), day);
	printf("name     %s\ne-mail   %s\ngroups   %s\nrole     %s\nstate    %s\nsince    %s\n", asking_text(answer, "name"),
	       asking_text(answer, "email"), groups[0] ? groups : "-", asking_text(answer, "role"),
	       asking_text(answer, "state"), day);
	json_array_foreach(json_object_get(answer, "list"), i, device) {
		asking_day(asking_number(device, "not_after"), day);
		printf("device   %s/%s  %s, %s, until %s\n         %s\n", asking_text(answer, "name"),
		       asking_text(device, "label"), asking_text(device, "kind"), asking_text(device, "state"), day,
		       asking_text(device, "device"));
	}
	json_decref(answer);
	return EXIT_DONE;
}

int command_person_remove(struct invocation *invocation)
{
	json_t *answer;
	int outcome = ask_one(invocation, "person-remove", &answer);

	if (outcome != EXIT_DONE)
		return outcome;
	if (invocation->json)
		return asking_print_json(answer);
	printf("%s is removed: %zu devices revoked, %lld connections closed.\n"
	       "The application's own account of %s is still there; end it in the application.\n",
	       asking_text(answer, "name"), json_array_size(json_object_get(answer, "revoked")),
	       (long long)asking_number(answer, "closed"), asking_text(answer, "name"));
	asking_warn_silent(answer);
	json_decref(answer);
	return EXIT_DONE;
}
