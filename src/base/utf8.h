/* utf8 - where a character ends (RFC 3629), for all that shows or escapes text of strangers. */
#ifndef BASE_UTF8_H
#define BASE_UTF8_H

#include <stdint.h>

#include "base/span.h"

/* How many bytes the first character of `text` (not empty) has, and which it is; 0: no UTF-8 begins there.
 * No surrogates, nothing overlong, nothing above U+10FFFF. */
unsigned utf8_take(struct span text, uint32_t *character);
/* C0, DEL, C1, line and paragraph separator, and what changes the direction of text: what must not reach a
 * terminal or a page from a stranger's text. */
bool utf8_is_control(uint32_t character);

#endif
