#include <stdio.h>
#include <string.h>

#include "authority/answers.h"
#include "authority/authority_handle.h"
#include "authority/locate.h"
#include "authority/turn.h"
#include "base/clock.h"
#include "base/encode.h"
#include "registry/watched_record.h"

/*
 * Who would have been refused while a site only watches: told by gateways,
 * which may have been taken over, and shown to whoever decides when to enforce.
 */

enum { ROWS_A_TIME = 128, TIMES_MOST = 1000000000, PAGE = 200, NAME_ROOM = PERSON_NAME_SIZE + DEVICE_LABEL_SIZE + 1 };

/* From gateways ------------------------------------------------------------ */

/* They write visible ASCII only; a space stands in names of programs. Missing is empty. */
static enum status take_text(const json_t *row, const char *field, char *out, size_t room, struct error *err)
{
	const char *text;
	enum status status = words_text_maybe(row, field, room - 1, &text, err);
	size_t i;

	if (status != OK)
		return status;
	snprintf(out, room, "%s", text ? text : "");
	for (i = 0; out[i]; i++)
		if (out[i] < ' ' || out[i] > '~')
			return error_refuse(err, "\"%s\" must be visible ASCII", field);
	return OK;
}

static int64_t not_after(int64_t moment, int64_t now)
{
	return moment < now ? moment : now;
}

static enum status take_row(const json_t *row, int64_t now, struct watched_record *out, struct error *err)
{
	enum status status;

	memset(out, 0, sizeof *out);
	TRY(take_text(row, "site", out->site, sizeof out->site, err));
	TRY(take_text(row, "location", out->location, sizeof out->location, err));
	TRY(take_text(row, "path", out->path, sizeof out->path, err));
	TRY(take_text(row, "address", out->source, sizeof out->source, err));
	TRY(take_text(row, "client", out->client, sizeof out->client, err));
	TRY(take_text(row, "code", out->code, sizeof out->code, err));
	out->has_device = json_is_string(json_object_get(row, "device"));
	if (out->has_device)
		TRY(words_hex(row, "device", out->device, sizeof out->device, err));
	TRY(words_number(row, "times", 1, TIMES_MOST, &out->times, err));
	TRY(words_number(row, "first", 0, INT64_MAX, &out->first, err));
	TRY(words_number(row, "last", 0, INT64_MAX, &out->last, err));
	/* A clock that was set, or a lie, must not make a row that never gives way. */
	out->last = not_after(out->last, now);
	out->first = not_after(out->first, out->last);
done:
	return status;
}

static enum status note_uncounted(struct authority *authority, int64_t times, int64_t now, struct error *err)
{
	struct watched_record row = {.site = "*", .path = "*", .source = "*", .times = times, .first = now, .last = now};

	return times ? watched_record_add(authority->registry, &row, err) : OK;
}

static enum status watched(struct authority *authority, struct deed *deed, const json_t *words, struct error *err)
{
	const json_t *rows = json_object_get(words, "rows"), *row;
	int64_t now = clock_seconds(), uncounted = 0;
	struct watched_record record;
	enum status status;
	size_t i;

	(void)deed;
	if (!json_is_array(rows) || json_array_size(rows) > ROWS_A_TIME)
		return error_refuse(err, "rows: a list of at most %d is wanted", ROWS_A_TIME);
	if (json_object_get(words, "uncounted"))
		TRY(words_number(words, "uncounted", 0, TIMES_MOST, &uncounted, err));
	json_array_foreach(rows, i, row) {
		TRY(take_row(row, now, &record, err));
		TRY(watched_record_add(authority->registry, &record, err));
	}
	TRY(note_uncounted(authority, uncounted, now, err));
	TRY(watched_record_trim(authority->registry, err));
done:
	return status;
}

void answer_watched(void *house, struct answer *answer, const json_t *words, int fd)
{
	(void)fd;
	turn_write(house, answer, words, watched, NULL);
}

/* For commands --------------------------------------------------------------- */

static enum status take_site(const json_t *words, const char **out, struct error *err)
{
	enum status status = words_text_maybe(words, "site", WATCHED_SITE_SIZE - 1, out, err);

	if (status == OK && !*out)
		*out = "";
	return status;
}

/* A device that is gone from the registry has its id still. */
static void describe_whose(struct authority *authority, const struct watched_record *record, json_t *into)
{
	struct device_record device;
	struct person_record owner;
	char id[DEVICE_ID_TEXT], name[NAME_ROOM];
	bool has_owner = false;

	if (!record->has_device)
		return;
	authority_device_text(authority, record->device, id);
	json_object_set_new(into, "device", json_string(id));
	if (device_record_load(authority->registry, record->device, &device, NULL) != OK ||
	    locate_owner(authority, &device, &owner, &has_owner, NULL) != OK)
		return;
	snprintf(name, sizeof name, "%s%s%s", has_owner ? owner.name : "", has_owner ? "/" : "", device.label);
	json_object_set_new(into, "name", json_string(name));
}

static json_t *describe_row(struct authority *authority, const struct watched_record *record)
{
	json_t *out = json_object();

	json_object_set_new(out, "site", json_string(record->site));
	json_object_set_new(out, "location", json_string(record->location));
	json_object_set_new(out, "path", json_string(record->path));
	json_object_set_new(out, "address", json_string(record->source));
	json_object_set_new(out, "client", json_string(record->client));
	json_object_set_new(out, "code", json_string(record->code));
	json_object_set_new(out, "device", json_null());
	json_object_set_new(out, "name", json_null());
	json_object_set_new(out, "times", json_integer(record->times));
	json_object_set_new(out, "first", json_integer(record->first));
	json_object_set_new(out, "last", json_integer(record->last));
	describe_whose(authority, record, out);
	return out;
}

static enum status watch(struct authority *authority, struct deed *deed, const json_t *words, struct error *err)
{
	static struct watched_record rows[PAGE]; /* too large for the stack */
	uint8_t after[WATCHED_KEY_SIZE];
	char next[2 * WATCHED_KEY_SIZE + 1];
	const char *site, *behind;
	int64_t since = 0;
	enum status status;
	json_t *out = json_array();
	size_t count, i;

	json_object_set_new(deed->words, "rows", out);
	TRY(take_site(words, &site, err));
	TRY(words_text_maybe(words, "after", sizeof next - 1, &behind, err));
	if (behind)
		TRY(words_hex(words, "after", after, sizeof after, err));
	if (json_object_get(words, "since"))
		TRY(words_number(words, "since", 0, INT64_MAX, &since, err));
	TRY(watched_record_list(authority->registry, site, since, behind ? after : NULL, rows, PAGE, &count, err));
	for (i = 0; i < count; i++)
		json_array_append_new(out, describe_row(authority, &rows[i]));
	if (count == PAGE) {
		hex_write(rows[PAGE - 1].key, WATCHED_KEY_SIZE, next);
		json_object_set_new(deed->words, "next", json_string(next));
	}
done:
	return status;
}

void answer_watch(void *house, struct answer *answer, const json_t *words, int fd)
{
	(void)fd;
	turn_read(house, answer, words, watch);
}

static enum status reset(struct authority *authority, struct deed *deed, const json_t *words, struct error *err)
{
	const char *site;
	enum status status;
	int count;

	TRY(take_site(words, &site, err));
	TRY(watched_record_reset(authority->registry, site, &count, err));
	TRY(turn_audit(deed, *site ? site : "every site", err, "%d rows forgotten", count));
	json_object_set_new(deed->words, "forgotten", json_integer(count));
done:
	return status;
}

void answer_watch_reset(void *house, struct answer *answer, const json_t *words, int fd)
{
	(void)fd;
	turn_write(house, answer, words, reset, NULL);
}

static json_t *split(const char *groups)
{
	json_t *list = json_array();
	struct span rest = span_of(groups), group;

	while (span_cut(&rest, ',', &group))
		json_array_append_new(list, json_stringn(group.at, group.size));
	return list;
}

static enum status attendance(struct authority *authority, struct deed *deed, const json_t *words, struct error *err)
{
	static struct attendance people[PAGE];
	json_t *out = json_array();
	const char *after;
	enum status status;
	size_t count, i;

	json_object_set_new(deed->words, "people", out);
	TRY(words_text_maybe(words, "after", PERSON_NAME_SIZE, &after, err));
	TRY(attendance_list(authority->registry, after ? after : "", people, PAGE, &count, err));
	for (i = 0; i < count; i++) {
		json_t *person = json_object();

		json_object_set_new(person, "name", json_string(people[i].name));
		json_object_set_new(person, "groups", split(people[i].groups));
		json_object_set_new(person, "devices", json_integer(people[i].devices));
		json_object_set_new(person, "seen", people[i].seen ? json_integer(people[i].seen) : json_null());
		json_array_append_new(out, person);
	}
	if (count == PAGE)
		json_object_set_new(deed->words, "next", json_string(people[PAGE - 1].name_key));
done:
	return status;
}

void answer_attendance(void *house, struct answer *answer, const json_t *words, int fd)
{
	(void)fd;
	turn_read(house, answer, words, attendance);
}
