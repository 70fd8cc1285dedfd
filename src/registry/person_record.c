#include "registry/person_record.h"

#include <string.h>

#include "base/encode.h"
#include "registry/person_row.h"
#include "registry/registry_handle.h"

static const char *const roles[] = {[ROLE_MEMBER] = "member", [ROLE_ADMIN] = "admin"};
static const char *const states[] = {[PERSON_ACTIVE] = "active", [PERSON_SUSPENDED] = "suspended",
				     [PERSON_REMOVED] = "removed"};

const char *person_role_name(enum person_role role)
{
	return roles[role];
}

const char *person_state_name(enum person_state state)
{
	return states[state];
}

void person_record_fold(const char *name, char out[static PERSON_NAME_SIZE])
{
	registry_fold(span_of(name), out, PERSON_NAME_SIZE);
}

static void fill_mac(const struct person_record *person, struct row_mac *mac)
{
	row_mac_start(mac, "person");
	row_mac_blob(mac, person->id, sizeof person->id);
	row_mac_text(mac, person->name);
	row_mac_text(mac, person->email);
	row_mac_text(mac, person->groups);
	row_mac_text(mac, roles[person->role]);
	row_mac_text(mac, states[person->state]);
	row_mac_number(mac, person->created);
	row_mac_number(mac, person->changed);
}

void person_row_read(struct query *query, struct person_record *out)
{
	uint8_t stored[ROW_MAC_SIZE];
	struct row_mac mac;

	query->is_damaged = false;
	memset(out, 0, sizeof *out);
	query_get_blob(query, out->id, sizeof out->id);
	query_get_text(query, out->name, sizeof out->name);
	query_get_text(query, out->email, sizeof out->email);
	query_get_text(query, out->groups, sizeof out->groups);
	out->role = (enum person_role)query_get_word(query, roles, 2);
	out->state = (enum person_state)query_get_word(query, states, 3);
	out->created = query_get_number(query);
	out->changed = query_get_number(query);
	query_get_blob(query, stored, sizeof stored);
	fill_mac(out, &mac);
	out->is_authentic = !query->is_damaged &&
			    row_mac_matches(&mac, secret_span(query->registry->row_key), stored);
	if (out->state != PERSON_REMOVED && revoked_list_has(query->registry->revoked, REVOKED_PERSON, out->id)) {
		out->state = PERSON_REMOVED;
		out->was_put_back = true;
	}
}

static enum status write(struct registry *registry, enum statement which, const struct person_record *person,
			 struct error *err)
{
	char name_key[PERSON_NAME_SIZE], email_key[PERSON_EMAIL_SIZE];
	uint8_t written[ROW_MAC_SIZE];
	struct row_mac mac;
	struct query query;
	enum status status;
	int changed = 0;

	if (person->state == PERSON_REMOVED)
		TRY(revoked_list_note(registry->revoked, REVOKED_PERSON, person->id, err));
	registry_fold(span_of(person->name), name_key, sizeof name_key);
	registry_fold(span_of(person->email), email_key, sizeof email_key);
	fill_mac(person, &mac);
	row_mac_write(&mac, secret_span(registry->row_key), written);
	TRY(query_start(registry, which, &query, err));
	query_put_blob(&query, person->id, sizeof person->id);
	query_put_text(&query, person->name);
	query_put_text(&query, name_key);
	query_put_text(&query, person->email);
	query_put_text(&query, email_key);
	query_put_text(&query, person->groups);
	query_put_text(&query, roles[person->role]);
	query_put_text(&query, states[person->state]);
	query_put_number(&query, person->created);
	query_put_number(&query, person->changed);
	query_put_blob(&query, written, sizeof written);
	status = query_run(&query, &changed, err);
	query_end(&query);
	if (status == REFUSED)
		(void)error_refuse(err, "there is a person with the name \"%s\" or the e-mail %s already",
				   person->name, person->email);
	else if (status == OK && changed != 1)
		status = error_fail(err, "no such person");
done:
	return status;
}

enum status person_record_add(struct registry *registry, const struct person_record *person,
			      struct error *err)
{
	return write(registry, PERSON_ADD, person, err);
}

enum status person_record_save(struct registry *registry, const struct person_record *person,
			       struct error *err)
{
	return write(registry, PERSON_SAVE, person, err);
}

static enum status first(struct query *query, struct person_record *out, bool *found, struct error *err)
{
	enum status status = query_step(query, found, err);

	if (status == OK && *found)
		person_row_read(query, out);
	query_end(query);
	return status;
}

enum status person_record_load(struct registry *registry, const uint8_t id[REGISTRY_ID_SIZE],
			       struct person_record *out, struct error *err)
{
	struct query query;
	enum status status;
	bool found;

	TRY(query_start(registry, PERSON_LOAD, &query, err));
	query_put_blob(&query, id, REGISTRY_ID_SIZE);
	TRY(first(&query, out, &found, err));
	if (!found)
		status = error_refuse(err, "no such person");
done:
	return status;
}

/* The folded columns are outside the MAC: what they led to must fold to them. */
static enum status find_by(struct registry *registry, enum statement which, const char *key,
			   struct person_record *out, bool *found, struct error *err)
{
	char folded[PERSON_EMAIL_SIZE];
	struct query query;
	enum status status;

	TRY(query_start(registry, which, &query, err));
	query_put_text(&query, key);
	TRY(first(&query, out, found, err));
	if (*found) {
		registry_fold(span_of(which == PERSON_FIND_NAME ? out->name : out->email), folded,
			      sizeof folded);
		out->is_authentic = out->is_authentic && strcmp(folded, key) == 0;
	}
done:
	return status;
}

enum status person_record_find(struct registry *registry, struct span text, struct person_record *out,
			       struct error *err)
{
	char key[PERSON_EMAIL_SIZE];
	uint8_t id[REGISTRY_ID_SIZE];
	enum status status = OK;
	bool found = false;

	if (text.size < sizeof key) {
		registry_fold(text, key, sizeof key);
		TRY(find_by(registry, PERSON_FIND_NAME, key, out, &found, err));
		if (!found)
			TRY(find_by(registry, PERSON_FIND_EMAIL, key, out, &found, err));
	}
	if (!found && hex_read(text, id, sizeof id))
		return person_record_load(registry, id, out, err);
	if (!found)
		status = error_refuse(err, "there is no person \"%.*s\"", SPAN_PRINT(text));
done:
	return status;
}

enum status person_record_list(struct registry *registry, const char *after, struct person_record *out,
			       size_t most, size_t *count, struct error *err)
{
	struct query query;
	enum status status;
	bool row = true;

	*count = 0;
	TRY(query_start(registry, PERSON_LIST, &query, err));
	query_put_text(&query, after);
	query_put_number(&query, (int64_t)most);
	while ((status = query_step(&query, &row, err)) == OK && row && *count < most)
		person_row_read(&query, &out[(*count)++]);
	query_end(&query);
done:
	return status;
}
