#include "shm/memory.h"

#include <fcntl.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_NOEXEC_SEAL
#define MFD_NOEXEC_SEAL 8u /* Linux 6.3 */
#endif

/* What each kind carries, at least. A frozen one gets its last two from memory_freeze. */
static const int seals[] = {
	[MEMORY_ONE_WRITER] = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_FUTURE_WRITE | F_SEAL_SEAL,
	[MEMORY_MANY_WRITERS] = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL,
	[MEMORY_FROZEN] = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL,
};

static int make_descriptor(const char *name)
{
	int fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_NOEXEC_SEAL);

	/* An older kernel does not know the flag. */
	return fd >= 0 ? fd : memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
}

enum status memory_make(struct memory *memory, const char *name, size_t size, enum memory_kind kind,
			struct error *err)
{
	int first_seals = kind == MEMORY_FROZEN ? F_SEAL_SHRINK | F_SEAL_GROW : seals[kind];
	struct memory made = {.size = size, .kind = kind, .fd = make_descriptor(name)};

	if (made.fd < 0)
		return error_fail_errno(err, "cannot make shared memory for the %s", name);
	if (ftruncate(made.fd, (off_t)size)) {
		(void)error_fail_errno(err, "cannot make %zu bytes of shared memory for the %s", size,
				       name);
		close(made.fd);
		return FAILED;
	}
	/* The writable mapping comes before F_SEAL_FUTURE_WRITE, which spares it. */
	made.at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, made.fd, 0);
	if (made.at == MAP_FAILED || fcntl(made.fd, F_ADD_SEALS, first_seals)) {
		(void)error_fail_errno(err, made.at == MAP_FAILED
						    ? "cannot map %zu bytes of shared memory for the %s"
						    : "cannot seal %zu bytes of shared memory for the %s "
						      "(Linux 5.1 is needed)", size, name);
		if (made.at != MAP_FAILED)
			munmap(made.at, size);
		close(made.fd);
		return FAILED;
	}
	*memory = made;
	return OK;
}

enum status memory_freeze(struct memory *memory, struct error *err)
{
	void *at;

	/* F_SEAL_WRITE is not given while a writable mapping exists. */
	munmap(memory->at, memory->size);
	memory->at = NULL;
	if (fcntl(memory->fd, F_ADD_SEALS, seals[MEMORY_FROZEN]))
		return error_fail_errno(err, "cannot seal shared memory");
	at = mmap(NULL, memory->size, PROT_READ, MAP_SHARED, memory->fd, 0);
	if (at == MAP_FAILED)
		return error_fail_errno(err, "cannot map sealed memory");
	memory->at = at;
	return OK;
}

enum status memory_map(struct memory *memory, int fd, size_t least, size_t most,
		       enum memory_kind kind, struct error *err)
{
	int protection = kind == MEMORY_MANY_WRITERS ? PROT_READ | PROT_WRITE : PROT_READ;
	int present = fcntl(fd, F_GET_SEALS);
	struct stat facts;
	void *at;

	if (present < 0)
		return error_refuse(err, "the descriptor is no sealable memory");
	if ((present & seals[kind]) != seals[kind])
		return error_refuse(err, "the memory is not sealed as it must be (seals %#x, needed %#x)",
				    (unsigned)present, (unsigned)seals[kind]);
	if (fstat(fd, &facts))
		return error_fail_errno(err, "cannot ask for the memory's size");
	if (facts.st_size < 0 || (uint64_t)facts.st_size < least || (uint64_t)facts.st_size > most)
		return error_refuse(err, "the memory has %lld bytes, expected %zu to %zu",
				    (long long)facts.st_size, least, most);
	at = mmap(NULL, (size_t)facts.st_size, protection, MAP_SHARED, fd, 0);
	if (at == MAP_FAILED)
		return error_fail_errno(err, "cannot map shared memory");
	*memory = (struct memory){.at = at, .size = (size_t)facts.st_size, .fd = -1, .kind = kind};
	return OK;
}

void memory_hide(const struct memory *memory)
{
	(void)madvise(memory->at, memory->size, MADV_DONTDUMP); /* a kernel without it dumps */
}

void memory_release(struct memory *memory)
{
	if (memory->size == 0)
		return;
	if (memory->at)
		munmap(memory->at, memory->size);
	if (memory->fd >= 0)
		close(memory->fd);
	*memory = (struct memory){.fd = -1};
}
