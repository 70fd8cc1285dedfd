/*
 * ceiling - what the limits (access/limit) mean for a guest and its visits:
 * who is counted as whom from when on, and what is refused how.
 *
 * A connection counts for its address from the moment that its address is
 * known, and for its device from the moment that the door knows it. Before
 * the handshake too much is a reset; after it, a page (429, 503).
 */
#ifndef DOOR_CEILING_H
#define DOOR_CEILING_H

#include <stdbool.h>
#include <stdint.h>

#include "door/refusal.h"

struct address;
struct connection;
struct door;
struct guest;
struct visit;

/* May somebody from there begin a handshake? Spends one. Else nothing is worth spending on it. */
bool ceiling_admits(struct door *door, const struct address *peer, bool is_queue_full);
/* http_host.on_peer. */
bool ceiling_meet(struct connection *connection);
/* The door has looked who it is: it may end the connection. */
void ceiling_settle(struct guest *guest);
/* The room LIMIT: NONE, or why this request is refused. */
enum refusal ceiling_enter(struct visit *visit);
/* It is a tunnel from now on: alone on its connection it counts as that and no more. */
void ceiling_tunnel(struct visit *visit);
void ceiling_left(struct visit *visit);
/* http_host.on_closed. */
void ceiling_close(struct connection *connection);

#endif
