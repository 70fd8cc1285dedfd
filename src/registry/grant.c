#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "registry/certificate_row.h"
#include "registry/device_row.h"
#include "registry/person_row.h"
#include "registry/registry_handle.h"

/* One row of the join, and the sentence about it when it is not believed. */
struct grant_rows {
	struct certificate_record certificate;
	struct device_record device;
	struct person_record person;
	char refused[256];
};

/* Which row is it, in words that lead to it: `sqlite3 registry.db` shows ids as hex too. */
static const char *judge(struct grant_rows *rows)
{
	char id[2 * FINGERPRINT_SIZE + 1];

	rows->refused[0] = 0;
	if (!rows->certificate.is_authentic) {
		hex_write(rows->certificate.fingerprint, FINGERPRINT_SIZE, id);
		snprintf(rows->refused, sizeof rows->refused,
			 "certificate %s (%.80s) was changed by hand: it is not let in", id,
			 rows->certificate.subject);
	} else if (!rows->device.is_authentic) {
		hex_write(rows->device.id, REGISTRY_ID_SIZE, id);
		snprintf(rows->refused, sizeof rows->refused,
			 "device %s (%s) was changed by hand: it is not let in", id, rows->device.label);
	} else if (rows->device.has_person && !rows->person.is_authentic) {
		hex_write(rows->device.person, REGISTRY_ID_SIZE, id);
		snprintf(rows->refused, sizeof rows->refused,
			 "person %s (%s) was changed by hand: none of the devices is let in", id,
			 rows->person.name);
	} else {
		return NULL;
	}
	return rows->refused;
}

static void read_grant(struct query *query, struct grant_rows *rows, struct grant *out)
{
	certificate_row_read(query, &rows->certificate);
	device_row_read(query, &rows->device);
	if (query_is_null(query))
		memset(&rows->person, 0, sizeof rows->person);
	else
		person_row_read(query, &rows->person);
	out->certificate = &rows->certificate;
	out->device = &rows->device;
	out->person = rows->device.has_person ? &rows->person : NULL;
	out->refused = judge(rows);
}

static enum status walk(struct query *query, grant_visit *visit, void *arg, struct error *err)
{
	struct grant_rows *rows = calloc(1, sizeof *rows);
	struct grant grant;
	enum status status = OK;
	bool row;

	if (!rows)
		status = error_fail(err, "no memory");
	while (status == OK && (status = query_step(query, &row, err)) == OK && row) {
		read_grant(query, rows, &grant);
		status = visit(arg, &grant, err);
	}
	query_end(query);
	free(rows);
	return status;
}

enum status grant_each(struct registry *registry, int64_t since, grant_visit *visit, void *arg,
		       struct error *err)
{
	struct query query;
	enum status status;

	TRY(query_start(registry, GRANT_EACH, &query, err));
	query_put_number(&query, since);
	status = walk(&query, visit, arg, err);
done:
	return status;
}

enum status grant_each_of_device(struct registry *registry, const uint8_t device[REGISTRY_ID_SIZE],
				 grant_visit *visit, void *arg, struct error *err)
{
	struct query query;
	enum status status;

	TRY(query_start(registry, GRANT_EACH_OF_DEVICE, &query, err));
	query_put_blob(&query, device, REGISTRY_ID_SIZE);
	status = walk(&query, visit, arg, err);
done:
	return status;
}
