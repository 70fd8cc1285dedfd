#include "wire/http_head.h"

#include "wire/head_parts.h"

const struct head_limits head_limits_default = {16384, 8192, HEAD_FIELDS_MAX};
const struct head_limits trailer_limits = {4096, 0, 32};

#define BIT(known) ((uint64_t)1 << (known))
static const uint64_t taken_fields = BIT(FIELD_HOST) | BIT(FIELD_CONTENT_LENGTH) |
				     BIT(FIELD_TRANSFER_ENCODING) | BIT(FIELD_CONNECTION) |
				     BIT(FIELD_UPGRADE) | BIT(FIELD_EXPECT) |
				     BIT(FIELD_SEC_WEBSOCKET_KEY) | BIT(FIELD_SEC_WEBSOCKET_VERSION) |
				     BIT(FIELD_SEC_WEBSOCKET_ACCEPT);

_Static_assert(FIELD_KNOWN_COUNT <= 64, "struct head keeps one bit for each known field");

void head_init(struct head *head)
{
	memset(head, 0, offsetof(struct head, fields));
}

enum status head_refuse(struct head_reading *reading, enum head_refusal why, const char *text)
{
	reading->head->refusal = why;
	return error_refuse(reading->err, "%s", text);
}

#define EACH_BYTE(x) (0x0101010101010101u * (uint64_t)(x))

/* Eight bytes, one of which may be a control: tab counts too, and so may what follows a true one. */
static bool may_hold_control(const char *at)
{
	uint64_t word, low, del;

	memcpy(&word, at, 8);
	low = (word - EACH_BYTE(0x20)) & ~word;
	del = word ^ EACH_BYTE(0x7f);
	del = (del - EACH_BYTE(1)) & ~del;
	return ((low | del) & EACH_BYTE(0x80)) != 0;
}

/* The first byte that may not stand in a value: a control other than tab (RFC 9110 section 5.5). */
static const char *find_control(const char *at, const char *end)
{
	while (at < end) {
		const char *stop = end - at < 8 ? end : at + 8;

		if (end - at >= 8 && !may_hold_control(at)) {
			at += 8;
			continue;
		}
		for (; at < stop; at++)
			if (((uint8_t)*at < 0x20 && *at != '\t') || *at == 0x7f)
				return at;
	}
	return end;
}

static enum status read_name(struct head_reading *reading, struct field *field)
{
	const char *at = reading->at;

	while (at < reading->end && field_fold[(uint8_t)*at])
		at++;
	field->name = span_make(reading->at, (size_t)(at - reading->at));
	if (at == reading->end)
		return AGAIN;
	if (*at == ':' && field->name.size) {
		reading->at = at + 1;
		return OK;
	}
	if (*at != ' ' && *at != '\t')
		return head_refuse(reading, HEAD_BAD, *at == ':' ? "a field has no name"
				   : "a field's name holds a character that it may not");
	return head_refuse(reading, HEAD_BAD,
			   field->name.size ? "white space stands in front of a field's colon"
					    : "a field is folded over two lines");
}

static enum status read_value(struct head_reading *reading, struct field *field)
{
	const char *at = reading->at, *stop;

	while (at < reading->end && (*at == ' ' || *at == '\t'))
		at++;
	stop = find_control(at, reading->end);
	if (reading->end - stop < 2 && (stop == reading->end || *stop == '\r'))
		return AGAIN;
	if (stop[0] != '\r' || stop[1] != '\n')
		return head_refuse(reading, HEAD_BAD,
				   "a field's value holds a control character, or ends not in CRLF");
	reading->at = stop + 2;
	while (stop > at && (stop[-1] == ' ' || stop[-1] == '\t'))
		stop--;
	field->value = span_make(at, (size_t)(stop - at));
	return OK;
}

/* The fields up to and with the empty line. */
static enum status read_fields(struct head_reading *reading)
{
	struct head *head = reading->head;
	enum status status;

	for (;;) {
		struct field *field = &head->fields[head->field_count];
		struct field_class class;

		if (reading->at == reading->end)
			return AGAIN;
		if (*reading->at == '\r') {
			if (reading->end - reading->at < 2)
				return AGAIN;
			if (reading->at[1] != '\n')
				return head_refuse(reading, HEAD_BAD, "a CR stands without LF");
			reading->at += 2;
			return OK;
		}
		if (head->field_count == reading->limits->fields ||
		    head->field_count == HEAD_FIELDS_MAX)
			return head_refuse(reading, HEAD_TOO_LARGE, "there are too many fields");
		TRY(read_name(reading, field));
		TRY(read_value(reading, field));
		class = field_lookup(field->name);
		field->known = class.known;
		field->flags = class.flags;
		head->field_count++;
		head->seen |= BIT(class.known);
		if (BIT(class.known) & taken_fields || class.flags & FIELD_TWIN)
			TRY(head_take_field(reading, field));
	}
done:
	return status;
}

static enum status read_head(struct head_reading *reading)
{
	enum status status;

	switch (reading->head->kind) {
	case REQUEST_HEAD:
		TRY(head_read_request_line(reading));
		break;
	case ANSWER_HEAD:
		TRY(head_read_status_line(reading));
		break;
	default:
		break;
	}
	TRY(read_fields(reading));
	TRY(head_judge(reading));
done:
	return status;
}

/* Whether the end of a head, or a line end that refuses it, is among the bytes not yet looked at. */
static bool may_be_whole(struct span bytes, struct head *head)
{
	size_t from = head->scanned > 3 ? head->scanned - 3 : 0;

	while (from < bytes.size) {
		const char *found = memchr(bytes.at + from, '\n', bytes.size - from);
		size_t at;

		if (!found)
			break;
		at = (size_t)(found - bytes.at);
		if (at == 0 || found[-1] != '\r')
			return true;
		if (at == 1 ? head->kind == TRAILERS : found[-2] == '\n' || found[-2] == '\r')
			return true;
		from = at + 1;
	}
	return false;
}

static enum status not_whole(struct head_reading *reading, struct span window)
{
	struct head *head = reading->head;

	if (window.size < reading->limits->bytes) {
		head->scanned = window.size;
		return AGAIN;
	}
	if (head->kind == REQUEST_HEAD && !memchr(window.at, '\n', window.size))
		return head_refuse(reading, HEAD_URI_TOO_LONG, "the request line is too long");
	return head_refuse(reading, HEAD_TOO_LARGE, "the head is too large");
}

static void clear(struct head *head, enum head_kind kind)
{
	size_t scanned = head->scanned;

	memset(head, 0, offsetof(struct head, fields));
	head->scanned = scanned;
	head->kind = (uint8_t)kind;
}

enum status head_parse(struct span bytes, enum head_kind kind, const struct head_limits *limits,
		       struct head *out, size_t *used, struct error *err)
{
	struct span window = {bytes.at, bytes.size < limits->bytes ? bytes.size : limits->bytes};
	struct head_reading reading = {.at = window.at, .end = window.at + window.size,
				       .head = out, .limits = limits, .err = err};
	enum status status = AGAIN;

	if (out->scanned > window.size)
		out->scanned = 0;
	clear(out, kind);
	/* The first look reads on the chance that all is there, later ones once the end was seen. */
	if (window.size && (out->scanned == 0 || may_be_whole(window, out)))
		status = read_head(&reading);
	if (status == AGAIN)
		status = not_whole(&reading, window);
	if (status == AGAIN)
		return AGAIN;
	out->scanned = 0;
	if (status == OK)
		*used = (size_t)(reading.at - bytes.at);
	return status;
}

enum status head_parse_trailers(struct span bytes, const struct head_limits *limits, struct head *out,
				size_t *used, struct error *err)
{
	return head_parse(bytes, TRAILERS, limits, out, used, err);
}

const struct field *head_find(const struct head *head, enum known_field known)
{
	size_t i;

	if (!head_has(head, known))
		return NULL;
	for (i = 0; i < head->field_count; i++)
		if (head->fields[i].known == known)
			return &head->fields[i];
	return NULL;
}

struct span head_value(const struct head *head, enum known_field known)
{
	const struct field *field = head_find(head, known);

	return field ? field->value : SPAN("");
}

const struct field *head_find_name(const struct head *head, const char *name)
{
	size_t i;

	for (i = 0; i < head->field_count; i++)
		if (span_is_nocase(head->fields[i].name, name))
			return &head->fields[i];
	return NULL;
}

static bool list_holds(struct span list, const char *option)
{
	struct span element, name;

	while (span_cut(&list, ',', &element))
		if (span_cut(&element, ';', &name) && span_is_nocase(span_trim(name), option))
			return true;
	return false;
}

bool head_lists(const struct head *head, enum known_field known, const char *option)
{
	size_t i;

	for (i = 0; head_has(head, known) && i < head->field_count; i++)
		if (head->fields[i].known == known && list_holds(head->fields[i].value, option))
			return true;
	return false;
}

static void move(struct span *span, struct span from, const char *to)
{
	/* Some are constants of ours ("/", ""). */
	if ((uintptr_t)span->at >= (uintptr_t)from.at &&
	    (uintptr_t)span->at - (uintptr_t)from.at <= from.size)
		span->at = to + (span->at - from.at);
}

void head_move(struct head *head, struct span from, const char *to)
{
	size_t i;

	move(&head->method_name, from, to);
	move(&head->target, from, to);
	move(&head->path, from, to);
	move(&head->host, from, to);
	move(&head->reason, from, to);
	for (i = 0; i < head->field_count; i++) {
		move(&head->fields[i].name, from, to);
		move(&head->fields[i].value, from, to);
	}
}
