#include "access/allow_file.h"

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/encode.h"
#include "pki/digest.h"

enum { ID_SIZE = 16, ID_DIGITS = 32 };

struct allow_file {
	size_t count;
	bool is_unreadable;
	uint8_t (*ids)[ID_SIZE]; /* sorted, each once */
	size_t foreign_count;
	uint8_t (*foreign)[SHA256_SIZE]; /* the same */
};

struct reading {
	struct span domain;
	allow_file_warn *warn;
	void *arg;
	size_t line, bad;
	uint8_t (*ids)[ID_SIZE];
	size_t count, room;
	uint8_t (*foreign)[SHA256_SIZE];
	size_t foreign_count, foreign_room;
};

static void complain(struct reading *reading, const char *text)
{
	reading->bad++;
	if (reading->warn && reading->bad <= ALLOW_FILE_WARNINGS)
		reading->warn(reading->arg, reading->line, text);
}

/* What stands behind the 32 digits must be nothing, or ".d." and our own trust domain. */
static const char *read_id(struct span text, struct span domain, uint8_t id[static ID_SIZE])
{
	struct span digits = text;
	char wanted[256];

	if (text.size < ID_DIGITS)
		return "not a device id: 32 hex digits, with or without .d. and the trust domain";
	digits.size = ID_DIGITS;
	if (!hex_read(digits, id, ID_SIZE))
		return "not a device id: it does not begin with 32 hex digits";
	span_skip(&text, ID_DIGITS);
	if (text.size == 0)
		return NULL;
	if (text.size < 4 || !span_is_nocase((struct span){text.at, 3}, ".d."))
		return "not a device id: more than 32 hex digits, and not .d. and the trust domain";
	span_skip(&text, 3);
	if (domain.size == 0 || domain.size >= sizeof wanted)
		return "a device of another trust domain";
	memcpy(wanted, domain.at, domain.size);
	wanted[domain.size] = 0;
	return span_is_nocase(text, wanted) ? NULL : "a device of another trust domain";
}

static enum status keep(struct reading *reading, const uint8_t id[static ID_SIZE],
			struct error *err)
{
	if (reading->count == ALLOW_FILE_LINES)
		return error_refuse(err, "more than %d devices", ALLOW_FILE_LINES);
	if (reading->count == reading->room) {
		size_t room = reading->room ? 2 * reading->room : 64;
		void *ids = realloc(reading->ids, room * ID_SIZE);

		if (!ids)
			return error_fail(err, "no memory for %zu devices", room);
		reading->ids = ids;
		reading->room = room;
	}
	memcpy(reading->ids[reading->count++], id, ID_SIZE);
	return OK;
}

/* "corp/somebody": the name of a foreign CA and an identity of it. No device id has a "/". */
static bool is_foreign(struct span text)
{
	const char *slash = memchr(text.at, '/', text.size);
	size_t i;

	for (i = 0; slash && text.at + i < slash; i++) {
		char c = text.at[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
		      c == '_' || c == '-'))
			return false;
	}
	return slash && i > 0 && i + 1 < text.size;
}

static enum status keep_foreign(struct reading *reading, struct span name, struct error *err)
{
	if (reading->foreign_count == ALLOW_FILE_LINES)
		return error_refuse(err, "more than %d identities", ALLOW_FILE_LINES);
	if (reading->foreign_count == reading->foreign_room) {
		size_t room = reading->foreign_room ? 2 * reading->foreign_room : 64;
		void *grown = realloc(reading->foreign, room * SHA256_SIZE);

		if (!grown)
			return error_fail(err, "no memory for %zu identities", room);
		reading->foreign = grown;
		reading->foreign_room = room;
	}
	digest_sha256(name, reading->foreign[reading->foreign_count++]);
	return OK;
}

/* A URI may have a "#" of its own, but no space before it. */
static struct span without_comment(struct span line)
{
	size_t first = line.size, spaced = line.size, i;

	for (i = line.size; i-- > 0;) {
		if (line.at[i] != '#')
			continue;
		first = i;
		if (i == 0 || line.at[i - 1] == ' ' || line.at[i - 1] == '\t')
			spaced = i;
	}
	return span_trim(span_make(line.at, is_foreign(span_trim(span_make(line.at, first))) ? spaced : first));
}

static enum status read_line(struct reading *reading, struct span line, struct error *err)
{
	uint8_t id[ID_SIZE];
	struct span text = line;
	const char *wrong;

	if (text.size > 0 && text.at[text.size - 1] == '\r')
		text.size--;
	text = without_comment(text);
	if (text.size == 0)
		return OK;
	if (is_foreign(text))
		return keep_foreign(reading, text, err);
	wrong = read_id(text, reading->domain, id);
	if (wrong) {
		complain(reading, wrong);
		return OK;
	}
	return keep(reading, id, err);
}

static int compare(const void *a, const void *b)
{
	return memcmp(a, b, ID_SIZE);
}

static int compare_foreign(const void *a, const void *b)
{
	return memcmp(a, b, SHA256_SIZE);
}

static void sort_once(struct reading *reading)
{
	size_t from, to = 0;

	if (reading->count == 0)
		return;
	qsort(reading->ids, reading->count, ID_SIZE, compare);
	for (from = 1; from < reading->count; from++)
		if (memcmp(reading->ids[to], reading->ids[from], ID_SIZE) != 0)
			memmove(reading->ids[++to], reading->ids[from], ID_SIZE);
	reading->count = to + 1;
}

static void complain_of_the_rest(struct reading *reading)
{
	char text[64];

	if (!reading->warn || reading->bad <= ALLOW_FILE_WARNINGS)
		return;
	snprintf(text, sizeof text, "%zu more lines that are no device id",
		 reading->bad - ALLOW_FILE_WARNINGS);
	reading->warn(reading->arg, 0, text);
}

enum status allow_file_parse(struct span text, struct span domain, allow_file_warn *warn, void *arg,
			     struct allow_file **out, struct error *err)
{
	struct reading reading = {.domain = domain, .warn = warn, .arg = arg};
	struct allow_file *file = NULL;
	enum status status = OK;
	struct span line;

	if (span_starts(text, "\xef\xbb\xbf"))
		span_skip(&text, 3);
	while (span_cut(&text, '\n', &line)) {
		reading.line++;
		TRY(read_line(&reading, line, err));
	}
	complain_of_the_rest(&reading);
	sort_once(&reading);
	if (reading.foreign_count)
		qsort(reading.foreign, reading.foreign_count, SHA256_SIZE, compare_foreign);
	file = calloc(1, sizeof *file);
	if (!file) {
		status = error_fail(err, "no memory for an allow-file");
		goto done;
	}
	*file = (struct allow_file){.count = reading.count,
				    .ids = reading.ids,
				    .foreign_count = reading.foreign_count,
				    .foreign = reading.foreign};
	reading.ids = NULL;
	reading.foreign = NULL;
	*out = file;
done:
	free(reading.ids);
	free(reading.foreign);
	return status;
}

struct allow_file *allow_file_unreadable(void)
{
	struct allow_file *file = calloc(1, sizeof *file);

	if (file)
		file->is_unreadable = true;
	return file;
}

void allow_file_free(struct allow_file *file)
{
	if (!file)
		return;
	free(file->ids);
	free(file->foreign);
	free(file);
}

bool allow_file_has(const struct allow_file *file, const uint8_t device[static 16])
{
	return file->count > 0 && bsearch(device, file->ids, file->count, ID_SIZE, compare);
}

bool allow_file_has_foreign(const struct allow_file *file, const uint8_t key[static 32])
{
	return file->foreign_count > 0 &&
	       bsearch(key, file->foreign, file->foreign_count, SHA256_SIZE, compare_foreign);
}

bool allow_file_is_unreadable(const struct allow_file *file)
{
	return file->is_unreadable;
}

size_t allow_file_count(const struct allow_file *file)
{
	return file->count + file->foreign_count;
}
