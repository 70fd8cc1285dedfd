/* fault_vfs - SQLite's writes and fsyncs under base/fault ("write", "fsync"), in builds for tests. */
#ifndef REGISTRY_FAULT_VFS_H
#define REGISTRY_FAULT_VFS_H

/* Once before the first open; does nothing in other builds. */
void fault_vfs_install(void);

#endif
