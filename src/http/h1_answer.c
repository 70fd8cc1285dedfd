#include "http/h1_parts.h"

#include <string.h>

#include "http/head_writer.h"

static const struct {
	uint16_t code;
	const char *reason;
} reasons[] = {
	{100, "Continue"},
	{101, "Switching Protocols"},
	{103, "Early Hints"},
	{200, "OK"},
	{201, "Created"},
	{202, "Accepted"},
	{204, "No Content"},
	{206, "Partial Content"},
	{301, "Moved Permanently"},
	{302, "Found"},
	{303, "See Other"},
	{304, "Not Modified"},
	{307, "Temporary Redirect"},
	{308, "Permanent Redirect"},
	{400, "Bad Request"},
	{401, "Unauthorized"},
	{403, "Forbidden"},
	{404, "Not Found"},
	{405, "Method Not Allowed"},
	{408, "Request Timeout"},
	{409, "Conflict"},
	{413, "Content Too Large"},
	{414, "URI Too Long"},
	{415, "Unsupported Media Type"},
	{416, "Range Not Satisfiable"},
	{417, "Expectation Failed"},
	{421, "Misdirected Request"},
	{422, "Unprocessable Content"},
	{426, "Upgrade Required"},
	{429, "Too Many Requests"},
	{431, "Request Header Fields Too Large"},
	{500, "Internal Server Error"},
	{501, "Not Implemented"},
	{502, "Bad Gateway"},
	{503, "Service Unavailable"},
	{504, "Gateway Timeout"},
	{505, "HTTP Version Not Supported"},
};

static struct span reason_of(const struct head *answer)
{
	size_t i;

	if (answer->reason.size > 0)
		return answer->reason;
	for (i = 0; i < sizeof reasons / sizeof *reasons; i++)
		if (reasons[i].code == answer->code)
			return span_of(reasons[i].reason);
	return SPAN("");
}

/* A writer behind what waits in `out` already (an interim answer that was not taken yet). */
static bool start_writing(struct h1 *h1, struct head_writer *writer)
{
	struct slabs *slabs = &h1->base.host->answers;

	if (!h1->out) {
		h1->out = slab_take(slabs);
		h1->out_size = 0;
	}
	if (!h1->out) {
		connection_abort(h1->base.connection, ENDED_OURS);
		return false;
	}
	head_writer_init(writer, h1->out, slabs->size);
	writer->size = h1->out_size;
	return true;
}

static bool stop_writing(struct h1 *h1, const struct head_writer *writer)
{
	size_t sent = h1->out_size - h1->framer.front.size;

	if (!head_is_whole(writer)) {
		connection_abort(h1->base.connection, ENDED_OURS);
		return false;
	}
	h1->framer.front = span_make(h1->out + sent, writer->size - sent);
	h1->out_size = writer->size;
	return true;
}

static void put_status_line(struct head_writer *writer, const struct head *answer)
{
	head_put(writer, SPAN("HTTP/1.1 "));
	head_put_number(writer, answer->code);
	head_put(writer, SPAN(" "));
	head_put(writer, reason_of(answer));
	head_put(writer, SPAN("\r\n"));
}

static void put_fields(struct head_writer *writer, const struct head *answer)
{
	size_t i;

	for (i = 0; i < answer->field_count; i++) {
		const struct field *field = &answer->fields[i];

		if (!(field->flags & FIELD_NOT_RETURNED))
			head_put_field(writer, field->name, field->value);
	}
}

static bool has_field(const struct head *answer, enum known_field known)
{
	size_t i;

	for (i = 0; i < answer->field_count; i++)
		if (answer->fields[i].known == known)
			return true;
	return false;
}

static void put_length(struct head_writer *writer, uint64_t length)
{
	head_put(writer, SPAN("Content-Length: "));
	head_put_number(writer, length);
	head_put(writer, SPAN("\r\n"));
}

/* How the body goes out, and the fields that say so (RFC 9112 section 6, RFC 9110 section 8.6). */
static void put_framing(struct h1 *h1, struct head_writer *writer, const struct head *answer,
			bool no_body)
{
	struct exchange *exchange = h1->exchange;
	bool has_length = answer->framing == BODY_LENGTH || answer->has_length;
	bool is_bodiless = exchange->is_head || answer->code == 204 || answer->code == 304;

	if (is_bodiless) {
		if (has_length && answer->code != 204)
			put_length(writer, answer->length);
		framer_init(&h1->framer, FRAME_NOTHING, 0);
	} else if (no_body || answer->framing == BODY_NONE) {
		put_length(writer, 0);
		framer_init(&h1->framer, FRAME_NOTHING, 0);
	} else if (answer->framing == BODY_LENGTH) {
		put_length(writer, answer->length);
		framer_init(&h1->framer, FRAME_LENGTH, answer->length);
	} else if (exchange->request->minor >= 1) {
		head_put(writer, SPAN("Transfer-Encoding: chunked\r\n"));
		framer_init(&h1->framer, FRAME_CHUNKED, 0);
	} else {
		h1->keep = false;
		framer_init(&h1->framer, FRAME_RAW, 0);
	}
}

static void put_date(struct h1 *h1, struct head_writer *writer, const struct head *answer)
{
	if (!has_field(answer, FIELD_DATE))
		head_put_field(writer, SPAN("Date"), http_host_date(h1->base.host));
}

/* A body that is not worth reading just to keep the connection. */
static bool is_too_much_to_drain(const struct h1 *h1)
{
	if (h1->input != INPUT_BODY)
		return false;
	return h1->owes_continue || (h1->exchange->request->framing == BODY_LENGTH &&
				     h1->body_left > h1->base.host->limits.drain_bytes);
}

void h1_send_head(struct exchange *exchange, const struct head *answer, bool no_body)
{
	struct h1 *h1 = h1_of(exchange->transport);
	struct span front;
	struct head_writer writer;

	exchange->phase = PHASE_ANSWERED;
	exchange->status = answer->code;
	if (no_body)
		exchange->down.flow = FLOW_ENDED;
	if (!connection_may_write(h1->base.connection) || !start_writing(h1, &writer))
		return;
	if (is_too_much_to_drain(h1) || h1->drains)
		h1->keep = false;
	h1->owes_continue = false;
	put_status_line(&writer, answer);
	put_fields(&writer, answer);
	front = h1->framer.front;
	put_framing(h1, &writer, answer, no_body);
	h1->framer.front = front;
	put_date(h1, &writer, answer);
	if (!h1->keep)
		head_put(&writer, SPAN("Connection: close\r\n"));
	else if (exchange->request->minor == 0)
		head_put(&writer, SPAN("Connection: keep-alive\r\n"));
	head_put(&writer, SPAN("\r\n"));
	if (stop_writing(h1, &writer))
		connection_tidy(h1->base.connection);
}

void h1_send_interim(struct exchange *exchange, const struct head *answer)
{
	struct h1 *h1 = h1_of(exchange->transport);
	struct head_writer writer;

	if (exchange->request->minor == 0 || !connection_may_write(h1->base.connection))
		return;
	if (answer->code == 100) {
		h1_send_continue(h1);
		return;
	}
	/* Heads that a client does not take must not pile up. */
	if (answer->code != 103 || h1->out || !start_writing(h1, &writer))
		return;
	put_status_line(&writer, answer);
	put_fields(&writer, answer);
	head_put(&writer, SPAN("\r\n"));
	if (stop_writing(h1, &writer))
		connection_tidy(h1->base.connection);
}

void h1_send_continue(struct h1 *h1)
{
	struct head_writer writer;

	if (!h1->owes_continue || !start_writing(h1, &writer))
		return;
	h1->owes_continue = false;
	head_put(&writer, SPAN("HTTP/1.1 100 Continue\r\n\r\n"));
	if (stop_writing(h1, &writer))
		connection_tidy(h1->base.connection);
}

void h1_upgrade_head(struct h1 *h1, const struct head *answer)
{
	struct span front = h1->framer.front;
	struct head_writer writer;

	if (!start_writing(h1, &writer))
		return;
	put_status_line(&writer, answer);
	put_fields(&writer, answer);
	put_date(h1, &writer, answer);
	head_put(&writer, SPAN("Connection: Upgrade\r\nUpgrade: websocket\r\n\r\n"));
	framer_init(&h1->framer, FRAME_RAW, 0);
	h1->framer.front = front;
	if (stop_writing(h1, &writer))
		connection_tidy(h1->base.connection);
}

void h1_send_trailers(struct exchange *exchange, const struct field *fields, size_t count)
{
	struct h1 *h1 = h1_of(exchange->transport);
	struct slabs *slabs = &h1->base.host->spills;
	struct head_writer writer;
	size_t i;

	if (h1->framer.mode != FRAME_CHUNKED || h1->trailers || count == 0)
		return;
	h1->trailers = slab_take(slabs);
	if (!h1->trailers)
		return;
	head_writer_init(&writer, h1->trailers,
			 slabs->size < TRAILERS_MOST ? slabs->size : TRAILERS_MOST);
	for (i = 0; i < count; i++)
		if (!(fields[i].flags & (FIELD_NOT_RETURNED | FIELD_NO_TRAILER)))
			head_put_field(&writer, fields[i].name, fields[i].value);
	if (head_is_whole(&writer))
		h1->framer.trailers = head_written(&writer);
}

void h1_release_answer(struct h1 *h1)
{
	struct http_host *host = h1->base.host;

	slab_give(&host->answers, h1->out);
	slab_give(&host->spills, h1->trailers);
	h1->out = h1->trailers = NULL;
	h1->out_size = 0;
	framer_init(&h1->framer, FRAME_NOTHING, 0);
}

/* One write; true: there may be more to write. */
static bool pump_once(struct h1 *h1)
{
	struct exchange *exchange = h1->exchange;
	struct body *down = &exchange->down;
	struct span data = body_peek(down);
	bool is_all = down->flow == FLOW_ENDED && data.size == body_waiting(down);
	struct iovec parts[FRAMER_PARTS];
	size_t taken = 0, used;
	enum status status;
	int count;

	if (exchange->phase == PHASE_OPEN)
		data.size = 0;
	count = framer_gather(&h1->framer, data, is_all, parts);
	if (count == 0)
		return false;
	status = connection_write(h1->base.connection, parts, count, &taken);
	h1->is_blocked = status == AGAIN;
	if (status != OK)
		return false;
	used = framer_took(&h1->framer, taken);
	exchange->bytes_down += used;
	body_consume(down, used);
	h1_moved(h1, taken);
	if (h1->framer.front.size == 0 && h1->out) {
		slab_give(&h1->base.host->answers, h1->out);
		h1->out = NULL;
		h1->out_size = 0;
	}
	return true;
}

/* What a service shows beyond what its head announced, or behind a head that has no body. */
static void drop_surplus(struct exchange *exchange)
{
	struct span surplus;

	while ((surplus = body_peek(&exchange->down)).size > 0)
		body_consume(&exchange->down, surplus.size);
}

void h1_pump(void *arg)
{
	struct h1 *h1 = arg;
	struct connection *connection = h1->base.connection;
	struct exchange *exchange = h1->exchange;

	if (!exchange || exchange->phase == PHASE_OVER || !connection_may_write(connection))
		return;
	while (pump_once(h1))
		;
	if (!connection_may_write(connection))
		return;
	if (exchange->down.flow == FLOW_FAILED) {
		/* Cut, so that nobody takes the part for the whole (RFC 9112 section 8). */
		connection_abort(connection, exchange->down.why);
		return;
	}
	if (exchange->phase != PHASE_OPEN && framer_is_done(&h1->framer))
		drop_surplus(exchange);
	if (exchange->phase == PHASE_OPEN || exchange->down.flow != FLOW_ENDED || h1->is_blocked)
		return;
	if (framer_is_done(&h1->framer)) {
		exchange->phase = PHASE_OVER;
		connection_tidy(connection);
	} else if (body_waiting(&exchange->down) == 0) {
		connection_abort(connection, ENDED_FAR_SIDE);
	}
}
