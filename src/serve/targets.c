#include "serve/targets.h"

#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "serve/settings.h"
#include "serve/upstream_settings.h"
#include "wire/url.h"

struct gathering {
	struct targets *targets;
	bool is_full;
};

bool targets_have(const struct targets *targets, enum target_kind kind, const char *text)
{
	uint32_t i;

	for (i = 0; i < targets->count; i++)
		if (targets->at[i].kind == (uint32_t)kind && strcmp(targets->at[i].text, text) == 0)
			return true;
	return false;
}

static void add(struct gathering *gathering, enum target_kind kind, const char *text)
{
	struct targets *targets = gathering->targets;

	if (targets_have(targets, kind, text))
		return;
	gathering->is_full |= targets->count == TARGETS_MOST;
	if (gathering->is_full)
		return;
	targets->at[targets->count].kind = kind;
	snprintf(targets->at[targets->count].text, TARGET_SIZE, "%s", text);
	targets->count++;
}

static void on_url(void *arg, struct span text)
{
	struct url url;

	if (url_parse(text, &url, NULL) != OK)
		return;
	if (url.scheme == URL_UNIX)
		add(arg, TARGET_SOCKET, url.path);
	else if (url.host.kind == HOST_DNS)
		add(arg, TARGET_NAME, url.host.text);
}

enum status targets_gather(const struct settings *settings, struct targets *out, struct error *err)
{
	struct gathering gathering = {.targets = out};

	memset(out, 0, sizeof *out);
	upstream_settings_each(settings_house(settings), on_url, &gathering);
	return gathering.is_full ? error_refuse(err, "more than %d host names and Unix sockets of upstreams", TARGETS_MOST)
				 : OK;
}

enum status targets_pack(const struct targets *targets, int *fd, struct error *err)
{
	int made = memfd_create("targets", MFD_CLOEXEC);

	if (made < 0 || pwrite(made, targets, sizeof *targets, 0) != (ssize_t)sizeof *targets) {
		if (made >= 0)
			close(made);
		return error_fail_errno(err, "cannot pack the names of upstreams");
	}
	*fd = made;
	return OK;
}

enum status targets_unpack(int fd, struct targets *out, struct error *err)
{
	uint32_t i;

	if (pread(fd, out, sizeof *out, 0) != (ssize_t)sizeof *out || out->count > TARGETS_MOST)
		return error_fail(err, "the names of upstreams did not come whole");
	for (i = 0; i < out->count; i++)
		out->at[i].text[TARGET_SIZE - 1] = '\0';
	return OK;
}
