/* device - chatelaine device add|list|show|revoke */
#ifndef COMMAND_DEVICE_H
#define COMMAND_DEVICE_H

#include "command/command.h"

int command_device_add(struct invocation *invocation);
int command_device_list(struct invocation *invocation);
int command_device_show(struct invocation *invocation);
int command_device_revoke(struct invocation *invocation);

#endif
