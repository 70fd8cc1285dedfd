/* config_commands - chatelaine config check, chatelaine config reload, chatelaine upgrade */
#ifndef COMMAND_CONFIG_COMMANDS_H
#define COMMAND_CONFIG_COMMANDS_H

#include "command/command.h"

int command_config_check(struct invocation *invocation);
int command_config_reload(struct invocation *invocation);
int command_upgrade(struct invocation *invocation);

#endif
