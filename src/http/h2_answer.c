#include "http/h2_parts.h"

#include <string.h>

#include "http/connection.h"
#include "http/head_writer.h"

enum { FIELDS_ROOM = HEAD_FIELDS_MAX + 8, NUMBER_ROOM = 24, TRAILER_FIELDS = 32 };

/* nghttp2 copies, and writes names in lower case. */
struct fields {
	nghttp2_nv at[FIELDS_ROOM];
	size_t count;
};
static struct fields fields;

static void add(struct span name, struct span value, uint8_t flags)
{
	if (fields.count == FIELDS_ROOM)
		return;
	fields.at[fields.count++] = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)name.at,
						 .value = (uint8_t *)(uintptr_t)value.at,
						 .namelen = name.size,
						 .valuelen = value.size,
						 .flags = flags};
}

static void start(const struct head *answer, unsigned code, char text[static 3])
{
	fields.count = 0;
	text[0] = (char)('0' + code / 100);
	text[1] = (char)('0' + code / 10 % 10);
	text[2] = (char)('0' + code % 10);
	add(SPAN(":status"), span_make(text, 3), NGHTTP2_NV_FLAG_NONE);
	for (size_t i = 0; i < answer->field_count; i++) {
		const struct field *field = &answer->fields[i];

		if (field->flags & FIELD_NOT_RETURNED || field->known == FIELD_SEC_WEBSOCKET_ACCEPT)
			continue;
		/* What is new in each answer, or secret, has no place in the table. */
		add(field->name, field->value,
		    field->known == FIELD_SET_COOKIE || field->known == FIELD_ETAG
			    ? NGHTTP2_NV_FLAG_NO_INDEX
			    : NGHTTP2_NV_FLAG_NONE);
	}
}

static bool has_date(const struct head *answer)
{
	size_t i;

	for (i = 0; i < answer->field_count; i++)
		if (answer->fields[i].known == FIELD_DATE)
			return true;
	return false;
}

static void add_date(const struct h2_stream *stream, const struct head *answer)
{
	if (!has_date(answer))
		add(SPAN("date"), http_host_date(stream->h2->base.host), NGHTTP2_NV_FLAG_NONE);
}

static void add_length(uint64_t length, char text[static NUMBER_ROOM])
{
	struct head_writer writer;

	head_writer_init(&writer, text, NUMBER_ROOM);
	head_put_number(&writer, length);
	add(SPAN("content-length"), head_written(&writer), NGHTTP2_NV_FLAG_NONE);
}

static void submit(struct h2_stream *stream, bool no_body)
{
	nghttp2_data_provider provider = h2_provider(stream);

	if (nghttp2_submit_response(stream->h2->session, stream->id, fields.at, fields.count,
				    no_body ? NULL : &provider) != 0)
		h2_reset(stream, NGHTTP2_INTERNAL_ERROR, ENDED_OURS);
	connection_tidy(stream->h2->base.connection);
}

/* RFC 9113 section 8.1.1: the length, if told, is that of the body that follows; RFC 9110 section 8.6
 * for HEAD and 304. True: no body follows. */
static bool put_framing(struct h2_stream *stream, const struct head *answer, bool no_body,
			char text[static NUMBER_ROOM])
{
	bool has_length = answer->framing == BODY_LENGTH || answer->has_length;

	stream->left = UINT64_MAX;
	if (stream->exchange->is_head || answer->code == 204 || answer->code == 304) {
		if (has_length && answer->code != 204)
			add_length(answer->length, text);
		stream->left = 0;
		return true;
	}
	if (no_body || answer->framing == BODY_NONE) {
		add_length(0, text);
		stream->left = 0;
		return true;
	}
	if (answer->framing == BODY_LENGTH) {
		add_length(answer->length, text);
		stream->left = answer->length;
	}
	return false;
}

/* A body that is not worth taking just to be polite; a client that waits for 100 (Continue) sends none. */
static bool is_too_much(const struct h2_stream *stream)
{
	const struct head *request = stream->exchange->request;

	return stream->owes_continue ||
	       (request->framing == BODY_LENGTH &&
		request->length - stream->exchange->bytes_up >
			stream->h2->base.host->limits.drain_bytes);
}

void h2_send_head(struct exchange *exchange, const struct head *answer, bool no_body)
{
	struct h2_stream *stream = exchange->carrier;
	char code[3], length[NUMBER_ROOM];
	bool is_bodiless;

	exchange->phase = PHASE_ANSWERED;
	exchange->status = answer->code;
	if (no_body)
		exchange->down.flow = FLOW_ENDED;
	if (!connection_may_write(exchange->connection) || stream->is_reset ||
	    stream->step == STREAM_CLOSED)
		return;
	start(answer, answer->code, code);
	is_bodiless = put_framing(stream, answer, no_body, length);
	add_date(stream, answer);
	if (!stream->has_ended && is_too_much(stream))
		stream->discarded = stream->h2->base.host->limits.drain_bytes + 1;
	submit(stream, is_bodiless);
}

void h2_send_interim(struct exchange *exchange, const struct head *answer)
{
	struct h2_stream *stream = exchange->carrier;
	char code[3];

	if (answer->code == 100) {
		h2_send_continue(stream);
		return;
	}
	if (answer->code != 103 || !connection_may_write(exchange->connection) || stream->is_reset ||
	    stream->step == STREAM_CLOSED ||
	    nghttp2_session_get_outbound_queue_size(stream->h2->session) > H2_QUEUE_MOST)
		return;
	start(answer, answer->code, code);
	(void)nghttp2_submit_headers(stream->h2->session, NGHTTP2_FLAG_NONE, stream->id, NULL,
				     fields.at, fields.count, NULL);
	connection_tidy(exchange->connection);
}

void h2_send_continue(struct h2_stream *stream)
{
	nghttp2_nv status = {.name = (uint8_t *)(uintptr_t) ":status",
			     .value = (uint8_t *)(uintptr_t) "100",
			     .namelen = 7,
			     .valuelen = 3};

	if (!stream->owes_continue || stream->is_reset || stream->step == STREAM_CLOSED)
		return;
	stream->owes_continue = false;
	(void)nghttp2_submit_headers(stream->h2->session, NGHTTP2_FLAG_NONE, stream->id, NULL, &status, 1,
				     NULL);
	connection_tidy(stream->h2->base.connection);
}

/* RFC 8441 section 5: 200 is the 101 of HTTP/2, and there is no Accept to a key that nobody sent. */
void h2_send_tunnel_head(struct exchange *exchange, const struct head *answer)
{
	struct h2_stream *stream = exchange->carrier;
	char code[3];

	start(answer, 200, code);
	add_date(stream, answer);
	stream->left = UINT64_MAX;
	submit(stream, false);
}

/* -- trailers -- */

void h2_send_trailers(struct exchange *exchange, const struct field *list, size_t count)
{
	struct h2_stream *stream = exchange->carrier;
	struct slabs *slabs = &stream->h2->base.host->spills;
	struct head_writer writer;
	size_t i;

	if (stream->down_trailers || count == 0 || stream->left != UINT64_MAX)
		return;
	stream->down_trailers = slab_take(slabs);
	if (!stream->down_trailers)
		return;
	head_writer_init(&writer, stream->down_trailers,
			 slabs->size < TRAILERS_MOST ? slabs->size : TRAILERS_MOST);
	for (i = 0; i < count; i++)
		if (!(list[i].flags & (FIELD_NOT_RETURNED | FIELD_NO_TRAILER)))
			head_put_field(&writer, list[i].name, list[i].value);
	if (head_is_whole(&writer))
		stream->down_trailers_size = (uint32_t)writer.size;
}

bool h2_submit_trailers(struct h2_stream *stream)
{
	struct span lines = span_make(stream->down_trailers, stream->down_trailers_size), line, name;

	fields.count = 0;
	while (fields.count < TRAILER_FIELDS && span_cut(&lines, '\n', &line)) {
		line = span_trim(line.size && line.at[line.size - 1] == '\r'
					 ? span_make(line.at, line.size - 1)
					 : line);
		if (span_cut(&line, ':', &name) && name.size > 0)
			add(name, span_trim(line), NGHTTP2_NV_FLAG_NONE);
	}
	return fields.count > 0 && nghttp2_submit_trailer(stream->h2->session, stream->id, fields.at,
							  fields.count) == 0;
}
