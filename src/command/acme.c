#include "command/acme.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/file.h"
#include "base/log.h"
#include "command/asking.h"
#include "command/config_edit.h"
#include "command/options.h"
#include "command/renewal.h"
#include "command/serve.h"
#include "pki/crypto_start.h"
#include "serve/port_holder.h"
#include "serve/preparation.h"
#include "serve/settings.h"
#include "serve/settings_keys.h"
#include "serve/stand_in.h"
#include "wire/host_name.h"

enum { PATH_ROOM = 4200, CONFIG_MOST = 1 << 20, WORDS_MOST = 24 };

#define UACME_FOLDER "/etc/ssl/uacme"
#define UACME_HOOK "/usr/share/uacme/uacme.sh"

struct acme {
	const struct invocation *invocation;
	const char *config, *email, *server;
	const char *client; /* "certbot" or "uacme" */
	char folder[PATH_ROOM]; /* the webroot */
	char certificate[600], key[600]; /* of the site at hand */
};

/* The client --------------------------------------------------------------- */

static bool is_installed(const char *name)
{
	const char *path = getenv("PATH");
	struct span rest = span_of(path && *path ? path : "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin");
	struct span folder;
	char whole[1024];

	while (span_cut(&rest, ':', &folder)) {
		snprintf(whole, sizeof whole, "%.*s/%s", SPAN_PRINT(folder), name);
		if (access(whole, X_OK) == 0)
			return true;
	}
	return false;
}

static enum status choose_client(struct acme *acme, struct error *err)
{
	acme->client = is_installed("certbot") ? "certbot" : is_installed("uacme") ? "uacme" : NULL;
	return acme->client ? OK
			    : error_refuse(err, "neither certbot nor uacme is installed; \"apt install certbot\" (it also "
					   "renews by a timer of its own), then run this again");
}

/* Its words are for the person; with --json standard output is ours alone. */
static enum status run(const struct acme *acme, const char *const words[], struct error *err)
{
	int outcome = 0;
	pid_t pid;

	fflush(NULL);
	pid = fork();
	if (pid == 0) {
		if (acme->invocation->json)
			dup2(STDERR_FILENO, STDOUT_FILENO);
		execvp(words[0], (char *const *)(uintptr_t)words);
		_exit(127);
	}
	if (pid < 0)
		return error_fail_errno(err, "cannot start %s", words[0]);
	while (waitpid(pid, &outcome, 0) < 0 && errno == EINTR)
		;
	if (WIFEXITED(outcome) && WEXITSTATUS(outcome) == 0)
		return OK;
	return error_refuse(err, "%s did not get a certificate (exit %d); what it says is above. The name must lead to "
			    "this machine, and port 80 of it must be reachable from the Internet",
			    words[0], WIFEXITED(outcome) ? WEXITSTATUS(outcome) : 128 + WTERMSIG(outcome));
}

static enum status run_certbot(struct acme *acme, const char *site, struct error *err)
{
	const char *words[WORDS_MOST] = {"certbot", "certonly", "--non-interactive", "--agree-tos",
					 "--keep-until-expiring", "--webroot", "--webroot-path", acme->folder,
					 "--cert-name", site, "-d", site};
	unsigned count = 12;

	if (acme->email) {
		words[count++] = "--email";
		words[count++] = acme->email;
	} else {
		words[count++] = "--register-unsafely-without-email";
	}
	if (acme->server) {
		words[count++] = "--server";
		words[count++] = acme->server;
	}
	snprintf(acme->certificate, sizeof acme->certificate, "/etc/letsencrypt/live/%s/fullchain.pem", site);
	snprintf(acme->key, sizeof acme->key, "/etc/letsencrypt/live/%s/privkey.pem", site);
	return run(acme, words, err);
}

static enum status run_uacme(struct acme *acme, const char *site, struct error *err)
{
	const char *account[WORDS_MOST] = {"uacme", "-y", "-c", UACME_FOLDER};
	const char *issue[WORDS_MOST] = {"uacme", "-c", UACME_FOLDER, "-h", UACME_HOOK};
	unsigned accounts = 4, issues = 5;
	char challenges[PATH_ROOM + 64];
	enum status status = OK;

	if (acme->server) {
		account[accounts++] = issue[issues++] = "-a";
		account[accounts++] = issue[issues++] = acme->server;
	}
	account[accounts++] = "new";
	if (acme->email)
		account[accounts++] = acme->email;
	issue[issues++] = "issue";
	issue[issues++] = site;
	snprintf(challenges, sizeof challenges, "%s/.well-known/acme-challenge", acme->folder);
	setenv("UACME_CHALLENGE_PATH", challenges, 1);
	snprintf(acme->certificate, sizeof acme->certificate, UACME_FOLDER "/%s/cert.pem", site);
	snprintf(acme->key, sizeof acme->key, UACME_FOLDER "/private/%s/key.pem", site);
	if (access(UACME_FOLDER "/private/key.pem", F_OK))
		status = run(acme, account, err);
	if (status == OK)
		status = run(acme, issue, err);
	/* 1: the certificate there is still good for long (uacme(1)). */
	return status == REFUSED && access(acme->certificate, R_OK) == 0 ? OK : status;
}

/* The configuration --------------------------------------------------------- */

static enum status say_by_hand(const struct acme *acme, const char *site, const char *why, struct error *err)
{
	return error_refuse(err, "%s, so put it into site \"%s\" of %s yourself:\n    certificate = \"%s\"\n    key = \"%s\"",
			    why, site, acme->config, acme->certificate, acme->key);
}

static enum status save_as(const struct acme *acme, const char *path, struct span text, struct error *err)
{
	struct stat facts;
	enum status status;

	if (stat(acme->config, &facts))
		return error_fail_errno(err, "cannot read %s", acme->config);
	status = file_save(path, facts.st_mode & 07777, text, err);
	if (status == OK && geteuid() == 0 && chown(path, facts.st_uid, facts.st_gid))
		status = error_fail_errno(err, "cannot give %s to the owner of %s", path, acme->config);
	return status;
}

/* Proved beside it first: a running chatelaine, or one that starts after a power cut, sees only what is right. */
static enum status replace_config(const struct acme *acme, struct span text, struct error *err)
{
	struct prepared prepared;
	char trial[PATH_ROOM + 8];
	struct error wrong;
	enum status status;

	snprintf(trial, sizeof trial, "%s.acme", acme->config);
	status = save_as(acme, trial, text, err);
	if (status != OK)
		return status;
	if (preparation_try(trial, &prepared, NULL, &wrong) != OK)
		status = error_refuse(err, "with the new certificate %s", wrong.text);
	else
		prepared_release(&prepared);
	(void)unlink(trial);
	return status == OK ? save_as(acme, acme->config, text, err) : status;
}

static enum status use_certificate(struct acme *acme, const struct site_options *site, struct error *err)
{
	struct buffer before, middle, after;
	enum status status;

	if (strcmp(site->certificate.path, acme->certificate) == 0 && strcmp(site->key.path, acme->key) == 0)
		return OK; /* renewed: a running chatelaine has seen the files change */
	buffer_init(&before, CONFIG_MOST);
	buffer_init(&middle, CONFIG_MOST);
	buffer_init(&after, CONFIG_MOST);
	status = file_load(acme->config, &before, err);
	if (status == OK && !(config_edit_site(buffer_span(&before), span_of(site->name), "certificate", acme->certificate, &middle) &&
			      config_edit_site(buffer_span(&middle), span_of(site->name), "key", acme->key, &after)))
		status = say_by_hand(acme, site->name, "the certificate is there, but the lines for it were not found", err);
	else if (status == OK)
		status = replace_config(acme, buffer_span(&after), err);
	buffer_release(&before);
	buffer_release(&middle);
	buffer_release(&after);
	return status;
}

/* Sites ---------------------------------------------------------------------- */

/* A name that a public authority could know. */
static bool is_public_name(const char *name)
{
	static const char *const inside[] = {".local", ".localhost", ".internal", ".lan", ".home", ".home.arpa",
					     ".invalid", NULL};
	struct host_name host;
	unsigned i;

	if (host_fold_name(span_of(name), &host, NULL) != OK || host.kind != HOST_DNS || !strchr(name, '.'))
		return false;
	for (i = 0; inside[i]; i++)
		if (span_ends(span_of(name), inside[i]))
			return false;
	return true;
}

static bool is_named(const char *site, int argc, char **argv)
{
	int i;

	for (i = 0; i < argc; i++)
		if (strcasecmp(site, argv[i]) == 0)
			return true;
	return false;
}

/* Without names: what the house's own authority made, and what came this way before. */
static bool is_wanted(const struct house_settings *house, const struct site_options *site, int argc, char **argv)
{
	if (argc)
		return is_named(site->name, argc, argv);
	return is_public_name(site->name) &&
	       (strncmp(site->certificate.path, house->state, strlen(house->state)) == 0 ||
		strncmp(site->certificate.path, "/etc/letsencrypt/live/", 22) == 0 ||
		strncmp(site->certificate.path, UACME_FOLDER, sizeof UACME_FOLDER - 1) == 0);
}

static enum status check_names(const struct house_settings *house, int argc, char **argv, struct error *err)
{
	size_t site;
	int i;

	for (i = 0; i < argc; i++) {
		for (site = 0; site < house->door.site_count; site++)
			if (strcasecmp(house->door.sites[site].name, argv[i]) == 0)
				break;
		if (site == house->door.site_count)
			return error_refuse(err, "there is no site \"%s\" in the configuration", argv[i]);
		if (!is_public_name(argv[i]))
			return error_refuse(err, "no public authority gives a certificate for \"%s\": it wants a name that "
					    "all the Internet finds; wildcards need a DNS challenge, which the ACME client "
					    "must do by itself", argv[i]);
	}
	return OK;
}

/* Port 80 must say what lies in the folder: the running chatelaine does, or a stand-in. */
static enum status be_on_port_80(const struct settings *settings, pid_t *stand_in, struct error *err)
{
	const struct house_settings *house = settings_house(settings);
	enum status status = stand_in_start(settings, stand_in, err);
	struct buffer holder;

	if (status != REFUSED)
		return status;
	buffer_init(&holder, 256);
	port_holder_describe(address_port(&house->listen_http.at[0]), &holder);
	if (strncmp(buffer_text(&holder), "chatelaine ", 11) == 0)
		status = OK;
	buffer_release(&holder);
	return status;
}

static enum status get_all(struct acme *acme, const struct settings *settings, int argc, char **argv,
			   json_t *done, struct error *err)
{
	const struct house_settings *house = settings_house(settings);
	struct buffer advice;
	enum status status = OK;
	size_t i;

	for (i = 0; i < house->door.site_count && status == OK; i++) {
		const struct site_options *site = &house->door.sites[i];

		if (!is_wanted(house, site, argc, argv))
			continue;
		status = strcmp(acme->client, "certbot") == 0 ? run_certbot(acme, site->name, err)
							       : run_uacme(acme, site->name, err);
		if (status == OK)
			status = use_certificate(acme, site, err);
		if (status != OK) {
			error_context(err, "%s", site->name);
			break;
		}
		buffer_init(&advice, 4096);
		if (renewal_is_broken(acme->certificate, acme->folder, &advice))
			fprintf(stderr, "chatelaine: %s", buffer_text(&advice));
		buffer_release(&advice);
		json_array_append_new(done, json_pack("{s:s, s:s, s:s}", "site", site->name, "certificate",
						      acme->certificate, "key", acme->key));
		if (!acme->invocation->json)
			printf("%s has its certificate: %s\n", site->name, acme->certificate);
	}
	if (status == OK && json_array_size(done) == 0)
		status = error_refuse(err, "no site needs one: all have certificates from elsewhere, or names that no "
				      "public authority knows");
	return status;
}

static enum status prepare_folder(struct acme *acme, const struct house_settings *house, struct error *err)
{
	char challenges[PATH_ROOM + 64];
	struct stat facts;

	if (!house->acme_folder || !house->listen_http.count)
		return error_refuse(err, "%s needs these lines, so that the authority on the Internet finds its answers:\n"
				    "    listen-http = {\"0.0.0.0:80\", \"[::]:80\"}\n    acme-folder = \"%s/acme\"",
				    acme->config, house->state);
	snprintf(acme->folder, sizeof acme->folder, "%s", house->acme_folder);
	if (geteuid() == 0 && lstat(acme->folder, &facts) == 0 && S_ISLNK(facts.st_mode) && facts.st_uid != 0)
		return error_refuse(err, "acme-folder = \"%s\" is a link that root did not make (user %u did); as root no file is "
				    "written behind it", acme->folder, (unsigned)facts.st_uid);
	snprintf(challenges, sizeof challenges, "%s/.well-known/acme-challenge", acme->folder);
	return folder_make(challenges, 0755, err);
}

static int get(struct acme *acme, int argc, char **argv)
{
	struct settings *settings = NULL;
	json_t *done = json_array();
	pid_t stand_in = 0;
	enum status status;
	struct error err;

	TRY(crypto_start(&err));
	TRY(settings_load(acme->config, &settings, &err));
	TRY(check_names(settings_house(settings), argc, argv, &err));
	TRY(choose_client(acme, &err));
	TRY(prepare_folder(acme, settings_house(settings), &err));
	TRY(be_on_port_80(settings, &stand_in, &err));
	TRY(get_all(acme, settings, argc, argv, done, &err));
done:
	if (stand_in)
		stand_in_end(stand_in);
	settings_free(settings);
	if (status != OK) {
		json_decref(done);
		return command_fail(acme->invocation, &err);
	}
	if (acme->invocation->json)
		return asking_print_json(json_pack("{s:s, s:o}", "client", acme->client, "sites", done));
	json_decref(done);
	if (strcmp(acme->client, "uacme") == 0)
		puts("uacme has no timer: let cron or systemd run \"chatelaine acme\" once a day.");
	return EXIT_DONE;
}

int acme_get(const struct invocation *invocation, const char *config, const char *site, const char *email,
	     const char *server)
{
	struct acme acme = {.invocation = invocation, .config = config, .email = email, .server = server};
	char *argv[] = {(char *)(uintptr_t)site, NULL};

	return get(&acme, 1, argv);
}

int command_acme(struct invocation *invocation)
{
	struct acme acme = {.invocation = invocation};
	const char *config = NULL;
	const struct option_row rows[] = {{"config", &config, NULL}, {"email", &acme.email, NULL}, {"server", &acme.server, NULL}};
	char path[PATH_ROOM];
	struct error err;

	if (options_parse(rows, 3, &invocation->argc, invocation->argv, &err) != OK)
		return command_usage(invocation, "%s", err.text);
	config_path(invocation, config, path, sizeof path);
	acme.config = path;
	return get(&acme, invocation->argc, invocation->argv);
}
