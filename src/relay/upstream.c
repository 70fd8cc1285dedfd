#include "relay/upstream.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "wire/url.h"

enum { FAILURES_TO_DOWN = 3, DOUBLINGS_MOST = 5 };
#define DOWN_LEAST SECONDS(1)
#define DOWN_MOST SECONDS(30)

struct upstream_limits upstream_limits_default(void)
{
	return (struct upstream_limits){
		.connect = SECONDS(5),
		.first_byte = SECONDS(60),
		.quiet = SECONDS(600),
		.wait = SECONDS(5),
		.idle = SECONDS(50),
		.age = SECONDS(3600),
		.most = 4096,
		.idle_most = 64,
		.waiting_most = 1024,
	};
}

static enum status set_unix(struct upstream *upstream, const char *path, struct error *err)
{
	char text[sizeof "unix:" + URL_SOCKET_PATH_MAX];

	snprintf(text, sizeof text, "unix:%s", path);
	snprintf(upstream->name, sizeof upstream->name, "%s", text);
	upstream->addresses_count = 1;
	return address_parse(span_of(text), &upstream->addresses[0], err);
}

static void set_host(struct upstream *upstream, const struct url *url)
{
	bool is_v6 = url->host.kind == HOST_IPV6;

	upstream->port = url->port;
	upstream->is_secure = url->scheme == URL_HTTPS;
	snprintf(upstream->literal, sizeof upstream->literal, "%s", url->host.text);
	snprintf(upstream->name, sizeof upstream->name, "%s%s%s:%u", is_v6 ? "[" : "",
		 url->host.text, is_v6 ? "]" : "", url->port);
	if (url->host.kind == HOST_DNS) {
		snprintf(upstream->host, sizeof upstream->host, "%s", url->host.text);
		return;
	}
	if (address_parse_ip(host_span(&url->host), &upstream->addresses[0])) {
		address_set_port(&upstream->addresses[0], url->port);
		upstream->addresses_count = 1;
	}
}

enum status upstream_init(struct upstream *upstream, struct span text,
			  const struct upstream_limits *limits, struct error *err)
{
	struct url url;
	enum status status;

	TRY(url_parse(text, &url, err));
	*upstream = (struct upstream){.limits = *limits};
	if (url.scheme == URL_UNIX)
		TRY(set_unix(upstream, url.path, err));
	else
		set_host(upstream, &url);
done:
	if (status != OK)
		error_context(err, "upstream");
	return status;
}

bool upstream_has_address(const struct upstream *upstream)
{
	return upstream->addresses_count > 0;
}

static bool is_same(const struct address *a, const struct address *b)
{
	return a->any.sa_family == b->any.sa_family &&
	       (a->any.sa_family == AF_UNIX ? strcmp(a->un.sun_path, b->un.sun_path) == 0
					    : address_is_same_host(a, b) && address_port(a) == address_port(b));
}

static const struct address *find(const struct upstream *upstream, const struct address *address)
{
	unsigned i;

	for (i = 0; i < upstream->addresses_count; i++)
		if (is_same(&upstream->addresses[i], address))
			return &upstream->addresses[i];
	return NULL;
}

bool upstream_serves_at(const struct upstream *upstream, const struct address *address)
{
	return find(upstream, address) != NULL;
}

bool upstream_resolve(struct upstream *upstream, const struct address *addresses, size_t count)
{
	struct upstream before = *upstream;
	const struct address *now;
	bool is_new = false;
	size_t i;

	if (count == 0)
		return false;
	if (count > UPSTREAM_ADDRESSES)
		count = UPSTREAM_ADDRESSES;
	for (i = 0; i < count; i++) {
		upstream->addresses[i] = addresses[i];
		address_set_port(&upstream->addresses[i], upstream->port);
		is_new |= !find(&before, &upstream->addresses[i]);
	}
	upstream->addresses_count = (unsigned)count;
	upstream->next_address = 0;
	if (before.addresses_count) {
		now = find(upstream, upstream_address(&before));
		upstream->next_address = now ? (unsigned)(now - upstream->addresses) : 0;
	}
	for (i = 0; i < before.addresses_count; i++)
		is_new |= !find(upstream, &before.addresses[i]);
	if (!is_new)
		return false;
	upstream->generation++;
	upstream->down_until = 0; /* what was down was elsewhere: due for a trial */
	return true;
}

const struct address *upstream_address(const struct upstream *upstream)
{
	return upstream->addresses_count ? &upstream->addresses[upstream->next_address] : NULL;
}

void upstream_next_address(struct upstream *upstream)
{
	if (upstream->addresses_count)
		upstream->next_address = (upstream->next_address + 1) % upstream->addresses_count;
}

enum upstream_standing upstream_standing(const struct upstream *upstream, int64_t now)
{
	if (upstream->downs == 0)
		return UPSTREAM_UP;
	return now < upstream->down_until || upstream->on_trial ? UPSTREAM_DOWN : UPSTREAM_DUE;
}

bool upstream_worked(struct upstream *upstream)
{
	bool is_back = upstream->downs > 0;

	upstream->figures.answers++;
	upstream->failures = upstream->downs = 0;
	upstream->on_trial = false;
	return is_back;
}

bool upstream_failed(struct upstream *upstream, int64_t now)
{
	int64_t time = DOWN_LEAST;

	upstream->figures.failures++;
	if (upstream->failures < FAILURES_TO_DOWN)
		upstream->failures++;
	/* What began before it was given up says nothing new. */
	if (upstream->failures < FAILURES_TO_DOWN || (upstream->downs > 0 && now < upstream->down_until))
		return false;
	time <<= upstream->downs < DOUBLINGS_MOST ? upstream->downs : DOUBLINGS_MOST;
	upstream->down_until = now + (time < DOWN_MOST ? time : DOWN_MOST);
	upstream->on_trial = false;
	return upstream->downs++ == 0;
}
