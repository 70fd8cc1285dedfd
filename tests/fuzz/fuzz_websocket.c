/* The follower sees the same boundaries however the bytes are cut, and those that the frames' heads tell. */
#include <stdlib.h>

#include "wire/websocket.h"

#define CHECK(claim)                                                                               \
	do {                                                                                       \
		if (!(claim))                                                                      \
			abort();                                                                   \
	} while (0)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Walk the frames by their heads: are we at a boundary at the end of `bytes`? */
static bool ends_at_boundary(struct span bytes)
{
	struct websocket_frame frame, back;
	uint8_t head[WEBSOCKET_HEAD_MAX];
	size_t used, used_back;

	while (bytes.size) {
		if (websocket_frame_parse(bytes, INT64_MAX, &frame, &used, NULL) != OK)
			return false;
		/* The shortest form is the only one, so writing gives the same bytes. */
		CHECK(websocket_frame_write(&frame, head) == used && memcmp(head, bytes.at, used) == 0);
		CHECK(websocket_frame_parse(span_make(head, used), INT64_MAX, &back, &used_back, NULL) == OK);
		CHECK(back.length == frame.length && used_back == used);
		span_skip(&bytes, used);
		if (frame.length > bytes.size)
			return false;
		span_skip(&bytes, (size_t)frame.length);
	}
	return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct websocket_follower whole, pieces;
	enum status status, in_pieces = OK;
	struct span bytes;
	size_t at = 0, step, used;

	if (size < 2)
		return 0;
	bytes = span_make(data + 1, size - 1);
	step = 1 + data[0] / 2;
	websocket_follow_init(&whole, data[0] & 1);
	websocket_follow_init(&pieces, data[0] & 1);
	status = websocket_follow(&whole, bytes, NULL);
	while (at < bytes.size && in_pieces == OK) {
		size_t count = bytes.size - at < step ? bytes.size - at : step;

		/* By turns: to the boundary first, then the rest. */
		if (at & 1) {
			in_pieces = websocket_follow_to_boundary(&pieces, span_make(bytes.at + at, count), &used, NULL);
			if (in_pieces == REFUSED)
				break;
			CHECK(used <= count && (in_pieces == OK || used == count));
			CHECK((in_pieces == OK) == websocket_is_at_boundary(&pieces));
			at += used;
			count -= used;
		}
		in_pieces = websocket_follow(&pieces, span_make(bytes.at + at, count), NULL);
		at += count;
	}
	CHECK(status == in_pieces);
	if (status != OK)
		return 0;
	CHECK(memcmp(&whole.left, &pieces.left, sizeof whole.left) == 0 && whole.have == pieces.have);
	CHECK(whole.fragmented == pieces.fragmented && whole.closing == pieces.closing);
	CHECK(websocket_is_at_boundary(&whole) == ends_at_boundary(bytes));
	return 0;
}
