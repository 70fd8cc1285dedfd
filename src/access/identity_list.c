#include "access/identity_list.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "pki/digest.h"

enum { GROUP_MOST = 64, GROUPS_MOST = 64 };

struct entry {
	uint8_t key[SHA256_SIZE]; /* of the identity */
	uint32_t at, size;        /* its groups, in the text */
};

struct identity_list {
	char *text; /* a copy of the file, for the groups */
	size_t count;
	struct entry *entries; /* sorted by key; several lines of one identity stand together */
};

struct reading {
	enum foreign_field field;
	bool has_groups;
	allow_file_warn *warn;
	void *arg;
	size_t line, bad, room;
	struct identity_list *list;
	struct buffer folded;
};

static void complain(struct reading *reading, const char *text)
{
	reading->bad++;
	if (reading->warn && reading->bad <= ALLOW_FILE_WARNINGS)
		reading->warn(reading->arg, reading->line, text);
}

/* A URI may have a "#" of its own, but no space before it. */
static struct span without_comment(struct span line)
{
	size_t i;

	for (i = 0; i < line.size; i++)
		if (line.at[i] == '#' && (i == 0 || line.at[i - 1] == ' ' || line.at[i - 1] == '\t'))
			line.size = i;
	if (line.size > 0 && line.at[line.size - 1] == '\r')
		line.size--;
	return span_trim(line);
}

static bool are_groups(struct span text)
{
	struct span name;
	size_t count = 0, i;

	if (text.size == 0 || text.at[text.size - 1] == ',')
		return false;
	while (span_cut(&text, ',', &name)) {
		if (name.size == 0 || name.size > GROUP_MOST || ++count > GROUPS_MOST || span_is(name, "everyone"))
			return false;
		for (i = 0; i < name.size; i++) {
			char c = name.at[i];

			if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') ||
			      c == '.' || c == '_' || c == '-'))
				return false;
		}
	}
	return true;
}

/* The last word of the line; a common name may have spaces of its own. */
static bool cut_groups(struct span *text, struct span *groups)
{
	size_t i = text->size;

	while (i > 0 && text->at[i - 1] != ' ' && text->at[i - 1] != '\t')
		i--;
	if (i == 0)
		return false;
	*groups = span_make(text->at + i, text->size - i);
	*text = span_trim(span_make(text->at, i));
	return are_groups(*groups);
}

static enum status keep(struct reading *reading, struct span groups, struct error *err)
{
	struct identity_list *list = reading->list;
	struct entry *entry;

	if (list->count == ALLOW_FILE_LINES)
		return error_refuse(err, "more than %d identities", ALLOW_FILE_LINES);
	if (list->count == reading->room) {
		size_t room = reading->room ? 2 * reading->room : 64;
		struct entry *grown = realloc(list->entries, room * sizeof *grown);

		if (!grown)
			return error_fail(err, "no memory for %zu identities", room);
		list->entries = grown;
		reading->room = room;
	}
	entry = &list->entries[list->count++];
	digest_sha256(buffer_span(&reading->folded), entry->key);
	entry->at = groups.size ? (uint32_t)(groups.at - list->text) : 0;
	entry->size = (uint32_t)groups.size;
	return OK;
}

static enum status read_line(struct reading *reading, struct span line, struct error *err)
{
	struct span text = without_comment(line), groups = {"", 0};
	struct error wrong = {""};

	if (text.size == 0)
		return OK;
	if (reading->has_groups && !cut_groups(&text, &groups)) {
		complain(reading, "not an identity and its groups: write it as identity, a space, group,group");
		return OK;
	}
	buffer_clear(&reading->folded);
	if (foreign_identity_fold(reading->field, text, &reading->folded, &wrong) != OK) {
		complain(reading, wrong.text);
		return OK;
	}
	return keep(reading, groups, err);
}

static int compare(const void *a, const void *b)
{
	return memcmp(((const struct entry *)a)->key, ((const struct entry *)b)->key, SHA256_SIZE);
}

static void complain_of_the_rest(struct reading *reading)
{
	char text[64];

	if (!reading->warn || reading->bad <= ALLOW_FILE_WARNINGS)
		return;
	snprintf(text, sizeof text, "%zu more lines that are no identity", reading->bad - ALLOW_FILE_WARNINGS);
	reading->warn(reading->arg, 0, text);
}

enum status identity_list_parse(struct span text, enum foreign_field field, bool has_groups, allow_file_warn *warn,
				void *arg, struct identity_list **out, struct error *err)
{
	struct reading reading = {.field = field, .has_groups = has_groups, .warn = warn, .arg = arg};
	struct span rest, line;
	enum status status = OK;

	if (text.size > UINT32_MAX)
		return error_refuse(err, "a file of more than 4 GB");
	buffer_init(&reading.folded, FOREIGN_IDENTITY_MOST);
	reading.list = calloc(1, sizeof *reading.list);
	if (reading.list)
		reading.list->text = malloc(text.size + 1);
	if (!reading.list || !reading.list->text) {
		status = error_fail(err, "no memory for a list of identities");
		goto done;
	}
	if (text.size)
		memcpy(reading.list->text, text.at, text.size);
	rest = span_make(reading.list->text, text.size);
	if (span_starts(rest, "\xef\xbb\xbf"))
		span_skip(&rest, 3);
	while (span_cut(&rest, '\n', &line)) {
		reading.line++;
		TRY(read_line(&reading, line, err));
	}
	complain_of_the_rest(&reading);
	if (reading.list->count)
		qsort(reading.list->entries, reading.list->count, sizeof *reading.list->entries, compare);
	*out = reading.list;
	reading.list = NULL;
done:
	buffer_release(&reading.folded);
	identity_list_free(reading.list);
	return status;
}

void identity_list_free(struct identity_list *list)
{
	if (!list)
		return;
	free(list->entries);
	free(list->text);
	free(list);
}

static const struct entry *find(const struct identity_list *list, struct span identity)
{
	struct entry wanted;

	if (list->count == 0)
		return NULL;
	digest_sha256(identity, wanted.key);
	return bsearch(&wanted, list->entries, list->count, sizeof wanted, compare);
}

bool identity_list_has(const struct identity_list *list, struct span identity)
{
	return find(list, identity) != NULL;
}

void identity_list_groups(const struct identity_list *list, struct span identity, struct buffer *out)
{
	const struct entry *found = find(list, identity), *entry = found;

	while (entry && entry > list->entries && compare(entry - 1, found) == 0)
		entry--;
	for (; entry && entry < list->entries + list->count && compare(entry, found) == 0; entry++) {
		buffer_add(out, span_make(list->text + entry->at, entry->size));
		buffer_add_char(out, ',');
	}
}

size_t identity_list_count(const struct identity_list *list)
{
	return list->count;
}
