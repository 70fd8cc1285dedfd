#include "authority/publish.h"

#include <stdio.h>
#include <string.h>

#include "authority/authority_handle.h"
#include "authority/gateway_channel.h"
#include "base/buffer.h"
#include "base/clock.h"
#include "base/encode.h"
#include "base/log.h"
#include "pki/profile.h"
#include "registry/certificate_record.h"

/* The texts of one card while it is put into the roster. */
struct card_texts {
	char device[DEVICE_ID_TEXT];
	char serial[2 * SERIAL_SIZE + 1];
	struct buffer uri;
};

struct publishing {
	struct authority *authority;
	struct roster *roster;
	struct card_texts texts;
	enum status status; /* of the roster, which is not the walk's */
	struct error err;
};

static enum roster_state judge(const struct grant *grant)
{
	if (grant->certificate->state == CERTIFICATE_REVOKED || grant->device->state == DEVICE_REVOKED ||
	    (grant->person && grant->person->state == PERSON_REMOVED))
		return ROSTER_REVOKED;
	if (grant->device->state == DEVICE_SUSPENDED ||
	    (grant->person && grant->person->state == PERSON_SUSPENDED))
		return ROSTER_SUSPENDED;
	return grant->device->state == DEVICE_PENDING ? ROSTER_PENDING : ROSTER_ACTIVE;
}

/* Upper case and without leading zero bytes, as nginx writes $ssl_client_serial. */
static void write_serial(const uint8_t serial[SERIAL_SIZE], char out[static 2 * SERIAL_SIZE + 1])
{
	size_t i, skip = 0;

	while (skip < SERIAL_SIZE - 1 && serial[skip] == 0)
		skip++;
	for (i = skip; i < SERIAL_SIZE; i++)
		snprintf(out + 2 * (i - skip), 3, "%02X", serial[i]);
}

static void fill_card(struct publishing *publishing, const struct grant *grant, struct card *card)
{
	const struct certificate_record *certificate = grant->certificate;
	struct card_texts *texts = &publishing->texts;

	authority_device_text(publishing->authority, grant->device->id, texts->device);
	write_serial(certificate->serial, texts->serial);
	buffer_clear(&texts->uri);
	profile_device_uri(span_of(texts->device), &texts->uri);
	*card = (struct card){
		.device = span_of(texts->device),
		.person = span_of(grant->person ? grant->person->name : ""),
		.email = span_of(grant->person ? grant->person->email : ""),
		.label = span_of(grant->device->label),
		.subject = span_of(certificate->subject),
		.subject_slash = span_of(certificate->subject_slash),
		.issuer = span_of(certificate->issuer),
		.serial = span_of(texts->serial),
		.uri = strcmp(certificate->profile, "person") == 0 ? buffer_span(&texts->uri) : SPAN(""),
		.dns = strcmp(certificate->profile, "agent") == 0 ? span_of(texts->device) : SPAN(""),
		.not_before = certificate->not_before,
		.not_after = certificate->not_after,
		.kind = grant->device->kind,
		.is_admin = grant->person && grant->person->role == ROLE_ADMIN,
	};
	if (certificate->subject_slash[0] == 0)
		card->slash_trouble = SPAN("its subject has a / or = inside a value");
}

static void note_refused(struct authority *authority, const char *why)
{
	authority->refused_count++;
	log_say(LOG_ERROR, "row-refused", "%s", why);
	if (json_array_size(authority->refused_rows) < REFUSED_ROWS_KEPT)
		json_array_append_new(authority->refused_rows, json_string(why));
}

static enum status put_grant(void *arg, const struct grant *grant, struct error *err)
{
	struct publishing *publishing = arg;
	struct roster_row row = {0};

	if (grant->refused) {
		note_refused(publishing->authority, grant->refused);
		/* It may have been believed until now. */
		roster_set_state(publishing->roster, grant->certificate->fingerprint, ROSTER_REVOKED);
		return OK;
	}
	memcpy(row.fingerprint, grant->certificate->fingerprint, sizeof row.fingerprint);
	memcpy(row.device, grant->device->id, sizeof row.device);
	row.not_before = grant->certificate->not_before;
	row.not_after = grant->certificate->not_after;
	row.state = judge(grant);
	row.groups = span_of(grant->person ? grant->person->groups : "");
	fill_card(publishing, grant, &row.card);
	publishing->status = roster_put(publishing->roster, &row, err);
	return publishing->status;
}

static void publishing_init(struct publishing *publishing, struct authority *authority, struct roster *roster)
{
	memset(publishing, 0, sizeof *publishing);
	publishing->authority = authority;
	publishing->roster = roster;
	buffer_init(&publishing->texts.uri, 1024);
}

static enum status fill_roster(struct authority *authority, struct roster *roster, struct error *err)
{
	struct publishing publishing;
	enum status status;

	publishing_init(&publishing, authority, roster);
	status = grant_each(authority->registry, clock_seconds() - ROSTER_KEEPS, put_grant, &publishing, err);
	buffer_release(&publishing.texts.uri);
	return status;
}

enum status publish_all(struct authority *authority, struct error *err)
{
	struct registry_counts counts;
	struct roster *roster = NULL;
	uint64_t room = authority->options.roster_room ? authority->options.roster_room : ROSTER_ROOM_LEAST;
	enum status status;

	TRY(registry_count(authority->registry, &counts, err));
	if (room < 2 * counts.certificates)
		room = 2 * counts.certificates;
	TRY(roster_new(room, &roster, err));
	json_array_clear(authority->refused_rows);
	authority->refused_count = 0;
	TRY(fill_roster(authority, roster, err));
	roster_touch(roster, clock_read().wall);
	roster_free(authority->old_roster);
	authority->old_roster = authority->roster;
	authority->roster = roster;
	authority->roster_room = room;
	roster = NULL;
	gateway_channel_hand_over(authority);
done:
	roster_free(roster);
	if (status != OK)
		error_context(err, "cannot fill the roster");
	return status;
}

static enum status publish_into(struct authority *authority, struct roster *roster, const uint8_t *device,
				struct error *err)
{
	struct publishing publishing;
	enum status status;

	publishing_init(&publishing, authority, roster);
	status = grant_each_of_device(authority->registry, device, put_grant, &publishing, err);
	buffer_release(&publishing.texts.uri);
	return status;
}

enum status publish_device(struct authority *authority, const uint8_t *device, struct error *err)
{
	enum status status;

	if (roster_is_full(authority->roster))
		return publish_all(authority, err);
	status = publish_into(authority, authority->roster, device, err);
	if (status == AGAIN)
		return publish_all(authority, err);
	/* Whoever still reads the old one gets the new one in order before any `lost`. */
	if (authority->old_roster && publish_into(authority, authority->old_roster, device, NULL) != OK)
		log_say(LOG_WARNING, "roster", "the roster before this one is full");
	return status;
}

void publish_revoked(struct authority *authority, struct span fingerprints)
{
	for (; fingerprints.size >= FINGERPRINT_SIZE; span_skip(&fingerprints, FINGERPRINT_SIZE)) {
		const uint8_t *fingerprint = (const uint8_t *)fingerprints.at;

		roster_set_state(authority->roster, fingerprint, ROSTER_REVOKED);
		if (authority->old_roster)
			roster_set_state(authority->old_roster, fingerprint, ROSTER_REVOKED);
	}
}

void publish_devices_revoked(struct authority *authority, const uint8_t (*devices)[16], unsigned count)
{
	(void)roster_revoke_devices(authority->roster, devices, count);
	if (authority->old_roster)
		(void)roster_revoke_devices(authority->old_roster, devices, count);
}

/* Rows may have gone that nobody will ask about again: what they granted goes with them. */
void publish_if_touched(struct authority *authority)
{
	struct error err;

	if (registry_is_in_transaction(authority->registry) || !registry_was_touched(authority->registry))
		return;
	log_say(LOG_WARNING, "registry-touched", "another program has written into the registry; all of it is read again");
	if (publish_all(authority, &err) != OK)
		log_say(LOG_ERROR, "publish", "%s", err.text);
}

void publish_forget_old(struct authority *authority)
{
	LIST_EACH(it, &authority->gateways)
		if (!OWNER_OF(it, struct gateway, in_authority)->has_roster)
			return;
	roster_free(authority->old_roster);
	authority->old_roster = NULL;
}
