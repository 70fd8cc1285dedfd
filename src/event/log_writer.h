/*
 * log_writer - empties base/log's ring into a descriptor without ever
 * blocking: at a turn's end when half full, else 100 ms after the first line.
 * An idle process is never woken for it.
 */
#ifndef EVENT_LOG_WRITER_H
#define EVENT_LOG_WRITER_H

#include "event/loop.h"

struct log_writer;

/* `fd` is the caller's and stays open. From now on lines gather. */
MUST_CHECK enum status log_writer_start(struct loop *loop, int fd, struct log_writer **out, struct error *err);
/* At every turn's end (loop_on_turn): writes, or sees to it that it will be done. */
void log_writer_look(struct log_writer *writer);
/* Writes what it can, then lines go straight to standard error again. NULL is fine. */
void log_writer_stop(struct log_writer *writer);

#endif
