/*
 * websocket - frames of RFC 6455: enough to relay them blindly and still know
 * where one ends, and to speak them in a small server.
 *
 * The follower sees the bytes of one direction of a relayed socket and knows
 * whether the stream stands between two frames, where a Close of ours may be
 * inserted. It never changes or keeps a payload byte.
 */
#ifndef WIRE_WEBSOCKET_H
#define WIRE_WEBSOCKET_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

enum websocket_opcode {
	WEBSOCKET_CONTINUATION = 0,
	WEBSOCKET_TEXT = 1,
	WEBSOCKET_BINARY = 2,
	WEBSOCKET_CLOSE = 8,
	WEBSOCKET_PING = 9,
	WEBSOCKET_PONG = 10,
};

enum {
	WEBSOCKET_HEAD_MAX = 14,    /* bytes of a frame's head */
	WEBSOCKET_CONTROL_MAX = 125, /* payload of a control frame */
	WEBSOCKET_CLOSE_MAX = 127,  /* bytes of a close frame, unmasked */
	WEBSOCKET_KEY_SIZE = 24,    /* Sec-WebSocket-Key */
	WEBSOCKET_ACCEPT_SIZE = 28, /* Sec-WebSocket-Accept */
};

/* Close codes that we send; RFC 6455 section 7.4.1. */
enum {
	WEBSOCKET_NORMAL = 1000,
	WEBSOCKET_GOING_AWAY = 1001,
	WEBSOCKET_PROTOCOL_ERROR = 1002,
	WEBSOCKET_POLICY = 1008,
	WEBSOCKET_TOO_BIG = 1009,
	WEBSOCKET_SERVICE_RESTART = 1012, /* IANA's registry: reconnect after a moment */
};

struct websocket_frame {
	bool fin, masked;
	uint8_t reserved; /* RSV1..3 as 4, 2, 1: extensions use them */
	uint8_t opcode;
	uint8_t key[4];   /* if masked */
	uint64_t length;  /* of the payload; below 2^63 */
};

/* Parse a frame's head. AGAIN: more bytes. REFUSED: reserved opcode, a length not in its shortest form
 * or over `ceiling`, a control frame that is long or fragmented. *used = size of the head. */
MUST_CHECK enum status websocket_frame_parse(struct span bytes, uint64_t ceiling,
					     struct websocket_frame *out, size_t *used,
					     struct error *err);
/* Write a frame's head; returns its size. */
size_t websocket_frame_write(const struct websocket_frame *frame, uint8_t out[static WEBSOCKET_HEAD_MAX]);
/* Mask or unmask in place; `offset` is how many payload bytes of the frame came before. */
void websocket_mask(char *bytes, size_t size, const uint8_t key[4], uint64_t offset);
/* An unmasked Close of ours; `reason` is UTF-8 and cut at 123 bytes. Returns its size. */
size_t websocket_close_frame(uint16_t code, struct span reason, uint8_t out[static WEBSOCKET_CLOSE_MAX]);
/* Sec-WebSocket-Accept for a key of WEBSOCKET_KEY_SIZE; terminated. */
void websocket_accept(struct span key, char out[static WEBSOCKET_ACCEPT_SIZE + 1]);
/* 16 bytes in base64, as RFC 6455 section 4.1 wants the key. */
bool websocket_is_key(struct span key);

struct websocket_follower {
	uint64_t left;  /* payload bytes until the present frame ends */
	uint8_t have;   /* head bytes gathered of the next frame */
	uint8_t head[WEBSOCKET_HEAD_MAX];
	bool masked;    /* frames of this direction must be */
	bool fragmented; /* a message is under way between its fragments; a control frame may stand here */
	bool closing;   /* a Close frame has begun: nothing may follow it */
	bool lost;      /* not WebSocket: boundaries are unknown from here on */
};

/* from_client: RFC 6455 section 5.1, its frames are masked, the server's are not. */
void websocket_follow_init(struct websocket_follower *follower, bool from_client);
/* All of `bytes` went by. REFUSED: not WebSocket; `lost` stays. */
MUST_CHECK enum status websocket_follow(struct websocket_follower *follower, struct span bytes,
					struct error *err);
/* Follow until the first boundary and no further: *used bytes belong to the frame that was begun. OK:
 * the stream now stands at a boundary (*used is 0 if it did already). AGAIN: all bytes used and still
 * inside a frame. */
MUST_CHECK enum status websocket_follow_to_boundary(struct websocket_follower *follower,
						    struct span bytes, size_t *used,
						    struct error *err);

/* Between two frames, also between two fragments of a message. */
static inline bool websocket_is_at_boundary(const struct websocket_follower *follower)
{
	return !follower->lost && follower->left == 0 && follower->have == 0;
}

#endif
