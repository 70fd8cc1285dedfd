/* What one strict parser lets in and client_h1 writes out, a second strict parser reads the same way:
 * one more turn changes no byte. */
#include <stdlib.h>
#include <string.h>

#include "http/client_h1.h"
#include "wire/http_head.h"
#include "wire/target.h"

static void must(bool holds)
{
	if (!holds)
		abort();
}

struct hand_over {
	struct head head;
	struct target target;
	char path[8192];
	char out[40000];
	size_t size;
};

static bool read_in(struct hand_over *turn, struct span bytes, size_t *used)
{
	struct error err;

	head_init(&turn->head);
	return head_parse(bytes, REQUEST_HEAD, &head_limits_default, &turn->head, used, &err) == OK &&
	       target_parse(turn->head.path, turn->path, sizeof turn->path, &turn->target, &err) == OK;
}

static void write_out(struct hand_over *turn)
{
	char text[20000];
	struct client_request request = {
		.head = &turn->head,
		.host = turn->head.host,
		.prepared = {SPAN("X-Chatelaine-Device: 1\r\n"), SPAN("X-SSL-Client-Verify: SUCCESS\r\n")},
		.upgrade = turn->head.is_websocket,
	};
	struct client_h1 client;
	struct error err;
	size_t size = turn->target.path.size;

	memcpy(text, turn->target.path.at, size);
	if (turn->target.has_query) {
		text[size++] = '?';
		if (turn->target.query.size > 0)
			memcpy(text + size, turn->target.query.at, turn->target.query.size);
		size += turn->target.query.size;
	}
	request.target = span_make(text, size);
	client_h1_init(&client);
	must(client_h1_request(&client, &request, turn->out, sizeof turn->out, &err) == OK);
	turn->size = client.framer.front.size;
}

static void has_one_identity(const struct hand_over *turn)
{
	size_t identities = 0, i;

	for (i = 0; i < turn->head.field_count; i++)
		identities += (turn->head.fields[i].flags & FIELD_IDENTITY) != 0;
	must(identities == 2);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static struct hand_over first, second;
	size_t used;

	if (!read_in(&first, span_make(data, size), &used) || first.head.host.size == 0)
		return 0;
	write_out(&first);
	/* Ours and the fields of the client together may be more than a head may have. */
	if (first.size > head_limits_default.bytes || first.head.field_count > HEAD_FIELDS_MAX - 8)
		return 0;
	must(read_in(&second, span_make(first.out, first.size), &used));
	must(used == first.size);
	must(second.head.method == first.head.method);
	must(span_equals(second.head.method_name, first.head.method_name));
	must(second.head.framing == first.head.framing && second.head.length == first.head.length);
	must(second.head.is_websocket == first.head.is_websocket);
	must(span_equals(second.head.host, first.head.host));
	must(span_equals(second.target.path, first.target.path));
	has_one_identity(&second);
	write_out(&second);
	must(second.size == first.size && memcmp(second.out, first.out, first.size) == 0);
	return 0;
}
