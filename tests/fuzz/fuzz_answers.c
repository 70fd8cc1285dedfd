/* Frames against the CA's whole table, as every role; the first byte says which. */
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "authority/authority_handle.h"
#include "authority/house.h"
#include "base/log.h"
#include "bridge/ask.h"
#include "bridge/frame.h"

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);

static struct authority *authority;
static char state[64];

static enum status keep_quiet(void *arg, struct span phrase, struct error *err)
{
	(void)arg;
	(void)phrase;
	(void)err;
	return OK;
}

static void clean_up(void)
{
	char command[128];

	authority_free(authority);
	snprintf(command, sizeof command, "rm -rf %s", state);
	if (system(command))
		fprintf(stderr, "%s stays\n", state);
}

static void set_up(void)
{
	struct house_plan plan = {.state = state, .site = SPAN("chat.example.com"), .reveal = keep_quiet};
	struct authority_options options = {.state = state, .roster_room = 1000};
	struct error err;

	log_init("fuzz", LOG_ERROR + 1);
	snprintf(state, sizeof state, "%s/fuzz-answers-%d", access("/dev/shm", W_OK) ? "/tmp" : "/dev/shm",
		 (int)getpid());
	if (house_init(&plan, &err) != OK || authority_open(&options, &authority, &err) != OK) {
		fprintf(stderr, "%s\n", err.text);
		abort();
	}
	atexit(clean_up);
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	static const enum role roles[] = {ROLE_CLI, ROLE_CLI, ROLE_STRANGER, ROLE_GATEWAY, ROLE_CONSOLE};
	json_t *frame = NULL, *out = NULL;
	struct error err;
	int fd = -1;

	if (!authority)
		set_up();
	if (size < 2 || frame_read_words(span_make(bytes + 1, size - 1), &frame, &err) != OK)
		return 0;
	if (json_is_string(json_object_get(frame, "question"))) {
		struct question question = {.name = json_string_value(json_object_get(frame, "question")),
					    .words = json_incref(json_object_get(frame, "words")),
					    .key = json_string_value(json_object_get(frame, "key")),
					    .fd = -1};

		if (question_dispatch_local(&authority->table, roles[bytes[0] % 5], question, &out, &fd, &err) == OK)
			json_decref(out);
		if (fd >= 0)
			close(fd);
	}
	json_decref(frame);
	return 0;
}
