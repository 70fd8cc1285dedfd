/*
 * watched_record - one row of table watched: what passed under a watch and would
 * have been refused, added up. It grants nothing and carries no MAC: whoever
 * writes the file can make these figures wrong, no more.
 *
 * At most WATCHED_MOST rows stay; the least recent go. An address has at most
 * WATCHED_OF_SOURCE rows of a site; what else it asks for is counted in one more
 * with the path "*".
 */
#ifndef REGISTRY_WATCHED_RECORD_H
#define REGISTRY_WATCHED_RECORD_H

#include "registry/person_record.h"

enum {
	WATCHED_MOST = 10000,
	WATCHED_OF_SOURCE_MOST = 64,
	WATCHED_KEY_SIZE = 16,
	WATCHED_SITE_SIZE = 256,
	WATCHED_PATH_SIZE = 100,
	WATCHED_SOURCE_SIZE = 64,
	WATCHED_CLIENT_SIZE = 40,
	WATCHED_CODE_SIZE = 8,
};

struct watched_record {
	uint8_t key[WATCHED_KEY_SIZE]; /* of all but the figures; set by reading */
	char site[WATCHED_SITE_SIZE], location[WATCHED_PATH_SIZE], path[WATCHED_PATH_SIZE];
	char source[WATCHED_SOURCE_SIZE], client[WATCHED_CLIENT_SIZE], code[WATCHED_CODE_SIZE];
	uint8_t device[REGISTRY_ID_SIZE];
	bool has_device;
	int64_t times, first, last; /* seconds since 1970 */
};

/* Add these times to the row, or make it. */
MUST_CHECK enum status watched_record_add(struct registry *registry, const struct watched_record *record,
					  struct error *err);
/* Let the least recent go, down to WATCHED_MOST rows: once behind some that were added. */
MUST_CHECK enum status watched_record_trim(struct registry *registry, struct error *err);
/* Up to `most` by key behind `after` (NULL: from the start), of `site` ("" all), last met at `since` or later. */
MUST_CHECK enum status watched_record_list(struct registry *registry, const char *site, int64_t since,
					   const uint8_t *after, struct watched_record *out, size_t most,
					   size_t *count, struct error *err);
/* Forget those of `site` ("" all). *count tells how many. */
MUST_CHECK enum status watched_record_reset(struct registry *registry, const char *site, int *count,
					    struct error *err);

/* One active person and whether a device of his was ever there. */
struct attendance {
	char name[PERSON_NAME_SIZE], name_key[PERSON_NAME_SIZE], groups[PERSON_GROUPS_SIZE];
	int64_t devices; /* active ones */
	int64_t seen;    /* when one of them was last, 0 never */
};
/* Up to `most` by name_key behind `after` ("" from the start). */
MUST_CHECK enum status attendance_list(struct registry *registry, const char *after, struct attendance *out,
				       size_t most, size_t *count, struct error *err);

#endif
