#include "authority/describe.h"

#include <string.h>

#include "authority/authority_handle.h"
#include "authority/locate.h"
#include "base/encode.h"

enum { DEVICES_COUNTED = 256, HEX_MOST = 64 };

json_t *json_hex(const uint8_t *bytes, size_t size)
{
	char text[2 * HEX_MOST + 1];

	hex_write(bytes, size < HEX_MOST ? size : HEX_MOST, text);
	return json_string(text);
}

static json_t *group_list(const char *groups)
{
	json_t *list = json_array();
	struct span rest = span_of(groups), group;

	while (span_cut(&rest, ',', &group))
		json_array_append_new(list, json_stringn(group.at, group.size));
	return list;
}

static enum status count_devices(struct authority *authority, const struct person_record *person,
				 json_int_t *out, struct error *err)
{
	struct device_record devices[16];
	uint8_t last[REGISTRY_ID_SIZE];
	const uint8_t *after = NULL;
	enum status status;
	size_t count, i;

	*out = 0;
	do {
		TRY(device_record_list(authority->registry, person->id, after, devices, 16, &count, err));
		for (i = 0; i < count; i++)
			*out += devices[i].state != DEVICE_REVOKED;
		if (count)
			memcpy(last, devices[count - 1].id, sizeof last);
		after = last;
	} while (count == 16);
done:
	return status;
}

enum status describe_person(struct authority *authority, const struct person_record *person, json_t *into,
			    struct error *err)
{
	json_int_t devices;
	enum status status;

	TRY(count_devices(authority, person, &devices, err));
	json_object_set_new(into, "person", json_hex(person->id, sizeof person->id));
	json_object_set_new(into, "name", json_string(person->name));
	json_object_set_new(into, "email", json_string(person->email));
	json_object_set_new(into, "groups", group_list(person->groups));
	json_object_set_new(into, "role", json_string(person_role_name(person->role)));
	json_object_set_new(into, "state", json_string(person_state_name(person->state)));
	json_object_set_new(into, "created", json_integer(person->created));
	json_object_set_new(into, "devices", json_integer(devices));
	if (!person->is_authentic)
		json_object_set_new(into, "changed_by_hand", json_true());
done:
	return status;
}

struct newest {
	json_t *into;
	bool found;
};

/* Newest first: the first that is not revoked, else the first. */
static enum status note_newest(void *arg, const struct certificate_record *certificate, struct error *err)
{
	struct newest *newest = arg;

	(void)err;
	if (newest->found)
		return OK;
	json_object_set_new(newest->into, "not_after", json_integer(certificate->not_after));
	json_object_set_new(newest->into, "serial", json_hex(certificate->serial, SERIAL_SIZE));
	newest->found = certificate->state == CERTIFICATE_ACTIVE;
	return OK;
}

enum status describe_device(struct authority *authority, const struct device_record *device, json_t *into,
			    struct error *err)
{
	struct newest newest = {.into = into};
	struct person_record owner;
	char id[DEVICE_ID_TEXT];
	enum status status;
	bool has_owner;

	authority_device_text(authority, device->id, id);
	TRY(locate_owner(authority, device, &owner, &has_owner, err));
	json_object_set_new(into, "device", json_string(id));
	json_object_set_new(into, "person", has_owner ? json_string(owner.name) : json_null());
	json_object_set_new(into, "label", json_string(device->label));
	json_object_set_new(into, "kind", json_string(device_kind_name(device->kind)));
	json_object_set_new(into, "state", json_string(device_state_name(device->state)));
	json_object_set_new(into, "reason", json_string(device->reason));
	json_object_set_new(into, "created", json_integer(device->created));
	json_object_set_new(into, "seen", device->seen ? json_integer(device->seen) : json_null());
	json_object_set_new(into, "not_after", json_null());
	json_object_set_new(into, "serial", json_null());
	if (!device->is_authentic)
		json_object_set_new(into, "changed_by_hand", json_true());
	TRY(certificate_record_each(authority->registry, device->id, note_newest, &newest, err));
done:
	return status;
}

json_t *describe_certificate(const struct certificate_record *certificate)
{
	json_t *out = json_object();

	json_object_set_new(out, "fingerprint", json_hex(certificate->fingerprint, FINGERPRINT_SIZE));
	json_object_set_new(out, "serial", json_hex(certificate->serial, SERIAL_SIZE));
	json_object_set_new(out, "profile", json_string(certificate->profile));
	json_object_set_new(out, "subject", json_string(certificate->subject));
	json_object_set_new(out, "not_before", json_integer(certificate->not_before));
	json_object_set_new(out, "not_after", json_integer(certificate->not_after));
	json_object_set_new(out, "state", json_string(certificate_state_name(certificate->state)));
	json_object_set_new(out, "revoked", certificate->revoked ? json_integer(certificate->revoked)
								 : json_null());
	json_object_set_new(out, "reason", json_string(certificate->reason));
	if (!certificate->is_authentic)
		json_object_set_new(out, "changed_by_hand", json_true());
	return out;
}
