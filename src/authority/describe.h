/* describe - registry rows as the answers' JSON; the shapes are in authority.h. Each result is the caller's. */
#ifndef AUTHORITY_DESCRIBE_H
#define AUTHORITY_DESCRIBE_H

#include <jansson.h>

#include "registry/certificate_record.h"

struct authority;

MUST_CHECK enum status describe_person(struct authority *authority, const struct person_record *person,
				       json_t *into, struct error *err);
MUST_CHECK enum status describe_device(struct authority *authority, const struct device_record *device,
				       json_t *into, struct error *err);
json_t *describe_certificate(const struct certificate_record *certificate);
json_t *json_hex(const uint8_t *bytes, size_t size);

#endif
