/*
 * log - logfmt lines: at=.. level=.. role=.. event=.. then what the caller adds.
 *
 * Lines gather in a ring of 64 KB that event/log_writer empties without ever
 * blocking; a full ring drops lines and counts them (`dropped=` in the next
 * line that fits). Without a writer (commands, start-up) each line goes to
 * standard error at once. Never log a secret, a code, a header's value.
 *
 * A line is built in order: log_begin, log_text and log_number, log_end.
 * One line at a time a process.
 */
#ifndef BASE_LOG_H
#define BASE_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/span.h"

enum log_level { LOG_DEBUG, LOG_INFO, LOG_WARNING, LOG_ERROR };

/* `role` as in role=gateway.2; copied. Lines below `least` are dropped. */
void log_init(const char *role, enum log_level least);
/* From now on lines gather for log_take; false: at once to standard error again. */
void log_gather(bool gather);

void log_begin(enum log_level level, const char *event);
/* Quoted and escaped as needed; at most 512 bytes of it. */
void log_text(const char *key, struct span value);
void log_number(const char *key, uint64_t value);
void log_end(void);

/* One whole line: event=EVENT text="...". For what happens seldom. */
void log_say(enum log_level level, const char *event, const char *format, ...) PRINTF_LIKE(3, 4);

/* The first run of gathered bytes, whole lines only at its end or at the ring's; then log_taken. */
struct span log_take(void);
void log_taken(size_t count);
/* How many bytes wait; the writer writes at once from half of the ring on. */
size_t log_waiting(void);
/* Lines that found no room, since the start. */
uint64_t log_dropped(void);
enum { LOG_RING_SIZE = 65536 };

#endif
