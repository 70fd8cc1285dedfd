#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/encode.h"
#include "base/log.h"
#include "registry/audit_record.h"
#include "registry/certificate_row.h"
#include "registry/device_row.h"
#include "registry/person_row.h"
#include "registry/registry_handle.h"

/*
 * The registry and the list of what was revoked, each made whole from the
 * other: a crash may leave a revocation in the registry alone, and an older
 * copy of the registry that was put back lacks what the list has.
 */

#define WHY "revoked before; the registry was put back to an earlier state"

union any_record {
	struct person_record person;
	struct device_record device;
	struct certificate_record certificate;
};

/* From the registry to the list --------------------------------------------- */

static enum status note_row(struct registry *registry, enum revoked_kind kind, struct query *query,
			    union any_record *room, struct error *err)
{
	const uint8_t *id;
	bool is_believed;

	if (kind == REVOKED_PERSON) {
		person_row_read(query, &room->person);
		id = room->person.id;
		is_believed = room->person.is_authentic;
	} else if (kind == REVOKED_DEVICE) {
		device_row_read(query, &room->device);
		id = room->device.id;
		is_believed = room->device.is_authentic;
	} else {
		certificate_row_read(query, &room->certificate);
		id = room->certificate.fingerprint;
		is_believed = room->certificate.is_authentic;
	}
	return is_believed ? revoked_list_note(registry->revoked, kind, id, err) : OK;
}

static enum status note_rows(struct registry *registry, enum revoked_kind kind, union any_record *room,
			     struct error *err)
{
	static const enum statement statements[] = {[REVOKED_PERSON] = PERSON_REMOVED_ALREADY,
						    [REVOKED_DEVICE] = DEVICE_REVOKED_ALREADY,
						    [REVOKED_CERTIFICATE] = CERTIFICATE_REVOKED_ALREADY};
	struct query query;
	enum status status;
	bool row;

	TRY(query_start(registry, statements[kind], &query, err));
	while ((status = query_step(&query, &row, err)) == OK && row) {
		status = note_row(registry, kind, &query, room, err);
		if (status != OK)
			break;
	}
	query_end(&query);
done:
	return status;
}

static enum status note_all(struct registry *registry, union any_record *room, struct error *err)
{
	struct error why;
	enum status status;

	TRY(note_rows(registry, REVOKED_PERSON, room, err));
	TRY(note_rows(registry, REVOKED_DEVICE, room, err));
	TRY(note_rows(registry, REVOKED_CERTIFICATE, room, err));
	if (revoked_list_commit(registry->revoked, &why) != OK)
		log_say(LOG_ERROR, "revoked-list", "%s; it is tried again", why.text);
done:
	return status;
}

/* From the list to the registry --------------------------------------------- */

static enum status end_person(struct registry *registry, const uint8_t *id, struct person_record *person,
			      bool *was_put_back, struct error *err)
{
	enum status status = person_record_load(registry, id, person, NULL);

	if (status != OK || !person->was_put_back || !person->is_authentic)
		return OK; /* an older copy may not even know it */
	person->changed = clock_seconds();
	*was_put_back = true;
	return person_record_save(registry, person, err);
}

static enum status end_device(struct registry *registry, const uint8_t *id, struct device_record *device,
			      bool *was_put_back, struct error *err)
{
	enum status status = device_record_load(registry, id, device, NULL);

	if (status != OK || !device->was_put_back || !device->is_authentic)
		return OK;
	device->changed = clock_seconds();
	snprintf(device->reason, sizeof device->reason, WHY);
	*was_put_back = true;
	return device_record_save(registry, device, err);
}

static enum status end_certificate(struct registry *registry, const uint8_t *id,
				   struct certificate_record *certificate, bool *was_put_back, struct error *err)
{
	enum status status = certificate_record_load(registry, id, certificate, NULL);

	if (status != OK || !certificate->was_put_back || !certificate->is_authentic)
		return OK;
	certificate->revoked = clock_seconds();
	snprintf(certificate->reason, sizeof certificate->reason, WHY);
	*was_put_back = true;
	return certificate_record_save(registry, certificate, err);
}

static enum status write_audit(struct registry *registry, const struct revoked_entry *entry, struct error *err)
{
	char hex[2 * REVOKED_ID_MOST + 1];
	struct audit_entry line = {SPAN("chatelaine"), SPAN("revoked-again"), SPAN(""), SPAN(WHY)};

	hex_write(entry->id, revoked_id_size((enum revoked_kind)entry->kind), hex);
	line.subject = span_of(hex);
	return audit_record_add(registry, clock_seconds(), &line, err);
}

static enum status end_one(struct registry *registry, const struct revoked_entry *entry, union any_record *room,
			   unsigned *put_back, struct error *err)
{
	bool was_put_back = false;
	enum status status;

	if (entry->kind == REVOKED_PERSON)
		status = end_person(registry, entry->id, &room->person, &was_put_back, err);
	else if (entry->kind == REVOKED_DEVICE)
		status = end_device(registry, entry->id, &room->device, &was_put_back, err);
	else
		status = end_certificate(registry, entry->id, &room->certificate, &was_put_back, err);
	if (status == OK && was_put_back) {
		++*put_back;
		status = write_audit(registry, entry, err);
	}
	return status;
}

static enum status end_all(struct registry *registry, union any_record *room, unsigned *put_back,
			   struct error *err)
{
	const struct revoked_entry *entry;
	enum status status;
	size_t i;

	TRY(registry_begin(registry, err));
	for (i = 0; (entry = revoked_list_at(registry->revoked, i)); i++)
		TRY(end_one(registry, entry, room, put_back, err));
	TRY(registry_commit(registry, err));
done:
	registry_rollback(registry);
	return status;
}

enum status registry_remember(struct registry *registry, const char *path, struct registry_memory *out,
			      struct error *err)
{
	union any_record *room = malloc(sizeof *room);
	struct error why;
	enum status status;

	*out = (struct registry_memory){0};
	if (!room)
		return error_fail(err, "no memory");
	TRY(revoked_list_open(path, &registry->revoked, &out->damaged, err));
	TRY(note_all(registry, room, err));
	/* What cannot be written (a full disk) holds all the same, by the list. */
	if (end_all(registry, room, &out->put_back, &why) != OK)
		log_say(LOG_ERROR, "revoked-list", "%s", why.text);
done:
	free(room);
	return status;
}

enum status registry_note_revoked(struct registry *registry, enum revoked_kind kind, const uint8_t *id,
				  struct error *err)
{
	return revoked_list_note(registry->revoked, kind, id, err);
}
