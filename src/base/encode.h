/* encode - bytes as text and back: hex (lower case), base64 (RFC 4648 section 4, padded). */
#ifndef BASE_ENCODE_H
#define BASE_ENCODE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/buffer.h"
#include "base/span.h"

/* `out` has room for 2 * size + 1 bytes; terminated. */
void hex_write(const void *bytes, size_t size, char *out);
/* Exactly `size` bytes from 2 * size digits of either case; else false, `out` undefined. */
bool hex_read(struct span text, void *out, size_t size);

/* The value of one digit of either case, or -1. */
int hex_digit(char c);

void base64_write(struct buffer *out, struct span bytes);
/* Strict: no white space, right padding, no stray bits. False: not base64 or no room. */
bool base64_read(struct buffer *out, struct span text);

#endif
