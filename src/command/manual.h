/*
 * manual - what the manual pages say of commands and keys, written by the tables that drive them; the
 * rest of the pages stands in docs/man/.
 */
#ifndef COMMAND_MANUAL_H
#define COMMAND_MANUAL_H

struct invocation;

int command_manual_commands(struct invocation *invocation);
int command_manual_keys(struct invocation *invocation);

#endif
