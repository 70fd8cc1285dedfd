/*
 * query - one prepared statement in use: values in, rows out. For registry/
 * only. A wrong type or length in a row (somebody edited it) marks the query
 * as damaged instead of failing: the row's MAC then cannot be right either.
 */
#ifndef REGISTRY_QUERY_H
#define REGISTRY_QUERY_H

#include <stdbool.h>

#include "registry/registry.h"
#include "registry/statement.h"

struct sqlite3_stmt;

struct query {
	struct registry *registry;
	struct sqlite3_stmt *prepared;
	int place;  /* the next ?n */
	int column; /* the next one to read */
	bool is_damaged;
	int code;
};

/* One use of each statement at a time; end it with query_end, also after a failure. */
MUST_CHECK enum status query_start(struct registry *registry, enum statement which, struct query *out,
				   struct error *err);
void query_put_blob(struct query *query, const void *bytes, size_t size); /* borrowed until query_end */
void query_put_null(struct query *query);
void query_put_text(struct query *query, const char *text);
void query_put_span(struct query *query, struct span text);
void query_put_number(struct query *query, int64_t number);
/* *row false: no more. */
MUST_CHECK enum status query_step(struct query *query, bool *row, struct error *err);
/* For a statement without rows: runs it, and tells how many rows it changed. */
MUST_CHECK enum status query_run(struct query *query, int *changed, struct error *err);

bool query_is_null(const struct query *query); /* the next column */
void query_skip(struct query *query);
int64_t query_get_number(struct query *query);
/* Exactly `size` bytes. */
void query_get_blob(struct query *query, void *into, size_t size);
/* Up to `room` bytes; how many. */
size_t query_get_bytes(struct query *query, void *into, size_t room);
/* Terminated; at most room - 1 bytes, no NUL inside. */
void query_get_text(struct query *query, char *into, size_t room);
/* A word of a list of `count` names; its index. */
int query_get_word(struct query *query, const char *const *names, int count);

void query_end(struct query *query);

#endif
