/* What is accepted means the same however it arrives, and the same again when it is written anew. */
#include <stdlib.h>

#include "wire/http_head.h"

#define CHECK(claim)                                                                               \
	do {                                                                                       \
		if (!(claim))                                                                      \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static struct head whole, pieces, again;

static enum status parse_in_pieces(struct span bytes, enum head_kind kind, size_t step, size_t *used)
{
	enum status status = AGAIN;
	size_t size = 0;

	head_init(&pieces);
	while (status == AGAIN && size < bytes.size) {
		char *copy;

		size = bytes.size - size < step ? bytes.size : size + step;
		copy = malloc(size); /* of this size, so that a byte too far is seen */
		CHECK(copy);
		memcpy(copy, bytes.at, size);
		status = head_parse(span_make(copy, size), kind, &head_limits_default, &pieces, used, NULL);
		if (status == OK)
			head_move(&pieces, span_make(copy, size), bytes.at);
		free(copy);
	}
	return status;
}

static size_t add(char *to, size_t at, struct span bytes)
{
	memcpy(to + at, bytes.at, bytes.size);
	return at + bytes.size;
}

static size_t write_head(const struct head *head, char *to)
{
	char code[4] = {(char)('0' + head->code / 100), (char)('0' + head->code / 10 % 10),
			(char)('0' + head->code % 10)};
	struct span version = head->minor ? SPAN("HTTP/1.1") : SPAN("HTTP/1.0");
	size_t at = 0, i;

	if (head->kind == REQUEST_HEAD) {
		at = add(to, at, head->method_name);
		at = add(to, at, SPAN(" "));
		at = add(to, at, head->target);
		at = add(to, at, SPAN(" "));
		at = add(to, at, version);
		at = add(to, at, SPAN("\r\n"));
	} else if (head->kind == ANSWER_HEAD) {
		at = add(to, at, version);
		at = add(to, at, SPAN(" "));
		at = add(to, at, span_make(code, 3));
		at = add(to, at, SPAN(" "));
		at = add(to, at, head->reason);
		at = add(to, at, SPAN("\r\n"));
	}
	for (i = 0; i < head->field_count; i++) {
		at = add(to, at, head->fields[i].name);
		at = add(to, at, SPAN(": "));
		at = add(to, at, head->fields[i].value);
		at = add(to, at, SPAN("\r\n"));
	}
	return add(to, at, SPAN("\r\n"));
}

static void check_same(const struct head *a, const struct head *b)
{
	size_t i;

	CHECK(a->kind == b->kind && a->minor == b->minor && a->method == b->method && a->code == b->code);
	CHECK(a->framing == b->framing && a->length == b->length && a->keep_alive == b->keep_alive);
	CHECK(a->expects_continue == b->expects_continue && a->is_websocket == b->is_websocket);
	CHECK(a->has_length == b->has_length && a->has_chunked == b->has_chunked && a->seen == b->seen);
	CHECK(span_equals(a->target, b->target) && span_equals(a->path, b->path));
	CHECK(span_equals(a->host, b->host) && span_equals(a->reason, b->reason));
	CHECK(span_equals(a->method_name, b->method_name) && a->field_count == b->field_count);
	for (i = 0; i < a->field_count; i++) {
		CHECK(span_equals(a->fields[i].name, b->fields[i].name));
		CHECK(span_equals(a->fields[i].value, b->fields[i].value));
		CHECK(a->fields[i].known == b->fields[i].known && a->fields[i].flags == b->fields[i].flags);
	}
}

static void check_accepted(struct span bytes, enum head_kind kind, size_t used)
{
	struct head_limits limits = head_limits_default;
	/* Written anew it may be longer: ": " for ":". */
	char *canonical = malloc(used + HEAD_FIELDS_MAX + 8);
	size_t size, size_again, i;

	CHECK(canonical && used <= bytes.size && used <= limits.bytes);
	for (i = 0; i < whole.field_count; i++) {
		struct field_class class;

		CHECK(field_classify(whole.fields[i].name, &class));
		CHECK(class.known == whole.fields[i].known);
		CHECK(!memchr(whole.fields[i].value.at, '\n', whole.fields[i].value.size));
		CHECK(!memchr(whole.fields[i].value.at, '\r', whole.fields[i].value.size));
	}
	CHECK(!(whole.has_length && whole.has_chunked));
	if (kind == REQUEST_HEAD && whole.minor == 1)
		CHECK(whole.host.size > 0 && head_has(&whole, FIELD_HOST));
	limits.bytes += HEAD_FIELDS_MAX + 8;
	size = write_head(&whole, canonical);
	head_init(&again);
	CHECK(head_parse(span_make(canonical, size), kind, &limits, &again, &size_again, NULL) == OK);
	CHECK(size_again == size);
	check_same(&whole, &again);
	if (kind == ANSWER_HEAD) {
		enum status status = head_answer_framing(&whole, METHOD_GET, true, NULL);

		CHECK(status == head_answer_framing(&again, METHOD_GET, true, NULL));
		check_same(&whole, &again);
	}
	free(canonical);
}

/* The first byte: kind, and the size of the pieces. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	enum head_kind kind;
	enum status status, in_pieces;
	size_t used = 0, used_in_pieces = 0;
	struct span bytes;

	if (size < 2)
		return 0;
	kind = data[0] % 3;
	bytes = span_make(data + 1, size - 1);
	head_init(&whole);
	status = head_parse(bytes, kind, &head_limits_default, &whole, &used, NULL);
	in_pieces = parse_in_pieces(bytes, kind, 1 + data[0] / 3, &used_in_pieces);
	/* What will be refused may be waited for, until its line ends. */
	CHECK(in_pieces == status || (status == REFUSED && in_pieces == AGAIN));
	CHECK(status != FAILED);
	if (status == REFUSED)
		CHECK(whole.refusal != HEAD_FINE);
	if (status != OK)
		return 0;
	CHECK(used == used_in_pieces);
	check_same(&whole, &pieces);
	check_accepted(bytes, kind, used);
	return 0;
}
