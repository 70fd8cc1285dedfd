/* certificate_commands - chatelaine ca cert, chatelaine cert inspect, chatelaine explain */
#ifndef COMMAND_CERTIFICATE_COMMANDS_H
#define COMMAND_CERTIFICATE_COMMANDS_H

#include "command/command.h"

int command_ca_cert(struct invocation *invocation);
int command_cert_inspect(struct invocation *invocation);
int command_explain(struct invocation *invocation);

#endif
