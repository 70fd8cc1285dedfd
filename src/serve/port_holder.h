/*
 * port_holder - which process listens on a TCP port of this machine, from
 * /proc (proc(5): net/tcp, net/tcp6, PID/fd). For messages and warnings: what
 * cannot be seen is left open, never an error.
 */
#ifndef SERVE_PORT_HOLDER_H
#define SERVE_PORT_HOLDER_H

#include <stdbool.h>

#include "base/address.h"
#include "base/buffer.h"

/* Adds "nginx (pid 812)", or "another process" when we may not see whose it is. */
void port_holder_describe(uint16_t port, struct buffer *out);

/* False: nobody listens there, or we may not see who; nothing is added. */
bool port_holder_find(uint16_t port, struct buffer *out);

/* The side door: does something listen on `upstream`'s port at an address that is not loopback, so
 * that others can reach the application around the door? *where is one such address. */
bool side_door_is_open(const struct address *upstream, struct address *where);

#endif
