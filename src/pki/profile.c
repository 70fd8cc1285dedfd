#include "pki/profile.h"

#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/address.h"
#include "base/encode.h"
#include "base/random.h"
#include "pki/distinguished_name.h"

#define DAYS(n) ((int64_t)(n)*86400)

enum { HOST_MAX = 253, LABEL_MAX = 63, DEVICE_HEX = 32, EMAIL_MAX = 254 };

static const struct profile profiles[] = {
	[PROFILE_ROOT] = {.kind = PROFILE_ROOT,
			  .name = "root",
			  .key = KEY_EC_P384,
			  .life = DAYS(3652),
			  .is_authority = true,
			  .path_length = 1,
			  .usages = USAGE_SIGN_CERTIFICATES | USAGE_SIGN_LISTS},
	[PROFILE_ISSUING] = {.kind = PROFILE_ISSUING,
			     .name = "issuing",
			     .key = KEY_EC_P256,
			     .life = DAYS(730),
			     .is_authority = true,
			     .path_length = 0,
			     .usages = USAGE_SIGN_CERTIFICATES | USAGE_SIGN_LISTS},
	[PROFILE_PERSON] = {.kind = PROFILE_PERSON,
			    .name = "person",
			    .key = KEY_EC_P256,
			    .life = DAYS(365),
			    .jitter = 10,
			    .usages = USAGE_SIGNATURE,
			    .purposes = PURPOSE_CLIENT,
			    .is_for_browsers = true},
	[PROFILE_AGENT] = {.kind = PROFILE_AGENT,
			   .name = "agent",
			   .key = KEY_EC_P256,
			   .life = DAYS(7),
			   .usages = USAGE_SIGNATURE,
			   .purposes = PURPOSE_CLIENT},
	[PROFILE_SERVER] = {.kind = PROFILE_SERVER,
			    .name = "server",
			    .key = KEY_EC_P256,
			    .life = DAYS(90),
			    .usages = USAGE_SIGNATURE,
			    .purposes = PURPOSE_SERVER,
			    .is_for_browsers = true},
	[PROFILE_OCSP] = {.kind = PROFILE_OCSP,
			  .name = "ocsp",
			  .key = KEY_EC_P256,
			  .life = DAYS(30),
			  .usages = USAGE_SIGNATURE,
			  .purposes = PURPOSE_OCSP,
			  .has_nocheck = true},
};

const struct profile *profile_get(enum profile_kind kind)
{
	return &profiles[kind];
}

const struct profile *profile_find(struct span name)
{
	size_t i;

	for (i = 0; i < sizeof profiles / sizeof *profiles; i++)
		if (span_is(name, profiles[i].name))
			return &profiles[i];
	return NULL;
}

int64_t profile_not_after(const struct profile *profile, int64_t now, int64_t asked)
{
	int64_t slack = profile->life / 100 * profile->jitter;

	if (asked > 0 && asked <= profile->life + slack)
		return now + asked;
	return now + profile->life - slack + random_below((uint32_t)(2 * slack + 1));
}

/* Characters of UTF-8; that it is UTF-8 is looked at where the name is built. */
static size_t characters(struct span text)
{
	size_t i, count = 0;

	for (i = 0; i < text.size; i++)
		count += ((uint8_t)text.at[i] & 0xc0) != 0x80;
	return count;
}

/* "Alice - laptop - 2027": the label keeps 24 characters at least, the person the rest. */
static void add_person(const struct subject_facts *facts, int64_t not_after, struct buffer *out)
{
	time_t when = (time_t)not_after;
	struct span person = facts->person, label = facts->label;
	size_t room, label_room;
	struct tm tm;

	gmtime_r(&when, &tm);
	room = COMMON_NAME_MAX - 7; /* " - 2027" */
	if (person.size && label.size)
		room -= 3;
	label_room = room - (characters(person) < room - 24 ? characters(person) : room - 24);
	label = distinguished_name_cut(label, label_room);
	person = distinguished_name_cut(person, room - characters(label));
	buffer_add(out, person);
	if (person.size && label.size)
		buffer_add_text(out, " - ");
	buffer_add(out, label);
	buffer_printf(out, " - %04d", (tm.tm_year + 1900) % 10000);
}

/* Only its head fits beside the words; what counts is in the key identifiers. */
static void add_house(const char *words, const struct subject_facts *facts, struct buffer *out)
{
	char number[16] = "";
	size_t used;

	if (facts->number)
		snprintf(number, sizeof number, " %u", facts->number);
	used = strlen(words) + strlen(number) + strlen("Chatelaine  for ");
	buffer_printf(out, "Chatelaine %s%s for ", words, number);
	buffer_add(out, distinguished_name_cut(facts->house, COMMON_NAME_MAX - used));
}

enum status profile_common_name(const struct profile *profile, const struct subject_facts *facts,
				int64_t not_after, struct buffer *out, struct error *err)
{
	if (profile->is_authority || profile->kind == PROFILE_OCSP) {
		if (facts->house.size == 0)
			return error_fail(err, "an authority's certificate needs the house's name");
	} else if (profile->kind == PROFILE_PERSON) {
		if (facts->person.size + facts->label.size == 0)
			return error_refuse(err, "a certificate needs a person's name or a label");
	}
	switch (profile->kind) {
	case PROFILE_ROOT:
		add_house("root", facts, out);
		break;
	case PROFILE_ISSUING:
		add_house("issuing", facts, out);
		break;
	case PROFILE_OCSP:
		add_house("OCSP", facts, out);
		break;
	case PROFILE_PERSON:
		add_person(facts, not_after, out);
		break;
	case PROFILE_AGENT:
		/* Half an id is none, so the digits alone when the domain is long. */
		buffer_add(out, facts->device.size <= COMMON_NAME_MAX
					? facts->device
					: distinguished_name_cut(facts->device, DEVICE_HEX));
		break;
	case PROFILE_SERVER:
		if (facts->host_count && facts->hosts[0].size <= COMMON_NAME_MAX)
			buffer_add(out, facts->hosts[0]);
		else
			buffer_add_text(out, "server");
		break;
	}
	return buffer_is_whole(out) ? OK : error_fail(err, "no room for a name");
}

static bool is_label(struct span label)
{
	size_t i;

	if (label.size == 0 || label.size > LABEL_MAX || label.at[0] == '-' ||
	    label.at[label.size - 1] == '-')
		return false;
	for (i = 0; i < label.size; i++) {
		char c = label.at[i];

		if (!(c >= 'a' && c <= 'z') && !(c >= 'A' && c <= 'Z') && !(c >= '0' && c <= '9') &&
		    c != '-' && c != '_')
			return false;
	}
	return true;
}

/* Letters, digits, hyphens (and "_", which internal names have); "*" as the whole first label. */
static bool is_host_name(struct span host)
{
	struct span label;

	if (host.size == 0 || host.size > HOST_MAX || host.at[host.size - 1] == '.')
		return false;
	if (span_starts(host, "*."))
		span_skip(&host, 2);
	if (host.size == 0)
		return false;
	while (span_cut(&host, '.', &label))
		if (!is_label(label))
			return false;
	return true;
}

static bool is_device(struct span device)
{
	uint8_t digits[DEVICE_HEX / 2];
	struct span rest = device;
	size_t i;

	for (i = 0; i < device.size; i++)
		if (device.at[i] >= 'A' && device.at[i] <= 'Z')
			return false;
	if (device.size < DEVICE_HEX + 4 || device.size > HOST_MAX ||
	    !hex_read(span_make(device.at, DEVICE_HEX), digits, sizeof digits))
		return false;
	span_skip(&rest, DEVICE_HEX);
	return span_starts(rest, ".d.") && is_host_name(device);
}

struct names {
	struct alternative_name *at;
	size_t room, count;
	struct buffer *text;
};

static enum status add(struct names *names, enum alternative_kind kind, struct span value,
		       struct error *err)
{
	struct alternative_name *name = &names->at[names->count];
	size_t start = names->text->size;
	char *at;

	if (names->count == names->room)
		return error_fail(err, "no room for another name");
	at = buffer_reserve(names->text, value.size + 1);
	if (!at)
		return error_fail(err, "no room for another name");
	memcpy(at, value.at, value.size);
	at[value.size] = 0;
	buffer_grew(names->text, value.size + 1);
	/* By place until the text stands still. */
	*name = (struct alternative_name){kind, {(const char *)(uintptr_t)start, value.size}};
	names->count++;
	return OK;
}

static enum status add_host(struct names *names, struct span host, struct error *err)
{
	struct address address;
	char text[ADDRESS_TEXT_SIZE];

	if (address_parse_ip(host, &address)) {
		address_ip_text(&address, text);
		return add(names, ALTERNATIVE_IP, span_of(text), err);
	}
	if (!is_host_name(host))
		return error_refuse(err, "\"%.*s\" is neither a host name nor an IP address",
				    SPAN_PRINT(host));
	return add(names, ALTERNATIVE_DNS, host, err);
}

static enum status add_email(struct names *names, struct span email, struct error *err)
{
	struct distinguished_name checked = {0};
	enum status status;

	if (email.size == 0)
		return OK;
	if (email.size > EMAIL_MAX)
		return error_refuse(err, "e-mail address of more than %d characters", EMAIL_MAX);
	TRY(distinguished_name_add(&checked, NAME_EMAIL, email, err));
	TRY(add(names, ALTERNATIVE_EMAIL, email, err));
done:
	return status;
}

static enum status add_uri(struct names *names, struct span device, struct error *err)
{
	struct buffer uri;
	enum status status;

	buffer_init(&uri, HOST_MAX + 16);
	profile_device_uri(device, &uri);
	status = add(names, ALTERNATIVE_URI, buffer_span(&uri), err);
	buffer_release(&uri);
	return status;
}

void profile_device_uri(struct span device, struct buffer *out)
{
	buffer_add_text(out, "chatelaine:");
	buffer_add(out, device);
}

static enum status add_all(const struct profile *profile, const struct subject_facts *facts,
			   struct names *names, struct error *err)
{
	bool is_device_profile = profile->kind == PROFILE_PERSON || profile->kind == PROFILE_AGENT;
	enum status status = OK;
	size_t i;

	if (is_device_profile && !is_device(facts->device))
		TRY(error_fail(err, "\"%.*s\" is no device id", SPAN_PRINT(facts->device)));
	if (profile->kind == PROFILE_PERSON) {
		TRY(add_email(names, facts->email, err));
		TRY(add_uri(names, facts->device, err));
	} else if (profile->kind == PROFILE_AGENT) {
		TRY(add(names, ALTERNATIVE_DNS, facts->device, err));
	} else if (profile->kind == PROFILE_SERVER) {
		if (facts->host_count == 0 || facts->host_count > PROFILE_HOSTS_MAX)
			TRY(error_refuse(err, "a server's certificate has 1 to %d names",
					 PROFILE_HOSTS_MAX));
		for (i = 0; i < facts->host_count; i++)
			TRY(add_host(names, facts->hosts[i], err));
	}
done:
	return status;
}

enum status profile_alternative_names(const struct profile *profile,
				      const struct subject_facts *facts, struct buffer *text,
				      struct alternative_name *out, size_t room, size_t *count,
				      struct error *err)
{
	struct names names = {out, room, 0, text};
	enum status status;
	size_t i;

	TRY(add_all(profile, facts, &names, err));
	for (i = 0; i < names.count; i++)
		out[i].text.at = text->at + (uintptr_t)out[i].text.at;
	*count = names.count;
done:
	return status;
}
