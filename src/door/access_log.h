/*
 * access_log - the line of each request that is over, as logfmt or JSON.
 *
 * It goes among the process's other lines (the default), into a ring of its
 * own that the owner of the file empties, or nowhere. A line is at most
 * ACCESS_LINE bytes with its end (PIPE_BUF: it goes whole into a pipe); each
 * value is cut to a ceiling of its own, so that the line always has its end
 * and JSON all its braces. Bytes of strangers are escaped: nothing that they
 * send begins a line, ends a value or reaches a terminal as a command.
 *
 * The query is left out unless asked for: links with a token in them are
 * keys. Nothing here allocates, prints with a format or reads the clock.
 */
#ifndef DOOR_ACCESS_LOG_H
#define DOOR_ACCESS_LOG_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/span.h"

struct line_ring;

enum access_target { ACCESS_MAIN, ACCESS_FILE, ACCESS_OFF };
enum access_format { ACCESS_LOGFMT, ACCESS_JSON };
enum { ACCESS_QUERY = 1, ACCESS_AGENT = 2 };
enum { ACCESS_LINE = 4096 };

struct access_options {
	enum access_target target;
	enum access_format format;
	unsigned with; /* ACCESS_QUERY, ACCESS_AGENT */
};

/* Empty spans and negative numbers are left out; method, path, site and device are then "-". */
struct access_line {
	int64_t wall; /* microseconds */
	struct span id, from, protocol, site, device, person, method, path, query, agent;
	struct span why, watched, end;
	unsigned status;
	int64_t us, connect_us, first_byte_us; /* in all; until the application was connected, until it answered */
	uint64_t up, down;
};

/* For this process, from now on. */
void access_log_use(const struct access_options *options);
const struct access_options *access_log_options(void);
/* Where lines for the file wait; its count of dropped ones is the access log's. */
struct line_ring *access_log_ring(void);
void access_log_write(const struct access_line *line);

/* The line itself; `with_role` puts what the process's other lines begin with in front. How many bytes. */
size_t access_line_write(const struct access_line *line, enum access_format format, bool with_role,
			 char out[static ACCESS_LINE]);

#endif
