/* person - chatelaine person add|list|show|remove */
#ifndef COMMAND_PERSON_H
#define COMMAND_PERSON_H

#include "command/command.h"

int command_person_add(struct invocation *invocation);
int command_person_list(struct invocation *invocation);
int command_person_show(struct invocation *invocation);
int command_person_remove(struct invocation *invocation);

#endif
