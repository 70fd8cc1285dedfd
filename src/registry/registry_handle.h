/* registry_handle - what struct registry is made of; for registry/ only. */
#ifndef REGISTRY_REGISTRY_HANDLE_H
#define REGISTRY_REGISTRY_HANDLE_H

#include "base/secret.h"
#include "registry/registry.h"
#include "registry/statement.h"

enum { REGISTRY_MARKS_MOST = 8 };

struct sqlite3;
struct sqlite3_stmt;

struct registry {
	struct sqlite3 *db;
	struct sqlite3_stmt *prepared[STATEMENT_COUNT]; /* made at first use */
	struct secret *row_key;
	char trust_domain[TRUST_DOMAIN_SIZE];
	uint8_t authority_id[REGISTRY_ID_SIZE];
	struct revoked_list *revoked; /* NULL until registry_remember */
	unsigned marks;
	size_t noted_at_mark[REGISTRY_MARKS_MOST], noted_at_begin; /* of `revoked` */
	int64_t data_version; /* as SQLite last said */
};

/* Lower case of ASCII letters, for names that people type: at most room - 1 bytes, terminated. */
void registry_fold(struct span text, char *into, size_t room);

#endif
