#include "registry/migration.h"

#include <fcntl.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <unistd.h>

#include "base/clock.h"
#include "registry/sentence.h"

/* The unique names leave the removed and the revoked aside, so that alice may get a new phone. */
static const struct migration steps_of_this_program[] = {
	{1,
	 "CREATE TABLE house (name TEXT PRIMARY KEY, value BLOB NOT NULL, mac BLOB NOT NULL);"
	 "CREATE TABLE person (id BLOB PRIMARY KEY, name TEXT NOT NULL, name_key TEXT NOT NULL,"
	 " email TEXT NOT NULL, email_key TEXT NOT NULL, groups TEXT NOT NULL, role TEXT NOT NULL,"
	 " state TEXT NOT NULL, created BIGINT NOT NULL, changed BIGINT NOT NULL, mac BLOB NOT NULL);"
	 "CREATE UNIQUE INDEX person_name ON person (name_key) WHERE state <> 'removed';"
	 "CREATE UNIQUE INDEX person_email ON person (email_key) WHERE state <> 'removed';"
	 "CREATE TABLE device (id BLOB PRIMARY KEY, person BLOB REFERENCES person (id), label TEXT NOT NULL,"
	 " label_key TEXT NOT NULL, kind TEXT NOT NULL, state TEXT NOT NULL, created BIGINT NOT NULL,"
	 " changed BIGINT NOT NULL, reason TEXT NOT NULL, mac BLOB NOT NULL);"
	 "CREATE UNIQUE INDEX device_label ON device (person, label_key) WHERE state <> 'revoked';"
	 "CREATE INDEX device_person ON device (person, label_key);"
	 "CREATE TABLE seen (device BLOB PRIMARY KEY REFERENCES device (id), at BIGINT NOT NULL);"
	 "CREATE TABLE certificate (fingerprint BLOB PRIMARY KEY, serial BLOB NOT NULL UNIQUE,"
	 " spki BLOB NOT NULL, device BLOB NOT NULL REFERENCES device (id), profile TEXT NOT NULL,"
	 " not_before BIGINT NOT NULL, not_after BIGINT NOT NULL, state TEXT NOT NULL, revoked BIGINT NOT NULL,"
	 " reason TEXT NOT NULL, created BIGINT NOT NULL, subject TEXT NOT NULL, subject_slash TEXT NOT NULL,"
	 " issuer TEXT NOT NULL,"
	 " der BLOB NOT NULL, mac BLOB NOT NULL);"
	 "CREATE INDEX certificate_device ON certificate (device);"
	 "CREATE INDEX certificate_spki ON certificate (spki);"
	 "CREATE INDEX certificate_not_after ON certificate (not_after);"
	 "CREATE TABLE audit (authority BLOB NOT NULL, number BIGINT NOT NULL, at BIGINT NOT NULL,"
	 " who TEXT NOT NULL, what TEXT NOT NULL, subject TEXT NOT NULL, detail TEXT NOT NULL,"
	 " before BLOB NOT NULL, hash BLOB NOT NULL, PRIMARY KEY (authority, number));"
	 "CREATE TABLE deed (key BLOB PRIMARY KEY, asked BLOB NOT NULL, question TEXT NOT NULL,"
	 " subject BLOB NOT NULL, at BIGINT NOT NULL);"
	 "CREATE INDEX deed_at ON deed (at);"},
	{2,
	 "CREATE TABLE watched (key BLOB PRIMARY KEY, site TEXT NOT NULL, location TEXT NOT NULL, path TEXT NOT NULL,"
	 " source TEXT NOT NULL, client TEXT NOT NULL, code TEXT NOT NULL, device BLOB, times BIGINT NOT NULL,"
	 " first_at BIGINT NOT NULL, last_at BIGINT NOT NULL);"
	 "CREATE INDEX watched_source ON watched (site, source);"
	 "CREATE INDEX watched_last_at ON watched (last_at, key);"},
};

const struct migration *migration_steps(size_t *count)
{
	*count = sizeof steps_of_this_program / sizeof *steps_of_this_program;
	return steps_of_this_program;
}

static enum status run(sqlite3 *db, const char *sql, struct error *err)
{
	int code = sqlite3_exec(db, sql, NULL, NULL, NULL);

	return code == SQLITE_OK ? OK : sentence(db, code, err);
}

enum status migration_version(sqlite3 *db, int *version, struct error *err)
{
	sqlite3_stmt *statement = NULL;
	int code = sqlite3_prepare_v2(db, "SELECT count(*) FROM sqlite_master WHERE name = 'migration'", -1,
				      &statement, NULL);

	*version = -1;
	if (code == SQLITE_OK)
		code = sqlite3_step(statement);
	if (code == SQLITE_ROW && sqlite3_column_int(statement, 0) == 1) {
		sqlite3_finalize(statement);
		code = sqlite3_prepare_v2(db, "SELECT coalesce(max(version), 0) FROM migration", -1,
					  &statement, NULL);
		if (code == SQLITE_OK)
			code = sqlite3_step(statement);
		if (code == SQLITE_ROW)
			*version = sqlite3_column_int(statement, 0);
	}
	sqlite3_finalize(statement);
	return code == SQLITE_ROW ? OK : sentence(db, code, err);
}

static enum status copy_before(sqlite3 *db, const char *path, int version, struct error *err)
{
	char target[PATH_MAX];
	char *sql;
	enum status status;
	int fd;

	if (snprintf(target, sizeof target, "%s.before-%d", path, version) >= PATH_MAX)
		return error_refuse(err, "the path is too long: %s", path);
	unlink(target);
	/* For no other eyes than the registry; SQLite writes into a file that is there and empty. */
	fd = open(target, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (fd < 0)
		return error_fail_errno(err, "cannot copy the registry to %s", target);
	close(fd);
	sql = sqlite3_mprintf("VACUUM INTO %Q", target);
	if (!sql)
		return error_fail(err, "no memory");
	status = run(db, sql, err);
	sqlite3_free(sql);
	if (status != OK)
		error_context(err, "cannot copy the registry to %s", target);
	return status;
}

static enum status take_step(sqlite3 *db, const struct migration *step, struct error *err)
{
	char *note = sqlite3_mprintf("INSERT INTO migration (version, at) VALUES (%d, %lld)", step->version,
				     (long long)clock_seconds());
	enum status status;

	if (!note)
		return error_fail(err, "no memory");
	TRY(run(db, "BEGIN IMMEDIATE", err));
	TRY(run(db, step->sql, err));
	TRY(run(db, note, err));
	TRY(run(db, "COMMIT", err));
done:
	if (status != OK) {
		if (!sqlite3_get_autocommit(db))
			sqlite3_exec(db, "ROLLBACK", NULL, NULL, NULL);
		error_context(err, "schema %d", step->version);
	}
	sqlite3_free(note);
	return status;
}

enum status migration_run(sqlite3 *db, const char *path, const struct migration *steps, size_t count,
			  struct error *err)
{
	int version, newest = steps[count - 1].version;
	enum status status;
	size_t i;

	TRY(migration_version(db, &version, err));
	if (version > newest)
		return error_refuse(err, "%s has schema %d, this program knows %d: it was written by a newer "
				    "chatelaine; use that one, or restore %s.before-%d", path, version,
				    newest, path, newest + 1);
	if (version < 0)
		TRY(run(db, "CREATE TABLE migration (version INTEGER PRIMARY KEY, at BIGINT NOT NULL)", err));
	if (version > 0 && version < newest)
		TRY(copy_before(db, path, steps[count - 1].version, err));
	for (i = 0; i < count; i++)
		if (steps[i].version > version)
			TRY(take_step(db, &steps[i], err));
done:
	return status;
}
