#include "authority/locate.h"

#include <stdio.h>
#include <string.h>

#include "authority/authority_handle.h"
#include "base/encode.h"

enum { CANDIDATES_MOST = 5, PREFIX_LEAST = 4 };

static enum status refuse_unbelieved(const char *what, const char *name, const uint8_t *id, struct error *err)
{
	char hex[REGISTRY_ID_TEXT];

	hex_write(id, REGISTRY_ID_SIZE, hex);
	return error_refuse(err, "the registry's row of %s %s (%s) was changed by hand and is not believed; "
			    "restore the registry from a backup", what, hex, name);
}

enum status locate_person(struct authority *authority, const char *text, struct person_record *out,
			  struct error *err)
{
	struct person_record person;
	enum status status;

	TRY(person_record_find(authority->registry, span_of(text), &person, err));
	if (!person.is_authentic)
		return refuse_unbelieved("person", person.name, person.id, err);
	if (person.state == PERSON_REMOVED)
		return error_refuse(err, "%s was removed", person.name);
	*out = person;
done:
	return status;
}

static enum status by_label(struct authority *authority, struct span person_name, struct span label,
			    struct device_record *out, struct error *err)
{
	struct person_record person;
	char name[PERSON_EMAIL_SIZE];
	enum status status;

	if (person_name.size >= sizeof name)
		return error_refuse(err, "there is no person \"%.*s\"", SPAN_PRINT(person_name));
	memcpy(name, person_name.at, person_name.size);
	name[person_name.size] = 0;
	TRY(locate_person(authority, name, &person, err));
	status = device_record_find_label(authority->registry, person.id, label, out, err);
	if (status == REFUSED)
		(void)error_refuse(err, "%s has no device \"%.*s\"; see `chatelaine device list %s`",
				   person.name, SPAN_PRINT(label), person.name);
done:
	return status;
}

static enum status refuse_ambiguous(struct authority *authority, const char *text,
				    const struct device_record *found, size_t count, struct error *err)
{
	struct buffer list;
	size_t i;

	buffer_init(&list, 400);
	for (i = 0; i < count && i < CANDIDATES_MOST - 1; i++) {
		struct person_record owner;
		bool has_owner;
		char hex[REGISTRY_ID_TEXT];

		hex_write(found[i].id, REGISTRY_ID_SIZE, hex);
		if (locate_owner(authority, &found[i], &owner, &has_owner, NULL) != OK)
			has_owner = false;
		buffer_printf(&list, "%s%.12s (%s%s%s)", i ? ", " : "", hex, has_owner ? owner.name : "",
			      has_owner ? "/" : "", found[i].label);
	}
	(void)error_refuse(err, "\"%s\" is the beginning of more than one device: %s%s; give more digits", text,
			   buffer_text(&list), count == CANDIDATES_MOST ? ", .." : "");
	buffer_release(&list);
	return REFUSED;
}

static enum status by_prefix(struct authority *authority, const char *text, struct device_record *out,
			     struct error *err)
{
	struct device_record found[CANDIDATES_MOST];
	struct span prefix = span_of(text);
	const char *tail = strstr(text, ".d.");
	enum status status;
	size_t count;

	if (tail) {
		prefix.size = (size_t)(tail - text);
		if (strcmp(tail + 3, registry_trust_domain(authority->registry)) != 0)
			return error_refuse(err, "\"%s\" is a device of another house; this one is %s", text,
					    registry_trust_domain(authority->registry));
	}
	if (prefix.size < PREFIX_LEAST || prefix.size > 2 * REGISTRY_ID_SIZE ||
	    strspn(text, "0123456789abcdefABCDEF") < prefix.size)
		return error_refuse(err, "there is no device \"%s\"; name one by PERSON/LABEL, or by the first "
				    "%d or more digits of its id", text, PREFIX_LEAST);
	TRY(device_record_find_prefix(authority->registry, prefix, found, CANDIDATES_MOST, &count, err));
	if (count == 0)
		return error_refuse(err, "there is no device \"%s\"", text);
	if (count > 1)
		return refuse_ambiguous(authority, text, found, count, err);
	*out = found[0];
done:
	return status;
}

enum status locate_device_even_unbelieved(struct authority *authority, const char *text,
					  struct device_record *out, struct error *err)
{
	const char *slash = strchr(text, '/');

	return slash ? by_label(authority, span_make(text, (size_t)(slash - text)), span_of(slash + 1), out, err)
		     : by_prefix(authority, text, out, err);
}

enum status locate_device(struct authority *authority, const char *text, struct device_record *out,
			  struct error *err)
{
	struct device_record device;
	enum status status;

	TRY(locate_device_even_unbelieved(authority, text, &device, err));
	if (!device.is_authentic)
		return refuse_unbelieved("device", device.label, device.id, err);
	*out = device;
done:
	return status;
}

enum status locate_owner(struct authority *authority, const struct device_record *device,
			 struct person_record *out, bool *has_owner, struct error *err)
{
	enum status status = OK;

	*has_owner = device->has_person;
	if (device->has_person)
		status = person_record_load(authority->registry, device->person, out, err);
	return status;
}
