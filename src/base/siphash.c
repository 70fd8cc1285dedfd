#include "base/siphash.h"

#include <endian.h>
#include <string.h>

static uint64_t rotate(uint64_t x, int by)
{
	return x << by | x >> (64 - by);
}

static void mix(uint64_t v[4], int rounds)
{
	while (rounds--) {
		v[0] += v[1];
		v[2] += v[3];
		v[1] = rotate(v[1], 13) ^ v[0];
		v[3] = rotate(v[3], 16) ^ v[2];
		v[0] = rotate(v[0], 32);
		v[2] += v[1];
		v[0] += v[3];
		v[1] = rotate(v[1], 17) ^ v[2];
		v[3] = rotate(v[3], 21) ^ v[0];
		v[2] = rotate(v[2], 32);
	}
}

static uint64_t word_at(const uint8_t *at)
{
	uint64_t word;

	memcpy(&word, at, sizeof word);
	return le64toh(word);
}

uint64_t siphash(const uint8_t key[16], const void *bytes, size_t size)
{
	uint64_t k0 = word_at(key), k1 = word_at(key + 8);
	uint64_t v[4] = {k0 ^ 0x736f6d6570736575, k1 ^ 0x646f72616e646f6d,
			 k0 ^ 0x6c7967656e657261, k1 ^ 0x7465646279746573};
	const uint8_t *at = bytes;
	uint8_t tail[8] = {0};
	size_t left;
	uint64_t word;

	for (left = size; left >= 8; left -= 8, at += 8) {
		word = word_at(at);
		v[3] ^= word;
		mix(v, 2);
		v[0] ^= word;
	}
	if (left)
		memcpy(tail, at, left);
	tail[7] = (uint8_t)size;
	word = word_at(tail);
	v[3] ^= word;
	mix(v, 2);
	v[0] ^= word;
	v[2] ^= 0xff;
	mix(v, 4);
	return v[0] ^ v[1] ^ v[2] ^ v[3];
}
