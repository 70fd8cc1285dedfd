#include "door/client_kind.h"

#include <stddef.h>

/* The first needle that is there decides: applications that contain a browser stand before browsers, and of
 * browsers those that call themselves by another's name too. */
static const struct client_kind kinds[] = {
	{"", "nothing said", CLIENT_SILENT},
	{"", "another program", CLIENT_OTHER},
	{"rc mobile", "Rocket.Chat app (phone)", CLIENT_APP},
	{"rocket.chat", "Rocket.Chat app (desktop)", CLIENT_APP},
	{"mattermost mobile", "Mattermost app (phone)", CLIENT_APP},
	{"mattermost", "Mattermost app (desktop)", CLIENT_APP},
	{"zulipmobile", "Zulip app (phone)", CLIENT_APP},
	{"zulip", "Zulip app", CLIENT_APP},
	{"nextcloud", "Nextcloud app", CLIENT_APP},
	{"mirall", "Nextcloud app (desktop)", CLIENT_APP},
	{"home assistant", "Home Assistant app", CLIENT_APP},
	{"homeassistant", "Home Assistant", CLIENT_APP},
	{"element", "Element app", CLIENT_APP},
	{"kube-probe", "Kubernetes probe", CLIENT_MONITOR},
	{"prometheus", "Prometheus", CLIENT_MONITOR},
	{"blackbox", "Prometheus blackbox", CLIENT_MONITOR},
	{"uptime-kuma", "Uptime Kuma", CLIENT_MONITOR},
	{"uptimerobot", "UptimeRobot", CLIENT_MONITOR},
	{"pingdom", "Pingdom", CLIENT_MONITOR},
	{"statuscake", "StatusCake", CLIENT_MONITOR},
	{"check_http", "Nagios check_http", CLIENT_MONITOR},
	{"check_curl", "Nagios check_curl", CLIENT_MONITOR},
	{"zabbix", "Zabbix", CLIENT_MONITOR},
	{"icinga", "Icinga", CLIENT_MONITOR},
	{"elb-health", "AWS health check", CLIENT_MONITOR},
	{"googlehc", "Google health check", CLIENT_MONITOR},
	{"healthcheck", "a health check", CLIENT_MONITOR},
	{"health-check", "a health check", CLIENT_MONITOR},
	{"monit", "a monitor", CLIENT_MONITOR},
	{"letsencrypt", "Let's Encrypt", CLIENT_PROGRAM},
	{"let's encrypt", "Let's Encrypt", CLIENT_PROGRAM},
	{"curl", "curl", CLIENT_PROGRAM},
	{"wget", "wget", CLIENT_PROGRAM},
	{"powershell", "PowerShell", CLIENT_PROGRAM},
	{"python", "Python", CLIENT_PROGRAM},
	{"aiohttp", "Python", CLIENT_PROGRAM},
	{"go-http-client", "Go", CLIENT_PROGRAM},
	{"okhttp", "okhttp (Android, Java)", CLIENT_PROGRAM},
	{"dalvik", "an Android app", CLIENT_APP},
	{"cfnetwork", "an iOS or macOS app", CLIENT_APP},
	{"apache-httpclient", "Java", CLIENT_PROGRAM},
	{"java/", "Java", CLIENT_PROGRAM},
	{"axios", "Node.js", CLIENT_PROGRAM},
	{"node", "Node.js", CLIENT_PROGRAM},
	{"undici", "Node.js", CLIENT_PROGRAM},
	{"guzzle", "PHP", CLIENT_PROGRAM},
	{"php", "PHP", CLIENT_PROGRAM},
	{"perl", "Perl", CLIENT_PROGRAM},
	{"ruby", "Ruby", CLIENT_PROGRAM},
	{"gitlab", "GitLab", CLIENT_PROGRAM},
	{"github", "GitHub", CLIENT_PROGRAM},
	{"jenkins", "Jenkins", CLIENT_PROGRAM},
	{"grafana", "Grafana", CLIENT_PROGRAM},
	{"bot", "a crawler", CLIENT_CRAWLER},
	{"spider", "a crawler", CLIENT_CRAWLER},
	{"crawler", "a crawler", CLIENT_CRAWLER},
	{"censys", "a scanner", CLIENT_CRAWLER},
	{"zgrab", "a scanner", CLIENT_CRAWLER},
	{"masscan", "a scanner", CLIENT_CRAWLER},
	{"nmap", "a scanner", CLIENT_CRAWLER},
	{"electron", "a desktop app", CLIENT_APP},
	{"edg", "Edge", CLIENT_BROWSER},
	{"opr/", "Opera", CLIENT_BROWSER},
	{"firefox", "Firefox", CLIENT_BROWSER},
	{"fxios", "Firefox", CLIENT_BROWSER},
	{"crios", "Chrome", CLIENT_BROWSER},
	{"chrome", "Chrome", CLIENT_BROWSER},
	{"safari", "Safari", CLIENT_BROWSER},
	{"mozilla", "a browser", CLIENT_BROWSER},
};

enum { KINDS = sizeof kinds / sizeof kinds[0], SILENT = 0 };

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + ('a' - 'A')) : c;
}

unsigned client_kind_find(struct span text)
{
	char folded[CLIENT_TEXT_MOST];
	size_t size = text.size < sizeof folded ? text.size : sizeof folded, i;

	if (size == 0)
		return SILENT;
	for (i = 0; i < size; i++)
		folded[i] = lower(text.at[i]);
	for (i = CLIENT_KIND_OTHER + 1; i < KINDS; i++)
		if (memmem(folded, size, kinds[i].needle, strlen(kinds[i].needle)))
			return (unsigned)i;
	return CLIENT_KIND_OTHER;
}

const struct client_kind *client_kind_at(unsigned index)
{
	return &kinds[index < KINDS ? index : CLIENT_KIND_OTHER];
}

const struct client_kind *client_kind_named(struct span name)
{
	size_t i;

	for (i = 0; i < KINDS; i++)
		if (span_is(name, kinds[i].name))
			return &kinds[i];
	return &kinds[CLIENT_KIND_OTHER];
}
