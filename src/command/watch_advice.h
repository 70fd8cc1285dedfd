/* watch_advice - what to do about those who would be refused: rows of "watch" gathered by kind, in plain words. */
#ifndef COMMAND_WATCH_ADVICE_H
#define COMMAND_WATCH_ADVICE_H

#include <jansson.h>

enum { ADVICE_MOST = 20 };

/* `rows` as the authority gives them, the most frequent first. At most ADVICE_MOST texts; lines in them are parted
 * by \n. The caller's. */
json_t *watch_advice(const json_t *rows);

#endif
