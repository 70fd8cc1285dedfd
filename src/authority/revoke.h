/* revoke - a device and all its certificates, in the registry; what follows is the deed's. */
#ifndef AUTHORITY_REVOKE_H
#define AUTHORITY_REVOKE_H

#include "authority/turn.h"
#include "registry/device_record.h"

/* A person has at most this many devices that are not revoked: a removal is one deed. */
enum { PERSON_DEVICES_MOST = 100 };

/* Within a deed, once a device. */
MUST_CHECK enum status revoke_device(struct authority *authority, struct deed *deed,
				     struct device_record *device, const char *reason, struct error *err);
/* Its certificates, without the device: they are superseded. */
MUST_CHECK enum status revoke_certificates(struct authority *authority, struct deed *deed,
					   const struct device_record *device, const char *reason,
					   struct error *err);
/* The revoked devices of `person` once more to every gateway; DEED_DEVICES_MOST at most. */
MUST_CHECK enum status revoke_tell_again(struct authority *authority, struct deed *deed,
					 const uint8_t person[REGISTRY_ID_SIZE], struct error *err);

#endif
