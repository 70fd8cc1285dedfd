/*
 * metrics_gate - answers GET /metrics on a plain socket, for Prometheus.
 *
 * A small http_host of its own: nothing here knows the door, its sites or its
 * limits, and a crowd at this gate takes no connection from clients. The text
 * is made at most once a second, whoever asks. It is for addresses that not
 * everyone reaches.
 */
#ifndef SERVE_METRICS_GATE_H
#define SERVE_METRICS_GATE_H

#include <stddef.h>

#include "base/address.h"
#include "base/error.h"

struct loop;
struct metrics_gate;
struct roster;
struct scoreboard;

/* REFUSED: everyone may reach this address, and whoever reads the metrics learns which sites there are and how busy
 * each is. */
MUST_CHECK enum status metrics_gate_admits(const struct address *address, struct error *err);
/* `board` is borrowed for its life. */
MUST_CHECK enum status metrics_gate_new(struct loop *loop, const struct scoreboard *board, struct metrics_gate **out,
					struct error *err);
/* Takes fd. */
void metrics_gate_accept(struct metrics_gate *gate, int fd, const struct address *peer);
/* Borrowed until another one comes; NULL: none. NULL gate is fine. */
void metrics_gate_use_roster(struct metrics_gate *gate, const struct roster *roster);
size_t metrics_gate_connections(const struct metrics_gate *gate);
/* Its connections end; a turn later it may be freed. NULL is fine. */
void metrics_gate_end(struct metrics_gate *gate);
void metrics_gate_free(struct metrics_gate *gate); /* NULL is fine */

#endif
