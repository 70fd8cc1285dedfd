/* serve - chatelaine serve, chatelaine config check|reference, chatelaine retreat */
#ifndef COMMAND_SERVE_H
#define COMMAND_SERVE_H

#include "command/command.h"

int command_serve(struct invocation *invocation);
int command_role(struct invocation *invocation);
int command_config_check(struct invocation *invocation);
int command_config_reference(struct invocation *invocation);
int command_retreat(struct invocation *invocation);

/* --config, else STATE/chatelaine.conf; into a buffer of 4200 bytes. */
void config_path(const struct invocation *invocation, const char *said, char *out, unsigned size);

#endif
