#include "registry/fault_vfs.h"

#include "base/fault.h"

#ifdef WITH_FAULTS
#include <sqlite3.h>
#include <stddef.h>

enum { METHOD_SETS = 8 };

/* The machine's VFS gives each kind of file its own methods; ours are a copy of each with two replaced. */
static struct {
	const sqlite3_io_methods *real;
	sqlite3_io_methods ours;
} sets[METHOD_SETS];

static sqlite3_vfs vfs;
static sqlite3_vfs *real_vfs;

static const sqlite3_io_methods *real_of(sqlite3_file *file)
{
	int i;

	for (i = 0; i < METHOD_SETS; i++)
		if (file->pMethods == &sets[i].ours)
			return sets[i].real;
	return NULL;
}

static int faulty_write(sqlite3_file *file, const void *bytes, int size, sqlite3_int64 at)
{
	return FAULT("write") ? SQLITE_FULL : real_of(file)->xWrite(file, bytes, size, at);
}

static int faulty_sync(sqlite3_file *file, int flags)
{
	return FAULT("fsync") ? SQLITE_IOERR_FSYNC : real_of(file)->xSync(file, flags);
}

static int open_file(sqlite3_vfs *self, const char *name, sqlite3_file *file, int flags, int *flags_out)
{
	int i, code = real_vfs->xOpen(real_vfs, name, file, flags, flags_out);

	(void)self;
	for (i = 0; code == SQLITE_OK && file->pMethods && i < METHOD_SETS; i++) {
		if (sets[i].real && sets[i].real != file->pMethods)
			continue;
		sets[i].real = file->pMethods;
		sets[i].ours = *file->pMethods;
		sets[i].ours.xWrite = faulty_write;
		sets[i].ours.xSync = faulty_sync;
		file->pMethods = &sets[i].ours;
		break;
	}
	return code;
}

void fault_vfs_install(void)
{
	if (real_vfs)
		return;
	real_vfs = sqlite3_vfs_find(NULL);
	vfs = *real_vfs;
	vfs.zName = "faulty";
	vfs.xOpen = open_file;
	sqlite3_vfs_register(&vfs, 1);
}
#else
void fault_vfs_install(void)
{
}
#endif
