#include "command/renewal.h"

#include <stdio.h>
#include <string.h>

#include "base/file.h"

#define LIVE "/etc/letsencrypt/live/"

enum { RENEWAL_MOST = 65536 };

/* "key = value" of certbot's renewal file, which is ConfigObj; the first one counts. */
static struct span value_of(struct span text, const char *key)
{
	struct span line, name;

	while (span_cut(&text, '\n', &line)) {
		struct span rest = line;

		if (span_cut(&rest, '=', &name) && span_is(span_trim(name), key))
			return span_trim(rest);
	}
	return (struct span){0};
}

static bool is_ours(struct span text, const char *acme_folder)
{
	struct span path = value_of(text, "webroot_path");

	/* A list: "/var/lib/chatelaine/acme," */
	while (path.size && strchr(", /", path.at[path.size - 1]))
		path.size--;
	return acme_folder && span_is(path, acme_folder);
}

static void advise(struct buffer *out, struct span name, struct span authenticator, const char *acme_folder)
{
	buffer_printf(out, "certbot renews %.*s by \"%.*s\", which needs port 80 for itself or for another folder; "
		      "run this once, with chatelaine serving:\n"
		      "  certbot renew --cert-name %.*s --force-renewal --authenticator webroot --webroot-path %s\n",
		      SPAN_PRINT(name), SPAN_PRINT(authenticator), SPAN_PRINT(name),
		      acme_folder ? acme_folder : "FOLDER   (the acme-folder that you put into chatelaine.conf)");
}

bool renewal_is_broken(const char *certificate, const char *acme_folder, struct buffer *out)
{
	struct span name = span_of(certificate), authenticator;
	bool is_broken = false;
	struct buffer text;
	char path[512];

	if (!span_starts(name, LIVE))
		return false;
	span_skip(&name, sizeof LIVE - 1);
	name.size = strcspn(name.at, "/");
	snprintf(path, sizeof path, "/etc/letsencrypt/renewal/%.*s.conf", (int)(name.size < 256 ? name.size : 256),
		 name.at);
	buffer_init(&text, RENEWAL_MOST);
	if (file_load(path, &text, NULL) == OK) {
		authenticator = value_of(buffer_span(&text), "authenticator");
		/* By DNS it goes on as before, whoever has port 80. */
		is_broken = span_is(authenticator, "nginx") || span_is(authenticator, "apache") ||
			    span_is(authenticator, "standalone") ||
			    (span_is(authenticator, "webroot") && !is_ours(buffer_span(&text), acme_folder));
		if (is_broken)
			advise(out, name, authenticator, acme_folder);
	}
	buffer_release(&text);
	return is_broken;
}
