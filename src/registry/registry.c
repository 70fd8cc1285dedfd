#include "registry/registry.h"

#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/random.h"
#include "pki/digest.h"
#include "registry/fault_vfs.h"
#include "registry/migration.h"
#include "registry/query.h"
#include "registry/registry_handle.h"
#include "registry/row_mac.h"
#include "registry/sentence.h"

enum {
	LOCK_WAIT_MS = 2000, /* the watchdog looks every 10 s */
	CHECK_FULLY_BELOW = 64 * 1024 * 1024,
};

static enum status run(struct registry *registry, const char *sql, struct error *err)
{
	int code = sqlite3_exec(registry->db, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? OK : sentence(registry->db, code, err);
}

/* Nothing that somebody planted in the file (triggers, views, functions in the schema) may run. */
static enum status shut_in(struct registry *registry, struct error *err)
{
	static const struct {
		int option, value;
	} rules[] = {
		{SQLITE_DBCONFIG_DEFENSIVE, 1},
		{SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0},
		{SQLITE_DBCONFIG_ENABLE_TRIGGER, 0},
		{SQLITE_DBCONFIG_ENABLE_VIEW, 0},
		{SQLITE_DBCONFIG_ENABLE_LOAD_EXTENSION, 0},
	};
	size_t i;
	int code;

	for (i = 0; i < sizeof rules / sizeof *rules; i++) {
		code = sqlite3_db_config(registry->db, rules[i].option, rules[i].value, (int *)NULL);
		if (code != SQLITE_OK)
			return sentence(registry->db, code, err);
	}
	return OK;
}

static enum status connect_to(const char *path, bool create, struct span row_key, struct registry **out,
			      struct error *err)
{
	struct registry *registry = calloc(1, sizeof *registry);
	enum status status;
	int code;

	if (!registry)
		return error_fail(err, "no memory");
	fault_vfs_install();
	registry->row_key = secret_copy(row_key);
	code = sqlite3_open_v2(path, &registry->db,
			       SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE |
				       (create ? SQLITE_OPEN_CREATE : 0),
			       NULL);
	if (code != SQLITE_OK) {
		status = sentence(registry->db, code, err);
		goto done;
	}
	sqlite3_busy_timeout(registry->db, LOCK_WAIT_MS);
	TRY(shut_in(registry, err));
	TRY(run(registry, "PRAGMA cell_size_check = ON", err));
	*out = registry;
	registry = NULL;
done:
	registry_free(registry);
	return status;
}

/* Before the first write, and not before it is known to be ours: the first line writes. */
static enum status set_ways(struct registry *registry, struct error *err)
{
	enum status status;

	TRY(run(registry, "PRAGMA journal_mode = WAL", err));
	TRY(run(registry, "PRAGMA synchronous = FULL", err));
	TRY(run(registry, "PRAGMA foreign_keys = ON", err));
	TRY(run(registry, "PRAGMA secure_delete = ON", err));
	TRY(run(registry, "PRAGMA temp_store = MEMORY", err));
done:
	return status;
}

void registry_free(struct registry *registry)
{
	size_t i;

	if (!registry)
		return;
	registry_rollback(registry);
	for (i = 0; i < STATEMENT_COUNT; i++)
		sqlite3_finalize(registry->prepared[i]);
	sqlite3_close(registry->db);
	revoked_list_free(registry->revoked);
	secret_free(registry->row_key);
	free(registry);
}

static enum status check(struct registry *registry, const char *path, struct error *err)
{
	sqlite3_stmt *statement = NULL;
	struct stat facts;
	const char *said = NULL;
	enum status status = OK;
	bool fully = stat(path, &facts) == 0 && facts.st_size < CHECK_FULLY_BELOW;
	int code = sqlite3_prepare_v2(registry->db,
				      fully ? "PRAGMA integrity_check(1)" : "PRAGMA quick_check(1)", -1,
				      &statement, NULL);

	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW)
		said = (const char *)sqlite3_column_text(statement, 0);
	if (code != SQLITE_ROW)
		status = sentence(registry->db, code, err);
	else if (!said || strcmp(said, "ok") != 0)
		status = error_refuse(err, "the registry is damaged (%.200s); restore it from a backup",
				      said ? said : "no answer");
	sqlite3_finalize(statement);
	return status;
}

/* What holds for the house: kept like a row that grants, so that nobody changes it by hand. */
static void house_mac(struct row_mac *mac, const char *name, struct span value)
{
	row_mac_start(mac, "house");
	row_mac_text(mac, name);
	row_mac_blob(mac, value.at, value.size);
}

static enum status house_add(struct registry *registry, const char *name, struct span value,
			     struct error *err)
{
	uint8_t written[ROW_MAC_SIZE];
	struct row_mac mac;
	struct query query;
	enum status status;

	house_mac(&mac, name, value);
	row_mac_write(&mac, secret_span(registry->row_key), written);
	TRY(query_start(registry, HOUSE_ADD, &query, err));
	query_put_text(&query, name);
	query_put_blob(&query, value.at, value.size);
	query_put_blob(&query, written, sizeof written);
	status = query_run(&query, NULL, err);
	query_end(&query);
done:
	return status;
}

static enum status house_load(struct registry *registry, const char *name, void *into, size_t room,
			      size_t *got, struct error *err)
{
	uint8_t stored[ROW_MAC_SIZE];
	struct row_mac mac;
	struct query query;
	enum status status;
	bool row;

	TRY(query_start(registry, HOUSE_LOAD, &query, err));
	query_put_text(&query, name);
	status = query_step(&query, &row, err);
	if (status == OK && !row)
		status = error_refuse(err, "the registry lacks its %s; restore it from a backup", name);
	if (status == OK) {
		*got = query_get_bytes(&query, into, room);
		query_get_blob(&query, stored, sizeof stored);
		house_mac(&mac, name, span_make(into, *got));
		if (query.is_damaged || !row_mac_matches(&mac, secret_span(registry->row_key), stored))
			status = error_refuse(err, "the registry's %s was changed by hand, or row.key is not "
					      "the one of this registry; restore both from one backup", name);
	}
	query_end(&query);
done:
	return status;
}

static enum status load_house(struct registry *registry, struct error *err)
{
	enum status status;
	size_t got;

	TRY(house_load(registry, "trust-domain", registry->trust_domain, sizeof registry->trust_domain - 1,
		       &got, err));
	registry->trust_domain[got] = 0;
	TRY(house_load(registry, "authority", registry->authority_id, sizeof registry->authority_id, &got,
		       err));
	if (got != sizeof registry->authority_id || registry->trust_domain[0] == 0)
		status = error_refuse(err, "the registry is damaged; restore it from a backup");
done:
	return status;
}

static enum status fill_house(struct registry *registry, struct span trust_domain, struct error *err)
{
	uint8_t id[REGISTRY_ID_SIZE];
	enum status status;

	registry_new_id(id);
	TRY(registry_begin(registry, err));
	TRY(house_add(registry, "trust-domain", trust_domain, err));
	TRY(house_add(registry, "authority", span_make(id, sizeof id), err));
	TRY(registry_commit(registry, err));
done:
	if (status != OK)
		registry_rollback(registry);
	return status;
}

static void remove_all(const char *path)
{
	static const char *const tails[] = {"", "-wal", "-shm", "-journal"};
	char name[4096];
	size_t i;

	for (i = 0; i < sizeof tails / sizeof *tails; i++)
		if (snprintf(name, sizeof name, "%s%s", path, tails[i]) < (int)sizeof name)
			unlink(name);
}

/* With the last connection the -wal goes into the file; a -wal that stays means it did not. */
static enum status close_whole(struct registry *registry, const char *path, struct error *err)
{
	char wal[4096];
	enum status status;
	int fd;

	TRY(run(registry, "PRAGMA wal_checkpoint(TRUNCATE)", err));
	registry_free(registry);
	registry = NULL;
	snprintf(wal, sizeof wal, "%s-wal", path);
	if (access(wal, F_OK) == 0)
		status = error_fail(err, "the registry could not be closed: %s is still there", wal);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (status == OK && (fd < 0 || fsync(fd)))
		status = error_fail_errno(err, "cannot sync %s", path);
	if (fd >= 0)
		close(fd);
done:
	registry_free(registry);
	return status;
}

enum status registry_create(const char *path, struct span row_key, struct span trust_domain,
			    struct error *err)
{
	struct registry *registry = NULL;
	const struct migration *steps;
	enum status status;
	size_t count;
	int fd;

	if (trust_domain.size == 0 || trust_domain.size >= TRUST_DOMAIN_SIZE)
		return error_refuse(err, "a trust domain has 1 to %d characters", TRUST_DOMAIN_SIZE - 1);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0) {
		(void)error_fail_errno(err, "cannot create %s", path);
		return REFUSED;
	}
	close(fd);
	TRY(connect_to(path, true, row_key, &registry, err));
	TRY(set_ways(registry, err));
	steps = migration_steps(&count);
	TRY(migration_run(registry->db, path, steps, count, err));
	TRY(fill_house(registry, trust_domain, err));
	status = close_whole(registry, path, err);
	registry = NULL;
done:
	registry_free(registry);
	if (status != OK) {
		remove_all(path);
		error_context(err, "cannot create %s", path);
	}
	return status;
}

enum status registry_open(const char *path, struct span row_key, struct registry **out, struct error *err)
{
	struct registry *registry = NULL;
	const struct migration *steps;
	enum status status;
	struct stat facts;
	size_t count;
	int version;

	if (stat(path, &facts))
		return error_refuse(err, "there is no registry at %s", path);
	/* To SQLite an empty file is a new database, to us a lost one. */
	if (facts.st_size == 0)
		return error_refuse(err, "%s is empty; restore it from a backup", path);
	TRY(connect_to(path, false, row_key, &registry, err));
	TRY(check(registry, path, err));
	TRY(migration_version(registry->db, &version, err));
	if (version < 0)
		TRY(error_refuse(err, "this database is no registry; restore it from a backup"));
	TRY(set_ways(registry, err));
	steps = migration_steps(&count);
	TRY(migration_run(registry->db, path, steps, count, err));
	TRY(load_house(registry, err));
	*out = registry;
	registry = NULL;
done:
	registry_free(registry);
	if (status != OK)
		error_context(err, "%s", path);
	return status;
}

const char *registry_trust_domain(const struct registry *registry)
{
	return registry->trust_domain;
}

const uint8_t *registry_authority_id(const struct registry *registry)
{
	return registry->authority_id;
}

enum status registry_limit_pages(struct registry *registry, unsigned pages, struct error *err)
{
	char sql[64];

	snprintf(sql, sizeof sql, "PRAGMA max_page_count = %u", pages ? pages : 1073741823u);
	return run(registry, sql, err);
}

enum status registry_count(struct registry *registry, struct registry_counts *out, struct error *err)
{
	struct query query;
	enum status status;
	bool row;

	TRY(query_start(registry, COUNT_ALL, &query, err));
	status = query_step(&query, &row, err);
	if (status == OK) {
		out->people = (uint64_t)query_get_number(&query);
		out->devices = (uint64_t)query_get_number(&query);
		out->certificates = (uint64_t)query_get_number(&query);
		out->audit_records = (uint64_t)query_get_number(&query);
	}
	query_end(&query);
done:
	return status;
}

/* Our own commits do not change it. */
bool registry_was_touched(struct registry *registry)
{
	int64_t before = registry->data_version;
	struct query query;
	bool row = false;

	if (query_start(registry, DATA_VERSION, &query, NULL) != OK)
		return false;
	if (query_step(&query, &row, NULL) == OK && row)
		registry->data_version = query_get_number(&query);
	query_end(&query);
	return before != 0 && registry->data_version != before;
}

void registry_new_id(uint8_t out[static REGISTRY_ID_SIZE])
{
	random_bytes(out, REGISTRY_ID_SIZE);
}

void registry_fold(struct span text, char *into, size_t room)
{
	size_t i, size = text.size < room ? text.size : room - 1;

	for (i = 0; i < size; i++)
		into[i] = text.at[i] >= 'A' && text.at[i] <= 'Z' ? (char)(text.at[i] + 32) : text.at[i];
	into[size] = 0;
}
