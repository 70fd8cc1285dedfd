#include "registry/device_record.h"

#include <string.h>

#include "base/encode.h"
#include "registry/device_row.h"
#include "registry/registry_handle.h"

static const char *const states[] = {[DEVICE_PENDING] = "pending", [DEVICE_ACTIVE] = "active",
				     [DEVICE_SUSPENDED] = "suspended", [DEVICE_REVOKED] = "revoked"};

const char *device_state_name(enum device_state state)
{
	return states[state];
}

static void fill_mac(const struct device_record *device, struct row_mac *mac)
{
	row_mac_start(mac, "device");
	row_mac_blob(mac, device->id, sizeof device->id);
	row_mac_blob(mac, device->person, device->has_person ? sizeof device->person : 0);
	row_mac_text(mac, device->label);
	row_mac_text(mac, device_kind_name(device->kind));
	row_mac_text(mac, states[device->state]);
	row_mac_number(mac, device->created);
	row_mac_number(mac, device->changed);
	row_mac_text(mac, device->reason);
}

static enum device_kind read_kind(struct query *query)
{
	enum device_kind kind = KIND_OTHER;
	char word[16];

	query_get_text(query, word, sizeof word);
	if (!device_kind_parse(span_of(word), &kind))
		query->is_damaged = true;
	return kind;
}

void device_row_read(struct query *query, struct device_record *out)
{
	uint8_t stored[ROW_MAC_SIZE];
	struct row_mac mac;

	query->is_damaged = false;
	memset(out, 0, sizeof *out);
	query_get_blob(query, out->id, sizeof out->id);
	out->has_person = !query_is_null(query);
	if (out->has_person)
		query_get_blob(query, out->person, sizeof out->person);
	else
		query_skip(query);
	query_get_text(query, out->label, sizeof out->label);
	out->kind = read_kind(query);
	out->state = (enum device_state)query_get_word(query, states, 4);
	out->created = query_get_number(query);
	out->changed = query_get_number(query);
	query_get_text(query, out->reason, sizeof out->reason);
	query_get_blob(query, stored, sizeof stored);
	fill_mac(out, &mac);
	out->is_authentic = !query->is_damaged &&
			    row_mac_matches(&mac, secret_span(query->registry->row_key), stored);
	if (out->state != DEVICE_REVOKED && revoked_list_has(query->registry->revoked, REVOKED_DEVICE, out->id)) {
		out->state = DEVICE_REVOKED;
		out->was_put_back = true;
	}
}

static void read_with_seen(struct query *query, struct device_record *out)
{
	device_row_read(query, out);
	out->seen = query_is_null(query) ? 0 : query_get_number(query);
}

static enum status write(struct registry *registry, enum statement which, const struct device_record *device,
			 struct error *err)
{
	char label_key[DEVICE_LABEL_SIZE];
	uint8_t written[ROW_MAC_SIZE];
	struct row_mac mac;
	struct query query;
	enum status status;
	int changed = 0;

	if (device->state == DEVICE_REVOKED)
		TRY(revoked_list_note(registry->revoked, REVOKED_DEVICE, device->id, err));
	registry_fold(span_of(device->label), label_key, sizeof label_key);
	fill_mac(device, &mac);
	row_mac_write(&mac, secret_span(registry->row_key), written);
	TRY(query_start(registry, which, &query, err));
	query_put_blob(&query, device->id, sizeof device->id);
	if (device->has_person)
		query_put_blob(&query, device->person, sizeof device->person);
	else
		query_put_null(&query);
	query_put_text(&query, device->label);
	query_put_text(&query, label_key);
	query_put_text(&query, device_kind_name(device->kind));
	query_put_text(&query, states[device->state]);
	query_put_number(&query, device->created);
	query_put_number(&query, device->changed);
	query_put_text(&query, device->reason);
	query_put_blob(&query, written, sizeof written);
	status = query_run(&query, &changed, err);
	query_end(&query);
	if (status == REFUSED)
		(void)error_refuse(err, "that person has a device \"%s\" already; revoke it first, or choose "
				   "another --label", device->label);
	else if (status == OK && changed != 1)
		status = error_fail(err, "no such device");
done:
	return status;
}

enum status device_record_add(struct registry *registry, const struct device_record *device,
			      struct error *err)
{
	return write(registry, DEVICE_ADD, device, err);
}

enum status device_record_save(struct registry *registry, const struct device_record *device,
			       struct error *err)
{
	return write(registry, DEVICE_SAVE, device, err);
}

/* Runs a prepared question; ends it. */
static enum status gather(struct query *query, struct device_record *out, size_t most, size_t *count,
			  struct error *err)
{
	enum status status;
	bool row;

	*count = 0;
	while ((status = query_step(query, &row, err)) == OK && row && *count < most)
		read_with_seen(query, &out[(*count)++]);
	query_end(query);
	return status;
}

enum status device_record_load(struct registry *registry, const uint8_t id[REGISTRY_ID_SIZE],
			       struct device_record *out, struct error *err)
{
	struct query query;
	enum status status;
	size_t count;

	TRY(query_start(registry, DEVICE_LOAD, &query, err));
	query_put_blob(&query, id, REGISTRY_ID_SIZE);
	TRY(gather(&query, out, 1, &count, err));
	if (count == 0)
		status = error_refuse(err, "no such device");
done:
	return status;
}

enum status device_record_find_prefix(struct registry *registry, struct span prefix,
				      struct device_record *out, size_t most, size_t *count,
				      struct error *err)
{
	char least[REGISTRY_ID_TEXT], greatest[REGISTRY_ID_TEXT];
	uint8_t from[REGISTRY_ID_SIZE], to[REGISTRY_ID_SIZE];
	struct query query;
	enum status status;

	*count = 0;
	if (prefix.size == 0 || prefix.size > 2 * REGISTRY_ID_SIZE)
		return error_refuse(err, "a device id has 32 hex digits");
	memset(least, '0', sizeof least);
	memset(greatest, 'f', sizeof greatest);
	memcpy(least, prefix.at, prefix.size);
	memcpy(greatest, prefix.at, prefix.size);
	if (!hex_read(span_make(least, 2 * sizeof from), from, sizeof from) ||
	    !hex_read(span_make(greatest, 2 * sizeof to), to, sizeof to))
		return error_refuse(err, "a device id has 32 hex digits");
	TRY(query_start(registry, DEVICE_FIND_RANGE, &query, err));
	query_put_blob(&query, from, sizeof from);
	query_put_blob(&query, to, sizeof to);
	query_put_number(&query, (int64_t)most);
	status = gather(&query, out, most, count, err);
done:
	return status;
}

enum status device_record_find_label(struct registry *registry, const uint8_t person[REGISTRY_ID_SIZE],
				     struct span label, struct device_record *out, struct error *err)
{
	char key[DEVICE_LABEL_SIZE], folded[DEVICE_LABEL_SIZE];
	struct query query;
	enum status status;
	size_t count = 0;

	if (label.size < sizeof key) {
		registry_fold(label, key, sizeof key);
		TRY(query_start(registry, DEVICE_FIND_LABEL, &query, err));
		query_put_blob(&query, person, REGISTRY_ID_SIZE);
		query_put_text(&query, key);
		TRY(gather(&query, out, 1, &count, err));
	}
	if (count) {
		/* The folded column is outside the MAC: what it led to must fold to it. */
		registry_fold(span_of(out->label), folded, sizeof folded);
		out->is_authentic = out->is_authentic && strcmp(folded, key) == 0;
	}
	status = count ? OK : error_refuse(err, "there is no device \"%.*s\"", SPAN_PRINT(label));
done:
	return status;
}

enum status device_record_list(struct registry *registry, const uint8_t *person, const uint8_t *after,
			       struct device_record *out, size_t most, size_t *count, struct error *err)
{
	struct query query;
	enum status status;

	TRY(query_start(registry, person ? DEVICE_LIST_OF_PERSON : DEVICE_LIST, &query, err));
	query_put_blob(&query, after, after ? REGISTRY_ID_SIZE : 0);
	query_put_number(&query, (int64_t)most);
	if (person)
		query_put_blob(&query, person, REGISTRY_ID_SIZE);
	status = gather(&query, out, most, count, err);
done:
	return status;
}

enum status device_record_set_seen(struct registry *registry, const uint8_t id[REGISTRY_ID_SIZE],
				   int64_t seconds, struct error *err)
{
	struct query query;
	enum status status;

	TRY(query_start(registry, SEEN_SET, &query, err));
	query_put_blob(&query, id, REGISTRY_ID_SIZE);
	query_put_number(&query, seconds);
	status = query_run(&query, NULL, err);
	query_end(&query);
done:
	return status;
}
