/*
 * example - `chatelaine example [--listen 127.0.0.1:PORT]`: a small
 * application to stand behind the door. It shows who the door says is there,
 * has a WebSocket that echoes, and a live list of who is here.
 */
#ifndef COMMAND_EXAMPLE_H
#define COMMAND_EXAMPLE_H

/* argv[0] is "example". The exit status. */
int command_example(int argc, char **argv);

#endif
