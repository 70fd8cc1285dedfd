#include "door/route.h"

#include "door/dialect.h"

static const struct preset presets[] = {
	{.name = "generic",
	 .dialects = DIALECT_CHATELAINE,
	 .missing_status = 403,
	 .extra_lines = "",
	 .note = "any web application: X-Chatelaine-Device, -Person, -Email and -Groups say who is "
		 "there"},
	{.name = "rocketchat",
	 .dialects = DIALECT_CHATELAINE,
	 .missing_status = 403,
	 .extra_lines = "X-Nginx-Proxy: true\r\n",
	 .note = "Rocket.Chat: its WebSockets are /websocket and /sockjs/; its phone apps probe "
		 "/api/info first"},
	{.name = "mattermost",
	 .dialects = DIALECT_CHATELAINE | DIALECT_MATTERMOST,
	 .missing_status = 403,
	 .extra_lines = "",
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
