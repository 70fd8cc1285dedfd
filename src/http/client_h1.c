#include "http/client_h1.h"

#include <string.h>

#include "http/head_writer.h"

void client_h1_init(struct client_h1 *client)
{
	*client = (struct client_h1){.step = CLIENT_HEAD};
}

/* What the codec writes itself, or never; the rest is for the filter to judge. Identity is no
 * filter's business: what a client says about who it is goes nowhere. */
static bool is_ours(const struct field *field)
{
	return field->flags & (FIELD_HOP_BY_HOP | FIELD_FRAMING | FIELD_IDENTITY) ||
	       field->known == FIELD_EXPECT || field->known == FIELD_TE ||
	       field->known == FIELD_TRAILER;
}

static void put_framing(struct head_writer *writer, const struct head *head)
{
	if (head->framing == BODY_CHUNKED) {
		head_put(writer, SPAN("Transfer-Encoding: chunked\r\n"));
	} else if (head->framing == BODY_LENGTH) {
		head_put(writer, SPAN("Content-Length: "));
		head_put_number(writer, head->length);
		head_put(writer, SPAN("\r\n"));
	}
}

static void put_request(struct head_writer *writer, const struct client_request *request)
{
	const struct head *head = request->head;
	size_t i;

	head_put(writer, head->method_name);
	head_put(writer, SPAN(" "));
	head_put(writer, request->target);
	head_put(writer, SPAN(" HTTP/1.1\r\n"));
	head_put_field(writer, SPAN("Host"), request->host);
	for (i = 0; i < head->field_count; i++) {
		const struct field *field = &head->fields[i];

		if (!is_ours(field) && (!request->keeps || request->keeps(request->arg, field)))
			head_put_field(writer, field->name, field->value);
	}
	if (request->upgrade)
		head_put(writer, SPAN("Connection: Upgrade\r\nUpgrade: websocket\r\n"));
	else if (head_lists(head, FIELD_TE, "trailers"))
		head_put(writer, SPAN("Connection: TE\r\nTE: trailers\r\n"));
	put_framing(writer, head);
	head_put(writer, request->prepared[0]);
	head_put(writer, request->prepared[1]);
	head_put(writer, SPAN("\r\n"));
}

enum status client_h1_request(struct client_h1 *client, const struct client_request *request,
			      char *into, size_t room, struct error *err)
{
	const struct head *head = request->head;
	struct head_writer writer;

	head_writer_init(&writer, into, room);
	put_request(&writer, request);
	if (!head_is_whole(&writer))
		return error_refuse(err, "the request's head with what we add is over %zu bytes", room);
	framer_init(&client->framer,
		    head->framing == BODY_CHUNKED  ? FRAME_CHUNKED
		    : head->framing == BODY_LENGTH ? FRAME_LENGTH
						   : FRAME_NOTHING,
		    head->length);
	client->framer.front = head_written(&writer);
	client->method = head->method;
	client->asked_upgrade = request->upgrade;
	return OK;
}

int client_h1_gather(struct client_h1 *client, struct span data, bool ended, struct span trailers,
		     struct iovec parts[static FRAMER_PARTS])
{
	if (ended)
		client->framer.trailers = trailers;
	return framer_gather(&client->framer, data, ended, parts);
}

size_t client_h1_took(struct client_h1 *client, size_t taken)
{
	return framer_took(&client->framer, taken);
}

bool client_h1_is_sent(const struct client_h1 *client)
{
	return framer_is_done(&client->framer);
}

static void set_over(struct client_h1 *client, size_t unused)
{
	client->step = CLIENT_OVER;
	client->surplus = unused > 0;
}

static enum status read_head(struct client_h1 *client, struct span in, size_t *used,
			     struct head *answer, struct client_event *event, struct error *err)
{
	enum status status;
	size_t size = 0;

	answer->scanned = client->scanned;
	status = head_parse(in, ANSWER_HEAD, &head_limits_default, answer, &size, err);
	client->scanned = status == AGAIN ? answer->scanned : 0;
	if (status == AGAIN)
		return OK;
	TRY(status);
	TRY(head_answer_framing(answer, client->method, client->asked_upgrade, err));
	*used += size;
	if (answer->code < 200 && answer->code != 101) {
		event->news = NEWS_INTERIM;
		goto done;
	}
	event->news = NEWS_ANSWER;
	client->framing = answer->framing;
	client->left = answer->length;
	client->keep_alive = answer->keep_alive;
	client->step = answer->code == 101 ? CLIENT_TUNNEL : CLIENT_BODY;
	chunked_init(&client->chunked);
	if (client->step == CLIENT_BODY && head_is_bodiless(answer)) {
		event->last = true;
		set_over(client, in.size - size);
	}
done:
	return status;
}

/* All chunks that are there are put together where the first one lies. */
static enum status read_chunks(struct client_h1 *client, char *at, size_t size, size_t *used,
			       struct client_event *event, struct error *err)
{
	char *run = NULL;
	size_t run_size = 0;

	while (*used < size && !chunked_is_done(&client->chunked)) {
		struct span data = {NULL, 0};
		size_t step = 0;
		enum status status = chunked_read(&client->chunked, span_make(at + *used, size - *used),
						  &step, &data, err);

		if (status == REFUSED || status == FAILED)
			return status;
		if (data.size > 0 && !run)
			run = at + (data.at - at);
		else if (data.size > 0)
			memmove(run + run_size, data.at, data.size);
		run_size += data.size;
		*used += step;
		if (status == AGAIN)
			break;
	}
	event->bytes = span_make(run, run_size);
	if (chunked_is_done(&client->chunked)) {
		event->last = true;
		event->trailers = client->chunked.trailers;
		if (event->trailers.size > 0)
			event->trailers.size -= 2; /* without the empty line */
		set_over(client, size - *used);
	}
	event->news = run_size > 0 ? NEWS_BYTES : event->last ? NEWS_OVER : NEWS_NONE;
	return OK;
}

static void read_plain(struct client_h1 *client, struct span in, size_t *used,
		       struct client_event *event)
{
	size_t size = in.size;

	if (client->step == CLIENT_BODY && client->framing == BODY_LENGTH && size > client->left)
		size = (size_t)client->left;
	if (size == 0)
		return;
	event->news = NEWS_BYTES;
	event->bytes = span_make(in.at, size);
	*used += size;
	if (client->step == CLIENT_TUNNEL || client->framing != BODY_LENGTH)
		return;
	client->left -= size;
	if (client->left == 0) {
		event->last = true;
		set_over(client, in.size - size);
	}
}

enum status client_h1_read(struct client_h1 *client, char *at, size_t size, size_t *used,
			   struct head *answer, struct client_event *event, struct error *err)
{
	struct span in = span_make(at + *used, size - *used);

	*event = (struct client_event){.news = NEWS_NONE};
	if (in.size == 0)
		return OK;
	switch ((enum client_step)client->step) {
	case CLIENT_HEAD:
		return read_head(client, in, used, answer, event, err);
	case CLIENT_BODY:
		if (client->framing == BODY_CHUNKED)
			return read_chunks(client, at, size, used, event, err);
		read_plain(client, in, used, event);
		return OK;
	case CLIENT_TUNNEL:
		read_plain(client, in, used, event);
		return OK;
	case CLIENT_OVER:
		client->surplus = true;
		return OK;
	}
	return OK;
}

enum status client_h1_closed(struct client_h1 *client, struct error *err)
{
	client->keep_alive = false;
	switch ((enum client_step)client->step) {
	case CLIENT_HEAD:
		return error_refuse(err, "closed before an answer");
	case CLIENT_BODY:
		if (client->framing != BODY_UNTIL_CLOSE)
			return error_refuse(err, "closed in the middle of an answer");
		client->step = CLIENT_OVER;
		return OK;
	case CLIENT_TUNNEL:
		client->step = CLIENT_OVER;
		return OK;
	case CLIENT_OVER:
		return OK;
	}
	return OK;
}

bool client_h1_is_reusable(const struct client_h1 *client)
{
	return client->step == CLIENT_OVER && client_h1_is_sent(client) && client->keep_alive &&
	       !client->surplus;
}
