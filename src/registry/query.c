#include "registry/query.h"

#include <assert.h>
#include <sqlite3.h>
#include <string.h>

#include "registry/registry_handle.h"
#include "registry/sentence.h"

enum status query_start(struct registry *registry, enum statement which, struct query *out,
			struct error *err)
{
	sqlite3_stmt **seat = &registry->prepared[which];
	int code = SQLITE_OK;

	*out = (struct query){.registry = registry, .place = 1};
	if (!*seat)
		code = sqlite3_prepare_v3(registry->db, statement_text(which), -1, SQLITE_PREPARE_PERSISTENT,
					  seat, NULL);
	if (code != SQLITE_OK)
		return sentence(registry->db, code, err);
	assert(!sqlite3_stmt_busy(*seat));
	out->prepared = *seat;
	return OK;
}

static void note(struct query *query, int code)
{
	if (code != SQLITE_OK)
		query->code = code;
	query->place++;
}

void query_put_blob(struct query *query, const void *bytes, size_t size)
{
	note(query, sqlite3_bind_blob64(query->prepared, query->place, size ? bytes : "", size, SQLITE_STATIC));
}

void query_put_null(struct query *query)
{
	note(query, sqlite3_bind_null(query->prepared, query->place));
}

void query_put_text(struct query *query, const char *text)
{
	query_put_span(query, span_of(text));
}

void query_put_span(struct query *query, struct span text)
{
	note(query, sqlite3_bind_text64(query->prepared, query->place, text.size ? text.at : "", text.size,
					SQLITE_STATIC, SQLITE_UTF8));
}

void query_put_number(struct query *query, int64_t number)
{
	note(query, sqlite3_bind_int64(query->prepared, query->place, number));
}

enum status query_step(struct query *query, bool *row, struct error *err)
{
	int code = query->code ? query->code : sqlite3_step(query->prepared);

	query->column = 0;
	query->is_damaged = false;
	if (code == SQLITE_ROW || code == SQLITE_DONE) {
		*row = code == SQLITE_ROW;
		return OK;
	}
	return sentence(query->registry->db, code, err);
}

enum status query_run(struct query *query, int *changed, struct error *err)
{
	enum status status;
	bool row;

	status = query_step(query, &row, err);
	if (status == OK && changed)
		*changed = sqlite3_changes(query->registry->db);
	return status;
}

bool query_is_null(const struct query *query)
{
	return sqlite3_column_type(query->prepared, query->column) == SQLITE_NULL;
}

void query_skip(struct query *query)
{
	query->column++;
}

int64_t query_get_number(struct query *query)
{
	if (sqlite3_column_type(query->prepared, query->column) != SQLITE_INTEGER)
		query->is_damaged = true;
	return sqlite3_column_int64(query->prepared, query->column++);
}

size_t query_get_bytes(struct query *query, void *into, size_t room)
{
	const void *bytes = sqlite3_column_blob(query->prepared, query->column);
	size_t size = (size_t)sqlite3_column_bytes(query->prepared, query->column);

	if (sqlite3_column_type(query->prepared, query->column) != SQLITE_BLOB || size > room) {
		query->is_damaged = true;
		size = 0;
	}
	if (size)
		memcpy(into, bytes, size);
	query->column++;
	return size;
}

void query_get_blob(struct query *query, void *into, size_t size)
{
	size_t got = query_get_bytes(query, into, size);

	if (got != size) {
		query->is_damaged = true;
		memset((char *)into + got, 0, size - got);
	}
}

void query_get_text(struct query *query, char *into, size_t room)
{
	const void *text = sqlite3_column_text(query->prepared, query->column);
	size_t size = (size_t)sqlite3_column_bytes(query->prepared, query->column);

	if (sqlite3_column_type(query->prepared, query->column) != SQLITE_TEXT || !text || size >= room ||
	    memchr(text, 0, size)) {
		query->is_damaged = true;
		size = 0;
	}
	if (size)
		memcpy(into, text, size);
	into[size] = 0;
	query->column++;
}

int query_get_word(struct query *query, const char *const *names, int count)
{
	char word[32];
	int i;

	query_get_text(query, word, sizeof word);
	for (i = 0; i < count; i++)
		if (strcmp(word, names[i]) == 0)
			return i;
	query->is_damaged = true;
	return 0;
}

void query_end(struct query *query)
{
	if (!query->prepared)
		return;
	sqlite3_reset(query->prepared);
	sqlite3_clear_bindings(query->prepared);
	query->prepared = NULL;
}
