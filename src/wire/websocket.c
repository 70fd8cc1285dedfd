#include "wire/websocket.h"

#include "wire/sha1.h"

bool websocket_is_key(struct span key)
{
	size_t i;

	if (key.size != WEBSOCKET_KEY_SIZE || key.at[22] != '=' || key.at[23] != '=')
		return false;
	for (i = 0; i < 22; i++) {
		char c = key.at[i];

		if (!((c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') ||
		      c == '+' || c == '/'))
			return false;
	}
	return true;
}

void websocket_accept(struct span key, char out[static WEBSOCKET_ACCEPT_SIZE + 1])
{
	static const char digits[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
	struct span guid = SPAN("258EAFA5-E914-47DA-95CA-C5AB0DC85B11"); /* RFC 6455 section 1.3 */
	uint8_t hash[SHA1_SIZE + 1];
	size_t i;

	sha1((struct span[]){key, guid}, 2, hash);
	hash[SHA1_SIZE] = 0;
	for (i = 0; i < sizeof hash / 3; i++) {
		uint32_t three = (uint32_t)hash[3 * i] << 16 | hash[3 * i + 1] << 8 | hash[3 * i + 2];

		out[4 * i] = digits[three >> 18];
		out[4 * i + 1] = digits[three >> 12 & 63];
		out[4 * i + 2] = digits[three >> 6 & 63];
		out[4 * i + 3] = digits[three & 63];
	}
	out[WEBSOCKET_ACCEPT_SIZE - 1] = '=';
	out[WEBSOCKET_ACCEPT_SIZE] = 0;
}

/* How long the head is of which the first two bytes are known. */
static size_t head_size(const uint8_t *head)
{
	uint8_t length = head[1] & 127;

	return 2 + (length == 126 ? 2 : length == 127 ? 8 : 0) + (head[1] & 128 ? 4 : 0);
}

static uint64_t read_number(const uint8_t *at, size_t size)
{
	uint64_t number = 0;

	while (size--)
		number = number << 8 | *at++;
	return number;
}

/* RFC 6455 section 5.2, of a head that is all there. */
static enum status take_frame(const uint8_t *head, size_t size, struct websocket_frame *frame,
			      struct error *err)
{
	uint8_t length = head[1] & 127;

	frame->fin = head[0] & 128;
	frame->reserved = head[0] >> 4 & 7;
	frame->opcode = head[0] & 15;
	frame->masked = head[1] & 128;
	frame->length = length == 126 ? read_number(head + 2, 2)
			: length == 127 ? read_number(head + 2, 8) : length;
	memset(frame->key, 0, sizeof frame->key);
	if (frame->masked)
		memcpy(frame->key, head + size - 4, 4);
	if ((frame->opcode > WEBSOCKET_BINARY && frame->opcode < WEBSOCKET_CLOSE) ||
	    frame->opcode > WEBSOCKET_PONG)
		return error_refuse(err, "a WebSocket frame has the reserved opcode %u", frame->opcode);
	if (frame->opcode >= WEBSOCKET_CLOSE && (!frame->fin || frame->length > WEBSOCKET_CONTROL_MAX))
		return error_refuse(err, "a WebSocket control frame is long or in fragments");
	if ((length == 126 && frame->length < 126) || (length == 127 && frame->length < 65536) ||
	    frame->length > INT64_MAX)
		return error_refuse(err, "a WebSocket frame's length is not in its shortest form");
	return OK;
}

enum status websocket_frame_parse(struct span bytes, uint64_t ceiling, struct websocket_frame *out,
				  size_t *used, struct error *err)
{
	const uint8_t *head = (const uint8_t *)bytes.at;
	struct websocket_frame frame;
	enum status status;

	if (bytes.size < 2 || bytes.size < head_size(head))
		return AGAIN;
	TRY(take_frame(head, head_size(head), &frame, err));
	if (frame.length > ceiling)
		return error_refuse(err, "a WebSocket frame is larger than %llu bytes",
				    (unsigned long long)ceiling);
	*out = frame;
	*used = head_size(head);
done:
	return status;
}

size_t websocket_frame_write(const struct websocket_frame *frame,
			     uint8_t out[static WEBSOCKET_HEAD_MAX])
{
	size_t size = frame->length < 126 ? 0 : frame->length < 65536 ? 2 : 8;
	size_t i;

	out[0] = (uint8_t)(frame->fin << 7 | (frame->reserved & 7) << 4 | (frame->opcode & 15));
	out[1] = (uint8_t)(frame->masked << 7 | (size == 0 ? frame->length : size == 2 ? 126 : 127));
	for (i = 0; i < size; i++)
		out[2 + i] = (uint8_t)(frame->length >> (8 * (size - 1 - i)));
	if (!frame->masked)
		return 2 + size;
	memcpy(out + 2 + size, frame->key, 4);
	return 6 + size;
}

void websocket_mask(char *bytes, size_t size, const uint8_t key[4], uint64_t offset)
{
	uint8_t turned[8];
	uint64_t wide, word;
	size_t i;

	for (i = 0; i < 8; i++)
		turned[i] = key[(offset + i) & 3];
	memcpy(&wide, turned, 8);
	for (i = 0; size - i >= 8; i += 8) {
		memcpy(&word, bytes + i, 8);
		word ^= wide;
		memcpy(bytes + i, &word, 8);
	}
	for (; i < size; i++)
		bytes[i] = (char)(bytes[i] ^ turned[i & 7]);
}

size_t websocket_close_frame(uint16_t code, struct span reason, uint8_t out[static WEBSOCKET_CLOSE_MAX])
{
	size_t size = reason.size < WEBSOCKET_CONTROL_MAX - 2 ? reason.size : WEBSOCKET_CONTROL_MAX - 2;

	/* Not in the middle of a UTF-8 character: the whole frame would be invalid. */
	while (size < reason.size && size && ((uint8_t)reason.at[size] & 0xc0) == 0x80)
		size--;
	out[0] = 128 | WEBSOCKET_CLOSE;
	out[1] = (uint8_t)(2 + size);
	out[2] = (uint8_t)(code >> 8);
	out[3] = (uint8_t)code;
	if (size)
		memcpy(out + 4, reason.at, size);
	return 4 + size;
}

void websocket_follow_init(struct websocket_follower *follower, bool from_client)
{
	memset(follower, 0, sizeof *follower);
	follower->masked = from_client;
}

static enum status begin_frame(struct websocket_follower *follower, struct error *err)
{
	struct websocket_frame frame;
	enum status status;

	TRY(take_frame(follower->head, follower->have, &frame, err));
	if (follower->closing)
		return error_refuse(err, "a WebSocket frame follows the Close");
	if (frame.masked != follower->masked)
		return error_refuse(err, follower->masked ? "a WebSocket client's frame is not masked"
							  : "a WebSocket server's frame is masked");
	if (frame.opcode < WEBSOCKET_CLOSE) {
		if ((frame.opcode == WEBSOCKET_CONTINUATION) != follower->fragmented)
			return error_refuse(err, "a WebSocket fragment stands out of order");
		follower->fragmented = !frame.fin;
	}
	follower->closing = frame.opcode == WEBSOCKET_CLOSE;
	follower->left = frame.length;
	follower->have = 0;
done:
	return status;
}

/* Go on until a boundary or the end of the bytes; the first byte begins a frame if none is under way. */
static enum status follow_frame(struct websocket_follower *follower, struct span *bytes,
				struct error *err)
{
	enum status status = OK;

	while (follower->left == 0 && bytes->size) {
		follower->head[follower->have++] = (uint8_t)bytes->at[0];
		span_skip(bytes, 1);
		if (follower->have < 2 || follower->have < head_size(follower->head))
			continue;
		TRY(begin_frame(follower, err));
		if (follower->left == 0)
			return OK;
	}
	if (follower->left < bytes->size) {
		span_skip(bytes, (size_t)follower->left);
		follower->left = 0;
	} else {
		follower->left -= bytes->size;
		span_skip(bytes, bytes->size);
	}
done:
	follower->lost = status != OK;
	return status;
}

static enum status is_lost(struct error *err)
{
	return error_refuse(err, "the bytes are not WebSocket frames");
}

enum status websocket_follow(struct websocket_follower *follower, struct span bytes,
			     struct error *err)
{
	enum status status = OK;

	if (follower->lost)
		return is_lost(err);
	while (bytes.size && status == OK)
		status = follow_frame(follower, &bytes, err);
	return status;
}

enum status websocket_follow_to_boundary(struct websocket_follower *follower, struct span bytes,
					 size_t *used, struct error *err)
{
	struct span rest = bytes;
	enum status status = OK;

	*used = 0;
	if (follower->lost)
		return is_lost(err);
	if (!websocket_is_at_boundary(follower))
		status = follow_frame(follower, &rest, err);
	if (status != OK)
		return status;
	*used = bytes.size - rest.size;
	return websocket_is_at_boundary(follower) ? OK : AGAIN;
}
