#include "http/h2_parts.h"

enum {
	FRAME_HEAD = 9,
	PADDED_SMALL = 256, /* what is no longer than a padding may carry nothing */
};

static void turn_second(struct h2 *h2)
{
	struct h2_meter *meter = &h2->meter;
	int64_t now = connection_now(h2->base.connection);

	if (now - meter->second < 1000000)
		return;
	meter->second = now;
	meter->resets = meter->frames = 0;
}

void h2_count_reset(struct h2 *h2)
{
	turn_second(h2);
	if (++h2->meter.resets > h2->base.host->limits.h2_resets)
		h2_fail(h2, NGHTTP2_ENHANCE_YOUR_CALM, "HTTP/2: too many streams reset within a second");
}

void h2_earn(struct h2 *h2)
{
	if (h2->meter.earned < H2_EARNED_MOST)
		h2->meter.earned += 3;
}

static void count_small(struct h2 *h2)
{
	struct h2_meter *meter = &h2->meter;

	if (meter->earned > 0) {
		meter->earned--;
		return;
	}
	turn_second(h2);
	if (++meter->frames > h2->base.host->limits.h2_frames)
		h2_fail(h2, NGHTTP2_ENHANCE_YOUR_CALM, H2_SMALL_FRAMES_TEXT);
}

/* Frames by which a client makes work and moves nothing. */
static void weigh(struct h2 *h2, const uint8_t head[static FRAME_HEAD], uint32_t length)
{
	const uint8_t type = head[3], flags = head[4];

	switch (type) {
	case NGHTTP2_HEADERS:
		return;
	case NGHTTP2_RST_STREAM:
		h2_count_reset(h2);
		return;
	case NGHTTP2_PRIORITY: /* nghttp2 looks at none of these any more (RFC 9113 section 6.3) */
		if ((head[5] & 0x7f) == 0 && head[6] == 0 && head[7] == 0 && head[8] == 0)
			h2_fail(h2, NGHTTP2_PROTOCOL_ERROR, "HTTP/2: PRIORITY of no stream");
		count_small(h2);
		return;
	case NGHTTP2_DATA:
		if (flags & NGHTTP2_FLAG_END_STREAM)
			return;
		if (length == 0 || (flags & NGHTTP2_FLAG_PADDED && length <= PADDED_SMALL))
			count_small(h2);
		return;
	default:
		count_small(h2);
	}
}

/* nghttp2 tells of most frames only after it has worked on them, and of some not at all. */
bool h2_scan_frames(struct h2 *h2, struct span bytes, size_t *allowed)
{
	struct h2_scan *scan = &h2->scan;
	size_t at = 0;

	while (at < bytes.size) {
		uint32_t length;

		if (scan->skip > 0) {
			size_t step = bytes.size - at < scan->skip ? bytes.size - at : scan->skip;

			scan->skip -= (uint32_t)step;
			at += step;
			continue;
		}
		scan->head[scan->have++] = (uint8_t)bytes.at[at++];
		if (scan->have < FRAME_HEAD)
			continue;
		scan->have = 0;
		length = (uint32_t)(scan->head[0] << 16 | scan->head[1] << 8 | scan->head[2]);
		weigh(h2, scan->head, length);
		if (h2->fault) {
			*allowed = at > FRAME_HEAD ? at - FRAME_HEAD : 0;
			return false;
		}
		scan->skip = length;
	}
	*allowed = at;
	return true;
}
