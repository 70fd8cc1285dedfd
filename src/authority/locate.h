/*
 * locate - what people call a person or a device, found. A row that is not
 * believed is not found either: the text says so.
 */
#ifndef AUTHORITY_LOCATE_H
#define AUTHORITY_LOCATE_H

#include "registry/device_record.h"
#include "registry/person_record.h"

struct authority;

/* By name, e-mail or 32 hex digits; not the removed. */
MUST_CHECK enum status locate_person(struct authority *authority, const char *text,
				     struct person_record *out, struct error *err);
/* The id (with or without ".d.TRUST"), a unique prefix of it of at least 4 digits, or PERSON/LABEL. An
 * ambiguous one is REFUSED with the candidates. */
MUST_CHECK enum status locate_device(struct authority *authority, const char *text,
				     struct device_record *out, struct error *err);
/* The same, believed or not: look at is_authentic. For revoking, which an edited row must not prevent. */
MUST_CHECK enum status locate_device_even_unbelieved(struct authority *authority, const char *text,
						     struct device_record *out, struct error *err);
/* The device's owner. *has_owner false: nobody's. */
MUST_CHECK enum status locate_owner(struct authority *authority, const struct device_record *device,
				    struct person_record *out, bool *has_owner, struct error *err);

#endif
