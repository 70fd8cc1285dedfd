#include "wire/head_parts.h"
#include "wire/websocket.h"

enum { OPTIONS_MAX = 32 };

static char lower(char c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : c;
}

bool span_is_same_nocase(struct span a, struct span b)
{
	size_t i;

	if (a.size != b.size)
		return false;
	for (i = 0; i < a.size; i++)
		if (lower(a.at[i]) != lower(b.at[i]))
			return false;
	return true;
}

bool head_is_host(struct span value)
{
	size_t i;

	for (i = 0; i < value.size; i++) {
		char c = lower(value.at[i]);

		if (!((c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' || c == '.' ||
		      c == '_' || c == ':' || c == '[' || c == ']'))
			return false;
	}
	return value.size > 0;
}

static enum status refuse(struct head_reading *reading, const char *text)
{
	return head_refuse(reading, HEAD_BAD, text);
}

/* RFC 9112 section 3.2. */
static enum status take_host(struct head_reading *reading, const struct field *field)
{
	struct head *head = reading->head;

	if (head->kind != REQUEST_HEAD)
		return OK;
	if (reading->hosts++)
		return refuse(reading, "Host stands twice");
	if (!head_is_host(field->value))
		return refuse(reading, "Host names no host");
	/* head->host is the target's authority already, if it has one. */
	if (head->host.size && !span_is_same_nocase(head->host, field->value))
		return refuse(reading, "Host differs from the request target");
	head->host = field->value;
	return OK;
}

/* RFC 9112 section 6.3 lets equal repeated values pass; we do not. */
static enum status take_length(struct head_reading *reading, const struct field *field)
{
	struct head *head = reading->head;

	if (head->has_length)
		return refuse(reading, "Content-Length stands twice");
	if (!span_to_u64(field->value, INT64_MAX, &head->length) ||
	    (field->value.size > 1 && field->value.at[0] == '0'))
		return refuse(reading, "Content-Length is not a plain number");
	head->has_length = true;
	return OK;
}

/* "gzip", "deflate, chunked": codings that exist, and that nobody uses here. */
static bool is_other_coding(struct span value)
{
	static const char *const codings[] = {"gzip", "x-gzip", "deflate", "compress", "x-compress"};
	struct span coding;
	size_t i;

	if (!span_cut(&value, ',', &coding))
		return false;
	coding = span_trim(coding);
	for (i = 0; i < sizeof codings / sizeof *codings; i++)
		if (span_is_nocase(coding, codings[i]))
			return !value.at || span_is_nocase(span_trim(value), "chunked");
	return false;
}

static enum status take_coding(struct head_reading *reading, const struct field *field)
{
	struct head *head = reading->head;

	if (head->minor == 0)
		return refuse(reading, "Transfer-Encoding stands in an HTTP/1.0 message");
	if (head->has_chunked)
		return refuse(reading, "Transfer-Encoding stands twice");
	if (is_other_coding(field->value))
		return head_refuse(reading, HEAD_NOT_IMPLEMENTED,
				   "Transfer-Encoding names a coding other than chunked");
	if (!span_is_nocase(field->value, "chunked"))
		return refuse(reading, "Transfer-Encoding is not \"chunked\"");
	head->has_chunked = true;
	return OK;
}

static enum status take_expect(struct head_reading *reading, const struct field *field)
{
	struct head *head = reading->head;

	/* RFC 9110 section 10.1.1: HTTP/1.0 has no Expect. */
	if (head->kind != REQUEST_HEAD || head->minor == 0)
		return OK;
	if (head->expects_continue)
		return refuse(reading, "Expect stands twice");
	if (!span_is_nocase(field->value, "100-continue"))
		return head_refuse(reading, HEAD_BAD_EXPECTATION, "Expect is not \"100-continue\"");
	head->expects_continue = true;
	return OK;
}

static enum status take_trailer(struct head_reading *reading)
{
	struct field *field = &reading->head->fields[reading->head->field_count - 1];

	if (field->flags & FIELD_FRAMING)
		return refuse(reading, "a trailer frames the message");
	return OK;
}

enum status head_take_field(struct head_reading *reading, const struct field *field)
{
	if (reading->head->kind == TRAILERS)
		return take_trailer(reading);
	switch (field->known) {
	case FIELD_HOST:
		return take_host(reading, field);
	case FIELD_CONTENT_LENGTH:
		return take_length(reading, field);
	case FIELD_TRANSFER_ENCODING:
		return take_coding(reading, field);
	case FIELD_EXPECT:
		return take_expect(reading, field);
	case FIELD_CONNECTION:
		reading->connections++;
		return OK;
	case FIELD_UPGRADE:
		reading->upgrades++;
		reading->says_websocket |= span_is_nocase(field->value, "websocket");
		return OK;
	case FIELD_SEC_WEBSOCKET_KEY:
		reading->keys++;
		reading->has_good_key = websocket_is_key(field->value);
		return OK;
	case FIELD_SEC_WEBSOCKET_VERSION:
		reading->versions++;
		reading->has_good_version = span_is(field->value, "13");
		return OK;
	case FIELD_SEC_WEBSOCKET_ACCEPT:
		reading->has_accept = field->value.size == WEBSOCKET_ACCEPT_SIZE;
		return OK;
	default:
		break;
	}
	/* A twin. An upstream that folds names would see two framings, or another one. */
	if (reading->head->kind == REQUEST_HEAD && field->flags & FIELD_FRAMING)
		return refuse(reading, "a field's name differs in punctuation from one that frames");
	return OK;
}

/* RFC 9110 section 7.6.1: what Connection names goes no further. */
static enum status mark_named(struct head_reading *reading, struct span option)
{
	struct head *head = reading->head;
	struct field_class class = field_lookup(option);
	size_t i;

	if (class.flags & FIELD_FRAMING && head->kind == REQUEST_HEAD)
		return refuse(reading, "Connection names a field that frames");
	for (i = 0; i < head->field_count; i++)
		if (span_is_same_nocase(head->fields[i].name, option))
			head->fields[i].flags |= FIELD_HOP_BY_HOP;
	return OK;
}

static enum status take_options(struct head_reading *reading, struct span list, unsigned *count)
{
	struct span option;

	while (span_cut(&list, ',', &option)) {
		enum status status = OK;

		option = span_trim(option);
		if (++*count > OPTIONS_MAX)
			return refuse(reading, "Connection has too many options");
		if (option.size == 0)
			continue;
		if (!field_is_token(option))
			return refuse(reading, "Connection is not a list of words");
		if (span_is_nocase(option, "close"))
			reading->says_close = true;
		else if (span_is_nocase(option, "keep-alive"))
			reading->says_keep_alive = true;
		else if (span_is_nocase(option, "upgrade"))
			reading->says_upgrade = true;
		else
			status = mark_named(reading, option);
		if (status != OK)
			return status;
	}
	return OK;
}

static enum status judge_connection(struct head_reading *reading)
{
	struct head *head = reading->head;
	unsigned count = 0;
	enum status status = OK;
	size_t i;

	for (i = 0; reading->connections && i < head->field_count; i++)
		if (head->fields[i].known == FIELD_CONNECTION)
			TRY(take_options(reading, head->fields[i].value, &count));
	head->keep_alive = !reading->says_close && (head->minor == 1 || reading->says_keep_alive);
done:
	return status;
}

/* RFC 6455 section 4.2.1. Half a WebSocket request is refused: an upstream might take it for a whole. */
static enum status judge_websocket(struct head_reading *reading)
{
	struct head *head = reading->head;

	if (!reading->says_websocket || !reading->says_upgrade)
		return OK;
	if (reading->upgrades != 1)
		return refuse(reading, "Upgrade stands twice");
	if (head->method != METHOD_GET || head->minor == 0 || head->has_chunked || head->length)
		return refuse(reading, "a WebSocket begins with GET, HTTP/1.1 and no body");
	if (reading->keys != 1 || !reading->has_good_key)
		return refuse(reading, "a WebSocket needs one Sec-WebSocket-Key of 16 bytes");
	if (reading->versions != 1 || !reading->has_good_version)
		return refuse(reading, "a WebSocket needs Sec-WebSocket-Version: 13");
	head->is_websocket = true;
	return OK;
}

static enum status judge_request(struct head_reading *reading)
{
	struct head *head = reading->head;

	if (reading->hosts == 0 && head->minor == 1)
		return refuse(reading, "there is no Host");
	head->framing = head->has_chunked ? BODY_CHUNKED : head->has_length ? BODY_LENGTH : BODY_NONE;
	if (head_is_bodiless(head))
		head->expects_continue = false;
	return judge_websocket(reading);
}

static void drop_trailers(struct head *head)
{
	size_t i;

	for (i = 0; i < head->field_count; i++)
		if (head->fields[i].flags & FIELD_NO_TRAILER)
			head->fields[i].flags |= FIELD_HOP_BY_HOP;
}

enum status head_judge(struct head_reading *reading)
{
	struct head *head = reading->head;
	enum status status;

	if (head->kind == TRAILERS) {
		drop_trailers(head);
		return OK;
	}
	/* RFC 9112 section 6.1: the two together are how requests are smuggled. */
	if (head->has_length && head->has_chunked)
		return refuse(reading, "Content-Length and Transfer-Encoding stand together");
	TRY(judge_connection(reading));
	if (head->kind == REQUEST_HEAD)
		TRY(judge_request(reading));
	else
		head->is_websocket = head->code == 101 && head->minor == 1 && reading->upgrades == 1 &&
				     reading->says_websocket && reading->says_upgrade &&
				     reading->has_accept;
done:
	return status;
}

enum status head_answer_framing(struct head *answer, enum method asked, bool asked_websocket,
				struct error *err)
{
	bool has_body = answer->has_chunked || answer->length > 0;

	answer->framing = BODY_NONE;
	if (answer->code == 101) {
		if (asked_websocket && answer->is_websocket && !has_body)
			return OK;
		return error_refuse(err, "the answer 101 takes up no WebSocket that was asked for");
	}
	if (answer->code < 200 || answer->code == 204) {
		if (has_body)
			return error_refuse(err, "an answer %u comes with a body", answer->code);
		return OK;
	}
	if (asked == METHOD_HEAD || answer->code == 304)
		return OK;
	if (answer->has_chunked) {
		answer->framing = BODY_CHUNKED;
	} else if (answer->has_length) {
		answer->framing = BODY_LENGTH;
	} else {
		answer->framing = BODY_UNTIL_CLOSE;
		answer->keep_alive = false;
	}
	return OK;
}
