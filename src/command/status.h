/* status - chatelaine status: problems first, then figures. */
#ifndef COMMAND_STATUS_H
#define COMMAND_STATUS_H

#include "command/command.h"

int command_status(struct invocation *invocation);

#endif
