#include "wire/url.h"

#include <stdio.h>

enum { HTTP_PORT = 80, HTTPS_PORT = 443 };

static enum status refuse(struct span text, const char *why, struct error *err)
{
	return error_refuse(err, "\"%.*s\": %s", SPAN_PRINT(text), why);
}

static enum status parse_unix(struct span text, struct span path, struct url *out, struct error *err)
{
	if (path.size == 0 || path.at[0] != '/' || memchr(path.at, 0, path.size))
		return refuse(text, "a Unix socket is written unix:/absolute/path", err);
	if (path.size > URL_SOCKET_PATH_MAX)
		return refuse(text, "a Unix socket's path has at most 107 bytes", err);
	memset(out, 0, sizeof *out);
	out->scheme = URL_UNIX;
	memcpy(out->path, path.at, path.size);
	return OK;
}

static bool starts_nocase(struct span text, const char *prefix)
{
	struct span head = {text.at, strlen(prefix)};

	return text.size >= head.size && span_is_nocase(head, prefix);
}

/* What people write instead, and what to write. */
static enum status refuse_scheme(struct span text, struct error *err)
{
	if (starts_nocase(text, "ws://"))
		return refuse(text, "write http:// instead of ws://; WebSockets go the same way", err);
	if (starts_nocase(text, "wss://"))
		return refuse(text, "write https:// instead of wss://; WebSockets go the same way", err);
	if (starts_nocase(text, "http+unix:") || starts_nocase(text, "http://unix:"))
		return refuse(text, "a Unix socket is written unix:/absolute/path", err);
	return refuse(text, "expected http://HOST:PORT, https://HOST:PORT or unix:/absolute/path", err);
}

static enum status check_rest(struct span text, struct span rest, struct error *err)
{
	if (rest.size == 0 || span_is(rest, "/"))
		return OK;
	if (rest.at[0] == '/' && !memchr(rest.at, '?', rest.size) && !memchr(rest.at, '#', rest.size))
		return refuse(text, "an upstream has no path: requests keep the path that the client "
			      "asked for", err);
	return refuse(text, "an upstream has no query and no fragment", err);
}

enum status url_parse(struct span text, struct url *out, struct error *err)
{
	struct span host = text, rest;
	struct url url;
	enum status status;

	memset(&url, 0, sizeof url);
	if (starts_nocase(text, "unix:")) {
		span_skip(&host, 5);
		return parse_unix(text, host, out, err);
	}
	if (starts_nocase(text, "http://unix:"))
		return refuse_scheme(text, err);
	if (starts_nocase(text, "https://"))
		url.scheme = URL_HTTPS;
	else if (starts_nocase(text, "http://"))
		url.scheme = URL_HTTP;
	else
		return refuse_scheme(text, err);
	span_skip(&host, url.scheme == URL_HTTPS ? 8 : 7);
	rest = host;
	while (rest.size && rest.at[0] != '/' && rest.at[0] != '?' && rest.at[0] != '#')
		span_skip(&rest, 1);
	host.size -= rest.size;
	if (host.size && memchr(host.at, '@', host.size))
		return refuse(text, "an upstream has no user name or password", err);
	TRY(check_rest(text, rest, err));
	TRY(host_fold(host, &url.host, err));
	url.port = url.host.port ? url.host.port : url.scheme == URL_HTTPS ? HTTPS_PORT : HTTP_PORT;
	*out = url;
done:
	return status;
}

void url_text(const struct url *url, char out[static URL_TEXT_SIZE])
{
	bool is_https = url->scheme == URL_HTTPS, is_v6 = url->host.kind == HOST_IPV6;
	int size;

	if (url->scheme == URL_UNIX) {
		snprintf(out, URL_TEXT_SIZE, "unix:%s", url->path);
		return;
	}
	size = snprintf(out, URL_TEXT_SIZE, "%s://%s%s%s", is_https ? "https" : "http", is_v6 ? "[" : "",
			url->host.text, is_v6 ? "]" : "");
	if (url->port != (is_https ? HTTPS_PORT : HTTP_PORT))
		snprintf(out + size, URL_TEXT_SIZE - (size_t)size, ":%u", url->port);
}
