#include "authority/server_certificate.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "authority/authority_handle.h"
#include "authority/entry_check.h"
#include "authority/house_files.h"
#include "authority/issue.h"
#include "base/clock.h"
#include "base/file.h"
#include "base/log.h"

enum { SITE_SIZE = 255 };

/* The key first: a crash between the two leaves a pair that does not fit, which is noticed and made anew. */
static enum status save(const struct signer *issuing, const struct certificate *certificate,
			const struct key *key, const char *site, const char *folder, struct error *err)
{
	char path[PATH_MAX], name[SITE_SIZE + 8];
	struct secret *key_text = NULL;
	struct buffer chain;
	enum status status;

	buffer_init(&chain, SMALL_FILE_MOST);
	certificate_write_pem(certificate, &chain);
	certificate_write_pem(signer_certificate(issuing), &chain);
	TRY(key_write_pem(key, &key_text, err));
	snprintf(name, sizeof name, "%s.key", site);
	TRY(house_path(folder, name, path, err));
	TRY(file_save(path, 0600, secret_span(key_text), err));
	snprintf(name, sizeof name, "%s.pem", site);
	TRY(house_path(folder, name, path, err));
	TRY(file_save(path, 0644, buffer_span(&chain), err));
done:
	secret_free(key_text);
	buffer_release(&chain);
	return status;
}

enum status server_certificate_make(const struct signer *issuing, struct span house, const char *site,
				    const char *folder, struct error *err)
{
	const struct profile *profile = profile_get(PROFILE_SERVER);
	struct span host = span_of(site);
	struct subject_facts facts = {.house = house, .hosts = &host, .host_count = 1};
	struct certificate *certificate = NULL;
	struct key *key = NULL;
	enum status status;

	TRY(key_generate(profile->key, &key, err));
	TRY(signer_sign(issuing, profile, &facts, key, 0, &certificate, err));
	TRY(save(issuing, certificate, key, site, folder, err));
done:
	certificate_free(certificate);
	key_free(key);
	return status;
}

/* A pair that does not fit is due as well. Not ours: left alone. */
static bool is_due(const struct authority *authority, const char *folder, const char *site)
{
	char certificate_name[SITE_SIZE + 8], key_name[SITE_SIZE + 8];
	struct certificate *certificate = NULL;
	struct buffer text;
	struct key *key = NULL;
	char path[PATH_MAX];
	bool due = false, ours;

	snprintf(certificate_name, sizeof certificate_name, "%s.pem", site);
	snprintf(key_name, sizeof key_name, "%s.key", site);
	buffer_init(&text, SMALL_FILE_MOST);
	if (house_load_certificate(folder, certificate_name, &certificate, NULL) == OK) {
		ours = certificate_check_issuer(certificate, signer_certificate(authority->issuing), NULL) == OK ||
		       (authority->next &&
			certificate_check_issuer(certificate, signer_certificate(authority->next), NULL) == OK);
		due = certificate_facts(certificate)->not_after - clock_seconds() <
		      profile_get(PROFILE_SERVER)->life / 3;
		if (house_path(folder, key_name, path, NULL) == OK && file_load(path, &text, NULL) == OK &&
		    key_parse_pem(buffer_span(&text), SPAN(""), &key, NULL) == OK)
			due = due || !certificate_matches_key(certificate, key);
		due = due && ours;
	}
	certificate_free(certificate);
	key_free(key);
	buffer_wipe(&text);
	return due;
}

static bool renew(struct authority *authority, const char *folder, const char *site)
{
	struct span house = span_of(registry_trust_domain(authority->registry));
	struct error err;

	if (server_certificate_make(authority_signer(authority, PROFILE_SERVER), house, site, folder, &err) != OK) {
		log_say(LOG_ERROR, "server-certificate", "%s is not renewed: %s", site, err.text);
		return false;
	}
	log_say(LOG_INFO, "server-certificate", "%s is renewed", site);
	return true;
}

unsigned server_certificate_renew_due(struct authority *authority)
{
	char path[PATH_MAX], site[SITE_SIZE], checked[SITE_SIZE];
	struct dirent *entry;
	unsigned renewed = 0;
	DIR *folder;
	bool is_ip;

	if (house_path(authority->state, SERVER_FOLDER, path, NULL) != OK)
		return 0;
	folder = opendir(path);
	while (folder && (entry = readdir(folder))) {
		struct span name = span_of(entry->d_name);

		if (!span_ends(name, ".pem") || name.size >= sizeof site)
			continue;
		memcpy(site, name.at, name.size - 4);
		site[name.size - 4] = 0;
		if (entry_check_site(span_of(site), checked, sizeof checked, &is_ip, NULL) == OK &&
		    strcmp(site, checked) == 0 && is_due(authority, path, site))
			renewed += renew(authority, path, site);
	}
	if (folder)
		closedir(folder);
	return renewed;
}
