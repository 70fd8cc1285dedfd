#include "registry/revoked_list.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/encode.h"
#include "base/fault.h"
#include "base/file.h"

enum { TABLE_LEAST = 1024, LIST_BYTES_MOST = 1 << 30 };

/* entries: on the disk, then committed, then noted. */
struct revoked_list {
	int fd;
	struct revoked_entry *entries;
	size_t saved, committed, noted, room;
	uint32_t *table; /* number + 1 of committed ones; open addressing, at most half full */
	size_t table_size; /* a power of two */
};

static const struct {
	const char *name;
	size_t size;
} kinds[] = {
	[REVOKED_PERSON] = {"person", 16},
	[REVOKED_DEVICE] = {"device", 16},
	[REVOKED_CERTIFICATE] = {"certificate", 32},
};
enum { KINDS = sizeof kinds / sizeof *kinds };

size_t revoked_id_size(enum revoked_kind kind)
{
	return kinds[kind].size;
}

static struct revoked_entry entry_of(enum revoked_kind kind, const uint8_t *id)
{
	struct revoked_entry entry = {.kind = (uint8_t)kind};

	memcpy(entry.id, id, kinds[kind].size);
	return entry;
}

/* Memory ------------------------------------------------------------------- */

/* Ids are random, or hashes: their first bytes are as good as any hash. */
static uint32_t *seat_of(const struct revoked_list *list, const struct revoked_entry *entry)
{
	uint64_t first;
	size_t at;

	memcpy(&first, entry->id, sizeof first);
	at = (size_t)first & (list->table_size - 1);
	while (list->table[at] && memcmp(&list->entries[list->table[at] - 1], entry, sizeof *entry) != 0)
		at = (at + 1) & (list->table_size - 1);
	return &list->table[at];
}

static bool has_entry(const struct revoked_list *list, const struct revoked_entry *entry)
{
	return *seat_of(list, entry) != 0;
}

bool revoked_list_has(const struct revoked_list *list, enum revoked_kind kind, const uint8_t *id)
{
	struct revoked_entry entry = entry_of(kind, id);

	return list && has_entry(list, &entry);
}

static void seat_all(struct revoked_list *list, size_t from)
{
	for (; from < list->committed; from++)
		*seat_of(list, &list->entries[from]) = (uint32_t)from + 1;
}

/* Room for one more, in the table too: a commit may not fail for memory. */
static bool make_room(struct revoked_list *list)
{
	size_t room = list->room ? 2 * list->room : TABLE_LEAST / 2;
	struct revoked_entry *entries;
	uint32_t *table;

	if (list->noted < list->room)
		return true;
	entries = realloc(list->entries, room * sizeof *entries);
	if (!entries)
		return false;
	list->entries = entries;
	table = calloc(2 * room, sizeof *table);
	if (!table)
		return false;
	free(list->table);
	list->table = table;
	list->table_size = 2 * room;
	list->room = room;
	seat_all(list, 0);
	return true;
}

enum status revoked_list_note(struct revoked_list *list, enum revoked_kind kind, const uint8_t *id,
			      struct error *err)
{
	struct revoked_entry entry = entry_of(kind, id);

	if (!list || has_entry(list, &entry))
		return OK;
	if (!make_room(list))
		return error_fail(err, "no memory");
	list->entries[list->noted++] = entry;
	return OK;
}

size_t revoked_list_mark(const struct revoked_list *list)
{
	return list ? list->noted : 0;
}

void revoked_list_undo(struct revoked_list *list, size_t mark)
{
	if (list && mark >= list->committed && mark < list->noted)
		list->noted = mark;
}

const struct revoked_entry *revoked_list_at(const struct revoked_list *list, size_t number)
{
	return list && number < list->committed ? &list->entries[number] : NULL;
}

/* Disk --------------------------------------------------------------------- */

static void write_lines(const struct revoked_list *list, struct buffer *out)
{
	char hex[2 * REVOKED_ID_MOST + 1];
	size_t i;

	for (i = list->saved; i < list->committed; i++) {
		const struct revoked_entry *entry = &list->entries[i];

		hex_write(entry->id, kinds[entry->kind].size, hex);
		buffer_printf(out, "%s %s\n", kinds[entry->kind].name, hex);
	}
}

/* Whole lines or none: what a full disk took of them is taken back. */
static enum status append(struct revoked_list *list, struct span bytes, struct error *err)
{
	off_t before = lseek(list->fd, 0, SEEK_END);
	ssize_t took = 0;

	if (before < 0)
		return error_fail_errno(err, "cannot add to the list of what was revoked");
	while (bytes.size) {
		took = FAULT("write") ? (errno = ENOSPC, -1) : write(list->fd, bytes.at, bytes.size);
		if (took < 0 && errno == EINTR)
			continue;
		if (took < 0)
			break;
		span_skip(&bytes, (size_t)took);
	}
	if (took >= 0 && !FAULT("fsync") && fdatasync(list->fd) == 0)
		return OK;
	(void)error_fail_errno(err, "cannot add to the list of what was revoked");
	if (ftruncate(list->fd, before))
		error_context(err, "half a line stays");
	return FAILED;
}

enum status revoked_list_commit(struct revoked_list *list, struct error *err)
{
	struct buffer lines;
	enum status status;
	size_t from;

	if (!list)
		return OK;
	from = list->committed;
	list->committed = list->noted;
	seat_all(list, from);
	if (list->saved == list->committed)
		return OK;
	buffer_init(&lines, LIST_BYTES_MOST);
	write_lines(list, &lines);
	status = buffer_is_whole(&lines) ? append(list, buffer_span(&lines), err) : error_fail(err, "no memory");
	if (status == OK)
		list->saved = list->committed;
	buffer_release(&lines);
	return status;
}

static bool read_line(struct span line, struct revoked_entry *out)
{
	struct span kind;
	int i;

	*out = (struct revoked_entry){0};
	if (!span_cut(&line, ' ', &kind))
		return false;
	for (i = 0; i < KINDS; i++)
		if (span_is(kind, kinds[i].name)) {
			out->kind = (uint8_t)i;
			return hex_read(line, out->id, kinds[i].size);
		}
	return false;
}

static enum status read_all(struct revoked_list *list, struct span text, unsigned *damaged, struct error *err)
{
	struct revoked_entry entry;
	struct span line;
	enum status status = OK;

	while (status == OK && text.size) {
		(void)span_cut(&text, '\n', &line);
		if (line.size == 0 || line.at[0] == '#')
			continue;
		if (read_line(line, &entry))
			status = revoked_list_note(list, (enum revoked_kind)entry.kind, entry.id, err);
		else
			++*damaged;
	}
	list->saved = list->committed = list->noted;
	seat_all(list, 0);
	return status;
}

/* Only whole lines were ever promised to anybody. */
static enum status cut_last_line(struct revoked_list *list, struct buffer *text, struct error *err)
{
	size_t size = text->size;

	while (size > 0 && text->at[size - 1] != '\n')
		size--;
	if (size == text->size)
		return OK;
	text->size = size;
	return ftruncate(list->fd, (off_t)size) == 0 ? OK : error_fail_errno(err, "cannot cut its last line");
}

static enum status load(struct revoked_list *list, unsigned *damaged, struct error *err)
{
	struct buffer text;
	enum status status;

	buffer_init(&text, LIST_BYTES_MOST);
	TRY(file_load_fd(list->fd, &text, err));
	TRY(cut_last_line(list, &text, err));
	TRY(read_all(list, buffer_span(&text), damaged, err));
done:
	buffer_release(&text);
	return status;
}

enum status revoked_list_open(const char *path, struct revoked_list **out, unsigned *damaged, struct error *err)
{
	struct revoked_list *list = calloc(1, sizeof *list);
	enum status status;

	*damaged = 0;
	if (!list)
		return error_fail(err, "no memory");
	list->fd = open(path, O_RDWR | O_APPEND | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);
	if (list->fd < 0) {
		(void)error_fail_errno(err, "cannot open");
		status = REFUSED;
		goto done;
	}
	if (!make_room(list))
		TRY(error_fail(err, "no memory"));
	TRY(load(list, damaged, err));
	TRY(folder_sync(path, err));
	*out = list;
	list = NULL;
done:
	revoked_list_free(list);
	if (status != OK)
		error_context(err, "%s", path);
	return status;
}

void revoked_list_free(struct revoked_list *list)
{
	if (!list)
		return;
	if (list->fd >= 0)
		close(list->fd);
	free(list->entries);
	free(list->table);
	free(list);
}
