#include "config/bundle.h"

#include <endian.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "shm/memory.h"

/* head | rows | names and bytes. All numbers little-endian, offsets from the beginning. */
struct stored_head {
	char magic[8];
	uint32_t count, unused;
};
struct stored_row {
	uint32_t kind, name_size;
	uint64_t name_at, bytes_at, bytes_size;
};
static const char magic[8] = "CHTBNDL1";
/* Each entry's bytes end with a zero byte that no size counts. */
enum { SIZE_MOST = BUNDLE_BYTES_MOST + BUNDLE_ENTRIES_MOST * (BUNDLE_NAME_MOST + 64) };

struct bundle {
	struct memory memory; /* size 0: the bytes are borrowed */
	size_t count;
	struct bundle_entry *entries; /* sorted by name */
};

static int compare_entries(const void *a, const void *b)
{
	const struct span *first = &((const struct bundle_entry *)a)->name;
	const struct span *second = &((const struct bundle_entry *)b)->name;
	size_t common = first->size < second->size ? first->size : second->size;
	int order = common ? memcmp(first->at, second->at, common) : 0;

	return order ? order : (first->size > second->size) - (first->size < second->size);
}

/* Making ---------------------------------------------------------------- */

static enum status check_entries(const struct bundle_entry *entries, size_t count, size_t *size,
				 struct error *err)
{
	size_t total = 0, i;

	if (count > BUNDLE_ENTRIES_MOST)
		return error_refuse(err, "%zu files, at most %d are possible", count,
				    BUNDLE_ENTRIES_MOST);
	*size = sizeof(struct stored_head) + count * sizeof(struct stored_row);
	for (i = 0; i < count; i++) {
		if (entries[i].name.size == 0 || entries[i].name.size > BUNDLE_NAME_MOST ||
		    memchr(entries[i].name.at, 0, entries[i].name.size))
			return error_refuse(err, "a name has 1 to %d bytes, none of them zero",
					    BUNDLE_NAME_MOST);
		if (entries[i].bytes.size > BUNDLE_BYTES_MOST - total)
			return error_refuse(err, "with %.*s more than %d bytes",
					    SPAN_PRINT(entries[i].name), BUNDLE_BYTES_MOST);
		total += entries[i].bytes.size;
		*size += entries[i].name.size + entries[i].bytes.size + 1;
	}
	return OK;
}

static uint64_t append(char *at, uint64_t *used, struct span bytes)
{
	uint64_t offset = *used;

	if (bytes.size)
		memcpy(at + offset, bytes.at, bytes.size);
	*used += bytes.size;
	return htole64(offset);
}

static void write_entries(char *at, const struct bundle_entry *entries, size_t count)
{
	struct stored_head head = {.count = htole32((uint32_t)count)};
	uint64_t used = sizeof head + count * sizeof(struct stored_row);
	size_t i;

	memcpy(head.magic, magic, sizeof magic);
	memcpy(at, &head, sizeof head);
	for (i = 0; i < count; i++) {
		struct stored_row row = {
			.kind = htole32((uint32_t)entries[i].kind),
			.name_size = htole32((uint32_t)entries[i].name.size),
			.bytes_size = htole64(entries[i].bytes.size),
		};

		row.name_at = append(at, &used, entries[i].name);
		row.bytes_at = append(at, &used, entries[i].bytes);
		used++; /* the zero byte */
		memcpy(at + sizeof head + i * sizeof row, &row, sizeof row);
	}
}

enum status bundle_make(const struct bundle_entry *entries, size_t count, int *fd,
			struct error *err)
{
	struct memory memory = {.fd = -1};
	struct bundle_entry *sorted = NULL;
	size_t size = 0, i;
	enum status status;

	TRY(check_entries(entries, count, &size, err));
	sorted = calloc(count + 1, sizeof *sorted);
	if (!sorted) {
		status = error_fail(err, "no memory");
		goto done;
	}
	if (count)
		memcpy(sorted, entries, count * sizeof *sorted);
	qsort(sorted, count, sizeof *sorted, compare_entries);
	for (i = 1; i < count; i++) {
		if (span_equals(sorted[i - 1].name, sorted[i].name)) {
			status = error_refuse(err, "%.*s is in it twice", SPAN_PRINT(sorted[i].name));
			goto done;
		}
	}
	TRY(memory_make(&memory, "bundle", size, MEMORY_FROZEN, err));
	memory_hide(&memory);
	write_entries(memory.at, sorted, count);
	TRY(memory_freeze(&memory, err));
	*fd = memory.fd;
	memory.fd = -1;
done:
	if (status != OK)
		error_context(err, "bundle of files");
	memory_release(&memory);
	free(sorted);
	return status;
}

/* Reading --------------------------------------------------------------- */

static bool lies_within(uint64_t at, uint64_t size, uint64_t whole)
{
	return at <= whole && size <= whole - at;
}

static enum status read_row(struct span bytes, size_t i, struct bundle_entry *out,
			    struct error *err)
{
	struct stored_row row;

	memcpy(&row, bytes.at + sizeof(struct stored_head) + i * sizeof row, sizeof row);
	row.kind = le32toh(row.kind);
	row.name_size = le32toh(row.name_size);
	row.name_at = le64toh(row.name_at);
	row.bytes_at = le64toh(row.bytes_at);
	row.bytes_size = le64toh(row.bytes_size);
	if (row.kind < BUNDLE_FILE || row.kind > BUNDLE_NOTE)
		return error_refuse(err, "entry %zu is of unknown kind %u", i, row.kind);
	if (row.name_size == 0 || row.name_size > BUNDLE_NAME_MOST ||
	    !lies_within(row.name_at, row.name_size, bytes.size) ||
	    memchr(bytes.at + row.name_at, 0, row.name_size))
		return error_refuse(err, "entry %zu has a bad name", i);
	if (!lies_within(row.bytes_at, row.bytes_size, bytes.size))
		return error_refuse(err, "entry %zu reaches beyond the end", i);
	*out = (struct bundle_entry){
		.name = span_make(bytes.at + row.name_at, row.name_size),
		.bytes = span_make(bytes.at + row.bytes_at, row.bytes_size),
		.kind = (enum bundle_kind)row.kind,
	};
	return OK;
}

static enum status read_all(struct bundle *bundle, struct span bytes, struct error *err)
{
	struct stored_head head;
	size_t i;

	if (bytes.size < sizeof head || memcmp(bytes.at, magic, sizeof magic) != 0)
		return error_refuse(err, "it is none");
	memcpy(&head, bytes.at, sizeof head);
	head.count = le32toh(head.count);
	if (head.count > BUNDLE_ENTRIES_MOST ||
	    !lies_within(sizeof head, head.count * sizeof(struct stored_row), bytes.size))
		return error_refuse(err, "it says it has %u entries", head.count);
	bundle->entries = calloc(head.count + 1, sizeof *bundle->entries);
	if (!bundle->entries)
		return error_fail(err, "no memory");
	for (i = 0; i < head.count; i++) {
		enum status status = read_row(bytes, i, &bundle->entries[i], err);

		if (status != OK)
			return status;
		/* Sorted, so that find can halve and no name is there twice. */
		if (i > 0 && compare_entries(&bundle->entries[i - 1], &bundle->entries[i]) >= 0)
			return error_refuse(err, "entry %zu is out of order", i);
	}
	bundle->count = head.count;
	return OK;
}

enum status bundle_parse(struct span bytes, struct bundle **out, struct error *err)
{
	struct bundle *bundle = calloc(1, sizeof *bundle);
	enum status status;

	if (!bundle)
		return error_fail(err, "no memory for a bundle of files");
	TRY(read_all(bundle, bytes, err));
	*out = bundle;
	bundle = NULL;
done:
	if (status != OK)
		error_context(err, "bundle of files");
	bundle_free(bundle);
	return status;
}

enum status bundle_open(int fd, struct bundle **out, struct error *err)
{
	struct memory memory;
	enum status status = memory_map(&memory, fd, sizeof(struct stored_head), SIZE_MOST,
					MEMORY_FROZEN, err);

	if (status != OK) {
		error_context(err, "bundle of files");
		return status;
	}
	memory_hide(&memory);
	status = bundle_parse(span_make(memory.at, memory.size), out, err);
	if (status == OK)
		(*out)->memory = memory;
	else
		memory_release(&memory);
	return status;
}

void bundle_free(struct bundle *bundle)
{
	if (!bundle)
		return;
	memory_release(&bundle->memory);
	free(bundle->entries);
	free(bundle);
}

const struct bundle_entry *bundle_find(const struct bundle *bundle, const char *name)
{
	struct bundle_entry wanted = {.name = span_of(name)};

	if (bundle->count == 0)
		return NULL;
	return bsearch(&wanted, bundle->entries, bundle->count, sizeof wanted, compare_entries);
}

size_t bundle_count(const struct bundle *bundle)
{
	return bundle->count;
}

const struct bundle_entry *bundle_at(const struct bundle *bundle, size_t index)
{
	return &bundle->entries[index];
}
