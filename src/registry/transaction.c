#include <assert.h>
#include <sqlite3.h>
#include <stdio.h>

#include "base/log.h"
#include "registry/registry.h"
#include "registry/registry_handle.h"
#include "registry/sentence.h"

static enum status run(struct registry *registry, const char *sql, struct error *err)
{
	int code = sqlite3_exec(registry->db, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? OK : sentence(registry->db, code, err);
}

static void run_mark(struct registry *registry, const char *verb)
{
	char sql[64];

	snprintf(sql, sizeof sql, "%s mark_%u", verb, registry->marks);
	sqlite3_exec(registry->db, sql, NULL, NULL, NULL);
}

/* A full disk or an I/O error may have ended the transaction already: SQLite says so by autocommit. */
bool registry_is_in_transaction(const struct registry *registry)
{
	return registry->db && !sqlite3_get_autocommit(registry->db);
}

enum status registry_begin(struct registry *registry, struct error *err)
{
	assert(!registry_is_in_transaction(registry));
	registry->marks = 0;
	registry->noted_at_begin = revoked_list_mark(registry->revoked);
	return run(registry, "BEGIN IMMEDIATE", err);
}

/* Before anybody hears of it. The registry has it by now, so a list that cannot be written is no reason to
 * say that it is not revoked. */
static void save_revoked(struct registry *registry)
{
	struct error err;

	if (revoked_list_commit(registry->revoked, &err) != OK)
		log_say(LOG_ERROR, "revoked-list", "%s; it is tried again with the next change", err.text);
}

enum status registry_commit(struct registry *registry, struct error *err)
{
	enum status status;

	if (!registry_is_in_transaction(registry)) {
		registry_rollback(registry);
		return error_fail(err, "the disk gave an error earlier in this turn; nothing was changed");
	}
	status = run(registry, "COMMIT", err);
	if (status != OK)
		registry_rollback(registry);
	else
		save_revoked(registry);
	registry->marks = 0;
	return status;
}

void registry_rollback(struct registry *registry)
{
	if (registry_is_in_transaction(registry))
		sqlite3_exec(registry->db, "ROLLBACK", NULL, NULL, NULL);
	revoked_list_undo(registry->revoked, registry->noted_at_begin);
	registry->marks = 0;
}

enum status registry_mark(struct registry *registry, struct error *err)
{
	char sql[64];
	enum status status;

	if (!registry_is_in_transaction(registry))
		return error_fail(err, "the disk gave an error earlier in this turn; nothing was changed");
	assert(registry->marks < REGISTRY_MARKS_MOST);
	registry->noted_at_mark[registry->marks] = revoked_list_mark(registry->revoked);
	snprintf(sql, sizeof sql, "SAVEPOINT mark_%u", registry->marks);
	status = run(registry, sql, err);
	if (status == OK)
		registry->marks++;
	return status;
}

enum status registry_keep_mark(struct registry *registry, struct error *err)
{
	char sql[64];

	assert(registry->marks > 0);
	if (!registry_is_in_transaction(registry))
		return error_fail(err, "the disk gave an error earlier in this turn; nothing was changed");
	registry->marks--;
	snprintf(sql, sizeof sql, "RELEASE mark_%u", registry->marks);
	return run(registry, sql, err);
}

void registry_undo_mark(struct registry *registry)
{
	if (registry->marks == 0)
		return;
	registry->marks--;
	revoked_list_undo(registry->revoked, registry->noted_at_mark[registry->marks]);
	if (!registry_is_in_transaction(registry))
		return;
	run_mark(registry, "ROLLBACK TO");
	run_mark(registry, "RELEASE");
}
