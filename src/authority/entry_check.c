#include "authority/entry_check.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/address.h"

enum { GROUPS_MOST = 64, GROUP_SIZE = 65, EMAIL_LOCAL_MOST = 64, HOST_MOST = 253, LABEL_MOST = 63 };

/* One character; 0 bytes: not UTF-8. */
static size_t decode(struct span text, uint32_t *out)
{
	static const uint32_t least[] = {0, 0, 0x80, 0x800, 0x10000};
	uint8_t first = (uint8_t)text.at[0];
	size_t size = first < 0x80 ? 1 : first >= 0xc2 && first < 0xe0 ? 2 : (first & 0xf0) == 0xe0 ? 3
		      : first >= 0xf0 && first < 0xf5 ? 4 : 0;
	size_t i;

	if (size == 0 || size > text.size)
		return 0;
	*out = size == 1 ? first : first & (0x7fu >> size);
	for (i = 1; i < size; i++) {
		if (((uint8_t)text.at[i] & 0xc0) != 0x80)
			return 0;
		*out = *out << 6 | ((uint8_t)text.at[i] & 0x3f);
	}
	if (*out < least[size] || *out > 0x10ffff || (*out >= 0xd800 && *out < 0xe000))
		return 0;
	return size;
}

static bool is_unseen(uint32_t c)
{
	return c < 0x20 || (c >= 0x7f && c < 0xa0) || (c >= 0x200b && c <= 0x200f) ||
	       (c >= 0x2028 && c <= 0x202e) || (c >= 0x2060 && c <= 0x2069) || c == 0xfeff || c == 0xad;
}

bool entry_is_plain_text(struct span text)
{
	uint32_t c;
	size_t size;

	while (text.size) {
		size = decode(text, &c);
		if (size == 0 || is_unseen(c))
			return false;
		span_skip(&text, size);
	}
	return true;
}

/* The input goes into the error text only if a terminal can stand it. */
static const char *shown(struct span text, char room[static 80])
{
	if (entry_is_plain_text(text))
		snprintf(room, 80, " \"%.*s\"", text.size > 64 ? 64 : (int)text.size, text.at);
	else
		room[0] = 0;
	return room;
}

enum status entry_check_name(struct span text, const char *what, char *out, size_t room, struct error *err)
{
	char quoted[80];
	size_t i;

	text = span_trim(text);
	if (text.size == 0)
		return error_refuse(err, "the %s is missing", what);
	if (!entry_is_plain_text(text))
		return error_refuse(err, "the %s is not plain text: UTF-8 without control characters is", what);
	if (text.size >= room)
		return error_refuse(err, "the %s%s is too long: at most %zu bytes", what, shown(text, quoted),
				    room - 1);
	for (i = 0; i < text.size; i++)
		if (text.at[i] == '/' || text.at[i] == '=')
			return error_refuse(err, "the %s%s may not have \"%c\" in it", what,
					    shown(text, quoted), text.at[i]);
	memcpy(out, text.at, text.size);
	out[text.size] = 0;
	return OK;
}

static bool is_letter_or_digit(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9');
}

/* RFC 1123 section 2.1: labels of letters, digits and inner hyphens; "_" is met in the wild and let be. */
static bool is_host(struct span host)
{
	struct span label;

	if (host.size == 0 || host.size > HOST_MOST || host.at[host.size - 1] == '.')
		return false;
	while (span_cut(&host, '.', &label)) {
		size_t i;

		if (label.size == 0 || label.size > LABEL_MOST || label.at[0] == '-' ||
		    label.at[label.size - 1] == '-')
			return false;
		for (i = 0; i < label.size; i++)
			if (!is_letter_or_digit(label.at[i]) && label.at[i] != '-' && label.at[i] != '_')
				return false;
	}
	return true;
}

enum status entry_check_email(struct span text, char out[static PERSON_EMAIL_SIZE], struct error *err)
{
	static const char also[] = "!#$%&'*+-.?^_`{|}~";
	char quoted[80];
	const char *at;
	size_t i, local;

	text = span_trim(text);
	at = text.size ? memchr(text.at, '@', text.size) : NULL;
	local = at ? (size_t)(at - text.at) : 0;
	if (!at || local == 0 || local > EMAIL_LOCAL_MOST || text.size >= PERSON_EMAIL_SIZE ||
	    text.at[0] == '.' || at[-1] == '.' || !is_host(span_make(at + 1, text.size - local - 1)))
		return error_refuse(err, "the e-mail%s is not an address like alice@example.com",
				    shown(text, quoted));
	for (i = 0; i < local; i++)
		if (!is_letter_or_digit(text.at[i]) && (!text.at[i] || !strchr(also, text.at[i])))
			return error_refuse(err, "the e-mail%s has a character before the @ that is not "
					    "allowed; ASCII letters, digits and %s are", shown(text, quoted),
					    also);
	memcpy(out, text.at, text.size);
	out[text.size] = 0;
	return OK;
}

static enum status check_group(struct span text, char out[static GROUP_SIZE], struct error *err)
{
	char quoted[80];
	size_t i;

	text = span_trim(text);
	for (i = 0; i < text.size; i++)
		if (!is_letter_or_digit(text.at[i]) && !memchr("_.-", text.at[i], 3))
			break;
	if (text.size == 0 || text.size >= GROUP_SIZE || i < text.size)
		return error_refuse(err, "the group%s is not a name of 1 to 64 letters, digits, \"_\", \".\", "
				    "\"-\"", shown(text, quoted));
	memcpy(out, text.at, text.size);
	out[text.size] = 0;
	/* The rules of the door have this word for whoever comes. */
	if (strcmp(out, "everyone") == 0)
		return error_refuse(err, "the group \"everyone\" has everybody in it already");
	return OK;
}

struct group_list {
	char names[GROUPS_MOST][GROUP_SIZE];
	size_t count;
};

static enum status add_groups(struct group_list *list, struct span text, struct error *err)
{
	struct span part;
	enum status status = OK;

	while (status == OK && span_cut(&text, ',', &part)) {
		if (span_trim(part).size == 0)
			continue;
		if (list->count == GROUPS_MOST)
			return error_refuse(err, "at most %d groups a person", GROUPS_MOST);
		status = check_group(part, list->names[list->count++], err);
	}
	return status;
}

static int by_name(const void *a, const void *b)
{
	return strcmp(a, b);
}

static enum status join_groups(struct group_list *list, char out[static PERSON_GROUPS_SIZE],
			       struct error *err)
{
	size_t i, used = 0;

	qsort(list->names, list->count, sizeof list->names[0], by_name);
	out[0] = 0;
	for (i = 0; i < list->count; i++) {
		if (i > 0 && strcmp(list->names[i], list->names[i - 1]) == 0)
			continue;
		if (used + strlen(list->names[i]) + 2 > PERSON_GROUPS_SIZE)
			return error_refuse(err, "the groups are too long: %d bytes at most",
					    PERSON_GROUPS_SIZE - 1);
		used += (size_t)snprintf(out + used, PERSON_GROUPS_SIZE - used, "%s%s", used ? "," : "",
					 list->names[i]);
	}
	return OK;
}

enum status entry_check_groups(const json_t *given, char out[static PERSON_GROUPS_SIZE], struct error *err)
{
	struct group_list list = {.count = 0};
	enum status status = OK;
	const json_t *part;
	size_t i;

	if (json_is_string(given))
		status = add_groups(&list, span_make(json_string_value(given), json_string_length(given)), err);
	else if (given && !json_is_null(given) && !json_is_array(given))
		status = error_refuse(err, "groups is not a list of names");
	for (i = 0; status == OK && i < json_array_size(given); i++) {
		part = json_array_get(given, i);
		status = json_is_string(part) ? add_groups(&list, span_make(json_string_value(part),
									    json_string_length(part)), err)
					      : error_refuse(err, "groups is not a list of names");
	}
	return status == OK ? join_groups(&list, out, err) : status;
}

enum status entry_check_reason(struct span text, char *out, size_t room, struct error *err)
{
	text = span_trim(text);
	if (!entry_is_plain_text(text))
		return error_refuse(err, "the reason is not plain text: UTF-8 without control characters is");
	if (text.size >= room)
		return error_refuse(err, "the reason is too long: at most %zu bytes", room - 1);
	if (text.size)
		memcpy(out, text.at, text.size);
	out[text.size] = 0;
	return OK;
}

enum status entry_check_site(struct span text, char *out, size_t room, bool *is_ip, struct error *err)
{
	char quoted[80];
	struct address address;
	size_t i;

	text = span_trim(text);
	if (text.size > 2 && text.at[0] == '[' && text.at[text.size - 1] == ']')
		text = span_make(text.at + 1, text.size - 2);
	*is_ip = address_parse_ip(text, &address);
	if (!*is_ip && span_ends(text, "."))
		text.size--;
	if ((!*is_ip && !is_host(text)) || text.size >= room)
		return error_refuse(err, "the site%s is not a host name or an IP address (without https:// and "
				    "without a port)", shown(text, quoted));
	for (i = 0; i < text.size; i++)
		out[i] = text.at[i] >= 'A' && text.at[i] <= 'Z' ? (char)(text.at[i] + 32) : text.at[i];
	out[text.size] = 0;
	return OK;
}
