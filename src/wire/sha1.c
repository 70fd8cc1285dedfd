#include "wire/sha1.h"

#include <assert.h>

enum { BLOCK = 64 };

static uint32_t turn(uint32_t x, unsigned by)
{
	return x << by | x >> (32 - by);
}

static uint32_t mix(unsigned round, uint32_t b, uint32_t c, uint32_t d)
{
	if (round < 20)
		return ((b & c) | (~b & d)) + 0x5a827999;
	if (round < 40)
		return (b ^ c ^ d) + 0x6ed9eba1;
	if (round < 60)
		return ((b & c) | (b & d) | (c & d)) + 0x8f1bbcdc;
	return (b ^ c ^ d) + 0xca62c1d6;
}

static void add_block(uint32_t sum[5], const uint8_t block[BLOCK])
{
	uint32_t w[80], a = sum[0], b = sum[1], c = sum[2], d = sum[3], e = sum[4];
	unsigned i;

	for (i = 0; i < 16; i++)
		w[i] = (uint32_t)block[4 * i] << 24 | (uint32_t)block[4 * i + 1] << 16 |
		       (uint32_t)block[4 * i + 2] << 8 | block[4 * i + 3];
	for (; i < 80; i++)
		w[i] = turn(w[i - 3] ^ w[i - 8] ^ w[i - 14] ^ w[i - 16], 1);
	for (i = 0; i < 80; i++) {
		uint32_t next = turn(a, 5) + mix(i, b, c, d) + e + w[i];

		e = d;
		d = c;
		c = turn(b, 30);
		b = a;
		a = next;
	}
	sum[0] += a;
	sum[1] += b;
	sum[2] += c;
	sum[3] += d;
	sum[4] += e;
}

void sha1(const struct span *parts, size_t count, uint8_t out[static SHA1_SIZE])
{
	uint32_t sum[5] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476, 0xc3d2e1f0};
	uint8_t bytes[2 * BLOCK] = {0};
	size_t size = 0, i, blocks;

	for (i = 0; i < count; i++) {
		assert(parts[i].size <= SHA1_INPUT_MAX - size);
		memcpy(bytes + size, parts[i].at, parts[i].size);
		size += parts[i].size;
	}
	bytes[size] = 0x80;
	blocks = size + 9 > BLOCK ? 2 : 1;
	bytes[blocks * BLOCK - 2] = (uint8_t)(size * 8 >> 8);
	bytes[blocks * BLOCK - 1] = (uint8_t)(size * 8);
	for (i = 0; i < blocks; i++)
		add_block(sum, bytes + i * BLOCK);
	for (i = 0; i < SHA1_SIZE; i++)
		out[i] = (uint8_t)(sum[i / 4] >> (24 - 8 * (i % 4)));
}
