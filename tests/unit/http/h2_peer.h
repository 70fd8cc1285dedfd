/* h2_peer - a client of HTTP/2 for tests of transport_h2: nghttp2's other half for what is well-formed,
 * and frames by hand for what is not. What the peer makes is given to the script stream; what the
 * transport wrote is fed back. */
#ifndef HTTP_H2_PEER_H
#define HTTP_H2_PEER_H

#include <nghttp2/nghttp2.h>

#include "http/http_house.h"

enum { PEER_STREAMS = 256, PEER_BODY = 1 << 20 };

struct peer_stream {
	int status, interims, closed;
	uint32_t code;
	char fields[2048], trailers[512];
	size_t body_size;
	bool has_answer;
};

static struct peer {
	nghttp2_session *session;
	struct peer_stream streams[PEER_STREAMS]; /* by id / 2 */
	struct span upload; /* of the request that goes next */
	bool upload_ends;
	unsigned goaways, pings, settings, window_updates, resets;
	uint32_t goaway_code;
	int32_t goaway_last;
	size_t body_size; /* of all */
	char body[PEER_BODY];
} peer;

static inline struct peer_stream *peer_stream(int32_t id)
{
	assert_true(id > 0 && id / 2 < PEER_STREAMS);
	return &peer.streams[id / 2];
}

static inline int peer_header(nghttp2_session *session, const nghttp2_frame *frame, const uint8_t *name,
			      size_t name_size, const uint8_t *value, size_t value_size, uint8_t flags, void *user)
{
	struct peer_stream *stream = peer_stream(frame->hd.stream_id);
	char *into = stream->has_answer ? stream->trailers : stream->fields;
	size_t room = stream->has_answer ? sizeof stream->trailers : sizeof stream->fields;

	(void)session;
	(void)flags;
	(void)user;
	if (name_size == 7 && memcmp(name, ":status", 7) == 0) {
		stream->status = atoi((const char *)value);
		if (stream->status < 200)
			stream->interims++;
		return 0;
	}
	snprintf(into + strlen(into), room - strlen(into), "%.*s: %.*s\n", (int)name_size, name,
		 (int)value_size, value);
	return 0;
}

static inline int peer_frame(nghttp2_session *session, const nghttp2_frame *frame, void *user)
{
	(void)session;
	(void)user;
	switch (frame->hd.type) {
	case NGHTTP2_HEADERS:
		if (peer_stream(frame->hd.stream_id)->status >= 200)
			peer_stream(frame->hd.stream_id)->has_answer = true;
		break;
	case NGHTTP2_GOAWAY:
		peer.goaways++;
		peer.goaway_code = frame->goaway.error_code;
		peer.goaway_last = frame->goaway.last_stream_id;
		break;
	case NGHTTP2_PING:
		peer.pings++;
		break;
	case NGHTTP2_SETTINGS:
		peer.settings++;
		break;
	case NGHTTP2_WINDOW_UPDATE:
		peer.window_updates++;
		break;
	case NGHTTP2_RST_STREAM:
		peer.resets++;
		break;
	default:
		break;
	}
	return 0;
}

static inline int peer_data(nghttp2_session *session, uint8_t flags, int32_t id, const uint8_t *bytes,
			    size_t size, void *user)
{
	(void)session;
	(void)flags;
	(void)user;
	assert_true(peer.body_size + size <= sizeof peer.body);
	memcpy(peer.body + peer.body_size, bytes, size);
	peer.body_size += size;
	peer_stream(id)->body_size += size;
	return 0;
}

static inline int peer_close(nghttp2_session *session, int32_t id, uint32_t code, void *user)
{
	(void)session;
	(void)user;
	peer_stream(id)->closed++;
	peer_stream(id)->code = code;
	return 0;
}

static inline ssize_t peer_upload(nghttp2_session *session, int32_t id, uint8_t *into, size_t room,
				  uint32_t *flags, nghttp2_data_source *source, void *user)
{
	size_t size = peer.upload.size < room ? peer.upload.size : room;

	(void)session;
	(void)id;
	(void)source;
	(void)user;
	if (size == 0 && !peer.upload_ends)
		return NGHTTP2_ERR_DEFERRED;
	memcpy(into, peer.upload.at, size);
	span_skip(&peer.upload, size);
	if (peer.upload.size == 0 && peer.upload_ends)
		*flags |= NGHTTP2_DATA_FLAG_EOF;
	return (ssize_t)size;
}

/* Everything that waits on the peer's side, as bytes. */
static inline void peer_collect(struct buffer *out)
{
	const uint8_t *bytes;
	ssize_t size;

	while ((size = nghttp2_session_mem_send(peer.session, &bytes)) > 0)
		buffer_add(out, span_make(bytes, (size_t)size));
	assert_int_equal(size, 0);
}

/* What the transport has written reaches the peer. */
static inline void peer_hear(void)
{
	struct span written = script_written(house.stream);

	if (written.size > 0)
		assert_true(nghttp2_session_mem_recv(peer.session, (const uint8_t *)written.at, written.size) >= 0);
	script_forget_written(house.stream);
}

/* Bytes both ways until neither has anything to say; in pieces of `piece`. */
static inline void peer_talk_in(size_t piece)
{
	struct buffer bytes;
	int i;

	for (i = 0; i < 40; i++) {
		buffer_init(&bytes, 1 << 26);
		peer_collect(&bytes);
		if (buffer_span(&bytes).size > 0) {
			script_give_split(house.stream, buffer_span(&bytes).at, buffer_span(&bytes).size, piece);
			while (!script_record(house.stream)->drained && house.connection) {
				script_ready(house.stream);
				house_turn();
			}
		}
		buffer_release(&bytes);
		house_turn();
		if (script_written(house.stream).size == 0 && !nghttp2_session_want_write(peer.session))
			break;
		peer_hear();
	}
}

static inline void peer_talk(void)
{
	peer_talk_in(1 << 20);
}

static inline void peer_start(const nghttp2_settings_entry *settings, size_t count)
{
	nghttp2_session_callbacks *callbacks;
	nghttp2_option *option;

	memset(&peer, 0, sizeof peer);
	assert_int_equal(nghttp2_session_callbacks_new(&callbacks), 0);
	nghttp2_session_callbacks_set_on_header_callback(callbacks, peer_header);
	nghttp2_session_callbacks_set_on_frame_recv_callback(callbacks, peer_frame);
	nghttp2_session_callbacks_set_on_data_chunk_recv_callback(callbacks, peer_data);
	nghttp2_session_callbacks_set_on_stream_close_callback(callbacks, peer_close);
	assert_int_equal(nghttp2_option_new(&option), 0);
	/* What a server must refuse, a client's half would refuse to send. */
	nghttp2_option_set_no_http_messaging(option, 1);
	assert_int_equal(nghttp2_session_client_new2(&peer.session, callbacks, NULL, option), 0);
	nghttp2_option_del(option);
	nghttp2_session_callbacks_del(callbacks);
	assert_int_equal(nghttp2_submit_settings(peer.session, NGHTTP2_FLAG_NONE, settings, count), 0);
}

static inline void peer_connect_silently(void)
{
	struct connection_birth birth = {.stream = script_stream_new()};
	struct error err;

	house.cancelled = 0;
	house.stream = birth.stream;
	script_protocol(house.stream, "h2");
	assert_int_equal(connection_new(&house.host, &birth, &house.connection, &err), OK);
	house_turn();
}

static inline void peer_connect_with(const nghttp2_settings_entry *settings, size_t count)
{
	peer_connect_silently();
	peer_start(settings, count);
	peer_talk();
}

static inline void peer_connect(void)
{
	peer_connect_with(NULL, 0);
}

static inline void peer_leave(void)
{
	nghttp2_session_del(peer.session);
	house_leave();
}

/* Fields as "name\0value\0..." pairs of words, ended by NULL. */
static inline int32_t peer_ask_with(bool has_body, const char *const *words)
{
	nghttp2_nv fields[200];
	nghttp2_data_provider provider = {.read_callback = peer_upload};
	size_t count = 0;
	int32_t id;

	for (; words[0]; words += 2)
		fields[count++] = (nghttp2_nv){.name = (uint8_t *)(uintptr_t)words[0],
					       .value = (uint8_t *)(uintptr_t)words[1],
					       .namelen = strlen(words[0]),
					       .valuelen = strlen(words[1]),
					       .flags = NGHTTP2_NV_FLAG_NO_COPY_NAME};
	id = nghttp2_submit_request(peer.session, NULL, fields, count, has_body ? &provider : NULL, NULL);
	assert_true(id > 0);
	return id;
}

#define PEER_HEAD(method, path)                                                                    \
	":method", method, ":scheme", "http", ":authority", "door.test", ":path", path
#define PEER_ASK(has_body, ...) peer_ask_with(has_body, (const char *const[]){__VA_ARGS__, NULL, NULL})

static inline int32_t peer_get(const char *path)
{
	return PEER_ASK(false, PEER_HEAD("GET", path));
}

static inline int32_t peer_post(const char *path, struct span upload)
{
	int32_t id;

	peer.upload = upload;
	peer.upload_ends = true;
	id = PEER_ASK(true, PEER_HEAD("POST", path));
	return id;
}

/* -- by hand -- */

static inline void peer_frame_into(struct buffer *out, uint8_t type, uint8_t flags, uint32_t id,
				   struct span payload)
{
	const uint8_t head[9] = {(uint8_t)(payload.size >> 16), (uint8_t)(payload.size >> 8),
				 (uint8_t)payload.size, type, flags, (uint8_t)(id >> 24),
				 (uint8_t)(id >> 16), (uint8_t)(id >> 8), (uint8_t)id};

	buffer_add(out, span_make(head, sizeof head));
	buffer_add(out, payload);
}

/* The same frame so many times, in one read. */
static inline void peer_flood(unsigned count, uint8_t type, uint8_t flags, uint32_t id, struct span payload)
{
	struct buffer bytes;

	buffer_init(&bytes, 1 << 26);
	while (count-- > 0)
		peer_frame_into(&bytes, type, flags, id, payload);
	script_give(house.stream, buffer_span(&bytes).at, buffer_span(&bytes).size);
	buffer_release(&bytes);
	script_ready(house.stream);
	house_turn();
}

#endif
