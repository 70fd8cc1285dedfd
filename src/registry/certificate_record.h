/*
 * certificate_record - one row of table certificate: what was issued, byte
 * for byte, before anybody got it. Never deleted.
 */
#ifndef REGISTRY_CERTIFICATE_RECORD_H
#define REGISTRY_CERTIFICATE_RECORD_H

#include "registry/device_record.h"
#include "registry/person_record.h"

enum certificate_state { CERTIFICATE_ACTIVE, CERTIFICATE_REVOKED };

enum { CERTIFICATE_DER_MOST = 8192, SUBJECT_SIZE = 512, PROFILE_NAME_SIZE = 17 };

struct certificate_record {
	uint8_t fingerprint[FINGERPRINT_SIZE]; /* SHA-256 of the DER */
	uint8_t serial[SERIAL_SIZE];
	uint8_t spki[FINGERPRINT_SIZE]; /* SHA-256 of the SubjectPublicKeyInfo */
	uint8_t device[REGISTRY_ID_SIZE];
	char profile[PROFILE_NAME_SIZE];
	int64_t not_before, not_after; /* seconds since 1970 */
	enum certificate_state state;
	int64_t revoked; /* when; 0 */
	char reason[REASON_SIZE];
	int64_t created;
	/* The subject in both forms that identity headers use, so that nobody parses it again. */
	char subject[SUBJECT_SIZE];       /* RFC 2253 */
	char subject_slash[SUBJECT_SIZE]; /* /CN=..; "" when it cannot be said without ambiguity */
	char issuer[SUBJECT_SIZE];        /* RFC 2253 */
	uint8_t der[CERTIFICATE_DER_MOST];
	size_t der_size;
	bool is_authentic;
	bool was_put_back; /* set by reading: the row says otherwise, but it was revoked once (revoked_list.h) */
};

const char *certificate_state_name(enum certificate_state state);

/* REFUSED: serial or fingerprint known already. */
MUST_CHECK enum status certificate_record_add(struct registry *registry,
					      const struct certificate_record *certificate, struct error *err);
/* State, time and reason alone can change. */
MUST_CHECK enum status certificate_record_save(struct registry *registry,
					       const struct certificate_record *certificate, struct error *err);
/* REFUSED "no such certificate". */
MUST_CHECK enum status certificate_record_load(struct registry *registry,
					       const uint8_t fingerprint[FINGERPRINT_SIZE],
					       struct certificate_record *out, struct error *err);
/* Has this public key been in a certificate of another device, or in a revoked one? */
MUST_CHECK enum status certificate_record_key_is_used(struct registry *registry,
						      const uint8_t spki[FINGERPRINT_SIZE],
						      const uint8_t device[REGISTRY_ID_SIZE], bool *out,
						      struct error *err);
/* Called once a row; anything but OK ends the walk with it. The record is valid during the call;
 * the registry may not be changed by it. */
typedef enum status certificate_visit(void *arg, const struct certificate_record *certificate,
				      struct error *err);
/* A device's certificates, newest first. */
MUST_CHECK enum status certificate_record_each(struct registry *registry,
					       const uint8_t device[REGISTRY_ID_SIZE],
					       certificate_visit *visit, void *arg, struct error *err);

/* An active device whose last certificate ends soon. */
struct ending_certificate {
	uint8_t device[REGISTRY_ID_SIZE];
	char person[PERSON_NAME_SIZE]; /* "" for nobody's */
	char label[DEVICE_LABEL_SIZE];
	int64_t not_after;
};
typedef enum status ending_visit(void *arg, const struct ending_certificate *ending, struct error *err);
/* Those whose last certificate ends after `now` and before `until`, the first to end first, at most `most`. For people
 * to look at: the rows are shown as they are, not believed. */
MUST_CHECK enum status certificate_record_each_ending(struct registry *registry, int64_t now, int64_t until, int64_t most,
						      ending_visit *visit, void *arg, struct error *err);

/* One certificate with the rows behind it, for publishing. `person` is NULL when the device has no
 * owner. `refused` is NULL, or says which row is not believed and why: never publish such a one. */
struct grant {
	const struct certificate_record *certificate;
	const struct device_record *device;
	const struct person_record *person;
	const char *refused;
};
typedef enum status grant_visit(void *arg, const struct grant *grant, struct error *err);
/* All certificates whose not_after is later than `since`, ordered by person and device. The DER is
 * not loaded (der_size 0). */
MUST_CHECK enum status grant_each(struct registry *registry, int64_t since, grant_visit *visit, void *arg,
				  struct error *err);
/* The same for one device. */
MUST_CHECK enum status grant_each_of_device(struct registry *registry, const uint8_t device[REGISTRY_ID_SIZE],
					    grant_visit *visit, void *arg, struct error *err);

#endif
