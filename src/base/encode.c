#include "base/encode.h"

#include <stdint.h>

void hex_write(const void *bytes, size_t size, char *out)
{
	static const char digits[] = "0123456789abcdef";
	const uint8_t *at = bytes;
	size_t i;

	for (i = 0; i < size; i++) {
		out[2 * i] = digits[at[i] >> 4];
		out[2 * i + 1] = digits[at[i] & 15];
	}
	out[2 * size] = 0;
}

int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	if (c >= 'a' && c <= 'f')
		return c - 'a' + 10;
	if (c >= 'A' && c <= 'F')
		return c - 'A' + 10;
	return -1;
}

bool hex_read(struct span text, void *out, size_t size)
{
	uint8_t *at = out;
	size_t i;

	if (text.size != 2 * size)
		return false;
	for (i = 0; i < size; i++) {
		int high = hex_digit(text.at[2 * i]), low = hex_digit(text.at[2 * i + 1]);

		if (high < 0 || low < 0)
			return false;
		at[i] = (uint8_t)(high << 4 | low);
	}
	return true;
}

static const char alphabet[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

void base64_write(struct buffer *out, struct span bytes)
{
	const uint8_t *at = (const uint8_t *)bytes.at;
	size_t left;

	for (left = bytes.size; left > 0; at += 3, left -= left < 3 ? left : 3) {
		uint32_t group = (uint32_t)at[0] << 16 | (left > 1 ? (uint32_t)at[1] << 8 : 0) |
				 (left > 2 ? at[2] : 0);
		char four[4] = {alphabet[group >> 18], alphabet[group >> 12 & 63],
				left > 1 ? alphabet[group >> 6 & 63] : '=',
				left > 2 ? alphabet[group & 63] : '='};

		buffer_add(out, span_make(four, 4));
	}
}

static int base64_digit(char c)
{
	if (c >= 'A' && c <= 'Z')
		return c - 'A';
	if (c >= 'a' && c <= 'z')
		return c - 'a' + 26;
	if (c >= '0' && c <= '9')
		return c - '0' + 52;
	return c == '+' ? 62 : c == '/' ? 63 : -1;
}

bool base64_read(struct buffer *out, struct span text)
{
	while (text.size >= 4) {
		bool is_last = text.size == 4;
		int padding = is_last && text.at[3] == '=' ? (text.at[2] == '=' ? 2 : 1) : 0;
		uint32_t group = 0;
		char three[3];
		int i;

		for (i = 0; i < 4 - padding; i++) {
			int digit = base64_digit(text.at[i]);

			if (digit < 0)
				return false;
			group |= (uint32_t)digit << (18 - 6 * i);
		}
		if ((padding == 1 && (group & 0xff)) || (padding == 2 && (group & 0xffff)))
			return false;
		three[0] = (char)(group >> 16);
		three[1] = (char)(group >> 8);
		three[2] = (char)group;
		buffer_add(out, span_make(three, (size_t)(3 - padding)));
		span_skip(&text, 4);
	}
	return text.size == 0 && buffer_is_whole(out);
}
