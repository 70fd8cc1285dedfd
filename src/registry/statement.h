/*
 * statement - every SQL text of the registry, by name. The shapes are those
 * that PostgreSQL understands too: ids are blobs, nothing relies on row
 * numbers, limits and order are always said.
 */
#ifndef REGISTRY_STATEMENT_H
#define REGISTRY_STATEMENT_H

enum statement {
	HOUSE_ADD,
	HOUSE_LOAD,
	PERSON_ADD,
	PERSON_SAVE,
	PERSON_LOAD,
	PERSON_FIND_NAME,
	PERSON_FIND_EMAIL,
	PERSON_LIST,
	DEVICE_ADD,
	DEVICE_SAVE,
	DEVICE_LOAD,
	DEVICE_FIND_RANGE,
	DEVICE_FIND_LABEL,
	DEVICE_LIST,
	DEVICE_LIST_OF_PERSON,
	SEEN_SET,
	CERTIFICATE_ADD,
	CERTIFICATE_SAVE,
	CERTIFICATE_LOAD,
	CERTIFICATE_KEY_IS_USED,
	CERTIFICATE_EACH,
	GRANT_EACH,
	GRANT_EACH_OF_DEVICE,
	AUDIT_ADD,
	AUDIT_HEAD,
	AUDIT_EACH,
	DEED_ADD,
	DEED_FIND,
	DEED_EXPIRE,
	COUNT_ALL,
	STATEMENT_COUNT
};

const char *statement_text(enum statement which);

#endif
