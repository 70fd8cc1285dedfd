#include "registry/row_mac.h"

#include <string.h>

#include "pki/digest.h"

static void add(struct row_mac *mac, const void *bytes, size_t size)
{
	if (size > sizeof mac->bytes - mac->size) {
		mac->cut = true;
		return;
	}
	if (size)
		memcpy(mac->bytes + mac->size, bytes, size);
	mac->size += size;
}

void row_mac_start(struct row_mac *mac, const char *table)
{
	mac->size = 0;
	mac->cut = false;
	row_mac_text(mac, table);
}

void row_mac_blob(struct row_mac *mac, const void *bytes, size_t size)
{
	uint8_t length[4] = {(uint8_t)(size >> 24), (uint8_t)(size >> 16), (uint8_t)(size >> 8), (uint8_t)size};

	add(mac, length, sizeof length);
	add(mac, bytes, size);
}

void row_mac_text(struct row_mac *mac, const char *text)
{
	row_mac_blob(mac, text, strlen(text));
}

void row_mac_number(struct row_mac *mac, int64_t number)
{
	uint8_t bytes[8];
	int i;

	for (i = 0; i < 8; i++)
		bytes[i] = (uint8_t)((uint64_t)number >> (56 - 8 * i));
	row_mac_blob(mac, bytes, sizeof bytes);
}

void row_mac_write(const struct row_mac *mac, struct span key, uint8_t out[static ROW_MAC_SIZE])
{
	digest_hmac_sha256(key, span_make(mac->bytes, mac->size), out);
}

bool row_mac_matches(const struct row_mac *mac, struct span key, const uint8_t stored[static ROW_MAC_SIZE])
{
	uint8_t right[ROW_MAC_SIZE];

	if (mac->cut)
		return false;
	row_mac_write(mac, key, right);
	return digest_equals(span_make(right, sizeof right), span_make(stored, ROW_MAC_SIZE));
}
