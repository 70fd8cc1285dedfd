#include "door/route.h"

#include <stdio.h>
#include <string.h>

#include "door/dialect.h"

static char get[] = "GET", post[] = "POST";
static char *only_get[] = {get}, *only_post[] = {post}, *get_and_post[] = {get, post};
#define GET {only_get, 1}
#define POST {only_post, 1}
#define GET_AND_POST {get_and_post, 2}

static const struct opening generic_openings[] = {
	{"health", "= /health", GET},
	{"health", "= /healthz", GET},
	{"public-files", "= /robots.txt", GET},
	{"public-files", "= /favicon.ico", GET},
};

/* Its API's own addresses check tokens; these are for callers that cannot have a certificate. */
static const struct opening rocketchat_openings[] = {
	{"webhooks", "/hooks", POST},
	{"oauth-callback", "/_oauth", GET_AND_POST},
	{"oauth-callback", "/_saml", GET_AND_POST},
	{"public-files", "/assets", GET},
	{"health", "= /livez", GET},
	{"health", "= /readyz", GET},
	{"health", "= /health", GET},
};

static const struct opening mattermost_openings[] = {
	{"webhooks", "~ ^/hooks/[a-z0-9]{26}$", POST},
	{"webhooks", "~ ^/hooks/commands/[a-z0-9]{26}$", POST},
	{"oauth-callback", "~ ^/(signup|login|oauth)/[a-z0-9]+/complete$", GET_AND_POST},
	{"oauth-callback", "= /login/sso/saml", POST},
	{"public-files", "~ ^/files/[a-z0-9]{26}/public$", GET},
	{"public-files", "~ ^/api/v4/files/[a-z0-9]{26}/public$", GET},
	{"health", "= /api/v4/system/ping", GET},
};

#define OPENINGS(list) .openings = (list), .opening_count = sizeof(list) / sizeof *(list)

static const struct preset presets[] = {
	{.name = "generic",
	 OPENINGS(generic_openings),
	 .dialects = DIALECT_CHATELAINE,
	 .missing_status = 403,
	 .extra_lines = "",
	 .note = "any web application: X-Chatelaine-Device, -Person, -Email and -Groups say who is "
		 "there"},
	{.name = "rocketchat",
	 OPENINGS(rocketchat_openings),
	 .dialects = DIALECT_CHATELAINE,
	 .missing_status = 403,
	 .extra_lines = "X-Nginx-Proxy: true\r\n",
	 .api_prefix = "/api/",
	 .note = "Rocket.Chat: its WebSockets are /websocket and /sockjs/; its phone apps probe "
		 "/api/info first"},
	{.name = "mattermost",
	 OPENINGS(mattermost_openings),
	 .dialects = DIALECT_CHATELAINE | DIALECT_MATTERMOST,
	 .missing_status = 403,
	 .extra_lines = "",
	 .api_prefix = "/api/v4/",
	 .json_path = "/api/v4/system/ping",
	 .json_status = 401,
	 .note = "Mattermost: the certificate and its subject on every path, /api/v4/websocket "
		 "too; its phone app is "
		 "told by a 401 that it needs a certificate"},
	{.name = "device-list",
	 .dialects = DIALECT_CHATELAINE | DIALECT_WOTT,
	 .missing_status = 403,
	 .extra_lines = "",
	 .needs_allow_file = true,
	 .note = "a list of devices in allow-file; Ssl-Client has the device's id, "
		 "Ssl-Client-Verify says SUCCESS"},
};

enum { PRESETS = sizeof presets / sizeof presets[0] };

const struct preset *preset_find(struct span name)
{
	size_t i;

	for (i = 0; i < PRESETS; i++)
		if (span_is(name, presets[i].name))
			return &presets[i];
	return NULL;
}

const char *preset_names(void)
{
	return "generic, rocketchat, mattermost, device-list";
}

void preset_opening_names(const struct preset *preset, char out[static PRESET_OPENINGS_TEXT])
{
	size_t i, size = 0;

	out[0] = 0;
	for (i = 0; i < preset->opening_count; i++) {
		const char *name = preset->openings[i].name;

		if (i > 0 && strcmp(name, preset->openings[i - 1].name) == 0)
			continue;
		size += (size_t)snprintf(out + size, PRESET_OPENINGS_TEXT - size, "%s%s", i ? ", " : "", name);
		if (size >= PRESET_OPENINGS_TEXT)
			return;
	}
}
