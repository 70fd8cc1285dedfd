#include "serve/foreign_keys.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "door/route.h"
#include "serve/settings.h"

const struct value_choice foreign_fields[] = {{"email", FOREIGN_EMAIL}, {"uri", FOREIGN_URI},
					      {"spiffe", FOREIGN_SPIFFE}, {"dns", FOREIGN_DNS},
					      {"cn", FOREIGN_CN}, {NULL, 0}};
const struct value_choice foreign_crl_expired[] = {{"warn", CRL_EXPIRED_WARN},
						   {"refuse", CRL_EXPIRED_REFUSE},
						   {NULL, 0}};

/* It stands before a "/" in headers, logs and allow-files, and nobody should have to quote it there. */
static bool is_name(struct span name)
{
	size_t i;

	for (i = 0; i < name.size; i++) {
		char c = name.at[i];

		if (!((c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '.' ||
		      c == '_' || c == '-'))
			return false;
	}
	return name.size > 0 && name.size <= FOREIGN_NAME_MOST;
}

void *foreign_keys_add(struct door_options *door, struct span name, struct error *err)
{
	struct foreign_ca_options *added;
	size_t i;

	if (!is_name(name)) {
		(void)error_refuse(err, "give it a name of 1 to %d letters, digits, \".\", \"_\", \"-\"",
				   FOREIGN_NAME_MOST);
		return NULL;
	}
	for (i = 0; i < door->foreign_count; i++)
		if (span_is(name, door->foreign[i].name)) {
			(void)error_refuse(err, "this foreign-ca stands here already");
			return NULL;
		}
	if (door->foreign_count == FOREIGN_CAS_MOST) {
		(void)error_refuse(err, "at most %d foreign CAs", FOREIGN_CAS_MOST);
		return NULL;
	}
	/* All at once: the parser holds on to the objects it was given. */
	if (!door->foreign)
		door->foreign = calloc(FOREIGN_CAS_MOST, sizeof *door->foreign);
	if (!door->foreign)
		return NULL;
	added = &door->foreign[door->foreign_count];
	added->name = strndup(name.at, name.size);
	if (!added->name)
		return NULL;
	door->foreign_count++;
	return added;
}

void foreign_keys_free(struct door_options *door)
{
	size_t i;

	for (i = 0; i < door->foreign_count; i++)
		free(door->foreign[i].name);
	free(door->foreign);
	door->foreign = NULL;
	door->foreign_count = 0;
}

void foreign_keys_warnings(const struct settings *settings, struct buffer *out)
{
	const struct door_options *door = settings_door(settings);
	size_t i;

	for (i = 0; i < door->foreign_count; i++) {
		struct foreign_ca *ca;
		struct error err;

		if (foreign_ca_new(&door->foreign[i], &ca, &err) != OK) {
			buffer_printf(out, "%s\n", err.text);
			continue;
		}
		foreign_ca_warnings(&door->foreign[i], ca, clock_seconds(), out);
		foreign_ca_free(ca);
	}
}

static void describe_one(const struct foreign_ca_options *options, struct buffer *out)
{
	struct foreign_ca *ca;
	struct error err;
	size_t i;

	buffer_printf(out, "%s\t", options->name);
	for (i = 0; i < options->sites.count; i++)
		buffer_printf(out, "%s%s", i ? ", " : "", options->sites.at[i]);
	buffer_add_char(out, '\t');
	if (foreign_ca_new(options, &ca, &err) == OK) {
		foreign_ca_describe(ca, clock_seconds(), out);
		foreign_ca_free(ca);
	} else {
		buffer_add_text(out, err.text);
	}
	buffer_add_char(out, '\n');
}

void foreign_keys_describe(const struct settings *settings, struct buffer *out)
{
	const struct door_options *door = settings_door(settings);
	size_t i;

	for (i = 0; i < door->foreign_count; i++)
		describe_one(&door->foreign[i], out);
}

static bool is_file(const struct value_file *file, struct span path)
{
	return file->path && span_is(path, file->path);
}

bool foreign_keys_is_alone(const struct door_options *door, struct span path)
{
	size_t i;

	for (i = 0; i < door->foreign_count; i++)
		if (is_file(&door->foreign[i].crl, path) || is_file(&door->foreign[i].allow_file, path) ||
		    is_file(&door->foreign[i].groups_file, path))
			return true;
	return false;
}
