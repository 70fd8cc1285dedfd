#include "wire/head_parts.h"

enum { METHOD_SIZE_MAX = 32, VERSION_SIZE = 8 };

static const struct {
	struct span name;
	enum method method;
} methods[] = {
	{{"GET", 3}, METHOD_GET},       {{"POST", 4}, METHOD_POST},
	{{"HEAD", 4}, METHOD_HEAD},     {{"PUT", 3}, METHOD_PUT},
	{{"OPTIONS", 7}, METHOD_OPTIONS}, {{"DELETE", 6}, METHOD_DELETE},
	{{"PATCH", 5}, METHOD_PATCH},
};

enum method method_of(struct span name)
{
	size_t i;

	for (i = 0; i < sizeof methods / sizeof *methods; i++)
		if (span_equals(name, methods[i].name))
			return methods[i].method;
	return METHOD_OTHER;
}

static enum status read_method(struct head_reading *reading)
{
	const char *at = reading->at;
	struct head *head = reading->head;

	while (at < reading->end && ((*at >= 'A' && *at <= 'Z') || *at == '-'))
		at++;
	head->method_name = span_make(reading->at, (size_t)(at - reading->at));
	if (head->method_name.size > METHOD_SIZE_MAX)
		return head_refuse(reading, HEAD_NOT_IMPLEMENTED, "the method is too long a word");
	if (at == reading->end)
		return AGAIN;
	if (*at != ' ' || head->method_name.size == 0)
		/* "get" is a method of its own by RFC 9110, but an upstream might take it for GET. */
		return field_fold[(uint8_t)*at]
			       ? head_refuse(reading, HEAD_NOT_IMPLEMENTED,
					     "a method is written in upper-case letters")
			       : head_refuse(reading, HEAD_BAD, "the request does not start with a method");
	if (span_is(head->method_name, "CONNECT") || span_is(head->method_name, "TRACE"))
		return head_refuse(reading, HEAD_NOT_IMPLEMENTED, "CONNECT and TRACE are not served");
	head->method = (uint8_t)method_of(head->method_name);
	reading->at = at + 1;
	return OK;
}

/* Visible ASCII, and no fragment: '#' ends the path for some and not for others. */
static bool is_target(char c)
{
	return c > ' ' && c < 0x7f && c != '#';
}

static enum status read_target(struct head_reading *reading)
{
	const char *at = reading->at;
	struct head *head = reading->head;

	while (at < reading->end && is_target(*at))
		at++;
	head->target = span_make(reading->at, (size_t)(at - reading->at));
	if (head->target.size > reading->limits->target)
		return head_refuse(reading, HEAD_URI_TOO_LONG, "the request target is too long");
	if (at == reading->end)
		return AGAIN;
	if (*at != ' ')
		return head_refuse(reading, HEAD_BAD,
				   *at == '\r' ? "the request line has no version"
					       : "the request target holds a character that it may not");
	if (head->target.size == 0)
		return head_refuse(reading, HEAD_BAD, "the request target is empty");
	reading->at = at + 1;
	return OK;
}

static bool is_digit(char c)
{
	return c >= '0' && c <= '9';
}

/* HTTP/1.0 or HTTP/1.1, of which all VERSION_SIZE bytes are there. */
static enum status take_version(struct head_reading *reading)
{
	const char *at = reading->at;

	if (memcmp(at, "HTTP/", 5) != 0 || !is_digit(at[5]) || at[6] != '.' || !is_digit(at[7]))
		return head_refuse(reading, HEAD_BAD, "the version is not written HTTP/1.1");
	if (at[5] != '1' || at[7] > '1')
		return head_refuse(reading, HEAD_BAD_VERSION, "the version is not HTTP/1.0 or HTTP/1.1");
	reading->head->minor = (uint8_t)(at[7] - '0');
	reading->at += VERSION_SIZE;
	return OK;
}

static enum status read_version(struct head_reading *reading)
{
	size_t left = (size_t)(reading->end - reading->at);
	enum status status;

	if (left < VERSION_SIZE + 2) {
		/* Not to wait for what a line that has ended will never bring. */
		if (memchr(reading->at, '\n', left))
			return head_refuse(reading, HEAD_BAD, "the version is not written HTTP/1.1");
		return AGAIN;
	}
	TRY(take_version(reading));
	if (reading->at[0] != '\r' || reading->at[1] != '\n')
		return head_refuse(reading, HEAD_BAD, "the request line does not end in CRLF");
	reading->at += 2;
done:
	return status;
}

/* RFC 9112 section 3.2.2: "http://authority/path". Host must say the same, head_judge sees to it. */
static enum status split_absolute(struct head_reading *reading)
{
	struct head *head = reading->head;
	struct span rest = head->target;
	size_t size = 0;

	if (rest.size > 7 && span_is_nocase(span_make(rest.at, 7), "http://"))
		span_skip(&rest, 7);
	else if (rest.size > 8 && span_is_nocase(span_make(rest.at, 8), "https://"))
		span_skip(&rest, 8);
	else
		return head_refuse(reading, HEAD_BAD, "the request target does not start with a slash");
	while (size < rest.size && rest.at[size] != '/' && rest.at[size] != '?')
		size++;
	head->host = span_make(rest.at, size);
	span_skip(&rest, size);
	if (!head_is_host(head->host))
		return head_refuse(reading, HEAD_BAD, "the request target names no host");
	if (rest.size && rest.at[0] == '?')
		return head_refuse(reading, HEAD_BAD, "the request target has a query and no path");
	head->path = rest.size ? rest : SPAN("/");
	return OK;
}

static enum status split_target(struct head_reading *reading)
{
	struct head *head = reading->head;

	head->path = head->target;
	if (head->target.at[0] == '/')
		return OK;
	if (span_is(head->target, "*")) {
		if (head->method == METHOD_OPTIONS)
			return OK;
		return head_refuse(reading, HEAD_BAD, "the request target * is for OPTIONS alone");
	}
	return split_absolute(reading);
}

enum status head_read_request_line(struct head_reading *reading)
{
	enum status status;

	if (*reading->at == '\r') {
		if (reading->end - reading->at < 2)
			return AGAIN;
		if (reading->at[1] != '\n')
			return head_refuse(reading, HEAD_BAD, "a CR stands without LF");
		reading->at += 2;
	}
	TRY(read_method(reading));
	TRY(read_target(reading));
	TRY(read_version(reading));
	TRY(split_target(reading));
done:
	return status;
}

/* RFC 9112 section 4: any byte but controls. */
static enum status read_reason(struct head_reading *reading)
{
	const char *at = reading->at;

	while (at < reading->end && ((uint8_t)*at >= ' ' || *at == '\t') && *at != 0x7f)
		at++;
	if (reading->end - at < 2 && (at == reading->end || *at == '\r'))
		return AGAIN;
	if (at[0] != '\r' || at[1] != '\n')
		return head_refuse(reading, HEAD_BAD, "the status line does not end in CRLF");
	reading->head->reason = span_make(reading->at, (size_t)(at - reading->at));
	reading->at = at + 2;
	return OK;
}

enum status head_read_status_line(struct head_reading *reading)
{
	size_t left = (size_t)(reading->end - reading->at);
	const char *code;
	enum status status;

	/* "HTTP/1.1 200" and what follows it. */
	if (left < VERSION_SIZE + 5) {
		if (memchr(reading->at, '\n', left))
			return head_refuse(reading, HEAD_BAD, "the status line is cut short");
		return AGAIN;
	}
	TRY(take_version(reading));
	code = reading->at + 1;
	if (reading->at[0] != ' ' || !is_digit(code[0]) || !is_digit(code[1]) || !is_digit(code[2]) ||
	    code[0] < '1' || code[0] > '5')
		return head_refuse(reading, HEAD_BAD, "the status is not a number from 100 to 599");
	reading->head->code = (uint16_t)((code[0] - '0') * 100 + (code[1] - '0') * 10 + code[2] - '0');
	reading->at = code + 3;
	/* Some servers leave out the space in front of an empty reason; it can mean nothing else. */
	if (*reading->at == ' ')
		reading->at++;
	else if (*reading->at != '\r')
		return head_refuse(reading, HEAD_BAD, "the status is not a number from 100 to 599");
	TRY(read_reason(reading));
done:
	return status;
}
