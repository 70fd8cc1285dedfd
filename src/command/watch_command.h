/* watch_command - chatelaine watch */
#ifndef COMMAND_WATCH_COMMAND_H
#define COMMAND_WATCH_COMMAND_H

#include "command/command.h"

int command_watch(struct invocation *invocation);

#endif
