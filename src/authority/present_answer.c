#include <stdlib.h>
#include <string.h>

#include "authority/answers.h"
#include "authority/authority_handle.h"
#include "authority/describe.h"
#include "authority/locate.h"
#include "base/encode.h"
#include "bridge/ask.h"

enum { PRESENT_MOST = 100 };

/* Who is connected now, from all gateways; one more is owed for the asking itself. */
struct gathering {
	struct authority *authority;
	struct answer *answer;
	unsigned owed, count;
	uint64_t devices; /* that the gateways have, one that is at two of them twice */
	struct present_device {
		uint8_t id[REGISTRY_ID_SIZE];
		int64_t connections, requests;
	} at[PRESENT_MOST];
};

static json_t *describe_present(struct authority *authority, const struct present_device *present)
{
	char text[DEVICE_ID_TEXT];
	struct device_record device;
	struct person_record owner;
	bool has_owner = false;
	json_t *out;

	authority_device_text(authority, present->id, text);
	out = json_pack("{s:s, s:I, s:I}", "device", text, "connections", (json_int_t)present->connections, "requests",
			(json_int_t)present->requests);
	if (device_record_load(authority->registry, present->id, &device, NULL) != OK)
		return out;
	json_object_set_new(out, "label", json_string(device.label));
	if (locate_owner(authority, &device, &owner, &has_owner, NULL) == OK && has_owner)
		json_object_set_new(out, "person", json_string(owner.name));
	return out;
}

static int busier_first(const void *a, const void *b)
{
	const struct present_device *one = a, *other = b;

	return (one->connections < other->connections) - (one->connections > other->connections);
}

static void one_less(struct gathering *gathering)
{
	json_t *list, *words;
	unsigned i;

	if (--gathering->owed)
		return;
	qsort(gathering->at, gathering->count, sizeof *gathering->at, busier_first);
	list = json_array();
	for (i = 0; i < gathering->count; i++)
		json_array_append_new(list, describe_present(gathering->authority, &gathering->at[i]));
	words = json_pack("{s:o, s:I}", "devices", list, "more",
			  (json_int_t)(gathering->devices > gathering->count ? gathering->devices - gathering->count : 0));
	answer_send(gathering->answer, words, -1);
	json_decref(words);
	free(gathering);
}

/* A gateway is believed for numbers to be shown, and for no more than there may be. */
static void add(struct gathering *gathering, const json_t *row)
{
	json_int_t connections = json_integer_value(json_object_get(row, "connections"));
	json_int_t requests = json_integer_value(json_object_get(row, "requests"));
	struct present_device *into;
	uint8_t id[REGISTRY_ID_SIZE];
	unsigned i;

	if (words_hex(row, "device", id, sizeof id, NULL) != OK || connections < 0 || connections > 1 << 30 || requests < 0 ||
	    requests > (json_int_t)1 << 50)
		return;
	for (i = 0; i < gathering->count && memcmp(gathering->at[i].id, id, sizeof id) != 0;)
		i++;
	if (i == PRESENT_MOST)
		return;
	into = &gathering->at[i];
	if (i == gathering->count) {
		memcpy(into->id, id, sizeof id);
		gathering->count++;
	} else if (gathering->devices) {
		gathering->devices--; /* a total may be a lie */
	}
	into->connections += connections;
	into->requests += requests;
}

static void on_present(void *arg, enum status status, const json_t *words, int fd, const struct error *err)
{
	struct gathering *gathering = arg;
	const json_t *list = json_object_get(words, "devices");
	json_int_t total = json_integer_value(json_object_get(words, "total"));
	size_t i;

	(void)fd;
	(void)err;
	if (status == OK && total > 0 && total < 1 << 30)
		gathering->devices += (uint64_t)total;
	for (i = 0; status == OK && i < json_array_size(list) && i < PRESENT_MOST; i++)
		add(gathering, json_array_get(list, i));
	one_less(gathering);
}

void answer_present(void *house, struct answer *answer, const json_t *words, int fd)
{
	struct authority *authority = house;
	struct gathering *gathering = calloc(1, sizeof *gathering);
	struct error err;

	(void)words;
	(void)fd;
	if (!gathering) {
		(void)error_fail(&err, "no memory");
		answer_fail(answer, &err);
		return;
	}
	gathering->authority = authority;
	gathering->answer = answer;
	gathering->owed = 1;
	LIST_EACH(it, &authority->gateways) {
		struct gateway *gateway = OWNER_OF(it, struct gateway, in_authority);
		struct question question = {.name = "present", .fd = -1, .words = json_object()};

		if (ask(gateway->channel, question, ACKNOWLEDGE_MS, on_present, gathering, NULL) == OK)
			gathering->owed++;
	}
	one_less(gathering);
}
