#include "serve/sockets.h"

#include <string.h>
#include <unistd.h>

#include "serve/listening.h"

/* What is spoken there may change: a gateway is told by letter. */
static bool is_same(const struct plan_listen *a, const struct plan_listen *b)
{
	return a->at.size == b->at.size && memcmp(&a->at.any, &b->at.any, a->at.size) == 0;
}

/* Ours, of another address with this port: 0.0.0.0:443 cannot be had while 127.0.0.1:443 is held. */
static void explain_overlap(const struct sockets *before, const struct plan_listen *wanted, struct error *err)
{
	char held[ADDRESS_TEXT_SIZE], where[ADDRESS_TEXT_SIZE];
	unsigned i;

	for (i = 0; i < before->count; i++) {
		if (address_port(&before->listen[i].at) != address_port(&wanted->at) ||
		    before->listen[i].at.any.sa_family != wanted->at.any.sa_family)
			continue;
		address_text(&before->listen[i].at, held);
		address_text(&wanted->at, where);
		(void)error_refuse(err, "%s cannot be opened while this door listens on %s; start chatelaine again to "
				   "change one for the other", where, held);
		return;
	}
}

static int find(const struct sockets *sockets, const struct plan_listen *wanted)
{
	unsigned i;

	for (i = 0; i < sockets->count; i++)
		if (is_same(&sockets->listen[i], wanted))
			return sockets->fds[i];
	return -1;
}

static bool has(const struct sockets *sockets, int fd)
{
	unsigned i;

	for (i = 0; i < sockets->count; i++)
		if (sockets->fds[i] == fd)
			return true;
	return false;
}

enum status sockets_open(const struct plan *plan, const struct sockets *before, struct sockets *out,
			 struct error *err)
{
	struct sockets made = {.count = 0};
	unsigned i;

	for (i = 0; i < plan->listen_count; i++) {
		int fd = find(before, &plan->listen[i]);
		enum status status = fd >= 0 ? OK : listening_open(&plan->listen[i].at, &fd, err);

		if (status != OK) {
			explain_overlap(before, &plan->listen[i], err);
			sockets_close_others(&made, before);
			return status;
		}
		made.listen[made.count] = plan->listen[i];
		made.fds[made.count++] = fd;
	}
	*out = made;
	return OK;
}

void sockets_close_others(struct sockets *sockets, const struct sockets *kept)
{
	unsigned i;

	for (i = 0; i < sockets->count; i++)
		if (!has(kept, sockets->fds[i]))
			close(sockets->fds[i]);
	sockets->count = 0;
}
