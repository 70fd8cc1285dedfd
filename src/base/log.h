/*
 * log - logfmt lines: at=.. level=.. role=.. event=.. then what the caller adds.
 *
 * Lines gather in a ring (base/line_ring) of 64 KB that event/log_writer
 * empties without ever blocking; a full ring drops lines and counts them (`dropped=` in the next
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

struct line_ring;

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

/* A line made elsewhere, its end included; it goes where the others go. */
void log_line(struct span line);
/* "gateway.2". */
struct span log_role(void);

/* What is gathered, for event/log_writer; its count of dropped lines is the log's. */
struct line_ring *log_ring(void);
enum { LOG_RING_SIZE = 65536 };

#endif
