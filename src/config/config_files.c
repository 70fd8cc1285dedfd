#include "config/config_files.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/file_trust.h"
#include "config/bundle.h"

struct config_files {
	enum status (*load)(struct config_files *files, const char *path, struct span *bytes,
			    struct error *err);
	const struct bundle *bundle;
	const struct config_map_entry *map;
	/* From the disk: what was read, or why it was not. Entries point into the two others. */
	size_t count;
	struct bundle_entry *entries;
	struct buffer *contents;
	char **paths;
};

static enum status files_new(struct config_files **out, struct error *err)
{
	*out = calloc(1, sizeof **out);
	return *out ? OK : error_fail(err, "no memory for the config's files");
}

/* Disk ------------------------------------------------------------------ */

static enum status report(const struct bundle_entry *entry, struct span *bytes, struct error *err)
{
	if (entry->kind == BUNDLE_TROUBLE)
		return error_refuse(err, "%.*s", SPAN_PRINT(entry->bytes));
	*bytes = entry->bytes;
	return OK;
}

static enum status remember(struct config_files *files, const char *path, struct error *err)
{
	struct bundle_entry *entry = &files->entries[files->count];
	struct buffer *content = &files->contents[files->count];
	struct error trouble = {""};

	files->paths[files->count] = strdup(path);
	if (!files->paths[files->count])
		return error_fail(err, "no memory for %s", path);
	entry->name = span_of(files->paths[files->count]);
	entry->kind = BUNDLE_FILE;
	buffer_init(content, CONFIG_FILE_MOST);
	if (file_load_trusted(path, FILE_INFORMS, content, &trouble) != OK) {
		buffer_wipe(content);
		buffer_add_text(content, trouble.text);
		entry->kind = BUNDLE_TROUBLE;
	}
	entry->bytes = buffer_span(content);
	files->count++;
	return OK;
}

static enum status load_from_disk(struct config_files *files, const char *path, struct span *bytes,
				  struct error *err)
{
	enum status status;
	size_t i;

	for (i = 0; i < files->count; i++)
		if (span_is(files->entries[i].name, path))
			return report(&files->entries[i], bytes, err);
	if (files->count == CONFIG_FILES_MOST)
		return error_refuse(err, "the config names more than %d files", CONFIG_FILES_MOST);
	status = remember(files, path, err);
	return status == OK ? report(&files->entries[files->count - 1], bytes, err) : status;
}

enum status config_files_from_disk(struct config_files **out, struct error *err)
{
	struct config_files *files;
	enum status status = files_new(&files, err);

	if (status != OK)
		return status;
	files->load = load_from_disk;
	files->entries = calloc(CONFIG_FILES_MOST, sizeof *files->entries);
	files->contents = calloc(CONFIG_FILES_MOST, sizeof *files->contents);
	files->paths = calloc(CONFIG_FILES_MOST, sizeof *files->paths);
	if (!files->entries || !files->contents || !files->paths) {
		config_files_free(files);
		return error_fail(err, "no memory for the config's files");
	}
	*out = files;
	return OK;
}

const struct bundle_entry *config_files_loaded(const struct config_files *files, size_t *count)
{
	*count = files->count;
	return files->entries;
}

/* Bundle ---------------------------------------------------------------- */

static enum status load_from_bundle(struct config_files *files, const char *path,
				    struct span *bytes, struct error *err)
{
	const struct bundle_entry *entry = bundle_find(files->bundle, path);

	if (!entry)
		return error_refuse(err, "%s was not handed over", path);
	return report(entry, bytes, err);
}

enum status config_files_from_bundle(const struct bundle *bundle, struct config_files **out,
				     struct error *err)
{
	enum status status = files_new(out, err);

	if (status == OK) {
		(*out)->load = load_from_bundle;
		(*out)->bundle = bundle;
	}
	return status;
}

/* Map ------------------------------------------------------------------- */

static enum status load_from_map(struct config_files *files, const char *path, struct span *bytes,
				 struct error *err)
{
	const struct config_map_entry *entry;

	for (entry = files->map; entry->path; entry++) {
		if (strcmp(entry->path, path) != 0 || !entry->text)
			continue;
		*bytes = span_of(entry->text);
		return OK;
	}
	return error_refuse(err, "cannot open %s: No such file or directory", path);
}

enum status config_files_from_map(const struct config_map_entry *entries,
				  struct config_files **out, struct error *err)
{
	enum status status = files_new(out, err);

	if (status == OK) {
		(*out)->load = load_from_map;
		(*out)->map = entries;
	}
	return status;
}

/* ----------------------------------------------------------------------- */

enum status config_files_load(struct config_files *files, const char *path, struct span *bytes,
			      struct error *err)
{
	return files->load(files, path, bytes, err);
}

void config_files_free(struct config_files *files)
{
	size_t i;

	if (!files)
		return;
	for (i = 0; i < files->count; i++) {
		buffer_wipe(&files->contents[i]);
		free(files->paths[i]);
	}
	free(files->entries);
	free(files->contents);
	free(files->paths);
	free(files);
}
