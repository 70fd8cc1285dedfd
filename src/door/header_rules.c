#include "door/header_rules.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/buffer.h"
#include "wire/http_head.h"

enum { LINES_MOST = 8192, NAME_MOST = 128 };

struct header_list {
	struct field fields[HEADER_RULES_MOST]; /* without a value: only to be taken away */
	size_t count, set_count;                /* those with a value come first */
};

struct header_rules {
	struct header_list request, response;
	char *lines; /* of what is set towards the application */
	size_t lines_size;
	char *text; /* what the fields point into */
	size_t text_used, text_room;
};

/* -- making -- */

static struct span keep(struct header_rules *rules, struct span text)
{
	char *at = rules->text + rules->text_used;

	if (text.size)
		memcpy(at, text.at, text.size);
	rules->text_used += text.size;
	return span_make(at, text.size);
}

/* These are told apart by name alone, and their owners are the transports. */
static bool is_ours(struct span name, const struct field_class *class, bool is_request)
{
	static const char *const always[] = {"Expect", "Sec-WebSocket-Accept", "Sec-WebSocket-Key", "Sec-WebSocket-Version",
					     "Sec-WebSocket-Protocol", "Sec-WebSocket-Extensions", "HTTP2-Settings", NULL};
	size_t i;

	for (i = 0; always[i]; i++)
		if (span_is_nocase(name, always[i]))
			return true;
	return class->flags & (is_request ? FIELD_NOT_FORWARDED : FIELD_NOT_RETURNED);
}

static enum status check_name(struct span name, bool is_request, struct field_class *class, struct error *err)
{
	if (name.size > NAME_MOST || !field_classify(name, class))
		return error_refuse(err, "\"%.*s\" is no header's name", SPAN_PRINT(name));
	if (!is_ours(name, class, is_request))
		return OK;
	return error_refuse(err, "%.*s is written by this program alone%s", SPAN_PRINT(name),
			    is_request ? ", so that an application can trust it" : "");
}

static enum status check_value(struct span value, struct error *err)
{
	size_t i;

	for (i = 0; i < value.size; i++)
		if ((unsigned char)value.at[i] < 0x20 || value.at[i] == 0x7f)
			return error_refuse(err, "a control character in a header's value");
	return value.size ? OK : error_refuse(err, "a header to be set has a value: \"Name: value\"");
}

static enum status add(struct header_rules *rules, struct header_list *list, struct span name, struct span value,
		       struct error *err)
{
	bool is_request = list == &rules->request;
	struct field *field = &list->fields[list->count];
	struct field_class class;
	enum status status;

	if (list->count == HEADER_RULES_MOST)
		return error_refuse(err, "more than %d headers", HEADER_RULES_MOST);
	TRY(check_name(name, is_request, &class, err));
	*field = (struct field){.name = keep(rules, name), .value = keep(rules, value), .known = class.known,
				.flags = class.flags};
	list->count++;
done:
	return status;
}

static enum status add_set(struct header_rules *rules, struct header_list *list, const char *text, struct error *err)
{
	struct span rest = span_of(text), name;
	enum status status;

	if (!memchr(text, ':', strlen(text)))
		return error_refuse(err, "\"%s\": write \"Name: value\"", text);
	(void)span_cut(&rest, ':', &name);
	rest = span_trim(rest);
	TRY(check_value(rest, err));
	TRY(add(rules, list, name, rest, err));
	list->set_count++;
done:
	return status;
}

static enum status fill(struct header_rules *rules, struct header_list *list, const struct value_texts *set,
			const struct value_texts *removed, const char *direction, struct error *err)
{
	enum status status = OK;
	size_t i;

	for (i = 0; i < set->count && status == OK; i++)
		status = add_set(rules, list, set->at[i], err);
	if (status != OK)
		error_context(err, "%s-headers-set", direction);
	for (i = 0; i < removed->count && status == OK; i++) {
		status = add(rules, list, span_of(removed->at[i]), (struct span){"", 0}, err);
		if (status != OK)
			error_context(err, "%s-headers-remove", direction);
	}
	return status;
}

static enum status write_lines(struct header_rules *rules, struct error *err)
{
	struct buffer lines;
	size_t i;

	buffer_init(&lines, LINES_MOST);
	for (i = 0; i < rules->request.set_count; i++) {
		buffer_add(&lines, rules->request.fields[i].name);
		buffer_add_text(&lines, ": ");
		buffer_add(&lines, rules->request.fields[i].value);
		buffer_add_text(&lines, "\r\n");
	}
	if (!buffer_is_whole(&lines)) {
		buffer_release(&lines);
		return error_refuse(err, "request-headers-set: more than %d bytes", LINES_MOST);
	}
	rules->lines = lines.at;
	rules->lines_size = lines.size;
	return OK;
}

static size_t sizes(const struct value_texts *texts)
{
	size_t size = 0, i;

	for (i = 0; i < texts->count; i++)
		size += strlen(texts->at[i]);
	return size;
}

static const struct value_texts *own_or(const struct value_texts *own, const struct value_texts *site)
{
	return own->count || !site ? own : site;
}

enum status header_rules_new(const struct header_options *given, const struct header_options *site,
			     struct header_rules **out, struct error *err)
{
	const struct value_texts *request_set = own_or(&given->request_set, site ? &site->request_set : NULL);
	const struct value_texts *request_remove = own_or(&given->request_remove, site ? &site->request_remove : NULL);
	const struct value_texts *response_set = own_or(&given->response_set, site ? &site->response_set : NULL);
	const struct value_texts *response_remove =
		own_or(&given->response_remove, site ? &site->response_remove : NULL);
	struct header_rules *rules;
	enum status status;

	*out = NULL;
	if (request_set->count + request_remove->count + response_set->count + response_remove->count == 0)
		return OK;
	rules = calloc(1, sizeof *rules);
	if (!rules)
		return error_fail(err, "no memory for header rules");
	rules->text_room = sizes(request_set) + sizes(request_remove) + sizes(response_set) + sizes(response_remove);
	rules->text = malloc(rules->text_room + 1);
	if (!rules->text) {
		status = error_fail(err, "no memory for header rules");
		goto done;
	}
	TRY(fill(rules, &rules->request, request_set, request_remove, "request", err));
	TRY(fill(rules, &rules->response, response_set, response_remove, "response", err));
	TRY(write_lines(rules, err));
	*out = rules;
	rules = NULL;
done:
	header_rules_free(rules);
	return status;
}

void header_rules_free(struct header_rules *rules)
{
	if (!rules)
		return;
	free(rules->lines);
	free(rules->text);
	free(rules);
}

/* -- using -- */

/* Folded, so that X_Tenant is X-Tenant to whoever reads it that way. */
static bool is_same_name(struct span a, struct span b)
{
	size_t i;

	if (a.size != b.size)
		return false;
	for (i = 0; i < a.size; i++)
		if (field_fold[(uint8_t)a.at[i]] != field_fold[(uint8_t)b.at[i]])
			return false;
	return true;
}

static bool names(const struct header_list *list, struct span name)
{
	size_t i;

	for (i = 0; i < list->count; i++)
		if (is_same_name(list->fields[i].name, name))
			return true;
	return false;
}

struct span header_rules_lines(const struct header_rules *rules)
{
	return span_make(rules->lines ? rules->lines : "", rules->lines_size);
}

bool header_rules_keeps(const struct header_rules *rules, const struct field *field)
{
	return !names(&rules->request, field->name);
}

bool header_rules_returns(const struct header_rules *rules, const struct field *field)
{
	return !names(&rules->response, field->name);
}

void header_rules_thin_out(const struct header_rules *rules, struct head *answer)
{
	uint16_t kept = 0, i;

	for (i = 0; i < answer->field_count; i++)
		if (header_rules_returns(rules, &answer->fields[i]))
			answer->fields[kept++] = answer->fields[i];
	answer->field_count = kept;
}

bool header_rules_answer(const struct header_rules *rules, struct head *answer)
{
	const struct header_list *list = &rules->response;
	size_t i;

	header_rules_thin_out(rules, answer);
	if (answer->field_count + list->set_count > HEAD_FIELDS_MAX)
		return false;
	for (i = 0; i < list->set_count; i++)
		answer->fields[answer->field_count++] = list->fields[i];
	return true;
}
