/*
 * row_mac - HMAC-SHA-256 over a row that grants access, under a key that only
 * the authority holds. Fields go in with their lengths, the table's name
 * first, so that no two rows of any tables have the same input.
 */
#ifndef REGISTRY_ROW_MAC_H
#define REGISTRY_ROW_MAC_H

#include <stdbool.h>
#include <stdint.h>

#include "base/span.h"

enum { ROW_MAC_SIZE = 32, ROW_MAC_INPUT = 4096 };

/* The row's fields gathered one by one. All rows fit; a field that does not leaves it `cut`, and such a
 * MAC never matches. */
struct row_mac {
	uint8_t bytes[ROW_MAC_INPUT];
	size_t size;
	bool cut;
};

void row_mac_start(struct row_mac *mac, const char *table);
void row_mac_blob(struct row_mac *mac, const void *bytes, size_t size);
void row_mac_text(struct row_mac *mac, const char *text);
void row_mac_number(struct row_mac *mac, int64_t number);
void row_mac_write(const struct row_mac *mac, struct span key, uint8_t out[static ROW_MAC_SIZE]);
bool row_mac_matches(const struct row_mac *mac, struct span key, const uint8_t stored[static ROW_MAC_SIZE]);

#endif
