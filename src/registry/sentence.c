#include "registry/sentence.h"

#include <sqlite3.h>
#include <stddef.h>

static const struct {
	int code;
	enum status status;
	const char *text;
} sentences[] = {
	{SQLITE_FULL, FAILED, "the disk is full; nothing was changed. Free some space and try again"},
	{SQLITE_BUSY, FAILED, "the registry is locked by another program; nothing was changed"},
	{SQLITE_LOCKED, FAILED, "the registry is locked by another program; nothing was changed"},
	{SQLITE_READONLY, FAILED, "the registry cannot be written: read-only file or folder"},
	{SQLITE_CORRUPT, REFUSED, "the registry is damaged; restore it from a backup"},
	{SQLITE_NOTADB, REFUSED, "this file is not a registry, or it is damaged; restore it from a backup"},
	{SQLITE_CANTOPEN, REFUSED, "the registry cannot be opened"},
	{SQLITE_PERM, REFUSED, "the registry may not be opened by this user"},
	{SQLITE_AUTH, REFUSED, "the registry may not be opened by this user"},
	{SQLITE_IOERR, FAILED, "the disk gave an error; nothing was changed"},
	{SQLITE_NOMEM, FAILED, "no memory"},
	{SQLITE_CONSTRAINT, REFUSED, "the registry holds that already"},
};

enum status sentence(sqlite3 *db, int code, struct error *err)
{
	size_t i;

	for (i = 0; i < sizeof sentences / sizeof *sentences; i++) {
		if (sentences[i].code != (code & 0xff))
			continue;
		(void)error_fail(err, "%s", sentences[i].text);
		return sentences[i].status;
	}
	return error_fail(err, "the registry: %s", db ? sqlite3_errmsg(db) : sqlite3_errstr(code));
}
