#include "authority/answers.h"
#include "authority/authority_handle.h"
#include "authority/turn.h"
#include "base/clock.h"
#include "base/encode.h"
#include "registry/device_record.h"

enum { SEEN_MOST = 512 };

void answer_roster(void *house, struct answer *answer, const json_t *words, int fd)
{
	const struct authority *authority = house;

	(void)words;
	(void)fd;
	answer_send(answer, NULL, roster_fd(authority->roster));
}

/* What a gateway says here is believed for one thing only: the column that says when. */
static enum status seen(struct authority *authority, struct deed *deed, const json_t *words, struct error *err)
{
	const json_t *devices = json_object_get(words, "devices");
	int64_t now = clock_seconds();
	uint8_t id[REGISTRY_ID_SIZE];
	enum status status = OK;
	size_t i;

	(void)deed;
	if (!json_is_array(devices) || json_array_size(devices) > SEEN_MOST)
		return error_refuse(err, "devices: a list of at most %d ids is wanted", SEEN_MOST);
	for (i = 0; i < json_array_size(devices) && status == OK; i++) {
		const json_t *device = json_array_get(devices, i);

		if (!json_is_string(device) || !hex_read(span_of(json_string_value(device)), id, sizeof id))
			return error_refuse(err, "devices: 32 hex digits each are wanted");
		status = device_record_set_seen(authority->registry, id, now, err);
	}
	return status;
}

void answer_seen(void *house, struct answer *answer, const json_t *words, int fd)
{
	(void)fd;
	turn_write(house, answer, words, seen, NULL);
}
