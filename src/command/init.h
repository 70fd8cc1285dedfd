/* init - chatelaine init: a house from nothing. */
#ifndef COMMAND_INIT_H
#define COMMAND_INIT_H

#include "command/command.h"

int command_init(struct invocation *invocation);

#endif
