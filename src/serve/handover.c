#include "serve/handover.h"

#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "serve/supervisor_parts.h"
#include "shm/meter.h"
#include "shm/scoreboard.h"
#include "shm/session_store.h"

static const char magic[8] = "chtlnup";

static void fill_shapes(uint32_t shapes[static HANDOVER_SHAPES])
{
	const uint32_t ours[HANDOVER_SHAPES] = {
		SCOREBOARD_LAYOUT,  sizeof(struct score_page), SCORE_COUNT, SCORE_REFUSALS,	  sizeof(struct score_site), SITE_COUNT,
		HOUSE_COUNT,	    SCORE_SITES,	       PARTS_MOST,  SESSION_STORE_LAYOUT, sizeof(struct session),    METER_LAYOUT,
	};

	memcpy(shapes, ours, sizeof ours);
}

void handover_begin(struct handover *handover)
{
	memset(handover, 0, sizeof *handover);
	memcpy(handover->magic, magic, sizeof magic);
	handover->layout = HANDOVER_LAYOUT;
	handover->size = sizeof *handover;
	handover->pid = getpid();
	snprintf(handover->version, sizeof handover->version, "%s", VERSION);
	fill_shapes(handover->shapes);
}

enum status handover_write(const struct handover *handover, int *fd, struct error *err)
{
	int made = memfd_create("handover", MFD_ALLOW_SEALING);

	if (made >= 0 && write(made, handover, sizeof *handover) == (ssize_t)sizeof *handover &&
	    fcntl(made, F_ADD_SEALS, F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL) == 0) {
		*fd = made;
		return OK;
	}
	(void)error_fail_errno(err, "cannot write down what is to be handed over");
	if (made >= 0)
		close(made);
	return FAILED;
}

static bool is_terminated(const char *text, size_t size)
{
	return memchr(text, 0, size) != NULL;
}

enum status handover_read(int fd, int32_t pid, struct handover *out, struct error *err)
{
	ssize_t got = pread(fd, out, sizeof *out, 0);

	if (fcntl(fd, F_GET_SEALS) < 0 || got < 16 || memcmp(out->magic, magic, sizeof magic) != 0)
		return error_refuse(err, "descriptor %d is no handover of chatelaine's", fd);
	if (out->layout != HANDOVER_LAYOUT || out->size != sizeof *out || got != (ssize_t)sizeof *out)
		return error_refuse(err, "version " VERSION " cannot take over from the one that runs (handover %u, not %d): "
				    "stop chatelaine and start it again", out->layout, HANDOVER_LAYOUT);
	if (out->pid != pid || out->socket_count > PLAN_LISTEN_MOST || out->part_count > HANDOVER_PARTS_MOST ||
	    !is_terminated(out->version, sizeof out->version) || !is_terminated(out->why, sizeof out->why) ||
	    !is_terminated(out->binary, sizeof out->binary) || !is_terminated(out->state, sizeof out->state))
		return error_refuse(err, "the handover is damaged");
	return OK;
}

bool handover_has_our_shapes(const struct handover *handover)
{
	uint32_t ours[HANDOVER_SHAPES];

	fill_shapes(ours);
	return memcmp(ours, handover->shapes, sizeof ours) == 0;
}

static void keep(int fd, bool open)
{
	if (fd >= 0)
		(void)fcntl(fd, F_SETFD, open ? 0 : FD_CLOEXEC);
}

void handover_keep_open(const struct handover *handover, bool open)
{
	uint32_t i;

	keep(handover->old_binary, open);
	keep(handover->plan, open);
	keep(handover->bundle, open);
	keep(handover->targets, open);
	keep(handover->commands, open);
	keep(handover->access, open);
	keep(handover->scoreboard, open);
	keep(handover->sessions, open);
	keep(handover->meter, open);
	for (i = 0; i < handover->socket_count; i++)
		keep(handover->sockets[i], open);
	for (i = 0; i < handover->part_count; i++)
		keep(handover->parts[i].orders, open);
}
