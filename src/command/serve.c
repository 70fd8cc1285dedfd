#include "command/serve.h"

#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "authority/house.h"
#include "base/file_trust.h"
#include "command/asking.h"
#include "command/options.h"
#include "config/config_parse.h"
#include "pki/crypto_start.h"
#include "serve/house_user.h"
#include "serve/preparation.h"
#include "serve/role.h"
#include "serve/settings.h"
#include "serve/settings_keys.h"
#include "serve/supervisor.h"

static void config_as_said(const struct invocation *invocation, const char *said, char *out, unsigned size)
{
	const char *name = said ? said : "chatelaine.conf", *folder = said ? "" : invocation->state;
	char here[2048] = "";

	if ((said ? said : folder)[0] != '/' && !getcwd(here, sizeof here))
		here[0] = 0;
	snprintf(out, size, "%s%s%.2000s%s%s", here, here[0] ? "/" : "", folder, said ? "" : "/", name);
}

void config_path(const struct invocation *invocation, const char *said, char *out, unsigned size)
{
	char *whole;

	config_as_said(invocation, said, out, size);
	/* Absolute, because it is watched and named in messages from anywhere. */
	whole = realpath(out, NULL);
	if (whole)
		snprintf(out, size, "%s", whole);
	free(whole);
}

int take_config(struct invocation *invocation, char *path)
{
	const char *config = NULL;
	const struct option_row rows[] = {{"config", &config, NULL}, {"file", &config, NULL}};
	struct error err;

	if (options_parse(rows, 2, &invocation->argc, invocation->argv, &err) != OK)
		return command_usage(invocation, "%s", err.text);
	if (invocation->argc)
		return command_usage(invocation, "\"%s\" is one word too many", invocation->argv[0]);
	config_as_said(invocation, config, path, CONFIG_PATH_ROOM);
	/* Links and all: what is looked at later is where they lead. */
	if (access(path, F_OK) == 0 && file_trust(path, FILE_COMMANDS, &err) != OK)
		return command_fail(invocation, &err);
	config_path(invocation, config, path, CONFIG_PATH_ROOM);
	if (access(path, F_OK)) {
		(void)error_refuse(&err, "there is no %s; make a house with \"chatelaine init SITE --to URL\", or name "
				   "its folder with --state or its file with --config", path);
		return command_fail(invocation, &err);
	}
	return EXIT_DONE;
}

int command_serve(struct invocation *invocation)
{
	char path[CONFIG_PATH_ROOM];
	struct sandbox_user owner;
	int wrong;

	if (house_user_find(HOUSE_USER_AUTHORITY, &owner) && house_mend(invocation->state, owner.uid))
		fprintf(stderr, "chatelaine: %s and the configuration in it belong to root from now on, because root obeys it; "
				"look through it once: it was the authority's until now\n", invocation->state);
	wrong = take_config(invocation, path);
	return wrong ? wrong : supervisor_run(path);
}

int command_role(struct invocation *invocation)
{
	/* The words behind "chatelaine". */
	return role_main(invocation->argc + 1, invocation->argv - 1);
}

int command_config_reference(struct invocation *invocation)
{
	struct buffer text;
	struct error err;

	if (options_parse(NULL, 0, &invocation->argc, invocation->argv, &err) != OK)
		return command_usage(invocation, "%s", err.text);
	buffer_init(&text, 1 << 20);
	config_write_reference(&settings_rows, &text);
	if (invocation->json) {
		json_t *answer = json_pack("{s:s}", "reference", buffer_text(&text));

		buffer_release(&text);
		return asking_print_json(answer);
	}
	fputs(buffer_text(&text), stdout);
	buffer_release(&text);
	return EXIT_DONE;
}

static json_t *retreat_as_json(const struct house_settings *house)
{
	json_t *listen = json_array(), *sites = json_array();
	size_t i;

	for (i = 0; i < house->listen.count; i++) {
		char text[ADDRESS_TEXT_SIZE];

		address_text(&house->listen.at[i], text);
		json_array_append_new(listen, json_string(text));
	}
	for (i = 0; i < house->door.site_count; i++) {
		const struct site_options *site = &house->door.sites[i];

		json_array_append_new(sites, json_pack("{s:s, s:s, s:s, s:s}", "site", site->name, "certificate",
						       site->certificate.path, "key", site->key.path, "upstream",
						       site->upstream.at[0]));
	}
	return json_pack("{s:o, s:o, s:s}", "listen", listen, "sites", sites, "state", house->state);
}

/* How to go back to what was there before; nothing is changed here. */
int command_retreat(struct invocation *invocation)
{
	char path[CONFIG_PATH_ROOM];
	struct settings *settings = NULL;
	const struct house_settings *house;
	struct error err;
	size_t i;
	int wrong = take_config(invocation, path);

	if (wrong)
		return wrong;
	if (crypto_start(&err) != OK || settings_load(path, &settings, &err) != OK)
		return command_fail(invocation, &err);
	house = settings_house(settings);
	if (invocation->json) {
		json_t *answer = retreat_as_json(house);

		settings_free(settings);
		return asking_print_json(answer);
	}
	puts("To give the ports back to another proxy, with nothing lost here:\n\n"
	     "1. Stop chatelaine where it runs: SIGTERM, Ctrl-C, or by its service manager.\n"
	     "2. It listened on:");
	for (i = 0; i < house->listen.count; i++) {
		char text[ADDRESS_TEXT_SIZE];

		address_text(&house->listen.at[i], text);
		printf("       %s\n", text);
	}
	puts("3. Let the other proxy serve, for nginx:\n");
	for (i = 0; i < house->door.site_count; i++) {
		const struct site_options *site = &house->door.sites[i];

		printf("   server {\n       listen 443 ssl;\n       server_name %s;\n       ssl_certificate     %s;\n"
		       "       ssl_certificate_key %s;\n       location / {\n           proxy_pass %s;\n"
		       "           proxy_http_version 1.1;\n           proxy_set_header Host $host;\n"
		       "           proxy_set_header Upgrade $http_upgrade;\n"
		       "           proxy_set_header Connection \"upgrade\";\n       }\n   }\n\n",
		       site->name, site->certificate.path, site->key.path, site->upstream.at[0]);
	}
	printf("   From then on everyone reaches the application, without a certificate.\n"
	       "4. People, devices and the authority stay in %s.\n"
	       "   To come back: stop the other proxy and run \"chatelaine serve\".\n", house->state);
	settings_free(settings);
	return EXIT_DONE;
}
