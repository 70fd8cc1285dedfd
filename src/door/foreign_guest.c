#include "door/foreign_guest.h"

#include <stdlib.h>
#include <string.h>

#include "access/foreign_ca.h"
#include "base/log.h"
#include "door/dialect.h"
#include "door/route.h"

enum { NAME_MOST = FOREIGN_NAME_MOST + 1 + FOREIGN_IDENTITY_MOST, SUBJECT_MOST = 3 * NAME_MOST + 16 };

struct foreign_guest {
	const struct foreign_path *path;
	uint64_t judged_by; /* routes_number; 0: never yet */
	enum who who;
	int64_t until; /* of KNOWN: the last second of it */
	struct foreign_person person;
	struct buffer name, groups, subject, slash;
};

/* RFC 4514 section 2.4, as nginx writes what is not ASCII: \C3. */
static void put_escaped(struct buffer *out, struct span value)
{
	size_t i;

	for (i = 0; i < value.size; i++) {
		unsigned char c = (unsigned char)value.at[i];
		bool is_edge = i == 0 || i + 1 == value.size;

		if (c < ' ' || c > '~')
			buffer_printf(out, "\\%02X", c);
		else if (strchr(",+\"\\<>;=", c) || (is_edge && c == ' ') || (i == 0 && c == '#'))
			buffer_printf(out, "\\%c", c);
		else
			buffer_add_char(out, (char)c);
	}
}

static void make_names(struct foreign_guest *guest)
{
	const struct foreign_path *path = guest->path;

	buffer_init(&guest->name, NAME_MOST);
	buffer_init(&guest->groups, FOREIGN_GROUPS_MOST);
	buffer_init(&guest->subject, SUBJECT_MOST);
	buffer_init(&guest->slash, NAME_MOST + 32);
	if (path->why != FOREIGN_GOOD)
		return;
	buffer_add_text(&guest->name, path->ca);
	buffer_add_char(&guest->name, '/');
	buffer_add(&guest->name, path->identity);
	buffer_add_text(&guest->subject, "CN=");
	put_escaped(&guest->subject, buffer_span(&guest->name));
	guest->person.name = buffer_span(&guest->name);
	foreign_name_key(guest->person.name, guest->person.key);
}

struct foreign_guest *foreign_guest_new(const struct foreign_path *path)
{
	struct foreign_guest *guest = calloc(1, sizeof *guest);

	if (!guest)
		return NULL;
	guest->path = path;
	make_names(guest);
	if (buffer_is_whole(&guest->name) && buffer_is_whole(&guest->subject))
		return guest;
	foreign_guest_free(guest);
	return NULL;
}

void foreign_guest_free(struct foreign_guest *guest)
{
	if (!guest)
		return;
	buffer_release(&guest->name);
	buffer_release(&guest->groups);
	buffer_release(&guest->subject);
	buffer_release(&guest->slash);
	free(guest);
}

static const struct foreign_ca *find_ca(const struct foreign_guest *guest, const struct site *site)
{
	size_t i;

	for (i = 0; i < site->foreign_count; i++)
		if (strcmp(foreign_trust_name(foreign_ca_trust(site->foreign[i])), guest->path->ca) == 0)
			return site->foreign[i];
	return NULL;
}

/* Copied, because visits may outlive the routes that they came by. */
static void learn(struct foreign_guest *guest, const struct foreign_ca *ca)
{
	buffer_clear(&guest->groups);
	foreign_ca_groups(ca, guest->path, &guest->groups);
	guest->person.groups = buffer_span(&guest->groups);
	guest->person.email = foreign_trust_email(foreign_ca_trust(ca), guest->path);
	buffer_clear(&guest->slash);
	if (guest->person.email.size > 0)
		buffer_printf(&guest->slash, "/O=%s/emailAddress=%.*s", guest->path->ca,
			      SPAN_PRINT(guest->person.email));
}

static void judge(struct foreign_guest *guest, const struct site *site, int64_t now)
{
	const struct foreign_ca *ca = find_ca(guest, site);

	if (guest->path->why != FOREIGN_GOOD)
		guest->who = who_of_foreign(guest->path->why);
	else if (ca)
		guest->who = foreign_ca_judge(ca, guest->path, now, &guest->until);
	else
		guest->who = WHO_UNKNOWN;
	if (guest->who == WHO_KNOWN)
		learn(guest, ca);
}

struct identity foreign_guest_identify(struct foreign_guest *guest, const struct site *site, uint64_t routes_number,
				       int64_t now)
{
	if (guest->judged_by != routes_number || guest->who != WHO_KNOWN || now > guest->until ||
	    now < guest->path->not_before) {
		judge(guest, site, now);
		guest->judged_by = routes_number;
	}
	if (guest->who != WHO_KNOWN)
		return identity_nobody(guest->who);
	return (struct identity){.who = WHO_KNOWN,
				 .not_before = guest->path->not_before,
				 .not_after = guest->until,
				 .foreign = &guest->person};
}

struct span foreign_guest_name(const struct foreign_guest *guest)
{
	return buffer_span(&guest->name);
}

const uint8_t *foreign_guest_key(const struct foreign_guest *guest)
{
	return guest->person.key;
}

void foreign_guest_tell(const struct foreign_guest *guest, struct dialect_facts *out)
{
	bool is_uri = guest->path->field == FOREIGN_URI || guest->path->field == FOREIGN_SPIFFE;

	out->device = guest->person.name;
	out->person = guest->person.name;
	out->email = guest->person.email;
	out->groups = guest->person.groups;
	out->dn_rfc2253 = buffer_span(&guest->subject);
	out->dn_slash = buffer_span(&guest->slash);
	out->issuer = guest->path->issuer;
	out->serial = guest->path->serial;
	out->uri = is_uri ? guest->path->identity : (struct span){"", 0};
}

void foreign_guest_log_refused(const struct foreign_guest *guest, struct span from, const char *code)
{
	log_begin(LOG_INFO, "foreign-refused");
	log_text("from", from);
	if (guest->name.size)
		log_text("who", buffer_span(&guest->name));
	log_text("why", span_of(code));
	if (guest->path->text[0])
		log_text("text", span_of(guest->path->text));
	log_end();
}
