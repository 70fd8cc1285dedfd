#include "command/init.h"

#include <errno.h>
#include <fcntl.h>
#include <pwd.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "authority/house.h"
#include "base/address.h"
#include "base/file.h"
#include "command/acme.h"
#include "command/asking.h"
#include "command/options.h"
#include "command/share_port.h"
#include "command/renewal.h"
#include "config/config_parse.h"
#include "door/route.h"
#include "serve/house_user.h"
#include "serve/listening.h"
#include "wire/host_name.h"
#include "wire/url.h"

struct init_options {
	const char *site, *to, *listen, *preset, *recovery_file, *acme, *acme_server;
	struct host_name name;
	char certificate[600], key[600]; /* a public one's paths, or the own CA's */
	char allow_file[600], acme_folder[600];
	bool is_public, has_port_80;
	char state[4096]; /* absolute */
	const struct invocation *invocation;
};

/* certbot's place (and uacme's and dehydrated's by link): used when both files can be read. */
static void find_certificate(struct init_options *given)
{
	snprintf(given->certificate, sizeof given->certificate, "/etc/letsencrypt/live/%s/fullchain.pem",
		 given->name.text);
	snprintf(given->key, sizeof given->key, "/etc/letsencrypt/live/%s/privkey.pem", given->name.text);
	given->is_public = access(given->certificate, R_OK) == 0 && access(given->key, R_OK) == 0;
}

static enum status check_given(struct init_options *given, struct error *err)
{
	struct address address;
	struct url url;
	enum status status;

	status = host_fold_name(span_of(given->site), &given->name, err);
	if (status != OK) {
		error_context(err, "SITE \"%s\"", given->site);
		return status;
	}
	status = url_parse(span_of(given->to), &url, err);
	if (status != OK) {
		error_context(err, "--to");
		return status;
	}
	if (given->listen && address_parse(span_of(given->listen), &address, err) != OK) {
		error_context(err, "--listen");
		return REFUSED;
	}
	if (given->preset && !preset_find(span_of(given->preset)))
		return error_refuse(err, "--preset %s: no such preset; there are %s", given->preset, preset_names());
	if (given->recovery_file && access(given->recovery_file, F_OK) == 0)
		return error_refuse(err, "--recovery-file %s is there already; it is never overwritten",
				    given->recovery_file);
	if (!given->recovery_file && !isatty(STDOUT_FILENO))
		return error_refuse(err, "the recovery phrase is shown once, on a terminal, and this is none: "
				    "give --recovery-file FILE, and keep that file elsewhere");
	return OK;
}

static enum status reveal(void *arg, struct span phrase, struct error *err)
{
	const struct init_options *given = arg;
	struct buffer text;
	enum status status;

	if (!given->recovery_file) {
		printf("\nRECOVERY PHRASE  %.*s\n\n"
		       "Write it down and keep it away from this machine. It opens the root key, renews the\n"
		       "authority and restores backups. It is shown this once and kept nowhere.\n\n",
		       SPAN_PRINT(phrase));
		fflush(stdout);
		return OK;
	}
	buffer_init(&text, 4096);
	buffer_printf(&text, "%.*s\n", SPAN_PRINT(phrase));
	status = file_save_new(given->recovery_file, 0600, buffer_span(&text), err);
	buffer_wipe(&text);
	return status;
}

static void write_listen(struct buffer *out, const struct init_options *given)
{
	if (given->listen)
		buffer_printf(out, "listen = {\"%s\"}\n", given->listen);
	else if (geteuid() == 0)
		buffer_add_text(out, "listen = {\"0.0.0.0:443\", \"[::]:443\"}\n");
	else
		buffer_add_text(out, "listen = {\"0.0.0.0:8443\", \"[::]:8443\"}   # ports below 1024 need root\n");
}

static bool is_free(const char *where)
{
	struct address address;
	int fd = -1;

	if (address_parse(span_of(where), &address, NULL) != OK || listening_open(&address, &fd, NULL) != OK)
		return false;
	close(fd);
	return true;
}

/* Where it can be had: browsers begin there, and so does every authority that asks for a proof of the name. */
static void write_listen_http(struct buffer *out, const struct init_options *given)
{
	const char *mark = given->has_port_80 ? "" : "# ";

	buffer_printf(out, "%slisten-http = {\"0.0.0.0:80\", \"[::]:80\"}   # sends browsers to https, and shows what is in\n"
			   "%sacme-folder = ", mark, mark);
	(void)config_quote(out, span_of(given->acme_folder));
	buffer_add_text(out, "   # for certbot or uacme; see \"chatelaine acme --help\"\n");
}

/* A list of devices is what that preset is about. */
static bool wants_allow_file(const struct init_options *given)
{
	return given->preset && strcmp(given->preset, "device-list") == 0;
}

static bool write_config(struct buffer *out, const struct init_options *given)
{
	const struct preset *preset = preset_find(span_of(given->preset ? given->preset : "generic"));
	bool is_sayable = true;

	buffer_add_text(out, "# chatelaine.conf - what the door does. \"chatelaine config check\" says whether it is right;\n"
			     "# \"chatelaine config reference\" lists every key with its default.\n\n");
	write_listen(out, given);
	write_listen_http(out, given);
	buffer_add_text(out, "state = ");
	is_sayable &= config_quote(out, span_of(given->state));
	buffer_add_text(out, "\n# contact = \"it@example.com\"               # refusal pages name it\n\nsite ");
	is_sayable &= config_quote(out, host_span(&given->name));
	buffer_printf(out, " {\n    preset = %s", preset->name);
	buffer_printf(out, "   # %s\n    upstream = {", preset->note ? preset->note : "");
	is_sayable &= config_quote(out, span_of(given->to));
	buffer_add_text(out, "}\n");
	if (span_starts(span_of(given->to), "https:"))
		buffer_add_text(out, "    upstream-ca = \"system\"                  # or a PEM file with the CA of its certificate\n");
	if (!given->is_public)
		buffer_add_text(out, "    # Made by the house's own authority; clients trust it by \"chatelaine ca cert\".\n"
				     "    # Put the paths of a public certificate here as soon as there is one.\n");
	buffer_add_text(out, "    certificate = ");
	is_sayable &= config_quote(out, span_of(given->certificate));
	buffer_add_text(out, "\n    key = ");
	is_sayable &= config_quote(out, span_of(given->key));
	buffer_add_text(out, "\n    no-certificate = explain                # drop: refuse the handshake; allow: public\n"
			     "    # who = {\"staff\"}                        # groups that may enter; everyone with a device if not given\n");
	if (wants_allow_file(given)) {
		buffer_add_text(out, "    allow-file = ");
		is_sayable &= config_quote(out, span_of(given->allow_file));
		buffer_add_text(out, "   # one device id a line, watched\n}\n");
	} else {
		buffer_add_text(out, "    # allow-file = \"/etc/chatelaine/allow.txt\"  # one device id a line, watched\n}\n");
	}
	return is_sayable && buffer_is_whole(out);
}

static enum status absolute_state(struct init_options *given, const char *state, struct error *err)
{
	char here[2048];

	if (state[0] == '/')
		snprintf(given->state, sizeof given->state, "%s", state);
	else if (!getcwd(here, sizeof here) ||
		 (size_t)snprintf(given->state, sizeof given->state, "%s/%s", here, state) >= sizeof given->state)
		return error_refuse(err, "cannot make --state %s an absolute path", state);
	while (strlen(given->state) > 1 && given->state[strlen(given->state) - 1] == '/')
		given->state[strlen(given->state) - 1] = 0;
	return OK;
}

/* Whatever the umask is: a gateway is another user. By its descriptor: the state folder's group makes links there as it
 * likes. */
static enum status open_folder_up(const char *path, struct error *err)
{
	int folder = open(path, O_RDONLY | O_DIRECTORY | O_NOFOLLOW | O_CLOEXEC);
	enum status status = OK;
	struct stat facts;

	if (folder < 0 || fstat(folder, &facts))
		status = error_fail_errno(err, "cannot open %s", path);
	else if (facts.st_uid != geteuid())
		status = error_refuse(err, "%s belongs to somebody else (user %u)", path, (unsigned)facts.st_uid);
	else if (fchmod(folder, 0755))
		status = error_fail_errno(err, "cannot open %s to gateways", path);
	if (folder >= 0)
		close(folder);
	return status;
}

static enum status make_acme_folder(const struct init_options *given, struct error *err)
{
	static const char *const parts[] = {"", "/.well-known", "/.well-known/acme-challenge"};
	char path[700];
	enum status status = OK;
	size_t i;

	for (i = 0; i < 3 && status == OK; i++) {
		snprintf(path, sizeof path, "%s%s", given->acme_folder, parts[i]);
		status = folder_make(path, 0755, err);
		if (status == OK)
			status = open_folder_up(path, err);
	}
	return status;
}

static enum status make_house(struct init_options *given, struct error *err)
{
	struct house_file files[2] = {
		{"chatelaine.conf", 0640, SPAN("")},
		{"allow.txt", 0644, SPAN("# Devices that may enter, one id a line; \"chatelaine device list\" shows ids.\n")},
	};
	struct house_plan plan = {.state = given->state,
				  .site = host_span(&given->name),
				  .make_server_certificate = !given->is_public,
				  .files = files,
				  .file_count = wants_allow_file(given) ? 2 : 1,
				  .reveal = reveal,
				  .arg = given};
	struct sandbox_user owner;
	struct buffer text;
	enum status status;

	if (!given->is_public) {
		snprintf(given->certificate, sizeof given->certificate, "%.300s/server/%s.pem", given->state,
			 given->name.text);
		snprintf(given->key, sizeof given->key, "%.300s/server/%s.key", given->state, given->name.text);
	}
	snprintf(given->acme_folder, sizeof given->acme_folder, "%.500s/acme", given->state);
	given->has_port_80 = given->acme || (geteuid() == 0 && !given->listen && is_free("0.0.0.0:80"));
	snprintf(given->allow_file, sizeof given->allow_file, "%.500s/allow.txt", given->state);
	if (house_user_find(HOUSE_USER_AUTHORITY, &owner)) {
		plan.change_owner = true;
		plan.owner = owner.uid;
		plan.group = owner.gid;
	}
	buffer_init(&text, 65536);
	if (!write_config(&text, given)) {
		status = error_refuse(err, "a path or name has characters that a configuration cannot hold");
	} else {
		files[0].bytes = buffer_span(&text);
		status = house_init(&plan, err);
	}
	buffer_release(&text);
	/* Root's, not the house's owner's: certbot writes there as root. */
	if (status == OK)
		status = make_acme_folder(given, err);
	return status;
}

/* What is to be told besides: a renewal that will end, a port that another has. */
static void advise(const struct init_options *given)
{
	struct buffer text;

	buffer_init(&text, 4096);
	if (given->is_public && renewal_is_broken(given->certificate, given->acme_folder, &text))
		printf("\nThis certificate will not renew itself any more: %s", buffer_text(&text));
	buffer_release(&text);
}

/* The house stands already; whatever happens here, it stays. */
static int get_certificate(const struct init_options *given)
{
	char config[4200];

	snprintf(config, sizeof config, "%s/chatelaine.conf", given->state);
	if (!given->invocation->json)
		printf("Getting a public certificate for %s ...\n", given->name.text);
	if (acme_get(given->invocation, config, given->name.text, given->acme, given->acme_server) == EXIT_DONE)
		return EXIT_DONE;
	fprintf(stderr, "chatelaine init: the house stands in %s without a public certificate; when the above is mended: "
			"chatelaine acme --email %s\n", given->state, given->acme);
	return EXIT_REFUSED;
}

int command_init(struct invocation *invocation)
{
	struct init_options given = {.invocation = invocation};
	const struct option_row rows[] = {{"to", &given.to, NULL},
					  {"listen", &given.listen, NULL},
					  {"preset", &given.preset, NULL},
					  {"recovery-file", &given.recovery_file, NULL},
					  {"acme", &given.acme, NULL},
					  {"acme-server", &given.acme_server, NULL}};
	struct error err;

	if (options_parse(rows, sizeof rows / sizeof *rows, &invocation->argc, invocation->argv, &err) != OK)
		return command_usage(invocation, "%s", err.text);
	if (invocation->argc != 1)
		return command_usage(invocation, "one SITE is needed: the name or IP address that browsers will use");
	if (!given.to)
		return command_usage(invocation, "--to is needed: where the application listens, like http://127.0.0.1:3000");
	given.site = invocation->argv[0];
	if (absolute_state(&given, invocation->state, &err) != OK)
		return command_fail(invocation, &err);
	if (house_exists(given.state)) {
		(void)error_refuse(&err, "%s holds a chatelaine already; it stays as it is. Use another --state for a second one",
				   given.state);
		return command_fail(invocation, &err);
	}
	if (check_given(&given, &err) != OK)
		return command_fail(invocation, &err);
	find_certificate(&given);
	if (make_house(&given, &err) != OK)
		return command_fail(invocation, &err);
	if (invocation->json && given.acme && !given.is_public)
		return get_certificate(&given);
	if (invocation->json)
		return asking_print_json(json_pack("{s:s, s:s, s:s+, s:b}", "site", given.name.text, "state", given.state,
						   "config", given.state, "/chatelaine.conf", "public_certificate",
						   given.is_public));
	printf("The house for %s stands in %s.\n"
	       "certificate  %s\n"
	       "config       %s/chatelaine.conf\n\n"
	       "Next: chatelaine serve\n"
	       "      chatelaine person add alice --email alice@example.com\n"
	       "      chatelaine device add alice --label phone --kind phone --p12 alice-phone.p12\n",
	       given.name.text, given.state,
	       given.is_public ? given.certificate : "made by its own authority (clients trust it by \"chatelaine ca cert\")",
	       given.state);
	advise(&given);
	share_port_advise(given.name.text, 443);
	return given.acme && !given.is_public ? get_certificate(&given) : EXIT_DONE;
}
