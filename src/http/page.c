#include "http/page.h"

#include <stdlib.h>

#include "http/exchange.h"
#include "http/service.h"
#include "wire/http_head.h"

enum { PAGE_MOST = 262144, PAGE_FIELDS = 32 };

const struct embedded *embedded_find(const char *name)
{
	const struct embedded *file;

	for (file = embedded_files; file->name; file++)
		if (strcmp(file->name, name) == 0)
			return file;
	return NULL;
}

/* -- text into HTML -- */

static const char *entity_of(char c)
{
	switch (c) {
	case '&':
		return "&amp;";
	case '<':
		return "&lt;";
	case '>':
		return "&gt;";
	case '"':
		return "&quot;";
	case '\'':
		return "&#39;";
	case '\t':
	case '\r':
	case '\n':
		return NULL;
	default:
		return (unsigned char)c < 0x20 || c == 0x7f ? "\xef\xbf\xbd" : NULL;
	}
}

void page_escape(struct buffer *out, struct span text)
{
	size_t done = 0, i;

	for (i = 0; i < text.size; i++) {
		const char *entity = entity_of(text.at[i]);

		if (!entity)
			continue;
		buffer_add(out, span_make(text.at + done, i - done));
		buffer_add_text(out, entity);
		done = i + 1;
	}
	buffer_add(out, span_make(text.at + done, text.size - done));
}

static const struct page_value *find_value(struct span name, const struct page_value *values,
					   size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		if (span_is(name, values[i].name))
			return &values[i];
	return NULL;
}

/* Everything in front of `mark` is cut off into *before; false: it is not there. */
static bool cut_at(struct span *rest, struct span mark, struct span *before)
{
	const char *found = rest->size ? memmem(rest->at, rest->size, mark.at, mark.size) : NULL;

	if (!found)
		return false;
	*before = span_make(rest->at, (size_t)(found - rest->at));
	span_skip(rest, before->size + mark.size);
	return true;
}

/* The part up to {{/name}}, which shows only if the name has a value. */
static struct span cut_section(struct span *rest, struct span name)
{
	struct span section = {NULL, 0};
	char mark[72];
	size_t size = name.size + 5;

	if (size > sizeof mark)
		return section;
	memcpy(mark, "{{/", 3);
	memcpy(mark + 3, name.at, name.size);
	memcpy(mark + 3 + name.size, "}}", 2);
	if (!cut_at(rest, span_make(mark, size), &section)) {
		section = *rest;
		rest->size = 0;
	}
	return section;
}

static void put_include(struct buffer *out, struct span name)
{
	const struct embedded *file;

	for (file = embedded_files; file->name; file++)
		if (span_is(name, file->name))
			buffer_add(out, file->bytes);
}

void page_fill(struct buffer *out, struct span template, const struct page_value *values,
	       size_t count)
{
	struct span rest = template, before, name;

	while (cut_at(&rest, SPAN("{{"), &before)) {
		const struct page_value *value;

		buffer_add(out, before);
		if (!cut_at(&rest, SPAN("}}"), &name))
			return;
		if (span_starts(name, "include:")) {
			span_skip(&name, 8);
			put_include(out, name);
		} else if (span_starts(name, "#")) {
			struct span section;

			span_skip(&name, 1);
			section = cut_section(&rest, name);
			value = find_value(name, values, count);
			if (value && value->value.size > 0)
				page_fill(out, section, values, count);
		} else if ((value = find_value(name, values, count)) != NULL) {
			if (value->is_html)
				buffer_add(out, value->value);
			else
				page_escape(out, value->value);
		}
	}
	buffer_add(out, rest);
}

/* -- the service -- */

struct page_state {
	struct span body;
	unsigned status;
	uint16_t field_count;
	struct field fields[PAGE_FIELDS];
	char bytes[]; /* fields' text, then the body unless it lasts */
};

static void page_open(struct exchange *exchange)
{
	struct page_state *state = exchange->service_state;
	struct head answer;

	exchange_answer_init(&answer, state->status);
	answer.framing = BODY_LENGTH;
	answer.has_length = true;
	answer.length = state->body.size;
	answer.field_count = state->field_count;
	memcpy(answer.fields, state->fields, state->field_count * sizeof *state->fields);
	exchange_answer(exchange, &answer, exchange->is_head);
	if (!exchange->is_head)
		body_show(&exchange->down, state->body, true);
}

static void page_release(struct exchange *exchange)
{
	free(exchange->service_state);
}

static const struct service page_service = {
	.name = "page",
	.open = page_open,
	.release = page_release,
};

static bool is_clean(struct span text)
{
	size_t i;

	for (i = 0; i < text.size; i++)
		if ((unsigned char)text.at[i] < 0x20 && text.at[i] != '\t')
			return false;
	return true;
}

static struct span copy(char **at, struct span bytes)
{
	struct span copied = span_make(*at, bytes.size);

	if (bytes.size)
		memcpy(*at, bytes.at, bytes.size);
	*at += bytes.size;
	return copied;
}

static void add_field(struct page_state *state, char **at, struct span name, struct span value)
{
	struct field *field = &state->fields[state->field_count];
	struct field_class class;

	if (state->field_count == PAGE_FIELDS || !is_clean(value) || !field_classify(name, &class))
		return;
	*field = (struct field){.name = copy(at, name), .value = copy(at, value)};
	field->known = class.known;
	field->flags = class.flags;
	state->field_count++;
}

static bool gives(const struct page *page, const char *name)
{
	size_t i;

	for (i = 0; i < page->field_count; i++)
		if (span_is_nocase(page->fields[i].name, name))
			return true;
	return false;
}

static const struct {
	const char *name, *value;
	bool for_html;
} usual_fields[] = {
	{"Cache-Control", "no-store", false},
	{"X-Content-Type-Options", "nosniff", false},
	{"Referrer-Policy", "no-referrer", true},
	{"Content-Security-Policy",
	 "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; "
	 "form-action 'self'; frame-ancestors 'none'",
	 true},
};
enum { USUAL_FIELDS = sizeof usual_fields / sizeof *usual_fields };

static size_t fields_size(const struct page *page)
{
	size_t size = sizeof "Content-Type" + page->type.size, i;

	for (i = 0; i < USUAL_FIELDS; i++)
		size += strlen(usual_fields[i].name) + strlen(usual_fields[i].value);
	for (i = 0; i < page->field_count; i++)
		size += page->fields[i].name.size + page->fields[i].value.size;
	return size;
}

static void add_fields(struct page_state *state, char **at, const struct page *page)
{
	bool is_html = span_starts(page->type, "text/html");
	size_t i;

	if (page->type.size > 0)
		add_field(state, at, SPAN("Content-Type"), page->type);
	for (i = 0; i < page->field_count; i++)
		add_field(state, at, page->fields[i].name, page->fields[i].value);
	for (i = 0; i < USUAL_FIELDS; i++)
		if ((is_html || !usual_fields[i].for_html) && !gives(page, usual_fields[i].name))
			add_field(state, at, span_of(usual_fields[i].name),
				  span_of(usual_fields[i].value));
}

void page_send(struct exchange *exchange, const struct page *page)
{
	struct page_state *state;
	char *at;

	if (exchange->phase != PHASE_OPEN)
		return;
	state = page->body.size <= PAGE_MOST || page->lasts
			? malloc(sizeof *state + fields_size(page) + (page->lasts ? 0 : page->body.size))
			: NULL;
	if (!state) {
		body_fail(&exchange->down, ENDED_OURS);
		return;
	}
	state->status = page->status;
	state->field_count = 0;
	at = state->bytes;
	add_fields(state, &at, page);
	state->body = page->lasts ? page->body : copy(&at, page->body);
	exchange_hand_over(exchange, &page_service, state);
}

void page_answer(struct exchange *exchange, unsigned status, struct span type, struct span body)
{
	struct page page = {.status = status, .type = type, .body = body};

	page_send(exchange, &page);
}
