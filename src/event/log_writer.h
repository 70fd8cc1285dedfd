/*
 * log_writer - empties a ring of lines into a descriptor without ever
 * blocking: at a turn's end when half full, else 100 ms after the first line.
 * An idle process is never woken for it.
 *
 * Each write is of whole lines: at most 4096 bytes (PIPE_BUF) into what may be
 * shared with others, so that it goes whole into a pipe and, by O_APPEND, into
 * a file that other workers write too. A full disk or pipe leaves the lines in
 * the ring, which then drops and counts; it is tried again.
 */
#ifndef EVENT_LOG_WRITER_H
#define EVENT_LOG_WRITER_H

#include "event/loop.h"

struct line_ring;
struct log_writer;

/* `ring` and `fd` (-1: none yet, lines wait) are the caller's and stay. */
MUST_CHECK enum status log_writer_start(struct loop *loop, struct line_ring *ring, int fd, struct log_writer **out,
					struct error *err);
/* Another descriptor from now on; what waits goes there. The one before is the caller's to close. */
void log_writer_use(struct log_writer *writer, int fd);
/* At every turn's end (loop_on_turn): writes, or sees to it that it will be done. */
void log_writer_look(struct log_writer *writer);
/* Writes what it can. NULL is fine. */
void log_writer_stop(struct log_writer *writer);

#endif
