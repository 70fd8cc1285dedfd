/*
 * supervisor - the parent of the house: opens sockets, starts and restarts
 * the parts, hands descriptors and files to them, watches that they move.
 *
 * It may be root. It parses nothing that came from outside, reads no byte
 * from the network, and speaks with its children in fixed-size orders.
 */
#ifndef SERVE_SUPERVISOR_H
#define SERVE_SUPERVISOR_H

/* Serves until SIGTERM or SIGINT. The exit status: 0 stopped as told, 1 could not start (said on
 * standard error). */
int supervisor_run(const char *config);

#endif
