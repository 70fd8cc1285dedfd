#include <stdlib.h>
#include <string.h>

#include "authority/answers.h"
#include "authority/authority_handle.h"
#include "authority/describe.h"
#include "authority/entry_check.h"
#include "authority/locate.h"
#include "authority/revoke.h"
#include "authority/turn.h"
#include "base/encode.h"

enum { TEXT_MOST = 1024, PAGE = 100 };

static enum status list(struct authority *authority, struct deed *deed, const json_t *words, struct error *err)
{
	struct device_record devices[PAGE];
	struct person_record person;
	uint8_t after[REGISTRY_ID_SIZE];
	const char *name, *from;
	json_t *out = json_array();
	enum status status;
	size_t i, count;

	json_object_set_new(deed->words, "devices", out);
	TRY(words_text_maybe(words, "person", TEXT_MOST, &name, err));
	TRY(words_text_maybe(words, "after", TEXT_MOST, &from, err));
	if (name)
		TRY(locate_person(authority, name, &person, err));
	if (from && !hex_read(span_of(from), after, sizeof after))
		return error_refuse(err, "after: 32 hex digits are wanted, as `next` of the answer before gives them");
	TRY(device_record_list(authority->registry, name ? person.id : NULL, from ? after : NULL, devices, PAGE,
			       &count, err));
	for (i = 0; i < count; i++) {
		json_t *device = json_object();

		json_array_append_new(out, device);
		TRY(describe_device(authority, &devices[i], device, err));
	}
	if (count == PAGE)
		json_object_set_new(deed->words, "next", json_hex(devices[PAGE - 1].id, REGISTRY_ID_SIZE));
done:
	return status;
}

void answer_device_list(void *house, struct answer *answer, const json_t *words, int fd)
{
	(void)fd;
	turn_read(house, answer, words, list);
}

static enum status add_certificate(void *arg, const struct certificate_record *certificate, struct error *err)
{
	(void)err;
	/* 50 are a good 30 KB; the newest come first. */
	if (json_array_size(arg) < 50)
		json_array_append_new(arg, describe_certificate(certificate));
	return OK;
}

static enum status show(struct authority *authority, struct deed *deed, const json_t *words, struct error *err)
{
	struct device_record device;
	json_t *certificates = json_array();
	const char *name;
	enum status status;

	json_object_set_new(deed->words, "certificates", certificates);
	TRY(words_text(words, "device", TEXT_MOST, &name, err));
	TRY(locate_device(authority, name, &device, err));
	TRY(describe_device(authority, &device, deed->words, err));
	TRY(certificate_record_each(authority->registry, device.id, add_certificate, certificates, err));
	deed->counts_live = true;
	deed_touch(deed, device.id);
done:
	return status;
}

void answer_device_show(void *house, struct answer *answer, const json_t *words, int fd)
{
	(void)fd;
	turn_read(house, answer, words, show);
}

static enum status revoke(struct authority *authority, struct deed *deed, const json_t *words,
			  struct error *err)
{
	struct device_record device;
	char reason[REASON_SIZE], id[DEVICE_ID_TEXT];
	const char *name, *why;
	enum status status;
	bool was_revoked;

	TRY(words_text(words, "device", TEXT_MOST, &name, err));
	TRY(words_text_maybe(words, "reason", TEXT_MOST, &why, err));
	TRY(entry_check_reason(span_of(why ? why : ""), reason, sizeof reason, err));
	TRY(locate_device_even_unbelieved(authority, name, &device, err));
	was_revoked = device.state == DEVICE_REVOKED;
	/* Once more does no harm, and closes what a lost answer left in doubt; the first reason stays. */
	TRY(revoke_device(authority, deed, &device, was_revoked ? device.reason : reason, err));
	authority_device_text(authority, device.id, id);
	TRY(turn_audit(deed, id, err, "%s%s%s", device.label, *device.reason ? ": " : "", device.reason));
	TRY(describe_device(authority, &device, deed->words, err));
	json_object_set_new(deed->words, "was_revoked", json_boolean(was_revoked));
	deed->ends = true;
done:
	return status;
}

void answer_device_revoke(void *house, struct answer *answer, const json_t *words, int fd)
{
	(void)fd;
	turn_write(house, answer, words, revoke, NULL);
}
