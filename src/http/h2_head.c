#include "http/h2_parts.h"

#include <string.h>

#include "base/encode.h"
#include "base/random.h"
#include "http/connection.h"
#include "http/head_writer.h"
#include "wire/websocket.h"

/* The whole of RFC 9113 section 8.2 and 8.3 is looked after here, though nghttp2 has refused most of
 * what is against it: these bytes become lines, and a line must not become two. */

enum { KEY_BYTES = 16, TARGET_MOST = 8192 };

static const char *const pseudo_names[PSEUDOS] = {
	[PSEUDO_METHOD] = ":method",       [PSEUDO_SCHEME] = ":scheme",
	[PSEUDO_AUTHORITY] = ":authority", [PSEUDO_PATH] = ":path",
	[PSEUDO_PROTOCOL] = ":protocol",
};

static void refuse(struct h2_stream *stream, enum bad_request why)
{
	if (!stream->bad)
		stream->bad = (uint8_t)(why + 1);
}

static struct span bytes_of(nghttp2_rcbuf *buffer)
{
	nghttp2_vec bytes;

	if (!buffer)
		return SPAN("");
	bytes = nghttp2_rcbuf_get_buf(buffer);
	return span_make(bytes.base, bytes.len);
}

void h2_forget_pseudo(struct h2 *h2)
{
	size_t i;

	for (i = 0; i < PSEUDOS; i++) {
		if (h2->pseudo[i])
			nghttp2_rcbuf_decref(h2->pseudo[i]);
		h2->pseudo[i] = NULL;
	}
}

/* -- writing into the block -- */

static void put(struct h2_stream *stream, struct span bytes)
{
	size_t room = stream->h2->base.host->limits.head_bytes - stream->size;

	if (bytes.size > room) {
		refuse(stream, BAD_HEAD_TOO_LARGE);
		return;
	}
	if (bytes.size)
		memcpy(stream->block->bytes + stream->size, bytes.at, bytes.size);
	stream->size += (uint32_t)bytes.size;
}

static void put_line(struct h2_stream *stream, struct span name, struct span value)
{
	put(stream, name);
	put(stream, SPAN(": "));
	put(stream, value);
	put(stream, SPAN("\r\n"));
}

/* No byte that ends a word or a line. */
static bool is_word(struct span text)
{
	size_t i;

	for (i = 0; i < text.size; i++)
		if ((uint8_t)text.at[i] <= ' ' || text.at[i] == 0x7f)
			return false;
	return text.size > 0;
}

static bool is_value(struct span value)
{
	size_t i;

	for (i = 0; i < value.size; i++)
		if (((uint8_t)value.at[i] < ' ' && value.at[i] != '\t') || value.at[i] == 0x7f)
			return false;
	return value.size == 0 || span_equals(span_trim(value), value);
}

static bool is_lower_token(struct span name)
{
	size_t i;

	for (i = 0; i < name.size; i++)
		if (name.at[i] >= 'A' && name.at[i] <= 'Z')
			return false;
	return field_is_token(name);
}

static bool is_same_nocase(struct span a, struct span b)
{
	size_t i;

	for (i = 0; a.size == b.size && i < a.size; i++) {
		char x = a.at[i], y = b.at[i];

		x = x >= 'A' && x <= 'Z' ? (char)(x + 32) : x;
		y = y >= 'A' && y <= 'Z' ? (char)(y + 32) : y;
		if (x != y)
			return false;
	}
	return a.size == b.size;
}

/* -- the pseudo fields -- */

static void keep_pseudo(struct h2_stream *stream, struct span name, nghttp2_rcbuf *value)
{
	struct h2 *h2 = stream->h2;
	size_t i;

	for (i = 0; i < PSEUDOS; i++) {
		if (!span_is(name, pseudo_names[i]))
			continue;
		/* Once each, and before all others. */
		if (h2->pseudo[i] || stream->has_line)
			break;
		nghttp2_rcbuf_incref(value);
		h2->pseudo[i] = value;
		return;
	}
	refuse(stream, BAD_HEAD);
}

/* CONNECT is for a WebSocket (RFC 8441 section 4) and nothing else. */
static struct span method_of_stream(struct h2_stream *stream, struct span method)
{
	struct span protocol = bytes_of(stream->h2->pseudo[PSEUDO_PROTOCOL]);

	if (!span_is(method, "CONNECT")) {
		if (stream->h2->pseudo[PSEUDO_PROTOCOL])
			refuse(stream, BAD_HEAD);
		return method;
	}
	if (!span_is(protocol, "websocket")) {
		refuse(stream, BAD_NOT_IMPLEMENTED);
		return method;
	}
	stream->is_websocket = true;
	return SPAN("GET");
}

static bool is_our_scheme(const struct h2_stream *stream, struct span scheme)
{
	if (connection_is_secure(stream->h2->base.connection))
		return span_is_nocase(scheme, "https");
	return span_is_nocase(scheme, "http") || span_is_nocase(scheme, "https");
}

static void put_request_line(struct h2_stream *stream)
{
	struct h2 *h2 = stream->h2;
	struct span method = bytes_of(h2->pseudo[PSEUDO_METHOD]);
	struct span authority = bytes_of(h2->pseudo[PSEUDO_AUTHORITY]);
	struct span path = bytes_of(h2->pseudo[PSEUDO_PATH]);

	stream->has_line = true;
	stream->is_head_method = span_is(method, "HEAD");
	method = method_of_stream(stream, method);
	if (stream->bad)
		return;
	if (path.size > TARGET_MOST) {
		refuse(stream, BAD_TARGET_TOO_LONG);
		return;
	}
	if (!is_word(method) || !is_word(path) || (path.at[0] != '/' && !span_is(path, "*")) ||
	    !is_our_scheme(stream, bytes_of(h2->pseudo[PSEUDO_SCHEME]))) {
		refuse(stream, BAD_HEAD);
		return;
	}
	put(stream, method);
	put(stream, SPAN(" "));
	put(stream, path);
	put(stream, SPAN(" HTTP/1.1\r\n"));
	if (!h2->pseudo[PSEUDO_AUTHORITY])
		return;
	if (!is_word(authority)) {
		refuse(stream, BAD_HEAD);
		return;
	}
	stream->has_host = true;
	put_line(stream, SPAN("host"), authority);
}

/* -- the fields -- */

/* RFC 9113 section 8.2.3: crumbs become one field. They come one behind the other, as a rule; else the
 * line moves to the end. */
static void put_cookie(struct h2_stream *stream, struct span name, struct span value)
{
	char *bytes = stream->block->bytes;
	uint32_t line = stream->cookie_end - stream->cookie_at;

	if (stream->cookie_end == 0) {
		stream->cookie_at = stream->size;
		put_line(stream, name, value);
		stream->cookie_end = stream->size;
		return;
	}
	if (stream->cookie_end < stream->size) {
		uint32_t behind = stream->size - stream->cookie_end;

		/* Through the room behind, which the joined line would need in any case. */
		put(stream, span_make(bytes + stream->cookie_at, line));
		if (stream->bad)
			return;
		memmove(bytes + stream->cookie_at, bytes + stream->cookie_end, behind + line);
		stream->size -= line;
		stream->cookie_at += behind;
	}
	stream->size -= 2;
	put(stream, SPAN("; "));
	put(stream, value);
	put(stream, SPAN("\r\n"));
	stream->cookie_end = stream->size;
}

static void take_host(struct h2_stream *stream, struct span name, struct span value)
{
	struct span authority = bytes_of(stream->h2->pseudo[PSEUDO_AUTHORITY]);

	/* RFC 9113 section 8.3.1: both, if both are there, name the same. */
	if (stream->h2->pseudo[PSEUDO_AUTHORITY]) {
		if (!is_same_nocase(authority, value))
			refuse(stream, BAD_HEAD);
		return;
	}
	stream->has_host = true;
	put_line(stream, name, value);
}

static void take_field(struct h2_stream *stream, struct span name, struct span value)
{
	struct field_class class;

	if (!is_lower_token(name) || !is_value(value)) {
		refuse(stream, BAD_HEAD);
		return;
	}
	(void)field_classify(name, &class);
	switch (class.known) {
	case FIELD_CONNECTION:
	case FIELD_KEEP_ALIVE:
	case FIELD_PROXY_CONNECTION:
	case FIELD_TRANSFER_ENCODING:
	case FIELD_UPGRADE:
		refuse(stream, BAD_HEAD);
		return;
	case FIELD_TE:
		if (!span_is_nocase(value, "trailers")) {
			refuse(stream, BAD_HEAD);
			return;
		}
		break;
	case FIELD_HOST:
		take_host(stream, name, value);
		return;
	case FIELD_COOKIE:
		put_cookie(stream, name, value);
		return;
	case FIELD_CONTENT_LENGTH:
		stream->has_length = true;
		break;
	default:
		break;
	}
	put_line(stream, name, value);
}

void h2_head_field(struct h2_stream *stream, nghttp2_rcbuf *name, nghttp2_rcbuf *value)
{
	struct span text = bytes_of(name);

	if (text.size > 0 && text.at[0] == ':') {
		keep_pseudo(stream, text, value);
		return;
	}
	if (!stream->has_line)
		put_request_line(stream);
	if (!stream->bad)
		take_field(stream, text, bytes_of(value));
}

/* -- the end -- */

/* The key that a browser would have sent; the answer's Accept is checked against it. */
static void put_websocket(struct h2_stream *stream)
{
	uint8_t bytes[KEY_BYTES];
	struct buffer key;

	random_bytes(bytes, sizeof bytes);
	buffer_init(&key, 64);
	base64_write(&key, span_make(bytes, sizeof bytes));
	put(stream, SPAN("connection: Upgrade\r\nupgrade: websocket\r\n"));
	put_line(stream, SPAN("sec-websocket-key"), buffer_span(&key));
	buffer_release(&key);
}

static enum bad_request bad_request_of(enum head_refusal refusal)
{
	switch (refusal) {
	case HEAD_URI_TOO_LONG:
		return BAD_TARGET_TOO_LONG;
	case HEAD_BAD_EXPECTATION:
		return BAD_EXPECTATION;
	case HEAD_TOO_LARGE:
		return BAD_HEAD_TOO_LARGE;
	case HEAD_NOT_IMPLEMENTED:
		return BAD_NOT_IMPLEMENTED;
	default:
		return BAD_HEAD;
	}
}

static void parse(struct h2_stream *stream)
{
	struct head_limits limits = head_limits_default;
	struct head_block *block = stream->block;
	struct span bytes = span_make(block->bytes, stream->size);
	size_t used = 0;
	enum status status;

	limits.bytes = (uint32_t)stream->h2->base.host->limits.head_bytes;
	head_init(&block->head);
	status = head_parse(bytes, REQUEST_HEAD, &limits, &block->head, &used, NULL);
	if (status == AGAIN || (status == OK && used != bytes.size))
		refuse(stream, BAD_HEAD);
	else if (status != OK)
		refuse(stream, bad_request_of(block->head.refusal));
	else if (block->head.is_websocket != stream->is_websocket ||
		 target_parse(block->head.path, block->path, sizeof block->path, &block->target,
			      NULL) != OK)
		refuse(stream, BAD_HEAD);
}

void h2_head_end(struct h2_stream *stream, bool is_all)
{
	if (!stream->has_line)
		put_request_line(stream);
	h2_forget_pseudo(stream->h2);
	if (stream->is_websocket && is_all)
		refuse(stream, BAD_HEAD);
	if (stream->bad)
		return;
	if (stream->is_websocket)
		put_websocket(stream);
	else if (!is_all && !stream->has_length)
		put(stream, SPAN("transfer-encoding: chunked\r\n"));
	put(stream, SPAN("\r\n"));
	if (!stream->bad)
		parse(stream);
}
