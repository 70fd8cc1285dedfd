/* Any bytes as an allow-file: what it admits is written there as a line of its own. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "access/allow_file.h"
#include "base/encode.h"

static const uint8_t probe[16] = {0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef,
				  0x01, 0x23, 0x45, 0x67, 0x89, 0xab, 0xcd, 0xef};

static void count(void *arg, size_t line, const char *text)
{
	(void)line;
	(void)text;
	++*(size_t *)arg;
}

static char lower(uint8_t c)
{
	return c >= 'A' && c <= 'Z' ? (char)(c + 32) : (char)c;
}

static int stands_there(const uint8_t *bytes, size_t size)
{
	char hex[33];
	size_t at, i;

	hex_write(probe, sizeof probe, hex);
	for (at = 0; at + 32 <= size; at++) {
		for (i = 0; i < 32 && lower(bytes[at + i]) == hex[i]; i++)
			;
		if (i == 32)
			return 1;
	}
	return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size);
int LLVMFuzzerTestOneInput(const uint8_t *bytes, size_t size)
{
	struct allow_file *file = NULL;
	size_t warnings = 0;
	struct error err;

	if (allow_file_parse(span_make(bytes, size), SPAN("example.com"), count, &warnings, &file, &err) != OK)
		return 0;
	if (warnings > ALLOW_FILE_WARNINGS + 1 || allow_file_count(file) > size / 3 + 1)
		abort();
	if (allow_file_has(file, probe) && !stands_there(bytes, size))
		abort();
	allow_file_free(file);
	return 0;
}
