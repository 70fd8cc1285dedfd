/*
 * example - `chatelaine example [--listen 127.0.0.1:PORT]`: a small
 * application to stand behind the door. It shows who the door says is there,
 * has a WebSocket that echoes, and a live list of who is here.
 *
 * It believes its headers, as any application behind a door does; so it
 * listens on loopback addresses and Unix sockets alone.
 */
#ifndef COMMAND_EXAMPLE_H
#define COMMAND_EXAMPLE_H

#include "command/command.h"

int command_example(struct invocation *invocation);

#endif
