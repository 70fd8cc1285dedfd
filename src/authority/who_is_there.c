#include "authority/who_is_there.h"

#include <stdlib.h>

#include "authority/authority_handle.h"
#include "authority/describe.h"
#include "bridge/ask.h"

struct counting {
	struct answer *answer;
	json_t *words;
	unsigned asked; /* questions under way, and one for the asking itself */
	json_int_t connections;
};

static void one_less(struct counting *counting)
{
	if (--counting->asked)
		return;
	json_object_set_new(counting->words, "connections", json_integer(counting->connections));
	answer_send(counting->answer, counting->words, -1);
	json_decref(counting->words);
	free(counting);
}

static void on_answer(void *arg, enum status status, const json_t *words, int fd, const struct error *err)
{
	struct counting *counting = arg;
	json_int_t count = json_integer_value(json_object_get(words, "connections"));

	(void)fd;
	(void)err;
	if (status == OK && count > 0)
		counting->connections += count;
	one_less(counting);
}

void who_is_there(struct authority *authority, struct deed *deed)
{
	struct counting *counting = calloc(1, sizeof *counting);

	if (!counting) {
		answer_send(deed->answer, deed->words, -1);
		return;
	}
	*counting = (struct counting){.answer = deed->answer, .words = json_incref(deed->words), .asked = 1};
	LIST_EACH(it, &authority->gateways) {
		struct gateway *gateway = OWNER_OF(it, struct gateway, in_authority);
		struct question question = {.name = "who", .fd = -1, .words = json_object()};

		json_object_set_new(question.words, "device", json_hex(deed->devices[0], REGISTRY_ID_SIZE));
		if (ask(gateway->channel, question, ACKNOWLEDGE_MS, on_answer, counting, NULL) == OK)
			counting->asked++;
	}
	one_less(counting);
}
