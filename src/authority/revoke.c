#include "authority/revoke.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "authority/authority_handle.h"
#include "base/clock.h"
#include "registry/certificate_record.h"

struct collecting {
	struct buffer *active; /* fingerprints of those not yet revoked */
	struct buffer *all;
	bool met_unbelieved;
};

static enum status collect(void *arg, const struct certificate_record *certificate, struct error *err)
{
	struct collecting *collecting = arg;
	struct span fingerprint = span_make(certificate->fingerprint, FINGERPRINT_SIZE);

	(void)err;
	buffer_add(collecting->all, fingerprint);
	collecting->met_unbelieved = collecting->met_unbelieved || !certificate->is_authentic;
	if (certificate->state != CERTIFICATE_REVOKED)
		buffer_add(collecting->active, fingerprint);
	return OK;
}

static enum status revoke_one(struct authority *authority, const uint8_t *fingerprint, const char *reason,
			      struct error *err)
{
	struct certificate_record *certificate = malloc(sizeof *certificate);
	enum status status;

	if (!certificate)
		return error_fail(err, "no memory");
	TRY(certificate_record_load(authority->registry, fingerprint, certificate, err));
	/* A row that is not believed stays so: a new MAC would make the edit good. */
	if (!certificate->is_authentic)
		goto done;
	certificate->state = CERTIFICATE_REVOKED;
	certificate->revoked = clock_seconds();
	snprintf(certificate->reason, sizeof certificate->reason, "%s", reason);
	TRY(certificate_record_save(authority->registry, certificate, err));
done:
	free(certificate);
	return status;
}

enum status revoke_certificates(struct authority *authority, struct deed *deed,
				const struct device_record *device, const char *reason, struct error *err)
{
	struct buffer active;
	struct collecting collecting = {&active, &deed->fingerprints, false};
	enum status status;
	size_t at;

	buffer_init(&active, 1 << 20);
	TRY(certificate_record_each(authority->registry, device->id, collect, &collecting, err));
	if (!buffer_is_whole(&active) || !buffer_is_whole(&deed->fingerprints))
		TRY(error_fail(err, "no memory"));
	deed->rebuilds = deed->rebuilds || collecting.met_unbelieved;
	for (at = 0; at < active.size; at += FINGERPRINT_SIZE)
		TRY(revoke_one(authority, (const uint8_t *)active.at + at, reason, err));
done:
	buffer_release(&active);
	return status;
}

enum status revoke_device(struct authority *authority, struct deed *deed, struct device_record *device,
			  const char *reason, struct error *err)
{
	char kept[REASON_SIZE]; /* `reason` may be the device's own */
	enum status status;

	if (deed->device_count == DEED_DEVICES_MOST)
		return error_fail(err, "more than %d devices at once", DEED_DEVICES_MOST);
	snprintf(kept, sizeof kept, "%s", reason);
	TRY(revoke_certificates(authority, deed, device, reason, err));
	device->state = DEVICE_REVOKED;
	device->changed = clock_seconds();
	memcpy(device->reason, kept, sizeof device->reason);
	/* As with a certificate: only what is believed is written anew. A row that is not lets nobody in, and when
	 * it is made right again the list says that it is too late. */
	if (device->is_authentic)
		TRY(device_record_save(authority->registry, device, err));
	else
		deed->rebuilds = true;
	TRY(registry_note_revoked(authority->registry, REVOKED_DEVICE, device->id, err));
	deed_touch(deed, device->id);
	snprintf(deed->why, sizeof deed->why, "revoked");
done:
	return status;
}

enum status revoke_tell_again(struct authority *authority, struct deed *deed,
			      const uint8_t person[REGISTRY_ID_SIZE], struct error *err)
{
	struct device_record *devices = calloc(DEED_DEVICES_MOST, sizeof *devices);
	enum status status;
	size_t i, count;

	if (!devices)
		return error_fail(err, "no memory");
	TRY(device_record_list(authority->registry, person, NULL, devices, DEED_DEVICES_MOST, &count, err));
	for (i = 0; i < count; i++)
		if (devices[i].state == DEVICE_REVOKED)
			deed_touch(deed, devices[i].id);
	snprintf(deed->why, sizeof deed->why, "revoked");
	deed->ends = true;
done:
	free(devices);
	return status;
}
