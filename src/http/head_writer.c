#include "http/head_writer.h"

void head_put_number(struct head_writer *writer, uint64_t number)
{
	char digits[20];
	size_t at = sizeof digits;

	do {
		digits[--at] = (char)('0' + number % 10);
		number /= 10;
	} while (number > 0);
	head_put(writer, span_make(digits + at, sizeof digits - at));
}

void head_put_hex(struct head_writer *writer, uint64_t number)
{
	char digits[16];
	size_t at = sizeof digits;

	do {
		digits[--at] = "0123456789abcdef"[number & 15];
		number >>= 4;
	} while (number > 0);
	head_put(writer, span_make(digits + at, sizeof digits - at));
}
