#include <string.h>

#include "authority/answers.h"
#include "authority/authority_handle.h"
#include "authority/describe.h"
#include "authority/entry_check.h"
#include "authority/locate.h"
#include "authority/revoke.h"
#include "authority/turn.h"
#include "base/clock.h"
#include "base/encode.h"

enum { TEXT_MOST = 1024, PAGE = 100 };

/* A certificate's name is "PERSON - LABEL - YEAR": with this inside, ann's "finance - phone" would be called as
 * the phone of "ann - finance" is. */
static enum status check_dashes(const char *name, struct error *err)
{
	return strstr(name, " - ") ? error_refuse(err, "the name \"%s\" may not have \" - \" in it: that stands between "
						       "a person and a device in a certificate's name", name)
				   : OK;
}

static enum status read_person(const json_t *words, struct person_record *out, struct error *err)
{
	const char *name, *email;
	enum status status;
	bool admin = false;

	memset(out, 0, sizeof *out);
	TRY(words_text(words, "name", TEXT_MOST, &name, err));
	TRY(words_text(words, "email", TEXT_MOST, &email, err));
	TRY(words_flag(words, "admin", &admin, err));
	TRY(entry_check_name(span_of(name), "name", out->name, sizeof out->name, err));
	TRY(check_dashes(out->name, err));
	TRY(entry_check_email(span_of(email), out->email, err));
	TRY(entry_check_groups(json_object_get(words, "groups"), out->groups, err));
	registry_new_id(out->id);
	out->role = admin ? ROLE_ADMIN : ROLE_MEMBER;
	out->state = PERSON_ACTIVE;
	out->created = out->changed = clock_seconds();
done:
	return status;
}

static enum status add(struct authority *authority, struct deed *deed, const json_t *words, struct error *err)
{
	struct person_record person;
	enum status status;

	TRY(read_person(words, &person, err));
	TRY(person_record_add(authority->registry, &person, err));
	TRY(turn_audit(deed, person.name, err, "e-mail %s, groups %s, %s", person.email, person.groups,
		       person_role_name(person.role)));
	TRY(turn_remember(deed, person.id, words, err));
	person.is_authentic = true;
	TRY(describe_person(authority, &person, deed->words, err));
done:
	return status;
}

static enum status add_again(struct authority *authority, struct deed *deed,
			     const uint8_t subject[REGISTRY_ID_SIZE], const json_t *words, struct error *err)
{
	struct person_record person;
	enum status status;

	(void)words;
	TRY(person_record_load(authority->registry, subject, &person, err));
	TRY(describe_person(authority, &person, deed->words, err));
done:
	return status;
}

void answer_person_add(void *house, struct answer *answer, const json_t *words, int fd)
{
	(void)fd;
	turn_write(house, answer, words, add, add_again);
}

static enum status list(struct authority *authority, struct deed *deed, const json_t *words, struct error *err)
{
	struct person_record people[PAGE];
	const char *after;
	json_t *out = json_array();
	enum status status;
	size_t i, count;

	json_object_set_new(deed->words, "people", out);
	TRY(words_text_maybe(words, "after", PERSON_NAME_SIZE, &after, err));
	TRY(person_record_list(authority->registry, after ? after : "", people, PAGE, &count, err));
	for (i = 0; i < count; i++) {
		json_t *person = json_object();

		json_array_append_new(out, person);
		TRY(describe_person(authority, &people[i], person, err));
	}
	if (count == PAGE) {
		/* The list's order is by the folded name. */
		char next[PERSON_NAME_SIZE];

		person_record_fold(people[PAGE - 1].name, next);
		json_object_set_new(deed->words, "next", json_string(next));
	}
done:
	return status;
}

void answer_person_list(void *house, struct answer *answer, const json_t *words, int fd)
{
	(void)fd;
	turn_read(house, answer, words, list);
}

static enum status add_devices(struct authority *authority, const struct person_record *person, json_t *out,
			       struct error *err)
{
	struct device_record devices[DEED_DEVICES_MOST];
	enum status status;
	size_t i, count;

	TRY(device_record_list(authority->registry, person->id, NULL, devices, DEED_DEVICES_MOST, &count, err));
	for (i = 0; i < count; i++) {
		json_t *device = json_object();

		json_array_append_new(out, device);
		TRY(describe_device(authority, &devices[i], device, err));
	}
done:
	return status;
}

static enum status show(struct authority *authority, struct deed *deed, const json_t *words, struct error *err)
{
	struct person_record person;
	json_t *devices = json_array();
	const char *name;
	enum status status;

	json_object_set_new(deed->words, "list", devices);
	TRY(words_text(words, "person", TEXT_MOST, &name, err));
	TRY(locate_person(authority, name, &person, err));
	TRY(describe_person(authority, &person, deed->words, err));
	TRY(add_devices(authority, &person, devices, err));
done:
	return status;
}

void answer_person_show(void *house, struct answer *answer, const json_t *words, int fd)
{
	(void)fd;
	turn_read(house, answer, words, show);
}

static enum status revoke_devices(struct authority *authority, struct deed *deed,
				  const struct person_record *person, json_t *revoked, struct error *err)
{
	struct device_record devices[16];
	const uint8_t *after = NULL;
	uint8_t last[REGISTRY_ID_SIZE];
	enum status status;
	size_t i, count;

	do {
		TRY(device_record_list(authority->registry, person->id, after, devices, 16, &count, err));
		for (i = 0; i < count; i++) {
			char id[DEVICE_ID_TEXT];

			if (devices[i].state == DEVICE_REVOKED)
				continue;
			authority_device_text(authority, devices[i].id, id);
			json_array_append_new(revoked, json_string(id));
			TRY(revoke_device(authority, deed, &devices[i], "its person was removed", err));
		}
		if (count)
			memcpy(last, devices[count - 1].id, sizeof last);
		after = last;
	} while (count == 16);
done:
	return status;
}

static enum status remove_person(struct authority *authority, struct deed *deed, const json_t *words,
				 struct error *err)
{
	struct person_record person;
	json_t *revoked = json_array();
	const char *name;
	enum status status;

	json_object_set_new(deed->words, "revoked", revoked);
	TRY(words_text(words, "person", TEXT_MOST, &name, err));
	TRY(locate_person(authority, name, &person, err));
	TRY(revoke_devices(authority, deed, &person, revoked, err));
	person.state = PERSON_REMOVED;
	person.changed = clock_seconds();
	TRY(person_record_save(authority->registry, &person, err));
	TRY(turn_audit(deed, person.name, err, "%zu devices revoked", json_array_size(revoked)));
	TRY(turn_remember(deed, person.id, words, err));
	TRY(describe_person(authority, &person, deed->words, err));
	deed->ends = true;
done:
	return status;
}

static enum status remove_again(struct authority *authority, struct deed *deed,
				const uint8_t subject[REGISTRY_ID_SIZE], const json_t *words, struct error *err)
{
	enum status status = add_again(authority, deed, subject, words, err);

	/* Whether the gateways heard of it the first time, nobody knows: tell them again. */
	json_object_set_new(deed->words, "revoked", json_array());
	if (status == OK)
		status = revoke_tell_again(authority, deed, subject, err);
	return status;
}

void answer_person_remove(void *house, struct answer *answer, const json_t *words, int fd)
{
	(void)fd;
	turn_write(house, answer, words, remove_person, remove_again);
}
