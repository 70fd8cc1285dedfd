#include "registry/watched_record.h"

#include <string.h>

#include "pki/digest.h"
#include "registry/query.h"

/* Each part with its terminator, so that no two rows have one key. */
static void make_key(const struct watched_record *record, uint8_t out[static WATCHED_KEY_SIZE])
{
	const char *const texts[] = {record->site, record->location, record->path, record->source, record->client,
				     record->code};
	enum { TEXTS = sizeof texts / sizeof *texts };
	struct span parts[TEXTS + 1];
	uint8_t hash[SHA256_SIZE];
	size_t i;

	for (i = 0; i < TEXTS; i++)
		parts[i] = span_make(texts[i], strlen(texts[i]) + 1);
	parts[TEXTS] = span_make(record->device, record->has_device ? sizeof record->device : 0);
	digest_sha256_parts(parts, TEXTS + 1, hash);
	memcpy(out, hash, WATCHED_KEY_SIZE);
}

static enum status count_in(struct registry *registry, const uint8_t key[WATCHED_KEY_SIZE],
			    const struct watched_record *record, bool *is_there, struct error *err)
{
	struct query query;
	enum status status;
	int changed = 0;

	TRY(query_start(registry, WATCHED_COUNT, &query, err));
	query_put_blob(&query, key, WATCHED_KEY_SIZE);
	query_put_number(&query, record->times);
	query_put_number(&query, record->last);
	status = query_run(&query, &changed, err);
	query_end(&query);
	*is_there = changed > 0;
done:
	return status;
}

static enum status ask_number(struct query *query, int64_t *out, struct error *err)
{
	bool row;
	enum status status = query_step(query, &row, err);

	*out = status == OK && row ? query_get_number(query) : 0;
	query_end(query);
	return status;
}

static enum status count_of_source(struct registry *registry, const struct watched_record *record, int64_t *out,
				   struct error *err)
{
	struct query query;
	enum status status;

	TRY(query_start(registry, WATCHED_OF_SOURCE, &query, err));
	query_put_text(&query, record->site);
	query_put_text(&query, record->source);
	status = ask_number(&query, out, err);
done:
	return status;
}

enum status watched_record_trim(struct registry *registry, struct error *err)
{
	struct query query;
	enum status status;
	int64_t count;

	TRY(query_start(registry, WATCHED_TOTAL, &query, err));
	TRY(ask_number(&query, &count, err));
	if (count <= WATCHED_MOST)
		return OK;
	TRY(query_start(registry, WATCHED_TRIM, &query, err));
	query_put_number(&query, count - WATCHED_MOST);
	status = query_run(&query, NULL, err);
	query_end(&query);
done:
	return status;
}

static enum status insert(struct registry *registry, const uint8_t key[WATCHED_KEY_SIZE],
			  const struct watched_record *record, struct error *err)
{
	struct query query;
	enum status status;

	TRY(query_start(registry, WATCHED_ADD, &query, err));
	query_put_blob(&query, key, WATCHED_KEY_SIZE);
	query_put_text(&query, record->site);
	query_put_text(&query, record->location);
	query_put_text(&query, record->path);
	query_put_text(&query, record->source);
	query_put_text(&query, record->client);
	query_put_text(&query, record->code);
	if (record->has_device)
		query_put_blob(&query, record->device, sizeof record->device);
	else
		query_put_null(&query);
	query_put_number(&query, record->times);
	query_put_number(&query, record->first);
	query_put_number(&query, record->last);
	status = query_run(&query, NULL, err);
	query_end(&query);
done:
	return status;
}

enum status watched_record_add(struct registry *registry, const struct watched_record *record, struct error *err)
{
	struct watched_record all = *record;
	uint8_t key[WATCHED_KEY_SIZE];
	enum status status;
	bool is_there;
	int64_t count;

	make_key(record, key);
	TRY(count_in(registry, key, record, &is_there, err));
	if (is_there)
		return OK;
	TRY(count_of_source(registry, record, &count, err));
	if (count < WATCHED_OF_SOURCE_MOST)
		return insert(registry, key, record, err);
	memcpy(all.path, "*", sizeof "*");
	all.location[0] = all.client[0] = 0;
	all.has_device = false;
	make_key(&all, key);
	TRY(count_in(registry, key, &all, &is_there, err));
	/* One for each reason, so no more than a few above the limit. */
	if (!is_there)
		status = insert(registry, key, &all, err);
done:
	return status;
}

static void read_row(struct query *query, struct watched_record *out)
{
	memset(out, 0, sizeof *out);
	query_get_blob(query, out->key, sizeof out->key);
	query_get_text(query, out->site, sizeof out->site);
	query_get_text(query, out->location, sizeof out->location);
	query_get_text(query, out->path, sizeof out->path);
	query_get_text(query, out->source, sizeof out->source);
	query_get_text(query, out->client, sizeof out->client);
	query_get_text(query, out->code, sizeof out->code);
	out->has_device = !query_is_null(query);
	if (out->has_device)
		query_get_blob(query, out->device, sizeof out->device);
	else
		query_skip(query);
	out->times = query_get_number(query);
	out->first = query_get_number(query);
	out->last = query_get_number(query);
}

enum status watched_record_list(struct registry *registry, const char *site, int64_t since, const uint8_t *after,
				struct watched_record *out, size_t most, size_t *count, struct error *err)
{
	struct query query;
	enum status status;
	bool row;

	*count = 0;
	TRY(query_start(registry, WATCHED_LIST, &query, err));
	query_put_blob(&query, after, after ? WATCHED_KEY_SIZE : 0);
	query_put_number(&query, since);
	query_put_text(&query, site);
	query_put_number(&query, (int64_t)most);
	while (*count < most && (status = query_step(&query, &row, err)) == OK && row) {
		query.is_damaged = false;
		read_row(&query, &out[*count]);
		/* Somebody wrote into it by hand: what cannot be read is not shown. */
		*count += !query.is_damaged;
	}
	query_end(&query);
done:
	return status;
}

enum status watched_record_reset(struct registry *registry, const char *site, int *count, struct error *err)
{
	struct query query;
	enum status status;

	*count = 0;
	TRY(query_start(registry, WATCHED_RESET, &query, err));
	query_put_text(&query, site);
	status = query_run(&query, count, err);
	query_end(&query);
done:
	return status;
}

enum status attendance_list(struct registry *registry, const char *after, struct attendance *out, size_t most,
			    size_t *count, struct error *err)
{
	struct query query;
	enum status status;
	bool row;

	*count = 0;
	TRY(query_start(registry, ATTENDANCE_LIST, &query, err));
	query_put_text(&query, after);
	query_put_number(&query, (int64_t)most);
	while (*count < most && (status = query_step(&query, &row, err)) == OK && row) {
		struct attendance *one = &out[(*count)++];

		query_get_text(&query, one->name, sizeof one->name);
		query_get_text(&query, one->name_key, sizeof one->name_key);
		query_get_text(&query, one->groups, sizeof one->groups);
		one->devices = query_get_number(&query);
		one->seen = query_is_null(&query) ? 0 : query_get_number(&query);
	}
	query_end(&query);
done:
	return status;
}
